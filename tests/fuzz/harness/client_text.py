"""Any text -> a message of the relay or FrameError; the relay's own half spells it the same.

What is ignored as unknown is one JSON object of a type that PROTOCOL does not have.
"""

import json

from client import wire as client
from client.errors import FrameError
from client.wire import (
    Away,
    Back,
    Challenge,
    Drain,
    Gap,
    Joined,
    Left,
    Mark,
    Need,
    Notice,
    Refused,
    Reset,
    Resumed,
    Unknown,
    Welcome,
)
from relay import wire
from relay.errors import Reason
from relay.wire import Life, Reference, Tag

# Longer times in seconds are not a number of milliseconds any more, to the last one.
EXACT_S = 2.0**40
KNOWN = (
    "challenge",
    "welcome",
    "joined",
    "mark",
    "resumed",
    "gap",
    "away",
    "back",
    "left",
    "refused",
    "need",
    "reset",
    "drain",
    "notice",
)


def run(data: bytes) -> None:
    # A WebSocket text message is UTF-8 (RFC 6455 8.1); any other text, to be sure.
    text = data.decode("utf-8", "surrogateescape")
    try:
        frame = client.parse_text(text)
    except FrameError:
        return
    assert text.isascii()
    assert len(text) <= 4096
    if isinstance(frame, Unknown):
        value = json.loads(text)
        assert isinstance(value["type"], str)
        assert value["type"] not in KNOWN
    elif (getattr(frame, "retry_after_s", None) or 0.0) < EXACT_S:
        assert _spelt(frame) == data, "another spelling"


def _spelt(frame: client.TextFrame) -> bytes:
    match frame:
        case Challenge(nonce):
            return wire.serialize_challenge(nonce)
        case Welcome(life, tag, seq, fence, rate, burst, seats):
            return wire.serialize_welcome(
                Life(life), _tag(tag), seq, fence, _milli(rate), burst, seats
            )
        case Resumed(life, tag, seq, fence, ticket, rate, burst, seats):
            return wire.serialize_resumed(
                Life(life), _tag(tag), seq, fence, ticket, _milli(rate), burst, seats
            )
        case Joined(seq, tag, None, None, None):
            return wire.serialize_event("joined", seq, _tag(tag))
        case Joined(seq, tag, seats, away, ticket):
            assert seats is not None
            assert away is not None
            assert ticket is not None
            return wire.serialize_joined(seq, _tag(tag), map(_tag, seats), map(_tag, away), ticket)
        case Mark(mark):
            return wire.serialize_mark(mark)
        case Gap(seq, fence, seats, away):
            return wire.serialize_gap(seq, fence, map(_tag, seats), map(_tag, away))
        case Away(seq, tag) | Back(seq, tag) | Left(seq, tag):
            return wire.serialize_event(type(frame).__name__.lower(), seq, _tag(tag))
        case Refused():
            return _refused(frame)
        case Need():
            return wire.serialize_need()
        case Reset(life, seq, fence):
            return wire.serialize_reset(Life(life), seq, fence)
        case Drain(seconds):
            return wire.serialize_drain(_milli(seconds))
        case Notice(code):
            return wire.serialize_notice(code)


def _refused(frame: Refused) -> bytes:
    reference = None if frame.reference is None else Reference(frame.reference)
    spelt = wire.serialize_refused(Reason.STATE, reference, None, frame.fence).decode()
    wait = "null" if frame.retry_after_s is None else str(_milli(frame.retry_after_s))
    spelt = spelt.replace('"reason":"state"', f'"reason":"{frame.reason}"')
    return spelt.replace('"retry_after_ms":null', f'"retry_after_ms":{wait}').encode()


def _tag(tag: str) -> Tag:
    return Tag(int(tag, 16))


def _milli(seconds: float) -> int:
    return round(seconds * 1000)
