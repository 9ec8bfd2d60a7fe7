"""Connections to one Redis: made, asked, checked and dropped; the library retries nothing.

Knows commands, answers and time limits; never what a script does.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from relay.errors import BrokerError

# Nothing that is asked here takes long: later than this, it is as good as gone.
TIMEOUT_S = 2.0
_PERSISTENCE = "save", "appendonly"


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The names of everything in one store.

    ``format`` is the same for nodes that do the same with the same log; ``store`` is one run of one
    Redis: what another has taken over may lack what this one had said, and is another log (R26).
    """

    format: str
    store: str

    @property
    def nodes(self) -> str:
        return f"{self._prefix}{{nodes}}"

    @property
    def era(self) -> str:
        return f"{self._prefix}{{nodes}}:era"

    @property
    def probe(self) -> str:
        """Return what is written only to see whether it can be."""
        return f"{self._prefix}{{nodes}}:probe"

    def keys(self, name: bytes) -> list[str]:
        """Return the keys of a log, which one node of a cluster holds together."""
        return [f"{self._prefix}{{{name.hex()}}}:{part}" for part in ("hash", "stream")]

    def channel(self, name: bytes) -> str:
        """Return where the news of a log comes."""
        return f"{self._prefix}{{{name.hex()}}}"

    def name(self, channel: bytes) -> bytes:
        """Return whose channel this is."""
        return bytes.fromhex(channel.decode().rpartition("{")[2].rstrip("}"))

    @property
    def _prefix(self) -> str:
        return f"beacon:{self.format}:{self.store}:"


class Line:
    """Two connections: one that asks, and one that listens."""

    def __init__(self, url: str) -> None:
        try:
            self._pool = ConnectionPool.from_url(
                url,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
            # Of what stands behind a question mark the library knows only now whether it takes it.
            self._pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError) as exc:
            raise BrokerError("the broker's address is not that of a Redis") from exc
        self._asking: AbstractConnection | None = None
        self.listening: AbstractConnection | None = None

    async def connect(self) -> None:
        """Make both anew; raise RedisError, OSError or TimeoutError."""
        self._asking = await self._connect()
        self.listening = await self._connect()

    async def disconnect(self) -> None:
        """Drop both; says nothing if they are gone."""
        connections = self._asking, self.listening
        self._asking = self.listening = None
        for connection in connections:
            if connection is not None:
                with suppress(Exception):
                    await connection.disconnect(nowait=True)

    async def call(self, commands: list[list[Any]]) -> list[Any]:
        """Send commands and return their answers, errors among them; raise TimeoutError."""
        connection = self._asking
        if connection is None:
            raise ConnectionError
        async with asyncio.timeout(TIMEOUT_S):
            await connection.send_packed_command(connection.pack_commands(commands))
            answers = []
            for _ in commands:
                try:
                    answers.append(await connection.read_response())
                except ResponseError as error:
                    answers.append(error)
        return answers

    async def store(self) -> str:
        """Return the name of this run of this Redis; raise RedisError if it does not say."""
        (answer,) = await self.call([["INFO", "server"]])
        if isinstance(answer, ResponseError):
            raise answer
        found = re.search(rb"^run_id:([0-9a-f]{16})", answer, re.MULTILINE)
        if found is None:
            raise ResponseError("no run_id")
        return found[1].decode()

    async def refuse_persistence(self) -> None:
        """Raise BrokerError if this Redis writes to a disk, or does not say."""
        (answer,) = await self.call([["CONFIG", "GET", *_PERSISTENCE]])
        if isinstance(answer, ResponseError):
            raise BrokerError(
                "cannot see whether the broker writes to a disk (CONFIG GET is not allowed); "
                "make sure that it does not, and start with --broker-may-persist 1"
            )
        found = dict(zip(answer[::2], answer[1::2], strict=True))
        if found.get(b"save") or found.get(b"appendonly") != b"no":
            raise BrokerError(
                "the broker writes what it holds to a disk; start it with --save '' "
                "--appendonly no (or serve with --broker-may-persist 1)"
            )

    async def _connect(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection
