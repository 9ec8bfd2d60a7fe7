"""What breaks when: the faults of a chaos run, from its seed alone (pure).

Within what the rules promise to survive: nobody is out of reach for longer than some 45 s (a seat
is kept for 60 s), the relay is down for at most 10 s, and both are left alone for a while after.
So is each of several nodes, and the broker that they share.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Between the end of one episode and the next: time to be whole again, mostly.
QUIET_S = (3.0, 12.0)
# The faults of an episode begin within this time, so that they coincide.
SPREAD_S = 4.0
# A member, and the relay, is left alone for so long after its last fault, so that several in a
# row do not add up to more than a seat is kept for.
REST_S = 20.0
RELAY_REST_S = 6.0
NEWCOMER_EVERY_S = 30.0
STAYS_S = (15.0, 120.0)
STORE_REST_S = 20.0
# Where there are several nodes, they are -1, -2 and so on.
RELAY = -1
STORE = -100
RELAY_KINDS = frozenset({"kill", "term"})
# A client whose connection hears nothing more finds that out by its ping (20 s) that is not
# answered (25 s); a client that was reset, at once.
SILENT_S = {"client": 45.0, "relay": 1.0}


@dataclass(frozen=True)
class Fault:
    """Something to be done ``at`` so many seconds, and undone ``until``, in an episode."""

    at: float
    until: float
    kind: str
    target: int = RELAY
    detail: str = ""
    episode: int = 0


@dataclass(frozen=True)
class Visit:
    """A newcomer comes and goes; in between its connection is cut once, or never."""

    come: float
    go: float
    cut: float | None = None


@dataclass(frozen=True)
class Script:
    """All faults in their order, how many episodes they make, and the newcomers' visits."""

    faults: tuple[Fault, ...]
    episodes: int
    visits: tuple[Visit, ...]


# Kind, weight, shortest and longest time.
_KINDS = {
    "kill": (4, 0.3, 8.0),
    "term": (1, 0.3, 4.0),
    "cut": (5, 0.0, 0.0),
    "refuse": (2, 2.0, 20.0),
    "stall": (3, 3.0, 25.0),
    "half_open": (2, 0.0, 0.0),
    "delay": (2, 5.0, 20.0),
    "sleep": (4, 2.0, 35.0),
}


# What else can happen to a node (it hangs; it cannot reach the broker), and to the broker.
_NODE_KINDS = {
    "node_stop": (2, 2.0, 9.0),
    "node_apart": (2, 3.0, 12.0),
}
_STORE_KINDS = {
    "store_kill": (6, 0.3, 6.0),
    "store_stop": (2, 2.0, 10.0),
}
# Several nodes are there to be killed; what happens on the way to them has runs of its own.
_CLUSTER = {
    **_KINDS,
    "kill": (10, 0.3, 8.0),
    "refuse": (1, 2.0, 20.0),
    "stall": (1, 3.0, 20.0),
    "half_open": (1, 0.0, 0.0),
    "delay": (1, 5.0, 20.0),
    "sleep": (2, 2.0, 20.0),
    **_NODE_KINDS,
    **_STORE_KINDS,
}


CLUSTER_KINDS = (*_NODE_KINDS, *_STORE_KINDS)


class _Author:
    """Draws fault after fault: first one of each kind, so that a short run has most of them."""

    def __init__(self, chance: random.Random, members: int, nodes: int = 0) -> None:
        self._chance = chance
        self._kinds: Mapping[str, tuple[int, float, float]] = _KINDS
        self._targets: dict[str, Sequence[int]] = dict.fromkeys(_KINDS, range(members))
        self._targets |= dict.fromkeys(RELAY_KINDS, range(-max(1, nodes), 0))
        if nodes:
            self._kinds = _CLUSTER
            self._targets |= dict.fromkeys(_NODE_KINDS, range(-nodes, 0))
            self._targets |= dict.fromkeys(_STORE_KINDS, (STORE,))
        self._deck = chance.sample(list(self._kinds), len(self._kinds))
        self._free: dict[int, float] = {}

    def draw(self, at: float, episode: int) -> Fault | None:
        """Return a fault of about ``at``; None if whom it could hit must be left alone."""
        chance = self._chance
        kind = self._next_kind()
        _, shortest, longest = self._kinds[kind]
        length, detail = chance.uniform(shortest, longest), chance.choice(("client", "relay"))
        targets = [target for target in self._targets[kind] if self._free.get(target, 0.0) <= at]
        if not targets:
            return None
        target = chance.choice(targets)
        until = at + (SILENT_S[detail] if kind == "half_open" else length)
        self._free[target] = until + _rest_s(target)
        return Fault(at, until, kind, target, detail, episode)

    def _next_kind(self) -> str:
        if self._deck:
            return self._deck.pop()
        weights = [weight for weight, _, _ in self._kinds.values()]
        return self._chance.choices(list(self._kinds), weights)[0]


def _rest_s(target: int) -> float:
    if target == STORE:
        return STORE_REST_S
    return RELAY_REST_S if target < 0 else REST_S


def write(seed: int, seconds: float, members: int, nodes: int = 0) -> Script:
    """Return the script of a run of so many seconds, each of its faults over by then.

    ``nodes`` are those that share a broker; 0 for one relay without.
    """
    chance = random.Random(seed)
    author = _Author(chance, members, nodes)
    faults: list[Fault] = []
    episode, at = 0, chance.uniform(*QUIET_S)
    while at < seconds:
        end = at
        for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
            fault = author.draw(at + chance.uniform(0.0, SPREAD_S), episode)
            if fault is not None and fault.until < seconds:
                faults.append(fault)
                end = max(end, fault.until)
        if faults and faults[-1].episode == episode:
            episode += 1
        at = end + chance.uniform(*QUIET_S)
    faults.sort(key=lambda fault: fault.at)
    return Script(tuple(faults), episode, tuple(_visits(random.Random(seed + 1), seconds)))


def _visits(chance: random.Random, seconds: float) -> list[Visit]:
    visits = []
    at = chance.uniform(3.0, NEWCOMER_EVERY_S / 2)
    while at < seconds:
        until = at + chance.uniform(*STAYS_S)
        cut = chance.choice((None, chance.uniform(at, until)))
        if until < seconds:
            visits.append(Visit(at, until, cut))
        at += chance.uniform(0.5, 1.5) * NEWCOMER_EVERY_S
    return visits
