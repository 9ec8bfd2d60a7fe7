"""`beacon send` where a room behaves as no relay of ours would; the rest is tested as a process."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from client import Delivered, Member, Presence, RefusedError, Sent, Tag
from client.cli import send
from client.cli.arguments import Send
from client.link import create_link

LINK = create_link("http://127.0.0.1:8000")


class FakeRoom:
    """One other is here, who has what was said, or has not."""

    def __init__(self, receipt: Delivered | None, end: Exception | None) -> None:
        self.members = (
            Member(Tag("0x0001"), None, Presence.PRESENT, me=True, heard=True),
            Member(Tag("0x0002"), None, Presence.PRESENT, me=False, heard=True),
        )
        self._receipt = receipt
        self._end = end

    async def __aenter__(self) -> "FakeRoom":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, text: str) -> Sent:
        return Sent("life", 7)

    async def delivered(self, timeout_s: float) -> bool:
        if self._end is not None:
            raise self._end
        # As long as the events take that have come already.
        await asyncio.sleep(0)
        return self._receipt is not None

    async def __aiter__(self) -> AsyncIterator[Delivered]:
        if self._receipt is not None:
            yield self._receipt
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("receipt", "end", "said"),
    [
        (Delivered("life", 7, 1, 1), None, ""),
        (None, None, "beacon: delivered to 0 of 1\n"),
        (
            None,
            RefusedError("superseded"),
            "beacon: your seat was taken over by another connection of yours\n"
            "beacon: delivered to 0 of 1\n",
        ),
        (Delivered("life", 7, 1, 1), RefusedError("full"), "beacon: the room is full\n"),
    ],
    ids=["delivered", "not delivered", "ended before", "ended after"],
)
async def test_what_is_ordered_is_sent_whatever_comes_after(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    receipt: Delivered | None,
    end: Exception | None,
    said: str,
) -> None:
    monkeypatch.setattr(send, "open_room", lambda *_, **__: FakeRoom(receipt, end))
    assert await send.run(Send(LINK, None, "hello", wait=True)) == 0
    assert capsys.readouterr().err == said
