"""The deadlines of everything that waits, in one timer wheel.

Knows moments and the things that asked for them; never what they want to do then.
"""

from typing import Generic, Protocol, TypeVar

# Deadlines are seconds; a quarter of one late is early enough, and 10,000 connections with a
# deadline in 20 s are then 125 a turn.
TURN_S = 0.25
IDLE = -1


class Timed(Protocol):
    """Something with a deadline; ``turn`` belongs to the wheel and begins as IDLE."""

    turn: int


T = TypeVar("T", bound=Timed)


class Wheel(Generic[T]):
    """Each thing waits for at most one moment, its earliest; it asks anew when that has come."""

    __slots__ = ("_reached", "_turns")

    def __init__(self, now: float) -> None:
        self._reached = int(now / TURN_S)
        self._turns: dict[int, dict[T, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._turns.values()))

    def wait(self, thing: T, until: float) -> None:
        """Wake ``thing`` at ``until`` or up to a turn later, unless it waits for less already."""
        turn = max(int(until / TURN_S) + 1, self._reached + 1)
        if thing.turn != IDLE:
            if thing.turn <= turn:
                return
            self.forget(thing)
        thing.turn = turn
        self._turns.setdefault(turn, {})[thing] = None

    def forget(self, thing: T) -> None:
        """Wake ``thing`` no more."""
        if thing.turn != IDLE:
            things = self._turns[thing.turn]
            del things[thing]
            if not things:
                del self._turns[thing.turn]
            thing.turn = IDLE

    def advance(self, now: float) -> list[T]:
        """Return everything whose moment has come, in the order of moments."""
        turn = int(now / TURN_S)
        if turn <= self._reached:
            return []
        self._reached = turn
        due = sorted(key for key in self._turns if key <= turn)
        things = [thing for key in due for thing in self._turns.pop(key)]
        for thing in things:
            thing.turn = IDLE
        return things
