from relay.clock import STALL_S, Clock


def test_clock_goes_with_its_source() -> None:
    times = iter([100.0, 101.0, 102.0, 102.5])
    clock = Clock(lambda: next(times))
    assert [clock.now(), clock.tick(), clock.now()] == [101.0, 102.0, 102.5]


def test_stall_is_left_out() -> None:
    """A stopped process must not find every peer dead when it goes on."""
    read = 100.0
    clock = Clock(lambda: read)
    read += STALL_S
    assert clock.tick() == 102.0
    read += 3600.0
    assert clock.tick() == 102.0
    read += 1.0
    assert clock.tick() == clock.now() == 103.0
