"""A relay that lies: what comes from its honest core goes through here on the way to each client.

One seed chooses which lies there are and how often; `heal` makes the relay honest again, and
nothing of what it was may matter 300 virtual seconds later. Knows the link no more than a relay
does: what needs the link is in forgery.
"""

import copy
import random
from collections import Counter, deque
from dataclasses import dataclass

from tests.hostile import lies, message
from tests.hostile.checks import Checks
from tests.hostile.core import Connection, Core
from tests.hostile.forgery import Attacker
from tests.hostile.stage import Client

# Messages remembered to be played again, from this life and earlier ones.
MAX_RECORDED = 400
# People who come and go at most so often at once.
MAX_HERE = 5


@dataclass
class Delayed:
    """A message that is shown to a client later, whatever happens meanwhile."""

    at: float
    client: Client
    data: bytes


class Liar(Checks):
    """A stage whose relay lies by seed."""

    def __init__(self, choices: random.Random, only: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.random = choices
        self.counts: Counter[str] = Counter()
        self.recorded: deque[bytes] = deque(maxlen=MAX_RECORDED)
        self.delayed: list[Delayed] = []
        # How many numbers each client is ahead of the log, so that a lie leaves no gap.
        self.shift: Counter[Client] = Counter()
        self.muted: dict[Client, str] = {}
        self.fork: Core | None = None
        self.sides: dict[Client, bool] = {}
        self.snapshot: Core | None = None
        self.attacker = Attacker(self.link.keys())
        self.is_honest = False
        self.names = only or tuple(choices.sample(lies.LIES, choices.randrange(3, 8)))
        self.lies = [name for name in self.names if name in lies.DOWNSTREAM]
        self.upstream = [name for name in self.names if name in lies.UPSTREAM]
        self.rate = choices.choice((0.03, 0.1, 0.3))
        self.join(3)

    @property
    def mutated(self) -> int:
        """How many messages were not what, or not when, the core had sent."""
        return self.counts.total()

    # One step

    def act(self) -> None:
        """Do one thing: people's, time's, the core's or the liar's."""
        dice = self.random.random()
        client = self.random.choice(self.clients)
        if dice < 0.04:
            self.people(client)
        elif dice < 0.14:
            self.pass_time(self.random.choice((0.05, 0.3, 1.0, 3.0, 20.0)) * self.random.random())
        elif dice < 0.14 + self.rate:
            name = self.random.choice(self.lies) if self.lies else ""
            if name and client.is_here and lies.DOWNSTREAM[name](self, client):
                self.counts[name] += 1
        else:
            self.move(client)

    def people(self, client: Client) -> None:
        here = [client for client in self.clients if client.is_here]
        match self.random.randrange(16):
            case 0 if len(here) < MAX_HERE:
                self.client()
            case 1 if len(here) > 2 and client.is_here:
                self.leave(client)
            case 2 if client.is_here:
                self.cut(client)
            case 3 if client.is_here:
                self.perform(
                    client, client.room.rename(f"nick{self.random.randrange(9)}", self.now)
                )
            case _ if client.is_here:
                self.say(client)
        if not any(client.is_here for client in self.clients):
            self.client()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking everybody in time, and deliver nothing but what was delayed."""
        end = self.now + seconds
        while (at := self._next_moment()) is not None and at <= end:
            if at <= self.now:
                # Somebody wants a connection, or waits for what is not delivered yet.
                break
            self.advance(at)
        self.advance(end)
        due = [late for late in self.delayed if late.at <= self.now]
        self.delayed = [late for late in self.delayed if late.at > self.now]
        for late in due:
            if late.client.connection is not None:
                self.deliver(late.client, late.data)
        self.checked()

    # The way of one message

    def connect(self, client: Client) -> Connection:
        is_over_there = self.fork is not None and self.sides.setdefault(
            client, self.random.random() < 0.5
        )
        core = self.fork if is_over_there and self.fork is not None else self.core
        return core.connect(self.now)

    def move(self, client: Client) -> bool:
        connection = client.connection
        if not self.is_honest and client.is_here and connection is not None and connection.inbox:
            data = connection.inbox.popleft()
            self.recorded.append(data)
            if message.is_muted(self, client, data):
                self.counts["withhold"] += 1
                return True
            self.deliver(client, message.shifted(data, self.shift[client]))
            return True
        return super().move(client)

    def carry(self, client: Client, data: str | bytes) -> None:
        assert client.connection is not None
        if not self.is_honest:
            data = message.unshifted(data, self.shift[client])
            if self.upstream and self.random.random() < self.rate:
                name = self.random.choice(self.upstream)
                if lies.UPSTREAM[name](self, client, data):
                    self.counts[name] += 1
                    return
        super().carry(client, data)

    def expire(self) -> None:
        super().expire()
        if self.fork is not None:
            self.fork.expire(self.now)

    def _next_moment(self) -> float | None:
        times = [super()._next_moment(), *(late.at for late in self.delayed)]
        if self.fork is not None:
            times.append(self.fork.deadline())
        return min((at for at in times if at is not None), default=None)

    def delay(self, client: Client, data: bytes, seconds: float) -> None:
        self.delayed.append(Delayed(self.now + seconds, client, data))

    # The relay as a whole

    def split(self) -> bool:
        """Go on as two relays with one past; each client is served by one of them."""
        if self.fork is not None:
            return False
        self.fork = copy.deepcopy(self.core)
        twins = dict(zip(self.core.connections, self.fork.connections, strict=True))
        for client in self.clients:
            self.sides[client] = self.random.random() < 0.5
            if client.connection in twins:
                mine, other = client.connection, twins[client.connection]
                if self.sides[client]:
                    mine, other = other, mine
                client.connection = mine
        return True

    def unite(self) -> bool:
        """Be one relay again, with the log of one side; the other side's clients are cut."""
        if self.fork is None:
            return False
        fork, self.fork = self.fork, None
        if self.random.random() < 0.5:
            self.core, fork = fork, self.core
        for client in self.clients:
            if client.connection is not None and client.connection.core is fork:
                self.cut(client)
        # Whom this side still takes for connected is connected no more.
        alive = {client.connection for client in self.clients}
        for connection in list(self.core.connections):
            if connection not in alive:
                self.core.drop(connection, self.now)
        self.sides.clear()
        return True

    def replaced(self, core: Core) -> None:
        """Go on as another process; every connection is lost."""
        self.unite()
        for client in self.clients:
            self.cut(client)
        self.core = core

    def roll_back(self) -> bool:
        """Keep what the relay is, or become what was kept."""
        if self.fork is not None:
            return False
        if self.snapshot is None:
            self.snapshot = copy.deepcopy(self.core)
            return True
        old, self.snapshot = self.snapshot, None
        self.replaced(old)
        for connection in list(old.connections):
            old.drop(connection, self.now)
        return True

    def heal(self, how: str) -> None:
        """Be honest from now on. ``how``: by going on (`stand`), by `cut`, or by a restart."""
        self.delayed.clear()
        self.muted.clear()
        self.unite()
        self.is_honest = True
        match how:
            case "cut":
                for client in self.clients:
                    self.cut(client)
            case "key" | "anew":
                self.restart(keeps_key=how == "key")
        self.shift.clear()
