"""A client's Room at a table with a relay that does what a script says, and one honest member.

Rooms are copied from a few that stand, so that every run begins the same. Nothing that the relay
says may make the client fail, send what a relay cannot read, or show what nobody has said.
"""

import functools
import pickle
from dataclasses import dataclass, field
from typing import assert_never

from client import content, mls, seal
from client.content import Repair, Text
from client.effect import Effect, Emit, Enter, Finish, Reconnect, Send, Settle
from client.errors import FrameError
from client.event import Message, NickChanged
from client.link import FORGOTTEN
from client.room import Room
from client.seal import Kind
from client.stay import Phase
from relay import proof
from relay import wire as relay
from relay.errors import MessageError
from relay.wire import Bye, Hello, Need, Resume
from tests.fuzz.scene import Draw, drawing
from tests.pair import LINK, Client, Stage

MAX_COMMIT_BYTES = 131_072
# What one input may lead to: all that waits to be said, and some more.
MAX_EFFECTS = 1200
MAX_WAKES = 400
NONCE = bytes(32)
KEYS = LINK.keys()
START_S = 1000.0


@dataclass
class Table:
    """The client, the other member's group, and what has passed between them."""

    room: Room
    other: mls.Group | None
    other_tag: str
    now: float = START_S
    sent: list[str | bytes] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    waiting: set[bytes] = field(default_factory=set)
    posted: set[bytes] = field(default_factory=set)
    settled: set[bytes] = field(default_factory=set)

    # Inputs

    def receive(self, data: str | bytes) -> None:
        """Let the relay say something."""
        phase, place = self.room.phase, (self.room.life, self.room.fence)
        effects = self.room.received(data, self.now)
        if phase in (Phase.OFFLINE, Phase.CLOSED):
            assert effects == [], "an answer to nobody"
        after = (self.room.life, self.room.fence)
        if {phase, self.room.phase} <= {Phase.JOINED, Phase.STRANDED} and place[0] == after[0]:
            assert place[1] <= after[1], "a fence that goes down was followed (R15)"
        self.perform(effects)

    def pass_time(self, seconds: float) -> None:
        """Wake the client whenever it wants it, and see that it is not awake all the time."""
        end = self.now + seconds
        for _ in range(MAX_WAKES):
            at = self.room.deadline(self.now)
            if at is None or at > end:
                self.now = end
                return
            self.now = max(self.now, at)
            for _ in range(8):
                self.perform(self.room.tick(self.now))
                again = self.room.deadline(self.now)
                if again is None or again > self.now:
                    break
            else:
                raise AssertionError("it is never done with a moment")
        raise AssertionError("it wants to be woken again and again")

    def perform(self, effects: list[Effect]) -> None:
        """Look at everything that the client orders."""
        assert len(effects) <= MAX_EFFECTS
        is_cut = False
        for effect in effects:
            match effect:
                case Send(data):
                    self._judge(data)
                    self.sent.append(data)
                case Emit(Message(text=text)):
                    assert text in self.said, "what nobody has said"
                case Emit(NickChanged(nick=nick)):
                    assert content.check_nick(nick or "") == nick
                case Emit():
                    pass
                case Settle(reference):
                    assert reference not in self.settled, "settled twice"
                    assert reference in self.waiting | self.posted, "never asked"
                    self.settled.add(reference)
                case Finish():
                    assert self.room.phase is Phase.CLOSED
                    is_cut = True
                case Reconnect(after_s):
                    assert after_s is None or after_s >= 0
                    is_cut = True
                case Enter():
                    pass
                case unreachable:
                    assert_never(unreachable)
        if is_cut and self.room.phase is not Phase.CLOSED:
            # The shell closes what it is told to close.
            self.perform(self.room.lost(self.now))

    def check(self) -> None:
        """See that nothing has grown beyond its bound."""
        talk = self.room._talk
        assert len(talk._ledger._senders) <= 512
        for sender in talk._ledger._senders.values():
            assert max(len(sender.held), len(sender.digests)) <= 65
            assert len(sender.horizons) <= 64
        assert len(talk.kept) <= 64
        assert len(self.room._membership.stray._foreign) <= 512
        assert len(self.room._roster._nicks) <= 1024

    def leave(self) -> None:
        """Say goodbye: then there is nothing more to say, and no key."""
        self.perform(self.room.leave(self.now))
        stay = self.room._stay
        assert stay.keys is FORGOTTEN
        assert stay.group is None
        assert self.room.deadline(self.now) is None
        assert self.room.tick(self.now) == self.room.connected(self.now) == []

    def _judge(self, data: str | bytes) -> None:
        """See that a relay can read what the client sends."""
        assert self.room.phase is not Phase.OFFLINE, "a word without a connection"
        try:
            if isinstance(data, bytes):
                message = relay.parse_binary(data)
                assert relay.has_size(message, MAX_COMMIT_BYTES)
                self.posted.add(message.reference)
                return
            text = relay.parse_text(data.encode())
        except MessageError as error:
            raise AssertionError("what the relay cannot read") from error
        match text:
            case Hello() as hello:
                proof.verify(hello, (LINK.host,), NONCE)
            case Resume(hello):
                proof.verify(hello, (LINK.host,), NONCE)
            case Need() | Bye():
                pass
            case _:
                raise AssertionError("what the relay does not know")

    # What others make

    def sealed(self, kind: Kind, fence: int, plain: bytes) -> bytes:
        """Seal anything as somebody with the link can."""
        with drawing(Draw(b"seal")):
            return seal.seal(KEYS.seal, KEYS.room_id, kind, fence, plain)

    def message(self, fence: int, data: bytes) -> bytes | None:
        """Say a content, whatever it is, as the other member."""
        if self.other is None or len(data) > 4096 - mls.CONTENT_OVERHEAD:
            return None
        self.said |= texts_in(data)
        size = seal.size_class(len(data) + mls.CONTENT_OVERHEAD)
        with drawing(Draw(b"message" + len(self.sent).to_bytes(4, "big"))):
            return self.other.encrypt(data, fence, size)


def texts_in(data: bytes) -> set[str]:
    """Return the texts that a content says, its own and those that it repairs."""
    try:
        said = content.parse(data)
    except FrameError:
        return set()
    if isinstance(said, Text):
        return {said.text}
    if isinstance(said, Repair):
        return set().union(*(texts_in(part) for _, part in said.parts))
    return set()


@functools.cache
def _frozen(form: int) -> bytes:
    """A client before its first connection; alone in a room; with another, who came second."""
    with drawing(Draw(b"table")):
        stage = Stage(LINK)
        stage.now = START_S
        first = _client(stage, b"first")
        other: mls.Group | None = None
        tag = "0x0000"
        if form == 0:
            room = Room(LINK, Draw(b"fresh"))
        else:
            stage.settle()
            room = first.room
        if form == 2:
            second = _client(stage, b"second")
            stage.settle()
            stage.wait(3.0)
            other, tag = second.room.group, str(second.room.tag)
            assert room.phase is second.room.phase is Phase.JOINED
        return pickle.dumps(Table(room, other, tag, stage.now))


def _client(stage: Stage, seed: bytes) -> Client:
    client = Client(Room(stage.link, Draw(seed)))
    stage.clients.append(client)
    return client


def laid(form: int) -> Table:
    """Return a table of one of three forms, as it is at the beginning."""
    table: Table = pickle.loads(_frozen(form))
    return table
