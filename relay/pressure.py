"""How close the process is to its ceiling of memory, and what is given up then.

Knows numbers of bytes alone; who is turned away is the door's and the broker's.
"""

from enum import IntEnum


class Pressure(IntEnum):
    """What a measurement says.

    TIGHT: no room is added. FULL: no connection either, what can be asked for again is given up,
    and readers are cut that are far behind.
    """

    EASY = 0
    TIGHT = 1
    FULL = 2


# Of the ceiling. What comes between two measurements must fit in between.
TIGHT_AT = 0.85
FULL_AT = 0.95
# So far below must it fall, or memory that comes and goes lets people in and throws them out.
EASE = 0.05


def judge(resident: int, ceiling: int, before: Pressure) -> Pressure:
    """Return the pressure of so many bytes, having been at ``before``."""
    for pressure, share in ((Pressure.FULL, FULL_AT), (Pressure.TIGHT, TIGHT_AT)):
        if resident >= ceiling * (share - EASE if before >= pressure else share):
            return pressure
    return Pressure.EASY
