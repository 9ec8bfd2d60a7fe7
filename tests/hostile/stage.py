"""Client Rooms joined to the relay's real core through lists: no sockets, no sleeps, time by hand.

What session.RoomSession does around a Room stands here once more: effects, backoff, close codes.
"""

import contextlib
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from client.effect import Effect, Emit, Enter, Finish, Reconnect, Send, Settle
from client.errors import ClientError, RefusedError
from client.event import Event, Message, Missing, Notice
from client.link import Link, Tag
from client.room import Room
from client.stay import Phase
from client.transport import Backoff
from relay.config import RelayConfig
from tests import rooms
from tests.hostile.core import EPOCH_S, HOST, Connection, Core

LINK = Link("http", HOST, bytes(range(32)))
# From here on a close code means: do not come back (PROTOCOL 4.4).
FINAL_CODE = 4500
# Messages in a row without time passing; more is a loop.
MAX_MOVES = 50_000


@contextlib.contextmanager
def seeded(seed: str) -> Iterator[random.Random]:
    """Draw all randomness of client and relay from one seed, so that a run can be had again."""
    drawn, real = random.Random(seed), secrets.token_bytes
    secrets.token_bytes = lambda n=None: drawn.randbytes(32 if n is None else n)  # type: ignore[assignment]
    rooms.seed(seed)
    try:
        yield random.Random(f"{seed} choices")
    finally:
        secrets.token_bytes = real


@dataclass(frozen=True)
class Said:
    """A text that `say` accepted: whose, as its how many-th, and under which reference."""

    text: str
    speaker: "Client"
    number: int
    reference: bytes
    at: float


@dataclass(eq=False)
class Client:
    """One Room, its connection if it has one, and all that it ever told."""

    room: Room
    name: str
    key: bytes
    backoff: Backoff
    connection: Connection | None = None
    next_at: float = 0.0
    order: Reconnect | Finish | None = None
    events: list[Event] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    settled: dict[bytes, int | ClientError] = field(default_factory=dict)
    tags: set[Tag] = field(default_factory=set)
    entered: int = 0
    connections: int = 0
    finished: ClientError | None = None
    has_left: bool = False

    @property
    def is_here(self) -> bool:
        """Whether it has not ended, one way or another."""
        return self.finished is None and not self.has_left

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message)]

    @property
    def missing(self) -> int:
        return sum(event.count for event in self.events if isinstance(event, Missing))

    @property
    def notices(self) -> Counter[str]:
        return Counter(event.code for event in self.events if isinstance(event, Notice))

    def __repr__(self) -> str:
        room = self.room
        group = None if room.group is None else (room.group.epoch, len(room.group.members))
        return f"<{self.name} {room.tag} {room.phase.name} fence {room.fence} group {group}>"


