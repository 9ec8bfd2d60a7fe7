"""The barest front door: fan-out on raw transports, one write per tick, and no rule at all.

No limits, no order, no acknowledgement, no check of anything: what the relay's hot path would cost
if it did nothing. A message goes to everybody, its sender included.
"""

import asyncio
import base64
import hashlib
import sys

from websockets.speedups import apply_mask

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Room:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.members: dict[Peer, None] = {}
        self.pending: list[bytes] = []

    def publish(self, frame: bytes) -> None:
        self.pending.append(frame)
        if len(self.pending) == 1:
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        data = b"".join(self.pending)
        self.pending = []
        for member in self.members:
            member.transport.write(data)


class Peer(asyncio.Protocol):
    def __init__(self, room: Room) -> None:
        self.room = room
        self.held = b""
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.room.members.pop(self, None)

    def data_received(self, data: bytes) -> None:
        data = self.held + data
        at = 0
        if not self.is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.held = data
                return
            lines = data[:end].split(b"\r\n")
            key = next(line for line in lines if line.lower().startswith(b"sec-websocket-key:"))
            digest = hashlib.sha1(key.split(b":")[1].strip() + GUID).digest()
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
                b"\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
            )
            self.is_open = True
            self.room.members[self] = None
            at = end + 4
        while len(data) - at >= 6:
            size, start = data[at + 1] & 127, at + 6
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
            end = start + size
            if len(data) < end:
                break
            payload = apply_mask(data[start:end], data[start - 4 : start])
            head = bytes((0x82, size)) if size < 126 else b"\x82\x7e" + size.to_bytes(2, "big")
            self.room.publish(head + payload)
            at = end
        self.held = data[at:]


async def main() -> None:
    loop = asyncio.get_running_loop()
    room = Room(loop)
    server = await loop.create_server(lambda: Peer(room), "127.0.0.1", 0, backlog=1024)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
