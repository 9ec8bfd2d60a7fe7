"""What is left to the websockets library: closing frames and fragments.

Knows the library; never sees a whole message in one frame, and keeps nothing of it that is not
needed right now: made when the first fragment or close frame comes, dropped after it.
"""

import logging
from dataclasses import dataclass
from typing import cast

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

# At DEBUG the library would log request heads.
_DEAD_LOGGER = logging.getLogger("relay.dead")
_DEAD_LOGGER.disabled = True
_DEAD_LOGGER.setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one frame: bytes to answer, a message now complete, the end."""

    answer: bytes
    message: bytes | None
    is_text: bool
    is_over: bool


class Uncommon:
    """The frames of one connection that are not whole messages."""

    __slots__ = ("_is_text", "_library", "_parts")

    def __init__(self) -> None:
        self._library: ServerProtocol | None = None
        self._parts: list[bytes] = []
        self._is_text = False

    def take(self, raw: bytes, limit: int) -> Taken:
        """Take one complete frame that the scanner has let pass."""
        library = self._library
        if library is None:
            library = ServerProtocol(state=State.OPEN, max_size=limit, logger=_DEAD_LOGGER)
        library.receive_data(raw)
        message: bytes | None = None
        for event in cast(list[Frame], library.events_received()):
            if event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            if event.opcode is not Opcode.CONT:
                self._is_text = event.opcode is Opcode.TEXT
            self._parts.append(bytes(event.data))
            if event.fin:
                message, self._parts = b"".join(self._parts), []
        self._library = library if self._parts else None
        is_over = library.state is not State.OPEN
        return Taken(b"".join(library.data_to_send()), message, self._is_text, is_over)
