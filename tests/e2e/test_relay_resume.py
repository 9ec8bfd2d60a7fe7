"""The real relay on loopback: seats that are given back, also by a relay that was killed (4.5)."""

import secrets
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.serve import DRAIN_S
from tests.relay.process import Relay, running, start_relay
from tests.relay.raw import (
    COMMIT_SEALED,
    PATIENCE_S,
    Link,
    Member,
    Peer,
    commit_bytes,
    new_link,
    new_reference,
    offer_bytes,
    post_bytes,
)

OPEN = ("--source-connection-rate=0", "--source-message-rate=0", "--message-rate=0")
BIG = bytes(28 + 4096)
# With the header of a frame: as many of BIG as fit into the ring.
RING_BIG = 2**20 // (len(BIG) + 20)


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with running(*OPEN) as relay:
        yield relay


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_bytes(secrets.token_bytes(32))
    return str(path)


def pair(relay: Relay) -> tuple[Link, Member, Member]:
    """Return two who know of each other."""
    link = new_link()
    one, two = Member(relay.port, link).join(), Member(relay.port, link).join()
    one.seq, one.fence = one.until("joined")["seq"], 2
    return link, one, two


def posted(member: Member, count: int, sealed: bytes = BIG) -> None:
    for _ in range(count):
        member.send(post_bytes(member.fence, sealed))
        while kind(member.message()) != "ack":
            pass


def kind(message: bytes) -> str:
    return {0x11: "frame", 0x12: "info", 0x13: "ack"}.get(message[0], "text")


def test_r27_resume_gets_what_was_missed(relay: Relay) -> None:
    _, one, two = pair(relay)
    one.send(post_bytes(2, b"a" * 284, reference=b"r" * 8))
    reference = new_reference()
    one.send(commit_bytes(2, reference=reference))
    assert two.message()[0] == 0x11
    assert two.message()[0] == 0x11
    one.sock.close()
    assert two.until("away")["tag"] == one.tag
    two.send(post_bytes(3, b"b" * 284))
    again = one.resumed()
    assert two.until("back")["tag"] == one.tag == again.tag
    assert (again.seq, again.fence, again.life) == (9, 3, one.life)
    own, other = bytes.fromhex(one.tag[2:]), bytes.fromhex(two.tag[2:])
    assert again.message() == struct.pack("!B8sQ", 0x13, b"r" * 8, 5)
    frame = struct.pack("!BB2sQQ", 0x11, 2, own, 6, 2)
    assert again.message() == frame + bytes(COMMIT_SEALED)
    assert again.message() == struct.pack("!B8sQ", 0x13, reference, 6)
    assert again.json() == {"type": "away", "seq": 7, "tag": one.tag}
    assert again.message() == struct.pack("!BB2sQQ", 0x11, 1, other, 8, 3) + b"b" * 284
    assert again.json() == {"type": "back", "seq": 9, "tag": one.tag}
    two.send(post_bytes(3, b"c" * 284))
    assert again.message()[-284:] == b"c" * 284
    again.send(post_bytes(3))
    assert kind(again.message()) == "ack"
    for member in (again, two):
        member.sock.close()


def test_r27_older_connection_is_closed_with_4504(relay: Relay) -> None:
    _, one, two = pair(relay)
    again = one.resumed()
    assert one.close_code() == 4504
    posted(again, 1)
    assert kind(two.message()) == "frame", "nobody was away"
    for member in (again, two):
        member.sock.close()


def test_r27_old_generation_gets_welcome(relay: Relay) -> None:
    link, one, two = pair(relay)
    again = one.resumed()
    posted(again, 1)
    with Member(relay.port, link) as late:
        answer = late.say_resume(late.open(), one.ticket, one.mark, one.seq)
        assert (answer["type"], answer["fence"]) == ("welcome", 2)
        assert answer["tag"] not in (one.tag, two.tag)
        assert late.info() == (2, [bytes(COMMIT_SEALED)])
    with Member(relay.port, link) as stranger:
        assert stranger.say_resume(stranger.open(), "x" * 106, one.mark, 7)["type"] == "welcome"
    posted(again, 1)
    newer = again.resumed()
    for member in (newer, two):
        member.sock.close()


def test_r27_proof_is_asked_for_as_in_a_hello(relay: Relay) -> None:
    link, one, two = pair(relay)
    other = Link(new_link().key)
    with Member(relay.port, other) as thief:
        nonce = thief.open()
        thief.link = Link(link.key)
        thief.host = "evil.example"
        with pytest.raises(AssertionError, match="proof"):
            thief.say_resume(nonce, one.ticket, one.mark, one.seq)
        assert thief.close_code() == 4502
    posted(one, 1)
    for member in (one, two):
        member.sock.close()


