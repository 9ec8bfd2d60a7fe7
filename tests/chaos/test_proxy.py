"""The proxy breaks what it is told to break, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

import pytest
import pytest_asyncio

from tests.chaos.proxy import Proxy

T = TypeVar("T")

WAIT_S = 20.0
# Silence is what did not come for so long.
SILENT_S = 0.3


@dataclass
class Line:
    """One connection through a proxy: both ends."""

    proxy: Proxy
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    relay: tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accepted.put((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    client = await asyncio.open_connection("127.0.0.1", proxy.port)
    line = Line(proxy, client, await wait(accepted.get()))
    assert await carries(line)
    yield line
    for _, writer in (line.client, line.relay):
        writer.close()
    await proxy.stop()
    server.close()


async def wait(what: Awaitable[T]) -> T:
    return await asyncio.wait_for(what, WAIT_S)


async def carries(line: Line) -> bool:
    for (_, writer), (reader, _) in ((line.client, line.relay), (line.relay, line.client)):
        writer.write(b"ping")
        if await wait(reader.readexactly(4)) != b"ping":
            return False
    return True


async def is_silent(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), SILENT_S)
    except TimeoutError:
        return True
    return False


async def is_reset(reader: asyncio.StreamReader) -> bool:
    try:
        return await wait(reader.read(1)) == b"never"
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("reset", [False, True])
async def test_cut_ends_both_sides(line: Line, reset: bool) -> None:
    line.proxy.cut(reset=reset)
    for reader, _ in (line.client, line.relay):
        if reset:
            assert await is_reset(reader)
        else:
            assert await wait(reader.read(1)) == b""


@pytest.mark.parametrize("silent", ["client", "relay"])
async def test_half_open_leaves_one_side_in_silence(line: Line, silent: str) -> None:
    quiet, dead = (line.client, line.relay) if silent == "client" else (line.relay, line.client)
    line.proxy.half_open(silent=silent)
    assert await is_reset(dead[0])
    quiet[1].write(b"anybody there?")
    assert await is_silent(quiet[0])


async def test_half_open_ends_when_the_silent_side_does(line: Line) -> None:
    line.proxy.half_open(silent="client")
    line.client[1].write_eof()
    assert await wait(line.client[0].read(1)) == b""


async def test_stall_holds_back_and_keeps(line: Line) -> None:
    line.proxy.stall()
    line.client[1].write(b"held")
    assert await is_silent(line.relay[0])
    line.proxy.flow()
    assert await wait(line.relay[0].readexactly(4)) == b"held"
    assert await carries(line)


async def test_delay_passes_on(line: Line) -> None:
    line.proxy.delay_s = 0.05
    assert await carries(line)


async def test_refusing_ends_new_connections_alone(line: Line) -> None:
    line.proxy.refuses = True
    reader, writer = await asyncio.open_connection("127.0.0.1", line.proxy.port)
    assert await is_reset(reader)
    writer.close()
    assert await carries(line)


async def test_no_relay_is_a_reset() -> None:
    proxy = Proxy(1)
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await is_reset(reader)
    writer.close()
    await proxy.stop()
