"""`beacon join`: a conversation at a terminal (shell).

Keeps the line being typed intact while others talk, and shows everything in the room's order.
"""

import asyncio
import sys
import time
from collections.abc import Iterable
from typing import assert_never

from prompt_toolkit.patch_stdout import patch_stdout

from client import (
    ClientError,
    Delivered,
    EpochChanged,
    Event,
    HeldError,
    RoomSession,
    StateChanged,
    Status,
    UsageError,
    open_room,
)
from client.cli.arguments import Join
from client.cli.composer import (
    HELP,
    DropHeld,
    Help,
    Order,
    Quit,
    Rename,
    Say,
    SendHeld,
    Verify,
    Who,
    read,
)
from client.cli.exits import Exit, explain
from client.cli.order import Own, in_order
from client.cli.pipe import unless
from client.cli.receipt import Newest, readers
from client.cli.render import (
    MAX_NAMED,
    Piece,
    clean,
    describe,
    name,
    names,
    notice,
    roster,
    said,
    to_pieces,
)
from client.cli.screen import Interrupted, Screen
from client.link import Tag

# What was typed and is not ordered yet when the person leaves gets so much more time.
LAST_CHANCE_S = 2.0
# Lines that wait to be drawn; the library keeps (and bounds) what comes beyond.
_MAX_WAITING = 1000

# What is shown: what happens in the room, what we said in it, and lines of our own making.
Item = Event | Own | list[Piece]


