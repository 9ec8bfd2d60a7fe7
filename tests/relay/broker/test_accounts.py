"""What nodes tell each other of their sources: sealed, in order, each once."""

import pytest

from relay.broker import accounts
from relay.broker.accounts import NAME, PERIOD_S, Accounts
from relay.broker.cipher import Cipher
from relay.broker.operation import NODE_BYTES, Node
from relay.limits import Rate
from relay.source import SourceLimits

LIMITS = SourceLimits(connections=Rate(1.0, 4), messages=Rate(2.0, 10), open_connections=3)
SECRET = bytes(32)
ADDRESS = "192.0.2.1"


def node(number: int, secret: bytes = SECRET) -> Accounts:
    return Accounts(LIMITS, Cipher(secret, Node(bytes([number]) * NODE_BYTES)), 0.0)


def admit(accounts: Accounts) -> bool:
    sources = accounts.sources
    return sources.admit(sources.find(ADDRESS, 0.0), 0.0) == 0.0


def elsewhere(accounts: Accounts) -> int:
    return accounts.sources.find(ADDRESS, 0.0).elsewhere


def test_nodes_with_the_same_key_hear_each_other_and_nobody_else_understands() -> None:
    one, two, stranger = node(1), node(2), node(3, b"k" * 32)
    assert admit(one)
    (record,) = one.tell()
    for each in (one, two, stranger):
        each.heard(record, 0.0)
    assert [elsewhere(each) for each in (one, two, stranger)] == [0, 1, 0]
    assert bytes((192, 0, 2, 1)) not in record
    assert one.sources.find(ADDRESS, 0.0)._identity not in record  # type: ignore[attr-defined]


def test_what_was_told_before_is_not_taken_again() -> None:
    one, two = node(1), node(2)
    (empty,) = one.tell()
    assert admit(one)
    (opened,) = one.tell()
    two.heard(opened, 0.0)
    two.heard(empty, 0.0)
    assert elsewhere(two) == 1
    for _ in range(9):
        two.heard(opened, 0.0)
    assert two.sources.find(ADDRESS, 0.0).connections.level(0.0) == 3.0


def test_forged_and_cut_ones_change_nothing() -> None:
    one, two = node(1), node(2)
    assert admit(one)
    (record,) = one.tell()
    cipher = Cipher(SECRET, Node(b"x" * NODE_BYTES))
    no_account = cipher.seal(NAME, cipher.next(), b"no account")
    for wrong in (b"", record[:-1], bytes([record[0] ^ 1]) + record[1:], no_account):
        two.heard(wrong, 0.0)
    assert len(two.sources) == 0
    two.heard(record, 0.0)
    assert elsewhere(two) == 1


def test_who_is_gone_is_forgotten() -> None:
    one, two = node(1), node(2)
    assert admit(one)
    for record in one.tell():
        two.heard(record, 0.0)
    two.alive({Node(bytes([2]) * NODE_BYTES)})
    assert elsewhere(two) == 0


def test_what_was_told_before_a_line_broke_is_not_taken_again() -> None:
    one, two = node(1), node(2)
    assert admit(one)
    (record,) = one.tell()
    two.heard(record, 0.0)
    two.alive(set())
    two.heard(record, 0.0)
    assert elsewhere(two) == 0
    assert two.sources.find(ADDRESS, 0.0).connections.level(0.0) == 3.0


def test_of_many_starts_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MAX_NODES", 2)
    listener = node(9)
    for number in (1, 2, 1, 3):
        for record in node(number).tell():
            listener.heard(record, 0.0)
    assert len(listener._heard) == 2


def test_names_change_with_the_period_and_are_the_same_everywhere() -> None:
    one, two = node(1), node(2)
    before = one.sources.find(ADDRESS, 0.0)
    for each in (one, two):
        each.turn(PERIOD_S - 1.0)
    assert one.sources.find(ADDRESS, 0.0) is before
    for each in (one, two):
        each.turn(PERIOD_S + 1.0)
    assert one.sources.find(ADDRESS, 0.0) is not before
    assert admit(one)
    for record in one.tell():
        two.heard(record, 0.0)
    assert elsewhere(two) == 1
