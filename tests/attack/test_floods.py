"""Floods of connections, sources, rooms, newcomers and commits."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attack import figures
from tests.attack.attacker import Attacker, Visitor, connect, crowd
from tests.attack.honest import honest_pair, summary
from tests.attack.target import OPEN, Target, flooding, serving
from tests.relay.raw import (
    PATIENCE_S,
    Closed,
    commit_bytes,
    new_link,
    new_reference,
    post_bytes,
)

FAST = (*OPEN, "--message-rate=0", "--commit-interval=0", "--room-commit-interval=0")
TAGS = 1 << 16


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*FAST, "--max-rooms=200") as relay:
        yield relay


def test_connection_flood_per_source() -> None:
    """The 21st is turned away; one from elsewhere joins at once, one who is here goes on."""
    with serving("--source-connections=20", "--source-connection-rate=0") as relay:
        peers = [Attacker(relay.port) for _ in range(20)]
        with crowd(*peers), flooding(relay, "connections of one source") as cost:
            assert {peer.handshake() for peer in peers} == {101}
            for _ in range(500):
                with Attacker(relay.port) as peer:
                    status, fields, _ = peer.response()
                    assert (status, fields["retry-after"]) == (429, "5")
                cost.sent += 60
            began = time.monotonic()
            with Visitor(relay.port, source="127.0.0.2").join():
                joined_s = time.monotonic() - began
            figures.note("joining beside a flood of connections", f"{joined_s * 1e3:.0f} ms")
            assert joined_s < 10
            assert peers[0].json()["type"] == "challenge"


def test_connection_rate_of_a_source() -> None:
    """A burst, then a trickle: who connects and closes again and again is not let in for long."""
    limits = ("--source-connection-rate=1", "--source-connection-burst=30")
    with serving(*limits) as relay, flooding(relay, "connections opened and closed") as cost:
        began = time.monotonic()
        statuses = []
        for _ in range(300):
            with Attacker(relay.port) as peer:
                # One that is turned away is answered before it asks, and may be gone by then.
                try:
                    statuses.append(peer.handshake())
                except (Closed, ConnectionError):
                    statuses.append(429)
            cost.sent += 200
        allowed = 30 + time.monotonic() - began
        assert 30 <= statuses.count(101) <= allowed + 1
        assert set(statuses) == {101, 429}


def sources(count: int, first: int = 0) -> Iterator[str]:
    """Yield addresses of loopback, each a source of its own."""
    for number in range(first, first + count):
        yield f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def flood_of_sources(relay: Target, count: int) -> float:
    """Let so many sources come and go; return what each has cost, in bytes."""
    before = relay.rss_kb()
    for source in sources(count):
        with connect(relay.port, source):
            pass
    with Visitor(relay.port).join():
        pass
    return (relay.rss_kb() - before) * 1024 / count


def test_flood_of_sources() -> None:
    """What is kept of a source is small; the table has a bound that the long row reaches."""
    with serving() as relay, flooding(relay, "sources that come once") as cost:
        cost.sent = 2000 * 60
        each = flood_of_sources(relay, 2000)
        figures.note("a source that came once", f"{each:.0f} bytes")


@pytest.mark.long
def test_more_sources_than_the_table_holds() -> None:
    with serving() as relay:
        with flooding(relay, "70,000 sources", 64 * 1024) as cost:
            cost.sent = 70_000 * 60
            flood_of_sources(relay, 70_000)
        with flooding(relay, "70,000 sources more", 16 * 1024) as cost:
            cost.sent = 70_000 * 60
            for source in sources(70_000, 70_000):
                with connect(relay.port, source):
                    pass
        with Visitor(relay.port).join():
            pass


def test_room_flood(relay: Target) -> None:
    """Beyond the cap of rooms newcomers are told to wait; rooms that stand go on."""
    with honest_pair(relay.port) as pair:
        calm = pair.latencies_s(100)
        with flooding(relay, "rooms at the cap of 200", 10 * 1024) as cost:
            squatters = [Visitor(relay.port) for _ in range(250)]
            with crowd(*squatters):
                answers = []
                for squatter in squatters:
                    squatter.say_hello(squatter.open())
                    answers.append(squatter.json())
                    cost.sent += 400
                refused = [answer for answer in answers if answer["type"] == "refused"]
                assert len(refused) == 51
                assert all(one["retry_after_ms"] > 0 for one in refused)
                assert {one["reason"] for one in refused} == {"busy"}
                assert squatters[-1].close_code() == 1013
                hostile = pair.latencies_s(100)
        figures.note("honest, calm, before a flood of rooms", summary(calm))
        figures.note("honest, beside a flood of rooms", summary(hostile))
        with Visitor(relay.port, pair.one.link).join():
            pass


def test_rooms_that_nobody_joins_end_with_their_visitors(relay: Target) -> None:
    with flooding(relay, "rooms that come and go") as cost:
        for _ in range(600):
            with Visitor(relay.port) as visitor:
                visitor.hello()
                cost.sent += 400
    until = time.monotonic() + PATIENCE_S
    joined = False
    while not joined:
        assert time.monotonic() < until
        with Visitor(relay.port) as visitor:
            visitor.say_hello(visitor.open())
            joined = visitor.json()["type"] == "welcome"


def test_newcomers_who_never_join(relay: Target) -> None:
    """64 may wait in a room; one more is told to come back, and members talk on."""
    with honest_pair(relay.port) as pair, flooding(relay, "newcomers who never join") as cost:
        squatters = [Visitor(relay.port, pair.one.link) for _ in range(64)]
        with crowd(*squatters):
            for squatter in squatters:
                squatter.hello()
                cost.sent += 400
            with Visitor(relay.port, pair.one.link) as late:
                late.say_hello(late.open())
                assert late.json()["reason"] == "busy"
                assert late.close_code() == 4010
            pair.latencies_s(50)


def test_newcomer_among_squatters_joins() -> None:
    """Squatters lose the turn after three seconds; here it is 0.2 s, and there are six."""
    with serving(*FAST, "--turn-timeout=0.2") as relay, honest_pair(relay.port) as pair:
        squatters = [Visitor(relay.port, pair.one.link) for _ in range(6)]
        with crowd(*squatters):
            for squatter in squatters:
                squatter.hello()
            with Visitor(relay.port, pair.one.link).join() as late:
                late.send(post_bytes(late.fence))
                while late.message()[0] != 0x13:
                    pass


def test_garbage_commits_of_an_outsider(relay: Target) -> None:
    """Without the link no commit gets in: not before hello, not by a hello without proof."""
    with honest_pair(relay.port) as pair:
        with Visitor(relay.port) as thief:
            thief.open()
            thief.send(commit_bytes(2))
            assert thief.json()["reason"] == "state"
        with Visitor(relay.port, pair.one.link) as waiting:
            waiting.hello()
            with Visitor(relay.port, pair.one.link) as holder:
                holder.hello()
                with Visitor(relay.port, pair.one.link) as third:
                    third.hello()
                    third.send(commit_bytes(2))
                    assert third.json()["reason"] == "state", "its turn has not come"
        assert pair.latencies_s(5, 2)


def test_epoch_race_of_32_committers(relay: Target) -> None:
    """Of all commits for one fence exactly one is taken, whoever is quickest."""
    race(relay, rounds=8)


@pytest.mark.long
def test_epoch_race_of_32_committers_often(relay: Target) -> None:
    race(relay, rounds=100_000)


def race(relay: Target, rounds: int) -> None:
    link = new_link()
    members = [Visitor(relay.port, link).join() for _ in range(32)]
    fence = 32
    with crowd(*members), ThreadPoolExecutor(32) as threads:
        for _ in range(rounds):
            references = [new_reference() for _ in members]
            for member, reference in zip(members, references, strict=True):
                member.send(commit_bytes(fence, reference=reference))
            told = list(threads.map(outcome, members, references))
            assert told.count(0x13) == 1, "one is ordered"
            fence += 1


def outcome(member: Visitor, reference: bytes) -> int:
    """Return how the commit under a reference went: its ack's kind, or 0 for a refusal."""
    while True:
        message = member.message()
        if message[0] == 0x13 and message[1:9] == reference:
            return 0x13
        if message.startswith(b'{"type":"refused"') and reference.hex().encode() in message:
            return 0


