"""What stands inside an application message (PROTOCOL 9).

Knows the spelling of contents; knows nothing of who sent them or how they were sealed.
"""

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard

from client.errors import FrameError, UsageError

MAX_TEXT_CHARS = 500
MAX_NICK_CHARS = 32
MAX_INT = 2**53 - 1
# Leaves of the largest group, and the counters that one repair may carry (PROTOCOL 9).
MAX_ENTRIES = 256
MAX_PARTS = 64
_LENGTH_BYTES = 2


@dataclass(frozen=True)
class Text:
    """A message; ``counter`` and ``base`` as R30 has them."""

    counter: int
    base: int
    nick: str | None
    text: str


@dataclass(frozen=True)
class Nick:
    """A nickname told by itself, without a message."""

    counter: int
    base: int
    nick: str


@dataclass(frozen=True)
class Void:
    """The sender gives up this counter: what it first meant to say under it was never ordered."""

    counter: int
    base: int


@dataclass(frozen=True)
class Pulse:
    """What its sender has said and received; takes no counter of its own (R31).

    ``received``: leaves, ascending, each with the first counter that is counted from, and the last
    up to which nothing is missing since (one less than the first, where nothing came).
    """

    counter: int
    base: int
    nick: str | None
    received: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Ask:
    """A request for what is missing: leaf, first and last counter, ascending (R32)."""

    counter: int
    base: int
    holes: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Repair:
    """Contents sent again, by ascending counter: to one leaf, sealed to it, or plain (R32)."""

    counter: int
    base: int
    leaf: int | None
    parts: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Other:
    """A content of a type that this version does not know: counted, not shown."""

    counter: int
    base: int


Counted = Text | Nick | Void
Content = Counted | Pulse | Ask | Repair
_TYPES = {
    Text: "text",
    Nick: "nick",
    Void: "void",
    Pulse: "pulse",
    Ask: "ask",
    Repair: "repair",
}


def digest(content: Counted | Other) -> bytes:
    """Name what a content says, so that a second one under its counter can be told apart (R30).

    The same text goes again with another base after a commit, which is no equivocation; a void
    contradicts nothing, and of an unknown type only the type is known.
    """
    match content:
        case Text():
            said = ("text", content.nick, content.text)
        case Nick():
            said = ("nick", content.nick, "")
        case _:
            return b""
    return hashlib.sha256(repr(said).encode()).digest()


def check_text(text: str) -> str:
    """Return ``text`` if it may be sent (R21); raise UsageError otherwise."""
    if len(text) > MAX_TEXT_CHARS:
        raise UsageError(f"{len(text)} characters; a message has at most {MAX_TEXT_CHARS}")
    if _has_surrogates(text):
        raise UsageError("a message holds no lone surrogates")
    return text


def check_nick(nick: str) -> str:
    """Return ``nick`` if it may be used; raise UsageError otherwise."""
    if not _is_nick(nick):
        raise UsageError(
            f"a nickname has 1 to {MAX_NICK_CHARS} characters, none of them for control,"
            " and does not begin or end with a space"
        )
    return nick


