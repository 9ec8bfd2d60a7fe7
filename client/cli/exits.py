"""Exit codes, and what is said of an error to the person at the terminal.

Knows every error of the library by its class; knows no command.
"""

from enum import IntEnum

from client.errors import (
    ClientError,
    HeldError,
    LimitError,
    RefusedError,
    TransportError,
    UsageError,
    VerificationError,
)


class Exit(IntEnum):
    """What the process tells the shell; 1 is left for faults of our own."""

    OK = 0
    FAULT = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    UNVERIFIED = 5
    TIMED_OUT = 6
    # As the shell has it for a process that a signal ended: 128 and its number.
    INTERRUPTED = 130
    TERMINATED = 143


TABLE = """\
exit codes:
  0 ok    2 usage    3 relay unreachable    4 refused
  5 verification failed    6 timed out    130 interrupted"""

_REASONS = {
    "busy": "too many people are trying to enter this room at once; try again in a moment",
    "forbidden": "the relay does not serve us",
    "full": "the room is full",
    "no_relay": "what answers at that address is not a Beacon relay",
    "proof": "the relay did not accept the proof of this link",
    "rate": "the relay says that this is too fast",
    "refusals": "the relay refused too many requests in a row and closed the connection",
    "superseded": "your seat was taken over by another connection of yours",
    "unusable": "the relay holds no usable description of the room; try again in a moment",
    "version": "the relay speaks another version of the protocol",
}


def exit_of(error: ClientError) -> Exit:
    """Return the exit code that stands for an error."""
    match error:
        case UsageError():
            return Exit.USAGE
        case TransportError():
            return Exit.UNREACHABLE
        case VerificationError():
            return Exit.UNVERIFIED
        case RefusedError() | LimitError() | HeldError():
            return Exit.REFUSED
        case _:
            return Exit.FAULT


def explain(error: ClientError) -> str:
    """Say an error in a sentence for a person."""
    if isinstance(error, RefusedError):
        return _REASONS.get(error.reason, str(error))
    return str(error)
