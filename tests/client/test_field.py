"""The values in text messages of the relay: each has one spelling (PROTOCOL 5)."""

from collections.abc import Callable
from typing import Any

import pytest

from client import field
from client.errors import FrameError

Reader = Callable[[Any], Any]
WRONG = (TypeError, ValueError, FrameError)
LIMITS = {"message_rate_milli": 500, "message_burst": 10, "seats": 128}


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (field.check_int, 0, 0),
        (field.check_int, field.MAX_INT, field.MAX_INT),
        (field.read_tag, "0x00af", "0x00af"),
        (field.read_tags, [], ()),
        (field.read_tags, ["0x0001", "0x000a"], ("0x0001", "0x000a")),
        (field.read_word, "a_b", "a_b"),
        (field.read_word, "x" * 32, "x" * 32),
        (field.read_token, "aZ-_9", "aZ-_9"),
        (field.read_token, "x" * 256, "x" * 256),
        (field.read_b64(2), "AAA", b"\0\0"),
        (field.read_reference, None, None),
        (field.read_reference, "00112233445566ff", bytes.fromhex("00112233445566ff")),
        (field.optional(field.read_tag), None, None),
        (field.optional(field.read_tag), "0x0001", "0x0001"),
        (field.read_seconds, 1500, 1.5),
        (field.read_limits, LIMITS, (0.5, 10, 128)),
    ],
)
def test_right_value_is_read(read: Reader, value: object, expected: object) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (field.check_int, -1),
        (field.check_int, field.MAX_INT + 1),
        (field.check_int, True),
        (field.check_int, 1.0),
        (field.check_int, "1"),
        (field.read_tag, 1),
        (field.read_tag, "0x00AF"),
        (field.read_tag, "0x00af\n"),
        (field.read_tag, "00af"),
        (field.read_tags, "0x0001"),
        (field.read_tags, None),
        (field.read_tags, ["0x000a", "0x0001"]),
        (field.read_tags, ["0x0001", "0x0001"]),
        (field.read_tags, [1]),
        (field.read_word, None),
        (field.read_word, ""),
        (field.read_word, "Word"),
        (field.read_word, "x" * 33),
        (field.read_token, b"x"),
        (field.read_token, ""),
        (field.read_token, "a=b"),
        (field.read_token, "x" * 257),
        (field.read_b64(2), 7),
        (field.read_b64(2), "AA"),
        (field.read_b64(2), "AAB"),
        (field.read_reference, 7),
        (field.read_reference, "00112233445566FF"),
        (field.read_reference, "001122334455667"),
        (field.optional(field.read_tag), "x"),
        (field.read_seconds, -1),
        (field.read_seconds, None),
        (field.read_limits, [500, 10, 128]),
        (field.read_limits, {"message_rate_milli": 500, "message_burst": 10}),
        (field.read_limits, dict(reversed(LIMITS.items()))),
        (field.read_limits, LIMITS | {"seats": "128"}),
    ],
)
def test_wrong_value_is_refused(read: Reader, value: object) -> None:
    with pytest.raises(WRONG):
        read(value)


def test_object_is_spelt_in_the_one_way() -> None:
    assert field.dump({"b": 1, "a": ["ü", None]}) == '{"b":1,"a":["\\u00fc",null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        field.dump({"a": float("nan")})
