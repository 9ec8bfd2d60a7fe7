"""Connections that get a seat back, from the first byte to the last (R27, R28)."""

import json

import pytest

from relay.errors import CloseCode
from relay.limits import Rate
from relay.outlet import PIECE_BYTES
from tests.relay.one_hub import Client, World
from tests.relay.raw import Link, client_frame, commit_bytes, new_link, offer_bytes, post_bytes

NO_LIMIT = Rate(0.0, 1)
NEED = b'{"type":"need"}'
BIG = bytes(28 + 4096)


def pair(world: World) -> tuple[Link, Client, Client]:
    link = new_link()
    one, two = world.connect().join(link, 0), world.connect().join(link, 1)
    one.frames()
    return link, one, two


def kinds(client: Client) -> list[str]:
    return [message["type"] for message in client.json()]


def lost(client: Client) -> None:
    client.socket.connection_lost(None)


def behind(world: World, count: int = 90, room: int = 0) -> tuple[Client, Client]:
    """Return one whose peer takes no more than ``room`` bytes of a long replay, and another."""
    link, one, two = pair(world)
    lost(one)
    for _ in range(count):
        two.send(post_bytes(2, BIG))
    again = one.resume(link, 4, room=room)
    two.frames()
    return again, two


def test_r27_connection_that_was_lost_is_resumed() -> None:
    world = World()
    link, one, two = pair(world)
    lost(one)
    two.send(post_bytes(2))
    again = one.resume(link, 4)
    frames = again.frames()
    resumed = json.loads(frames[0][1])
    assert (resumed["type"], resumed["tag"], resumed["seq"]) == ("resumed", "0x0010", 7)
    assert [opcode for opcode, _ in frames] == [1, 1, 2, 1]
    assert kinds(two) == ["away", "back"]
    again.send(post_bytes(2))
    assert len(two.frames()) == 1
    assert [opcode for opcode, _ in again.frames()] == [2], "its ack"
    assert world.metrics.resumes == 1


def test_r27_old_connection_is_told_and_ended() -> None:
    world = World()
    link, one, two = pair(world)
    again = one.resume(link, 4)
    assert kinds(again) == ["resumed"]
    assert one.close_code == CloseCode.SUPERSEDED
    assert one.transport.eof
    one.send(post_bytes(2))
    lost(one)
    again.send(post_bytes(2))
    assert [opcode for opcode, _ in two.frames()] == [2], "nobody was away, and one post came"


def test_r27_superseded_connection_that_reads_nothing_is_ended_too() -> None:
    world = World()
    link, one, two = pair(world)
    one.transport.room = 0
    two.send(post_bytes(2))
    world.flush()
    one.resume(link, 4)
    assert one.transport.eof
    world.advance(2.0)
    assert one.transport.aborted


@pytest.mark.parametrize("token", ["ticket", "mark"])
def test_r27_worthless_tokens_are_a_plain_hello_or_none_at_all(token: str) -> None:
    world = World()
    link, one, _ = pair(world)
    setattr(one, token, "x" * 100)
    answer = kinds(one.resume(link, 4))
    assert answer == (["welcome"] if token == "ticket" else ["resumed"])


def test_r27_ticket_after_bye_is_a_plain_hello() -> None:
    world = World()
    link, one, _ = pair(world)
    one.text(b'{"type":"bye"}')
    again = one.resume(link, 4)
    assert kinds(again) == ["welcome"]
    again.send(commit_bytes(2))
    assert again.json()[-1]["type"] == "joined"


def test_r27_first_message_makes_the_last_ticket_worthless() -> None:
    world = World()
    link, one, _ = pair(world)
    first = one.ticket
    lost(one)
    for _ in range(2):
        again = one.resume(link, 4)
        assert kinds(again)[0] == "resumed"
    again.raw(client_frame(9, b"ping"))
    assert kinds(one.resume(link, 4))[0] == "resumed", "a ping is no message"
    again = one.resume(link, 4)
    again.frames()
    again.text(NEED)
    one.ticket = first
    assert kinds(one.resume(link, 4)) == ["welcome"]
    assert kinds(again.resume(link, 4))[0] == "resumed"


def test_r27_post_may_be_the_first_message() -> None:
    world = World()
    link, one, two = pair(world)
    again = one.resume(link, 4)
    again.frames()
    for _ in range(2):
        again.send(post_bytes(2))
    assert [opcode for opcode, _ in again.frames()] == [opcode for opcode, _ in two.frames()]
    assert kinds(one.resume(link, 4)) == ["welcome"]


def test_r27_no_fresh_burst_by_coming_back() -> None:
    world = World()
    link, one, _ = pair(world)
    for _ in range(10):
        one.send(post_bytes(2))
    lost(one)
    again = one.resume(link, 4)
    again.frames()
    again.send(post_bytes(2))
    (refused,) = again.json()
    assert (refused["reason"], refused["retry_after_ms"]) == ("rate", 1000)


def test_r27_replay_is_paced_by_the_peer() -> None:
    world = World(messages=NO_LIMIT)
    again, two = behind(world)
    peak, read = 0, 0
    while again.transport.buffered:
        peak = max(peak, again.transport.buffered)
        again.transport.drain(again.transport.buffered)
        world.advance(1.0)
        again.raw(client_frame(10))
        two.raw(client_frame(10))
        read += len(again.frames())
    assert peak < PIECE_BYTES + 2 * len(BIG)
    assert read == 1 + 1 + 90 + 1
    assert not again.transport.aborted
    two.send(post_bytes(2))
    assert [opcode for opcode, _ in again.frames()] == []
    assert again.transport.buffered, "plain again, and it takes nothing"
    world.advance(4.0)
    assert again.transport.aborted


def test_r27_peer_that_reads_slowly_has_its_time_for_a_replay() -> None:
    world = World(messages=NO_LIMIT)
    again, two = behind(world)
    for _ in range(15):
        world.advance(2.0)
        again.transport.drain(1000)
        again.raw(client_frame(10))
        two.raw(client_frame(10))
        assert not again.transport.aborted
    assert again.transport.held.endswith(b"\x89\x00"), "the ping has overtaken what waits"


def test_r27_peer_that_reads_nothing_of_its_replay_is_cut() -> None:
    """Confirmed or not."""
    for is_confirmed in (False, True):
        world = World(messages=NO_LIMIT)
        again, two = behind(world)
        if is_confirmed:
            again.text(NEED)
        world.advance(2.5)
        assert not again.transport.aborted
        world.advance(1.0)
        assert again.transport.aborted
        assert world.metrics.slow == 1
        lost(again)
        assert kinds(two)[-1] == "away"


def test_r27_cut_within_a_replay_is_resumed_from_there() -> None:
    world = World(messages=NO_LIMIT)
    link, one, two = pair(world)
    for n in range(90):
        two.send(post_bytes(2, bytes((n,)) * len(BIG)))
    again = one.resume(link, 4, room=50_000)
    first = again.frames()[1:]
    lost(again)
    seen = 4 + len(first)
    rest = again.resume(link, seen).frames()[1:]
    fills = [payload[20] for opcode, payload in first + rest if opcode == 2]
    assert fills == list(range(90))


def test_drain_holds_under_a_replay() -> None:
    world = World(messages=NO_LIMIT)
    again, _ = behind(world)
    again.socket.drain(700)
    again.socket.drain(700)
    assert again.transport.eof
    again.transport.drain(again.transport.buffered)
    frames = again.frames()
    assert [payload for _, payload in frames[-2:]] == [
        b'{"type":"drain","retry_after_ms":700}',
        (1012).to_bytes(2, "big"),
    ]
    assert len(frames) < 30, "the rest it gets when it comes back"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(8, (1001).to_bytes(2, "big")), 1001),
        (client_frame(1, b'{"type":"bye"}'), 1000),
        (client_frame(3), 1002),
    ],
)
def test_any_end_within_a_replay_is_told(data: bytes, code: int) -> None:
    world = World(messages=NO_LIMIT)
    again, two = behind(world)
    again.raw(data)
    two.send(post_bytes(2))
    world.flush()
    assert again.transport.eof
    again.transport.drain(again.transport.buffered)
    assert again.close_code == code
    lost(again)
    assert kinds(two)[-1] == ("left" if code == 1000 else "away")
    assert not world.faults


def test_ping_and_pong_are_not_held_up_by_a_replay() -> None:
    world = World(messages=NO_LIMIT)
    again, _ = behind(world)
    again.raw(client_frame(9, b"are you there"))
    again.transport.drain(again.transport.buffered)
    assert (10, b"are you there") in again.frames()


def test_r28_relay_that_was_restarted_gives_seats_back() -> None:
    world, after = World(), World()
    link, one, two = pair(world)
    one.world = two.world = after
    again = two.resume(link, 4)
    resumed, gap = again.json()
    assert (resumed["type"], resumed["tag"], resumed["fence"]) == ("resumed", "0x0011", 2)
    assert (gap["type"], gap["seats"]) == ("gap", ["0x0011"])
    newcomer = after.connect()
    newcomer.hello(link)
    assert newcomer.frames()[1][1] == b"\x12" + (2).to_bytes(8, "big") + b"\x00"
    assert kinds(one.resume(link, 4)) == ["welcome"], "the newcomer has that tag by chance"
    newcomer.send(commit_bytes(0))
    stale = newcomer.json()[0]
    assert (stale["reason"], stale["fence"]) == ("stale", 2)
    again.text(NEED)
    again.send(offer_bytes(2))
    newcomer.send(commit_bytes(2))
    assert newcomer.json()[-1]["type"] == "joined"


def test_r28_restored_session_has_one_burst_and_no_more() -> None:
    world, after = World(), World()
    link, _, two = pair(world)
    two.world = after
    again = two.resume(link, 4)
    again.frames()
    for _ in range(10):
        again.send(post_bytes(2))
    assert len(again.frames()) == 10
    again = again.resume(link, 4)
    again.frames()
    again.send(post_bytes(2))
    assert again.json()[0]["reason"] == "rate"


def test_r28_full_relay_restores_nothing_and_says_so() -> None:
    world, after = World(), World()
    link, one, _ = pair(world)
    for _ in range(10):
        after.connect().hello(new_link())
    one.world = after
    again = one.resume(link, 4)
    frames = again.frames()
    assert json.loads(frames[0][1])["reason"] == "busy"
    assert frames[1] == (8, (1013).to_bytes(2, "big"))


def test_join_under_a_known_reference_harms_nobody() -> None:
    world = World()
    link = new_link()
    one = world.connect().join(link, 0)
    one.send(post_bytes(1, reference=b"r" * 8))
    two = world.connect()
    two.hello(link)
    two.send(commit_bytes(1, reference=b"r" * 8))
    assert two.json()[-1]["reason"] == "state"
    two.send(post_bytes(1))
    assert two.json()[-1]["reason"] == "state", "it has no seat"
    two.send(commit_bytes(1))
    assert two.json()[-1]["type"] == "joined"
    assert not world.faults
