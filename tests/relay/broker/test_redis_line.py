"""What is asked of Redis, and what comes from it, where it is not as it should be."""

import pytest

from relay.broker.redis_line import Line
from relay.broker.scripts import read_entries
from relay.broker.shared_log import Entry
from relay.config import RelayConfig
from relay.errors import BrokerError


@pytest.mark.parametrize(
    "url",
    ["nonsense", "http://127.0.0.1/", "redis://host:99999999/0", "redis://host:1/0?unknown=1"],
)
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BrokerError, match="not that of a Redis"):
        Line(url)


def test_password_of_the_broker_is_in_no_repr() -> None:
    config = RelayConfig(broker="redis://:hushhush@host:6379/0", ticket_key_file="key")
    assert "hushhush" not in repr(config)


def test_what_others_put_into_a_stream_opens_not_and_ends_nothing() -> None:
    found = [
        (b"1-0", [b"t", b"2000000", b"r", b"record"]),
        (b"2-0", [b"t", b"soon", b"r", b"record"]),
        (b"3-0", [b"only", b"1"]),
        (b"4-7", None),
    ]
    assert read_entries(found) == [
        Entry(1, 2.0, b"record"), Entry(2, 0.0, b""), Entry(3, 0.0, b""), Entry(4, 0.0, b""),
    ]  # fmt: skip
