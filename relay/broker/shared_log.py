"""Where the logs of shared rooms are kept, as a node asks for it.

Knows names, numbers and sealed bytes. The contract, proved with tests/relay/broker/contract.py by
a log that is a list and by Redis: a log has one order, in which each record stands once under a
number of its own, from 1 on; it may be lost, and then that is said.
"""

from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One record of a log: its number, the moment at which it got there, and what a node sealed."""

    number: int
    moment: float
    record: bytes


class SharedLog(Protocol):
    """Where the logs of rooms are kept; answers come as calls of SharedBroker."""

    @property
    def offset(self) -> float:
        """What to add to this node's time to have the log's, in seconds."""

    def follow(self, name: bytes, born: bytes, at: int) -> None:
        """Bring what a log has after ``at`` and what comes to it; 0 with what it was saved as.

        ``born`` names the log if there is none yet; it is answered by `followed` or `lost`.
        """

    def append(self, name: bytes, born: bytes, at: int, record: bytes) -> None:
        """Put a record at the end; `lost` if the log is another, or does not reach to ``at``."""

    def check(self, name: bytes, born: bytes, at: int) -> None:
        """Keep a log, and bring what may have been missed after ``at``."""

    def save(self, name: bytes, born: bytes, at: int, saved: bytes) -> None:
        """Keep what a room is after ``at``, and nothing from before."""

    def leave(self, name: bytes, born: bytes, at: int, *, is_over: bool) -> None:
        """Follow a log no more; if it is over and still ends at ``at``, it may go."""
