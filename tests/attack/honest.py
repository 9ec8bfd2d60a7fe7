"""Two members who only talk, while somebody else attacks: what they lose, and how long it takes."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.attack.attacker import Visitor
from tests.relay.raw import SEALED, Link, new_reference, post_bytes


class Pair:
    """Two honest members of one room; whatever one posts the other must get, in order."""

    def __init__(self, port: int, link: Link | None = None, source: str | None = None) -> None:
        self.one = Visitor(port, link, source=source).join()
        self.two = Visitor(port, self.one.link, source=source).join()
        self._tag = bytes.fromhex(self.one.tag[2:])
        self._said = 0

    def latencies_s(self, count: int, fence: int | None = None) -> list[float]:
        """Post so many times, one at a time; return how long each took to the other."""
        return [self._say(self.two.fence if fence is None else fence) for _ in range(count)]

    def close(self) -> None:
        """Leave without a word."""
        self.one.sock.close()
        self.two.sock.close()

    def _say(self, fence: int) -> float:
        self._said += 1
        sealed = self._said.to_bytes(8, "big") * (SEALED // 8) + bytes(SEALED % 8)
        reference = new_reference()
        began = time.monotonic()
        self.one.send(post_bytes(fence, sealed, reference))
        while (heard := self.two.message())[:4] != b"\x11\x01" + self._tag:
            pass
        taken = time.monotonic() - began
        assert heard[-SEALED:] == sealed, "lost, doubled or out of order"
        while (answer := self.one.message())[0] != 0x13:
            assert not answer.startswith(b'{"type":"refused"'), answer
        assert answer[1:9] == reference
        return taken


def percentile(values: list[float], percent: int) -> float:
    """Return what ``percent`` of the values do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def summary(values: list[float]) -> str:
    """Spell the middle and the 99th percentile in milliseconds."""
    middle, last = statistics.median(values), percentile(values, 99)
    return f"p50 {middle * 1e3:.2f} ms, p99 {last * 1e3:.2f} ms"


@contextmanager
def honest_pair(port: int, link: Link | None = None, source: str | None = None) -> Iterator[Pair]:
    """Have two honest members in a room of their own, or in this one."""
    pair = Pair(port, link, source)
    try:
        yield pair
    finally:
        pair.close()
