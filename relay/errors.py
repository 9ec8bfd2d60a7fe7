"""Close codes, reasons of refusal and the relay's errors, split by culprit.

Knows what goes on the wire when something is wrong; never holds what the peer sent.
"""

from enum import IntEnum, StrEnum


class CloseCode(IntEnum):
    """WebSocket close codes (PROTOCOL 4.4): 4000 to 4499 come back, 4500 to 4999 do not."""

    NORMAL = 1000
    PROTOCOL = 1002
    NOT_UTF8 = 1007
    FLOOD = 1008
    TOO_LONG = 1009
    FAULT = 1011
    RESTART = 1012
    ROOMS = 1013
    NO_HELLO = 4000
    NOT_JOINED = 4001
    BUSY = 4010
    REFUSALS = 4500
    PROOF = 4502
    FULL = 4503
    SUPERSEDED = 4504


class Reason(StrEnum):
    """Why something was refused (PROTOCOL 5)."""

    VERSION = "version"
    PROOF = "proof"
    FULL = "full"
    BUSY = "busy"
    RATE = "rate"
    PACE = "pace"
    SIZE = "size"
    STALE = "stale"
    STATE = "state"
    MALFORMED = "malformed"


class RelayError(Exception):
    """Base of everything that the relay raises on purpose."""


class ConfigError(RelayError):
    """The operator's fault: the settings make no sense; the text says which one."""


class ListenError(RelayError):
    """Nobody's fault: the address to listen on cannot be had; the text says why."""


class BrokerError(RelayError):
    """The operator's fault, or the broker's: it cannot be used; the text says why."""


class PageError(RelayError):
    """The operator's fault, or the file system's: the page cannot be had; the text says why."""


class FrameError(RelayError):
    """The peer broke a WebSocket rule; the connection closes with ``close_code``."""

    def __init__(self, close_code: CloseCode) -> None:
        super().__init__(close_code.name)
        self.close_code = close_code


class HeadError(RelayError):
    """The peer sent a request head that is not served; it is answered with ``status``."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class MessageError(RelayError):
    """The peer sent something that is not a message of this protocol; it may go on."""


class AuthenticationError(RelayError):
    """The peer did not prove the link; which check failed is nobody's business."""


class RefusedError(RelayError):
    """The peer may not do this now: ``reason`` says why, and what it may do next."""

    def __init__(
        self,
        reason: Reason,
        *,
        retry_after_s: float | None = None,
        fence: int | None = None,
        close_code: CloseCode | None = None,
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.fence = fence
        self.close_code = close_code
