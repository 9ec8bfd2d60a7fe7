import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import wire
from relay.errors import CloseCode
from tests.relay.one_hub import HOST, SLOW_BYTES, World, joined_pair
from tests.relay.raw import (
    Link,
    client_frame,
    commit_bytes,
    from_b64url,
    hello_text,
    new_link,
    offer_bytes,
    post_bytes,
)


def test_hello_join_post_bye() -> None:
    world = World()
    one, two = joined_pair(world)
    one.send(post_bytes(2, reference=b"r" * 8))
    assert one.frames() == [(2, wire.serialize_ack(wire.Reference(b"r" * 8), 5))]
    assert two.frames()[0][1][:2] == bytes((wire.FRAME, 1))
    two.text(b'{"type":"bye"}')
    assert two.close_code == 1000
    assert two.transport.eof
    assert one.json() == [{"type": "left", "seq": 6, "tag": "0x0011"}]
    two.socket.connection_lost(None)
    assert world.closed == [two.socket]
    assert one.json() == []
    assert world.metrics.hellos == 2


def test_frames_may_come_in_any_pieces() -> None:
    world = World()
    one, two = joined_pair(world)
    data = b"".join(client_frame(2, post_bytes(2)) for _ in range(3))
    for at in range(len(data)):
        one.raw(data[at : at + 1])
    assert len(one.frames()) == len(two.frames()) == 3


def test_fragments_make_a_message() -> None:
    world = World()
    one, two = joined_pair(world)
    message = post_bytes(2)
    one.raw(client_frame(2, message[:50], fin=False))
    one.raw(client_frame(9, b"ping"))
    assert one.frames() == [(10, b"ping")]
    one.raw(client_frame(0, message[50:100], fin=False) + client_frame(0, message[100:]))
    assert len(two.frames()) == 1
    one.raw(client_frame(1, b'{"type":', fin=False) + client_frame(0, b'"need"}'))
    assert two.json() == [{"type": "need"}]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(3), 1002),
        (client_frame(2, b"x", masked=False), 1002),
        (client_frame(1, b"\xff"), 1007),
        (client_frame(1, b"\xff", fin=False) + client_frame(0), 1007),
        (client_frame(9) * 30, 1008),
        (client_frame(1, fin=False) + client_frame(0, fin=False) * 70, 1008),
        (client_frame(2, bytes(4097)), 1009),
        (client_frame(8, b"\x03"), 1002),
        (client_frame(8, (999).to_bytes(2, "big")), 1002),
        (client_frame(8, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    ],
)
def test_broken_rule_closes_with_its_code(data: bytes, code: int) -> None:
    client = World().connect()
    client.raw(data)
    assert client.close_code == code
    assert client.transport.eof
    client.raw(client_frame(9))
    assert client.frames() == []


def test_close_is_answered_and_leaves_the_seat_away() -> None:
    world = World()
    one, two = joined_pair(world)
    one.raw(client_frame(8, (1001).to_bytes(2, "big")))
    assert one.frames() == [(8, (1001).to_bytes(2, "big"))]
    assert two.json()[0]["type"] == "away"


def test_close_is_answered_after_what_was_published_before_it() -> None:
    world = World()
    one, _two = joined_pair(world)
    one.raw(client_frame(2, post_bytes(2)) + client_frame(8))
    assert [opcode for opcode, _ in one.frames()] == [2, 8], "nothing follows a close"


def test_peer_that_does_not_close_is_dropped_after_a_second() -> None:
    world = World()
    client = world.connect()
    client.raw(client_frame(3))
    world.advance(0.9)
    assert not client.transport.aborted
    world.advance(0.6)
    assert client.transport.aborted


def test_silent_stranger_is_closed() -> None:
    world = World()
    client = world.connect()
    world.advance(4.5)
    assert len(client.frames()) == 1
    world.advance(1.0)
    assert client.close_code == CloseCode.NO_HELLO


def test_late_joiner_is_closed_by_the_room() -> None:
    world = World()
    client = world.connect()
    client.hello(new_link())
    world.advance(16.0)
    assert client.close_code == CloseCode.NOT_JOINED
    assert len(world.broker) == 0


def test_peer_is_pinged_and_dropped_when_it_is_dead() -> None:
    world = World()
    one, two = joined_pair(world)
    for _ in range(4):
        world.advance(19.0)
        one.raw(client_frame(10))
    assert [opcode for opcode, _ in one.frames()].count(9) == 3
    assert not one.transport.aborted
    assert two.transport.aborted
    assert world.metrics.dead == 1


def test_slow_reader_is_cut_after_three_seconds() -> None:
    world = World()
    one, two = joined_pair(world)
    two.transport.room = 100
    one.send(post_bytes(2))
    world.flush()
    world.advance(2.5)
    assert not two.transport.aborted
    world.advance(1.0)
    assert two.transport.aborted
    assert world.metrics.slow == 1
    one.send(post_bytes(2))
    world.flush()


def test_slow_reader_is_cut_when_it_is_too_much_behind() -> None:
    world = World()
    one, two = joined_pair(world)
    two.transport.room = 0
    for n in range(2):
        assert not two.transport.aborted
        one.send(post_bytes(2, bytes(28 + 2048)))
        world.flush()
        assert two.transport.aborted is (n == 1)


