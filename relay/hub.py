"""What all connections of one process share.

Knows the parts by their types; what any of them does is its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from relay.broker import Broker
from relay.clock import Clock
from relay.metrics import Metrics
from relay.outlet import SocketLimits
from relay.returns import Returns
from relay.session import SessionLimits
from relay.wheel import Wheel


class Connection(Protocol):
    """A WebSocket, as its deadlines see it."""

    turn: int

    def expire(self, now: float) -> None:
        """Do what time has brought."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts that a socket works with; ``fault`` is told of what nobody expected."""

    broker: Broker
    wheel: Wheel[Connection]
    clock: Clock
    metrics: Metrics
    session_limits: SessionLimits
    limits: SocketLimits
    nonce: Callable[[], bytes]
    fault: Callable[[Exception], None]
    returns: Returns
    # Takes the socket itself.
    closed: Callable[[Any], None]
