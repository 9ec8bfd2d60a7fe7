"""What breaks between page and relay: connections, networks, machines that sleep, relays."""

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Playwright, TimeoutError

from client import Link, RoomSession, create_link, open_room
from tests.browser.cli import send, tailing
from tests.browser.conftest import Visit, launch
from tests.browser.installed import relay_process
from tests.browser.visitor import Visitor, until, visiting
from tests.chaos.proxy import Proxy as StallingProxy
from tests.e2e.process import RelayProcess
from tests.e2e.proxy import proxied

# What a browser's console says of a connection that a test has cut.
CUT = "WebSocket connection to|ERR_INTERNET_DISCONNECTED"


def through(url: str, link: Link) -> str:
    """The room of a link, by another way to its relay."""
    return f"{url}/#{link.to_url().partition('#')[2]}"


async def status(one: Visitor, wanted: str) -> bool:
    return (await one.page.locator("[data-status]").get_attribute("data-status")) == wanted


async def becomes(one: Visitor, wanted: str) -> None:
    await until(lambda: status(one, wanted), lambda: wanted)


async def test_cut_connection_comes_back_with_seat_and_tag(
    visit: Visit, relay: RelayProcess, link: Link
) -> None:
    with proxied(relay.port) as proxy, tailing(link) as tail:
        await tail.connected()
        one = await visit(proxy.url)
        one.tolerated.append(CUT)
        tag = await one.enter(through(proxy.url, link))
        await one.say("before")
        proxy.blocked = True
        proxy.cut()
        await one.tells("connection is lost")
        await one.shows("Reconnecting in")
        await one.say("said while away")
        await send(link, "meanwhile")
        proxy.blocked = False
        # Unless it is back by itself just now.
        with contextlib.suppress(TimeoutError):
            await one.button("Retry now").click(timeout=1000)
        await one.tells("connected again")
        await one.hears("before", "meanwhile")
        await one.settled("said while away")
        assert await one.tag() == tag
        heard = [(event["from"], event["text"]) for event in await tail.messages(3)]
        assert await one.said() == heard
        assert [text for _, text in heard] == ["before", "meanwhile", "said while away"]


async def test_offline_and_back_needs_no_hand(
    visit: Visit, relay: RelayProcess, link: Link
) -> None:
    with proxied(relay.port) as proxy:
        one = await visit(proxy.url)
        one.tolerated.append(CUT)
        tag = await one.enter(through(proxy.url, link))
        async with open_room(link) as other:
            await one.context.set_offline(True)
            proxy.blocked = True
            proxy.cut()
            await becomes(one, "reconnecting")
            await other.send("while offline")
            proxy.blocked = False
            await one.context.set_offline(False)
            await becomes(one, "connected")
            await one.hears("while offline")
            assert await one.tag() == tag


async def test_connection_that_only_seems_to_stand_is_found_out_and_made_anew(
    visit: Visit, relay: RelayProcess, link: Link
) -> None:
    """The network changes: a browser says `online`, and the old connection is a dead one."""
    proxy = StallingProxy(relay.port)
    await proxy.start()
    url = f"http://127.0.0.1:{proxy.port}"
    one = await visit(url)
    one.tolerated.append(CUT)
    await one.enter(through(url, link))
    proxy.stall()
    await one.page.evaluate("dispatchEvent(new Event('online'))")
    await becomes(one, "reconnecting")
    proxy.flow()
    await becomes(one, "connected")
    await one.leave()
    await proxy.stop()


async def test_tab_that_was_frozen_has_missed_nothing(visit: Visit, link: Link) -> None:
    one = await visit()
    tag = await one.enter(link.to_url())
    devtools = await one.context.new_cdp_session(one.page)
    async with open_room(link) as other:
        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        texts = [f"frozen-{n}" for n in range(40)]
        for text in texts:
            await other.send(text)
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await one.hears(*texts)
        assert [text for _, text in await one.said()] == texts
        assert await one.tag() == tag
        await one.say("awake")
        await one.settled("awake")


