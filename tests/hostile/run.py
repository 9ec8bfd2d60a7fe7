"""One seed from the first lie to the last word: lie, turn honest, and see what is left of it."""

import contextlib
import random
import traceback
from collections import Counter
from dataclasses import dataclass, field

from client.ledger import MAX_HOLD_S
from tests.hostile.liar import Liar
from tests.hostile.stage import Client, seeded

# After a relay has turned honest the room is whole within this (R13 backs off up to 60 s).
HEALING_S = 300.0
# Then it stays so, through a heartbeat of everybody.
STAYING_S = 90.0
# A person whose room has ended opens it again.
AGAIN_S = 10.0
TALKING_S = MAX_HOLD_S + 5.0
# Answers are repeated at most so long: what the relay took and never showed is given up by then.
ACCOUNTS_S = 60.0
# A seed whose lies seldom apply ends all the same.
ACTS_PER_LIE = 60
# After these the log itself is not what it was: no connection can go on as if nothing had been.
DAMAGING = {"fence_down", "fence_up", "rollback"}
HEALINGS = ("stand", "cut", "key", "anew")


@dataclass
class Outcome:
    """What became of one seed."""

    seed: str
    healing: str = ""
    lies: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    said: int = 0
    healed_s: float | None = None
    largest: int = 0
    failure: str | None = None

    def __str__(self) -> str:
        lies = ", ".join(self.lies)
        return f"seed {self.seed}, {lies}; {self.healing}: {self.failure or 'held'}"


def play(seed: str, lies: int = 150, only: tuple[str, ...] = ()) -> Outcome:
    """Play one seed to its end; a failure is in the outcome."""
    outcome = Outcome(seed)
    with seeded(seed) as choices:
        outcome.healing = choices.choice(HEALINGS)
        try:
            with contextlib.suppress(Known):
                _play(outcome, choices, lies, only)
        except Exception as exc:
            where = traceback.extract_tb(exc.__traceback__)[-1]
            place = f"{where.filename.rsplit('/', 1)[-1]}:{where.lineno}"
            outcome.failure = f"{type(exc).__name__} at {place}: {exc}"
    return outcome


def _play(outcome: Outcome, choices: random.Random, lies: int, only: tuple[str, ...]) -> None:
    liar = Liar(choices, only)
    outcome.lies, outcome.counts, outcome.known = liar.names, liar.counts, liar.known
    for _ in range(lies * ACTS_PER_LIE):
        if liar.mutated >= lies:
            break
        liar.act()
    outcome.said = len(liar.said)
    if outcome.healing == "stand" and DAMAGING & set(liar.names):
        outcome.healing = "cut"
    liar.heal(outcome.healing)
    outcome.healed_s = heal(liar)
    liar.wait(STAYING_S)
    assert liar.is_whole(), f"came apart again: {here(liar)}"
    check_talk(liar)
    liar.wait(ACCOUNTS_S)
    assert not liar.unsettled(), f"never answered: {liar.unsettled()}"
    assert not liar.owed(), f"neither delivered nor told missing: {liar.owed()}"
    outcome.largest = max(map(liar.check_size, here(liar)))


def here(liar: Liar) -> list[Client]:
    return [client for client in liar.clients if client.is_here]


class Known(Exception):
    """Ended by a fault that is known and not mended yet."""


def is_locked_out(liar: Liar) -> bool:
    """Whether somebody's tag is in another's tree under another key (R4)."""
    return any(
        member.tag == client.room.tag and member.signature_key != client.key
        for client in here(liar)
        for other in here(liar)
        if other.room.group is not None
        for member in other.room.group.members
    )


def heal(liar: Liar) -> float:
    """Wait until everybody is in one group; return how long it took."""
    began, replaced = liar.now, set()
    while not liar.is_whole():
        if liar.now >= began + HEALING_S and is_locked_out(liar):
            liar.known["a member's tag is another's in the line that it must join"] += 1
            raise Known
        assert liar.now < began + HEALING_S, f"not whole: {here(liar)}"
        for client in list(liar.clients):
            if client.finished is not None and client not in replaced:
                replaced.add(client)
                liar.client()
        liar.wait(AGAIN_S)
    return liar.now - began


def check_talk(liar: Liar) -> None:
    """Same words, same roster, and everybody hears everybody."""
    clients = here(liar)
    assert len({client.room.words for client in clients}) == 1
    rosters = {tuple((m.tag, m.presence) for m in client.room.members) for client in clients}
    if len(rosters) > 1:
        liar.known["a seat is shown otherwise than it is"] += 1
    fresh = [liar.say(client) for client in clients]
    liar.wait(TALKING_S)
    for said in fresh:
        for client in clients:
            is_told = client is said.speaker or said.text in client.texts
            assert is_told, f"{client} lacks {said.text}"
