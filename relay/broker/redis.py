"""Logs in Redis (or Valkey): this process's way to them, and what happens when there is none.

Knows connections, scripts and time limits; what stands in a log is shared's. One connection asks,
in batches, each of which is answered before the next goes out; another listens. If either fails or
is late, both are made anew and every log is asked for what was missed: the library retries nothing.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from relay.broker import scripts
from relay.broker.accounts import NAME, Accounts
from relay.broker.operation import Node
from relay.broker.redis_line import TIMEOUT_S, Keyspace, Line
from relay.broker.shared import SharedBroker
from relay.broker.shared_log import Entry
from relay.clock import Clock
from relay.errors import BrokerError

# A node beats so often, and is gone for the others when it has not for so long.
BEAT_S = 1.0
DEAD_S = 5.0
# Between two attempts to connect, doubled from the first to the last.
BACKOFF_S = (0.1, 1.0)
# News that one way brings is given so long until the other way is asked for it.
OVERTAKEN_S = 0.02
# After an answer that says no (it has no memory left) a log is asked for again.
REFUSED_S = 1.0
# How long the time of the first start is kept, in which tickets of before it restore (R28).
ERA_S = 24 * 3600
# Many commands in one write, and in one turn of Redis's loop; what is more waits for the next.
MAX_BATCH = 512
_SCRIPTS = (
    scripts.APPEND, scripts.FOLLOW, scripts.CHECK, scripts.SAVE, scripts.FORGET, scripts.BEAT,
)  # fmt: skip
_LOADS: list[list[Any]] = [["SCRIPT", "LOAD", script] for script in _SCRIPTS]


@dataclass(slots=True)
class Command:
    """One command, and what is done with its answer (an error that Redis gives is one)."""

    words: list[Any]
    answered: Callable[[Any], None]


class RedisLog:
    """See shared_log.SharedLog.

    ``format_`` is the same for nodes that do the same with the same log; ``era`` is told the wall
    time since when there is this store.
    """

    def __init__(
        self, url: str, format_: str, node: Node, keep_s: float, clock: Clock,
        era: Callable[[float], None], wall: Callable[[], float], fault: Callable[[Exception], None],
        accounts: Accounts,
    ) -> None:  # fmt: skip
        self._line = Line(url)
        self._names = Keyspace(format_, "")
        self.offset = 0.0
        self.broker: SharedBroker
        self._node = node
        self._keep_ms = int(keep_s * 1000)
        self._clock = clock
        self._tell_era = era
        self._wall = wall
        self._fault = fault
        self.accounts = accounts
        self._era = b""
        self._shas: dict[str, str] = {}
        self._queue: list[Command] = []
        # Records of this turn by log, so that each log has one command.
        self._appends: dict[tuple[bytes, bytes], tuple[int, list[bytes]]] = {}
        self._checks: dict[bytes, tuple[bytes, int]] = {}
        self._follows: dict[bytes, tuple[bytes, int]] = {}
        self._subscribe: list[bytes] = []
        self._unsubscribe: list[bytes] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        # When Redis last said no to what it was asked: it has no memory left.
        self._refused_at = -REFUSED_S
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, may_persist: bool) -> None:
        """Connect; raise BrokerError if that cannot be done, or if Redis writes to a disk."""
        try:
            await self._connect(may_persist=may_persist)
        except (RedisError, OSError, TimeoutError, EOFError) as exc:
            await self._line.disconnect()
            raise BrokerError("the broker cannot be reached, or does not let this node in") from exc
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Say what is still to be said, if that can be, and disconnect."""
        if self._task is not None:
            if not self.broker.is_down:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._idle.wait(), TIMEOUT_S)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=TIMEOUT_S)
        await self._line.disconnect()

    @property
    def trouble(self) -> str:
        """What keeps rooms from being served, '' for nothing."""
        if self.broker.is_down:
            return "the broker cannot be reached"
        if self._clock.now() < self._refused_at + 2 * REFUSED_S:
            return "the broker takes nothing: it has no memory left"
        return ""

    def follow(self, name: bytes, born: bytes, at: int) -> None:
        """See SharedLog: first the news, then what there was, so that nothing is between."""
        self._follows[name] = (born, at)
        self._subscribe.append(name)
        self._rouse()

    def append(self, name: bytes, born: bytes, at: int, record: bytes) -> None:
        """See SharedLog."""
        if (name, born) in self._appends:
            self._appends[name, born][1].append(record)
        else:
            self._appends[name, born] = (at, [record])
        self._rouse()

    def check(self, name: bytes, born: bytes, at: int) -> None:
        """See SharedLog."""
        if not self._checks:
            asyncio.get_running_loop().call_later(OVERTAKEN_S, self._check)
        self._checks[name] = (born, at)

    def save(self, name: bytes, born: bytes, at: int, saved: bytes) -> None:
        """See SharedLog."""
        self._ask(scripts.SAVE, self._names.keys(name), [born, at, saved], lambda _: None)

    def leave(self, name: bytes, born: bytes, at: int, *, is_over: bool) -> None:
        """See SharedLog."""
        self._follows.pop(name, None)
        self._checks.pop(name, None)
        self._unsubscribe.append(name)
        self._rouse()
        if is_over:
            self._ask(scripts.FORGET, self._names.keys(name), [born, at], lambda _: None)

    async def _run(self) -> None:
        """Serve, and serve again whenever something has broken."""
        pause = BACKOFF_S[0]
        is_connected = True
        while True:
            try:
                if not is_connected:
                    await self._connect(may_persist=True)
                is_connected, pause = True, BACKOFF_S[0]
                await self._serve()
            except (RedisError, OSError, TimeoutError, EOFError):
                pass
            except Exception as exc:
                self._fault(exc)
            is_connected = False
            await self._line.disconnect()
            if not self.broker.is_down:
                self.broker.down()
            # Of others nothing is known any more: limits hold for this node alone.
            self.accounts.alive(set())
            self.accounts.turn(self._wall())
            await asyncio.sleep(pause)
            pause = min(2 * pause, BACKOFF_S[1])

    async def _connect(self, *, may_persist: bool) -> None:
        """Connect; what was not answered before is asked for anew by the broker."""
        self._queue.clear()
        self._appends.clear()
        self._follows.clear()
        self._subscribe.clear()
        self._unsubscribe.clear()
        await self._line.connect()
        if not may_persist:
            await self._line.refuse_persistence()
        self._names = Keyspace(self._names.format, await self._line.store())
        self._shas = dict(zip(_SCRIPTS, await self._line.call(_LOADS), strict=True))
        await self._beat()

    async def _serve(self) -> None:
        listening = self._line.listening
        assert listening is not None
        self.broker.up()
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._write(listening),
                self._read(listening),
                self._keep_beating(listening),
            )
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_beating(self, listener: AbstractConnection) -> None:
        sources = self._names.channel(NAME)
        await listener.send_command("SSUBSCRIBE", sources)
        while True:
            await asyncio.sleep(BEAT_S)
            self.accounts.turn(self._wall())
            for account in self.accounts.tell():
                self._queue.append(Command(["SPUBLISH", sources, account], lambda _: None))
            words = self._script(
                scripts.BEAT, [self._names.nodes, self._names.era], self._beat_words()
            )
            self._queue.append(Command(words, self._beaten))
            probe = ["SET", self._names.probe, "", "PX", int(DEAD_S * 1000)]
            self._queue.append(Command(probe, self._probed))
            self._rouse()
            await listener.send_command("PING")

    async def _write(self, listener: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            # What comes in the same turn goes out in the same write.
            await asyncio.sleep(0)
            for word, names in (
                ("SUNSUBSCRIBE", self._unsubscribe),
                ("SSUBSCRIBE", self._subscribe),
            ):
                if names:
                    channels = [self._names.channel(name) for name in names]
                    names.clear()
                    await listener.send_command(word, *channels)
            await self._flush()

    def _rouse(self) -> None:
        self._idle.clear()
        self._wake.set()

    async def _flush(self) -> None:
        self._wake.clear()
        appends, self._appends = self._appends, {}
        for (name, born), (at, records) in appends.items():
            self._append(name, born, at, records)
        while self._queue:
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            answers = await self._line.call([command.words for command in batch])
            if any(isinstance(answer, NoScriptError) for answer in answers):
                # Somebody has emptied the cache of scripts: nothing of this was done.
                await self._line.call(_LOADS)
                self._queue = [
                    command
                    for command, answer in zip(batch, answers, strict=True)
                    if isinstance(answer, NoScriptError)
                ] + self._queue
            for command, answer in zip(batch, answers, strict=True):
                if not isinstance(answer, NoScriptError):
                    command.answered(answer)
        if not self._wake.is_set():
            self._idle.set()

    async def _read(self, listener: AbstractConnection) -> None:
        """Take news; silence for longer than a few beats is no silence but a broken line."""
        while True:
            async with asyncio.timeout(DEAD_S):
                message = await listener.read_response(timeout=inf)
            match message:
                case [b"smessage", channel, data]:
                    self._heard(self._names.name(channel), data)
                case [b"ssubscribe", channel, _]:
                    name = self._names.name(channel)
                    wanted = self._follows.pop(name, None)
                    if wanted is not None:
                        self._ask_follow(name, *wanted)

    def _heard(self, name: bytes, data: bytes) -> None:
        if name == NAME:
            self.accounts.heard(data, self._clock.now())
            return
        news = scripts.read_news(data)
        if news is not None:
            self._reached(name, *news)

    def _ask(
        self, script: str, keys: list[Any], words: list[Any], answered: Callable[[Any], None]
    ) -> None:
        self._queue.append(Command(self._script(script, keys, words), answered))
        self._rouse()

    def _script(self, script: str, keys: list[Any], words: list[Any]) -> list[Any]:
        return ["EVALSHA", self._shas[script], len(keys), *keys, *words]

    def _append(self, name: bytes, born: bytes, at: int, records: list[bytes]) -> None:
        def answered(answer: Any) -> None:
            if isinstance(answer, ResponseError):
                # What was to follow this record goes again behind it, or its number would be past.
                self._appends.pop((name, born), None)
                self._refused(name)
            elif answer is None:
                self.broker.lost(name, self._clock.now())
            else:
                self._reached(name, born, answer[0], answer[1], records)

        keys = [*self._names.keys(name), self._names.channel(name)]
        self._ask(scripts.APPEND, keys, [born, at, self._keep_ms, *records], answered)

    def _ask_follow(self, name: bytes, born: bytes, at: int) -> None:
        def answered(answer: Any) -> None:
            if isinstance(answer, ResponseError):
                self._refused(name)
                return
            now = self._clock.now()
            if answer is None:
                self.broker.lost(name, now)
                return
            found, head, saved, entries = answer
            self.broker.followed(
                name, found, head, saved or None, scripts.read_entries(entries), now
            )

        self._ask(scripts.FOLLOW, self._names.keys(name), [born, at, self._keep_ms], answered)

    def _check(self) -> None:
        checks, self._checks = self._checks, {}
        for name, (born, at) in checks.items():
            if not self.broker.is_down and self.broker.at(name) == at:
                self._ask_check(name, born, at)

    def _ask_check(self, name: bytes, born: bytes, at: int) -> None:
        def answered(answer: Any) -> None:
            if isinstance(answer, ResponseError):
                return
            if answer is None:
                self.broker.lost(name, self._clock.now())
            else:
                self.broker.reached(name, born, scripts.read_entries(answer), self._clock.now())

        self._ask(scripts.CHECK, self._names.keys(name), [born, at, self._keep_ms], answered)

    def _reached(
        self, name: bytes, born: bytes, last: int, moment: bytes, records: list[bytes]
    ) -> None:
        first = last - len(records) + 1
        at = int(moment) / 1e6
        entries = [Entry(first + i, at, record) for i, record in enumerate(records)]
        self.broker.reached(name, born, entries, self._clock.now())

    def _refused(self, name: bytes) -> None:
        """Ask for a log again when there may be memory for it."""
        self._refused_at = self._clock.now()
        self.broker.stalled(name)
        asyncio.get_running_loop().call_later(REFUSED_S, self.broker.retry, name)

    def _beat_words(self) -> list[Any]:
        era = f"{secrets.token_hex(8)}:{self._wall():.0f}"
        return [self._node, DEAD_S, era, ERA_S]

    async def _beat(self) -> None:
        words = self._script(scripts.BEAT, [self._names.nodes, self._names.era], self._beat_words())
        (answer,) = await self._line.call([words])
        self._beaten(answer)

    def _probed(self, answer: Any) -> None:
        if isinstance(answer, ResponseError):
            self._refused_at = self._clock.now()

    def _beaten(self, answer: Any) -> None:
        if isinstance(answer, ResponseError):
            # A replica, say: it is not the one that it was.
            raise answer
        moment, era, nodes = answer
        now = self._clock.now()
        self.offset = int(moment) / 1e6 - now
        if era != self._era:
            self._era = era
            self._tell_era(float(era.rpartition(b":")[2]))
        alive = {Node(node) for node in nodes}
        self.accounts.alive(alive)
        self.broker.alive(alive, now)
