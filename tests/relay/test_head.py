import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import head
from relay.errors import HeadError

GOOD = b"GET /a?b HTTP/1.1\r\nHost: Example.org:8000\r\n"


def parse(fields: bytes = b"") -> head.Head:
    return head.parse(GOOD + fields + b"\r\n")


def test_good_head() -> None:
    found = parse(b"Origin: https://Example.org\r\nX-Empty:\r\nContent-Length: 12\r\n")
    assert (found.method, found.target, found.path) == (b"GET", b"/a?b", b"/a")
    assert (found.host, found.origin) == ("example.org:8000", "https://example.org")
    assert (found.length, found.wants_websocket, found.wants_close) == (12, False, False)
    assert found.fields[2] == (b"x-empty", b"")


def test_head_without_much() -> None:
    found = parse()
    assert (found.origin, found.length) == (None, 0)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", True),
        (b"Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", True),
        (b"Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: x, websocket\r\n", True),
        (b"Upgrade: websocket\r\n", False),
        (b"Connection: upgrade\r\nUpgrade: h2c\r\n", False),
        (b"Connection: upgrades\r\nUpgrade: websocket\r\n", False),
    ],
)
def test_upgrade_is_asked_for_in_two_fields(fields: bytes, wanted: bool) -> None:
    assert parse(fields).wants_websocket is wanted


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe4\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", 400),
        (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (GOOD + b"Origin: a\r\nOrigin: a\r\n\r\n", 400),
        (GOOD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (GOOD + b"Content-Length: +1\r\n\r\n", 400),
        (GOOD + b"Content-Length: 1, 1\r\n\r\n", 400),
        (GOOD + b"Content-Length: 12345678901\r\n\r\n", 400),
        (GOOD + b"Transfer-Encoding: chunked\r\n\r\n", 411),
        (GOOD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (GOOD + b"x: y\r\n" * 64 + b"\r\n", 431),
        (GOOD + b"x: " + b"y" * 8192 + b"\r\n\r\n", 431),
        (GOOD + b"x:" + b" " * 7000 + b"\x00\r\n\r\n", 400),
    ],
)
def test_bad_head_has_its_status(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        head.parse(data)
    assert caught.value.status == status


def test_sixty_four_fields_are_fine() -> None:
    assert len(parse(b"x: y\r\n" * 63).fields) == 64


def test_end_is_found_only_where_a_head_can_end() -> None:
    data = GOOD + b"\r\n"
    assert head.find_end(data) == len(data)
    assert head.find_end(data + b"rest") == len(data)
    assert head.find_end(data[:-1]) == -1
    assert head.find_end(b"") == -1


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"GET / HTTP/1.1\nHost: a\n\n", 400), (b"\n", 400), (b"x" * 8192, 431)],
)
def test_what_cannot_become_a_head_is_refused_at_once(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        head.find_end(bytearray(data))
    assert caught.value.status == status


def test_spelt_anew_without_the_fields_of_the_hop() -> None:
    found = parse(
        b"Connection: close, upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nTE: trailers\r\n"
        b"Expect: 100-continue\r\nAccept:  a \r\nKeep-Alive: 5\r\n"
    )
    assert head.serialize(found) == (
        b"GET /a?b HTTP/1.1\r\nhost: Example.org:8000\r\naccept: a\r\nconnection: close\r\n\r\n"
    )
    assert head.serialize(parse()).endswith(b"host: Example.org:8000\r\n\r\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_head_error(data: bytes) -> None:
    for candidate in (data, data + head.END, GOOD + data + head.END):
        try:
            found = head.parse(candidate)
        except HeadError:
            continue
        else:
            again = head.parse(head.serialize(found))
            assert (again.method, again.target, again.length) == (
                found.method,
                found.target,
                found.length,
            )


@given(st.binary(max_size=300))
def test_end_of_any_bytes(data: bytes) -> None:
    try:
        end = head.find_end(data)
    except HeadError:
        assert b"\n" in data
    else:
        assert end == -1 or data[:end].endswith(head.END)
