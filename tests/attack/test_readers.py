"""Readers that are slow, that never read, and whose link is down."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.attack import figures
from tests.attack.attacker import (
    BINARY,
    FIN,
    Attacker,
    Visitor,
    answers,
    crowd,
    go_deaf,
    quick_frame,
)
from tests.attack.honest import honest_pair, summary
from tests.attack.target import MOST_KB, OPEN, Target, flooding, serving, start
from tests.relay.raw import (
    COMMIT_SEALED,
    PATIENCE_S,
    Closed,
    commit_bytes,
    new_link,
    new_reference,
    offer_bytes,
    post_bytes,
)

FREE = (*OPEN, "--message-rate=0", "--commit-interval=0", "--room-commit-interval=0")
KIB = 1024
# GroupInfos as large as they may be: what is shown to a newcomer is then half a megabyte.
LARGE_COMMIT = 126 * KIB
LARGE_OFFER = 127 * KIB
# What one connection may be behind by, 256 KiB; a buffer that grows may hold twice as much.
READER_KB = 2 * 256
# One that asked for an info holds one of them besides, until it asks for the next.
ASKER_KB = 256 + 512 + 128
NEED = b'{"type":"need"}'
# What a peer that reads nothing may be sent until it is cut: what it may be behind, and as much
# again as the system holds at both ends.
UNREAD_BYTES = 1_500_000


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*FREE) as relay:
        yield relay


def talk(visitor: Visitor, count: int) -> int:
    """Post the largest messages, each acknowledged; return how many seats went away meanwhile."""
    gone = 0
    for _ in range(count):
        visitor.raw(quick_frame(FIN | BINARY, post_bytes(visitor.fence, bytes(28 + 4096))))
        while (message := visitor.message())[0] != 0x13:
            gone += message.startswith(b'{"type":"away"')
    return gone


def test_slow_reader_in_busy_room() -> None:
    """It is cut; the others lose nothing, and are not kept waiting."""
    with serving(*FREE, "--slow-after=1") as relay, honest_pair(relay.port) as pair:
        calm = pair.latencies_s(200)
        slow = Visitor(relay.port, pair.one.link, receive_buffer=4096).join()
        with crowd(slow), flooding(relay, "a slow reader in a busy room") as cost:
            pair.one.fence = pair.two.fence = slow.fence
            began = time.monotonic()
            hostile: list[float] = []
            gone = 0
            while not gone:
                gone = talk(pair.one, 20)
                cost.sent += 20 * 4141
                hear(pair.two, 20)
                hostile += pair.latencies_s(5, slow.fence)
                assert time.monotonic() - began < PATIENCE_S
            assert cost.sent < UNREAD_BYTES
        figures.note("honest, calm, before a slow reader", summary(calm))
        figures.note("honest, beside a slow reader", summary(hostile))


def hear(visitor: Visitor, count: int) -> None:
    """Read so many messages of the largest size."""
    while count:
        count -= len(visitor.message()) > 4096


def test_a_hundred_that_never_read(relay: Target) -> None:
    """What they cost at most is what each may be behind, for as long as it may be."""
    before = relay.rss_kb()
    with honest_pair(relay.port) as pair:
        deaf = [Visitor(relay.port, pair.one.link, receive_buffer=4096).join() for _ in range(100)]
        with crowd(*deaf), flooding(relay, "a hundred that never read", 100 * READER_KB) as cost:
            pair.one.fence = deaf[-1].fence
            began = time.monotonic()
            gone = 0
            while gone < 100:
                gone += talk(pair.one, 20)
                cost.sent += 20 * 4141
                hear(pair.two, 20)
                assert time.monotonic() - began < PATIENCE_S
            assert cost.sent < UNREAD_BYTES
        figures.note("one that never reads", f"{cost.grown_kb / 100:.0f} kB each at most")
    until = time.monotonic() + 3 * PATIENCE_S
    while relay.rss_kb() - before >= MOST_KB:
        assert time.monotonic() < until, "not all of it is given back"
        time.sleep(0.1)


def large_room(relay: Target, sessions: int) -> list[Visitor]:
    """Fill a room whose info is as large as it can be."""
    link = new_link()
    visitors = [Visitor(relay.port, link, receive_buffer=4096).join() for _ in range(sessions)]
    first, fence = visitors[0], visitors[-1].fence
    reference = new_reference()
    first.send(commit_bytes(fence, bytes(COMMIT_SEALED), bytes(28 + LARGE_COMMIT), reference))
    while (message := first.message())[:9] != b"\x13" + reference:
        assert not message.startswith(b'{"type":"refused"')
    for visitor in visitors:
        visitor.fence = fence + 1
    for visitor in visitors[1:4]:
        visitor.send(offer_bytes(fence + 1, bytes(28 + LARGE_OFFER)))
        while visitor.message()[0] != 0x13:
            pass
    return visitors


def test_needs_of_those_who_never_read() -> None:
    """A few bytes ask for half a megabyte; who does not take one is cut at the next."""
    with serving(*FREE, "--slow-after=600") as relay:
        keeper, *others = large_room(relay, 34)
        before = relay.rss_kb()
        with crowd(keeper, *others), flooding(relay, "needs, never reading", 30 * ASKER_KB) as cost:
            for visitor in others[3:]:
                for _ in range(5):
                    visitor.try_raw(quick_frame(FIN | 1, NEED))
                    cost.sent += 21
            # Not by TCP, which gives them up after 20 s.
            keeper.sock.settimeout(10)
            for _ in others[3:]:
                keeper.until("away")
        figures.note("one that asks and never reads", f"{cost.grown_kb / 30:.0f} kB")
        assert relay.rss_kb() - before < MOST_KB, "all of it is given back"


def test_newcomer_that_loses_every_race_and_never_reads(relay: Target) -> None:
    """Each race lost shows it half a megabyte more to join by; it has time to join, not memory."""
    visitors = large_room(relay, 8)
    squatter = Visitor(relay.port, visitors[0].link, receive_buffer=4096)
    with crowd(squatter, *visitors), flooding(relay, "races lost, never reading") as cost:
        squatter.hello()
        fence = visitors[0].fence
        for _ in range(6):
            cost.sent += commit_large(visitors, fence)
            fence += 1
            for visitor in visitors[1:4]:
                data = offer_bytes(fence, bytes(28 + LARGE_OFFER))
                visitor.raw(quick_frame(FIN | BINARY, data))
                cost.sent += len(data)
            if not squatter.try_raw(quick_frame(FIN | BINARY, commit_bytes(fence - 1))):
                break
            cost.sent += 2200
        assert sum(map(len, answers(squatter))) < 3 * (LARGE_COMMIT + 3 * LARGE_OFFER)


def commit_large(visitors: list[Visitor], fence: int) -> int:
    """Let whoever is let commit; return the bytes that this took."""
    sent = 0
    while True:
        for visitor in visitors:
            data = commit_bytes(fence, group_info=bytes(28 + LARGE_COMMIT))
            visitor.raw(quick_frame(FIN | BINARY, data))
            sent += len(data)
            # Frames of others' commits, acknowledgements of offers and events come in between.
            while (message := visitor.message())[:9] != b"\x13" + data[1:9]:
                if message.startswith(b'{"type":"refused"') and data[1:9].hex().encode() in message:
                    break
            else:
                return sent
        time.sleep(0.1)


def test_resumes_of_one_that_never_reads(relay: Target) -> None:
    """A replay goes out as it is taken: asking for it again and again piles nothing up."""
    with honest_pair(relay.port) as pair:
        asker = Visitor(relay.port, pair.one.link, receive_buffer=4096).join()
        pair.one.fence = asker.fence
        for _ in range(10):
            talk(pair.one, 20)
            hear(pair.two, 20)
        with flooding(relay, "resumes, never reading") as cost:
            ticket, mark = asker.ticket, asker.mark
            for _ in range(20):
                other = Visitor(relay.port, asker.link, receive_buffer=4096)
                ticket = other.say_resume(other.open(), ticket, mark, asker.seq)["ticket"] or ticket
                cost.sent += 900
                asker.sock.close()
                other.seq, asker = asker.seq, other
        asker.sock.close()


def test_slow_reader_and_sigterm() -> None:
    """A relay that is told to stop does not wait for those who read nothing."""
    relay = start(*FREE).warm_up()
    visitors = large_room(relay, 12)
    for visitor in visitors[4:]:
        visitor.raw(quick_frame(FIN | 1, NEED) * 2)
    unread = Attacker(relay.port, receive_buffer=4096)
    unread.try_raw(b"GET /words.txt HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
    half = [Attacker(relay.port) for _ in range(20)]
    for peer in half:
        peer.raw(b"GET / HTTP/1.1\r\nHos")
    time.sleep(0.2)
    began = time.monotonic()
    relay.process.send_signal(signal.SIGTERM)
    code, out, err = relay.stop()
    taken = time.monotonic() - began
    figures.note("SIGTERM with readers that do not read", f"{taken:.1f} s of 5 s")
    assert (code, out, err) == (0, "", "")
    assert taken < 10 * 5
    for peer in (*visitors, unread, *half):
        peer.sock.close()


def deafen(visitor: Visitor) -> None:
    """Take its link down, as seen from the relay."""
    try:
        go_deaf(visitor.sock)
    except OSError:
        pytest.skip("this system filters no packets for a socket")


def test_half_open_peer() -> None:
    """The link is down: what is sent is never acknowledged, and nobody says goodbye.

    The one that is sent something is gone by what TCP says (20 s), the others by their silence.
    """
    limits = ("--ping-interval=1", "--dead-after=2")
    with serving(*FREE, *limits) as relay, honest_pair(relay.port) as pair:
        silent = [Visitor(relay.port, pair.one.link).join() for _ in range(5)]
        with crowd(*silent):
            for visitor in silent:
                deafen(visitor)
            began = time.monotonic()
            with ThreadPoolExecutor(2) as threads:
                for _ in silent:
                    # Both answer their pings meanwhile.
                    list(threads.map(Visitor.until, (pair.one, pair.two), ("away", "away")))
            figures.note("half-open peers, dead after 2 s", f"{time.monotonic() - began:.1f} s")
            assert pair.latencies_s(5, silent[-1].fence)


@pytest.mark.long
def test_half_open_peer_by_default() -> None:
    """Sent something it is gone after 20 s (TCP_USER_TIMEOUT), sent nothing after 45 s."""
    with serving(*FREE) as relay, honest_pair(relay.port) as pair:
        for is_told in (True, False):
            visitor = Visitor(relay.port, pair.one.link).join()
            pair.one.fence = visitor.fence
            with crowd(visitor):
                deafen(visitor)
                began = time.monotonic()
                if is_told:
                    pair.latencies_s(1, visitor.fence)
                pair.one.sock.settimeout(100)
                with suppress(Closed):
                    pair.one.until("away")
                taken = time.monotonic() - began
                figures.note(f"half-open peer, {is_told=}", f"{taken:.0f} s of 45 s")
                assert taken < 10 * 45
