"""What must be true of a chaos run, proved from the members' journals alone (pure).

Whatever is judged by a moment is judged by one that is sure: a text was ordered after it was
handed to `send`, and before `send` accepted it or anybody saw it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.journal import Journal, Line, Stay, author, lines_of, read

# Somebody who leaves although not everybody has confirmed what they said takes the rest of it
# along: its sender is gone when somebody who was out of reach meanwhile comes back and asks (R34).
LEAVING_S = 75.0
# Somebody who leaves does not wait for what was ordered shortly before. What the relay lost is
# asked for when its sender is in reach again: then it may be for so long.
WAITING_S = 60.0
ON_ITS_WAY_S = 10.0
# What an honest relay and honest members never give a reason for.
ACCUSATIONS = frozenset(
    {"Equivocation", "Superseded", "relay_equivocates", "relay_mislabels", "events_dropped"}
)


@dataclass
class Verdict:
    """What was found; a run is good if ``faults`` is empty. ``found`` counts them by kind.

    ``told``: told to be missing. ``untrue``: told so though nothing was, as far as anybody can
    tell. ``excused``: not seen, but either end left so soon that nobody can be blamed. ``strange``:
    said in a life that one of both came into, as a newcomer, before the other was back in it: to
    the sender the receiver is somebody who came later (R32).
    """

    texts: int = 0
    deliveries: int = 0
    late: int = 0
    told: int = 0
    untrue: int = 0
    excused: int = 0
    strange: int = 0
    unsent: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def blame(self, kind: str, fault: str, count: int = 1) -> None:
        """Note a fault."""
        self.found[kind] += count
        self.faults.append(f"{kind}: {fault}")


def check(journals: Mapping[str, Journal]) -> Verdict:
    """Judge a run by the journals of its members, by name."""
    verdict = Verdict()
    stays = [read(name, journal) for name, journal in journals.items()]
    verdict.texts = sum(len(stay.said) for stay in stays)
    verdict.unsent = sum(len(lines_of(stay.journal, "unsent")) for stay in stays)
    verdict.deliveries = sum(len(stay.seen) for stay in stays)
    verdict.late = sum(line["late"] for stay in stays for line in stay.seen)
    names = _names(stays)
    for stay in stays:
        _check_events(stay, verdict)
        _check_order(stay, verdict)
        for sender in stays:
            if sender is not stay:
                _check_lost(stay, sender, names, verdict)
    _check_said(stays, verdict)
    _check_newcomers(stays, verdict)
    _check_places(stays, verdict)
    _check_receipts(stays, verdict)
    return verdict


def check_end(journals: Mapping[str, Journal]) -> list[str]:
    """Say what is not as it must be in the end, for those who stayed.

    All are connected, in one epoch (six words), with one roster, and each of them is in it.
    """
    faults, groups, everybody = [], set(), set()
    for name, journal in journals.items():
        finals = lines_of(journal, "final")
        if not finals:
            faults.append(f"{name} does not answer")
            continue
        last = finals[-1]
        if last["status"] != "connected":
            faults.append(f"{name} is {last['status']}")
        groups.add((tuple(last["words"]), tuple(last["members"])))
        everybody.add(last["tag"])
    if len(groups) > 1:
        faults.append(f"{len(groups)} different groups")
    elif groups and not everybody <= set(next(iter(groups))[1]):
        faults.append("not everybody is in the roster")
    return faults


def ghosts(journals: Mapping[str, Journal]) -> int:
    """Count who is in the roster in the end and not in the room (removed after a minute: R6)."""
    finals = [lines_of(journal, "final")[-1:] for journal in journals.values()]
    tags = {line["tag"] for lines in finals for line in lines}
    return len({tag for lines in finals for line in lines for tag in line["members"]} - tags)


def _check_events(stay: Stay, verdict: Verdict) -> None:
    for line in lines_of(stay.journal, "ended"):
        verdict.blame("ended", f"the stay of {stay.name} ended by itself: {line['error']}")
    for line in lines_of(stay.journal, "event"):
        name = line["code"] or line["kind"]
        verdict.notices[name] += 1
        if name in ACCUSATIONS:
            verdict.blame("accused", f"{stay.name} was told {name}")


def _check_said(stays: Iterable[Stay], verdict: Verdict) -> None:
    """Nothing twice, nothing that nobody said, nothing under another's name."""
    handed = {text for stay in stays for text in stay.handed}
    for stay in stays:
        for text, count in Counter(line["text"] for line in stay.seen).items():
            if count > 1:
                verdict.blame("duplicated", f"{stay.name} saw {text[:20]!r} {count} times")
            if text not in handed:
                verdict.blame("forged", f"{stay.name} saw {text[:20]!r}, which nobody said")
            elif author(text)[0] == stay.name:
                verdict.blame("forged", f"{stay.name} saw its own {text[:20]!r}")
        for line in stay.seen:
            if line["text"] in handed and line["name"] != author(line["text"])[0]:
                fault = f"{stay.name} saw {line['text'][:20]!r} as said by {line['name']}"
                verdict.blame("forged", fault)


def _check_order(stay: Stay, verdict: Verdict) -> None:
    """Each sender's texts ascend; what came live ascends in its life."""
    last: dict[str, int] = defaultdict(lambda: -1)
    place: dict[str, int] = defaultdict(int)
    for line in stay.seen:
        name, number = author(line["text"])
        if number < last[name]:
            fault = f"{stay.name} saw {name} {number} after {last[name]}"
            verdict.blame("out of order", fault)
        last[name] = max(number, last[name])
        if not line["late"]:
            if line["seq"] <= place[line["life"]]:
                fault = f"{stay.name} saw {name} {number} out of the room's order"
                verdict.blame("out of order", fault)
            place[line["life"]] = line["seq"]


