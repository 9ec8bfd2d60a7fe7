"""Fuzzed bytes as a script: what a harness takes from them, one choice after the other."""


class Script:
    """A cursor that never fails: beyond the end there are zeros and nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        """Take a number from 0 to 255."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self, size: int) -> int:
        """Take a number of so many bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def take(self, size: int) -> bytes:
        """Take at most so many bytes."""
        data = self._data[self._at : self._at + size]
        self._at += size
        return data

    def block(self) -> bytes:
        """Take bytes whose number (2) stands before them."""
        return self.take(self.number(2))

    def rest(self) -> bytes:
        """Take all that is left."""
        return self.take(len(self._data))
