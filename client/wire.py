"""The client's half of PROTOCOL 5 and 6: bytes of the relay to frozen frames, and frames to bytes.

Knows spelling and lengths; never opens what is sealed.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

from client import field
from client.errors import FrameError
from client.field import check_int
from client.link import RoomId, Tag, encode_b64url
from client.seal import Kind, is_sealed_length

MAX_TEXT_BYTES = 4096
REFERENCE_BYTES = 8
# A commit with its GroupInfo has at most 128 KiB; an info holds one GroupInfo and three offers.
MAX_MESSAGE_BYTES = 4 * 128 * 1024 + 64
MAX_INFO_ENTRIES = 4

_POST = struct.Struct("!B8sQ")
_COMMIT = struct.Struct("!B8sQL")
_FRAME = struct.Struct("!BB2sQQ")
_INFO = struct.Struct("!BQB")
_ACK = struct.Struct("!B8sQ")
_LENGTH = struct.Struct("!L")
_KIND_POST, _KIND_COMMIT, _KIND_OFFER = 0x01, 0x02, 0x03
_KIND_FRAME, _KIND_INFO, _KIND_ACK = 0x11, 0x12, 0x13


@dataclass(frozen=True)
class Challenge:
    nonce: bytes


@dataclass(frozen=True)
class Welcome:
    """``message_rate`` is in frames per second, 0 for no limit."""

    life: bytes
    tag: Tag
    seq: int
    fence: int
    message_rate: float
    message_burst: int
    seats: int


@dataclass(frozen=True)
class Joined:
    """``seats``, ``away`` and ``ticket`` are None unless this tells the joiner itself."""

    seq: int
    tag: Tag
    seats: tuple[Tag, ...] | None
    away: tuple[Tag, ...] | None
    ticket: str | None


@dataclass(frozen=True)
class Mark:
    mark: str


@dataclass(frozen=True)
class Resumed:
    """``message_rate`` is in frames per second, 0 for no limit."""

    life: bytes
    tag: Tag
    seq: int
    fence: int
    ticket: str
    message_rate: float
    message_burst: int
    seats: int


@dataclass(frozen=True)
class Gap:
    """Numbers up to ``seq`` do not come any more; this is how the room stands."""

    seq: int
    fence: int
    seats: tuple[Tag, ...]
    away: tuple[Tag, ...]


@dataclass(frozen=True)
class Away:
    seq: int
    tag: Tag


@dataclass(frozen=True)
class Back:
    seq: int
    tag: Tag


@dataclass(frozen=True)
class Left:
    seq: int
    tag: Tag


@dataclass(frozen=True)
class Refused:
    reason: str
    reference: bytes | None
    retry_after_s: float | None
    fence: int | None


@dataclass(frozen=True)
class Need:
    pass


@dataclass(frozen=True)
class Reset:
    life: bytes
    seq: int
    fence: int


@dataclass(frozen=True)
class Drain:
    retry_after_s: float


@dataclass(frozen=True)
class Notice:
    code: str


@dataclass(frozen=True)
class Unknown:
    """A text message of a type that this version does not know: ignored."""


@dataclass(frozen=True)
class Frame:
    kind: Kind
    tag: Tag
    seq: int
    fence: int
    sealed: bytes


@dataclass(frozen=True)
class Info:
    fence: int
    entries: tuple[bytes, ...]


@dataclass(frozen=True)
class Ack:
    reference: bytes
    seq: int


TextFrame = (
    Challenge
    | Welcome
    | Joined
    | Mark
    | Resumed
    | Gap
    | Away
    | Back
    | Left
    | Refused
    | Need
    | Reset
    | Drain
    | Notice
)
BinaryFrame = Frame | Info | Ack


def serialize_hello(room_id: RoomId, access_key: bytes, signature: bytes) -> str:
    """Spell a hello (PROTOCOL 4.1)."""
    return field.dump(
        {
            "type": "hello",
            "v": 1,
            "room": encode_b64url(room_id),
            "access": encode_b64url(access_key),
            "signature": encode_b64url(signature),
        }
    )


def serialize_resume(
    room_id: RoomId, access_key: bytes, signature: bytes, ticket: str, mark: str, seq: int
) -> str:
    """Spell a resume (PROTOCOL 4.5); ``seq`` is the last number seen."""
    return field.dump(
        {
            "type": "resume",
            "v": 1,
            "room": encode_b64url(room_id),
            "access": encode_b64url(access_key),
            "signature": encode_b64url(signature),
            "ticket": ticket,
            "mark": mark,
            "seq": seq,
        }
    )


NEED = '{"type":"need"}'
BYE = '{"type":"bye"}'


def serialize_post(reference: bytes, fence: int, sealed: bytes) -> bytes:
    """Spell a post; ``reference`` has 8 bytes."""
    return _POST.pack(_KIND_POST, reference, fence) + sealed


def serialize_commit(reference: bytes, fence: int, commit: bytes, group_info: bytes) -> bytes:
    """Spell a commit: both parts sealed, ``fence`` the one that it replaces."""
    return _COMMIT.pack(_KIND_COMMIT, reference, fence, len(commit)) + commit + group_info


def serialize_offer(reference: bytes, fence: int, group_info: bytes) -> bytes:
    """Spell an offer of a sealed GroupInfo for the present fence."""
    return _POST.pack(_KIND_OFFER, reference, fence) + group_info


def parse_binary(data: bytes) -> BinaryFrame:
    """Read a binary message of the relay; raise FrameError."""
    kind = data[0] if data else 0
    if kind == _KIND_FRAME:
        return _parse_frame(data)
    if kind == _KIND_ACK and len(data) == _ACK.size:
        _, reference, seq = _ACK.unpack(data)
        return Ack(reference, check_int(seq))
    if kind == _KIND_INFO:
        return _parse_info(data)
    raise FrameError("unknown binary message")


def _parse_frame(data: bytes) -> Frame:
    if len(data) < _FRAME.size:
        raise FrameError("frame cut short")
    _, kind, tag, seq, fence = _FRAME.unpack_from(data)
    if kind not in (Kind.APPLICATION, Kind.COMMIT):
        raise FrameError("frame of no known kind")
    sealed = data[_FRAME.size :]
    if not is_sealed_length(Kind(kind), len(sealed)):
        raise FrameError("frame of no known length")
    return Frame(Kind(kind), Tag(f"0x{tag.hex()}"), check_int(seq), check_int(fence), sealed)


def _parse_info(data: bytes) -> Info:
    if len(data) < _INFO.size:
        raise FrameError("info cut short")
    _, fence, count = _INFO.unpack_from(data)
    if count > MAX_INFO_ENTRIES:
        raise FrameError("info with too many entries")
    entries, at = [], _INFO.size
    for _ in range(count):
        if at + _LENGTH.size > len(data):
            raise FrameError("info cut short")
        end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
        entry = data[at + _LENGTH.size : end]
        if end > len(data) or not is_sealed_length(Kind.GROUP_INFO, len(entry)):
            raise FrameError("info entry of no known length")
        entries.append(entry)
        at = end
    if at != len(data):
        raise FrameError("info with bytes left over")
    return Info(check_int(fence), tuple(entries))


def parse_text(text: str) -> TextFrame | Unknown:
    """Read a text message of the relay; raise FrameError for any spelling but the one."""
    if len(text) > MAX_TEXT_BYTES or not text.isascii():
        raise FrameError("text message too long, or not ASCII")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise FrameError("text message is not JSON") from exc
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise FrameError("text message without a type")
    build = _TEXT.get(fields["type"])
    if build is None:
        return Unknown()
    shape, make = build
    # `joined` has a longer shape for the joiner itself.
    if fields["type"] == "joined" and "seats" in fields:
        shape = _JOINER
    if list(fields) != ["type", *shape] or not _is_spelt(fields, text):
        raise FrameError("text message in another spelling")
    try:
        frame: TextFrame = make(**{name: read(fields[name]) for name, read in shape.items()})
    except (TypeError, ValueError) as exc:
        raise FrameError("text message with a wrong value") from exc
    return frame


def _is_spelt(fields: dict[str, Any], text: str) -> bool:
    try:
        return field.dump(fields) == text
    except (ValueError, RecursionError):
        # Not a number, or infinite; or nested as deep as can just be read, and not be written.
        return False


def _make_welcome(
    life: bytes, tag: Tag, seq: int, fence: int, limits: tuple[float, int, int]
) -> Welcome:
    return Welcome(life, tag, seq, fence, *limits)


def _make_challenge(v: int, nonce: bytes) -> Challenge:
    if v != 1:
        raise ValueError
    return Challenge(nonce)


def _make_joined(
    seq: int,
    tag: Tag,
    seats: tuple[Tag, ...] | None = None,
    away: tuple[Tag, ...] | None = None,
    ticket: str | None = None,
) -> Joined:
    return Joined(seq, tag, seats, away, ticket)


def _make_resumed(
    life: bytes, tag: Tag, seq: int, fence: int, ticket: str, limits: tuple[float, int, int]
) -> Resumed:
    return Resumed(life, tag, seq, fence, ticket, *limits)


def _make_refused(
    reason: str, reference: bytes | None, retry_after_ms: float | None, fence: int | None
) -> Refused:
    return Refused(reason, reference, retry_after_ms, fence)


def _make_drain(retry_after_ms: float) -> Drain:
    return Drain(retry_after_ms)


_PLACE: dict[str, Any] = {
    "life": field.read_b64(8),
    "tag": field.read_tag,
    "seq": check_int,
    "fence": check_int,
}
_EVENT: dict[str, Any] = {"seq": check_int, "tag": field.read_tag}
_JOINER: dict[str, Any] = _EVENT | {
    "seats": field.read_tags,
    "away": field.read_tags,
    "ticket": field.read_token,
}
_TEXT: dict[str, tuple[dict[str, Any], Any]] = {
    "challenge": ({"v": check_int, "nonce": field.read_b64(32)}, _make_challenge),
    "welcome": (_PLACE | {"limits": field.read_limits}, _make_welcome),
    "joined": (_EVENT, _make_joined),
    "mark": ({"mark": field.read_token}, Mark),
    "resumed": (_PLACE | {"ticket": field.read_token, "limits": field.read_limits}, _make_resumed),
    "gap": (
        {
            "seq": check_int,
            "fence": check_int,
            "seats": field.read_tags,
            "away": field.read_tags,
        },
        Gap,
    ),
    "away": (_EVENT, Away),
    "back": (_EVENT, Back),
    "left": (_EVENT, Left),
    "refused": (
        {
            "reason": field.read_word,
            "reference": field.read_reference,
            "retry_after_ms": field.optional(field.read_seconds),
            "fence": field.optional(check_int),
        },
        _make_refused,
    ),
    "need": ({}, Need),
    "reset": (
        {"life": field.read_b64(8), "seq": check_int, "fence": check_int},
        Reset,
    ),
    "drain": ({"retry_after_ms": field.read_seconds}, _make_drain),
    "notice": ({"code": field.read_word}, Notice),
}
