"""The memory broker against a naive model of PROTOCOL 4.2, 4.3, 4.5 and 7: the log of the life.

Every client must read that log: each number once and in order, but for what `gap` says.
"""

import itertools
import json
import os
import struct
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay import wire
from relay.broker.memory import MemoryBroker
from relay.errors import CloseCode, Reason, RefusedError
from relay.fanout import Fan, RoomChannel
from relay.ring import RingLimits
from relay.room import Draw
from relay.tickets import Ticket
from relay.wire import Commit, Offer, Reference
from tests.relay.broker.contract import COMMIT, INFO, LIMITS, ROOM, SEALED, FakePort

EXAMPLES = int(os.environ.get("BEACON_MACHINE_EXAMPLES", "30"))
SEATS, AWAY_S, JOIN_S = 3, 60, 15
RING = RingLimits(frames=12, bytes=4000, age_s=60.0, total_bytes=10**6)
WHO = st.integers(0, 7)
# How far a fence is behind the room's, how old a reference is (0 is a new one), and how many of
# the numbers that came were lost on their way to one who resumes (below 0: it claims too many).
BEHIND = st.sampled_from([0, 0, 0, 0, 1, 2, -1])
AGAIN = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 6])
KIND = st.sampled_from(["post", "post", "commit", "offer", "need", "confirm"])
BACK = st.sampled_from([0, 0, 1, 2, 3, 5, 8, 13, 30, -1, -3])


class Entry(NamedTuple):
    kind: str
    tag: int
    at: float
    reference: bytes = b""
    fence: int = 0


def fence_of(log: list[Entry]) -> int:
    return sum(entry.kind == "commit" for entry in log)


def roster(log: list[Entry]) -> list[list[int]]:
    """Return who has a seat and who of them is away."""
    last = {entry.tag: entry.kind for entry in log if not entry.reference}
    seats = sorted(tag for tag, kind in last.items() if kind != "left")
    return [seats, [tag for tag in seats if last[tag] == "away"]]


def first_kept(log: list[Entry], since: float) -> int:
    """Return the first number that the ring holds if what is of ``since`` or older was dropped."""
    sizes = {"post": 20 + len(SEALED), "commit": 20 + len(COMMIT)}
    size = 0
    for seq in range(len(log), 0, -1):
        entry = log[seq - 1]
        size += sizes.get(entry.kind) or len(
            f'{{"type":"","seq":{seq},"tag":"0x0000"}}{entry.kind}'
        )
        if len(log) - seq == RING.frames or size > RING.bytes or entry.at <= since:
            return seq + 1
    return 1


@dataclass(eq=False)
class Client:
    """Somebody in the room, over any number of connections; ``port`` and ``place`` are the last.

    ``shown`` is the generation that the connection has shown and not confirmed yet, ``owed`` the
    acks to come, ``turn`` when it first had the turn, ``counts`` when its time began anew.
    """

    port: FakePort
    place: Any = None
    tag: int = -1
    life: str = ""
    turn: int | None = None
    counts: int = 0
    log: list[Entry] = field(default_factory=list)
    seen: int = 0
    since: int = 0
    owed: list[tuple[bytes, int]] = field(default_factory=list)
    generation: int = 1
    shown: int | None = None
    lost: int | None = None
    answered: int = 0
    has_gap: bool = False
    before: Any = None

    def number(self, seq: int) -> Entry:
        assert seq == self.seen + 1, "each number once and in order"
        self.seen = seq
        return self.log[seq - 1]

    def read(self, now: int) -> None:
        got, self.port.got = self.port.got, []
        for message in got:
            if message[0] == wire.INFO:
                fence = int.from_bytes(message[1:9], "big")
                assert self.since or fence == fence_of(self.log), "what there is to join by"
                self.turn, self.counts = now if self.turn is None else self.turn, now
            elif message[0] == wire.FRAME:
                _, kind, tag, seq, fence = struct.unpack_from("!BBHQQ", message)
                name = "post" if kind == wire.APPLICATION_KIND else "commit"
                assert self.number(seq)[:2] == (name, tag)
                assert self.log[seq - 1].fence == fence
                mark = wire.serialize_mark(f"{self.life}.{fence + 1}.{seq}")
                assert name == "post" or seq <= self.answered or self.before == mark
                assert name == "commit" or tag != self.tag, "its own post comes as the ack"
            elif message[0] == wire.ACK:
                seq = int.from_bytes(message[9:17], "big")
                assert self.owed.pop(0) == (message[1:9], seq)
                assert seq <= self.seen or self.number(seq)[:2] == ("post", self.tag)
            else:
                self.text(json.loads(message))
            self.before = message

    def text(self, message: dict[str, Any]) -> None:
        kind, seq = message["type"], message.get("seq", 0)
        if "seats" in message:
            listed = [[int(tag, 16) for tag in message[key]] for key in ("seats", "away")]
            assert listed == roster(self.log[:seq])
        if kind in ("welcome", "reset"):
            assert not self.since, "nobody here has restored anything"
            self.life = message["life"]
            self.tag = int(message.get("tag", hex(self.tag)), 16)
        if kind in ("welcome", "reset", "resumed", "gap"):
            assert (seq, message["fence"]) == (len(self.log), fence_of(self.log))
        if kind == "gap":
            self.seen, self.owed, self.has_gap = seq, [], True
        if kind == "resumed":
            assert message["life"] == self.life
            self.answered = seq
        if "ticket" in message:
            generation = 1 if kind == "joined" else self.generation
            assert message["ticket"] == f"{self.life}.{self.tag}.{generation}"
        if kind in ("joined", "away", "back", "left"):
            assert self.number(seq)[:2] == (kind, int(message["tag"], 16))


