"""The relay's monotonic clock, without the time in which the relay itself did not run.

Knows seconds; a process that was stopped, or a machine that slept, must not find every peer late.
"""

from collections.abc import Callable

# Longer between two ticks than any load explains: the process was stopped.
STALL_S = 2.0


class Clock:
    """Seconds since whenever; ``tick`` must be called several times a second."""

    __slots__ = ("_source", "_stalled", "_ticked")

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self._stalled = 0.0
        self._ticked = source()

    def now(self) -> float:
        """Return the present moment."""
        return self._source() - self._stalled

    def tick(self) -> float:
        """Leave out the time since the last tick if it was a stall; return the present moment."""
        read = self._source()
        if read - self._ticked > STALL_S:
            self._stalled += read - self._ticked
        self._ticked = read
        return read - self._stalled
