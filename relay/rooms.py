"""Where this process's rooms live, by its settings: in its memory, or in logs that nodes share.

Knows settings, random values, wall time and keys; what a room does is the broker's.
"""

import importlib
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from relay.broker import Channel
from relay.broker.memory import MemoryBroker
from relay.clock import Clock
from relay.config import RelayConfig
from relay.errors import ConfigError
from relay.limits import Rate
from relay.returns import Returns
from relay.ring import RingLimits
from relay.room import Draw, RoomLimits
from relay.source import SourceLimits
from relay.tickets import Tickets
from relay.turn import TurnLimits
from relay.wire import LIFE_BYTES, Life, RoomId, Tag

if TYPE_CHECKING:
    from relay.broker.redis import RedisLog
    from relay.broker.shared import SharedBroker


def interval(seconds: float, burst: int) -> Rate:
    """Return the rate of one in so many seconds; 0 is no limit."""
    return Rate(1.0 / seconds if seconds else 0.0, burst)


def room_limits(config: RelayConfig) -> RoomLimits:
    """Read what bounds one room."""
    return RoomLimits(
        seats=config.room_seats,
        away_s=config.away_for,
        turns=TurnLimits(
            unjoined=config.room_unjoined,
            turn_s=config.turn_timeout,
            join_s=config.join_timeout,
        ),
        commits=interval(config.room_commit_interval, config.room_commit_burst),
        message_rate=Rate(config.message_rate, config.message_burst),
    )


def ring_limits(config: RelayConfig) -> RingLimits:
    """Read what bounds the frames that are kept."""
    return RingLimits(
        frames=config.ring_frames,
        bytes=config.ring_bytes,
        age_s=config.ring_age,
        total_bytes=config.ring_total_bytes,
    )


def source_limits(config: RelayConfig) -> SourceLimits:
    """Read what bounds one source."""
    return SourceLimits(
        connections=Rate(config.source_connection_rate, config.source_connection_burst),
        messages=Rate(config.source_message_rate, config.source_message_burst),
        open_connections=config.source_connections,
    )


def in_memory(
    config: RelayConfig, tickets: Tickets, open_channel: Callable[[], Channel], clock: Clock
) -> MemoryBroker:
    """Keep rooms in this process."""
    draw = Draw(
        life=lambda: Life(secrets.token_bytes(LIFE_BYTES)),
        tag=lambda: Tag(secrets.randbelow(1 << 16)),
        ticket=seal_ticket(tickets),
        mark=seal_mark(tickets),
    )
    limits, ring = room_limits(config), ring_limits(config)
    return MemoryBroker(limits, ring, config.max_rooms, draw, open_channel, clock.now())


def in_redis(
    config: RelayConfig,
    key: bytes,
    tickets: Tickets,
    returns: Returns,
    open_channel: Callable[[], Channel],
    clock: Clock,
    fault: Callable[[Exception], None],
) -> "tuple[SharedBroker, RedisLog]":
    """Share rooms with all nodes that have the same key; raise ConfigError without the extra."""
    try:
        # What a relay of one process does without it need not load, nor have.
        module = importlib.import_module("relay.shared_rooms")
    except ImportError as exc:
        raise ConfigError("a broker needs: pip install 'beacon-relay[redis]'") from exc
    shared: tuple[SharedBroker, RedisLog] = module.in_redis(
        config, key, tickets, returns, open_channel, clock, fault
    )
    return shared


def seal_ticket(tickets: Tickets) -> Callable[[RoomId, Life, Tag, int], str]:
    """Return what seals tickets of this moment."""
    return lambda room, life, tag, generation: tickets.ticket(
        room, life, tag, generation, time.time()
    )


def seal_mark(tickets: Tickets) -> Callable[[RoomId, Life, int, int], str]:
    """Return what seals marks of this moment."""
    return lambda room, life, fence, seq: tickets.mark(room, life, fence, seq, time.time())
