"""A member that plays by hand: it has the link and a seat, and keeps no rule that it need not.

It is made of the client's own parts, so that all but the deviation is right.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from client import content, mls, seal, wire
from client.entry import Candidate, candidates
from client.errors import ClientError
from client.link import Keys, Tag
from client.mls.epoch import Epoch, Room
from client.mls.policy import KIND_GROUP_INFO, Binding
from client.seal import Kind
from tests.client.mls import forge
from tests.model import ModelRelay, ModelSession

Forged = tuple[bytes, Epoch]
# A GroupInfo that opens and says nothing.
GARBAGE = b"garbage" * 9


class Traitor:
    """One hostile stay; it follows the log honestly unless told otherwise."""

    def __init__(self, relay: ModelRelay, keys: Keys, identity: mls.Identity | None = None) -> None:
        self.relay, self.keys = relay, keys
        self.identity = identity or mls.Identity.generate()
        self.session: ModelSession | None = None
        self.tag = Tag("0x0000")
        self.fence = 0
        self.group: mls.Group | None = None
        self.info: wire.Info | None = None
        self.refusals: list[str] = []
        # What it could open, and the commit of its own that is on its way.
        self.heard: list[content.Content | content.Other] = []
        self.acked = 0
        self._staged: tuple[bytes, mls.Group | None] | None = None
        self._references = 0
        # Called with each GroupInfo that it may join by; None: the first that will do.
        self.enters_by: Callable[[list[Candidate]], Candidate] = lambda usable: usable[0]
        self.enters = True

    # The connection

    def connect(self) -> None:
        self.session = self.relay.connect()

    def leave(self) -> None:
        self.send(wire.BYE)
        self.session = self.group = None

    def send(self, data: str | bytes) -> None:
        assert self.session is not None
        self.relay.receive(self.session, data)

    def step(self) -> bool:
        """Take one message; say whether there was one."""
        if self.session is None or not self.session.inbox:
            return False
        data = self.session.inbox.popleft()
        if isinstance(data, str):
            self._on_text(json.loads(data))
        else:
            self._on_binary(wire.parse_binary(data))
        return True

    def _on_text(self, fields: dict[str, object]) -> None:
        match fields["type"]:
            case "challenge":
                proof = (self.keys.room_id, self.keys.access.key, bytes(64))
                self.send(wire.serialize_hello(*proof))
            case "welcome":
                self.tag, self.fence = Tag(str(fields["tag"])), int(str(fields["fence"]))
            case "refused":
                self.refusals.append(str(fields["reason"]))

    def _on_binary(self, frame: wire.BinaryFrame) -> None:
        match frame:
            case wire.Info():
                self.info = frame
                if self.group is None and self.enters and self._staged is None:
                    self.fence = frame.fence
                    self.rejoin()
            case wire.Ack():
                self.acked += 1
            case wire.Frame(kind=Kind.COMMIT):
                self._on_commit(frame)
            case wire.Frame():
                self._on_application(frame)

    def _on_commit(self, frame: wire.Frame) -> None:
        staged, self._staged = self._staged, None
        if frame.fence < self.fence:
            return
        self.fence = frame.fence + 1
        if staged is not None and staged[0] == frame.sealed:
            self.group = staged[1] or self.group
        elif self.group is not None:
            with contextlib.suppress(ClientError):
                self.group = self.group.follow(self.unseal(frame), frame.fence).group

    def _on_application(self, frame: wire.Frame) -> None:
        try:
            assert self.group is not None
            opened = self.group.decrypt(self.unseal(frame), frame.fence, frame.tag)
            self.heard.append(content.parse(opened.content))
        except ClientError:
            pass

    def unseal(self, frame: wire.Frame) -> bytes:
        kind = Kind(frame.kind)
        return seal.unseal(self.keys.seal, self.keys.room_id, kind, frame.fence, frame.sealed)

    def seal(self, kind: Kind, fence: int, data: bytes) -> bytes:
        return seal.seal(self.keys.seal, self.keys.room_id, kind, fence, data)

    # What it knows

    @property
    def me(self) -> int:
        assert self.group is not None
        return self.group.me.leaf

    def leaf(self, tag: str | None) -> int:
        """The leaf under a tag."""
        assert self.group is not None
        return next(member.leaf for member in self.group.members if member.tag == tag)

    def others(self) -> list[int]:
        assert self.group is not None
        return [member.leaf for member in self.group.members if member.leaf != self.me]

    # Commits

    def rejoin(self) -> None:
        """Join by what the relay showed last, in the place of our own leaf if there is one."""
        assert self.info is not None
        usable = candidates(self.keys, self.info)
        if usable:
            chosen = self.enters_by(usable).inspected
            staged = mls.join(chosen, self.identity, self.tag, self.keys.psk)
            self.commit(staged.commit, staged.group_info, staged.group)

    def remove(self, leaves: Sequence[int]) -> None:
        assert self.group is not None
        staged = self.group.commit(leaves, self.fence)
        self.commit(staged.commit, staged.group_info, staged.group)

    def commit(
        self, commit: bytes, group_info: bytes = GARBAGE, group: mls.Group | None = None
    ) -> None:
        """Have a commit ordered; stand in ``group`` after it, or where we stood."""
        sealed = self.seal(Kind.COMMIT, self.fence, commit)
        info = self.seal(Kind.GROUP_INFO, self.fence + 1, group_info)
        self._staged = (sealed, group)
        self.send(wire.serialize_commit(self._reference(), self.fence, sealed, info))

    def plan(self, removes: Sequence[int] = ()) -> forge.Plan:
        """The plan of a member's commit, for `forge.forge` to spoil."""
        assert self.group is not None
        return forge.member_plan(self.group, self.fence, removes)

    def newcomer_plan(
        self, chosen: mls.Inspected, tag: str = "0xffff", **options: object
    ) -> forge.Plan:
        """The plan of an external commit."""
        plan = forge.newcomer_plan(chosen, tag, **{"psk": self.keys.psk, **options})  # type: ignore[arg-type]
        return replace(plan, room=Room(self.keys.room_id, self.keys.psk))

    def inspected(self) -> mls.Inspected:
        """Our own epoch, as a newcomer would see it."""
        assert self.group is not None
        return mls.inspect(self.group.group_info(self.fence), self.keys.room_id, self.fence)

    def group_info(self, epoch: Epoch, fence: int, **options: object) -> bytes:
        """A GroupInfo with deviations (`forge.forge_group_info`), of whatever epoch."""
        binding = Binding(self.keys.room_id, KIND_GROUP_INFO, fence)
        return forge.forge_group_info(mls.Group(epoch), fence, binding=binding, **options)  # type: ignore[arg-type]

    def own_group(self, epoch: int | None = None) -> mls.Group:
        """A group that nobody else is in, at whatever epoch."""
        staged = mls.found(self.identity, self.tag, self.keys.psk, self.keys.room_id)
        if epoch is None:
            return staged.group
        return mls.Group(at_epoch(staged.group._epoch, epoch))

    # The rest

    def offer(self, group_info: bytes) -> None:
        sealed = self.seal(Kind.GROUP_INFO, self.fence, group_info)
        self.send(wire.serialize_offer(self._reference(), self.fence, sealed))

    def post(self, said: content.Content | bytes, *, group: mls.Group | None = None) -> bytes:
        """Say anything: a content, or the bytes of one; return what was sent."""
        data = said if isinstance(said, bytes) else content.serialize(said)
        group = group or self.group
        assert group is not None
        size = seal.size_class(len(data) + mls.CONTENT_OVERHEAD)
        return self.post_sealed(group.encrypt(data, self.fence, size))

    def post_sealed(self, message: bytes) -> bytes:
        sealed = self.seal(Kind.APPLICATION, self.fence, message)
        self.send(wire.serialize_post(self._reference(), self.fence, sealed))
        return sealed

    def skip_generations(self, count: int) -> None:
        """Use up keys without using them."""
        assert self.group is not None
        ratchet = self.group._ratchets.ratchet(self.me)
        for _ in range(count):
            _, ratchet = ratchet.advanced()
        self.group._ratchets.commit(self.me, ratchet)

    def _reference(self) -> bytes:
        self._references += 1
        return bytes.fromhex(self.tag[2:]) + self._references.to_bytes(6, "big")


def at_epoch(epoch: Epoch, number: int) -> Epoch:
    """The same epoch under another number: a line of its own, good for whoever joins by it."""
    context = replace(epoch.context, epoch=number)
    return replace(epoch, outside=replace(epoch.outside, context=context))


def head(kind: str, counter: int, base: int, **fields: object) -> bytes:
    """A content in the one spelling, whatever it says."""
    said = {"type": kind, "counter": counter, "base": base, **fields}
    spelt = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    return len(spelt).to_bytes(2, "big") + spelt
