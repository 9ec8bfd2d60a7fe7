"""What stands inside an application message (PROTOCOL 9).

Knows the spelling of contents; knows nothing of who sent them or how they were sealed.
"""

import hashlib
import json
import unicodedata
from dataclasses import dataclass

from client.errors import FrameError, UsageError

MAX_TEXT_CHARS = 500
MAX_NICK_CHARS = 32
MAX_INT = 2**53 - 1
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
class Other:
    """A content of a type that this version does not know: counted, not shown."""

    counter: int
    base: int


Content = Text | Nick | Void
_TYPES = {Text: "text", Nick: "nick", Void: "void"}


def digest(content: Content | Other) -> bytes:
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
    """Spell a content: head length (2), head; always within the largest size class."""
    fields: dict[str, int | str] = {
        "type": _TYPES[type(content)],
        "counter": content.counter,
        "base": content.base,
    }
    if not isinstance(content, Void) and content.nick is not None:
        fields["nick"] = content.nick
    if isinstance(content, Text):
        fields["text"] = content.text
    head = _dump(fields)
    return len(head).to_bytes(_LENGTH_BYTES, "big") + head


def parse(data: bytes) -> Content | Other:
    """Read a content; raise FrameError for anything but the one spelling of a known type."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "big")
    head = data[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if len(head) != length:
        raise FrameError("content cut short")
    try:
        fields = json.loads(head.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise FrameError("content is not JSON") from exc
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise FrameError("content without a type")
    content = _read(fields)
    if not isinstance(content, Other) and serialize(content) != data:
        raise FrameError("content in another spelling")
    return content


def _read(fields: dict[str, object]) -> Content | Other:
    counter, base, nick = fields.get("counter"), fields.get("base"), fields.get("nick")
    if type(counter) is not int or type(base) is not int or not 0 <= base < counter <= MAX_INT:
        raise FrameError("content with a wrong counter")
    if fields["type"] == "void":
        return Void(counter, base)
    if fields["type"] not in ("text", "nick"):
        return Other(counter, base)
    if nick is not None and not (isinstance(nick, str) and _is_nick(nick)):
        raise FrameError("content with a wrong nickname")
    if fields["type"] == "nick":
        if nick is None:
            raise FrameError("content without its nickname")
        return Nick(counter, base, nick)
    text = fields.get("text")
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS or _has_surrogates(text):
        raise FrameError("content with a wrong text")
    return Text(counter, base, nick, text)


def _dump(fields: dict[str, int | str]) -> bytes:
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
