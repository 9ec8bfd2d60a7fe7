"""The outcome of an operation that has to be asked for elsewhere: it comes once, later, or never.

Knows an outcome and who waits for it; there is no waiting here and no loop.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from relay.errors import RefusedError

T = TypeVar("T")


class Later(Generic[T]):
    """What an operation returns that has not happened yet; a refusal is an outcome as well."""

    __slots__ = ("_done", "_outcome")

    def __init__(self) -> None:
        self._done: Callable[[T | RefusedError], None] | None = None
        self._outcome: list[T | RefusedError] = []

    def then(self, done: Callable[[T | RefusedError], None]) -> None:
        """Call ``done`` with the outcome, at once if it has come."""
        if self._outcome:
            done(self._outcome[0])
        else:
            self._done = done

    def settle(self, outcome: T | RefusedError) -> None:
        """Give the outcome; once."""
        assert not self._outcome
        self._outcome.append(outcome)
        if self._done is not None:
            self._done(outcome)
