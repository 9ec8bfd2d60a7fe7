"""`beacon tail`: what happens in a room, line by line, for people and programs (shell)."""

import asyncio
import os
import sys
import time

from client import Event, Message, RoomSession, StateChanged, Status, open_room
from client.cli.arguments import Tail
from client.cli.exits import Exit
from client.cli.pipe import reader_gone, remark, unless, write_line
from client.cli.record import to_json
from client.cli.render import to_ansi, to_pieces


async def run(command: Tail) -> Exit:
    """Print until the count is reached, the time is over, or nobody reads."""
    seen = 0
    here = False

    async def print_all(room: RoomSession) -> None:
        nonlocal seen
        lost = False
        async for event in room:
            if command.as_json:
                await write_line(to_json(event, time.monotonic()))
            elif isinstance(event, StateChanged) and event.state.status is Status.CONNECTED:
                if lost:
                    remark(f"connected again as {room.tag}")
            else:
                lost = lost or isinstance(event, StateChanged)
                await _print_line(event)
            seen += isinstance(event, Message)
            if seen == command.count:
                return

    try:
        async with asyncio.timeout(command.timeout_s):
            async with open_room(command.link, expect_words=command.expect_words) as room:
                here = True
                if not command.as_json:
                    others = len(room.members) - 1
                    remark(f"listening as {room.tag}; others here: {others or 'nobody yet'}")
                await unless(print_all(room), reader_gone())
    except TimeoutError:
        if not here:
            remark("timed out before the room was entered")
            return Exit.TIMED_OUT
    if command.count is not None and seen < command.count:
        remark(f"timed out after {seen} of {command.count} messages")
        return Exit.TIMED_OUT
    return Exit.OK


async def _print_line(event: Event) -> None:
    """Messages are the data; everything else goes to standard error."""
    pieces = to_pieces(event, time.monotonic())
    if pieces is None:
        return
    if isinstance(event, Message):
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        await write_line(to_ansi(pieces, coloured=coloured))
    else:
        print(to_ansi(pieces, coloured=False), file=sys.stderr, flush=True)