def test_reader_that_catches_up_stays() -> None:
    world = World()
    one, two = joined_pair(world)
    two.transport.room = 0
    one.send(post_bytes(2))
    world.flush()
    for _ in range(3):
        behind = two.transport.buffered
        one.send(post_bytes(2))
        world.flush()
        two.transport.drain(behind)
        world.advance(3.5)
        assert not two.transport.aborted, "what it was behind by then, it has read"
        two.raw(client_frame(10))
        one.raw(client_frame(10))
    two.transport.drain(two.transport.buffered)
    world.advance(10.0)
    assert not two.transport.aborted


def test_newcomer_has_the_time_to_join_for_reading_what_it_joins_by() -> None:
    world = World()
    link = new_link()
    one = world.connect().join(link, 0)
    for _ in range(3):
        one.send(offer_bytes(1, bytes(28 + 1024 * 6)))
    two = world.connect()
    nonce = from_b64url(two.json()[0]["nonce"])
    two.transport.room = 0
    two.text(hello_text(link.room, link.access, link.sign(HOST, nonce)))
    assert two.transport.buffered > SLOW_BYTES
    world.advance(10.0)
    assert not two.transport.aborted
    world.advance(8.0)
    assert two.transport.aborted, "its close frame cannot be told either"


def test_drain_tells_when_to_come_back() -> None:
    world = World()
    one, two = joined_pair(world)
    one.socket.drain(700)
    assert [payload for _, payload in one.frames()] == [
        b'{"type":"drain","retry_after_ms":700}',
        (1012).to_bytes(2, "big"),
    ]
    assert two.frames() == [], "the room ends with the process"


def test_room_at_its_cap_refuses_and_unknown_types_are_counted() -> None:
    world = World()
    for _ in range(10):
        world.connect().hello(new_link())
    client = world.connect()
    client.text(b'{"type":"dance"}')
    client.hello(new_link())
    frames = client.frames()
    assert json.loads(frames[0][1])["reason"] == "busy"
    assert frames[1] == (8, (1013).to_bytes(2, "big"))
    assert world.metrics.ignored == 1


def test_lost_race_gives_stale_and_then_info() -> None:
    world = World()
    link = new_link()
    one, two = world.connect(), world.connect()
    one.hello(link)
    two.hello(link)
    one.send(commit_bytes(0))
    two.frames()
    two.send(commit_bytes(0))
    refused, info = two.frames()
    assert json.loads(refused[1])["reason"] == "stale"
    assert info[1][0] == wire.INFO


def test_fault_closes_its_own_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    one, two = joined_pair(world)

    def fail(data: bytes) -> None:
        raise KeyError(data)

    monkeypatch.setattr(wire, "parse_text", fail)
    one.text(b"{}")
    assert one.close_code == 1011
    assert len(world.faults) == 1
    assert two.close_code is None


def test_refusal_of_a_broker_that_knew_better_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another broker's fence may be ahead of what the hot path knows."""
    from relay.broker.memory import MemoryPlace  # The class that is patched here.

    world = World()
    one, two = joined_pair(world)
    monkeypatch.setattr(MemoryPlace, "fence", 7)
    one.send(post_bytes(7))
    assert one.json()[0]["reason"] == "stale"
    assert two.frames() == []


SENDERS = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("post"), SENDERS, st.integers(-1, 1)),
    st.tuples(st.just("again"), SENDERS, st.integers(0, 5)),
    st.tuples(st.just("size"), SENDERS, st.integers(0, 600)),
    st.tuples(st.just("commit"), SENDERS, st.integers(-1, 0)),
    st.tuples(st.just("need"), SENDERS, st.just(0)),
    st.tuples(st.just("burst"), SENDERS, st.integers(1, 14)),
    st.tuples(st.just("wait"), SENDERS, st.integers(1, 30)),
    st.tuples(st.just("flush"), SENDERS, st.just(0)),
    st.tuples(st.just("resume"), SENDERS, st.integers(0, 9)),
)
TICKET = re.compile(rb'"ticket":"[^"]*"')


def play(
    script: list[tuple[str, int, int]], *, plain: bool, link: Link
) -> list[list[tuple[int, bytes]]]:
    """Run a script; return all that was read in each seat, sealed tokens left out."""
    world = World(plain=plain)
    clients = [world.connect().join(link, n) for n in range(3)]
    frames: list[list[tuple[int, bytes]]] = [[] for _ in clients]
    fence = 3
    for n, (step, who, value) in enumerate(script):
        client = clients[who]
        reference = n.to_bytes(8, "big")
        match step:
            case "post":
                client.send(post_bytes(fence + value, reference=reference))
            case "again":
                client.send(post_bytes(fence, reference=value.to_bytes(8, "big")))
            case "size":
                client.send(post_bytes(fence, bytes(value), reference))
            case "commit":
                client.send(commit_bytes(fence + value, reference=reference))
                world.flush()
            case "need":
                client.text(b'{"type":"need"}')
            case "burst":
                for m in range(value):
                    client.send(post_bytes(fence, reference=bytes((m,)) + reference[1:]))
            case "wait":
                world.advance(value / 10)
            case "flush":
                world.flush()
            case "resume":
                frames[who] += client.frames()
                clients[who] = client.resume(link, 6 + value)
        place = client.socket._place
        fence = fence if place is None else place.fence
    world.flush()
    assert not world.faults
    for read, client in zip(frames, clients, strict=True):
        read += client.frames()
    return [[(opcode, TICKET.sub(b"", payload)) for opcode, payload in read] for read in frames]


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_hot_path_says_what_the_plain_path_says(script: list[tuple[str, int, int]]) -> None:
    link = new_link()
    assert play(script, plain=False, link=link) == play(script, plain=True, link=link)
