"""The relay's real core in one process, without a socket: Session, MemoryBroker, lists, given time.

What websocket.Socket does around a Session stands here once more, in lists; nothing else is copied.
A restart is another Core: with the same ticket key, or with one of its own.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from relay.broker import Place, Port
from relay.broker.memory import Home, MemoryBroker
from relay.config import RelayConfig
from relay.errors import AuthenticationError, CloseCode, RefusedError
from relay.limits import Bucket, Rate
from relay.returns import Returns
from relay.ring import RingLimits
from relay.room import Draw, RoomLimits
from relay.session import (
    Confirm,
    Effect,
    End,
    Enter,
    Forward,
    Ignored,
    Inform,
    Reply,
    Return,
    Session,
    SessionLimits,
    State,
)
from relay.tickets import Tickets
from relay.turn import TurnLimits
from relay.wheel import TURN_S
from relay.wire import Commit, Life, Need, Offer, Post, Resume, Tag

HOST = "127.0.0.1:8000"
# The connection was cut, and nobody said why.
CUT = 1006
# Wall time at moment 0 of the stage.
EPOCH_S = 1_700_000_000.0


class ListChannel:
    """A broker.Channel that hands everything over at once."""

    def __init__(self) -> None:
        self._ports: dict[Tag, Port] = {}
        self._seated: dict[Tag, Port] = {}

    def attach(self, tag: Tag, port: Port) -> None:
        self._ports[tag] = port

    def seat(self, tag: Tag) -> None:
        if tag in self._ports:
            self._seated[tag] = self._ports[tag]

    def detach(self, tag: Tag) -> None:
        self._ports.pop(tag, None)
        self._seated.pop(tag, None)

    def send(self, tag: Tag, message: bytes) -> None:
        if tag in self._ports:
            self._ports[tag].deliver(message)

    def publish(self, message: bytes, origin: Tag | None, own: tuple[bytes, ...]) -> None:
        for tag, port in list(self._seated.items()):
            for each in own if tag == origin else (message,):
                port.deliver(each)

    def close(self, tag: Tag, code: CloseCode) -> None:
        port = self._ports.get(tag)
        self.detach(tag)
        if port is not None:
            port.end(code)


@dataclass(eq=False)
class Connection:
    """One connection: ``inbox`` is what its peer has yet to read, ``code`` how it was closed."""

    core: "Core"
    session: Session
    place: Place | None = None
    inbox: deque[bytes] = field(default_factory=deque)
    code: int | None = None

    def deliver(self, message: bytes) -> None:
        if self.code is None:
            self.inbox.append(message)

    def replay(self, messages: list[bytes]) -> None:
        self.inbox.extend(messages)

    def end(self, code: CloseCode) -> None:
        if code is CloseCode.SUPERSEDED:
            self.place = None
        self.retire(is_leaving=code is CloseCode.NORMAL)
        self.code = int(code)

    def retire(self, *, is_leaving: bool) -> None:
        """Give the place back, once."""
        self.session.lost()
        place, self.place = self.place, None
        if place is not None and is_leaving:
            place.leave(self.core.now)
        elif place is not None:
            place.lost(self.core.now)


class Core:
    """One life of a relay's process. ``key`` None: its tickets are worth nothing to the next.

    Nothing but functions and values in it, so that `copy.deepcopy` is a second relay.
    """

    def __init__(
        self,
        now: float,
        key: bytes | None = None,
        config: RelayConfig | None = None,
        wall: Callable[[], float] = lambda: EPOCH_S,
    ) -> None:
        self.config = config = config or RelayConfig()
        self.now = now
        self.key = key
        self.wall = wall
        self.connections: list[Connection] = []
        self._tickets = tickets = Tickets(key)
        self._returns = Returns(tickets, wall, now + config.restore_for)
        self.broker = MemoryBroker(
            RoomLimits(
                seats=config.room_seats,
                away_s=config.away_for,
                turns=TurnLimits(config.room_unjoined, config.turn_timeout, config.join_timeout),
                commits=_interval(config.room_commit_interval, config.room_commit_burst),
                message_rate=Rate(config.message_rate, config.message_burst),
            ),
            RingLimits(
                config.ring_frames, config.ring_bytes, config.ring_age, config.ring_total_bytes
            ),
            config.max_rooms,
            Draw(
                life=lambda: Life(secrets.token_bytes(8)),
                tag=lambda: Tag(int.from_bytes(secrets.token_bytes(2), "big")),
                ticket=lambda room, life, tag, generation: tickets.ticket(
                    room, life, tag, generation, wall()
                ),
                mark=lambda room, life, fence, seq: tickets.mark(room, life, fence, seq, wall()),
            ),
            ListChannel,
            now,
        )

    def restarted(self, now: float, *, keeps_key: bool) -> "Core":
        """Die, with every connection; return the process that comes after."""
        for connection in self.connections:
            connection.place = None
            connection.session.lost()
            connection.code = CUT
        self.connections = []
        key = self.key if keeps_key else secrets.token_bytes(32)
        return Core(now, key, self.config, self.wall)

    @property
    def home(self) -> Home | None:
        """The one room, if it is there: what a relay that misbehaves reaches into."""
        return next(iter(self.broker._homes.values()), None)

    def connect(self, now: float) -> Connection:
        """Take a connection; the relay speaks first."""
        self.now = now
        config = self.config
        limits = SessionLimits(
            messages=Rate(config.message_rate, config.message_burst),
            commits=_interval(config.commit_interval, config.commit_burst),
            max_commit_bytes=config.max_commit_bytes,
            hello_s=config.hello_timeout,
        )
        source = Bucket(Rate(config.source_message_rate, config.source_message_burst))
        nonce = secrets.token_bytes(32)
        connection = Connection(self, Session(limits, source, (HOST,), nonce, now))
        self.connections.append(connection)
        self._perform(connection, connection.session.opened())
        return connection

    def receive(self, connection: Connection, data: str | bytes, now: float) -> None:
        """Take one message of a client."""
        self.now = now
        if connection.code is not None:
            return
        session, place = connection.session, connection.place
        if isinstance(data, str):
            effects = session.text(data.encode(), now)
        else:
            effects = session.binary(data, 0 if place is None else place.fence, now)
        self._perform(connection, effects)

    def drop(self, connection: Connection, now: float) -> None:
        """Note that a connection is lost."""
        self.now = now
        if connection in self.connections:
            self.connections.remove(connection)
        connection.retire(is_leaving=False)
        connection.code = connection.code or CUT

    def expire(self, now: float) -> None:
        """Do what time has brought."""
        self.now = now
        self.broker.expire(now)
        for connection in list(self.connections):
            if connection.code is None:
                self._perform(connection, connection.session.expire(now))
        self.connections = [c for c in self.connections if c.code is None]

    def deadline(self) -> float | None:
        """Return when `expire` has something to do."""
        times = [turn * TURN_S for turn in self.broker._wheel._turns]
        times += [
            at
            for connection in self.connections
            if (at := connection.session.deadline()) is not None
        ]
        return min(times, default=None)

    def _perform(self, connection: Connection, effects: list[Effect]) -> None:
        queue, session = deque(effects), connection.session
        while queue:
            match queue.popleft():
                case Reply(message):
                    if connection.place is None:
                        connection.deliver(message)
                    else:
                        connection.place.send(message)
                case Enter(room):
                    try:
                        connection.place = self.broker.enter(room, connection, self.now)
                    except RefusedError as refusal:
                        queue.extend(session.refused(refusal, None))
                    else:
                        session.entered()
                case Return(message):
                    queue.extend(self._return(connection, message))
                case Confirm():
                    if connection.place is not None:
                        connection.place.confirm(self.now)
                case Forward(message):
                    queue.extend(self._forward(connection, message))
                case Inform():
                    if connection.place is not None:
                        connection.place.inform(self.now)
                case Ignored():
                    pass
                case End(code):
                    connection.end(code)
                case unreachable:
                    assert_never(unreachable)

    def _return(self, connection: Connection, message: Resume) -> list[Effect]:
        room, session = message.hello.room, connection.session
        try:
            ticket, fence = self._returns.open(message, self.now)
            place = self.broker.resume(room, ticket, fence, message.seq, connection, self.now)
        except AuthenticationError:
            place = None
        except RefusedError as refusal:
            return session.refused(refusal, None)
        if place is None:
            return [Enter(room)]
        connection.place = place
        session.resumed(place.luggage, self.now)
        place.keep(session.allowance)
        return []

    def _forward(
        self, connection: Connection, message: Post | Commit | Offer | Need
    ) -> list[Effect]:
        place, session, now = connection.place, connection.session, self.now
        assert place is not None
        try:
            match message:
                case Post(reference, fence, sealed):
                    place.post(reference, fence, sealed, now)
                case Commit():
                    place.commit(message, now)
                    if session.state is State.UNJOINED:
                        place.keep(session.allowance)
                    session.committed(now)
                case Offer():
                    place.offer(message, now)
                case Need():
                    place.need(now)
        except RefusedError as refusal:
            reference = None if isinstance(message, Need) else message.reference
            return session.refused(refusal, reference)
        session.accepted()
        return []


def _interval(seconds: float, burst: int) -> Rate:
    return Rate(1.0 / seconds if seconds else 0.0, burst)