class RoomMachine(RuleBasedStateMachine):
    """One room; rules pick who acts by a number, whoever is there to pick from."""

    @initialize(every=st.integers(1, 4), members=st.integers(0, 3), spread=st.integers(1, 5))
    def start(self, every: int, members: int, spread: int) -> None:
        self.now, self.steps, self.every = 0, 0, every
        self.soon, self.faults = list[Any](), list[Exception]()
        fan = Fan(self.soon.append, self.faults.append)
        drawn = itertools.count(1)
        draw = Draw(
            life=lambda: wire.Life(next(drawn).to_bytes(8, "big")),
            tag=lambda: wire.Tag(next(drawn) % spread),
            ticket=lambda _, life, tag, g: f"{wire._to_b64url(life)}.{tag}.{g}",
            mark=lambda _, life, fence, seq: f"{wire._to_b64url(life)}.{fence}.{seq}",
        )
        limits = replace(LIMITS, seats=SEATS)
        self.broker = MemoryBroker(limits, RING, 1, draw, lambda: RoomChannel(fan), 0.0)
        self.newcomers, self.members, self.gone = list[Client](), list[Client](), list[Client]()
        self.ghosts, self.used, self.lives = list[tuple[FakePort, Any]](), list[bytes](), set[str]()
        self.begin()
        for _ in range(members):
            self.enter(joins=True)

    def begin(self) -> None:
        """Begin a life: those who wait are told; if nobody does, it is the next one's."""
        self.life, self.log, self.away = "", list[Entry](), list[Client]()
        self.references, self.refusals = dict[bytes, int](), list[tuple[Client, int]]()
        self.issued = {client.tag for client in self.newcomers}
        for client in self.newcomers:
            client.log, client.counts = self.log, self.now
            client.read(self.now)
            assert client.life not in self.lives
            self.life = client.life
        assert all(client.life == self.life for client in self.newcomers)
        self.lives.add(self.life)

    @property
    def present(self) -> list[Client]:
        return [client for client in self.members if client.lost is None]

    def fence(self, behind: int = 0) -> int:
        return fence_of(self.log) - behind

    def reference(self, again: int) -> Reference:
        if not 0 < again <= len(self.used):
            self.used.append((len(self.used) + 1).to_bytes(8, "big"))
            again = 1
        return Reference(self.used[-again])

    def refused(self, client: Client, expected: Reason | None, call: Any, *arguments: Any) -> bool:
        """Call; tell whether it was refused, as it must. Whoever was refused lately goes first."""
        is_paced = any(at > self.now - 2 for other, at in self.refusals if other is not client)
        reason = fence = None
        try:
            call(*arguments, self.now)
        except RefusedError as error:
            reason, fence = error.reason, error.fence
        if reason in (Reason.STALE, Reason.PACE):
            self.refusals.append((client, self.now))
        may_pace = is_paced and expected is None and call.__name__ == "commit"
        assert reason is expected or (reason is Reason.PACE and may_pace)
        assert reason is not Reason.STALE or fence == self.fence()
        return reason is not None

    def order(self, kind: str, client: Client, reference: Reference) -> None:
        self.log.append(Entry(kind, client.tag, self.now, reference, fence_of(self.log)))
        self.references[reference] = len(self.log)
        client.owed.append((reference, len(self.log)))

    def cut(self, client: Client, seen: int) -> None:
        """Its connection is gone: it has read what was ordered until then, and reads no more."""
        client.read(self.now)
        assert (client.seen, client.owed) == (seen, [])
        self.ghosts.append((client.port, client.place))
        if not self.members and not self.newcomers:
            self.begin()

    def free(self, client: Client, at: float) -> None:
        self.members.remove(client)
        self.gone.append(client)
        self.log.append(Entry("left", client.tag, at))
        if not self.members:
            self.begin()

    @rule(joins=st.booleans())
    def enter(self, joins: bool) -> None:
        client = Client(FakePort(), log=self.log)
        busy = Reason.BUSY if len(self.newcomers) >= LIMITS.turns.unjoined else None
        expected = Reason.FULL if len(self.members) >= SEATS else busy

        def come(now: float) -> None:
            client.place = self.broker.enter(ROOM, client.port, now)

        if not self.refused(client, expected, come):
            client.read(self.now)
            assert client.life == self.life if self.life else client.life not in self.lives
            assert client.tag not in self.issued, "a tag is issued once in a life"
            self.life = client.life
            self.lives.add(client.life)
            self.issued.add(client.tag)
            self.newcomers.append(client)
            if joins:
                self.join(-1, 0, 0)

    @precondition(lambda self: self.newcomers)
    @rule(who=WHO, behind=BEHIND, again=AGAIN)
    def join(self, who: int, behind: int, again: int) -> None:
        client, seen = self.newcomers[who % len(self.newcomers)], len(self.log)
        commit = Commit(self.reference(again), self.fence(behind), COMMIT, INFO)
        expected = Reason.FULL if len(self.members) >= SEATS else None
        if client.turn is None or commit.reference in self.references:
            expected = Reason.STATE
        elif commit.fence != self.fence():
            expected, client.counts = Reason.STALE, self.now
        if self.refused(client, expected, client.place.commit, commit):
            client.place.inform(self.now)
            return
        self.newcomers.remove(client)
        self.members.append(client)
        self.order("commit", client, commit.reference)
        self.log.append(Entry("joined", client.tag, self.now))
        client.seen, client.since = seen, len(self.log)
        client.place.keep(client)

    @precondition(lambda self: self.present)
    @rule(kind=KIND, who=WHO, behind=BEHIND, again=AGAIN)
    def say(self, kind: str, who: int, behind: int, again: int) -> None:
        client = self.present[who % len(self.present)]
        client.place.confirm(self.now)
        client.shown, fence = None, self.fence(behind)
        reference = self.reference(again if kind != "offer" else 0)
        said: dict[str, tuple[Any, ...]] = {
            "post": (reference, fence, SEALED),
            "commit": (Commit(reference, fence, COMMIT, INFO),),
            "offer": (Offer(reference, fence, INFO),),
        }
        known = self.references.get(reference)
        is_good = kind not in said or known is not None or fence == self.fence()
        expected, call = None if is_good else Reason.STALE, getattr(client.place, kind)
        if not self.refused(client, expected, call, *said.get(kind, ())) and kind in said:
            if kind == "offer" or known is not None:
                client.owed.append((reference, known or len(self.log)))
            else:
                self.order(kind, client, reference)

    @precondition(lambda self: self.present or self.newcomers or self.ghosts)
    @rule(who=WHO, is_bye=st.booleans())
    def part(self, who: int, is_bye: bool) -> None:
        """Somebody goes; where the place is gone already, that does nothing."""
        ghosts = [Client(port, place) for port, place in self.ghosts[-2:]]
        whoever = self.present + self.newcomers + ghosts
        client = whoever[who % len(whoever)]
        (client.place.leave if is_bye else client.place.lost)(self.now)
        if client in self.newcomers:
            self.newcomers.remove(client)
            self.cut(client, 0)
        elif client in self.members:
            self.cut(client, len(self.log))
            if is_bye:
                self.free(client, self.now)
                return
            client.lost = self.now
            self.away.append(client)
            self.log.append(Entry("away", client.tag, self.now))

    @precondition(lambda self: self.newcomers)
    @rule()
    def all_leave(self) -> None:
        while self.present:
            self.part(0, is_bye=True)

    @precondition(lambda self: self.members or self.gone)
    @rule(who=WHO, back=BACK, older=st.sampled_from([0, 0, 0, 0, 1, 1, 2, -1]))
    def resume(self, who: int, back: int, older: int) -> None:
        whoever = self.away + self.present + self.gone[-2:]
        client = whoever[who % len(whoever)]
        shown, seen, port = client.generation - older, max(0, client.seen - back), FakePort()
        life = wire.Life(wire._from_b64url(client.life.encode()))
        ticket = Ticket(life, wire.Tag(client.tag), shown, 0)
        place = self.broker.resume(ROOM, ticket, None, seen, port, self.now)
        if client not in self.members or shown not in (client.generation, client.shown):
            assert (place, port.got) == (None, [])
            return
        client.generation, client.shown = max(client.generation, shown + 1), shown
        if client.lost is None:
            self.cut(client, len(self.log))
            assert client.port.ended is CloseCode.SUPERSEDED
        else:
            self.away.remove(client)
            client.lost = None
            self.log.append(Entry("back", client.tag, self.now))
        missed = list(enumerate(self.log, 1))[seen:]
        client.owed = [(e.reference, n) for n, e in missed if e.reference and e.tag == client.tag]
        client.port, client.place, client.has_gap, client.seen = port, place, False, seen
        client.read(self.now)
        assert (client.seen, client.owed, place.luggage) == (len(self.log), [], client)
        # What is of a minute ago may be there still.
        is_known = client.since <= seen <= len(self.log)
        if seen + 1 >= first_kept(self.log, self.now - RING.age_s) and is_known:
            assert not client.has_gap
        elif seen + 1 < first_kept(self.log, self.now - RING.age_s - 1.5) or not is_known:
            assert client.has_gap

    @rule(seconds=st.sampled_from([1, 1, 2, 2, 3, 4, 12, 16, 30, 57, 59, 60, 61]))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        # All that happens is of a whole second: nothing is due at this very moment.
        self.broker.expire(self.now - 0.5)
        for client in [c for c in self.newcomers if c.port.ended is not None]:
            assert client.port.ended is CloseCode.NOT_JOINED
            assert self.now >= (client.turn or 0) + JOIN_S - 1
            self.newcomers.remove(client)
            self.cut(client, 0)
        for client in [c for c in self.away if c.lost is not None and c.lost + AWAY_S < self.now]:
            self.away.remove(client)
            self.free(client, self.now - 0.5)

    @invariant()
    def agree(self) -> None:
        self.steps += 1
        is_due = self.steps % self.every == 0
        while is_due and self.soon:
            self.soon.pop(0)()
        assert not self.faults
        for client in self.newcomers + self.present:
            client.read(self.now)
            assert client.port.ended is None
            whole = len(self.log) if client.since else 0
            assert not is_due or (client.seen, client.owed) == (whole, [])
        assert not any(port.got for port, _ in self.ghosts)
        # Turns are given in the order of arrival, two at a time, and end.
        had = [client.turn is not None for client in self.newcomers]
        assert had == sorted(had, reverse=True)
        assert all(had[:2])
        assert all(self.now - c.counts <= JOIN_S + 2 for c in self.newcomers if c.turn is not None)
        assert roster(self.log) == [sorted(c.tag for c in cs) for cs in (self.members, self.away)]
        assert len(self.broker) == bool(self.members or self.newcomers)
        for room in (home.room for home in self.broker._homes.values()):
            assert (room.seq, room.fence) == (len(self.log), self.fence())
            ring, kept = room._ring, room._ring.since(0)
            assert [one[0] for one in kept] == list(range(room.seq - len(kept) + 1, room.seq + 1))
            assert all(one[1] > self.now - RING.age_s - 1.5 for one in kept)
            assert ring.size == sum(len(one[2]) for one in kept) == self.broker._rings.total
            assert (len(kept) <= RING.frames, ring.size <= RING.bytes) == (True, True)


TestRoomMachine = RoomMachine.TestCase
TestRoomMachine.pytestmark = [pytest.mark.timeout(max(120, EXAMPLES))]
TestRoomMachine.settings = settings(
    settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None, print_blob=True),
    derandomize="BEACON_MACHINE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
