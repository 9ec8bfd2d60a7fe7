"""Any bytes on a connection, in any pieces -> the same answers, no fault, bounded memory.

Whether greeted, waiting or joined: what comes at once and what comes byte by byte is judged alike,
messages are those that the websockets library reads, and every answer is one that clients read.
"""

from typing import Any, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from relay.errors import CloseCode
from relay.websocket import Socket
from tests.fuzz.hub import NO_CODE, Floor, Peer, without_tokens
from tests.fuzz.script import Script
from tests.relay.raw import commit_bytes

HEADER_BYTES = 14
COMMIT = commit_bytes(0, reference=bytes(8))
CODES = {int(code) for code in CloseCode} | {NO_CODE, None}


class Recording(Socket):
    """A socket that writes down the messages that it splits off."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.messages: list[tuple[int, bytes]] = []

    def _text(self, message: bytes, now: float) -> None:
        self.messages.append((Opcode.TEXT, bytes(message)))
        super()._text(message, now)

    def _binary(self, message: bytes, now: float) -> None:
        self.messages.append((Opcode.BINARY, bytes(message)))
        super()._binary(message, now)


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte() % 3
    sizes = [1 + script.byte() for _ in range(3)]
    stream = script.rest()
    whole, messages = _converse(form, [stream])
    pieces, again = _converse(form, _split(stream, sizes))
    assert whole == pieces, "pieces change what is answered"
    assert messages == again
    expected = _library(stream)
    assert messages == expected[: len(messages)], "a message that was not sent"


def _split(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = list[bytes](), 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    return pieces


def _converse(form: int, pieces: list[bytes]) -> tuple[tuple[object, ...], list[tuple[int, bytes]]]:
    floor = Floor()
    peer = floor.connect(kind=Recording)
    socket = cast(Recording, peer.raw.socket)
    if form > 0:
        peer.hello()
    if form > 1:
        peer.binary(COMMIT)
    socket.messages = []
    for piece in pieces:
        peer.send(piece)
        _check(socket)
    floor.world.flush()
    written = without_tokens(peer.raw.transport.data)
    peer.read()
    _judge(floor, peer)
    return (written, peer.raw.transport.aborted, peer.raw.transport.eof), socket.messages


def _check(socket: Socket) -> None:
    scanner = socket._scanner
    assert len(socket._held or b"") <= scanner.limit + HEADER_BYTES, "holds more than a message"
    others = socket._others
    if others is not None:
        assert sum(map(len, others._parts)) <= scanner.limit, "holds more than a message"


def _judge(floor: Floor, peer: Peer) -> None:
    assert floor.world.faults == []
    # The library answers a peer's close with the code that the peer gave, if there is such a one.
    assert peer.code in CODES or 1000 <= (peer.code or 0) < 5000, "no such code"
    assert peer.code != CloseCode.FAULT
    assert peer.rest == b"", "half a frame"
    floor.end()


def _library(stream: bytes) -> list[tuple[int, bytes]]:
    """Return the messages that the websockets library finds, up to what it does not like."""
    library = ServerProtocol(state=State.OPEN, max_size=None)
    library.receive_data(stream)
    messages: list[tuple[int, bytes]] = []
    kind, parts = 0, list[bytes]()
    for event in library.events_received():
        assert isinstance(event, Frame)
        if event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            continue
        if event.opcode is not Opcode.CONT:
            kind, parts = event.opcode, []
        parts.append(bytes(event.data))
        if event.fin:
            messages.append((kind, b"".join(parts)))
    return messages
