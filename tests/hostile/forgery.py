"""What a relay can make with the help of somebody who has the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client import mls
from client.link import Keys
from client.seal import Kind, seal

if TYPE_CHECKING:
    from tests.hostile.liar import Liar


class Attacker:
    """Somebody who has the link and helps the relay."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def staged_info(self, tag: str, fence: int) -> bytes:
        """A sealed GroupInfo of a room in which nobody but the attacker is, bound to a fence."""
        keys = self.keys
        group = mls.found(mls.Identity.generate(), tag, keys.psk, keys.room_id).group
        info = group.group_info(fence)
        return seal(keys.seal, keys.room_id, Kind.GROUP_INFO, fence, info)


def last_info(liar: Liar) -> bytes | None:
    """The last GroupInfo that a commit brought, as it passed."""
    for data in reversed(liar.recorded):
        if data[0] == 0x12 and len(data) > 14:
            length = int.from_bytes(data[10:14], "big")
            return data[14 : 14 + length]
    return None
