"""Lies about the log and about the relay as a whole, by name (see lies)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay import wire
from relay.errors import RefusedError
from relay.wire import Commit, Reference
from tests.hostile.forgery import last_info
from tests.hostile.message import INFO, any_tag, show
from tests.hostile.stage import Client

if TYPE_CHECKING:
    from tests.hostile.liar import Liar

# The log


def squat(liar: Liar, client: Client) -> bool:
    """Take own garbage for commits, so that the fence runs on."""
    home, draw = liar.core.home, liar.random
    if home is None or not len(home.room._seats) or home.room.fence == 0:
        return False
    for _ in range(draw.randrange(1, 4)):
        tag = draw.choice(home.room._seats.tags)
        sealed, info = draw.randbytes(28 + 1024), draw.randbytes(28 + 1024)
        message = Commit(Reference(draw.randbytes(8)), home.room.fence, sealed, info)
        try:
            home.perform(home.room.commit(tag, message, liar.now))
        except RefusedError:
            return False
        if draw.random() < 0.5:
            # Keep what newcomers could use out of the way of the garbage.
            home.room._group_info = last_info(liar) or info
    return True


def stale_info(liar: Liar, client: Client) -> bool:
    """Serve a GroupInfo of earlier to whoever comes."""
    home = liar.core.home
    infos = [data for data in liar.recorded if data[0] == INFO]
    if home is None or not infos:
        return False
    if liar.random.random() < 0.5:
        return show(liar, client, liar.random.choice(infos))
    entries = wire_entries(liar.random.choice(infos))
    if entries:
        home.room._group_info = liar.random.choice(entries)
    return True


def wire_entries(info: bytes) -> list[bytes]:
    entries, at = [], 10
    while at < len(info):
        length = int.from_bytes(info[at : at + 4], "big")
        entries.append(info[at + 4 : at + 4 + length])
        at += 4 + length
    return entries


def no_info(liar: Liar, client: Client) -> bool:
    home = liar.core.home
    if home is None:
        return False
    home.room._group_info = None
    home.room._offers.clear()
    return True


def fence_up(liar: Liar, client: Client) -> bool:
    home = liar.core.home
    if home is None or not home.room.fence:
        return False
    home.room.fence += liar.random.choice((1, 1, 5))
    return True


def fence_down(liar: Liar, client: Client) -> bool:
    home = liar.core.home
    if home is None or home.room.fence < 3:
        return False
    home.room.fence -= liar.random.choice((1, 2))
    return True


def staged(liar: Liar, client: Client) -> bool:
    """Serve a room that somebody with the link has built to whoever comes."""
    home = liar.core.home
    if home is None or not home.room.fence:
        return False
    home.room._group_info = liar.attacker.staged_info(any_tag(liar), home.room.fence)
    home.room._offers.clear()
    return True


def staged_offer(liar: Liar, client: Client) -> bool:
    """Show members a GroupInfo of such a room, sealed for the fence at which they are."""
    info = liar.attacker.staged_info(any_tag(liar), client.room.fence)
    return show(liar, client, wire.serialize_info(client.room.fence, [info]))


# The whole


def fork(liar: Liar, client: Client) -> bool:
    return liar.split()


def unite(liar: Liar, client: Client) -> bool:
    return liar.unite()


def restart(liar: Liar, client: Client) -> bool:
    liar.replaced(liar.core.restarted(liar.now, keeps_key=liar.random.random() < 0.6))
    return True


def rollback(liar: Liar, client: Client) -> bool:
    """Go back to an earlier state of the log, of this life or another."""
    return liar.roll_back()


def withhold(liar: Liar, client: Client) -> bool:
    """Keep what one says from another, for a while, leaving no gap."""
    if client in liar.muted:
        del liar.muted[client]
    else:
        liar.muted[client] = any_tag(liar)
    return True
