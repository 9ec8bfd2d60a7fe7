"""What leaves by one connection: replays in pieces, and who is cut for being behind (R27)."""

from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from relay.clock import Clock
from relay.fanout import framed
from relay.metrics import Metrics
from relay.outlet import PIECE_BYTES, Outlet, SocketLimits
from tests.relay.one_hub import FakeTransport

SLOW_BYTES, SLOW_S = 4096, 3.0
KIB = b"\x11" + bytes(1023)
MEGABYTE = [KIB[:-4] + n.to_bytes(4, "big") for n in range(1024)]


@dataclass
class Peer:
    """The other end: it takes ``room`` bytes by itself, and more when it is told to."""

    room: int = 0
    now: float = 0.0
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.transport = FakeTransport()
        self.transport.room = self.room
        limits = SocketLimits(20.0, 45.0, SLOW_BYTES, SLOW_S)
        clock = Clock(lambda: self.now)
        self.outlet = Outlet(cast(Any, self.transport), limits, clock, self.metrics)
        self.transport.protocol = self.outlet

    @property
    def is_cut(self) -> bool:
        assert self.transport.aborted is bool(self.metrics.slow)
        return self.transport.aborted

    def take(self, size: int | None = None) -> None:
        self.transport.drain(self.transport.buffered if size is None else size)

    def judge(self) -> None:
        self.now += SLOW_S
        self.outlet.judge(self.now, is_patient=False)


def test_replay_waits_for_the_peer_in_pieces() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    pieces = 0
    while peer.transport.buffered:
        assert peer.transport.buffered <= PIECE_BYTES + len(KIB)
        peer.take()
        pieces += 1
    assert peer.transport.data == b"".join(map(framed, MEGABYTE))
    assert pieces >= len(peer.transport.data) / (PIECE_BYTES + len(KIB))
    assert not peer.is_cut


def test_peer_that_takes_everything_has_it_at_once() -> None:
    peer = Peer(room=1 << 30)
    peer.outlet.replay(MEGABYTE)
    peer.outlet.write(b"live")
    assert peer.transport.data == b"".join(map(framed, MEGABYTE)) + b"live"


def test_what_comes_meanwhile_follows_in_order() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE[:200])
    for n in range(3):
        peer.outlet.write(b"live%d" % n)
        peer.take()
    peer.outlet.deliver(b'{"type":"need"}')
    while peer.transport.buffered:
        peer.take()
    live = b"live0live1live2" + framed(b'{"type":"need"}')
    assert peer.transport.data == b"".join(map(framed, MEGABYTE[:200])) + live
    peer.outlet.write(b"plain")
    peer.take()
    assert peer.transport.data.endswith(live + b"plain")


def test_replay_is_no_fault_of_the_peers_but_what_waits_behind_it_is() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    peer.outlet.write(bytes(SLOW_BYTES))
    assert not peer.is_cut
    peer.outlet.write(b"x")
    assert peer.is_cut
    peer.outlet.write(b"x")


def test_info_may_be_large_but_the_next_one_waits_for_nobody() -> None:
    peer = Peer()
    info = b"\x12" + bytes(10 * SLOW_BYTES)
    peer.outlet.deliver(info)
    peer.outlet.write(bytes(SLOW_BYTES // 2))
    assert not peer.is_cut
    peer.outlet.deliver(info)
    assert peer.is_cut


def test_info_behind_a_replay_is_the_relays_own_doing() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    peer.outlet.deliver(b"\x12" + bytes(9 * SLOW_BYTES))
    peer.outlet.write(b"x")
    while peer.transport.buffered:
        peer.take()
    assert not peer.is_cut
    assert peer.transport.data.endswith(b"x")
    peer.outlet.write(bytes(SLOW_BYTES))
    peer.outlet.write(b"x")
    assert peer.is_cut, "that allowance is used up"


def test_allowance_ends_with_what_it_was_for() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE[:3])
    peer.outlet.deliver(b"\x12" + bytes(9 * SLOW_BYTES))
    peer.transport.room = 1 << 20
    peer.take()
    assert not peer.transport.buffered
    peer.transport.room = 0
    peer.outlet.write(bytes(SLOW_BYTES + 1))
    assert peer.is_cut


def test_peer_that_takes_nothing_of_a_replay_is_cut() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    for _ in range(5):
        peer.take(1)
        peer.judge()
        assert not peer.is_cut
    peer.take(1)
    peer.outlet.control(b"ping")
    peer.judge()
    assert not peer.is_cut, "it did take something"
    peer.outlet.control(b"ping")
    peer.judge()
    assert peer.is_cut, "and now it did not"


def test_last_piece_is_a_part_of_the_replay_and_then_all_is_as_always() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE[:10])
    behind = peer.transport.buffered
    assert behind > SLOW_BYTES
    peer.outlet.write(b"live")
    peer.take(behind - 1)
    peer.judge()
    assert not peer.is_cut
    peer.take(1)
    assert peer.transport.buffered == len(b"live")
    peer.take(1)
    peer.judge()
    assert peer.is_cut, "it has not taken what it was behind"


