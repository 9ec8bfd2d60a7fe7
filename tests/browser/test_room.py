"""Pages and terminals in one room: what one says, all see, in one order."""

import asyncio
import contextlib
import random
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from client import Link, parse_link
from tests.browser.cli import Tail, send, tailing
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor
from tests.client.cli.beacon import Terminal, terminal
from tests.e2e.process import RelayProcess
from tests.e2e.proxy import Proxy, proxied

TAG = r"0x[0-9a-f]{4}"
ENTER = "\r"


async def at_terminal(one: Terminal, pattern: str) -> str:
    """Wait until a line of a terminal matches."""
    return await asyncio.to_thread(one.wait_for_line, pattern)


async def at_prompt(one: Terminal) -> str:
    """Wait until `beacon join` has entered; return its tag."""
    return (await at_terminal(one, rf"{TAG}.*>"))[:6]


async def words_at(one: Terminal) -> list[str]:
    """Return the words that a terminal shows last."""
    before = len(one.lines)
    one.type("/verify" + ENTER)
    shown: list[str] = []

    def found() -> bool:
        # A terminal that nobody read for a while may echo an answer of its own before it.
        matches = (re.search(r"\* ((?:[a-z]+ ?){6})$", line) for line in one.lines[before - 3 :])
        shown[:] = [match[1] for match in matches if match]
        return bool(shown)

    await asyncio.to_thread(one.wait_for, found)
    return shown[-1].split()


async def test_page_to_page(visit: Visit, link: Link) -> None:
    one, two = await visit(), await visit()
    ada = await one.enter(link.to_url())
    bob = await two.enter(link.to_url())
    await one.tells(f"^{bob} joined$")
    await two.tells(f"here already: {ada}")
    await one.say("hello")
    await two.hears("hello")
    await two.say("two\nlines", "  spaces  ")
    await one.hears("two\nlines", "  spaces  ")
    await one.say("and back")
    await two.hears("and back")
    expected = [(ada, "hello"), (bob, "two\nlines"), (bob, "  spaces  "), (ada, "and back")]
    assert await one.said() == await two.said() == expected
    await two.leave()
    await one.tells(f"^{bob} left$")
    await two.button("Open a new room").wait_for()


async def test_room_opened_on_the_page_is_entered_by_its_link(visit: Visit) -> None:
    one, two, three = await visit(), await visit(), await visit()
    await one.open(one.origin)
    await one.press("Open a new room")
    ada = await one.entered()
    await one.press("Share")
    url = await one.page.get_by_role("textbox", name="The link of this room").input_value()
    assert parse_link(url).to_url() == url
    await one.close_panel()
    # As a link that is opened, and as one that is pasted into the lobby.
    bob = await two.enter(url)
    await three.open(three.origin)
    await three.link_field.fill(url)
    await three.press("Enter")
    eve = await three.entered()
    await one.say("welcome")
    for each in (two, three):
        await each.hears("welcome")
    for each in (one, two, three):
        await each.sees({ada, bob, eve})


async def test_page_to_terminal_and_back(visit: Visit, link: Link) -> None:
    env = {"BEACON_LINK": link.to_url()}
    one = await visit()
    ada = await one.enter(link.to_url())
    with tailing(link) as tail, terminal("join", "--nick", "bob b", env=env) as shell:
        await tail.connected()
        bob = await at_prompt(shell)
        await one.tells(rf"^{bob} \(?bob b\)? joined$|^{bob} joined$")
        await one.say("from the page")
        await at_terminal(shell, rf"{ada}: from the page")
        shell.type("from the terminal" + ENTER)
        await one.hears("from the terminal")
        await send(link, "from a pipe", "  as it is\t", "", "\u65e5\u672c \U0001f600")
        await one.hears("from a pipe", "\u65e5\u672c \U0001f600")
        await one.say("/nick ada l")
        await at_terminal(shell, rf"\* {ada} is now ada l")
        await one.say("//no command")
        await at_terminal(shell, rf"{ada} \(ada l\): /no command")
        # Those who came through the pipe are gone; the words are those of who is left.
        await one.sees(3)
        assert await one.words() == await words_at(shell)
        heard = await tail.messages(7)
        assert [event["text"] for event in heard] == [
            "from the page", "from the terminal", "from a pipe", "  as it is\t", "",
            "\u65e5\u672c \U0001f600", "/no command",
        ]  # fmt: skip
        assert (heard[1]["from"], heard[1]["nick"]) == (bob, "bob b")
        assert (heard[6]["from"], heard[6]["nick"]) == (ada, "ada l")
        messages = await one.messages()
        assert [m.text.rstrip() for m in messages] == [str(e["text"]).rstrip() for e in heard]
        assert [m.tag for m in messages] == [e["from"] for e in heard]
        assert (messages[1].nick, messages[1].own, messages[6].own) == ("bob b", False, True)
        await one.say("/who")
        await one.tells(rf"3 here: .*{bob} bob b")


