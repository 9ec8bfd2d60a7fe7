"""What nodes tell each other of their sources, sealed: nobody between them learns who is there.

Knows the cipher and the table; whatever carries messages to all nodes carries these. One that is
lost is made good for by a later one.
"""

import struct
from collections import OrderedDict

from relay.broker.cipher import Cipher
from relay.broker.operation import Node
from relay.errors import AuthenticationError
from relay.source import SourceLimits
from relay.source_share import SharedSources

# The name of where they are told, bound into each.
NAME = b"sources"
# The key under which addresses are named changes this often.
PERIOD_S = 3600
# Starts of nodes that are remembered, the latest; what they told under an older key is void anyway.
MAX_NODES = 256


class Accounts:
    """One node's."""

    __slots__ = ("_cipher", "_heard", "_period", "sources")

    def __init__(self, limits: SourceLimits, cipher: Cipher, wall: float) -> None:
        self._cipher = cipher
        self._period = int(wall) // PERIOD_S
        # The last number of each node, also of one that seems gone: none is told twice.
        self._heard: OrderedDict[Node, int] = OrderedDict()
        self.sources = SharedSources(limits, cipher.source_key(self._period), self._period)

    def turn(self, wall: float) -> None:
        """Let the key change when it is time; ``wall`` is the time of day."""
        period = int(wall) // PERIOD_S
        if period != self._period:
            self._period = period
            self.sources.begin(self._cipher.source_key(period), period)

    def tell(self) -> list[bytes]:
        """Return what the other nodes must hear."""
        seal, number = self._cipher.seal, self._cipher.next
        return [seal(NAME, number(), part) for part in self.sources.tell()]

    def heard(self, record: bytes, now: float) -> None:
        """Take what some node told; what is forged, old or our own changes nothing."""
        try:
            node, number, account = self._cipher.open(NAME, record)
            if node == self._cipher.node or number <= self._heard.get(node, 0):
                return
            self._heard[node] = number
            self._heard.move_to_end(node)
            if len(self._heard) > MAX_NODES:
                self._heard.popitem(last=False)
            self.sources.heard(node, account, now)
        except (AuthenticationError, struct.error):
            return

    def alive(self, nodes: set[Node]) -> None:
        """Only these nodes are there: what others had open is closed."""
        self.sources.alive({*nodes})
