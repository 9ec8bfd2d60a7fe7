"""Backoff, and what an answer in HTTP means; connections are tested in test_session.py."""

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from client.errors import RefusedError, TransportError
from client.link import Link
from client.transport import BACKOFF_S, JITTER, Backoff, _is_local, _status_error


def test_backoff_is_1_2_4_7_and_stays() -> None:
    backoff = Backoff(lambda: 0.5)
    assert [backoff.next_s() for _ in range(7)] == [1.0, 2.0, 4.0, 7.0, 7.0, 7.0, 7.0]
    assert backoff.attempt == 7
    backoff.reset()
    assert backoff.next_s() == 1.0


@pytest.mark.parametrize("drawn", [0.0, 0.25, 0.999])
def test_jitter_is_a_fifth_at_most(drawn: float) -> None:
    backoff = Backoff(lambda: drawn)
    for expected in BACKOFF_S:
        assert abs(backoff.next_s() - expected) <= expected * JITTER


def test_attempt_at_once_is_granted_once() -> None:
    backoff = Backoff(lambda: 0.5)
    assert [backoff.next_s(0.0) for _ in range(3)] == [0.0, 2.0, 4.0]
    backoff.reset()
    assert backoff.next_s(0.0) == 0.0


def test_time_that_the_relay_asks_for_is_kept() -> None:
    assert Backoff(lambda: 0.0).next_s(30.0) >= 30.0


@pytest.mark.parametrize(
    ("status", "after", "expected"),
    [
        (429, "3", TransportError),
        (503, None, TransportError),
        (500, "soon", TransportError),
        (503, "99999", TransportError),
        (403, None, RefusedError),
        (200, None, RefusedError),
    ],
)
def test_answer_in_http_is_one_of_ours(
    status: int, after: str | None, expected: type[Exception]
) -> None:
    headers = Headers({"Retry-After": after} if after else {})
    error = _status_error(InvalidStatus(Response(status, "", headers)))
    assert type(error) is expected
    if isinstance(error, TransportError):
        assert error.retry_after_s == (3.0 if after == "3" else None)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("example.org:443", False),
        ("example.org", False),
        ("10.0.0.1", False),
    ],
)
def test_no_proxy_for_this_machine(host: str, local: bool) -> None:
    assert _is_local(Link("http", host, bytes(32))) is local
