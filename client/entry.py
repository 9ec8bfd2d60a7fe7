"""How a client gets into a group: choose a GroupInfo, found or join, and stage the commit.

Knows what may be trusted of the GroupInfos that a relay shows (R11 to R15, R25); nothing of
connections, time or what is said in the room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from client import mls, seal
from client.errors import AuthenticationError, CommitRefusedError, FrameError
from client.link import Keys, Tag
from client.seal import Kind
from client.wire import Info, serialize_commit
from client.words import verification_words


@dataclass(frozen=True)
class StagedCommit:
    """Our own commit on its way; it counts only once its bytes are seen in the log (R15)."""

    reference: bytes
    fence: int
    sealed: bytes
    message: bytes
    group: mls.Group


@dataclass(frozen=True)
class Line:
    """The epoch that a stranded member may rejoin, by what needs no secret (R12)."""

    confirmed_transcript_hash: bytes
    tree_hash: bytes
    confirmation_tag: bytes


@dataclass(frozen=True)
class Candidate:
    """A GroupInfo that opened and stood every check."""

    inspected: mls.Inspected

    @property
    def words(self) -> tuple[str, ...]:
        """The six words of the epoch that it describes (PROTOCOL 9.1)."""
        return verification_words(self.inspected.words_context)


def candidates(keys: Keys, info: Info, line: Line | None = None) -> list[Candidate]:
    """Return the usable ones of ``info``, in its order; all others are worth nothing.

    With ``line`` only those of the very epoch that a stranding commit led to.
    """
    usable = []
    for entry in info.entries:
        try:
            plain = seal.unseal(keys.seal, keys.room_id, Kind.GROUP_INFO, info.fence, entry)
            inspected = mls.inspect(plain, keys.room_id, info.fence)
        except (AuthenticationError, CommitRefusedError, FrameError):
            continue
        found = Line(
            inspected.confirmed_transcript_hash,
            inspected.tree_hash,
            inspected.outside.confirmation_tag,
        )
        if line is None or found == line:
            usable.append(Candidate(inspected))
    return usable


def stage_founding(keys: Keys, identity: mls.Identity, tag: Tag, reference: bytes) -> StagedCommit:
    """Begin the group of an empty room (R9)."""
    return _stage(keys, mls.found(identity, tag, keys.psk, keys.room_id), 0, reference)


def stage_join(
    keys: Keys,
    identity: mls.Identity,
    tag: Tag,
    chosen: Candidate,
    reference: bytes,
) -> StagedCommit:
    """Join, or rejoin in place of our own old leaf; raise StateError for a tag in use (R4)."""
    staged = mls.join(chosen.inspected, identity, tag, keys.psk)
    return _stage(keys, staged, chosen.inspected.binding.fence, reference)


def stage_commit(
    keys: Keys, group: mls.Group, removes: Sequence[int], fence: int, reference: bytes
) -> StagedCommit:
    """Commit the Remove of ``removes``, or nothing but fresh keys."""
    return _stage(keys, group.commit(removes, fence), fence, reference)


def seal_group_info(keys: Keys, group: mls.Group, fence: int) -> bytes:
    """Return the sealed GroupInfo of the present epoch, bound to the present fence (R25)."""
    return seal.seal(keys.seal, keys.room_id, Kind.GROUP_INFO, fence, group.group_info(fence))


def _stage(keys: Keys, staged: mls.Staged, fence: int, reference: bytes) -> StagedCommit:
    sealed = seal.seal(keys.seal, keys.room_id, Kind.COMMIT, fence, staged.commit)
    group_info = seal.seal(keys.seal, keys.room_id, Kind.GROUP_INFO, fence + 1, staged.group_info)
    message = serialize_commit(reference, fence, sealed, group_info)
    return StagedCommit(reference, fence, sealed, message, staged.group)
