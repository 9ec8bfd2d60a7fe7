"""Every error that client code raises, split by who is at fault; no other module defines one.

Messages are for a person's eyes and never quote keys, links, texts or bytes that came from outside.
"""


class ClientError(Exception):
    """Base of everything that this package raises on purpose."""


class UsageError(ClientError):
    """Our caller passed something that cannot work; nothing was sent or changed."""


class LinkError(UsageError):
    """The link is malformed, or names a relay that must not be used; get a fresh one."""


class FrameError(ClientError):
    """The relay or a peer sent bytes that PROTOCOL does not allow; nothing has changed."""


class StateError(ClientError):
    """Something arrived, or was asked for, that the present state has no place for."""


class LimitError(ClientError):
    """A limit was met; ``retry_after_s`` says when to try again, None when trying is no use."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AuthenticationError(ClientError):
    """A key, tag, signature or padding does not fit. One message for all causes, on purpose."""

    def __init__(self) -> None:
        super().__init__("authentication failed")


class ForeignError(AuthenticationError):
    """Not of this epoch, though its seal is genuine: its sender is on another line of epochs."""


class CommitRefusedError(ClientError):
    """A public check failed: every member refuses this commit alike and keeps its epoch (R12).

    ``check`` names the failed check, for tests and for a person; it is never sent.
    """

    def __init__(self, check: str) -> None:
        super().__init__(f"commit refused: {check}")
        self.check = check


class StrandedError(ClientError):
    """The public checks passed, a private one did not: others may have followed (R12).

    The two hashes and the tag are those of the epoch that this member could not enter; only a
    GroupInfo that bears all three may be used to rejoin.
    """

    def __init__(
        self, confirmed_transcript_hash: bytes, tree_hash: bytes, confirmation_tag: bytes
    ) -> None:
        super().__init__("stranded by a commit")
        self.confirmed_transcript_hash = confirmed_transcript_hash
        self.tree_hash = tree_hash
        self.confirmation_tag = confirmation_tag


class RemovedError(ClientError):
    """A valid commit removed this member's leaf; it may rejoin with the link."""


class RefusedError(ClientError):
    """The relay refused; ``reason`` is PROTOCOL's word for why (section 5).

    Besides those: ``unusable`` (R25), ``refusals`` (too many in a row), ``forbidden`` and
    ``no_relay`` (what answers at that address is not a relay, or not one for us).
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"the relay refused: {reason}")
        self.reason = reason
        self.retry_after_s = retry_after_s


class HeldError(ClientError):
    """Somebody entered after this was sent and before it went out: send again to tell them too."""


class VerificationError(ClientError):
    """The room's words differ from those expected: someone may stand in between."""


class TransportError(ClientError):
    """The relay cannot be reached, or the connection ended; nobody need be at fault.

    ``retry_after_s`` is what the relay asked for, None where it asked for nothing.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
