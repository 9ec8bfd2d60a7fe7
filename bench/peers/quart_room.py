"""Quart as its documentation has it, on Hypercorn: a queue and a task per member. No rule."""

import asyncio
import sys
from collections import defaultdict

from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, websocket

ACK = b"\0"
app = Quart(__name__)
rooms: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)


async def pass_on(queue: asyncio.Queue[bytes]) -> None:
    while True:
        await websocket.send(await queue.get())


@app.websocket("/room/<name>")
async def stay(name: str) -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    room = rooms[name]
    room.add(queue)
    task = asyncio.create_task(pass_on(queue))
    try:
        while True:
            data = await websocket.receive()
            assert isinstance(data, bytes)
            if len(data) > 1:
                for member in room:
                    if member is not queue:
                        member.put_nowait(data)
            queue.put_nowait(ACK)
    finally:
        task.cancel()
        room.discard(queue)
        if not room:
            rooms.pop(name, None)


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.backlog = 4096
    config.errorlog = None
    asyncio.run(serve(app, config))
