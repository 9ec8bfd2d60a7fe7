"""Client Rooms joined to a relay through lists: no sockets, no sleeps, time by hand."""

import hashlib
import itertools
from dataclasses import dataclass, field

from client.effect import Effect, Emit, Enter, Finish, Reconnect, Send, Settle
from client.errors import ClientError
from client.event import Event, Message
from client.link import Link
from client.room import Room
from client.stay import Phase
from tests import rooms
from tests.model import ModelRelay, ModelSession

LINK = Link("http", "127.0.0.1:8000", bytes(range(32)))


@dataclass
class Client:
    """One Room, its connection if it has one, and all that it ever told."""

    room: Room
    session: ModelSession | None = None
    events: list[Event] = field(default_factory=list)
    settled: dict[bytes, int | ClientError] = field(default_factory=dict)
    entered: int = 0
    finished: ClientError | None = None
    wants_connection: bool = True
    reconnects: int = 0

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message)]

    def notices(self) -> list[str]:
        return [event.code for event in self.events if type(event).__name__ == "Notice"]


class Stage:
    """A relay and its clients. ``settle`` moves everything until nobody has anything to say."""

    def __init__(self, link: Link = LINK, *, seed: bytes = b"") -> None:
        self.link = link
        self.now = 1000.0
        self.relay = ModelRelay(link.keys())
        self.clients: list[Client] = []
        self._seed = seed
        self._drawn = itertools.count()

    def draw(self, length: int) -> bytes:
        """Random-looking, the same in every run."""
        number = next(self._drawn).to_bytes(8, "big")
        return hashlib.shake_256(self._seed + number).digest(length)

    def client(self, **options: object) -> Client:
        """A client that wants to come in."""
        client = Client(rooms.make(self.link, self.draw, **options))
        self.clients.append(client)
        return client

    def join(self, count: int = 1, **options: object) -> list[Client]:
        """That many clients that came in one after another."""
        clients = []
        for _ in range(count):
            clients.append(self.client(**options))
            self.settle()
        return clients

    def perform(self, client: Client, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(data=data):
                    if client.session in self.relay.sessions:
                        assert client.session is not None
                        self.relay.receive(client.session, data)
                case Emit(event=event):
                    client.events.append(event)
                case Settle(reference=reference, outcome=outcome):
                    assert reference not in client.settled
                    client.settled[reference] = outcome
                case Enter():
                    client.entered += 1
                case Reconnect():
                    client.reconnects += 1
                    self.cut(client)
                case Finish(error=error):
                    client.finished = error
                    client.wants_connection = False
                    self.cut(client, away=False)

    def cut(self, client: Client, *, away: bool = True) -> None:
        """The connection is lost, for the relay and then for the client."""
        session, client.session = client.session, None
        if session in self.relay.sessions:
            assert session is not None
            self.relay.drop(session, away=away)
        if session is not None and client.room.phase is not Phase.CLOSED:
            self.perform(client, client.room.lost(self.now))

    def leave(self, client: Client) -> None:
        client.wants_connection = False
        self.perform(client, client.room.leave(self.now))
        client.session = None

    def say(self, client: Client, text: str, *, strict: bool = False) -> bytes:
        reference, effects = client.room.say(text, self.now, strict=strict)
        self.perform(client, effects)
        return reference

    def deliver(self, client: Client, data: str | bytes) -> None:
        """Hand one message to a client, whoever wrote it."""
        self.perform(client, client.room.received(data, self.now))

    def step(self) -> bool:
        """Move one message to each client that has one; say whether anything happened."""
        moved = False
        for client in self.clients:
            if client.session is None and client.wants_connection:
                client.session = self.relay.connect()
                self.perform(client, client.room.connected(self.now))
                moved = True
            if client.session is not None and client.session.inbox:
                self.deliver(client, client.session.inbox.popleft())
                moved = True
        return moved

    def settle(self) -> None:
        """Move messages until all is quiet; time stands still."""
        for _ in range(100_000):
            if not self.step():
                return
        raise AssertionError("it never gets quiet")

    def wait(self, seconds: float) -> None:
        """Let time pass, waking every client when it wants it."""
        end = self.now + seconds
        for _ in range(100_000):
            self.settle()
            times = [
                at
                for client in self.clients
                if client.finished is None and client.room.phase is not Phase.CLOSED
                if (at := client.room.deadline(self.now)) is not None and at <= end
            ]
            if not times:
                self.now = end
                return
            self.now = max(self.now, min(times))
            for client in self.clients:
                at = client.room.deadline(self.now)
                if at is not None and at <= self.now:
                    self.perform(client, client.room.tick(self.now))
        raise AssertionError("somebody wants to be woken again and again")
