"""A stage with honest members and traitors, and what must hold whatever the traitors do."""

from collections import Counter
from collections.abc import Callable, Collection
from typing import TypeVar

from client.event import Equivocation, Message, Missing
from client.kept import MAX_KEPT
from client.ledger import MAX_HELD, MAX_REMEMBERED, MAX_SENDERS, MAX_WANTED
from client.link import Tag
from client.outbox import MAX_PENDING
from client.room import Room
from client.stay import Phase
from tests.member.traitor import Traitor
from tests.pair import Client, Stage

# How often `share` looks.
SAMPLE_S = 0.25
# The longest that whole rooms may need, where no rule allows more.
MENDING_S = 120.0
# A hole holds back for 10 s; a text after that is late.
TALKING_S = 12.0

T = TypeVar("T")


class Scene(Stage):
    """Honest clients, numbered as they came, and traitors; every text is said once in a scene."""

    def __init__(self, honest: int = 3, *, seed: bytes = b"member") -> None:
        super().__init__(seed=seed)
        self.traitors: list[Traitor] = []
        self.owners: dict[Tag, Client] = {}
        self.said: dict[str, Client] = {}
        # How much had been said when each came.
        self.came: dict[Room, int] = {}
        self.join(honest)

    def traitor(self, **options: object) -> Traitor:
        """One more traitor, in its seat."""
        traitor = Traitor(self.relay, self.link.keys(), **options)  # type: ignore[arg-type]
        self.traitors.append(traitor)
        traitor.connect()
        self.settle()
        return traitor

    def client(self, **options: object) -> Client:
        client = super().client(**options)
        self.came[client.room] = len(self.said)
        return client

    def step(self) -> bool:
        moved = super().step()
        for traitor in self.traitors:
            moved |= traitor.step()
        for client in self.clients:
            if client.room.tag is not None:
                self.owners[client.room.tag] = client
        return moved

    def say(self, client: Client, text: str, *, strict: bool = False) -> bytes:
        assert text not in self.said
        self.said[text] = client
        return super().say(client, text, strict=strict)

    def shown(self, client: Client, *whose: Traitor) -> list[str]:
        """What a client showed of traitors, in its order."""
        tags = {traitor.tag for traitor in whose or self.traitors}
        return [e.text for e in client.events if isinstance(e, Message) and e.sender in tags]

    def told(self, kind: type[T]) -> list[T]:
        """All events of one kind, whoever told them."""
        return [event for c in self.clients for event in c.events if isinstance(event, kind)]

    # What holds

    def talk(self) -> None:
        """Everybody says something that nobody has said yet."""
        for client in self.clients:
            self.say(client, f"text {len(self.said)}")

    def is_whole(self) -> bool:
        """Whether all honest members stand in one epoch and may talk."""
        rooms = [client.room for client in self.clients]
        if any(room.phase is not Phase.JOINED for room in rooms):
            return False
        return len({room.group.authenticator for room in rooms if room.group is not None}) == 1

    def share(
        self, seconds: float, act: Callable[[], object] = lambda: None, every: float = 2.0
    ) -> float:
        """Let time pass, with ``act`` now and then; return the part of it that all could talk."""
        whole, samples, next_at = 0, round(seconds / SAMPLE_S), self.now
        for _ in range(samples):
            if self.now >= next_at:
                act()
                self.settle()
                next_at += every
            self.wait(SAMPLE_S)
            whole += self.is_whole()
        return whole / samples

    def mend(self, seconds: float = MENDING_S) -> float:
        """Wait until the room is whole; return how long that took, fail if too long."""
        began = self.now
        self.settle()
        while not self.is_whole():
            assert self.now < began + seconds, self.state()
            self.wait(SAMPLE_S)
        return self.now - began

    def state(self) -> list[object]:
        """Where everybody stands, to be read in a failure."""
        return [(c.room.tag, c.room.phase, c.room.fence, c.room.group) for c in self.clients]

    def check(self, *, mending_s: float = MENDING_S, but: Collection[Client] = ()) -> None:
        """One group, everybody is heard by everybody, nothing forged, nothing twice."""
        self.mend(mending_s)
        # What the six words are made of; they themselves take 50 ms each.
        contexts = {c.room.group.words_context for c in self.clients if c.room.group is not None}
        assert len(contexts) == 1
        for client in self.clients:
            self.say(client, f"fresh of {client.room.tag} at {self.now}")
        self.wait(TALKING_S)
        for client in self.clients:
            assert client.finished is None
            if client not in but:
                self.check_heard(client)
            self.check_memory(client)

    def check_heard(self, client: Client) -> None:
        """All that was said reached a client, each once, under the name of who said it."""
        heard = [event for event in client.events if isinstance(event, Message)]
        honest = [event for event in heard if event.sender in self.owners]
        for event in honest:
            assert self.said.get(event.text) is self.owners[event.sender], event
        texts = Counter(event.text for event in honest)
        assert set(texts.values()) <= {1}, "said once, heard twice"
        # What was said before it came is not for it; what it was told to miss may be missing (R34).
        expected = list(self.said.items())[self.came[client.room] :]
        lost = Counter(
            id(owner) for text, owner in expected if owner is not client and text not in texts
        )
        told: Counter[int] = Counter()
        for event in client.events:
            if isinstance(event, Missing) and event.sender in self.owners:
                told[id(self.owners[event.sender])] += event.count
        assert all(count <= told[owner] for owner, count in lost.items()), (lost, told)
        assert not [
            event
            for event in client.events
            if isinstance(event, Equivocation) and event.sender in self.owners
        ]

    def check_memory(self, client: Client) -> None:
        """What others can make a client keep is bounded."""
        talk = client.room._talk
        assert len(talk.outbox) <= MAX_PENDING
        assert len(talk.kept) <= MAX_KEPT
        assert len(talk._ledger._senders) <= MAX_SENDERS
        for sender in talk._ledger._senders.values():
            assert len(sender.held) <= MAX_HELD + 1
            assert len(sender.horizons) <= MAX_HELD
            assert len(sender.digests) <= MAX_REMEMBERED
            assert len(sender.asks) <= 2 * MAX_WANTED
        upkeep = talk.upkeep
        assert len(upkeep._answers) <= len(self.clients) + len(self.traitors)
        assert all(len(counters) <= MAX_KEPT for counters in upkeep._answers.values())
        assert len(upkeep._errands) <= 64
