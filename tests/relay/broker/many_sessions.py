"""Sessions on several nodes: what they must read, and what it would be without nodes."""

import json
import struct
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from relay import wire
from relay.broker import operation as op
from relay.broker.memory import Home, MemoryBroker
from relay.broker.operation import Node, Visit
from relay.broker.replica import Seeded
from relay.errors import CloseCode, RefusedError
from relay.fanout import Fan, RoomChannel
from relay.limits import Rate
from relay.room import Draw
from relay.tickets import Ticket, Tickets
from relay.turn import TurnLimits
from tests.relay.broker.contract import LIMITS, ROOM, FakePort
from tests.relay.broker.one_cluster import History, Process
from tests.relay.broker.one_log import RING, SECRET, new_sealers

ROOM_LIMITS = replace(
    LIMITS,
    seats=4,
    away_s=8.0,
    turns=TurnLimits(unjoined=4, turn_s=2.0, join_s=6.0),
    commits=Rate(2.0, 6),
)


class Bag:
    def pack(self, now: float) -> tuple[float, ...]:
        return (now, 1.0)


@dataclass(eq=False)
class Client:
    """One session: its connection to one node, from its hello or resume to its end."""

    process: Process
    visit: Visit
    port: FakePort
    place: Any = None
    is_here: bool = True
    asked: list[Any] = field(default_factory=list)
    life: str = ""
    tag: int = -1
    seen: int | None = None
    ticket: str = ""
    got: list[bytes] = field(default_factory=list)

    @property
    def is_waiting(self) -> bool:
        return bool(self.asked) and not self.asked[-1].came

    @property
    def is_ready(self) -> bool:
        is_open = self.is_here and self.port.ended is None
        return is_open and self.place is not None and not self.is_waiting

    @property
    def is_over(self) -> bool:
        return not self.is_here or self.port.ended is not None


@dataclass(eq=False)
class Asked:
    """What a session has asked for, and what came of it."""

    key: tuple[Node, int]
    came: list[Any] = field(default_factory=list)


class Readers:
    """What stands under each number of each life: the same for everybody who reads it."""

    def __init__(self) -> None:
        self.frames: dict[tuple[str, int], bytes] = {}
        self.entries: dict[tuple[str, int], tuple[str, int]] = {}
        self.ordered: dict[tuple[str, bytes], int] = {}
        self.fences: dict[tuple[str, int], int] = {}

    def read(self, client: Client) -> None:
        got, client.port.got = client.port.got, []
        client.got += got
        for message in got:
            if message[0] == wire.FRAME:
                self.frame(client, message)
            elif message[0] == wire.ACK:
                self.ack(client, message[1:9], int.from_bytes(message[9:17], "big"))
            elif message[0] != wire.INFO:
                self.text(client, json.loads(message))

    def frame(self, client: Client, message: bytes) -> None:
        _, kind, tag, seq, fence = struct.unpack_from("!BBHQQ", message)
        assert self.frames.setdefault((client.life, seq), message) == message
        self.number(client, seq, "post" if kind == wire.APPLICATION_KIND else "commit", tag)
        if kind == wire.APPLICATION_KIND:
            self.order(client.life, message[20:28], seq)
        else:
            assert self.fences.setdefault((client.life, fence), seq) == seq

    def ack(self, client: Client, reference: bytes, seq: int) -> None:
        if seq > (client.seen or 0):
            self.number(client, seq, "post", client.tag)
            self.order(client.life, reference, seq)

    def order(self, life: str, reference: bytes, seq: int) -> None:
        assert self.ordered.setdefault((life, reference), seq) == seq

    def number(self, client: Client, seq: int, kind: str, tag: int) -> None:
        """Each number once and in order, and the same under it for everybody."""
        assert client.seen is None or seq == client.seen + 1
        assert self.entries.setdefault((client.life, seq), (kind, tag)) == (kind, tag)
        client.seen = seq

    def text(self, client: Client, message: dict[str, Any]) -> None:
        kind, seq = message["type"], message.get("seq", 0)
        client.ticket = message.get("ticket", client.ticket)
        if kind in ("welcome", "resumed"):
            client.tag = int(message["tag"], 16)
        if kind in ("welcome", "resumed", "reset"):
            client.life = message["life"]
        if kind == "gap" or (kind == "reset" and client.seen is not None):
            client.seen = seq
        if kind in ("joined", "away", "back", "left"):
            self.number(client, seq, kind, int(message["tag"], 16))


