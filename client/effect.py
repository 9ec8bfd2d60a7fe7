"""What the room core asks of its shell: frozen orders in a closed union.

The shell performs them in the order given, without letting other inputs come between.
"""

from dataclasses import dataclass

from client.errors import ClientError
from client.event import Event


@dataclass(frozen=True)
class Send:
    """Put one message on the connection: str as text, bytes as binary."""

    data: str | bytes


@dataclass(frozen=True)
class Emit:
    """Tell the program."""

    event: Event


@dataclass(frozen=True)
class Settle:
    """A post has its answer: its number in the log, or why it was not sent."""

    reference: bytes
    outcome: int | ClientError


@dataclass(frozen=True)
class Enter:
    """The room is entered; the program may go on."""


@dataclass(frozen=True)
class Reconnect:
    """Close this connection and make another, not before ``after_s`` if given."""

    after_s: float | None = None


@dataclass(frozen=True)
class Finish:
    """Close for good; every send still waiting fails with ``error``."""

    error: ClientError


Effect = Send | Emit | Settle | Enter | Reconnect | Finish
