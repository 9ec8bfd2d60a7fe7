"""Any bytes -> a text message of a client or MessageError; each known message has one spelling.

What is ignored as unknown is one JSON object in ASCII, shallow and without a key twice.
"""

import json

from relay import wire
from relay.errors import MessageError
from relay.wire import Bye, Hello, Need, OtherVersion, Resume, Unknown
from tests.relay.raw import hello_text, resume_text

KNOWN = (
    "challenge", "hello", "resume", "welcome", "resumed", "gap", "mark", "joined", "away", "back",
    "left", "refused", "need", "reset", "drain", "notice", "bye",
)  # fmt: skip


def run(data: bytes) -> None:
    try:
        message = wire.parse_text(data)
    except MessageError:
        return
    assert len(data) <= 4096
    match message:
        case Need():
            assert data == b'{"type":"need"}'
        case Bye():
            assert data == b'{"type":"bye"}'
        case Hello(room, access, signature):
            assert data == hello_text(room, access, signature)
        case Resume(Hello(room, access, signature), ticket, mark, seq):
            assert data == resume_text(room, access, signature, ticket, mark, seq)
            assert 0 <= seq < 2**53
        case OtherVersion():
            value = _read(data)
            assert value["type"] in ("hello", "resume")
            assert value["v"] != 1
        case Unknown():
            assert _read(data)["type"] not in KNOWN


def _read(data: bytes) -> dict[str, object]:
    value = json.loads(data.decode("ascii"), object_pairs_hook=_once)
    assert isinstance(value, dict)
    assert _depth(value) <= 4, "too deep"
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    assert len(value) == len(pairs), "a key twice"
    return value


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
