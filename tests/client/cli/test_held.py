"""R24 at the terminal: what would reach somebody who came later waits for the person's word."""

import asyncio

import pytest

from client import HeldError, Sent, State, Status
from client.cli import interactive
from client.cli.composer import DropHeld, Say, SendHeld
from client.cli.render import Piece


class FakeScreen:
    abandoned = ""

    def __init__(self, **_: object) -> None:
        self.shown: list[str] = []

    def show(self, pieces: list[Piece]) -> None:
        self.shown.append("".join(piece.text for piece in pieces))


class FakeRoom:
    """Somebody joins before whatever is said."""

    tag = "0x0001"
    members = ()
    state = State(Status.CONNECTED)

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str, *, strict: bool = False) -> Sent:
        if strict:
            raise HeldError("somebody joined before this was sent")
        self.sent.append(text)
        return Sent("life", len(self.sent))


@pytest.fixture
def conversation(monkeypatch: pytest.MonkeyPatch) -> interactive.Conversation:
    monkeypatch.setattr(interactive, "Screen", FakeScreen)
    return interactive.Conversation(FakeRoom(), None)  # type: ignore[arg-type]


async def say(conversation: interactive.Conversation, *texts: str) -> FakeRoom:
    await conversation._obey(Say(texts))
    await asyncio.gather(*conversation._unsent)
    return conversation._room  # type: ignore[return-value]


async def test_r24_held_text_goes_only_when_told_to(
    conversation: interactive.Conversation,
) -> None:
    room = await say(conversation, "one", "two")
    assert room.sent == []
    assert "2 held back: /send or /drop" in conversation._status()
    await conversation._obey(SendHeld())
    await asyncio.gather(*conversation._unsent)
    assert room.sent == ["one", "two"]
    assert "held back" not in conversation._status()


async def test_r24_dropped_text_is_gone(conversation: interactive.Conversation) -> None:
    room = await say(conversation, "one")
    await conversation._obey(DropHeld())
    await conversation._obey(SendHeld())
    assert room.sent == []


async def test_held_text_is_named_when_the_person_leaves(
    conversation: interactive.Conversation,
) -> None:
    await say(conversation, "one")
    await conversation._finish()
    shown = conversation._screen.shown  # type: ignore[attr-defined]
    assert shown[0].startswith("* held back, for somebody joined meanwhile: one")
    assert shown[-1] == "* not sent: one"
