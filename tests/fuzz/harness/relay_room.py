"""Any script of clients -> one log that all who are seated read alike, no fault, nothing left over.

Each number of a life comes to each seat once, in order, and says the same to everybody; fences grow
by commits alone; seats, rings and references stay within their bounds; an empty relay is empty.
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field

from client.wire import (
    Ack,
    Away,
    Back,
    Frame,
    Gap,
    Info,
    Joined,
    Left,
    Mark,
    Reset,
    Resumed,
    Welcome,
)
from relay import frame, room, wire
from tests.fuzz.hub import LINKS, Floor, Message, Peer, client_frame
from tests.fuzz.script import Script

MAX_PEERS, MAX_STEPS = 8, 96
SEATS, RING_FRAMES = 8, 100
SIZES = (284, 540, 1052, 284, 1, 2076)
INFOS = (1052, 1052, 2076, 28)


@dataclass
class Reader:
    """What one peer knows of its room: where it is, and what it may be told next.

    ``fence`` is None where it is not known yet; ``target`` is where a replay leads (seq, fence).
    """

    peer: Peer
    life: bytes = b""
    seq: int = 0
    fence: int | None = None
    tag: str = ""
    ticket: str = ""
    mark: str = ""
    is_seated: bool = False
    target: tuple[int, int] | None = None
    must_skip: bool = False


@dataclass
class Play:
    """A relay, its peers, and the log of each life as anybody was told it."""

    floor: Floor = field(default_factory=Floor)
    readers: list[Reader] = field(default_factory=list)
    logs: dict[bytes, dict[int, object]] = field(default_factory=lambda: defaultdict(dict))
    references: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def read(self) -> None:
        for reader in self.readers:
            for message in reader.peer.read():
                self._tell(reader, message)
            if reader.peer.raw.transport.aborted:
                reader.peer.lose()

    def _tell(self, reader: Reader, message: Message) -> None:
        match message:
            case Welcome():
                assert not reader.is_seated
                reader.life, reader.tag = message.life, message.tag
                reader.seq, reader.fence = message.seq, message.fence
            case Resumed():
                self._resumed(reader, message)
            case Mark(mark):
                reader.mark = mark
            case Reset(life, seq, fence):
                assert not reader.is_seated or (life, seq) == (reader.life, reader.seq)
                assert life != reader.life or reader.fence is None or fence >= reader.fence
                reader.life, reader.seq, reader.fence = life, seq, fence
            case Gap(seq, fence, seats, away):
                assert reader.target == (seq, fence), "a gap that ends elsewhere"
                assert set(away) <= set(seats)
                assert reader.tag in seats
                reader.seq, reader.fence, reader.must_skip = seq, fence, False
            case Frame(kind, tag, seq, fence, sealed):
                self._number(reader, seq, (int(kind), tag, fence, sealed))
                assert reader.fence in (None, fence), "a frame of another fence"
                reader.fence = fence + (kind == wire.COMMIT_KIND)
            case Joined() if message.ticket is not None:
                self._joined(reader, message)
            case Joined() | Away() | Back() | Left():
                self._number(reader, message.seq, (type(message).__name__, message.tag))
            case Ack(_, seq):
                if seq > reader.seq:
                    self._number(reader, seq, None)
            case Info(fence):
                assert fence > 0 or not message.entries
                if not reader.is_seated:
                    reader.fence = fence
            case _:
                pass
        self._caught_up(reader)

    def _number(self, reader: Reader, seq: int, said: object) -> None:
        if not reader.is_seated:
            # The commit by which one joins is the first that it sees of the log.
            assert isinstance(said, tuple)
            assert said[:2] == (wire.COMMIT_KIND, reader.tag), "of the log, to one without a seat"
            reader.is_seated, reader.seq, reader.fence = True, seq - 1, None
        assert seq == reader.seq + 1, "each number once and in order"
        reader.seq = seq
        if said is not None:
            known = self.logs[reader.life].setdefault(seq, said)
            assert known == said, "one number, two things"

    def _joined(self, reader: Reader, joined: Joined) -> None:
        assert joined.tag == reader.tag
        assert joined.seats is not None
        assert joined.away is not None
        assert joined.tag in joined.seats
        assert len(joined.seats) <= SEATS
        assert set(joined.away) < set(joined.seats)
        self._number(reader, joined.seq, ("Joined", joined.tag))
        assert joined.ticket is not None
        reader.ticket = joined.ticket

    def _resumed(self, reader: Reader, resumed: Resumed) -> None:
        assert not reader.is_seated
        assert reader.tag == resumed.tag, "a seat of another"
        reader.is_seated, reader.ticket = True, resumed.ticket
        reader.target = (resumed.seq, resumed.fence)
        reader.must_skip = reader.life != resumed.life or reader.seq > resumed.seq
        if reader.life != resumed.life:
            reader.life, reader.seq = resumed.life, 0

    def _caught_up(self, reader: Reader) -> None:
        if reader.target is None or reader.must_skip or reader.seq < reader.target[0]:
            return
        if reader.seq == reader.target[0]:
            assert reader.fence in (None, reader.target[1]), "a replay that left a commit out"
            reader.fence = reader.target[1]
        reader.target = None


def run(data: bytes) -> None:
    script, play = Script(data), Play()
    for _ in range(MAX_STEPS):
        if script.is_over:
            break
        _step(play, script)
        play.read()
        _check(play)
    play.floor.end()


def _check(play: Play) -> None:
    broker = play.floor.world.broker
    assert play.floor.world.faults == []
    assert broker._rings.total == sum(home.room._ring.size for home in broker._homes.values())
    for home in broker._homes.values():
        here: room.Room = home.room
        assert not here.is_empty, "a room that nobody is in"
        assert len(here._seats) <= SEATS
        assert len(here._turns) <= SEATS
        assert len(here._ring) <= RING_FRAMES
        assert len(here._references) <= room.MAX_REFERENCES
        assert len(here._offers) <= room.MAX_OFFERS
        present = set(here._seats.tags) - set(here._seats.away)
        assert set(home.places) == present | set(here._turns.tags), "a place of nobody"
        assert here._wanting <= set(home.places), "somebody who is gone wants something"


def _step(play: Play, script: Script) -> None:
    choice, who = script.byte() % 16, script.byte()
    if choice == 0 or not play.readers:
        if sum(not reader.peer.is_over for reader in play.readers) < MAX_PEERS:
            play.readers.append(Reader(play.floor.connect(LINKS[who % 8 == 7])))
        return
    reader = play.readers[who % len(play.readers)]
    peer = reader.peer
    match choice:
        case 1:
            if not peer.said_hello:
                peer.hello()
        case 2 | 3:
            peer.binary(_commit(play, reader, script.byte()))
        case 4 | 5:
            peer.binary(_post(play, reader, script.byte()))
        case 6:
            info = bytes([who]) * INFOS[script.byte() % len(INFOS)]
            head = (wire.OFFER, _reference(play, who), _fence(reader, who >> 2))
            peer.binary(wire.POST_HEADER.pack(*head) + info)
        case 7:
            peer.text(b'{"type":"need"}')
        case 8:
            peer.text(b'{"type":"bye"}')
        case 9:
            peer.lose()
        case 10:
            _resume(play, reader, script.byte())
        case 11:
            play.floor.world.advance(script.byte() / 8)
        case 12:
            (peer.text if who & 128 else peer.binary)(script.take(script.byte()))
        case 13:
            peer.send(script.take(script.byte()))
        case 14:
            _stall(peer, script.byte())
        case _:
            _fragments(play, reader, script.byte())


def _reference(play: Play, form: int) -> bytes:
    """Return a fresh reference, or one that was used lately."""
    number = next(play.references)
    back = (0, 0, 0, 0, 0, 1, 2, 5)[form >> 5]
    return max(1, number - back).to_bytes(8, "big")


def _fence(reader: Reader, form: int) -> int:
    return max(0, (reader.fence or 0) + (0, 0, 0, 0, 0, 0, -1, 1)[form % 8])


def _commit(play: Play, reader: Reader, form: int) -> bytes:
    sealed = bytes([form]) * INFOS[(form >> 3) % len(INFOS)]
    head = (wire.COMMIT, _reference(play, form), _fence(reader, form), len(sealed))
    return wire._COMMIT_HEADER.pack(*head) + sealed + bytes([form ^ 255]) * 1052


def _post(play: Play, reader: Reader, form: int) -> bytes:
    head = (wire.POST, _reference(play, form), _fence(reader, form))
    return wire.POST_HEADER.pack(*head) + bytes([form]) * SIZES[(form >> 3) % len(SIZES)]


def _resume(play: Play, former: Reader, form: int) -> None:
    """Come back by somebody's ticket, having seen what it saw last, or less, or more."""
    if not former.ticket or sum(not one.peer.is_over for one in play.readers) >= MAX_PEERS:
        return
    peer = play.floor.connect(former.peer.link)
    seen = max(0, former.seq - (0, 0, 0, 1, 2, 5, 30, -3)[form % 8])
    reader = Reader(peer, former.life, seen, None, former.tag, mark=former.mark)
    play.readers.append(reader)
    ticket = former.ticket if form & 0x78 else former.ticket[:-1] + "A"
    peer.resume(ticket, former.mark or "none", seen)


def _stall(peer: Peer, form: int) -> None:
    """Take nothing but so many bytes any more, or take what was held back."""
    transport = peer.raw.transport
    if form & 1:
        transport.room = 16 * form
    elif not transport.aborted:
        transport.room = 1 << 30
        if transport.held:
            transport.drain(64 * form)


def _fragments(play: Play, reader: Reader, form: int) -> None:
    """Send a post in pieces, with a ping in between."""
    message = _post(play, reader, form & 0x1F)
    at = 1 + 2 * form % (len(message) - 1)
    reader.peer.send(client_frame(frame.BINARY, message[:at]))
    reader.peer.send(client_frame(frame.FIN | frame.PING, message[: form % 8]))
    if form & 0x80:
        reader.peer.send(client_frame(frame.CONTINUATION, b""))
    reader.peer.send(client_frame(frame.FIN | frame.CONTINUATION, message[at:]))
