from relay.limits import Bucket, Rate


def test_bucket_follows_its_script() -> None:
    bucket = Bucket(Rate(per_s=1.0, burst=3))
    now = 100.0
    script = [
        (0.0, True, "full at the start"),
        (0.0, True, "burst"),
        (0.0, True, "last of the burst"),
        (0.0, False, "empty"),
        (0.5, False, "half a token"),
        (0.5, True, "one token grew"),
        (0.0, False, "and was taken"),
        (1000.0, True, "filled"),
        (0.0, True, "up to the burst"),
        (0.0, True, "only"),
        (0.0, False, "not beyond it"),
    ]
    for advance, allowed, why in script:
        now += advance
        assert (bucket.take(now) == 0.0) is allowed, why


def test_wait_is_how_long_until_a_token_is_there() -> None:
    bucket = Bucket(Rate(per_s=2.0, burst=1))
    assert bucket.wait(5.0) == 0.0
    assert bucket.take(5.0) == 0.0
    assert bucket.wait(5.0) == 0.5
    assert bucket.take(5.25) == 0.25
    assert bucket.take(5.5) == 0.0


def test_rate_of_zero_is_no_limit() -> None:
    bucket = Bucket(Rate(per_s=0.0, burst=1))
    assert all(bucket.take(1.0) == 0.0 for _ in range(100))
    assert bucket.is_full(1.0)


def test_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(Rate(per_s=1.0, burst=1))
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) == 1.0
    assert bucket.take(51.0) == 0.0


def test_full_bucket_may_be_forgotten() -> None:
    bucket = Bucket(Rate(per_s=1.0, burst=2))
    assert bucket.is_full(0.0)
    bucket.take(0.0)
    assert not bucket.is_full(0.5)
    assert bucket.is_full(1.0)


def test_token_that_is_put_back_can_be_taken_again() -> None:
    bucket, unlimited = Bucket(Rate(1.0, 1)), Bucket(Rate(0.0, 1))
    for one in (bucket, unlimited):
        assert one.take(0.0) == 0.0
        one.put_back()
        assert one.take(0.0) == 0.0
    assert bucket.take(0.0) == 1.0
    assert unlimited.take(0.0) == 0.0


def test_bucket_is_filled_to_what_another_had() -> None:
    bucket = Bucket(Rate(1.0, 5))
    bucket.fill(2.5, 10.0)
    assert bucket.level(11.0) == 3.5
    bucket.fill(9.0, 11.0)
    assert bucket.level(11.0) == 5.0
