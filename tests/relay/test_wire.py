import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import strict, wire
from relay.errors import MessageError, Reason
from relay.wire import (
    Bye,
    Commit,
    Hello,
    Life,
    Need,
    Offer,
    OtherVersion,
    Ping,
    Post,
    Reference,
    Resume,
    Tag,
    Unknown,
)
from tests.relay.raw import commit_bytes, hello_text, offer_bytes, post_bytes, resume_text

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "envelope.json").read_text()
)
MAX = 131_072


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def read(data: bytes, *, is_text: bool) -> Any:
    return wire.parse_text(data) if is_text else wire.parse_binary(data)


def shown(message: Any) -> tuple[str, dict[str, Any]]:
    """Return a parsed message as the vectors show it."""
    match message:
        case Hello(room, access, signature):
            fields = {"room": room.hex(), "access": access.hex(), "signature": signature.hex()}
            return "hello", fields
        case Resume(hello, ticket, mark, seq):
            return "resume", shown(hello)[1] | {"ticket": ticket, "mark": mark, "seq": seq}
        case OtherVersion():
            return "other_version", {}
        case Need():
            return "need", {}
        case Ping():
            return "ping", {}
        case Bye():
            return "bye", {}
        case Unknown():
            return "unknown", {}
        case Post(reference, fence, sealed):
            fields = {"reference": reference.hex(), "fence": fence, "sealed": sealed.hex()}
            return "post", fields
        case Commit(reference, fence, sealed, info):
            fields = {"reference": reference.hex(), "fence": fence, "commit": sealed.hex()}
            return "commit", fields | {"group_info": info.hex()}
        case Offer(reference, fence, info):
            fields = {"reference": reference.hex(), "fence": fence, "group_info": info.hex()}
            return "offer", fields
    raise AssertionError(message)


CLIENT = [case for case in CASES if case["from"] == "client"]
RELAY = [case for case in CASES if case["from"] == "relay" and "fields" in case]


