"""One client of the chaos run, as a process of its own: talks, listens, and keeps a journal.

    python -m tests.chaos.member NAME SEED        link on the first line of standard input

Then commands, a line each: `hush` (say nothing more), `final` (tell how things stand), `leave`.
The journal goes to standard output, one JSON object a line; ``t`` is in monotonic seconds, which
all processes of a machine share. ``what`` is one of

    begun                                   an attempt to come in (or one more) begins
    failed, ended    error                  that attempt failed; the stay ended by itself
    entered          tag
    saying           text                   handed to `send`
    said             text, life, seq        `send` accepted it
    unsent           text, error            `send` said that it was not sent
    seen             tag, name, text, life, seq, late
    missing          tag, name, count
    delivered        life, seq, count, of
    state            status
    event            kind, code             anything else
    final            tag, words, members, status
    leaving          delivered              and whether all that we said has arrived
    left
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time

from client import (
    ClientError,
    Delivered,
    Message,
    Missing,
    RoomSession,
    StateChanged,
    open_room,
)
from client.cli.pipe import STDIN, read_lines

# Texts come at random, so far apart on average; one in ten is a burst.
MEAN_S = 4.0
BURST = 5
RETRY_S = 0.5
GOODBYE_S = 10.0
_COMMAND_BYTES = 1000


def note(what: str, **fields: object) -> None:
    """Write one line of the journal."""
    print(json.dumps({"t": time.monotonic(), "what": what, **fields}), flush=True)


class Chatter:
    """Somebody who talks at random."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.random = random.Random(seed)
        self.said = 0
        self.hushed = False
        self.sends: set[asyncio.Task[None]] = set()

    async def talk(self, room: RoomSession) -> None:
        """Say something now and then."""
        while True:
            await asyncio.sleep(self.random.expovariate(1 / MEAN_S))
            for _ in range(BURST if self.random.random() < 0.1 else 1):
                size = self.random.choice((0, 5, 50, 400))
                if not self.hushed:
                    self.say(room, size)

    def say(self, room: RoomSession, size: int) -> None:
        """Hand one text to the library; its answer is noted when it comes."""
        text = f"{self.name} {self.said} " + "x" * size
        self.said += 1
        note("saying", text=text)
        task = asyncio.create_task(self.send(room, text))
        self.sends.add(task)
        task.add_done_callback(self.sends.discard)

    async def send(self, room: RoomSession, text: str) -> None:
        """Wait for the answer to one text."""
        try:
            sent = await room.send(text)
        except ClientError as exc:
            note("unsent", text=text, error=repr(exc))
        else:
            note("said", text=text, life=sent.life, seq=sent.seq)


async def listen(room: RoomSession) -> None:
    """Note what happens, until the stay ends; raise what ended it."""
    async for event in room:
        match event:
            case Message(sender=tag, nick=nick, text=text, life=life, seq=seq, late=late):
                note("seen", tag=tag, name=nick, text=text, life=life, seq=seq, late=late)
            case Missing(sender=tag, nick=nick, count=count):
                note("missing", tag=tag, name=nick, count=count)
            case Delivered(life=life, seq=seq, count=count, of=of):
                note("delivered", life=life, seq=seq, count=count, of=of)
            case StateChanged(state=state):
                note("state", status=state.status.value)
            case _:
                note("event", kind=type(event).__name__, code=getattr(event, "code", None))


async def obey(chatter: Chatter, room: RoomSession) -> None:
    """Do what the controller says, until it says to leave (or is gone)."""
    async for line in read_lines(_COMMAND_BYTES):
        match line.decode():
            case "hush":
                chatter.hushed = True
            case "final":
                members = sorted(member.tag for member in room.members)
                status = room.state.status.value
                words = list(room.words)
                note("final", tag=room.tag, words=words, members=members, status=status)
            case "leave":
                break
    chatter.hushed = True
    if chatter.sends:
        await asyncio.wait(set(chatter.sends), timeout=GOODBYE_S)
    note("leaving", delivered=await room.delivered(GOODBYE_S))


async def stay(chatter: Chatter, link: str) -> None:
    """Enter, talk and listen until told to leave, or until the stay ends."""
    async with open_room(link, nick=chatter.name) as room:
        note("entered", tag=room.tag)
        listening = asyncio.create_task(listen(room))
        talking = asyncio.create_task(chatter.talk(room))
        obeying = asyncio.create_task(obey(chatter, room))
        try:
            await asyncio.wait((listening, obeying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            talking.cancel()
    obeying.cancel()
    # What came before we left is still to be read.
    try:
        await listening
        with contextlib.suppress(asyncio.CancelledError):
            await obeying
    except ClientError as exc:
        note("ended", error=repr(exc))
    note("left")


async def live(chatter: Chatter, link: str) -> None:
    """Stay once, however many attempts it takes to come in."""
    while True:
        note("begun")
        try:
            await stay(chatter, link)
        except ClientError as exc:
            note("failed", error=repr(exc))
            await asyncio.sleep(RETRY_S)
        else:
            return


def main() -> None:
    """Run one member."""
    name, seed = sys.argv[1], int(sys.argv[2])
    # Not through a buffer: commands that follow at once are for `read_lines`.
    link = b""
    while not link.endswith(b"\n"):
        link += os.read(STDIN, 1)
    asyncio.run(live(Chatter(name, seed), link.decode().strip()))


if __name__ == "__main__":
    main()
