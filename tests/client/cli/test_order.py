"""Our own texts take their place among those of others."""

from hypothesis import given
from hypothesis import strategies as st

from client.cli.order import Own, in_order
from client.event import EpochChanged, Event, Message
from client.link import Tag


def heard(seq: int, life: str = "one") -> Message:
    return Message(Tag("0x0001"), None, "", life, seq)


def test_own_text_goes_before_what_was_ordered_later() -> None:
    batch: list[Event | Own] = [heard(5), EpochChanged(2), heard(7), Own("mine", "one", 6)]
    assert in_order(batch) == [heard(5), EpochChanged(2), Own("mine", "one", 6), heard(7)]


def test_numbers_of_another_life_do_not_compare() -> None:
    batch: list[Event | Own] = [heard(9, "old"), heard(3, "new"), Own("mine", "new", 2)]
    assert in_order(batch) == [heard(9, "old"), Own("mine", "new", 2), heard(3, "new")]


@given(st.data())
def test_any_interleaving_ends_in_the_one_order(data: st.DataObject) -> None:
    mine = data.draw(st.sets(st.integers(1, 20)))
    others = [heard(seq) for seq in range(1, 21) if seq not in mine]
    own = [Own("", "one", seq) for seq in sorted(mine)]
    batch: list[Event | Own] = []
    while others or own:
        batch.append((others if others and (not own or data.draw(st.booleans())) else own).pop(0))
    numbers = [item.seq for item in in_order(batch) if isinstance(item, Message | Own)]
    # Others' texts keep their order by themselves; ours is never behind a later one of theirs.
    for place, item in enumerate(in_order(batch)):
        if isinstance(item, Own):
            assert all(n < item.seq or n in mine for n in numbers[:place])
