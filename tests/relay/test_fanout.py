"""The fan-out: what each session reads is the same as if every message were written at once."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from relay.errors import CloseCode
from relay.fanout import Fan, RoomChannel, framed
from relay.wire import Tag

A, B, C = Tag(1), Tag(2), Tag(3)


class Port:
    def __init__(self) -> None:
        self.data = b""
        self.writes = 0
        self.ended: CloseCode | None = None
        self.delivered: list[bytes] = []

    def deliver(self, message: bytes) -> None:
        self.delivered.append(message)
        self.write(framed(message))

    def write(self, data: bytes) -> None:
        self.data += data
        self.writes += 1

    def replay(self, messages: list[bytes]) -> None:
        raise AssertionError("a broker's business")

    def end(self, code: CloseCode) -> None:
        self.ended = code


class BadPort(Port):
    def write(self, data: bytes) -> None:
        raise ValueError


def new_fan() -> tuple[Fan, list[Callable[[], None]], list[Exception]]:
    soon: list[Callable[[], None]] = []
    faults: list[Exception] = []
    return Fan(soon.append, faults.append), soon, faults


def seated(channel: RoomChannel, *tags: Tag) -> list[Port]:
    ports = [Port() for _ in tags]
    for tag, port in zip(tags, ports, strict=True):
        channel.attach(tag, port)
        channel.seat(tag)
    return ports


def test_text_and_binary_are_framed_as_such() -> None:
    assert framed(b"{}") == b"\x81\x02{}"
    assert framed(b"\x11x") == b"\x82\x02\x11x"


def test_one_write_each_per_tick() -> None:
    fan, soon, _ = new_fan()
    channel = RoomChannel(fan)
    a, b, c = seated(channel, A, B, C)
    for n in range(10):
        channel.publish(b"\x11%d" % n, A if n % 2 else B, (b"\x13%d" % n,))
    assert len(soon) == 1
    assert a.writes == b.writes == c.writes == 0
    soon.pop()()
    assert (a.writes, b.writes, c.writes) == (1, 1, 1)
    assert c.data == b"".join(framed(b"\x11%d" % n) for n in range(10))
    assert a.data == b"".join(framed(b"%c%d" % (0x13 if n % 2 else 0x11, n)) for n in range(10))


def test_infos_do_not_pile_up_within_a_tick_and_keep_their_place() -> None:
    """Each is large and for one: it is that one's port that judges whether it takes too much."""
    fan, _, _ = new_fan()
    channel = RoomChannel(fan)
    a, b = seated(channel, A, B)
    info = b"\x12" + bytes(1000)
    channel.publish(b"\x111", B, (b"\x131",))
    channel.send(A, info)
    channel.publish(b"\x112", B, (b"\x132",))
    channel.send(A, info)
    assert a.delivered == [info, info]
    assert a.data == b"".join(map(framed, (b"\x111", info, b"\x112", info)))
    assert b.data == framed(b"\x131") + framed(b"\x132")


def test_two_rooms_share_a_tick_and_a_fault_stays_in_its_room() -> None:
    fan, soon, faults = new_fan()
    one, two = RoomChannel(fan), RoomChannel(fan)
    one.attach(A, BadPort())
    one.seat(A)
    (b,) = seated(two, B)
    one.publish(b"\x11", None, ())
    two.publish(b"\x11", None, ())
    assert len(soon) == 1
    soon.pop()()
    assert b.data == framed(b"\x11")
    assert len(faults) == 1


def test_close_delivers_ends_and_forgets() -> None:
    fan, soon, _ = new_fan()
    channel = RoomChannel(fan)
    a, b = seated(channel, A, B)
    channel.publish(b"\x11", None, ())
    channel.close(A, CloseCode.NOT_JOINED)
    channel.close(C, CloseCode.NOT_JOINED)
    channel.publish(b"\x12", A, (b"\x13",))
    channel.send(A, b"\x13")
    channel.seat(A)
    for flush in soon:
        flush()
    assert (a.data, a.ended) == (framed(b"\x11"), CloseCode.NOT_JOINED)
    assert (b.data, b.ended) == (framed(b"\x11") + framed(b"\x12"), None)


TAGS = [Tag(n) for n in range(4)]
STEPS = st.one_of(
    st.tuples(st.just("attach"), st.sampled_from(TAGS)),
    st.tuples(st.just("seat"), st.sampled_from(TAGS)),
    st.tuples(st.just("detach"), st.sampled_from(TAGS)),
    st.tuples(st.just("send"), st.sampled_from(TAGS)),
    st.tuples(st.just("publish"), st.sampled_from([None, *TAGS])),
    st.tuples(st.just("post"), st.sampled_from(TAGS)),
    st.tuples(st.just("flush"), st.none()),
)


@given(st.lists(STEPS, max_size=60))
def test_coalesced_is_what_writing_at_once_would_be(script: list[tuple[str, Tag | None]]) -> None:
    """Any script, against the plainest of fan-outs: each message written when it is sent."""
    fan, soon, faults = new_fan()
    channel = RoomChannel(fan)
    ports = {tag: Port() for tag in TAGS}
    plain = dict.fromkeys(TAGS, b"")
    attached: set[Tag] = set()
    seats: set[Tag] = set()
    for n, (step, tag) in enumerate(script):
        message, own = b"\x11%d" % n, b"\x13%d" % n
        if step == "attach" and tag is not None:
            channel.attach(tag, ports[tag])
            attached.add(tag)
        elif step == "seat" and tag is not None:
            channel.seat(tag)
            seats |= attached & {tag}
        elif step == "detach" and tag is not None:
            channel.detach(tag)
            attached.discard(tag)
            seats.discard(tag)
        elif step == "send" and tag is not None:
            channel.send(tag, own)
            if tag in attached:
                plain[tag] += framed(own)
        elif step in ("publish", "post"):
            kept = (own, own) if step == "publish" else (own,)
            channel.publish(message, tag, kept)
            for seat in seats:
                parts = kept if seat == tag else (message,)
                plain[seat] += b"".join(map(framed, parts))
        elif step == "flush":
            while soon:
                soon.pop()()
    while soon:
        soon.pop()()
    assert {tag: port.data for tag, port in ports.items()} == plain
    assert not faults
