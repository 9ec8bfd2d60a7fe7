"""Rooms in logs that nodes share: the parts for it, put together by the settings.

Knows settings, random values, wall time and keys; only loaded where there is a broker.
"""

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b

from relay.broker import Channel
from relay.broker.accounts import Accounts
from relay.broker.cipher import Cipher
from relay.broker.operation import NODE_BYTES, Node
from relay.broker.redis import RedisLog
from relay.broker.replica import RULES, Sealers
from relay.broker.shared import SharedBroker
from relay.clock import Clock
from relay.config import RelayConfig
from relay.returns import Returns
from relay.rooms import ring_limits, room_limits, seal_mark, seal_ticket, source_limits
from relay.snapshot import FORMAT
from relay.tickets import Tickets

# What a log is kept for when no node asks for it any more, beside the time of a seat that is away.
KEEP_S = 60.0


def in_redis(
    config: RelayConfig,
    key: bytes,
    tickets: Tickets,
    returns: Returns,
    open_channel: Callable[[], Channel],
    clock: Clock,
    fault: Callable[[Exception], None],
) -> tuple[SharedBroker, RedisLog]:
    """Share rooms with all nodes that have the same key."""
    node = Node(secrets.token_bytes(NODE_BYTES))

    def renew(since: float) -> None:
        """Let tickets of before ``since`` restore rooms, as long as after a start (R28)."""
        left = config.restore_for - (time.time() - since)
        returns.begin(since, clock.now() + max(0.0, left))

    cipher = Cipher(key, node)
    log = RedisLog(
        config.broker,
        _format(config),
        node,
        config.away_for + KEEP_S,
        clock,
        renew,
        time.time,
        fault,
        Accounts(source_limits(config), cipher, time.time()),
    )
    broker = SharedBroker(
        room_limits(config),
        ring_limits(config),
        config.max_rooms,
        Sealers(seal_ticket(tickets), seal_mark(tickets)),
        cipher,
        open_channel,
        log,
        clock.now(),
    )
    broker.forgot = lambda: renew(time.time())
    log.broker = broker
    return broker, log


def _format(config: RelayConfig) -> str:
    """Name what nodes must agree on to do the same with the same log."""
    agreed = RULES, FORMAT, room_limits(config), config.ring_frames
    return blake2b(repr(agreed).encode(), digest_size=8).hexdigest()
