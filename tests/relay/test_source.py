import pytest

from relay import source
from relay.limits import Rate
from relay.source import SourceLimits, Sources, source_id

LIMITS = SourceLimits(connections=Rate(1.0, 2), messages=Rate(1.0, 1), open_connections=3)
KEY = bytes(32)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("/run/socket", "/run/socket", True),
        ("", "192.0.2.1", False),
    ],
)
def test_source_is_a_prefix(one: str, other: str, same: bool) -> None:
    assert (source_id(KEY, one) == source_id(KEY, other)) is same


def test_source_is_not_an_address_and_depends_on_the_key() -> None:
    identity = source_id(KEY, "192.0.2.1")
    assert len(identity) == 16
    assert bytes((192, 0, 2, 1)) not in identity
    assert identity != source_id(b"k" * 32, "192.0.2.1")


def test_connections_are_limited_in_rate_and_number() -> None:
    sources = Sources(LIMITS, KEY)
    one = sources.find("192.0.2.1", 0.0)
    script = [(0.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (9.0, 1.0)]
    now = 0.0
    for advance, wait in script:
        now += advance
        assert sources.admit(one, now) == wait
    assert one.open == 3
    sources.release(one)
    assert sources.admit(one, now) == 0.0
    assert sources.admit(sources.find("192.0.2.2", now), now) == 0.0


def test_zero_open_connections_means_any_number() -> None:
    sources = Sources(SourceLimits(Rate(0.0, 1), Rate(0.0, 1), 0), KEY)
    one = sources.find("192.0.2.1", 0.0)
    assert all(sources.admit(one, 0.0) == 0.0 for _ in range(500))


def test_rotation_forgets_but_leaves_what_is_held() -> None:
    sources = Sources(LIMITS, KEY)
    one = sources.find("192.0.2.1", 0.0)
    sources.admit(one, 0.0)
    sources.rotate(b"k" * 32)
    assert len(sources) == 0
    assert sources.find("192.0.2.1", 0.0) is not one
    sources.release(one)
    assert one.open == 0


def test_table_is_swept_and_then_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_SOURCES", 4)
    sources = Sources(LIMITS, KEY)
    idle = sources.find("192.0.2.1", 0.0)
    assert sources.find("192.0.2.1", 0.0) is idle
    opened = sources.find("192.0.2.2", 0.0)
    sources.admit(opened, 0.0)
    spent = sources.find("192.0.2.3", 0.0)
    spent.messages.take(0.0)
    asked = sources.find("192.0.2.7", 0.0)
    asked.requests.take(0.0)
    sources.find("192.0.2.4", 0.0).connections.take(0.0)
    assert len(sources) == 4
    assert sources.find("192.0.2.2", 0.0) is opened
    assert sources.find("192.0.2.7", 0.0) is asked
    shared = sources.find("192.0.2.5", 0.0)
    assert sources.find("192.0.2.6", 0.0) is shared
    assert len(sources) == 5


def test_kept_connections_carry_ten_requests_for_each_that_may_be_opened() -> None:
    one = Sources(LIMITS, KEY).find("192.0.2.1", 0.0)
    assert [one.requests.take(0.0) > 0 for _ in range(21)] == [False] * 20 + [True]
    assert one.connections.take(0.0) == 0.0
