"""Connections to one Redis: made, asked, checked and dropped; the library retries nothing.

Knows commands, answers and time limits; never what a script does.
"""

import asyncio
from contextlib import suppress
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from relay.errors import BrokerError

# Nothing that is asked here takes long: later than this, it is as good as gone.
TIMEOUT_S = 2.0
_PERSISTENCE = "save", "appendonly"


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
        except ValueError as exc:
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
