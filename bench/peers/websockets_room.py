"""Python `websockets` on uvloop: its own `broadcast`, without compression. No rule at all."""

import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

ACK = b"\0"
rooms: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def stay(member: ServerConnection) -> None:
    assert member.request is not None
    path = member.request.path
    room = rooms[path]
    room.add(member)
    try:
        async for data in member:
            if len(data) > 1:
                broadcast(room - {member}, data)
            await member.send(ACK)
    except ConnectionClosed:
        pass
    finally:
        room.discard(member)
        if not room:
            rooms.pop(path, None)


async def main() -> None:
    port = int(sys.argv[1])
    async with serve(
        stay, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
