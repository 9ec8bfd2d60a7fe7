"""The values that stand in text messages of the relay (PROTOCOL 5): each reader takes one spelling.

Knows tags, numbers and tokens; a value that is none raises TypeError or ValueError, a number out
of range FrameError. What they mean is wire's.
"""

import json
import re
from typing import Any

from client.errors import FrameError
from client.link import Tag, decode_b64url

MAX_INT = 2**53 - 1
_TAG = re.compile(r"0x[0-9a-f]{4}")
_WORD = re.compile(r"[a-z_]{1,32}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")


def dump(fields: dict[str, Any]) -> str:
    """Spell an object in the one way."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def check_int(value: object) -> int:
    """Return a number from 0 to 2^53 - 1."""
    if type(value) is not int or not 0 <= value <= MAX_INT:
        raise FrameError("number out of range")
    return value


def read_tag(value: object) -> Tag:
    """Read a tag."""
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise ValueError
    return Tag(value)


def read_tags(value: object) -> tuple[Tag, ...]:
    """Read a list of tags, ascending, each once."""
    if not isinstance(value, list):
        raise TypeError
    tags = tuple(read_tag(item) for item in value)
    if list(tags) != sorted(set(tags)):
        raise ValueError
    return tags


def read_word(value: object) -> str:
    """Read a reason or a code."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError
    return value


def read_token(value: object) -> str:
    """Read a ticket or a mark, which stay as they are."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ValueError
    return value


def read_b64(length: int) -> Any:
    """Return a reader of so many bytes in base64url."""

    def read(value: object) -> bytes:
        if not isinstance(value, str):
            raise TypeError
        return decode_b64url(value, length)

    return read


def read_reference(value: object) -> bytes | None:
    """Read a reference, or null."""
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{16}", value):
        raise ValueError
    return bytes.fromhex(value)


def optional(read: Any) -> Any:
    """Return a reader that lets null through."""
    return lambda value: None if value is None else read(value)


def read_seconds(value: object) -> float:
    """Read milliseconds as seconds."""
    return check_int(value) / 1000


def read_limits(value: object) -> tuple[float, int, int]:
    """Read the limits of a session: messages per second, burst, seats."""
    if not isinstance(value, dict):
        raise TypeError
    if list(value) != ["message_rate_milli", "message_burst", "seats"]:
        raise ValueError
    rate, burst, seats = (check_int(item) for item in value.values())
    return rate / 1000, burst, seats
