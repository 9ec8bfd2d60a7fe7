"""Any bytes -> a request head or HeadError; h11 reads every accepted head as we do.

So nothing can be smuggled to the server behind the door: parse(serialize(parse(x))) is the same
request, one line per field, none of the hop's own, and a body of the length that was counted.
"""

import h11
from websockets.http11 import Request
from websockets.server import ServerProtocol

from relay import handshake
from relay import head as heads
from relay.errors import HeadError

HOP = (b"connection", b"expect", b"te", b"trailer", b"upgrade", b"transfer-encoding")


def run(data: bytes) -> None:
    end = _find_end(data)
    try:
        head = heads.parse(data)
    except HeadError as error:
        _judge(error.status)
        return
    assert end == len(data) <= heads.MAX_HEAD_BYTES, "a head within a head"
    assert head.path == head.target.partition(b"?")[0]
    again = heads.parse(heads.serialize(head))
    same = ("method", "target", "host", "origin", "length", "wants_close")
    assert all(getattr(head, name) == getattr(again, name) for name in same)
    assert not again.wants_websocket
    assert heads.serialize(again) == heads.serialize(head)
    _check_h11(head, heads.serialize(head))
    if head.wants_websocket:
        # Whatever it says, no exception but an answer, and the library's if that has one.
        answer = handshake.shake_hands(head)
        assert answer is None or answer.startswith(b"HTTP/1.1 101 ")
        if answer is not None:
            assert _accept(data) in (None, answer.split()[-1])


def _accept(data: bytes) -> bytes | None:
    """Return what the websockets library answers to the key, None if it refuses the head."""
    server = ServerProtocol(extensions=None)
    server.receive_data(data)
    for request in server.events_received():
        if isinstance(request, Request):
            response = server.accept(request)
            if response.status_code == 101:
                return response.headers["Sec-WebSocket-Accept"].encode()
    return None


def _find_end(data: bytes) -> int:
    """Find the end in growing pieces: an end once found stands where it stood."""
    try:
        end = heads.find_end(data)
    except HeadError as error:
        _judge(error.status)
        return -1
    if end < 0:
        assert len(data) < heads.MAX_HEAD_BYTES, "waits without an end"
        return -1
    assert data[:end].endswith(heads.END)
    assert heads.find_end(data[:end]) == end
    return end


def _judge(status: int) -> None:
    assert status in (400, 411, 431, 505), "a status of another's"


def _check_h11(head: heads.Head, raw: bytes) -> None:
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    other.receive_data(raw)
    event = other.next_event()
    assert isinstance(event, h11.Request), "another parser sees no request"
    assert (event.method, event.target) == (head.method, head.target)
    fields = list(event.headers)
    lengths = [value for name, value in fields if name == b"content-length"]
    assert [int(value) for value in lengths] in ([head.length], [] if head.length == 0 else None)
    assert [value.lower() for name, value in fields if name == b"host"] == [head.host.encode()]
    expected = [(name, value) for name, value in head.fields if name not in heads._HOP]
    closing = [(b"connection", b"close")] if head.wants_close else []
    assert fields == expected + closing
    assert not any(name in HOP[1:] for name, _ in fields)
