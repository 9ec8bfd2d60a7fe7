"""picows on uvloop: WebSockets in Cython, a set of transports per room, one send each. No rule."""

import sys
from collections import defaultdict

import uvloop
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

ACK = b"\0"
rooms: defaultdict[bytes, set[WSTransport]] = defaultdict(set)


class Member(WSListener):
    def __init__(self, path: bytes) -> None:
        self.path = path
        self.room = rooms[path]

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.room.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            data = frame.get_payload_as_bytes()
            if len(data) > 1:
                for member in self.room:
                    if member is not transport:
                        member.send(WSMsgType.BINARY, data)
            transport.send(WSMsgType.BINARY, ACK)
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.room.discard(transport)
        if not self.room:
            rooms.pop(self.path, None)


def arrive(request: WSUpgradeRequest) -> Member:
    return Member(request.path)


async def main() -> None:
    server = await ws_create_server(arrive, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