def test_patience_is_for_those_who_have_another_deadline() -> None:
    peer = Peer()
    peer.outlet.write(b"x")
    peer.outlet.judge(SLOW_S, is_patient=True)
    assert not peer.is_cut
    peer.judge()
    assert peer.is_cut


def test_control_frame_overtakes_a_replay() -> None:
    peer = Peer(room=len(framed(KIB)))
    peer.outlet.replay(MEGABYTE)
    ahead = peer.transport.buffered
    peer.outlet.control(b"ping")
    peer.take(ahead + len(b"ping"))
    assert peer.transport.data.endswith(framed(MEGABYTE[63]) + b"ping")
    peer.outlet.abort()
    peer.outlet.control(b"ping")


def test_replay_that_is_abandoned_leaves_whole_frames() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    peer.outlet.write(b"live")
    peer.outlet.abandon()
    peer.outlet.write(b"drain")
    peer.take()
    assert peer.transport.data == b"".join(map(framed, MEGABYTE[:64])) + b"drain"
    assert not peer.transport.buffered


def test_where_memory_is_short_who_is_far_behind_is_cut() -> None:
    peer = Peer()
    peer.transport.room = 0
    peer.outlet.write(bytes(100))
    peer.outlet.shed(100)
    assert not peer.is_cut
    peer.outlet.shed(99)
    assert peer.is_cut


def test_what_waits_behind_a_replay_counts_where_memory_is_short() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    peer.outlet.write(bytes(SLOW_BYTES // 2))
    peer.outlet.shed(peer.transport.buffered)
    assert peer.is_cut


def test_nothing_is_sent_after_the_end() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    peer.outlet.write(b"live")
    peer.outlet.halt()
    peer.outlet.abandon()
    peer.outlet.write(b"late")
    peer.outlet.control(b"late")
    peer.take()
    assert peer.transport.data == b"".join(map(framed, MEGABYTE[:64]))


def test_transport_that_closes_under_a_replay_is_left_alone() -> None:
    peer = Peer()
    peer.outlet.replay(MEGABYTE)
    peer.outlet.write(b"live")
    peer.transport.aborted = True
    peer.outlet.control(b"ping")
    peer.take()
    assert peer.transport.data == b"".join(map(framed, MEGABYTE[:64]))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 700)),
        st.tuples(st.just("take"), st.integers(0, 100_000)),
        st.tuples(st.just("judge"), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(0, 200_000), st.integers(0, 300))
def test_r27_any_pace_reads_the_same(script: list[tuple[str, int]], room: int, count: int) -> None:
    """Replay first, then every write in its order; never much more than a piece in between."""
    peer = Peer(room=room)
    peer.outlet.replay(MEGABYTE[:count])
    expected = b"".join(map(framed, MEGABYTE[:count]))
    for n, (step, value) in enumerate(script):
        if step == "write" and not peer.is_cut:
            data = n.to_bytes(2, "big") * value
            expected += data
            peer.outlet.write(data)
        elif step == "take" and peer.transport.buffered:
            peer.take(value)
        elif step == "judge" and peer.transport.buffered:
            peer.judge()
        assert peer.transport.buffered <= PIECE_BYTES + len(framed(KIB)) + SLOW_BYTES
        assert expected.startswith(peer.transport.data)
    while not peer.is_cut and peer.transport.buffered:
        peer.take()
    assert peer.is_cut or peer.transport.data == expected
