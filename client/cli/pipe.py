"""Standard input and output of an asyncio program, whatever is at the other end (shell).

A read or write may block for as long as a person likes (a terminal, a pager): it happens in a
daemon thread, so that the connection lives on meanwhile and the process can end at any time.
"""

import asyncio
import contextlib
import os
import select
import stat
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

STDIN = 0
STDOUT = 1
_READ_BYTES = 65_536


def remark(text: str) -> None:
    """Say something that is not data, on standard error."""
    print(f"beacon: {text}", file=sys.stderr, flush=True)


async def in_thread(call: Callable[[], T]) -> T:
    """Await a call that blocks. Unlike asyncio.to_thread, one that never ends holds up nobody."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T, where there is no error

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as exc:
            error = exc
        with contextlib.suppress(RuntimeError):  # The loop may be closed by now.
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await future


async def read_lines(max_bytes: int, descriptor: int = STDIN) -> AsyncIterator[bytes]:
    """Yield each line without its line feed, as soon as it is there.

    A line of more than ``max_bytes`` is yielded as far as it was read, and is the last.
    """
    rest = b""
    while chunk := await in_thread(lambda: os.read(descriptor, _READ_BYTES)):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > max_bytes:
            break
    if rest:
        yield rest


async def write_line(line: str, descriptor: int = STDOUT) -> None:
    """Write a line at once; raise BrokenPipeError if nobody reads any more."""
    data = line.encode("utf-8", "replace") + b"\n"
    while data:
        # Up to PIPE_BUF bytes do not block where select says that there is room.
        if not select.select([], [descriptor], [], 0)[1]:
            await in_thread(lambda: select.select([], [descriptor], []))
        data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]


async def reader_gone(descriptor: int = STDOUT) -> None:
    """Raise BrokenPipeError as soon as the reader of a pipe goes; wait forever otherwise.

    Without this ``beacon tail | head -1`` would stay in the room until the next message.
    """
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()

    def closed() -> None:
        if not gone.done():
            gone.set_result(None)

    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        await gone
    # The writing end of a pipe becomes "readable" when the other end is closed.
    loop.add_reader(descriptor, closed)
    try:
        await gone
    finally:
        loop.remove_reader(descriptor)
    raise BrokenPipeError


async def unless(work: Awaitable[T], watch: Awaitable[object]) -> T:
    """Return what ``work`` returns, but raise at once if ``watch`` does before it is done."""
    tasks = asyncio.ensure_future(work), asyncio.ensure_future(watch)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            tasks[1].result()
        return await tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
