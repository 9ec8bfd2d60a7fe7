"""Logs that are lists, and brokers on them without a network: what Redis does, and its faults."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from relay.broker.cipher import Cipher
from relay.broker.later import Later
from relay.broker.operation import NODE_BYTES, Node
from relay.broker.replica import Sealers
from relay.broker.shared import SharedBroker
from relay.broker.shared_log import Entry
from relay.errors import RefusedError
from relay.fanout import Fan, RoomChannel
from relay.ring import RingLimits
from relay.room import RoomLimits
from relay.tickets import Tickets

T = TypeVar("T")
SECRET = b"k" * 32
RING = RingLimits(frames=100, bytes=10**6, age_s=60.0, total_bytes=10**7)


@dataclass
class StoredLog:
    born: bytes
    head: int = 0
    entries: list[Entry] = field(default_factory=list)
    saved: tuple[int, bytes] | None = None
    followers: "list[ListLog]" = field(default_factory=list)


@dataclass
class Store:
    """Where the logs are; ``now`` is its clock."""

    now: float = 0.0
    logs: dict[bytes, StoredLog] = field(default_factory=dict)


class ListLog:
    """One node's way to the store (see SharedLog).

    Prompt, every answer has come when a call returns. Not prompt, calls and answers wait until
    ``pump`` takes the next of each kind, in the order of its kind.
    """

    def __init__(self, store: Store, *, is_prompt: bool = True) -> None:
        self.store = store
        self.broker: SharedBroker
        self.is_prompt = is_prompt
        self.is_cut = False
        self.calls: list[Callable[[], None]] = []
        self.news: list[Callable[[], None]] = []

    @property
    def offset(self) -> float:
        return 0.0

    def follow(self, name: bytes, born: bytes, at: int) -> None:
        self._call(lambda: self._follow(name, born, at))

    def append(self, name: bytes, born: bytes, at: int, record: bytes) -> None:
        self._call(lambda: self._append(name, born, at, record))

    def check(self, name: bytes, born: bytes, at: int) -> None:
        self._call(lambda: self._check(name, born, at))

    def save(self, name: bytes, born: bytes, at: int, saved: bytes) -> None:
        self._call(lambda: self._save(name, born, at, saved))

    def leave(self, name: bytes, born: bytes, at: int, *, is_over: bool) -> None:
        self._call(lambda: self._leave(name, born, at, is_over=is_over))

    def _call(self, call: Callable[[], None]) -> None:
        if self.is_prompt:
            call()
        else:
            self.calls.append(call)

    def _tell(self, news: Callable[[], None]) -> None:
        if self.is_cut:
            return
        if self.is_prompt:
            news()
        else:
            self.news.append(news)

    def _follow(self, name: bytes, born: bytes, at: int) -> None:
        found = self.store.logs.get(name)
        if at > 0 and (found is None or found.born != born or found.head < at):
            self._tell(lambda: self.broker.lost(name, self.store.now))
            return
        log = self.store.logs.setdefault(name, StoredLog(born))
        if self not in log.followers:
            log.followers.append(self)
        saved = log.saved if at == 0 else None
        start = saved[0] if saved else at
        entries = [entry for entry in log.entries if entry.number > start]
        args = name, log.born, log.head, saved[1] if saved else None, entries
        self._tell(lambda: self.broker.followed(*args, self.store.now))

    def _append(self, name: bytes, born: bytes, at: int, record: bytes) -> None:
        log = self.store.logs.get(name)
        if log is None or log.born != born or log.head < at:
            self._tell(lambda: self.broker.lost(name, self.store.now))
            return
        log.head += 1
        entry = Entry(log.head, self.store.now, record)
        log.entries.append(entry)
        for follower in list(log.followers):
            follower._news(name, born, entry)

    def _news(self, name: bytes, born: bytes, entry: Entry) -> None:
        self._tell(lambda: self.broker.reached(name, born, [entry], self.store.now))

    def _check(self, name: bytes, born: bytes, at: int) -> None:
        log = self.store.logs.get(name)
        if log is None or log.born != born or log.head < at:
            self._tell(lambda: self.broker.lost(name, self.store.now))
            return
        entries = [entry for entry in log.entries if entry.number > at]
        self._tell(lambda: self.broker.reached(name, born, entries, self.store.now))

    def _save(self, name: bytes, born: bytes, at: int, saved: bytes) -> None:
        log = self.store.logs.get(name)
        if log is not None and log.born == born and (log.saved is None or log.saved[0] < at):
            log.saved = at, saved
            log.entries = [entry for entry in log.entries if entry.number > at]

    def _leave(self, name: bytes, born: bytes, at: int, *, is_over: bool) -> None:
        log = self.store.logs.get(name)
        if log is None:
            return
        if self in log.followers:
            log.followers.remove(self)
        if is_over and log.born == born and log.head == at:
            del self.store.logs[name]


def new_sealers(tickets: Tickets) -> Sealers:
    return Sealers(
        ticket=lambda room, life, tag, generation: tickets.ticket(room, life, tag, generation, 0.0),
        mark=lambda room, life, fence, seq: tickets.mark(room, life, fence, seq, 0.0),
    )


def new_broker(
    log: ListLog, limits: RoomLimits, fan: Fan, number: int = 1, max_rooms: int = 3
) -> SharedBroker:
    broker = SharedBroker(
        limits,
        RING,
        max_rooms,
        new_sealers(Tickets(SECRET)),
        Cipher(SECRET, Node(number.to_bytes(NODE_BYTES, "big"))),
        lambda: RoomChannel(fan),
        log,
        0.0,
    )
    log.broker = broker
    broker.up()
    return broker


def outcome(later: "Later[T] | T") -> T:
    """Return what has come, or raise it."""
    if not isinstance(later, Later):
        return later
    came: list[Any] = []
    later.then(came.append)
    assert came, "nothing has come yet"
    if isinstance(came[0], RefusedError):
        raise came[0]
    return came[0]  # type: ignore[no-any-return]
