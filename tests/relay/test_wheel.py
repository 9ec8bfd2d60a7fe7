import random

from relay.wheel import IDLE, TURN_S, Wheel


class Thing:
    def __init__(self) -> None:
        self.turn = IDLE


def test_thing_is_woken_once_not_early_and_at_most_two_turns_late() -> None:
    wheel: Wheel[Thing] = Wheel(100.0)
    rng = random.Random(1)
    untils = {Thing(): 100.0 + rng.random() * 30 for _ in range(500)}
    for thing, until in untils.items():
        wheel.wait(thing, until)
    assert len(wheel) == 500
    now = 100.0
    woken: dict[Thing, float] = {}
    while now < 140.0:
        now += TURN_S
        for thing in wheel.advance(now):
            assert thing not in woken
            assert thing.turn == IDLE
            woken[thing] = now
    assert len(wheel) == 0
    assert all(until <= woken[thing] <= until + 2 * TURN_S for thing, until in untils.items())


def test_earlier_moment_counts() -> None:
    wheel: Wheel[Thing] = Wheel(0.0)
    thing = Thing()
    wheel.wait(thing, 5.0)
    wheel.wait(thing, 9.0)
    wheel.wait(thing, 2.0)
    assert len(wheel) == 1
    assert wheel.advance(1.9) == []
    assert wheel.advance(2.5) == [thing]
    assert wheel.advance(20.0) == []


def test_past_moment_is_the_next_turn() -> None:
    wheel: Wheel[Thing] = Wheel(10.0)
    thing = Thing()
    wheel.wait(thing, 3.0)
    assert wheel.advance(10.0) == []
    assert wheel.advance(10.0 + TURN_S) == [thing]


def test_forgotten_thing_sleeps() -> None:
    wheel: Wheel[Thing] = Wheel(0.0)
    one, other = Thing(), Thing()
    wheel.forget(one)
    wheel.wait(one, 1.0)
    wheel.wait(other, 1.0)
    wheel.forget(one)
    assert wheel.advance(2.0) == [other]
    wheel.wait(other, 3.0)
    wheel.forget(other)
    assert len(wheel) == 0


def test_long_jump_wakes_in_order() -> None:
    wheel: Wheel[Thing] = Wheel(0.0)
    things = [Thing() for _ in range(5)]
    for at, thing in zip((4.0, 1.0, 3.0, 5.0, 2.0), things, strict=True):
        wheel.wait(thing, at)
    order = [things.index(thing) for thing in wheel.advance(1e6)]
    assert order == [1, 4, 2, 0, 3]
