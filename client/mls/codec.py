"""TLS presentation language as MLS uses it (RFC 9420 2.1): bytes to values and back.

Knows lengths and nothing of what they measure. Every reader raises FrameError and nothing else.
"""

from collections.abc import Callable
from typing import TypeVar

from client.errors import FrameError

T = TypeVar("T")


def u8(value: int) -> bytes:
    """Encode one byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Encode two bytes, big endian."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Encode four bytes, big endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Encode eight bytes, big endian."""
    return value.to_bytes(8, "big")


def opaque(data: bytes) -> bytes:
    """Encode a vector with the shortest variable-size length (RFC 9420 2.1.2)."""
    length = len(data)
    if length < 1 << 6:
        return u8(length) + data
    if length < 1 << 14:
        return u16(length | 0x4000) + data
    return u32(length | 0x80000000) + data


def optional(data: bytes | None) -> bytes:
    """Encode an optional value that is encoded already."""
    return b"\0" if data is None else b"\1" + data


class Reader:
    """A cursor over bytes from outside."""

    __slots__ = ("_data", "_end", "at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data)
        self.at = 0

    def take(self, length: int) -> bytes:
        """Read exactly ``length`` bytes."""
        end = self.at + length
        if end > self._end:
            raise FrameError("cut short")
        data = self._data[self.at : end]
        self.at = end
        return data

    def since(self, start: int) -> bytes:
        """Return what was read from position ``start`` on."""
        return self._data[start : self.at]

    def u8(self) -> int:
        """Read one byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Read two bytes."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Read four bytes."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """Read eight bytes."""
        return int.from_bytes(self.take(8), "big")

    def length(self) -> int:
        """Read a variable-size length; refuse any but the shortest form."""
        first = self.u8()
        form = first >> 6
        if form == 3:
            raise FrameError("no such length form")
        value = first & 0x3F
        for _ in range((1 << form) - 1):
            value = value << 8 | self.u8()
        if form and value < (1 << 6 if form == 1 else 1 << 14):
            raise FrameError("length not in its shortest form")
        return value

    def opaque(self) -> bytes:
        """Read a vector of bytes."""
        return self.take(self.length())

    def vector(self, read: Callable[["Reader"], T], *, limit: int) -> list[T]:
        """Read a vector of values, at most ``limit`` of them."""
        inner = Reader(self.opaque())
        values: list[T] = []
        while inner.at < inner._end:
            if len(values) == limit:
                raise FrameError("too many entries")
            values.append(read(inner))
        return values

    def optional(self, read: Callable[["Reader"], T]) -> T | None:
        """Read an optional value."""
        present = self.u8()
        if present > 1:
            raise FrameError("neither absent nor present")
        return read(self) if present else None

    def finish(self) -> None:
        """Refuse bytes left over."""
        if self.at != self._end:
            raise FrameError("bytes left over")
