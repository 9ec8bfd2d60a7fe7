"""The checker finds what it is there to find: one wrong line in good journals."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.checker import (
    LEAVING_S,
    ON_ITS_WAY_S,
    WAITING_S,
    _are_strangers,
    check,
    check_end,
    ghosts,
)
from tests.chaos.journal import read

Journals = dict[str, list[dict[str, Any]]]
Spoil = Callable[[Journals], None]

TAGS = {"ada": "0x0001", "bob": "0x0002", "eve": "0x0003"}


def good() -> Journals:
    """Two members who came first, and a third who came between the texts of the first.

    Ada says 0 to 5 at 10.0 to 15.0 s; all is seen 0.2 s later. Bob says one thing at 20.0 s.
    """
    journals: Journals = {
        "ada": [{"t": 0.0, "what": "begun"}, {"t": 1.0, "what": "entered"}],
        "bob": [{"t": 0.0, "what": "begun"}, {"t": 1.0, "what": "entered"}],
        "eve": [{"t": 12.5, "what": "begun"}, {"t": 13.5, "what": "entered"}],
    }
    for number in range(6):
        say(journals, "ada", number, 10.0 + number, 5 + number)
    say(journals, "bob", 0, 20.0, 12)
    return journals


def say(journals: Journals, name: str, number: int, t: float, seq: int) -> None:
    text, place = f"{name} {number} ", {"life": "one", "seq": seq}
    journals[name].append({"t": t, "what": "saying", "text": text})
    journals[name].append({"t": t + 0.1, "what": "said", "text": text, **place})
    line = {"t": t + 0.2, "what": "seen", "tag": TAGS[name], "name": name, "text": text, **place}
    for other in journals:
        if other != name and journals[other][1]["t"] < t:
            journals[other].append({**line, "late": False})


def seen(journals: Journals, name: str, of: str = "ada") -> list[dict[str, Any]]:
    return [line for line in journals[name] if line["what"] == "seen" and line["name"] == of]


def tell(journals: Journals, name: str, before: dict[str, Any] | None, count: int = 1) -> None:
    line = {"t": 14.0, "what": "missing", "tag": TAGS["ada"], "name": "ada", "count": count}
    journal = journals[name]
    journal.insert(len(journal) if before is None else journal.index(before), line)


def lose(journals: Journals) -> None:
    journals["bob"].remove(seen(journals, "bob")[2])


def lose_the_last(journals: Journals) -> None:
    journals["bob"].remove(seen(journals, "bob")[5])


def lose_at_the_newcomer(journals: Journals) -> None:
    journals["eve"].remove(seen(journals, "eve")[0])


def double(journals: Journals) -> None:
    lines = seen(journals, "bob")
    journals["bob"].insert(journals["bob"].index(lines[3]), {**lines[2], "late": True})


def double_much_later(journals: Journals) -> None:
    journals["bob"].append({**seen(journals, "bob")[2], "late": True})


def swap(journals: Journals) -> None:
    lines = seen(journals, "bob")
    lines[1]["text"], lines[2]["text"] = lines[2]["text"], lines[1]["text"]


def swap_late(journals: Journals) -> None:
    swap(journals)
    for line in seen(journals, "bob"):
        line["late"] = True


def forge(journals: Journals) -> None:
    journals["bob"].append({**seen(journals, "bob")[5], "text": "ada 6 forged", "seq": 20})


def attribute(journals: Journals) -> None:
    seen(journals, "bob")[3]["name"] = "eve"


def turn_back(journals: Journals) -> None:
    seen(journals, "bob")[5]["seq"] = 3


def echo(journals: Journals) -> None:
    journals["ada"].append({**seen(journals, "bob")[0], "seq": 30})


def reveal(journals: Journals) -> None:
    journals["eve"].insert(2, dict(seen(journals, "bob")[0]))


def reveal_what_others_saw(journals: Journals) -> None:
    """Its sender learnt late that it was accepted: but Bob had seen it before Eve came."""
    for line in journals["ada"]:
        if line["what"] == "said" and line["text"] == "ada 0 ":
            line["t"] = 14.0
    reveal(journals)


def displace(journals: Journals) -> None:
    seen(journals, "eve")[0]["seq"] = 8


def displace_its_own(journals: Journals) -> None:
    for line in journals["ada"]:
        if line["what"] == "said" and line["seq"] == 10:
            line["seq"] = 9


def tell_too_little(journals: Journals) -> None:
    lose(journals)
    lose(journals)
    tell(journals, "bob", seen(journals, "bob")[2])


def tell_too_late(journals: Journals) -> None:
    lose(journals)
    tell(journals, "bob", None)


def tell_of_another(journals: Journals) -> None:
    lose(journals)
    tell(journals, "bob", seen(journals, "bob")[2])
    for line in journals["bob"]:
        if line["what"] == "missing":
            line.update(name="eve", tag=TAGS["eve"])


def end(journals: Journals) -> None:
    journals["bob"].append({"t": 30.0, "what": "ended", "error": "RefusedError()"})


def accuse(journals: Journals) -> None:
    journals["bob"].append({"t": 30.0, "what": "event", "kind": "Equivocation", "code": None})


def overstate(journals: Journals) -> None:
    place = {"life": "one", "seq": 10}
    journals["ada"].append({"t": 30.0, "what": "delivered", **place, "count": 3, "of": 3})


def test_good_journals_are_good() -> None:
    verdict = check(good())
    assert verdict.faults == []
    assert (verdict.texts, verdict.deliveries, verdict.told, verdict.excused) == (7, 10, 0, 0)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lose, "lost: bob did not see ada 2"),
        (lose_the_last, "lost: bob did not see ada 5"),
        (lose_at_the_newcomer, "lost: eve did not see ada 4"),
        (double, "duplicated: bob saw 'ada 2 ' 2 times"),
        (double_much_later, "duplicated: bob saw 'ada 2 ' 2 times"),
        (swap, "out of order: bob saw ada 1 after 2"),
        (swap_late, "out of order: bob saw ada 1 after 2"),
        (forge, "forged: bob saw 'ada 6 forged', which nobody said"),
        (attribute, "forged: bob saw 'ada 3 ' as said by eve"),
        (turn_back, "out of order: bob saw ada 5 out of the room's order"),
        (echo, "forged: ada saw its own 'ada 0 '"),
        (reveal, "revealed: eve saw 'ada 0 ' of before its time"),
        (reveal_what_others_saw, "revealed: eve saw 'ada 0 ' of before its time"),
        (displace, "displaced: two texts at 8 of one life"),
        (displace_its_own, "displaced: two texts at 9 of one life"),
        (tell_too_little, "lost: bob did not see ada 2"),
        (tell_too_late, "lost: bob did not see ada 2"),
        (tell_of_another, "lost: bob did not see ada 2"),
        (end, "ended: the stay of bob ended by itself: RefusedError()"),
        (accuse, "accused: bob was told Equivocation"),
        (overstate, "false receipt: ada was told that 3 have 'ada 5 ', 2 saw it"),
    ],
)
def test_one_wrong_line_is_found(spoil: Spoil, found: str) -> None:
    journals = good()
    spoil(journals)
    faults = check(journals).faults
    assert any(fault.startswith(found) for fault in faults), faults


def test_what_was_told_is_not_lost_in_silence() -> None:
    journals = good()
    lose(journals)
    tell(journals, "bob", seen(journals, "bob")[2])
    verdict = check(journals)
    assert (verdict.faults, verdict.told, verdict.untrue) == ([], 1, 0)


def test_what_was_told_under_a_tag_alone_is_told() -> None:
    journals = good()
    lose(journals)
    tell(journals, "bob", seen(journals, "bob")[2])
    next(line for line in journals["bob"] if line["what"] == "missing")["name"] = None
    assert check(journals).faults == []


def test_telling_that_nothing_is_missing_is_counted_apart() -> None:
    journals = good()
    tell(journals, "bob", seen(journals, "bob")[2], count=3)
    verdict = check(journals)
    assert (verdict.faults, verdict.told, verdict.untrue) == ([], 0, 3)


@pytest.mark.parametrize(("delivered", "excused"), [(False, 1), (True, 0)])
def test_loss_is_excused_of_one_who_left_before_it_was_confirmed(
    delivered: bool, excused: int
) -> None:
    journals = good()
    lose_the_last(journals)
    leaving = {"t": 15.0 + LEAVING_S / 2, "what": "leaving", "delivered": delivered}
    journals["ada"].append(leaving)
    verdict = check(journals)
    assert (len(verdict.faults), verdict.excused) == (1 - excused, excused)


@pytest.mark.parametrize(
    ("after", "faults", "excused"),
    [
        (-1.0, 0, 0),
        (ON_ITS_WAY_S - 1, 0, 0),
        (WAITING_S - 1, 0, 1),
        (WAITING_S + 1, 1, 0),
    ],
)
def test_what_is_said_when_its_receiver_leaves(after: float, faults: int, excused: int) -> None:
    journals = good()
    lose_the_last(journals)
    journals["bob"].append({"t": 15.1 + after, "what": "leaving", "delivered": True})
    verdict = check(journals)
    assert (len(verdict.faults), verdict.excused) == (faults, excused)


def test_what_was_not_accepted_is_not_due() -> None:
    journals = good()
    lose_the_last(journals)
    lose_at_the_newcomer(journals)
    journals["eve"].remove(seen(journals, "eve")[0])
    answers = [line for line in journals["ada"] if line["what"] == "said"]
    for answer in answers[4:]:
        answer["what"] = "unsent"
    verdict = check(journals)
    assert (verdict.faults, verdict.unsent) == ([], 2)


def test_late_texts_need_not_stand_in_the_order_of_the_room() -> None:
    journals = good()
    seen(journals, "bob")[5].update(seq=3, late=True)
    verdict = check(journals)
    assert (verdict.faults, verdict.late) == ([], 1)


def test_attempts_that_failed_do_not_count() -> None:
    journals = good()
    journals["eve"].insert(0, {"t": 2.0, "what": "begun"})
    journals["eve"].insert(1, {"t": 3.0, "what": "failed", "error": ""})
    assert check(journals).faults == []
    reveal(journals)
    assert check(journals).found["revealed"] == 1


def final(name: str, **other: Any) -> list[dict[str, Any]]:
    line = {"tag": TAGS[name], "members": sorted(TAGS.values()), "words": ["a", "b"]}
    return [{"t": 90.0, "what": "final", "status": "connected", **line, **other}]


def test_in_the_end_all_are_in_one_group() -> None:
    journals = {name: final(name) for name in TAGS}
    assert check_end(journals) == []
    assert ghosts(journals) == 0


@pytest.mark.parametrize(
    ("bob", "found"),
    [
        ([], "bob does not answer"),
        (final("bob", status="reconnecting"), "bob is reconnecting"),
        (final("bob", words=["a", "c"]), "2 different groups"),
        (final("bob", members=["0x0001", "0x0002"]), "2 different groups"),
        (final("bob", tag="0x0009"), "not everybody is in the roster"),
    ],
)
def test_who_is_not_with_the_others_in_the_end_is_found(
    bob: list[dict[str, Any]], found: str
) -> None:
    assert found in check_end({"ada": final("ada"), "bob": bob, "eve": final("eve")})


def test_ghosts_are_counted() -> None:
    assert ghosts({"ada": final("ada"), "bob": final("bob")}) == 1


@pytest.mark.parametrize(
    ("came", "life", "faults", "strange"),
    [
        # Bob is back in the new life after what eve said there: to her he came later.
        (13.7, "two", 0, 1),
        # He was there; or the relay kept its log, and eve had him in the roster.
        (13.0, "two", 1, 0),
        (13.7, "one", 1, 0),
    ],
)
def test_a_newcomer_that_spoke_before_the_others_were_back(
    came: float, life: str, faults: int, strange: int
) -> None:
    journals = good()
    for line in journals["eve"]:
        if line["what"] == "seen":
            line["life"] = life
    journals["bob"].append({"t": came, "what": "state", "status": "connected"})
    journals["eve"] += [
        {"t": 13.51, "what": "saying", "text": "eve 0 "},
        {"t": 13.6, "what": "said", "text": "eve 0 ", "life": life, "seq": 30},
    ]
    line = {"what": "seen", "life": life, "late": False}
    journals["ada"].append(
        {**line, "t": 13.7, "tag": TAGS["eve"], "name": "eve", "text": "eve 0 ", "seq": 30}
    )
    journals["ada"] += [
        {"t": 29.0, "what": "saying", "text": "ada 6 "},
        {"t": 29.9, "what": "said", "text": "ada 6 ", "life": life, "seq": 31},
    ]
    for name in ("bob", "eve"):
        journals[name].append(
            {**line, "t": 30.0, "tag": TAGS["ada"], "name": "ada", "text": "ada 6 ", "seq": 31}
        )
    verdict = check(journals)
    assert (verdict.found["lost"], verdict.strange) == (faults, strange)


@pytest.mark.parametrize(
    ("moved", "seen", "is_stranger"),
    [
        # Eve was the first in the new life, alone in a group; then ada's came back.
        (13.7, None, True),
        # She was in ada's group already; or had heard ada; or she never had another group.
        (13.5, None, False),
        (13.7, 13.4, False),
        (None, None, False),
    ],
)
def test_a_newcomer_that_was_alone_before_the_others_were_back(
    moved: float | None, seen: float | None, is_stranger: bool
) -> None:
    said = {"t": 13.6, "what": "said", "text": "ada 1 ", "life": "two", "seq": 9}
    ada = [
        {"t": 1.0, "what": "entered", "tag": TAGS["ada"]},
        {"t": 2.0, "what": "said", "text": "ada 0 ", "life": "one", "seq": 5},
        said,
    ]
    eve: list[dict[str, Any]] = [{"t": 13.0, "what": "entered", "tag": TAGS["eve"]}]
    heard = {"what": "seen", "life": "two", "late": False, "tag": TAGS["ada"], "name": "ada"}
    if seen is not None:
        eve.append({**heard, "t": seen, "text": "ada 2 ", "seq": 8})
    if moved is not None:
        eve.append({"t": moved, "what": "event", "kind": "Notice", "code": "another_group"})
    eve.append({**heard, "t": 14.0, "text": "ada 3 ", "seq": 12})
    assert _are_strangers(read("eve", eve), read("ada", ada), said) == is_stranger