@contextmanager
def asleep(pid: int) -> Iterator[None]:
    """Stop a process and all of its children, as a machine that sleeps does."""
    family = [pid]
    for number in family:
        for task in Path(f"/proc/{number}/task").glob("*/children"):
            family += [int(child) for child in task.read_text().split()]
    for number in family:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in family:
            os.kill(number, signal.SIGCONT)


@pytest.mark.parametrize(("seconds", "stays"), [(3.0, True), (1.0, False)])
async def test_machine_that_slept_is_back_with_its_seat_or_as_a_newcomer(
    playwright: Playwright, seconds: float, stays: bool
) -> None:
    """At least so long, and until the seat is gone or just away; each in a browser of its own."""
    flags = ("--message-rate=0", "--ping-interval=0.5", "--dead-after=1.5", "--away-for=4")
    with relay_process(*flags) as relay:
        link = create_link(relay.url)
        # The browser's own process, by what it alone has on its command line.
        mark = f"--user-agent-product=beacon-{secrets.token_hex(8)}"
        browser = await launch(playwright, mark)
        async with visiting(browser, relay.url) as one, open_room(link) as other:
            one.tolerated.append(CUT)
            tag = await one.enter(link.to_url())
            await one.say("before")
            await one.settled("before")
            with asleep(find(mark)):
                end = time.monotonic() + seconds
                await until(lambda: time.monotonic() > end and is_here(other, tag) is stays)
                await other.send("while asleep")
            await one.tells("connected again")
            await becomes(one, "connected")
            assert (await one.tag() == tag) is stays
            await until(lambda: len(other.members) == 2)
            await other.send("after")
            await one.hears("after")
            # Whoever's seat was gone by then was not there when it was said.
            assert ("while asleep" in [text for _, text in await one.said()]) is stays
            await one.say("good morning")
            await one.settled("good morning")
        await browser.close()


def is_here(other: RoomSession, tag: str) -> bool:
    return any(member.tag == tag for member in other.members)


def find(mark: str) -> int:
    """Return the process that has a mark among its arguments and no parent that has it too."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes():
                found[int(folder.name)] = int(
                    (folder / "stat").read_text().rpartition(")")[2].split()[1]
                )
        except OSError:
            continue
    (root,) = [pid for pid, parent in found.items() if parent not in found]
    return root


async def test_relay_that_is_restarted_with_its_key_gives_tags_back(
    visit: Visit, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(secrets.token_bytes(32))
    await restarted(visit, f"--ticket-key-file={tmp_path / 'key'}", stays=True)


async def test_relay_that_is_restarted_without_a_key_has_everybody_join_anew(visit: Visit) -> None:
    await restarted(visit, stays=False)


async def restarted(visit: Visit, *flags: str, stays: bool) -> None:
    """Restart a relay under two pages; nothing that was said may be lost."""
    flags = ("--message-rate=0", *flags)
    with relay_process(*flags) as first:
        url, port = first.url, first.port
        link = create_link(url)
        one, two = await visit(url), await visit(url)
        tags = [await each.enter(link.to_url()) for each in (one, two)]
        for each in (one, two):
            each.tolerated.append(CUT)
        await one.say("before")
        await two.hears("before")
        await two.settled()
        first.stop()
    for each in (one, two):
        await each.tells("connection is lost")
    await one.say("to be said later")
    with relay_process(*flags, f"--port={port}"):
        for each in (one, two):
            await becomes(each, "connected")
        await two.hears("to be said later")
        for each in (one, two):
            await each.sees({await one.tag(), await two.tag()})
        assert ([await each.tag() for each in (one, two)] == tags) is stays
        assert [text for _, text in await two.said()] == ["before", "to be said later"]
        await two.say("after")
        await one.hears("after")
        assert await one.words() == await two.words()
        await one.leave()
        await two.leave()


async def test_relay_that_is_not_there_is_said_and_tried_again(visit: Visit) -> None:
    with relay_process() as relay:
        one = await visit(relay.url)
        one.tolerated.append(CUT)
        await one.open(relay.url)
        await one.button("Open a new room").wait_for()
    await one.press("Open a new room")
    await one.shows("could not be entered")
    with relay_process(f"--port={relay.port}"):
        await one.press("Try again")
        await one.entered()
        await one.leave()
