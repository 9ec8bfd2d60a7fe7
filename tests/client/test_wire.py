"""The client's half of the envelope, by the vectors that the relay's half reads too."""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import wire
from client.errors import FrameError
from client.link import RoomId

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/envelope.json").read_text())
RELAYS = [v for v in VECTORS if v["from"] == "relay"]
CLIENTS = {v["name"]: v for v in VECTORS if v["from"] == "client"}


def parse(data: bytes) -> object:
    """Read a message as its first byte says what it is."""
    return (
        wire.parse_text(data.decode("utf-8", "replace"))
        if data[:1] in b"{[" and data
        else (wire.parse_binary(data))
    )


def shown(frame: object) -> dict[str, object]:
    """A frame's fields as the vectors spell them."""
    fields = asdict(frame)  # type: ignore[call-overload]
    spelt: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, tuple):
            value = [v.hex() if isinstance(v, bytes) else v for v in value]
        if name == "message_rate":
            name, value = "message_rate_milli", round(value * 1000)
        elif name == "retry_after_s":
            name, value = "retry_after_ms", None if value is None else round(value * 1000)
        spelt[name] = value
    return spelt


@pytest.mark.parametrize("vector", RELAYS, ids=lambda v: v["name"])
def test_vectors_of_the_relay(vector: dict[str, object]) -> None:
    data = bytes.fromhex(str(vector["hex"]))
    if vector.get("error"):
        assert vector["error"] == FrameError.__name__
        with pytest.raises(FrameError):
            parse(data)
        return
    frame = parse(data)
    assert type(frame).__name__.lower() == vector["type"]
    expected = dict(vector["fields"] or {})  # type: ignore[call-overload]
    if isinstance(frame, wire.Challenge):
        assert expected.pop("v") == 1
    actual = shown(frame)
    if isinstance(frame, wire.Joined) and frame.seats is None:
        del actual["seats"], actual["away"], actual["ticket"]
    assert actual == expected


def test_vectors_of_the_client() -> None:
    hello = CLIENTS["hello"]
    fields = {name: bytes.fromhex(value) for name, value in hello["fields"].items()}
    spelt = wire.serialize_hello(RoomId(fields["room"]), fields["access"], fields["signature"])
    assert spelt.encode().hex() == hello["hex"]
    assert wire.NEED.encode().hex() == CLIENTS["need"]["hex"]
    assert wire.BYE.encode().hex() == CLIENTS["bye"]["hex"]
    for size in (256, 512, 1024, 2048, 4096):
        post = CLIENTS[f"post of {size}"]
        reference, fence = bytes.fromhex(post["fields"]["reference"]), post["fields"]["fence"]
        sealed = bytes.fromhex(post["fields"]["sealed"])
        assert wire.serialize_post(reference, fence, sealed).hex() == post["hex"]
    for name in ("commit", "founding commit"):
        fields = CLIENTS[name]["fields"]
        reference = bytes.fromhex(fields["reference"])
        commit, info = (bytes.fromhex(fields[k]) for k in ("commit", "group_info"))
        message = wire.serialize_commit(reference, fields["fence"], commit, info)
        assert message.hex() == CLIENTS[name]["hex"]
    fields = CLIENTS["offer"]["fields"]
    offer = wire.serialize_offer(
        bytes.fromhex(fields["reference"]), fields["fence"], bytes.fromhex(fields["group_info"])
    )
    assert offer.hex() == CLIENTS["offer"]["hex"]


@given(st.text(max_size=300))
def test_any_text_is_a_frame_or_a_frame_error(text: str) -> None:
    with contextlib.suppress(FrameError):
        wire.parse_text(text)


@given(st.binary(max_size=400), st.sampled_from((b"", b"\x11\x01", b"\x12", b"\x13")))
def test_any_bytes_are_a_frame_or_a_frame_error(data: bytes, head: bytes) -> None:
    with contextlib.suppress(FrameError):
        wire.parse_binary(head + data)


EVENT = '{"type":"away","seq":1,"tag":"0x3f8a"}'
WELCOME = (
    '{"type":"welcome","life":"AAAAAAAAAAA","tag":"0x3f8a","seq":0,"fence":0,'
    '"limits":{"message_rate_milli":1000,"message_burst":10,"seats":128}}'
)


@pytest.mark.parametrize(
    "text",
    [
        EVENT.replace("1", "-1"),
        EVENT.replace("1", "true"),
        EVENT.replace("1", "null"),
        EVENT.replace('"0x3f8a"', "7"),
        EVENT.replace("0x3f8a", "0x3F8A"),
        EVENT.replace("0x3f8a", "0x3f8"),
        EVENT + " ",
        "{" * 3000,
        '{"type":7}',
        '{"type":"need","x":NaN}',
        '{"type":"drain","retry_after_ms":Infinity}',
        "\u00e4",
        "x" * 5000,
        '{"type":"joined","seq":1,"tag":"0x3f8a","seats":7,"away":[]}',
        '{"type":"joined","seq":1,"tag":"0x3f8a","seats":["0x3f8a","0x3f8a"],"away":[]}',
        '{"type":"joined","seq":1,"tag":"0x3f8a","seats":["0x3f8a"]}',
        '{"type":"challenge","v":2,"nonce":"' + "A" * 43 + '"}',
        '{"type":"challenge","v":1,"nonce":7}',
        '{"type":"notice","code":"No Word"}',
        '{"type":"notice","code":7}',
        '{"type":"refused","reason":"rate","reference":"0","retry_after_ms":null,"fence":null}',
        '{"type":"refused","reason":"rate","reference":7,"retry_after_ms":null,"fence":null}',
        WELCOME.replace("seats", "chairs"),
        WELCOME.replace('{"message_rate_milli":1000,"message_burst":10,"seats":128}', "7"),
        WELCOME.replace("128", '"128"'),
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(FrameError):
        wire.parse_text(text)


def test_what_is_nested_as_deep_as_can_just_be_read_is_refused() -> None:
    """Between what json reads and what it writes again there are a few levels."""
    for depth in range(800, 1001):
        with pytest.raises(FrameError):
            wire.parse_text('{"type":"need","x":' + "[" * depth + "]" * depth + "}")


def test_welcome_is_read() -> None:
    welcome = wire.parse_text(WELCOME)
    assert isinstance(welcome, wire.Welcome)
    assert (welcome.message_rate, welcome.message_burst, welcome.seats) == (1.0, 10, 128)


@pytest.mark.parametrize(
    "data",
    [
        b"\x12" + bytes(8) + b"\x05",
        b"\x12" + bytes(8) + b"\x01" + b"\0\0",
        b"\x12" + bytes(8) + b"\x01" + b"\xff\xff\xff\xff",
        b"\x12" + b"\xff" * 8 + b"\x00",
        b"\x12",
        b"\x13" + bytes(8) + b"\xff" * 8,
        b"\x11\x01" + bytes(2) + b"\xff" * 8 + bytes(8) + bytes(284),
    ],
)
def test_binary_messages_that_lie_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        wire.parse_binary(data)


def test_info_of_a_relay_is_never_trusted_by_its_length() -> None:
    with pytest.raises(FrameError):
        wire.parse_binary(b"\x12" + bytes(8) + b"\x01" + b"\xff" * 4)
