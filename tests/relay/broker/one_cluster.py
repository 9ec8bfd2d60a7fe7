"""Several nodes on one store of logs, whose calls and answers are taken one at a time."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgpack

from relay import snapshot
from relay.broker import operation as op
from relay.broker.cipher import Cipher
from relay.broker.operation import NODE_BYTES, Node, Operation, Visit
from relay.broker.replica import Done, Replica
from relay.errors import AuthenticationError
from relay.fanout import Fan
from relay.ring import Rings
from relay.room import Room, RoomLimits
from relay.tickets import Tickets
from relay.wire import RoomId, Tag
from tests.relay.broker.one_log import RING, SECRET, ListLog, Store, new_broker, new_sealers

_RING, _MARK = (2 + snapshot._SLOTS[Room].index(slot) for slot in ("_ring", "_mark"))


class KeptStore(Store):
    """A store that remembers every record of every log that it ever had."""

    def __init__(self) -> None:
        super().__init__()
        self.past: dict[tuple[bytes, bytes], list[Any]] = {}


class TappedLog(ListLog):
    """Its news may be lost; what is put into a log is remembered."""

    store: KeptStore

    def __init__(self, store: Store, *, is_prompt: bool = False) -> None:
        super().__init__(store, is_prompt=is_prompt)
        self.losable: list[Any] = []

    def _append(self, name: bytes, born: bytes, at: int, record: bytes) -> None:
        log = self.store.logs.get(name)
        before = 0 if log is None else log.head
        super()._append(name, born, at, record)
        if log is not None and log.head > before:
            self.store.past.setdefault((name, born), []).append(log.entries[-1])

    def _news(self, name: bytes, born: bytes, entry: Any) -> None:
        super()._news(name, born, entry)
        if self.news:
            self.losable.append(self.news[-1])

    def lose(self) -> None:
        """Let the next of its news never arrive."""
        found = next((news for news in self.news if news in self.losable), None)
        if found is not None:
            self.news.remove(found)

    def end(self, arrived: int) -> None:
        """Break the line: of what was said so much has arrived, and nothing is answered."""
        self.is_cut = True
        for call in self.calls[:arrived]:
            call()
        self.calls.clear()
        self.news.clear()
        for log in self.store.logs.values():
            if self in log.followers:
                log.followers.remove(self)


class Process:
    """One start of one node."""

    def __init__(self, store: Store, limits: RoomLimits, number: int) -> None:
        self.log = TappedLog(store)
        self.soon: list[Any] = []
        self.faults: list[Exception] = []
        self.fan = Fan(self.soon.append, self.faults.append)
        self.broker = new_broker(self.log, limits, self.fan, number)

    @property
    def node(self) -> Node:
        return self.broker.node

    @property
    def last(self) -> tuple[Node, int]:
        """What its last operation is known by in the log."""
        return self.node, self.broker._cipher._number

    def flush(self) -> None:
        while self.soon:
            self.soon.pop(0)()
        assert not self.faults

    def call(self, *, is_doubled: bool = False) -> bool:
        """Let the next call arrive, or an append of it twice."""
        if not self.log.calls or self.log.is_cut:
            return False
        call = self.log.calls.pop(0)
        call()
        if is_doubled and "_append" in call.__code__.co_names:
            call()
        return True

    def hear(self) -> bool:
        """Take the next answer, or the next of the news."""
        if not self.log.news:
            return False
        self.log.news.pop(0)()
        self.flush()
        return True

    def pump(self) -> bool:
        """Do all that is there to be done; tell whether there was anything."""
        for count in itertools.count():
            assert count < 2000, "it comes to an end"
            if not (self.call() or self.hear()):
                return count > 0


@dataclass
class Step:
    """What one record of a log did."""

    moment: float
    node: Node | None
    number: int
    operation: Operation | None
    done: Done | None
    state: bytes
    kept: list[Any]


@dataclass
class History:
    """A log done from its beginning by nobody's node."""

    room_id: RoomId
    name: bytes
    born: bytes
    limits: RoomLimits
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        sealers = new_sealers(Tickets(SECRET))
        self.replica = Replica(self.room_id, self.limits, Rings(RING), sealers, self.born)
        self._cipher = Cipher(SECRET, Node(bytes(NODE_BYTES)))
        state, kept = shape(self.replica)
        self.steps.append(Step(0.0, None, 0, None, None, state, kept))

    def extend(self, entries: list[Any]) -> None:
        """Do what has come since."""
        for entry in entries[len(self.steps) - 1 :]:
            try:
                node, number, plain = self._cipher.open(self.name + self.born, entry.record)
                operation = op.parse(plain)
            except AuthenticationError:
                self.replica.skip()
                step = Step(entry.moment, None, 0, None, None, *shape(self.replica))
            else:
                done = self.replica.apply(node, number, operation, entry.moment)
                after = shape(self.replica)
                step = Step(entry.moment, node, number, operation, done, *after)
            self.steps.append(step)

    @property
    def visits(self) -> dict[Tag, Visit]:
        return self.replica.visits


def shape(replica: Replica) -> tuple[bytes, list[Any]]:
    """Return all of a replica but its ring, and that.

    The ring grows old by each node's own clock: of two, one is the end of the other. The mark is
    sealed by each node for itself.
    """
    at, visits, heard, room = replica.dump()
    kept = room[_RING][2:]
    room[_RING] = room[_MARK] = None
    return bytes(msgpack.packb([at, visits, heard, room])), kept[0][1:]
