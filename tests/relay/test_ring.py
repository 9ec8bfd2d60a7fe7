from hypothesis import given
from hypothesis import strategies as st

from relay.ring import Ring, RingLimits, Rings

LIMITS = RingLimits(frames=4, bytes=100, age_s=60.0, total_bytes=150)


def test_ring_is_bounded_in_frames() -> None:
    ring = Ring(Rings(LIMITS))
    for seq in range(1, 10):
        ring.append(seq, b"x", 0.0)
    assert (len(ring), ring.size) == (4, 4)


def test_ring_is_bounded_in_bytes() -> None:
    ring = Ring(Rings(LIMITS))
    ring.append(1, bytes(60), 0.0)
    ring.append(2, bytes(60), 0.0)
    assert (len(ring), ring.size) == (1, 60)
    ring.append(3, bytes(101), 0.0)
    assert (len(ring), ring.size) == (0, 0)


def test_ring_is_bounded_in_age() -> None:
    ring = Ring(Rings(LIMITS))
    assert ring.deadline() is None
    ring.append(1, b"x", 0.0)
    ring.append(2, b"x", 30.0)
    assert ring.deadline() == 60.0
    ring.expire(59.9)
    assert len(ring) == 2
    ring.expire(60.0)
    assert len(ring) == 1
    assert ring.deadline() == 90.0
    ring.append(3, b"x", 90.0)
    assert len(ring) == 1


def test_r27_ring_tells_what_it_has_after_a_number() -> None:
    ring = Ring(Rings(LIMITS))
    for seq in range(1, 7):
        ring.append(seq, b"%d" % seq, 0.0)
    assert [message for _, _, message in ring.since(4)] == [b"5", b"6"]
    assert [seq for seq, _, _ in ring.since(0)] == [3, 4, 5, 6]
    assert ring.since(6) == []


def test_total_takes_from_the_room_that_was_idle_longest() -> None:
    rings = Rings(LIMITS)
    one, two, three = Ring(rings), Ring(rings), Ring(rings)
    one.append(1, bytes(50), 0.0)
    two.append(1, bytes(50), 1.0)
    one.append(2, bytes(10), 2.0)
    three.append(1, bytes(50), 3.0)
    assert (one.size, two.size, three.size) == (60, 0, 50)
    assert rings.total == 110


def test_one_ring_beyond_the_total_empties_itself() -> None:
    rings = Rings(RingLimits(frames=4, bytes=1000, age_s=60.0, total_bytes=10))
    ring = Ring(rings)
    ring.append(1, bytes(11), 0.0)
    assert (len(ring), ring.size, rings.total) == (0, 0, 0)


def test_half_of_all_is_given_up_by_those_that_were_idle_longest() -> None:
    rings = Rings(LIMITS)
    one, two, three = Ring(rings), Ring(rings), Ring(rings)
    for number, ring in enumerate((one, two, three, one)):
        ring.append(number, bytes(30), 0.0)
    rings.halve()
    assert (one.size, two.size, three.size, rings.total) == (60, 0, 0, 60)
    rings.halve()
    assert rings.total == 0
    rings.halve()


def test_cleared_ring_costs_nothing() -> None:
    rings = Rings(LIMITS)
    ring = Ring(rings)
    ring.append(1, bytes(50), 0.0)
    ring.clear()
    ring.clear()
    assert (len(ring), ring.size, rings.total) == (0, 0, 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 120), st.floats(0, 40)),
        max_size=60,
    )
)
def test_sums_agree_and_bounds_hold(script: list[tuple[int, int, float]]) -> None:
    rings = Rings(LIMITS)
    rooms = [Ring(rings) for _ in range(5)]
    now = 0.0
    for seq, (index, size, advance) in enumerate(script):
        now += advance
        rooms[index].append(seq, bytes(size), now)
        assert rings.total == sum(room.size for room in rooms) <= LIMITS.total_bytes
        assert all(len(room) <= LIMITS.frames and room.size <= LIMITS.bytes for room in rooms)