def _check_newcomers(stays: Collection[Stay], verdict: Verdict) -> None:
    """Nobody sees what was ordered before it even began to come."""
    ordered: dict[str, float] = {}
    for stay in stays:
        for line in (*stay.said.values(), *stay.seen):
            ordered[line["text"]] = min(line["t"], ordered.get(line["text"], line["t"]))
    for stay in stays:
        for line in stay.seen:
            if ordered[line["text"]] < stay.begun:
                fault = f"{stay.name} saw {line['text'][:20]!r} of before its time"
                verdict.blame("revealed", fault)


def _check_lost(
    stay: Stay, sender: Stay, names: Mapping[tuple[str, str], str], verdict: Verdict
) -> None:
    """What was due was seen, or told to be missing in its place: before the sender's next text."""
    due = [t for t, line in sender.said.items() if _is_due(stay, sender.handed[t], line["t"])]
    seen = {line["text"] for line in stay.seen}
    lost = sorted(author(text)[1] for text in due if text not in seen)
    said = {author(text)[1]: text for text in due}
    told = 0
    untold: list[int] = []
    for line in (*stay.shown, None):
        if line is not None and line["what"] == "missing":
            if _teller(stay, line, names) == sender.name:
                told += line["count"]
            continue
        if line is not None and author(line["text"])[0] != sender.name:
            continue
        # All that comes before this text, or before the end.
        number = float("inf") if line is None else author(line["text"])[1]
        here = [n for n in lost if n < number]
        lost = lost[len(here) :]
        verdict.told += min(told, len(here))
        verdict.untrue += max(0, told - len(here))
        untold += here[: max(0, len(here) - told)]
        told = 0
    excused = [n for n in untold if _is_excused(stay, sender, said[n])]
    verdict.excused += len(excused)
    untold = [n for n in untold if n not in excused]
    strange = [n for n in untold if _are_strangers(stay, sender, sender.said[said[n]])]
    verdict.strange += len(strange)
    untold = [n for n in untold if n not in strange]
    if untold:
        fault = f"{stay.name} did not see {sender.name} {', '.join(map(str, untold))}"
        verdict.blame("lost", fault, len(untold))


def _is_due(stay: Stay, handed: float, accepted: float) -> bool:
    return stay.entered < handed and accepted < stay.left - ON_ITS_WAY_S


def _is_excused(stay: Stay, sender: Stay, text: str) -> bool:
    if not sender.had_delivered and sender.handed[text] > sender.left - LEAVING_S:
        return True
    return bool(sender.said[text]["t"] > stay.left - WAITING_S)


def _are_strangers(stay: Stay, sender: Stay, said: Line) -> bool:
    """Whether they never met before ``said``: the relay had lost its log (R26) in between.

    Either the sender came into the new life first, and its receiver was to it one who came later;
    or the receiver came first, founded a group by itself, and went over to the sender's later.
    """
    if _is_new(sender, said) and _came(stay, said) > said["t"]:
        return True
    went_over = any(
        line["code"] == "another_group" and line["t"] > said["t"]
        for line in lines_of(stay.journal, "event")
    )
    has_met = any(
        author(line["text"])[0] == sender.name and line["t"] <= said["t"] for line in stay.seen
    )
    return _is_new(stay, said) and went_over and not has_met


def _is_new(stay: Stay, said: Line) -> bool:
    """Whether the life in which this was said is the first that somebody was in."""
    return not any(t < said["t"] and life != said["life"] for t, life in stay.lives)


def _came(stay: Stay, said: Line) -> float:
    """When somebody came into the life in which this was said."""
    return min((t for t, life in stay.lives if life == said["life"]), default=float("inf"))


def _names(stays: Iterable[Stay]) -> dict[tuple[str, str], str]:
    """Return who had a tag, at each receiver: some are missed before they told their name."""
    names: dict[tuple[str, str], str] = {}
    for stay in stays:
        for line in stay.seen:
            names.setdefault((stay.name, line["tag"]), author(line["text"])[0])
    return names


def _teller(stay: Stay, line: Line, names: Mapping[tuple[str, str], str]) -> str | None:
    return line["name"] or names.get((stay.name, line["tag"]))


def _check_places(stays: Iterable[Stay], verdict: Verdict) -> None:
    """One place in the order means one text, at everybody and to its sender."""
    places: dict[tuple[str, int], str] = {}
    for stay in stays:
        live = [line for line in stay.seen if not line["late"]]
        for line in (*live, *stay.said.values()):
            place = (line["life"], line["seq"])
            if places.setdefault(place, line["text"]) != line["text"]:
                verdict.blame("displaced", f"two texts at {place[1]} of one life, at {stay.name}")


def _check_receipts(stays: Iterable[Stay], verdict: Verdict) -> None:
    """No receipt counts more members than saw the text."""
    saw = Counter(text for stay in stays for text in {line["text"] for line in stay.seen})
    for stay in stays:
        places = {(line["life"], line["seq"]): text for text, line in stay.said.items()}
        for line in lines_of(stay.journal, "delivered"):
            text = places.get((line["life"], line["seq"]))
            if text is not None and line["count"] > saw[text]:
                fault = f"{stay.name} was told that {line['count']} have {text[:20]!r}"
                verdict.blame("false receipt", f"{fault}, {saw[text]} saw it")
