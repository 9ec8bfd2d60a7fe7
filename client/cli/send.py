"""`beacon send`: texts from the command line or a pipe into a room (shell)."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator

from client import Delivered, RoomSession, Sent, StateChanged, Status, open_room
from client.cli.arguments import Send
from client.cli.exits import Exit, explain
from client.cli.pipe import read_lines, remark, unless
from client.cli.receipt import Newest, readers
from client.cli.render import clean, describe
from client.content import MAX_TEXT_CHARS, check_text
from client.errors import ClientError, LimitError, UsageError

# Texts on their way at once: enough to keep the relay busy, few enough to say what was lost.
WINDOW = 16
# Receipts come 2 s after a message, and once more if none came for 5 s.
LINGER_S = 8.0
_MAX_LINE_BYTES = 4 * MAX_TEXT_CHARS


async def run(command: Send) -> Exit:
    """Send everything; return when it is ordered, and if wanted delivered to all who are here.

    Raises ClientError, naming the line that was not ordered.
    """
    newest = Newest()
    async with open_room(command.link, expect_words=command.expect_words) as room:
        if command.text is None and sys.stdin.isatty():
            remark("each line is a message; Ctrl-D ends")
        await unless(_send_all(room, command.text, newest), _follow(room, newest))
        if command.wait:
            await _linger(room, newest)
        if not newest.of and not readers(room.members):
            remark("nobody else is in the room: nobody will read this")
    return Exit.OK


async def _linger(room: RoomSession, newest: Newest) -> None:
    """Stay until everything is delivered, but not for long; say if it is not."""
    try:
        if await unless(room.delivered(LINGER_S), _follow(room, newest)):
            return
    except ClientError as exc:
        # All of it is ordered: that the stay has ended since takes nothing back.
        remark(clean(explain(exc)))
    if newest.count < newest.of:
        remark(f"delivered to {newest.count} of {newest.of}")


async def _send_all(room: RoomSession, text: str | None, newest: Newest) -> None:
    under_way: deque[tuple[asyncio.Task[Sent], int]] = deque()
    progress = _Progress(lines=text is None)

    async def settle() -> None:
        task, others = under_way.popleft()
        try:
            sent = await task
        except (UsageError, LimitError) as exc:
            raise type(exc)(f"{progress.failed}: {exc}") from exc
        # Who has read enough may be gone before we know that it was ordered.
        newest.ordered(sent.life, sent.seq, max(others, readers(room.members)))
        progress.step()

    wrong: UsageError | None = None
    try:
        async for each in _texts(text):
            under_way.append((asyncio.create_task(room.send(each)), readers(room.members)))
            # Let it take its place in the order before the next is read.
            await asyncio.sleep(0)
            while under_way and (len(under_way) >= WINDOW or under_way[0][0].done()):
                await settle()
    except UsageError as exc:
        # What came before stays sent: see it through first.
        wrong = exc
    try:
        while under_way:
            await settle()
    except ClientError:
        for task, _ in under_way:
            task.cancel()
        raise
    finally:
        progress.end()
    if wrong is not None:
        raise wrong


async def _texts(text: str | None) -> AsyncIterator[str]:
    """Yield what is to be sent; raise UsageError naming the first line that cannot be."""
    if text is not None:
        yield text
        return
    number = 0
    async for line in read_lines(_MAX_LINE_BYTES):
        number += 1
        yield _decode(line, number)


def _decode(line: bytes, number: int) -> str:
    if len(line) > _MAX_LINE_BYTES:
        raise UsageError(f"line {number} has more than {MAX_TEXT_CHARS} characters")
    try:
        return check_text(line.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise UsageError(f"line {number} is not UTF-8") from exc
    except UsageError as exc:
        raise UsageError(f"line {number}: {exc}") from exc


async def _follow(room: RoomSession, newest: Newest) -> None:
    """Note receipts; say when the connection is lost; raise what ends the stay."""
    async for event in room:
        if isinstance(event, Delivered):
            newest.delivered(event)
        elif isinstance(event, StateChanged) and event.state.status is Status.RECONNECTING:
            remark(describe(event.state, time.monotonic()))


class _Progress:
    """How many lines are ordered, on one line of the terminal that renews itself."""

    def __init__(self, *, lines: bool) -> None:
        self._count = 0
        self._lines = lines
        self._shown = lines and sys.stderr.isatty() and not sys.stdin.isatty()

    @property
    def failed(self) -> str:
        """Name what comes after the last that was ordered."""
        return f"line {self._count + 1} was not sent" if self._lines else "not sent"

    def step(self) -> None:
        self._count += 1
        if self._shown:
            print(f"\rbeacon: {self._count} sent", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown and self._count:
            print(file=sys.stderr)
