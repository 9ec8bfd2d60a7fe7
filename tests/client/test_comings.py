"""Who came, went and came back, each told once (R5, R6, R32)."""

from client.comings import EXPECTED_S, Comings
from client.effect import Emit
from client.event import Back, Event, Joined, Left
from client.link import Tag
from client.mls import Identity, Member
from client.roster import Roster
from client.stay import Stay
from tests.pair import LINK

A, B = Member(0, "0x000a", b"a"), Member(1, "0x000b", b"b")
B_AGAIN = Member(1, "0x001b", b"b")
LIFE = "AAAAAAAAAAA"


class Told:
    """Comings, and what they told."""

    def __init__(self) -> None:
        self.stay = Stay("host", LINK.keys(), Identity.generate(), bytes, life=bytes(8), seq=70)
        self.roster = Roster()
        self.comings = Comings(self.stay, self.roster)

    def events(self) -> list[Event]:
        effects, self.stay.effects = self.stay.effects, []
        return [effect.event for effect in effects if isinstance(effect, Emit)]


def test_r06_who_is_new_has_joined_and_who_is_gone_has_left() -> None:
    told = Told()
    told.roster.rename(b"b", "Bob")
    assert told.comings.began([A], [A, B], 5, None) == ({b"b"}, set())
    assert told.events() == [Joined(Tag("0x000b"), "Bob", LIFE, 5)]
    told.stay.heard = {b"a": 1.0, b"b": 1.0}
    assert told.comings.began([A, B], [A], 6, None) == (set(), {b"b"})
    assert told.events() == [Left(Tag("0x000b"), "Bob", LIFE, 6)]
    assert told.stay.heard == {b"a": 1.0}


def test_r05_key_under_another_tag_is_back_and_neither_came_nor_went() -> None:
    told = Told()
    assert told.comings.began([A, B], [A, B_AGAIN], 5, None) == (set(), set())
    assert told.events() == [Back(Tag("0x001b"), Tag("0x000b"), None, LIFE, 5)]
    other = Member(1, "0x000b", b"another")
    assert told.comings.began([B], [other], 6, None) == ({b"another"}, {b"b"})


def test_r06_seat_that_was_told_to_be_gone_is_not_told_again_with_its_leaf() -> None:
    told = Told()
    told.comings.seat_left(Tag("0x000b"))
    assert told.comings.began([A, B], [A], 5, None) == (set(), {b"b"})
    assert told.events() == []
    # A tag is not issued twice in a life, but after that it may be.
    told.comings.began([A], [A, B], 6, None)
    told.comings.began([A, B], [A], 7, None)
    assert [type(event) for event in told.events()] == [Joined, Left]


def test_r32_who_is_not_in_the_group_that_we_entered_is_expected_back() -> None:
    told = Told()
    assert told.comings.began([A, B], [], 5, 100.0) == (set(), set())
    assert told.comings.expected == {b"a", b"b"}
    assert told.comings.deadline() == 100.0
    assert told.comings.began([], [B_AGAIN], 6, None) == (set(), set())
    assert told.events() == [Back(Tag("0x001b"), Tag("0x000b"), None, LIFE, 6)]
    assert told.comings.expected == {b"a"}
    assert told.comings.expire(99.9) == set()
    assert told.comings.expire(100.0) == {b"a"}
    assert told.events() == [Left(Tag("0x000a"), None, LIFE, 70)]
    assert (told.comings.expected, told.comings.deadline()) == (frozenset(), None)
    assert told.comings.began([B_AGAIN], [A, B_AGAIN], 8, None) == ({b"a"}, set())


def test_r32_who_is_back_under_the_same_tag_is_nothing_to_tell() -> None:
    told = Told()
    told.comings.began([A], [], 5, EXPECTED_S)
    assert told.comings.began([], [A], 6, None) == (set(), set())
    assert told.events() == []


def test_r32_who_said_goodbye_is_not_expected() -> None:
    told = Told()
    told.comings.seat_left(Tag("0x000b"))
    assert told.comings.began([A, B], [], 5, 100.0) == (set(), {b"b"})
    assert told.comings.expected == {b"a"}
    assert told.events() == []