async def run(command: Join) -> Exit:
    """Enter the room and converse until the person leaves or the stay ends."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "join is a conversation and needs a terminal;"
            " for pipes and programs there are `beacon send` and `beacon tail`"
        )
    print(f"entering the room at {command.link.relay} ...", file=sys.stderr, flush=True)
    async with open_room(
        command.link, nick=command.nick, expect_words=command.expect_words
    ) as room:
        with patch_stdout():
            return await Conversation(room, command.nick).run()


class Conversation:
    """One person, one room: what is typed goes in, what happens comes out."""

    def __init__(self, room: RoomSession, nick: str | None) -> None:
        self._room = room
        self._nick = nick
        self._screen = Screen(prompt=self._me, status=self._status)
        self._waiting: asyncio.Queue[Item] = asyncio.Queue(_MAX_WAITING)
        self._unsent: dict[asyncio.Task[None], str] = {}
        # Texts that would have reached somebody who came after them: the person decides (R24).
        self._held: list[str] = []
        self._newest = Newest()
        self._leaving = False
        self._cut = False
        # None until the person has asked for the words, then whether they are still the same.
        self._words_stand: bool | None = None

    async def run(self) -> Exit:
        """Converse; return why it ended, or raise the error that ended the stay."""
        self._greet()
        try:
            return await unless(self._compose(), unless(self._draw(), self._listen()))
        finally:
            self._leaving = True
            await self._finish()

    def _greet(self) -> None:
        self._screen.show([Piece("* you are "), *self._me()])
        others = [m for m in self._room.members if not m.me]
        if self._room.first or not others:
            first = "the first" if self._room.first else "alone"
            self._screen.show(notice(f"you are {first} here: give the link to who shall come"))
        elif len(others) > MAX_NAMED:
            self._screen.show(notice(f"{len(others)} others are here: /who"))
        else:
            here = names((member.tag, member.nick) for member in others)
            self._screen.show([Piece("* here already: "), *here])
        self._screen.show(notice("/help says what can be typed"))

    # What happens

    async def _listen(self) -> None:
        async for event in self._room:
            await self._waiting.put(event)

    async def _draw(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            # What came in the same breath is put into one order before it is shown.
            await asyncio.sleep(0)
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            for item in in_order(batch):
                self._show(item)

    def _show(self, item: Item) -> None:
        match item:
            case list():
                self._screen.show(item)
            case Own(text=text):
                self._screen.show(said(self._room.tag, self._nick, text, me=True))
            case Delivered():
                self._newest.delivered(item)
            case StateChanged(state=state):
                self._show_state(state.status)
            case EpochChanged():
                if self._words_stand:
                    self._words_stand = False
            case event:
                pieces = to_pieces(event, time.monotonic())
                if pieces is not None:
                    self._screen.show(pieces)

    def _show_state(self, status: Status) -> None:
        # The status line counts the seconds; here stands only that it went and came.
        if status is Status.RECONNECTING and not self._cut:
            self._cut = True
            self._screen.show(notice("the connection is lost; reconnecting"))
        elif status is Status.CONNECTED and self._cut:
            self._cut = False
            self._screen.show([Piece("* connected again; you are "), *self._me()])

    # What is typed

    async def _compose(self) -> Exit:
        while True:
            try:
                order = read(await self._screen.ask())
            except EOFError:
                return Exit.OK
            except Interrupted:
                return Exit.INTERRUPTED
            if isinstance(order, Quit):
                return Exit.OK
            if order is not None:
                await self._obey(order)
            elif self._room.state.status is Status.RECONNECTING:
                self._room.retry_now()

    async def _obey(self, order: Order) -> None:
        match order:
            case Say(texts=texts):
                self._begin(texts, strict=True)
            case SendHeld():
                held, self._held = self._held, []
                self._begin(held, strict=False)
            case DropHeld():
                self._held.clear()
            case Rename(nick=nick):
                await self._rename(nick)
            case Who():
                members = self._room.members
                self._screen.show(notice(f"{len(members)} here:"))
                for line in roster(members):
                    self._screen.show(line)
            case Verify(tag=str(tag)):
                pair = self._room.member_words(Tag(tag))
                self._screen.show(
                    [Piece("* "), *name(tag, None), Piece(f": {' '.join(pair)}")]
                    if pair
                    else notice("nobody here has that tag")
                )
            case Verify():
                self._words_stand = True
                self._screen.show(notice(" ".join(self._room.words)))
                self._screen.show(
                    notice("all here must have the same six; they change as people come and go")
                )
            case Help():
                for text in HELP:
                    self._screen.show(notice(text))
            case Quit():
                pass
            case _ as unreachable:
                assert_never(unreachable)

    def _begin(self, texts: Iterable[str], *, strict: bool) -> None:
        for text in texts:
            self._unsent[asyncio.create_task(self._say(text, strict=strict))] = text

    async def _rename(self, nick: str) -> None:
        try:
            await self._room.set_nick(nick)
        except ClientError as exc:
            self._screen.show(notice(f"the nickname stays: {explain(exc)}"))
        else:
            self._nick = nick
            self._screen.show([Piece("* you are now "), *self._me()])

    async def _say(self, text: str, *, strict: bool) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            sent = await self._room.send(text, strict=strict)
        except HeldError:
            self._unsent.pop(task)
            self._held.append(text)
            await self._waiting.put(
                notice(f"held back, for somebody joined meanwhile: {clean(text)} (/send or /drop)")
            )
        except ClientError as exc:
            if self._leaving:
                return
            self._unsent.pop(task)
            await self._waiting.put(notice(f"not sent: {clean(text)} ({explain(exc)})"))
        else:
            self._unsent.pop(task)
            self._newest.ordered(sent.life, sent.seq, readers(self._room.members))
            await self._waiting.put(Own(text, sent.life, sent.seq))

    async def _finish(self) -> None:
        """Give what is on its way a last chance, then name what was not sent."""
        if self._unsent and self._room.state.status is not Status.CLOSED:
            await asyncio.wait(list(self._unsent), timeout=LAST_CHANCE_S)
        while not self._waiting.empty():
            self._show(self._waiting.get_nowait())
        for task, text in list(self._unsent.items()):
            task.cancel()
            self._screen.show(notice(f"not sent: {clean(text)}"))
        for text in self._held:
            self._screen.show(notice(f"not sent: {clean(text)}"))
        if self._screen.abandoned.strip():
            self._screen.show(notice(f"not sent: {clean(self._screen.abandoned)}"))

    # What stands around the line

    def _me(self) -> list[Piece]:
        return name(self._room.tag, self._nick)

    def _status(self) -> str:
        parts = [describe(self._room.state, time.monotonic())]
        if self._room.state.status is Status.RECONNECTING:
            parts[0] += " (Enter: now)"
        else:
            parts.append(f"{len(self._room.members)} here")
        if self._unsent:
            parts.append(f"{len(self._unsent)} not sent yet")
        elif (delivered := self._newest.describe()) is not None:
            parts.append(delivered)
        if self._held:
            parts.append(f"{len(self._held)} held back: /send or /drop")
        if self._words_stand is None:
            parts.append("/verify: compare six words")
        elif self._words_stand:
            parts.append("words unchanged")
        else:
            parts.append("new words: /verify")
        parts.append("/help")
        return " | ".join(parts)
