"""The API that programs use: ``async with open_room(link) as room`` (shell).

Owns the clock, the randomness and the connection of one Room; every rule is the Room's.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import assert_never

from client.awake import Awake
from client.effect import Effect, Emit, Enter, Finish, Reconnect, Send, Settle
from client.errors import ClientError, RefusedError, StateError, TransportError
from client.event import Event, Member, State, StateChanged, Status, Superseded
from client.feed import Feed
from client.link import Link, Tag, parse_link
from client.room import Room
from client.transport import Backoff, Connection, open_connection

# Leaving waits so long for the goodbye to go out before it cuts the connection.
STOP_S = 3.0


@dataclass(frozen=True)
class Sent:
    """Where the relay ordered a message: the room's life (base64url) and the number in it."""

    life: str
    seq: int


class RoomSession:
    """One stay in a room. Made by `open_room`; usable inside its ``async with`` only."""

    def __init__(
        self, link: Link, *, nick: str | None = None, expect_words: Sequence[str] | None = None
    ) -> None:
        self._link = link
        self._room = Room(link, secrets.token_bytes, expect_words=expect_words)
        if nick is not None:
            self._room.rename(nick, time.monotonic())
        self._state = State(Status.CONNECTING)
        self._backoff = Backoff(lambda: secrets.randbelow(1 << 32) / (1 << 32))
        self._connection: Connection | None = None
        self._runner: asyncio.Task[None] | None = None
        self._entered: asyncio.Future[None] | None = None
        self._error: ClientError | None = None
        self._closed = False
        self._order: Reconnect | Finish | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry = asyncio.Event()
        self._awake = Awake(self._look_up)
        # Set whenever the room did something: what it says of itself may be another.
        self._stirred = asyncio.Event()
        self._feed = Feed()
        self._sends: dict[bytes, asyncio.Future[Sent]] = {}

    @property
    def tag(self) -> Tag:
        """Our tag, such as ``0x3f8a``.

        It outlives a lost connection; another one if our seat was gone when we came back.
        """
        assert self._room.tag is not None
        return self._room.tag

    @property
    def first(self) -> bool:
        """Whether nobody was here when we came."""
        return self._room.first

    def member_words(self, tag: Tag) -> tuple[str, ...]:
        """Two words that say which member is meant, empty where nobody has that tag; some 50 ms.

        They are the same for all who see that member, for as long as it stays.
        """
        return self._room.member_words(tag)

    @property
    def words(self) -> tuple[str, ...]:
        """Six words that are the same for all members of the present epoch, and only for them."""
        return self._room.words

    @property
    def members(self) -> tuple[Member, ...]:
        """Who is here, ourselves included, in the order of the group."""
        return self._room.members

    @property
    def state(self) -> State:
        """How the connection stands."""
        return self._state

    @property
    def life(self) -> str:
        """The room's life (base64url)."""
        return self._room.life

    async def send(self, text: str, *, strict: bool = False) -> Sent:
        """Say ``text``; return when the relay has ordered it.

        Waits through reconnections. With ``strict``, raises HeldError instead of telling somebody
        who came after the call (R24). Raises UsageError (over 500 characters, a lone surrogate),
        LimitError (too many waiting, or the group changes too fast), RefusedError, or the error
        that ended the stay. Cancelling it does not unsend.
        """
        self._check_open()
        reference, effects = self._room.say(text, time.monotonic(), strict=strict)
        answer: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._sends[reference] = answer
        self._perform(effects)
        try:
            return await answer
        finally:
            self._sends.pop(reference, None)

    async def delivered(self, timeout_s: float) -> bool:
        """Wait until everybody who should have what we sent has it; say whether they have.

        Those are the members who were here when it was ordered and have not left since; receipts
        come about two seconds after a message. The last 64 messages count, each for 120 s. Raises
        StateError, or the error that ended the stay.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self._closed and self._room.outstanding:
                    self._stirred.clear()
                    await self._stirred.wait()
        self._check_open()
        return not self._room.outstanding

    async def set_nick(self, nick: str) -> None:
        """Take a nickname (1 to 32 characters, told end to end); raise UsageError."""
        self._check_open()
        self._perform(self._room.rename(nick, time.monotonic()))

    def retry_now(self) -> None:
        """Do not wait for the next attempt to connect."""
        self._retry.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events as they come; end when the stay ends, raising what ended it."""
        return self._feed.read()

    async def __aenter__(self) -> "RoomSession":
        self._entered = asyncio.get_running_loop().create_future()
        self._runner = asyncio.create_task(self._run())
        try:
            await self._entered
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        """Say goodbye, close, and forget the keys."""
        self._perform(self._room.leave(time.monotonic()))
        self._end(None)
        assert self._runner is not None
        self._retry.set()
        if self._connection is not None:
            self._connection.finish()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._runner, STOP_S)
        self._link = replace(self._link, secret=b"")

    def _check_open(self) -> None:
        if self._closed:
            raise self._error or StateError("the room was left")

    # The runner: one connection after another

    async def _run(self) -> None:
        """Keep a connection until the stay ends."""
        self._awake.start()
        try:
            while not self._closed:
                await self._pause(await self._once())
        except ClientError as exc:
            self._end(exc)
        except Exception:
            # A fault of ours: nobody may wait for a stay that does not go on.
            self._end(StateError("the client failed"))
            raise
        finally:
            self._awake.stop()
            if self._timer is not None:
                self._timer.cancel()

    async def _once(self) -> float | None:
        """Connect and converse; return how long the relay or the room wants us to wait."""
        self._order = None
        self._retry.clear()
        try:
            connection = await open_connection(self._link)
        except TransportError as exc:
            # Who never came in is told at once that there is no relay; a busy one is worth a wait.
            if not self._has_entered and exc.retry_after_s is None:
                raise
            return exc.retry_after_s
        self._connection = connection
        self._retry.clear()
        try:
            self._perform(self._room.connected(time.monotonic()))
            async for data in connection.messages():
                self._perform(self._room.received(data, time.monotonic()))
        except TransportError:
            pass
        except RefusedError as exc:
            if self._order is None:
                if exc.reason == "superseded":
                    self._feed.put(Superseded())
                raise
        finally:
            self._connection = None
            await connection.close()
            self._perform(self._room.lost(time.monotonic()))
        return self._obeyed()

    def _obeyed(self) -> float | None:
        match self._order:
            case Finish(error=error):
                raise error
            case Reconnect(after_s=after_s):
                return after_s
        return None

    def _tick(self) -> None:
        self._perform(self._room.tick(time.monotonic()))

    async def _pause(self, after_s: float | None) -> None:
        if self._closed:
            return
        wait = self._backoff.next_s(after_s)
        self._set_state(
            State(Status.RECONNECTING, time.monotonic() + wait, "none", self._backoff.attempt)
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._retry.wait()

    def _look_up(self) -> None:
        """The machine slept or its network changed: the way to the relay may be another."""
        if self._connection is not None:
            self._connection.probe()
        else:
            self._retry.set()

    # Effects

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(data=data):
                    if self._connection is not None:
                        self._connection.send(data)
                case Emit(event=event):
                    self._feed.put(event)
                case Settle(reference=reference, outcome=outcome):
                    self._settle(reference, outcome)
                case Enter():
                    self._enter()
                case Reconnect() | Finish():
                    # What ends the stay counts more than what ends the connection.
                    if self._order is None or isinstance(effect, Finish):
                        self._order = effect
                    if self._connection is not None:
                        self._connection.finish()
                case _ as unreachable:
                    assert_never(unreachable)
        self._stirred.set()
        self._arm()

    def _arm(self) -> None:
        """Wake the room when it next wants it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = None if self._closed else self._room.deadline(time.monotonic())
        if deadline is not None:
            # The loop's clock is the monotonic one, but for its name.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - time.monotonic()), self._tick)

    def _enter(self) -> None:
        self._backoff.reset()
        self._set_state(State(Status.CONNECTED, None, "websocket", 0))
        if self._entered is not None and not self._entered.done():
            self._entered.set_result(None)

    @property
    def _has_entered(self) -> bool:
        return self._entered is not None and self._entered.done()

    def _settle(self, reference: bytes, outcome: int | ClientError) -> None:
        answer = self._sends.get(reference)
        if answer is None or answer.done():
            return
        if isinstance(outcome, int):
            answer.set_result(Sent(self._room.life, outcome))
        else:
            answer.set_exception(outcome)

    def _set_state(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._feed.put(StateChanged(state))

    def _end(self, error: ClientError | None) -> None:
        """The stay is over: whoever waits learns why."""
        if self._closed:
            return
        self._closed = True
        self._error = error
        if self._entered is not None and not self._entered.done():
            self._entered.set_exception(error or StateError("the room was left"))
        for answer in self._sends.values():
            if not answer.done():
                answer.set_exception(error or StateError("the room was left before this was sent"))
        self._set_state(State(Status.CLOSED))
        self._feed.end(error)
        self._stirred.set()


def open_room(
    link: Link | str,
    *,
    nick: str | None = None,
    expect_words: Sequence[str] | None = None,
    insecure_relay: bool = False,
) -> RoomSession:
    """Return an async context manager that joins the room of ``link`` and leaves it at the end.

    Entering waits until joined. It raises TransportError (the relay cannot be reached),
    RefusedError (``reason`` is PROTOCOL's word), VerificationError (the words of the group that we
    would join are not ``expect_words``); a malformed link raises LinkError here and now, a
    nickname that may not be used UsageError. Later losses of the connection are mended inside.
    """
    if isinstance(link, str):
        link = parse_link(link, insecure_relay=insecure_relay)
    return RoomSession(link, nick=nick, expect_words=expect_words)
