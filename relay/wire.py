"""The relay's half of the envelope (PROTOCOL 5 and 6): the only part of a message it may read.

Knows one spelling for each message; `sealed` stays opaque, only its length is looked at.
A message is ``bytes``: text begins with ``{``, binary with its kind.
"""

import base64
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NewType, assert_never

from relay import strict
from relay.errors import MessageError, Reason

RoomId = NewType("RoomId", bytes)
Tag = NewType("Tag", int)
Reference = NewType("Reference", bytes)
Life = NewType("Life", bytes)

MAX_TEXT_BYTES = 4096
MAX_DEPTH = 4
MAX_INT = 2**53 - 1
NONCE_BYTES = 32
LIFE_BYTES = 8
SEAL_BYTES = 28
# Sealed lengths of application messages (PROTOCOL 3).
POST_LENGTHS = frozenset(SEAL_BYTES + n for n in (256, 512, 1024, 2048, 4096))
PADDING_STEP = 1024

POST, COMMIT, OFFER = 0x01, 0x02, 0x03
FRAME, INFO, ACK = 0x11, 0x12, 0x13
APPLICATION_KIND, COMMIT_KIND = 1, 2

POST_HEADER = struct.Struct("!B8sQ")
_COMMIT_HEADER = struct.Struct("!B8sQL")
_FRAME_HEADER = struct.Struct("!BBHQQ")
_INFO_HEADER = struct.Struct("!BQB")
_LENGTH = struct.Struct("!L")
_ACK = struct.Struct("!B8sQ")
FRAME_HEADER_BYTES, ACK_BYTES = _FRAME_HEADER.size, _ACK.size
# The longest header that may stand before the sealed bytes of a client's message.
MAX_HEADER_BYTES = _COMMIT_HEADER.size