def test_commits_of_one_member_leave_others_their_turn() -> None:
    """One commits as fast as it is let; another's commits get in all the same."""
    with serving(*OPEN, "--commit-burst=1000", "--room-commit-burst=4") as relay:
        link = new_link()
        loud, other = (Visitor(relay.port, link).join() for _ in range(2))
        with crowd(loud, other), flooding(relay, "commits of one member") as cost:
            fence = 2
            wins = 0
            until = time.monotonic() + PATIENCE_S
            while wins < 3:
                assert time.monotonic() < until
                mine, its = new_reference(), new_reference()
                loud.send(commit_bytes(fence, reference=its))
                other.send(commit_bytes(fence, reference=mine))
                cost.sent += 4000
                taken = [outcome(loud, its), outcome(other, mine)]
                wins += taken[1] == 0x13
                fence += 0x13 in taken
                time.sleep(0.05)


def test_tags_are_unique_in_a_room(relay: Target) -> None:
    with Visitor(relay.port).join() as keeper:
        take_tags(relay, keeper, 600)


@pytest.mark.long
def test_tags_of_a_room_are_used_up() -> None:
    """Then that room is full until its life ends; any other is not."""
    with serving(*FAST) as relay, Visitor(relay.port).join() as keeper:
        take_tags(relay, keeper, TAGS - 1)
        with Visitor(relay.port, keeper.link) as late:
            late.say_hello(late.open())
            assert late.json()["reason"] == "full"
            assert late.close_code() == 4503
        with Visitor(relay.port).join():
            pass


def take_tags(relay: Target, keeper: Visitor, count: int) -> None:
    found = {keeper.tag}
    with flooding(relay, f"{count} tags of one room") as cost:
        for _ in range(count):
            with Visitor(relay.port, keeper.link) as visitor:
                tag = visitor.hello()["tag"]
                assert tag not in found
                found.add(tag)
                cost.sent += 400
