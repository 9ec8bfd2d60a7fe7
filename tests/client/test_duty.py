"""Whose turn a duty of the room is, and when (R6, R12, R16, R17, R25)."""

import pytest

from client.duty import MAX_OFFERERS, REFRESH_GAP_S, REFRESH_PER_LEAF_S, REFRESH_S, Duties
from client.link import Tag
from client.roster import LEFT_S, RANK_S
from client.stay import Phase
from tests.pair import Client, Stage


@pytest.fixture(scope="module")
def clients() -> list[Client]:
    stage = Stage()
    clients = stage.join(5)
    stage.wait(5)
    return clients


def duties(client: Client, chance: int = 0x80) -> Duties:
    """New duties of a member that is in a room; ``chance`` of 256 is drawn."""
    stay = client.room._stay
    stay.draw = lambda length: bytes([chance]) + bytes(length - 1)
    return Duties(stay, client.room._roster)


def test_r25_first_ranks_offer_one_after_another_and_the_others_do_not(
    clients: list[Client],
) -> None:
    for rank, client in enumerate(clients):
        mine = duties(client)
        assert mine.rank == rank
        mine.needed(10.0)
        if rank >= MAX_OFFERERS:
            assert mine.deadline() is None
            assert not mine.takes_offer(99.0)
            continue
        at = 10.0 + rank * RANK_S
        assert mine.deadline() == at
        mine.needed(10.1)
        assert mine.deadline() == at
        assert not mine.takes_offer(at - 0.01)
        assert mine.takes_offer(at)
        assert not mine.takes_offer(at)


def test_r25_who_is_stranded_has_nothing_to_offer(clients: list[Client]) -> None:
    mine = duties(clients[0])
    clients[0].room._stay.phase = Phase.STRANDED
    mine.needed(10.0)
    clients[0].room._stay.phase = Phase.JOINED
    assert mine.deadline() is None


def test_r12_commit_that_heals_is_made_once_and_by_whose_turn_comes(clients: list[Client]) -> None:
    mine = duties(clients[1])
    mine.heal(10.0)
    assert mine.takes_commit(10.2) is None
    assert mine.deadline() == 10.0 + RANK_S
    assert mine.takes_commit(10.0 + RANK_S) == []
    assert mine.takes_commit(11.0) is None
    mine.heal(20.0)
    mine.committed(20.1)
    assert mine.takes_commit(99.0) is None


def test_r16_keys_are_renewed_not_within_ten_seconds_of_an_epoch(clients: list[Client]) -> None:
    mine = duties(clients[1])
    mine.began(100.0)
    mine.renew(101.0)
    mine.renew(500.0)
    assert mine.deadline() == 100.0 + REFRESH_GAP_S
    assert mine.takes_commit(109.9) is None
    assert mine.takes_commit(110.0) == []
    mine.began(110.0)
    assert mine.takes_commit(999.0) is None
    mine.renew(200.0)
    assert mine.deadline() == 200.0 + RANK_S


@pytest.mark.parametrize(("chance", "factor"), [(0, 0.8), (0x80, 1.0)])
def test_r17_leaf_is_refreshed_after_its_time_give_or_take_a_fifth(
    clients: list[Client], chance: int, factor: float
) -> None:
    mine = duties(clients[0], chance)
    mine.renewed(2, 50.0)
    assert mine.deadline() == pytest.approx(50.0 + REFRESH_S * factor)
    mine.renewed(100, 50.0)
    assert mine.deadline() == pytest.approx(50.0 + 100 * REFRESH_PER_LEAF_S * factor)
    due = mine.deadline()
    assert due is not None
    assert mine.takes_commit(due - 0.1) is None
    assert mine.takes_commit(due) == []


def test_r17_refresh_of_another_puts_ours_off(clients: list[Client]) -> None:
    mine = duties(clients[0])
    mine.others_renewed(0.0)
    assert mine.deadline() is None
    mine.renewed(2, 0.0)
    mine.others_renewed(10.0)
    assert mine.deadline() == REFRESH_S
    mine.others_renewed(REFRESH_S - 1)
    assert mine.deadline() == REFRESH_S - 1 + REFRESH_GAP_S


def test_r06_leaf_whose_seat_is_gone_is_removed_by_rank_anew_from_each_commit(
    clients: list[Client],
) -> None:
    client, roster = clients[1], clients[1].room._roster
    gone = client.room._stay.others[-1]
    mine = duties(client)
    roster.left(Tag(gone.tag), 100.0)
    at = 100.0 + LEFT_S
    assert mine.deadline() == at + RANK_S
    assert mine.takes_commit(at + RANK_S - 0.1) is None
    mine.committed(at + 0.2)
    assert mine.deadline() == at + 0.2 + RANK_S
    assert mine.takes_commit(at + RANK_S) is None
    assert mine.takes_commit(at + 0.2 + RANK_S) == [gone.leaf]
    roster.present(Tag(gone.tag))
    assert mine.takes_commit(at + 99) is None


def test_nothing_is_our_turn_while_the_connection_is_gone(clients: list[Client]) -> None:
    mine = duties(clients[0])
    mine.needed(0.0)
    mine.heal(0.0)
    mine.renew(0.0)
    mine.stop()
    assert mine.deadline() is None
    assert not mine.takes_offer(99.0)
    assert mine.takes_commit(99.0) is None
