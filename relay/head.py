"""The head of one HTTP request, strictly: what two parsers could read differently is refused.

Knows RFC 9112 as far as this relay serves it; never sees a body, and routes nothing.
"""

import re
from dataclasses import dataclass

from relay.errors import HeadError

MAX_HEAD_BYTES = 8192
MAX_FIELDS = 64
END = b"\r\n\r\n"

_LINE = re.compile(rb"([A-Z]{1,16}) (\S{1,8000}) HTTP/(\d)\.(\d)")
_TARGET = re.compile(rb"/[!-~]*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[ -~\t]*")
_HOST = re.compile(rb"(?:[0-9A-Za-z._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"[0-9]{1,10}")
# Fields between this connection's two ends alone. What stands behind the door serves neither
# upgrades nor trailers, and `expect` would make it write before the body was vetted.
_HOP = frozenset(
    name.encode()
    for name in (
        "connection", "expect", "http2-settings", "keep-alive", "proxy-connection", "te",
        "trailer", "upgrade",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """One accepted request head; ``host`` and ``origin`` in lower case, ``fields`` as sent."""

    method: bytes
    target: bytes
    host: str
    origin: str | None
    length: int
    wants_websocket: bool
    wants_close: bool
    fields: tuple[tuple[bytes, bytes], ...]

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]


def find_end(data: bytes | bytearray) -> int:
    """Return where the first head in ``data`` ends, or -1 while it is incomplete.

    Raises HeadError for what cannot become a head any more, so that nobody waits for its end.
    """
    end = data.find(END, 0, MAX_HEAD_BYTES)
    if end >= 0:
        return end + len(END)
    if len(data) >= MAX_HEAD_BYTES:
        raise HeadError(431)
    if _BARE_LF.search(data):
        raise HeadError(400)
    return -1


def parse(data: bytes) -> Head:
    """Read a head that ends with an empty line; raise HeadError with the status to answer."""
    if len(data) > MAX_HEAD_BYTES:
        raise HeadError(431)
    if not data.endswith(END):
        raise HeadError(400)
    lines = data[: -len(END)].split(b"\r\n")
    method, target = _parse_line(lines[0])
    if len(lines) - 1 > MAX_FIELDS:
        raise HeadError(431)
    fields = tuple(_parse_field(line) for line in lines[1:])
    host = _one(fields, b"host")
    if host is None or not _HOST.fullmatch(host):
        raise HeadError(400)
    origin = _one(fields, b"origin")
    tokens = _tokens(fields, b"connection")
    return Head(
        method=method,
        target=target,
        host=host.decode().lower(),
        origin=None if origin is None else origin.decode().lower(),
        length=_body_length(fields),
        wants_websocket=b"upgrade" in tokens and b"websocket" in _tokens(fields, b"upgrade"),
        wants_close=b"close" in tokens,
        fields=fields,
    )


def serialize(head: Head) -> bytes:
    """Spell a head anew for the server behind the door, without the hop's own fields."""
    lines = [head.method + b" " + head.target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in head.fields if name not in _HOP]
    if head.wants_close:
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + END


def _parse_line(line: bytes) -> tuple[bytes, bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise HeadError(400)
    method, target, major, minor = match.groups()
    # HTTP/1.0 has no Host, and `PRI * HTTP/2.0` would switch the protocol.
    if (major, minor) != (b"1", b"1"):
        raise HeadError(505)
    if not _TARGET.fullmatch(target):
        raise HeadError(400)
    return method, target


def _parse_field(line: bytes) -> tuple[bytes, bytes]:
    # Bare CR and LF, NUL, folding and a space before the colon all fail here.
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise HeadError(400)
    return name.lower(), value.strip(b" \t")


def _all(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key == name]


def _one(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> bytes | None:
    values = _all(fields, name)
    if len(values) > 1:
        raise HeadError(400)
    return values[0] if values else None


def _tokens(fields: tuple[tuple[bytes, bytes], ...], name: bytes) -> list[bytes]:
    listed = b",".join(_all(fields, name))
    return [token.strip().lower() for token in listed.split(b",")]


def _body_length(fields: tuple[tuple[bytes, bytes], ...]) -> int:
    length = _one(fields, b"content-length")
    if _all(fields, b"transfer-encoding"):
        # Both at once is how two parsers are made to disagree; chunked alone is not served.
        raise HeadError(411 if length is None else 400)
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise HeadError(400)
    return int(length)
