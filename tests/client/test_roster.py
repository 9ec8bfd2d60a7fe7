"""Seats as decoration of leaves, and whose leaf is due (R6)."""

from client.event import Member, Presence
from client.link import Tag
from client.mls import Member as Leaf
from client.roster import LEFT_S, MAX_NICKS, MAX_SEATS, UNSEATED_S, Roster

TAGS = [Tag(f"0x000{n}") for n in range(4)]
LEAVES = [Leaf(n, tag, b"key%d" % n) for n, tag in enumerate(TAGS)]


def seated(*away: Tag) -> Roster:
    roster = Roster()
    roster.seated(TAGS, away)
    return roster


def test_presence_is_what_the_relay_says() -> None:
    roster = seated(TAGS[1])
    assert [roster.presence(tag) for tag in TAGS[:2]] == [Presence.PRESENT, Presence.AWAY]
    roster.away(TAGS[0])
    roster.present(TAGS[1])
    roster.left(TAGS[2], 0.0)
    shown = [roster.presence(tag) for tag in TAGS]
    assert shown == [Presence.AWAY, Presence.PRESENT, Presence.GONE, Presence.PRESENT]
    roster.clear_seats()
    assert roster.presence(TAGS[1]) is Presence.GONE


def test_r06_leaf_is_due_soon_after_its_seat_went_and_late_if_it_never_had_one() -> None:
    roster = seated()
    roster.left(TAGS[1], 10.0)
    roster.watch(LEAVES, 10.0)
    assert roster.deadline() == 10.0 + LEFT_S
    assert roster.due(LEAVES, 10.0 + LEFT_S - 0.1) == []
    assert roster.due(LEAVES, 10.0 + LEFT_S) == [1]
    assert roster.due(LEAVES, 10.0 + LEFT_S, wait_s=0.3) == []
    roster.watch(LEAVES[:1], 20.0)
    assert roster.deadline() is None
    unknown = Leaf(9, Tag("0x0009"), b"key9")
    roster.watch([*LEAVES, unknown], 20.0)
    assert roster.deadline() == 20.0 + UNSEATED_S
    roster.present(Tag("0x0009"))
    assert roster.due([unknown], 1000.0) == []


def test_r06_rank_counts_present_members_before_us() -> None:
    roster = seated(TAGS[0])
    assert [roster.rank(LEAVES, n) for n in range(4)] == [0, 0, 1, 2]


def test_seats_without_a_leaf_are_connecting_unless_away() -> None:
    roster = seated(TAGS[2])
    assert roster.connecting(LEAVES[:1]) == [TAGS[1], TAGS[3]]


def test_nicknames_are_bounded_and_the_newest_kept() -> None:
    roster = Roster()
    assert roster.rename(b"a", "Ada")
    assert not roster.rename(b"a", "Ada")
    for number in range(MAX_NICKS):
        assert roster.rename(b"%d" % number, "n")
    assert roster.nick(b"a") is None
    assert roster.nick(b"0") == "n"


def test_member_is_described() -> None:
    roster = seated()
    roster.rename(b"key0", "Ada")
    shown = roster.member(LEAVES[0], heard=True, silent=True)
    assert shown == Member(TAGS[0], "Ada", Presence.PRESENT, me=False, heard=True, silent=True)
    shown = roster.me(LEAVES[1], "Eve")
    assert shown == Member(TAGS[1], "Eve", Presence.PRESENT, me=True, heard=True)


def test_relay_that_makes_up_seats_fills_no_memory() -> None:
    roster = seated()
    for number in range(10 * MAX_SEATS):
        roster.present(Tag(f"0x{number:04x}"))
    assert len(roster.connecting([])) == MAX_SEATS
    roster.away(TAGS[0])
    roster.present(TAGS[0])
    assert roster.presence(TAGS[0]) is Presence.PRESENT
    assert roster.presence(Tag("0xffff")) is Presence.GONE
