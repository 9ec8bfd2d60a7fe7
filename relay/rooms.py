"""Where this process's rooms live, by its settings: in its memory, or in logs that nodes share.

Knows settings, random values, wall time and keys; what a room does is the broker's.
"""

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b
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
from relay.tickets import Tickets
from relay.turn import TurnLimits
from relay.wire import LIFE_BYTES, Life, RoomId, Tag

if TYPE_CHECKING:
    from relay.broker.redis import RedisLog
    from relay.broker.shared import SharedBroker

# What a log is kept for when no node asks for it any more, beside the time of a seat that is away.
KEEP_S = 60.0


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


def in_memory(
    config: RelayConfig, tickets: Tickets, open_channel: Callable[[], Channel], clock: Clock
) -> MemoryBroker:
    """Keep rooms in this process."""
    draw = Draw(
        life=lambda: Life(secrets.token_bytes(LIFE_BYTES)),
        tag=lambda: Tag(secrets.randbelow(1 << 16)),
        ticket=_ticket(tickets),
        mark=_mark(tickets),
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
        from relay.broker.cipher import Cipher
        from relay.broker.operation import NODE_BYTES, Node
        from relay.broker.redis import RedisLog
        from relay.broker.replica import Sealers
        from relay.broker.shared import SharedBroker
    except ImportError as exc:
        raise ConfigError("a broker needs: pip install 'beacon-relay[redis]'") from exc
    node = Node(secrets.token_bytes(NODE_BYTES))

    def renew(since: float) -> None:
        """Let tickets of before ``since`` restore rooms, as long as after a start (R28)."""
        left = config.restore_for - (time.time() - since)
        returns.begin(since, clock.now() + max(0.0, left))

    log = RedisLog(
        config.broker,
        _format(config),
        node,
        config.away_for + KEEP_S,
        clock,
        renew,
        time.time,
        fault,
    )
    broker = SharedBroker(
        room_limits(config),
        ring_limits(config),
        config.max_rooms,
        Sealers(_ticket(tickets), _mark(tickets)),
        Cipher(key, node),
        open_channel,
        log,
        clock.now(),
    )
    broker.forgot = lambda: renew(time.time())
    log.broker = broker
    return broker, log


def _format(config: RelayConfig) -> str:
    """Name what nodes must agree on to do the same with the same log."""
    from relay.broker.replica import RULES
    from relay.snapshot import FORMAT

    agreed = RULES, FORMAT, room_limits(config), config.ring_frames
    return blake2b(repr(agreed).encode(), digest_size=8).hexdigest()


def _ticket(tickets: Tickets) -> Callable[[RoomId, Life, Tag, int], str]:
    return lambda room, life, tag, generation: tickets.ticket(
        room, life, tag, generation, time.time()
    )


def _mark(tickets: Tickets) -> Callable[[RoomId, Life, int, int], str]:
    return lambda room, life, fence, seq: tickets.mark(room, life, fence, seq, time.time())