def opened(message: bytes) -> Any:
    """Return a message with what was sealed in it, which is sealed otherwise by everybody."""
    if message[:1] != b"{":
        return message
    text, tickets = json.loads(message), Tickets(SECRET)
    if "ticket" in text:
        text["ticket"] = tickets.open_ticket(text["ticket"], ROOM)
    if text.get("mark"):
        text["mark"] = tickets.open_mark(text["mark"], ROOM, 0.0)
    return text


class Naive(MemoryBroker):
    """A log done where there is nothing between: what each port reads, and what is refused."""

    def __init__(self, clients: list[Client], history: History) -> None:
        self.history = history
        self.clients = {client.visit: client for client in clients}
        self.outcomes = {
            asked.key: asked.came[0]
            for client in self.clients.values()
            for asked in client.asked
            if asked.came
        }
        self.soon: list[Any] = []
        self.seeded, sealers = Seeded(), new_sealers(Tickets(SECRET))
        self.seeded.begin(history.born)
        draw = Draw(self.seeded.life, self.seeded.tag, sealers.ticket, sealers.mark)
        fan = Fan(self.soon.append, lambda exc: pytest.fail(repr(exc)))
        super().__init__(ROOM_LIMITS, RING, 1, draw, lambda: RoomChannel(fan), 0.0)
        self.home = self._homes[ROOM] = self._open(ROOM)
        self.ports: dict[Visit, FakePort] = {}
        self.places: dict[Visit, Any] = {}

    def settle(self, home: Home) -> None:
        """Forget nothing: that is for the nodes to find out."""

    def run(self) -> None:
        done = set[Visit]()
        for step in self.history.steps[1:]:
            assert step.node is not None
            assert step.operation is not None
            self.seeded.begin(getattr(step.operation, "seed", b""))
            key, refusal = Visit(step.node, step.number), None
            if key in done:
                # Sent twice by a node that has followed twice.
                continue
            done.add(key)
            try:
                self.do(key, step.operation, step.moment)
            except RefusedError as error:
                refusal = error
            came = self.outcomes.get(key)
            if not (isinstance(came, RefusedError) and came.close_code is CloseCode.ROOMS):
                assert key not in self.outcomes or repr(came) == repr(refusal or came)
                assert isinstance(came, RefusedError) == (refusal is not None)
        while self.soon:
            self.soon.pop(0)()
        for visit, port in self.ports.items():
            client = self.clients[visit]
            got, expected = [opened(m) for m in client.got], [opened(m) for m in port.got]
            assert got == (expected if client.is_here else expected[: len(got)])
            assert not client.is_here or client.port.ended is port.ended

    def do(self, key: Visit, operation: op.Operation, now: float) -> None:
        if isinstance(operation, op.Enter | op.Resume):
            self.home.perform(self.home.room.expire(now))
        match operation:
            case op.Enter():
                self.ports[key] = FakePort()
                self.places[key] = self.enter(ROOM, self.ports[key], now)
            case op.Resume(_, tag, life, generation, fence, seen):
                self.ports[key] = FakePort()
                ticket = Ticket(life, tag, generation, 0)
                self.places[key] = self.resume(ROOM, ticket, fence, seen, self.ports[key], now)
            case op.Expire():
                self.home.perform(self.home.room.expire(now))
            case op.Gone(_, node):
                # It had the room before, in a log that went when the last one left; or it had told
                # whoever wanted to come in to try again, not knowing that this was done.
                here = [visit for visit, place in self.places.items() if self.is_in(place)]
                for visit in here:
                    if visit.node == node:
                        assert isinstance(self.outcomes[visit], RefusedError)
                        self.places[visit].lost(now)
            case _:
                place = self.places.get(Visit(key.node, operation.visit))
                if self.is_in(place):
                    self.visit(place, operation, now)

    def is_in(self, place: Any) -> bool:
        return place is not None and self.home.places.get(place._tag) is place

    def visit(self, place: Any, operation: Any, now: float) -> None:
        match operation:
            case op.Post(_, _, reference, fence, sealed):
                place.post(reference, fence, sealed, now)
            case op.TakeCommit():
                try:
                    place.commit(operation.message, now)
                except RefusedError as refusal:
                    if refusal.fence is not None:
                        place.inform(now)
                    raise
            case op.TakeOffer():
                place.offer(operation.message, now)
            case op.Need():
                place.need(now)
            case op.Confirm():
                place.confirm(now)
            case op.Leave():
                place.leave(now)
            case op.Lost():
                place.lost(now)
            case _:
                pytest.fail("no other is of a visitor")
