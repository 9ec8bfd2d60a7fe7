"""Limits per source that hold over several nodes, as arithmetic: who tells whom what, and when."""

import struct
from collections.abc import Callable

import pytest

from relay import source
from relay.limits import Rate
from relay.source import Source, SourceLimits, source_id
from relay.source_share import MAX_ENTRIES, WHOLE, SharedSources

KEY = bytes(32)
ADDRESS = "192.0.2.1"
LIMITS = SourceLimits(connections=Rate(1.0, 4), messages=Rate(2.0, 10), open_connections=3)


class Nodes:
    """Several nodes that hear of each other whenever they tell."""

    def __init__(self, count: int, limits: SourceLimits = LIMITS) -> None:
        self.tables = [SharedSources(limits, KEY, 7) for _ in range(count)]
        self.now = 0.0

    def find(self, number: int, address: str = ADDRESS) -> Source:
        return self.tables[number].find(address, self.now)

    def admit(self, number: int, address: str = ADDRESS) -> bool:
        return self.tables[number].admit(self.find(number, address), self.now) == 0.0

    def say(self, number: int) -> bool:
        return self.find(number).messages.take(self.now) == 0.0

    def tell(self, *, lose: Callable[[int], bool] = lambda _: False) -> None:
        parts = [(n, list(table.tell())) for n, table in enumerate(self.tables)]
        for n, account in parts:
            for other, table in enumerate(self.tables):
                if other != n and not lose(n):
                    for part in account:
                        table.heard(b"node %d" % n, part, self.now)

    def tell_whole(self) -> None:
        for _ in range(WHOLE):
            self.tell()


def test_open_connections_are_counted_over_all_nodes() -> None:
    nodes = Nodes(3)
    assert nodes.admit(0)
    assert nodes.admit(1)
    nodes.tell()
    assert nodes.admit(2)
    nodes.tell()
    assert not any(nodes.admit(number) for number in range(3))
    assert nodes.admit(0, "192.0.2.2"), "another source is another"
    nodes.tables[1].release(nodes.find(1))
    nodes.tell()
    nodes.now += 9.0
    assert nodes.admit(2)


def test_one_source_gets_its_rate_once_and_not_on_each_node() -> None:
    nodes = Nodes(4)
    given = 0
    seconds = 50
    for _ in range(seconds):
        for number in range(4):
            while nodes.say(number):
                given += 1
        nodes.tell()
        nodes.now += 1.0
    # At first all of them have a whole burst to give; that is owed.
    assert 0.7 * seconds * 2 < given < 4 * 10 + seconds * 2


def test_half_a_limit_on_each_of_two_nodes_costs_nobody_anything() -> None:
    nodes = Nodes(2)
    for _ in range(50):
        assert nodes.say(0)
        assert nodes.say(1)
        nodes.tell()
        nodes.now += 1.0


def test_debt_ends() -> None:
    nodes = Nodes(8)
    for number in range(8):
        while nodes.say(number):
            pass
    nodes.tell()
    assert not nodes.say(0)
    nodes.now += 20 / 2.0 + 0.5
    assert nodes.say(0), "no more than a burst is owed"


def test_what_was_missed_is_told_again() -> None:
    nodes = Nodes(2)
    nodes.tell()
    for _ in range(3):
        assert nodes.admit(0)
    nodes.tell(lose=lambda _: True)
    assert nodes.find(1).elsewhere == 0
    nodes.tell_whole()
    assert nodes.find(1).elsewhere == 3
    for _ in range(3):
        nodes.tables[0].release(nodes.find(0))
    nodes.tell(lose=lambda _: True)
    assert nodes.find(1).elsewhere == 3
    nodes.tell_whole()
    assert nodes.find(1).elsewhere == 0


def test_who_is_gone_has_nothing_open() -> None:
    nodes = Nodes(3)
    for number in (0, 1):
        assert nodes.admit(number)
    nodes.tell()
    table = nodes.tables[2]
    assert nodes.find(2).elsewhere == 2
    table.alive({b"node 1", b"node 2"})
    assert nodes.find(2).elsewhere == 1
    table.alive(set())
    assert nodes.find(2).elsewhere == 0
    table.gone(b"nobody")


def test_nothing_is_told_where_nothing_happens() -> None:
    nodes = Nodes(1)
    assert len(list(nodes.tables[0].tell())) == 1, "all that is open, which is nothing"
    for _ in range(WHOLE - 1):
        assert not list(nodes.tables[0].tell())


def test_long_account_has_parts() -> None:
    nodes = Nodes(2)
    count = 2 * MAX_ENTRIES + 1
    for number in range(count):
        assert nodes.admit(0, f"2001:db8:0:{number:x}::1")
    parts = list(nodes.tables[0].tell())
    assert [len(part) // 32 for part in parts] == [MAX_ENTRIES, MAX_ENTRIES, 1]
    for part in parts:
        nodes.tables[1].heard(b"node 0", part, 0.0)
    assert sum(entry.elsewhere for entry in nodes.tables[1]._table.values()) == count


def test_period_that_is_over_is_not_mixed_with_the_next() -> None:
    nodes = Nodes(2)
    assert nodes.admit(0)
    held = nodes.find(0)
    (old,) = nodes.tables[0].tell()
    for table in nodes.tables:
        table.begin(b"k" * 32, 8)
    nodes.tables[1].heard(b"node 0", old, 0.0)
    assert len(nodes.tables[1]) == 0
    nodes.tables[0].release(held)
    held.messages.take(0.0)
    assert b"".join(nodes.tables[0].tell()) == b"", "its name is of before"


@pytest.mark.parametrize("account", [b"", bytes(8), bytes(9 + 31), bytes(9 + 33)])
def test_what_is_no_account_changes_nothing(account: bytes) -> None:
    table = SharedSources(LIMITS, KEY, 0)
    with pytest.raises(struct.error):
        table.heard(b"node", account, 0.0)
    assert len(table) == 0


def test_full_table_takes_no_more_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_SOURCES", 2)
    nodes = Nodes(2)
    for number in range(4):
        nodes.admit(0, f"192.0.2.{number}")
    assert nodes.tables[0]._table.keys() >= {source_id(KEY, "192.0.2.0")}
    (part,) = nodes.tables[0].tell()
    assert (len(part) - 9) // 32 == 2, "those that share an entry are no source to others"
    nodes.tables[0].release(nodes.find(0, "192.0.2.3"))
    assert not list(nodes.tables[0].tell())
    assert nodes.admit(1, "198.51.100.1")
    nodes.tables[1].heard(b"node 0", part, 0.0)
    assert len(nodes.tables[1]) == 2
    nodes.now = 60.0
    nodes.tables[1].release(nodes.find(1, "198.51.100.1"))
    nodes.tables[1].heard(b"node 0", part, nodes.now)
    assert len(nodes.tables[1]) == 2
    assert all(entry.elsewhere for entry in nodes.tables[1]._table.values())


def test_without_limits_nothing_is_ever_refused() -> None:
    nodes = Nodes(2, SourceLimits(Rate(0.0, 1), Rate(0.0, 1), 0))
    for _ in range(100):
        assert nodes.admit(0)
        assert nodes.say(0)
    nodes.tell()
    assert nodes.admit(1)
    assert nodes.say(1)
