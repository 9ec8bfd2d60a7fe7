"""A TCP proxy that breaks connections on purpose: one for each client of the chaos run.

Knows bytes and moments; nothing of what passes through.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field

CHUNK = 65536


@dataclass(eq=False)
class _Pair:
    """One connection: the client's side and the relay's, and which of them is left in silence."""

    client: asyncio.StreamWriter
    relay: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    silent: str = ""


class Proxy:
    """Passes a client's connections on to the relay, as well as it is told to.

    Of several relays each connection gets any one that takes it.
    """

    def __init__(self, *relay_ports: int) -> None:
        self.relay_ports = relay_ports
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.delay_s = 0.0
        self.refuses = False
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End everything."""
        self.refuses = True
        self.cut(reset=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def stall(self) -> None:
        """Hold back every byte, in both directions, from now on."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let bytes pass again."""
        self._flowing.set()

    def cut(self, *, reset: bool) -> None:
        """End every connection, by FIN or by RST."""
        for pair in self._pairs:
            for writer in (pair.client, pair.relay):
                _end(writer, reset=reset)

    def half_open(self, *, silent: str) -> None:
        """End one side of every connection; the other, ``silent``, stays open and hears nothing.

        "client" or "relay". It stays so until it ends by itself.
        """
        for pair in self._pairs:
            pair.silent = silent
            for pump in pair.pumps:
                pump.cancel()
            _end(pair.relay if silent == "client" else pair.client, reset=True)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.refuses:
            _end(client, reset=True)
            return
        found = await self._connect()
        if found is None:
            _end(client, reset=True)
            return
        back, relay = found
        pair = _Pair(client, relay)
        pair.pumps = [
            asyncio.create_task(self._pump(reader, relay)),
            asyncio.create_task(self._pump(back, client)),
        ]
        self._pairs.add(pair)
        try:
            # One side that ends ends the other, but for a half-open one: that ends by itself.
            await asyncio.wait(pair.pumps, return_when=asyncio.FIRST_COMPLETED)
            if pair.silent:
                await _drain(reader if pair.silent == "client" else back)
        finally:
            for pump in pair.pumps:
                pump.cancel()
            for writer in (client, relay):
                _end(writer, reset=False)
            self._pairs.discard(pair)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in random.sample(self.relay_ports, len(self.relay_ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()


async def _drain(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(CHUNK):
            pass


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if not reset:
        writer.close()
        return
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # A close would wait for what is still to be written.
    writer.transport.abort()