@named([case for case in CLIENT if "fields" in case])
def test_message_of_a_client_is_read(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    message = read(data, is_text=data[:1] == b"{")
    assert shown(message) == (case["type"], case["fields"])
    if isinstance(message, (Post, Commit, Offer)):
        assert wire.has_size(message, MAX)


@named([case for case in CLIENT if "error" in case])
def test_anything_else_is_malformed(case: dict[str, Any]) -> None:
    assert case["error"] == MessageError.__name__
    with pytest.raises(MessageError):
        read(bytes.fromhex(case["hex"]), is_text=case["section"] == "5")


@named([case for case in CLIENT if "refused" in case])
def test_r20_other_lengths_are_seen(case: dict[str, Any]) -> None:
    assert case["refused"] == Reason.SIZE
    assert not wire.has_size(wire.parse_binary(bytes.fromhex(case["hex"])), MAX)


def test_commit_is_bounded_with_its_group_info() -> None:
    message = wire.parse_binary(commit_bytes(0, bytes(28 + 1024), bytes(28 + 2048)))
    assert wire.has_size(message, 3128)
    assert not wire.has_size(message, 3127)
    assert not wire.has_size(wire.parse_binary(offer_bytes(0, bytes(28 + 2048))), 2075)


def spell(case: dict[str, Any]) -> bytes | None:
    """Spell a message of the relay from the fields that the vectors show."""
    fields = case["fields"]
    tag = Tag(int(fields.get("tag", "0x0"), 16))
    seq, fence = fields.get("seq", 0), fields.get("fence", 0)
    reference = Reference(bytes.fromhex(fields.get("reference") or ""))
    match case["type"]:
        case "challenge":
            return wire.serialize_challenge(bytes.fromhex(fields["nonce"]))
        case "welcome":
            life = Life(bytes.fromhex(fields["life"]))
            rate, burst = fields["message_rate_milli"], fields["message_burst"]
            return wire.serialize_welcome(life, tag, seq, fence, rate, burst, fields["seats"])
        case "joined" if "seats" in fields:
            seats, away = (
                [Tag(int(text, 16)) for text in fields[key]] for key in ("seats", "away")
            )
            return wire.serialize_joined(seq, tag, seats, away, fields["ticket"])
        case "mark":
            return wire.serialize_mark(fields["mark"])
        case "resumed":
            life, ticket = Life(bytes.fromhex(fields["life"])), fields["ticket"]
            rate, burst = fields["message_rate_milli"], fields["message_burst"]
            return wire.serialize_resumed(
                life, tag, seq, fence, ticket, rate, burst, fields["seats"]
            )
        case "gap":
            seats, away = (
                [Tag(int(text, 16)) for text in fields[key]] for key in ("seats", "away")
            )
            return wire.serialize_gap(seq, fence, seats, away)
        case "joined" | "away" | "back" | "left":
            return wire.serialize_event(case["type"], seq, tag)
        case "refused":
            wait = fields["retry_after_ms"]
            return wire.serialize_refused(
                Reason(fields["reason"]),
                reference or None,
                None if wait is None else wait / 1000,
                fields["fence"],
            )
        case "need":
            return wire.serialize_need()
        case "reset":
            return wire.serialize_reset(Life(bytes.fromhex(fields["life"])), seq, fence)
        case "drain":
            return wire.serialize_drain(fields["retry_after_ms"])
        case "notice":
            return wire.serialize_notice(fields["code"])
        case "frame":
            sealed = bytes.fromhex(fields["sealed"])
            return wire.serialize_frame(fields["kind"], tag, seq, fence, sealed)
        case "info":
            return wire.serialize_info(fence, [bytes.fromhex(entry) for entry in fields["entries"]])
        case "ack":
            return wire.serialize_ack(reference, seq)
    return None


@named([case for case in RELAY if case["type"] != "unknown"])
def test_message_of_the_relay_is_spelt(case: dict[str, Any]) -> None:
    data = spell(case)
    assert data == bytes.fromhex(case["hex"])
    assert wire.is_text(data) is (case["section"] == "5")


def test_wait_is_rounded_up() -> None:
    assert b'"retry_after_ms":1,' in wire.serialize_refused(Reason.RATE, None, 0.0001)
    assert b'"retry_after_ms":2500,' in wire.serialize_refused(Reason.RATE, None, 2.5)


def spell_again(message: Any) -> bytes | None:
    match message:
        case Hello(room, access, signature):
            return hello_text(room, access, signature)
        case Resume(Hello(room, access, signature), ticket, mark, seq):
            return resume_text(room, access, signature, ticket, mark, seq)
        case Need():
            return b'{"type":"need"}'
        case Ping():
            return b'{"type":"ping"}'
        case Bye():
            return b'{"type":"bye"}'
        case Post(reference, fence, sealed):
            return post_bytes(fence, sealed, reference)
        case Commit(reference, fence, sealed, info):
            return commit_bytes(fence, sealed, info, reference)
        case Offer(reference, fence, info):
            return b"\x03" + reference + fence.to_bytes(8, "big") + info
    return None


ACCEPTED = [bytes.fromhex(case["hex"]) for case in CLIENT if "fields" in case]


@given(st.binary(max_size=100) | st.sampled_from(ACCEPTED), st.data())
def test_any_bytes_are_a_message_of_one_spelling_or_malformed(data: bytes, draw: Any) -> None:
    if data and draw.draw(st.booleans()):
        at = draw.draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw.draw(st.binary(max_size=2)) + data[at + 1 :]
    for is_text in (True, False):
        try:
            message = read(data, is_text=is_text)
        except MessageError:
            continue
        assert spell_again(message) in (data, None)


@given(st.text(alphabet='{}[]":,\\u0', max_size=60))
def test_deep_and_odd_json_never_gets_far(text: str) -> None:
    for prefix in ("", '{"type":"x","a":'):
        try:
            wire.parse_text((prefix + text).encode())
        except MessageError:
            continue
    with pytest.raises(MessageError):
        wire.parse_text(b'{"type":' + b"[" * 4000)


def test_json_in_another_encoding_is_malformed() -> None:
    """ASCII alone says nothing: with zeros in between it is UTF-16, where a quote can hide."""
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-16"):
        with pytest.raises(MessageError):
            wire.parse_text('{"type":"x"}'.encode(encoding))
    # Its one byte of a quote ends the string for whoever counts brackets in bytes.
    deep = '{"type":"x","s":"\u4122","n":' + "[" * 1800 + '"'
    with pytest.raises(MessageError):
        wire.parse_text(deep.encode("utf-16-le"))


@given(st.binary(max_size=60).map(lambda data: data.replace(b"~", b'"')))
def test_brackets_are_counted_in_one_pass(data: bytes) -> None:
    """A quote that is left over would have been tried, in vain, up to the end of the message."""
    for quotes in (data, b'"' + data, data.replace(b"a", b'\\"') * 5):
        assert b'"' not in strict._STRING.sub(b"", quotes)


def test_r27_own_frames_are_known_by_their_tag() -> None:
    tag, other = Tag(0x3F8A), Tag(0x3F8B)
    for kind in (wire.APPLICATION_KIND, wire.COMMIT_KIND):
        frame = wire.serialize_frame(kind, tag, 5, 3, b"sealed")
        assert wire.is_from(frame, tag)
        assert not wire.is_from(frame, other)
        assert wire.is_commit(frame) is (kind == wire.COMMIT_KIND)
    assert not wire.is_from(wire.serialize_event("away", 5, tag), tag)