def serialize(content: Content) -> bytes:
    """Spell a content: head length (2), head, raw bytes.

    A counted one is always within the largest size class.
    """
    fields: dict[str, object] = {
        "type": _TYPES[type(content)],
        "counter": content.counter,
        "base": content.base,
    }
    raw = b""
    if isinstance(content, Text | Nick | Pulse) and content.nick is not None:
        fields["nick"] = content.nick
    match content:
        case Text():
            fields["text"] = content.text
        case Pulse():
            fields["received"] = content.received
        case Ask():
            fields["holes"] = content.holes
        case Repair():
            if content.leaf is not None:
                fields["leaf"] = content.leaf
            fields["counters"] = [counter for counter, _ in content.parts]
            raw = b"".join(_sized(sealed) for _, sealed in content.parts)
        case _:
            pass
    return _sized(_dump(fields)) + raw


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def parse(data: bytes) -> Content | Other:
    """Read a content; raise FrameError for anything but the one spelling of a known type."""
    head, raw = _take(data)
    try:
        fields = json.loads(head.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise FrameError("content is not JSON") from exc
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise FrameError("content without a type")
    content = _read(fields, raw)
    if not isinstance(content, Other) and serialize(content) != data:
        raise FrameError("content in another spelling")
    return content


def _take(data: bytes) -> tuple[bytes, bytes]:
    """Split off what its length (2) stands before."""
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    if len(data) < max(end, _LENGTH_BYTES):
        raise FrameError("content cut short")
    return data[_LENGTH_BYTES:end], data[end:]


def _read(fields: dict[str, object], raw: bytes) -> Content | Other:
    counter, base, nick = fields.get("counter"), fields.get("base"), fields.get("nick")
    if not _is_number(counter) or not _is_number(base):
        raise FrameError("content with a wrong counter")
    kind = fields["type"]
    if base > counter or (base == counter and kind not in ("pulse", "ask", "repair")):
        raise FrameError("content with a wrong base")
    if nick is not None and kind in ("text", "nick", "pulse"):
        if not isinstance(nick, str) or not _is_nick(nick):
            raise FrameError("content with a wrong nickname")
    else:
        nick = None
    match kind:
        case "void":
            return Void(counter, base)
        case "nick" if nick is not None:
            return Nick(counter, base, nick)
        case "text":
            return Text(counter, base, nick, _read_text(fields.get("text")))
        case "pulse":
            received = _read_rows(fields.get("received"), 3, MAX_ENTRIES)
            if any(a[0] >= b[0] for a, b in pairwise(received)):
                raise FrameError("leaves out of order")
            if any(not 1 <= first <= last + 1 for _, first, last in received):
                raise FrameError("counters out of order")
            rows = tuple((leaf, first, last) for leaf, first, last in received)
            return Pulse(counter, base, nick, rows)
        case "ask":
            holes = _read_rows(fields.get("holes"), 3, MAX_ENTRIES)
            if any(not 1 <= first <= last for _, first, last in holes) or any(
                (a[0], a[2]) >= (b[0], b[1]) for a, b in pairwise(holes)
            ):
                raise FrameError("holes out of order")
            return Ask(counter, base, tuple((leaf, first, last) for leaf, first, last in holes))
        case "repair":
            return _read_repair(counter, base, fields, raw)
        case "nick":
            raise FrameError("content without its nickname")
        case _:
            return Other(counter, base)


def _read_text(text: object) -> str:
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS or _has_surrogates(text):
        raise FrameError("content with a wrong text")
    return text


def _read_rows(rows: object, width: int, most: int) -> list[list[int]]:
    """Read a list of at most ``most`` lists of ``width`` numbers."""
    if not isinstance(rows, list) or len(rows) > most:
        raise FrameError("content with a wrong list")
    for row in rows:
        if not isinstance(row, list) or len(row) != width or not all(map(_is_number, row)):
            raise FrameError("content with a wrong list")
    return rows


def _read_repair(counter: int, base: int, fields: dict[str, object], raw: bytes) -> Repair:
    leaf, counters = fields.get("leaf"), fields.get("counters")
    if not isinstance(counters, list) or len(counters) > MAX_PARTS:
        raise FrameError("repair of something else")
    if leaf is not None and not _is_number(leaf):
        raise FrameError("repair for nobody")
    if not all(map(_is_number, counters)) or any(a >= b for a, b in pairwise(counters)):
        raise FrameError("counters out of order")
    parts = []
    for number in counters:
        sealed, raw = _take(raw)
        parts.append((number, sealed))
    return Repair(counter, base, leaf, tuple(parts))


def _is_number(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MAX_INT


def _dump(fields: dict[str, object]) -> bytes:
    # JSON escapes U+007F in no implementation that we speak to; json.dumps leaves it as it is.
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _is_nick(nick: str) -> bool:
    # Cc, Cf (bidirectional and zero-width controls), Cs, Zl and Zp could hide or turn a line.
    return (
        1 <= len(nick) <= MAX_NICK_CHARS
        and nick.strip() == nick
        and not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in nick)
    )