def test_r28_relay_that_was_killed_gives_tags_and_fence_back(key_file: str) -> None:
    flags = (*OPEN, "--ticket-key-file", key_file)
    first = start_relay(*flags)
    link, one, two = pair(first)
    two.send(commit_bytes(2))
    assert kind(one.message()) == "frame"
    one.fence = 3
    one.send(commit_bytes(3))
    assert [kind(two.message()) for _ in range(3)] == ["frame", "ack", "frame"]
    first.stop(signal.SIGKILL)
    with running(*flags) as second:
        # Somebody without a ticket founds the room anew before anybody is back.
        newcomer = Member(second.port, link).join()
        again = one.resumed(second.port)
        assert (again.tag, again.fence) == (one.tag, 3)
        assert again.life not in (one.life, "")
        gap = again.json()
        assert (gap["type"], gap["fence"]) == ("gap", 3)
        assert set(gap["seats"]) == {one.tag, newcomer.tag}
        reset = newcomer.json()
        assert (reset["type"], reset["fence"], reset["life"]) == ("reset", 3, newcomer.life)
        assert newcomer.json()["type"] == "back"
        waiting = Member(second.port, link)
        waiting.hello()
        assert waiting.info() == (3, [])
        # The other one has seen a later commit than the first.
        other = two.resumed(second.port)
        assert (other.tag, other.fence, other.life) == (two.tag, 4, again.life)
        for member in (again, newcomer):
            assert member.until("reset")["fence"] == 4
        assert waiting.until("reset")["fence"] == 4
        assert waiting.info() == (4, [])
        waiting.text(b'{"type":"need"}')
        assert other.until("need")
        other.send(offer_bytes(4))
        while waiting.info() == (4, []):
            pass
        waiting.send(commit_bytes(4))
        assert waiting.until("joined")["tag"] == waiting.tag
        for member in (again, newcomer, waiting, other):
            member.sock.close()


@pytest.mark.parametrize("keeps_key", [False, True])
def test_r28_without_the_key_or_after_its_time_everybody_joins_anew(
    key_file: str, keeps_key: bool
) -> None:
    first = start_relay(*OPEN, "--ticket-key-file", key_file)
    link, one, two = pair(first)
    first.stop(signal.SIGKILL)
    for member in (one, two):
        member.sock.close()
    flags = ("--ticket-key-file", key_file, "--restore-for", "0.1") if keeps_key else ()
    with running(*OPEN, *flags) as second:
        time.sleep(0.2)
        with Member(second.port, link) as again:
            answer = again.say_resume(again.open(), one.ticket, one.mark, one.seq)
            assert (answer["type"], answer["fence"]) == ("welcome", 0)
            assert again.info() == (0, [])


def test_r27_replays_wait_outside_of_the_relays_memory() -> None:
    """Twenty megabytes for peers that take none of it: the ring's own messages are what waits."""
    flags = (*OPEN, "--slow-after=30", "--room-commit-interval=0", "--ring-age=300")
    with running(*flags) as relay:
        link = new_link()
        members = [Member(relay.port, link).join() for _ in range(20)]
        fence = members[-1].fence
        for member in members[:-1]:
            member.sock.close()
        speaker = members[-1]
        for _ in members[:-1]:
            speaker.until("away")
        speaker.fence = fence
        posted(speaker, RING_BIG - 30)
        before = relay.rss_kb()
        stuck = []
        for member in members[:-1]:
            other = Member(relay.port, link, receive_buffer=4096)
            # Its own number, or it would be a gap.
            seen = members[-1].seq + len(members) - 1
            other.say_resume(other.open(), member.ticket, speaker.mark, seen)
            stuck.append(other)
            posted(speaker, 1, bytes(284))
        grown = relay.rss_kb() - before
        assert grown < 8 * 1024, f"{grown} KiB for {len(stuck)} replays"
        read = [kind(stuck[0].message()) for _ in range(RING_BIG - 30)]
        assert read == ["frame"] * (RING_BIG - 30)
        for member in (*stuck, speaker):
            member.sock.close()


def test_drain_holds_while_replays_are_under_way() -> None:
    relay = start_relay(*OPEN, "--slow-after=30")
    link, one, two = pair(relay)
    one.sock.close()
    assert two.until("away")
    posted(two, RING_BIG - 10)
    again = Member(relay.port, link, receive_buffer=4096)
    again.say_resume(again.open(), one.ticket, one.mark, one.seq)
    idle = Peer(relay.port)
    began = time.monotonic()
    relay.process.send_signal(signal.SIGTERM)
    assert two.until("drain")["retry_after_ms"] > 0
    assert again.until("drain")["retry_after_ms"] > 0
    assert two.close_code() == again.close_code() == 1012
    assert relay.stop() == (0, "", "")
    assert time.monotonic() - began < PATIENCE_S
    assert DRAIN_S < 5.0
    for peer in (two, again, idle):
        peer.sock.close()


def test_relay_ends_in_time_though_a_replay_is_not_read() -> None:
    relay = start_relay(*OPEN, "--slow-after=60")
    link, one, two = pair(relay)
    one.sock.close()
    assert two.until("away")
    posted(two, RING_BIG - 10)
    stuck = Member(relay.port, link, receive_buffer=4096)
    stuck.say_resume(stuck.open(), one.ticket, one.mark, one.seq)
    relay.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert relay.stop() == (0, "", "")
    assert time.monotonic() - began < 10 * DRAIN_S
    for peer in (two, stuck):
        peer.sock.close()
