"""When memory is short, and when it is not any more."""

from relay.pressure import EASE, FULL_AT, TIGHT_AT, Pressure, judge

MB = 2**20


def test_pressure_rises_and_falls_with_a_gap_in_between() -> None:
    pressure = Pressure.EASY
    for resident, expected in (
        (0, Pressure.EASY),
        (84 * MB, Pressure.EASY),
        (85 * MB, Pressure.TIGHT),
        (81 * MB, Pressure.TIGHT),
        (94 * MB, Pressure.TIGHT),
        (95 * MB, Pressure.FULL),
        (91 * MB, Pressure.FULL),
        (89 * MB, Pressure.TIGHT),
        (79 * MB, Pressure.EASY),
        (200 * MB, Pressure.FULL),
        (0, Pressure.EASY),
    ):
        pressure = judge(resident, 100 * MB, pressure)
        assert pressure is expected, resident // MB


def test_marks_leave_room_below_the_ceiling() -> None:
    assert 0 < TIGHT_AT - EASE < TIGHT_AT < FULL_AT < 1
    assert FULL_AT - EASE > TIGHT_AT - EASE
