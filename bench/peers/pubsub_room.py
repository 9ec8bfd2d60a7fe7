"""Rooms over Redis PUBLISH, as small as it gets: no order across processes, no memory, no rule.

What comes in one turn of the loop goes out as one write. Not from the relay's code in any part.
"""

import asyncio
import secrets
import sys
from collections import defaultdict

import redis.asyncio
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

ACK = b"\0"
ID_BYTES = 8
rooms: defaultdict[bytes, dict[bytes, ServerConnection]] = defaultdict(dict)
waiting: list[tuple[bytes, bytes]] = []
wake = asyncio.Event()


async def stay(member: ServerConnection) -> None:
    assert member.request is not None
    name, own = member.request.path.encode(), secrets.token_bytes(ID_BYTES)
    rooms[name][own] = member
    try:
        async for data in member:
            if isinstance(data, bytes) and len(data) > 1:
                waiting.append((name, own + data))
                wake.set()
            await member.send(ACK)
    except ConnectionClosed:
        pass
    finally:
        del rooms[name][own]


async def write(client: redis.asyncio.Redis) -> None:
    while True:
        await wake.wait()
        wake.clear()
        batch = waiting.copy()
        waiting.clear()
        pipeline = client.pipeline(transaction=False)
        for name, data in batch:
            pipeline.publish(name, data)
        await pipeline.execute()


async def read(client: redis.asyncio.Redis) -> None:
    async with client.pubsub() as pubsub:
        await pubsub.psubscribe("/room/*")
        async for message in pubsub.listen():
            if message["type"] == "pmessage":
                own, data = message["data"][:ID_BYTES], message["data"][ID_BYTES:]
                room = rooms[message["channel"]]
                broadcast((member for key, member in room.items() if key != own), data)


async def main() -> None:
    port, url = int(sys.argv[1]), sys.argv[2]
    client = redis.asyncio.from_url(url)
    async with serve(stay, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096):
        await asyncio.gather(write(client), read(client))


if __name__ == "__main__":
    asyncio.run(main())