async def test_nickname_is_taken_where_the_own_tag_stands(visit: Visit, link: Link) -> None:
    one, two = await visit(), await visit()
    ada = await one.enter(link.to_url())
    await two.enter(link.to_url())
    name = one.page.get_by_title("Your nickname")
    await name.click()
    field = one.page.get_by_role("dialog").get_by_role("textbox", name="Your nickname")
    await field.fill("x" * 33)
    await field.press("Enter")
    await one.shows("1 to 32 characters")
    await field.fill(" ada l ")
    await field.press("Enter")
    await one.page.get_by_role("dialog").wait_for(state="detached")
    await two.tells(f"^{ada} is now ada l$")
    await one.tells(f"^you are now {ada} ada l$")
    assert " ".join((await name.inner_text()).split()) == f"{ada} ada l"
    await name.click()
    assert await field.input_value() == "ada l"
    await one.close_panel()
    await one.say("hello")
    await two.hears("hello")
    assert [(m.tag, m.nick) for m in await two.messages()] == [(ada, "ada l")]
    await two.say("/who")
    assert f"{ada} ada l" in re.split("[:,] ", await two.tells("^2 here: "))


async def test_receipts_say_how_many_have_it(visit: Visit, link: Link) -> None:
    one, two = await visit(), await visit()
    await one.enter(link.to_url())
    await one.say("to nobody")
    await one.settled("to nobody")
    await two.enter(link.to_url())
    await one.say("to one")
    await one.shows("delivered to all")
    assert "nobody else was here" in (await one.messages())[0].progress
    assert (await one.messages())[1].progress == "delivered to all"


@contextmanager
def watched(shell: Terminal) -> Iterator[None]:
    """Read a terminal meanwhile: a program whose terminal is full stands still."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            # Patience with a single thing ends; this is not one.
            with contextlib.suppress(AssertionError):
                shell.wait_for(done.is_set)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Session:
    """Three pages and two terminals talk, come, go and are cut; a list says who said what."""

    def __init__(self, seed: int, pages: list[Visitor], proxies: list[Proxy], shell: Terminal):
        self._draw = random.Random(seed)
        self._pages = pages
        self._proxies = proxies
        self._shell = shell
        self.said = 0

    async def burst(self, speakers: list[int]) -> None:
        """Let some of them say a few things at the same time, one perhaps cut meanwhile."""
        speaking = []
        for number in speakers:
            texts = [f"{number}-{self.said + n}" for n in range(self._draw.randint(2, 5))]
            self.said += len(texts)
            speaking.append(self._pages[number].say(*texts))
        texts = [f"shell-{self.said + n}" for n in range(2)]
        self.said += len(texts)
        self._shell.type("".join(text + ENTER for text in texts))
        if self._draw.random() < 0.25:
            self._proxies[self._draw.choice(speakers)].cut(half_open=self._draw.random() < 0.5)
        await asyncio.gather(*speaking)


async def test_mixed_session_is_the_same_for_all(
    visit: Visit, relay: RelayProcess, link: Link
) -> None:
    env = {"BEACON_LINK": link.to_url()}
    secret = link.to_url().partition("#")[2]
    with ExitStack() as stack:
        proxies = [stack.enter_context(proxied(relay.port)) for _ in range(3)]
        tail: Tail = stack.enter_context(tailing(link))
        shell = stack.enter_context(terminal("join", "--nick", "shell", env=env))
        await tail.connected()
        await at_prompt(shell)
        pages = [await visit(proxy.url) for proxy in proxies]
        for page, proxy in zip(pages, proxies, strict=True):
            page.tolerated += ["WebSocket connection to"]
            await page.enter(f"{proxy.url}/#{secret}")
        session = Session(7, pages, proxies, shell)
        reading = ExitStack()
        reading.enter_context(watched(shell))
        stack.push(reading)
        while session.said < 120:
            await session.burst([0, 1, 2])
        # Somebody comes, talks and goes in the middle of it; then one of the pages.
        pipe = [f"pipe-{n}" for n in range(10)]
        await asyncio.gather(send(link, *pipe), session.burst([0, 1]))
        await pages[2].settled()
        await pages[2].leave()
        left_at = len(await tail.messages(1))
        while session.said < 220:
            await session.burst([0, 1])
        await asyncio.gather(
            send(link, *(f"late-{n}" for n in range(10))),
            pages[2].enter(f"{proxies[2].url}/#{secret}"),
            session.burst([0]),
        )
        while session.said < 320:
            await session.burst([0, 1, 2])
        total = session.said + 20
        order = [(event["from"], event["text"]) for event in await tail.messages(total)]
        assert len(order) == total
        assert left_at < total
        for page in pages:
            await page.connected()
            await page.hears(order[-1][1])
            await page.settled()
        assert await pages[0].said() == order
        assert await pages[1].said() == order
        # Who came again has everything from its second coming on.
        again = await pages[2].said()
        assert 100 <= len(again) < total
        assert again == order[-len(again) :]
        reading.close()
        await asyncio.to_thread(shell.wait_for, lambda: len(spoken(shell)) >= total)
        assert spoken(shell) == order
        # No mark of a repair: who is cut and back gets what was missed in its place.
        assert not [m for page in pages for m in await page.messages() if m.late]
        assert len({tuple(await page.words()) for page in pages}) == 1
        assert await pages[0].words() == await words_at(shell)
        present = [await page.present() for page in pages]
        assert present[0] == present[1] == present[2]
        assert len(present[0]) == 5


def spoken(shell: Terminal) -> list[tuple[str, str]]:
    """Return tag and text of every message on a terminal."""
    found = [re.fullmatch(rf"({TAG})(?: \([^)]*\))?: (\S.*)", line) for line in shell.lines]
    return [(match[1], match[2]) for match in found if match]
