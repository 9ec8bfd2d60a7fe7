"""What must hold on a stage whatever the relay does, looked at after every step."""

import sys
from collections import Counter
from collections.abc import Iterable
from functools import partial

from client.errors import ClientError
from client.event import Delivered, Event, Message, Missing
from client.kept import MAX_KEPT
from client.ledger import MAX_HELD, MAX_REMEMBERED, MAX_SENDERS, MAX_WANTED
from client.outbox import MAX_PENDING
from client.room import Room
from client.stay import Phase
from tests.hostile.stage import Client, Said, Stage
from tests.node_room import NodeRoom

_FRAME, _APPLICATION, _COMMIT = 0x11, 1, 2
# Everything that one Room may hold on to after any amount of lies: a measured 100 KB in a room of
# few, with place for what a relay can make it remember within the bounds of its parts.
MAX_ROOM_BYTES = 2 * 2**20
BOUNDS = {
    "outbox": MAX_PENDING,
    "kept": MAX_KEPT,
    "senders": MAX_SENDERS,
    "held": MAX_HELD + 1,
    "horizons": MAX_HELD,
    "digests": MAX_REMEMBERED,
    "asks": 2 * MAX_WANTED,
    "foreign": 512,
}


class Checks(Stage):
    """A stage that fails as soon as somebody is told what is not so."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._shown: dict[Client, dict[str, Said]] = {}
        self._last: dict[tuple[Client, Client], int] = {}
        self._places: dict[Client, dict[tuple[str, int], list[str]]] = {}
        # Whose posts reached a client, byte for byte, since it came into its line of epochs.
        self._reached: dict[Client, set[bytes]] = {}
        self._entries: set[tuple[Client, bytes]] = set()
        # Where each client's account of a speaker began, and each text's counter.
        self._begun: dict[tuple[Client, bytes], int] = {}
        self._counters: dict[str, int] = {}
        # Faults that are known and not mended yet, so that the search goes on behind them.
        self.known: Counter[str] = Counter()

    def client(self, **options: object) -> Client:
        client = super().client(**options)
        noted = partial(self._note_begun, client)
        if isinstance(client.room, NodeRoom):
            client.room.on_begun = noted
            return client
        ledger = client.room._talk._ledger
        begin = ledger.begin

        def begun(key: bytes, base: int, until: float | None = None) -> None:
            if key not in ledger._senders:
                noted(key, base)
            begin(key, base, until)

        ledger.begin = begun  # type: ignore[method-assign]
        return client

    def _note_begun(self, client: Client, key: bytes, base: int) -> None:
        self._begun[client, key] = base

    # At each message and event

    def told(self, client: Client, event: Event) -> None:
        match event:
            case Message():
                self._on_message(client, event)
            case Delivered(life=life, seq=seq, count=count, of=of):
                assert count <= of, event
                texts = self._places.get(client, {}).get((life, seq), [])
                have = [self._receivers(text) for text in texts]
                if not any(count <= n for n in have):
                    if any(self._is_before(client, text) for text in texts):
                        self.known["receipt for what came before the first that was heard"] += 1
                    elif any(self._was_given_up(client, text) for text in texts):
                        self.known["receipt for what was told missing"] += 1
                    else:
                        raise AssertionError(f"{client} told of receipts: {event}, {have}")

    def _on_message(self, client: Client, event: Message) -> None:
        said = self.said.get(event.text)
        where = f"{client} was told {event}"
        assert said is not None, f"{where}: nobody said it"
        assert said.speaker is not client, f"{where}: own words"
        assert event.sender in said.speaker.tags, f"{where}: said by {said.speaker}"
        shown = self._shown.setdefault(client, {})
        assert event.text not in shown, f"{where}: twice"
        shown[event.text] = said
        last = self._last.get((client, said.speaker), -1)
        assert said.number > last, f"{where}: out of order, after its {last}"
        self._last[client, said.speaker] = said.number
        assert client.key in self.audience[event.text], f"{where}: it was not there"

    def _is_before(self, speaker: Client, text: str) -> bool:
        """Whether somebody's account of a speaker began behind a text that was for it."""
        return any(
            key == speaker.key
            and base >= self._counters.get(text, 2**60)
            and other.key in self.audience[text]
            for (other, key), base in self._begun.items()
        )

    def _was_given_up(self, speaker: Client, text: str) -> bool:
        """Whether somebody whom a text was for was told that it is missing."""
        return any(
            isinstance(event, Missing) and event.sender in speaker.tags
            for other in self.clients
            if other.key in self.audience[text] and text not in self._shown.get(other, {})
            for event in other.events
        )

    def _receivers(self, text: str) -> int:
        return sum(text in shown for shown in self._shown.values())

    def deliver(self, client: Client, data: str | bytes) -> None:
        is_entry = False
        if isinstance(data, bytes) and data[:2] == bytes((_FRAME, _APPLICATION)):
            poster = self.posts.get(data[20:])
            if poster is not None:
                self._reached.setdefault(client, set()).add(poster.key)
        elif isinstance(data, bytes) and data[:2] == bytes((_FRAME, _COMMIT)):
            is_entry = (client, data[20:]) in self._entries
        before = client.room.group
        super().deliver(client, data)
        if is_entry and client.room.group is not before:
            self._reached[client] = set()
        heard = set(client.room._stay.heard)
        assert heard <= self._reached.get(client, set()), f"{client} shows unheard as heard"

    def perform(self, client: Client, effects: list[object]) -> None:  # type: ignore[override]
        for effect in effects:
            data = getattr(effect, "data", b"")
            is_joining = client.room.phase in (Phase.ENTERING, Phase.STRANDED)
            if is_joining and isinstance(data, bytes) and data[:1] == b"\x02":
                length = int.from_bytes(data[17:21], "big")
                self._entries.add((client, data[21 : 21 + length]))
        before = set(client.settled)
        super().perform(client, effects)  # type: ignore[arg-type]
        for reference in client.settled.keys() - before:
            outcome = client.settled[reference]
            said = next((s for s in client.said if s.reference == reference), None)
            if said is not None and isinstance(outcome, int):
                place = (client.room.life, outcome)
                self._places.setdefault(client, {}).setdefault(place, []).append(said.text)
                kept = list(client.room._talk.kept._contents.items())
                counters = [n for n, content in kept if said.text.encode() in content.data]
                self._counters[said.text] = counters[-1] if counters else 0

    def answered(self, client: Client, reference: bytes, outcome: int | ClientError) -> None:
        before = client.settled.get(reference)
        if isinstance(before, ClientError) and isinstance(outcome, ClientError):
            self.known["a void that was refused is answered again"] += 1
        else:
            super().answered(client, reference, outcome)

    # When all is quiet

    def checked(self) -> None:
        for client in self.clients:
            if client.is_here:
                self.check_members(client)
                self.check_memory(client)
                self.check_holes(client)

    def check_members(self, client: Client) -> None:
        """Who is shown as heard has been heard; whoever is in the tree is shown, once."""
        room = client.room
        if room.group is None or room.phase is Phase.CLOSED:
            return
        shown = [member for member in room.members if member.presence.value != "connecting"]
        assert len(shown) == len(room.group.members)
        heard = {
            leaf.signature_key
            for leaf, member in zip(room.group.members, shown, strict=True)
            if member.heard and not member.me
        }
        assert heard <= self._reached.get(client, set()), f"{client} shows unheard as heard"

    def check_holes(self, client: Client) -> None:
        """What is known to be missing for long enough is shown."""
        room = client.room
        if room._stands:
            due = room._talk._ledger.deadline(room._talk._is_awaited)
            woken = room.deadline(self.now)
            is_shown = due is None or (woken is not None and woken <= max(due, self.now))
            assert is_shown, f"{client} has a hole and is not woken to show it"

    def check_memory(self, client: Client) -> None:
        """What the relay can make a client keep is bounded."""
        room = client.room
        counts = room.counts() if isinstance(room, NodeRoom) else counts_of(room)
        for what, bound in BOUNDS.items():
            assert counts[what] <= bound, f"{client} holds {counts[what]} of {what}"
        if counts["errands"] > 64:
            self.known["errands that are never answered pile up"] += 1

    def check_size(self, client: Client) -> int:
        """Return how many bytes a Room holds on to; fail if that is more than it may be."""
        room = client.room
        size = room.size() if isinstance(room, NodeRoom) else size_of(room)
        assert size <= MAX_ROOM_BYTES, f"{client} holds {size} bytes"
        return size

    # When all is over

    def owed(self) -> list[tuple[Client, Client, list[str], int]]:
        """Receiver, speaker, texts that are neither there nor told missing, and how many told."""
        owed = []
        here = [client for client in self.clients if client.is_here]
        for receiver in here:
            told: Counter[Client] = Counter()
            for event in receiver.events:
                if isinstance(event, Missing):
                    for speaker in self.clients:
                        if event.sender in speaker.tags:
                            told[speaker] += event.count
            shown = self._shown.get(receiver, {})
            for speaker in here:
                lost = [
                    said.text
                    for said in speaker.said
                    if isinstance(speaker.settled.get(said.reference), int)
                    and receiver.key in self.audience[said.text]
                    and said.text not in shown
                    and speaker is not receiver
                ]
                begun = self._begun.get((receiver, speaker.key), 0)
                unknown = [text for text in lost if self._counters[text] <= begun]
                self.known["lost before the first that was heard"] += len(unknown)
                lost = [text for text in lost if text not in unknown]
                if len(lost) > told[speaker]:
                    owed.append((receiver, speaker, lost, told[speaker]))
        return owed

    def unsettled(self) -> list[Said]:
        """Texts of those who are here of which nobody knows what has become."""
        return [
            said
            for client in self.clients
            if client.is_here
            for said in client.said
            if said.reference not in client.settled
        ]