_PROOF = rb'"v":1,"room":"([\w-]{22})","access":"([\w-]{43})","signature":"([\w-]{86})"'
_HELLO = re.compile(rb'\{"type":"hello",' + _PROOF + rb"\}")
_RESUME = re.compile(
    rb'\{"type":"resume",'
    + _PROOF
    + rb',"ticket":"([\w-]{1,256})","mark":"([\w-]{1,256})","seq":(0|[1-9][0-9]{0,15})\}'
)
_KNOWN = frozenset(
    (
        "challenge", "hello", "resume", "welcome", "resumed", "gap", "mark", "joined", "away",
        "back", "left", "refused", "need", "reset", "drain", "notice", "bye", "ping", "pong",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hello:
    room: RoomId
    access: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Resume:
    """A hello that shows a ticket; ``seq`` is the last number that its sender has seen."""

    hello: Hello
    ticket: str = field(repr=False)
    mark: str = field(repr=False)
    seq: int


@dataclass(frozen=True, slots=True)
class OtherVersion:
    """A hello or resume in a version that this relay does not speak."""


@dataclass(frozen=True, slots=True)
class Need:
    pass


@dataclass(frozen=True, slots=True)
class Ping:
    """Whether the relay is there, asked by a client that sees no control frames (PROTOCOL 4)."""


@dataclass(frozen=True, slots=True)
class Bye:
    pass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A JSON object of a type that this version does not know: ignored and counted."""


@dataclass(frozen=True, slots=True)
class Post:
    reference: Reference
    fence: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    reference: Reference
    fence: int
    sealed: bytes
    group_info: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    reference: Reference
    fence: int
    group_info: bytes


Text = Hello | Resume | OtherVersion | Need | Ping | Bye | Unknown
Binary = Post | Commit | Offer


def parse_text(data: bytes) -> Text:
    """Read one text message of a client; raise MessageError for any other bytes."""
    if data == b'{"type":"need"}':
        return Need()
    if data == b'{"type":"ping"}':
        return Ping()
    if data == b'{"type":"bye"}':
        return Bye()
    if match := _HELLO.fullmatch(data):
        return _read_proof(match)
    if match := _RESUME.fullmatch(data):
        seq = int(match[6])
        if seq > MAX_INT:
            raise MessageError
        return Resume(_read_proof(match), match[4].decode(), match[5].decode(), seq)
    return _parse_other(data)


def _read_proof(match: re.Match[bytes]) -> Hello:
    room, access, signature = (_from_b64url(match[group]) for group in (1, 2, 3))
    return Hello(RoomId(room), access, signature)


def parse_binary(data: bytes) -> Binary:
    """Read one binary message of a client; raise MessageError for any other bytes.

    Lengths of sealed parts are not judged here: see has_size.
    """
    size = len(data)
    if size < POST_HEADER.size:
        raise MessageError
    kind, reference, fence = POST_HEADER.unpack_from(data)
    if kind == POST:
        return Post(reference, fence, data[POST_HEADER.size :])
    if kind == OFFER:
        return Offer(reference, fence, data[POST_HEADER.size :])
    if kind != COMMIT or size < _COMMIT_HEADER.size:
        raise MessageError
    end = _COMMIT_HEADER.size + _COMMIT_HEADER.unpack_from(data)[3]
    if end > size:
        raise MessageError
    return Commit(reference, fence, data[_COMMIT_HEADER.size : end], data[end:])


def has_size(message: Binary, max_commit_bytes: int) -> bool:
    """Tell whether the sealed parts have lengths that PROTOCOL 3 knows and the limit allows."""
    match message:
        case Post(sealed=sealed):
            return len(sealed) in POST_LENGTHS
        case Commit(sealed=sealed, group_info=group_info):
            return (
                _is_padded(sealed)
                and _is_padded(group_info)
                and len(sealed) + len(group_info) <= max_commit_bytes
            )
        case Offer(group_info=group_info):
            return _is_padded(group_info) and len(group_info) <= max_commit_bytes
        case unreachable:
            assert_never(unreachable)


def is_text(message: bytes) -> bool:
    """Tell which kind of WebSocket message carries this one."""
    return message[:1] == b"{"


def tag_text(tag: Tag) -> str:
    """Spell a tag."""
    return f"0x{tag:04x}"


def serialize_challenge(nonce: bytes) -> bytes:
    """Spell the relay's first message."""
    return f'{{"type":"challenge","v":1,"nonce":"{_to_b64url(nonce)}"}}'.encode()


def serialize_welcome(
    life: Life, tag: Tag, seq: int, fence: int, message_rate_milli: int, burst: int, seats: int
) -> bytes:
    """Spell the answer to a good hello; ``message_rate_milli`` 0 says that there is no limit."""
    return (
        f'{{"type":"welcome","life":"{_to_b64url(life)}","tag":"{tag_text(tag)}","seq":{seq},'
        f'"fence":{fence},{_limits(message_rate_milli, burst, seats)}}}'
    ).encode()


def serialize_resumed(
    life: Life,
    tag: Tag,
    seq: int,
    fence: int,
    ticket: str,
    message_rate_milli: int,
    burst: int,
    seats: int,
) -> bytes:
    """Spell the answer to a good resume; a replay or a gap follows it."""
    return (
        f'{{"type":"resumed","life":"{_to_b64url(life)}","tag":"{tag_text(tag)}","seq":{seq},'
        f'"fence":{fence},"ticket":"{ticket}",{_limits(message_rate_milli, burst, seats)}}}'
    ).encode()


def serialize_gap(seq: int, fence: int, seats: Iterable[Tag], away: Iterable[Tag]) -> bytes:
    """Spell what stands in the place of a replay; both lists come in ascending order."""
    return (
        f'{{"type":"gap","seq":{seq},"fence":{fence},'
        f'"seats":[{_tag_list(seats)}],"away":[{_tag_list(away)}]}}'
    ).encode()


def serialize_mark(mark: str) -> bytes:
    """Spell a mark."""
    return f'{{"type":"mark","mark":"{mark}"}}'.encode()


def _limits(message_rate_milli: int, burst: int, seats: int) -> str:
    return (
        f'"limits":{{"message_rate_milli":{message_rate_milli},'
        f'"message_burst":{burst},"seats":{seats}}}'
    )


def serialize_event(kind: str, seq: int, tag: Tag) -> bytes:
    """Spell `joined`, `away`, `back` or `left` as everybody but a joiner itself sees it."""
    return f'{{"type":"{kind}","seq":{seq},"tag":"{tag_text(tag)}"}}'.encode()


def serialize_joined(
    seq: int, tag: Tag, seats: Iterable[Tag], away: Iterable[Tag], ticket: str
) -> bytes:
    """Spell `joined` as the joiner sees it; both lists come in ascending order."""
    return (
        f'{{"type":"joined","seq":{seq},"tag":"{tag_text(tag)}",'
        f'"seats":[{_tag_list(seats)}],"away":[{_tag_list(away)}],"ticket":"{ticket}"}}'
    ).encode()


def serialize_refused(
    reason: Reason,
    reference: Reference | None = None,
    retry_after_s: float | None = None,
    fence: int | None = None,
) -> bytes:
    """Spell a refusal; a wait is rounded up to whole milliseconds, so that waiting it is enough."""
    quoted = "null" if reference is None else f'"{reference.hex()}"'
    wait = "null" if retry_after_s is None else -int(-retry_after_s * 1000 // 1)
    number = "null" if fence is None else fence
    return (
        f'{{"type":"refused","reason":"{reason}","reference":{quoted},'
        f'"retry_after_ms":{wait},"fence":{number}}}'
    ).encode()


def serialize_pong() -> bytes:
    """Spell `pong`."""
    return b'{"type":"pong"}'


def serialize_need() -> bytes:
    """Spell `need`."""
    return b'{"type":"need"}'


def serialize_reset(life: Life, seq: int, fence: int) -> bytes:
    """Spell `reset`."""
    return (f'{{"type":"reset","life":"{_to_b64url(life)}","seq":{seq},"fence":{fence}}}').encode()


def serialize_drain(retry_after_ms: int) -> bytes:
    """Spell `drain`."""
    return f'{{"type":"drain","retry_after_ms":{retry_after_ms}}}'.encode()


def serialize_notice(code: str) -> bytes:
    """Spell `notice`."""
    return f'{{"type":"notice","code":"{code}"}}'.encode()


def serialize_frame(kind: int, tag: Tag, seq: int, fence: int, sealed: bytes) -> bytes:
    """Lay out one frame of the log."""
    return _FRAME_HEADER.pack(FRAME, kind, tag, seq, fence) + sealed


def is_from(frame: bytes, tag: Tag) -> bool:
    """Tell whether a message of the log is a frame of this sender."""
    return frame[0] == FRAME and _FRAME_HEADER.unpack_from(frame)[2] == tag


def is_commit(frame: bytes) -> bool:
    """Tell whether a frame holds a commit."""
    return frame[1] == COMMIT_KIND


def serialize_info(fence: int, entries: list[bytes]) -> bytes:
    """Lay out the GroupInfos that a newcomer may join by."""
    parts = [_INFO_HEADER.pack(INFO, fence, len(entries))]
    for entry in entries:
        parts += (_LENGTH.pack(len(entry)), entry)
    return b"".join(parts)


def serialize_ack(reference: Reference, seq: int) -> bytes:
    """Lay out the answer to what was accepted."""
    return _ACK.pack(ACK, reference, seq)


def _is_padded(sealed: bytes) -> bool:
    size = len(sealed) - SEAL_BYTES
    return size >= PADDING_STEP and size % PADDING_STEP == 0


def _tag_list(tags: Iterable[Tag]) -> str:
    return ",".join(f'"{tag_text(tag)}"' for tag in tags)


def _to_b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_b64url(text: bytes) -> bytes:
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    # Unused bits must be zero, or two spellings would mean one value.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text:
        raise MessageError
    return data


def _is_other_version(version: int) -> bool:
    return not isinstance(version, bool) and version != 1 and 0 <= version <= MAX_INT


def _parse_other(data: bytes) -> OtherVersion | Unknown:
    match strict.read_json(data, MAX_TEXT_BYTES, MAX_DEPTH):
        case {"type": "hello" | "resume", "v": int(version)} if _is_other_version(version):
            return OtherVersion()
        case {"type": str(kind)} if kind not in _KNOWN:
            return Unknown()
        case _:
            raise MessageError
