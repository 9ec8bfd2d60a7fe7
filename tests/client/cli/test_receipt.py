"""What is said of the newest own message as its receipts come."""

from client.cli.receipt import Newest, readers
from client.event import Delivered, Member, Presence
from client.link import Tag


def test_readers_are_others_who_have_a_seat_and_a_leaf() -> None:
    def member(presence: Presence, *, me: bool = False) -> Member:
        return Member(Tag("0x0001"), None, presence, me=me, heard=True)

    assert readers([member(Presence.PRESENT, me=True)]) == 0
    assert readers([member(presence) for presence in Presence]) == 2


def test_receipts_are_counted_for_the_newest_message() -> None:
    newest = Newest()
    assert newest.describe() is None
    newest.ordered("life", 5, 3)
    assert newest.describe() == "delivered 0 of 3"
    newest.delivered(Delivered("life", 5, 1, 3))
    assert newest.describe() == "delivered 1 of 3"
    newest.ordered("life", 7, 3)
    assert newest.describe() == "delivered 0 of 3"
    newest.delivered(Delivered("life", 7, 2, 2))
    newest.delivered(Delivered("life", 5, 3, 3))
    assert (newest.count, newest.of) == (2, 2)
    assert newest.describe() == "delivered to all"


def test_receipt_may_be_known_before_the_order_is() -> None:
    newest = Newest()
    newest.delivered(Delivered("life", 5, 1, 2))
    assert newest.describe() is None
    newest.ordered("life", 5, 1)
    assert newest.describe() == "delivered 1 of 2"
    newest.ordered("life", 4, 9)
    assert newest.describe() == "delivered 1 of 2"


def test_nobody_who_should_have_it_is_nothing_to_say() -> None:
    newest = Newest()
    newest.ordered("life", 5, 0)
    assert newest.describe() is None
    # All who should have had it left without a word.
    newest.delivered(Delivered("life", 5, 0, 0))
    assert newest.describe() is None


def test_another_life_begins_its_numbers_anew() -> None:
    newest = Newest()
    newest.ordered("life", 500, 2)
    newest.delivered(Delivered("life", 500, 1, 2))
    newest.ordered("next", 3, 1)
    assert newest.describe() == "delivered 0 of 1"
    newest.delivered(Delivered("next", 3, 1, 1))
    assert newest.describe() == "delivered to all"