def counts_of(room: Room) -> dict[str, int]:
    """Return how much a Room holds of what is bounded; of senders the most that one has."""
    talk, stray = room._talk, room._membership.stray
    senders = talk._ledger._senders.values()
    return {
        "outbox": len(talk.outbox),
        "kept": len(talk.kept),
        "senders": len(senders),
        "held": max((len(sender.held) for sender in senders), default=0),
        "horizons": max((len(sender.horizons) for sender in senders), default=0),
        "digests": max((len(sender.digests) for sender in senders), default=0),
        "asks": max((len(sender.asks) for sender in senders), default=0),
        "errands": len(talk.upkeep._errands),
        "foreign": len(stray._foreign),
    }


def size_of(root: object) -> int:
    """Return the bytes of everything that is reached from an object, code aside."""
    seen: set[int] = set()
    stack, total = [root], 0
    while stack:
        thing = stack.pop()
        if id(thing) in seen or isinstance(thing, type) or callable(thing):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        stack.extend(_parts_of(thing))
    return total


def _parts_of(thing: object) -> Iterable[object]:
    if isinstance(thing, dict):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset) or type(thing).__name__ in (
        "deque",
        "OrderedDict",
    ):
        yield from thing  # type: ignore[misc]
    yield from getattr(thing, "__dict__", {}).values()
    for cls in type(thing).__mro__:
        for slot in getattr(cls, "__slots__", ()):
            if hasattr(thing, slot):
                yield getattr(thing, slot)