class Stage:
    """A relay and its clients. ``settle`` moves everything until nobody has anything to say."""

    def __init__(
        self, *, key: bytes | None = bytes(32), config: RelayConfig | None = None, link: Link = LINK
    ) -> None:
        self.link = link
        self.now = 1000.0
        self.core = Core(self.now, key, config, lambda: EPOCH_S + self.now)
        self.clients: list[Client] = []
        # Every text that anybody's `say` took, and by whom a post may be opened that bore it.
        self.said: dict[str, Said] = {}
        self.audience: dict[str, set[bytes]] = {}
        # Everything that anybody ever posted, and who did.
        self.posts: dict[bytes, Client] = {}

    # Acts of people

    def client(self, **options: object) -> Client:
        """A client that wants to come in."""
        room = rooms.make(self.link, secrets.token_bytes, **options)
        draw = random.Random(len(self.clients)).random
        key = room._stay.identity.signature_key
        client = Client(room, f"client {len(self.clients)}", key, Backoff(draw))
        self.clients.append(client)
        return client

    def join(self, count: int = 1, **options: object) -> list[Client]:
        """That many clients that came in one after another."""
        clients = []
        for _ in range(count):
            clients.append(self.client(**options))
            self.settle()
        return clients

    def say(self, client: Client, text: str | None = None) -> Said:
        """Say something that nobody has said yet."""
        text = f"text {len(self.said)} of {client.name}" if text is None else text
        assert text not in self.said
        reference, effects = client.room.say(text, self.now)
        said = Said(text, client, len(client.said), reference, self.now)
        client.said.append(said)
        self.said[text] = said
        self.audience[text] = set()
        self.perform(client, effects)
        return said

    def leave(self, client: Client) -> None:
        client.has_left = True
        self.perform(client, client.room.leave(self.now))
        self._disconnect(client)

    def cut(self, client: Client) -> None:
        """The connection is lost, for the relay and then for the client."""
        if client.connection is not None:
            self._disconnect(client)
            self.perform(client, client.room.lost(self.now))
            self._pause(client)

    def restart(self, *, keeps_key: bool) -> None:
        """The relay is killed and started again."""
        self.core = self.core.restarted(self.now, keeps_key=keeps_key)
        for client in self.clients:
            self.cut(client)

    # The way between

    def perform(self, client: Client, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(data=data):
                    self._note_post(client, data)
                    if client.connection is not None:
                        self.carry(client, data)
                case Emit(event=event):
                    client.events.append(event)
                    self.told(client, event)
                case Settle(reference=reference, outcome=outcome):
                    self.answered(client, reference, outcome)
                    client.settled[reference] = outcome
                case Enter():
                    client.entered += 1
                    client.backoff.reset()
                case Reconnect() | Finish():
                    if client.order is None or isinstance(effect, Finish):
                        client.order = effect
                    self._disconnect(client)
        if client.room.tag is not None:
            client.tags.add(client.room.tag)
        if client.order is not None and not client.has_left:
            self._obey(client)

    def carry(self, client: Client, data: str | bytes) -> None:
        """Bring one message of a client to the relay; a hostile one does as it likes."""
        assert client.connection is not None
        client.connection.core.receive(client.connection, data, self.now)

    def told(self, client: Client, event: Event) -> None:
        """A Room told its program something; checks look at it here."""

    def answered(self, client: Client, reference: bytes, outcome: int | ClientError) -> None:
        """Nothing is answered twice."""
        assert reference not in client.settled, f"{client} was answered twice: {outcome!r}"

    def deliver(self, client: Client, data: str | bytes) -> None:
        """Hand one message to a client, whoever wrote it."""
        if isinstance(data, bytes) and data[:1] == b"{":
            data = data.decode()
        self.perform(client, client.room.received(data, self.now))

    def connect(self, client: Client) -> Connection:
        """Open a connection; a hostile relay chooses where it ends."""
        return self.core.connect(self.now)

    def step(self) -> bool:
        """Move one message to each client that has one; say whether anything happened."""
        moved = False
        for client in self.clients:
            moved |= self.move(client)
        return moved

    def move(self, client: Client) -> bool:
        """Connect a client that wants it, or move one message to it; say whether it was so."""
        if not client.is_here:
            return False
        connection = client.connection
        if connection is None:
            if client.next_at > self.now:
                return False
            client.connection = self.connect(client)
            client.connections += 1
            self.perform(client, client.room.connected(self.now))
            return True
        if connection.inbox:
            self.deliver(client, connection.inbox.popleft())
            return True
        if connection.code is not None:
            self._closed(client, connection.code)
            return True
        return False

    def settle(self) -> None:
        """Move messages until all is quiet; time stands still."""
        for _ in range(MAX_MOVES):
            if not self.step():
                return
        raise AssertionError("it never gets quiet")

    def wait(self, seconds: float) -> None:
        """Let time pass, waking everybody when they want it."""
        end = self.now + seconds
        for _ in range(MAX_MOVES):
            self.settle()
            self.checked()
            at = self._next_moment()
            if at is None or at > end:
                self.advance(end)
                self.settle()
                return
            self.advance(at)
        raise AssertionError("somebody wants to be woken again and again")

    def checked(self) -> None:
        """All is quiet for a moment; checks look at it here."""

    def advance(self, now: float) -> None:
        """Wake everybody whose moment has come by ``now``; deliver nothing."""
        self.now = max(self.now, now)
        self.expire()
        for client in self.clients:
            at = client.room.deadline(self.now) if client.is_here else None
            if at is not None and at <= self.now:
                self.perform(client, client.room.tick(self.now))

    def expire(self) -> None:
        self.core.expire(self.now)

    def _next_moment(self) -> float | None:
        times = [self.core.deadline()]
        for client in self.clients:
            if client.is_here:
                times.append(client.room.deadline(self.now))
                if client.connection is None:
                    times.append(client.next_at)
        return min((at for at in times if at is not None), default=None)

    # As session.RoomSession does it

    def _disconnect(self, client: Client) -> None:
        connection, client.connection = client.connection, None
        if connection is not None:
            connection.core.drop(connection, self.now)

    def _closed(self, client: Client, code: int) -> None:
        self._disconnect(client)
        if code >= FINAL_CODE:
            client.finished = RefusedError(f"close {code}")
        self.perform(client, client.room.lost(self.now))
        self._pause(client)

    def _obey(self, client: Client) -> None:
        order, client.order = client.order, None
        if isinstance(order, Finish):
            client.finished = order.error
            return
        self.perform(client, client.room.lost(self.now))
        self._pause(client, order.after_s if order is not None else None)

    def _pause(self, client: Client, after_s: float | None = None) -> None:
        client.next_at = self.now + client.backoff.next_s(after_s)

    def _note_post(self, client: Client, data: str | bytes) -> None:
        """Remember who can open what: the leaves of the sender's tree as it seals a post."""
        if isinstance(data, str) or data[0] != 1:
            return
        self.posts[data[17:]] = client
        said = next((s for s in reversed(client.said) if s.reference == data[1:9]), None)
        if said is not None:
            room = client.room
            members = () if room.group is None else room.group.members
            keys = {member.signature_key for member in members}
            # Members of a group that was lost with the log count as being there (R32).
            self.audience[said.text] |= keys | room._talk._expected

    # What holds

    def is_whole(self) -> bool:
        """Whether all who are here stand in one epoch, with everybody's leaf and no other."""
        rooms = [client.room for client in self.clients if client.is_here]
        groups = [room.group for room in rooms if room.phase is Phase.JOINED]
        if len(groups) < len(rooms):
            return False
        views = {
            (group.authenticator, tuple(sorted(m.signature_key for m in group.members)))
            for group in groups
            if group is not None
        }
        keys = tuple(sorted(client.key for client in self.clients if client.is_here))
        return len(views) == 1 and next(iter(views))[1] == keys
