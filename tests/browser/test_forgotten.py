"""Leaving in every way there is: afterwards nothing of a stay is on the page or in the room."""

from collections.abc import Awaitable, Callable

import pytest

from client import Left, Link, RoomSession, open_room
from tests.browser.conftest import Visit
from tests.browser.visitor import NOTHING_STORED, PATIENCE_S, Visitor, until

CANARY = "plum-otter-canary"


async def gone(other: RoomSession, tag: str) -> None:
    """Wait until somebody has left: said goodbye, not merely lost the connection."""
    async for event in other:
        assert type(event).__name__ != "Away"
        if isinstance(event, Left):
            assert event.tag == tag
            return


async def by_reload(one: Visitor) -> None:
    await one.page.reload()
    await one.button("Open a new room").wait_for()


async def by_going_elsewhere(one: Visitor) -> None:
    await one.open("about:blank")


async def by_going_that_comes_to_nothing(one: Visitor) -> None:
    """Firefox closes connections before it hides the page: the goodbye is said before that."""
    await one.page.evaluate("dispatchEvent(new Event('beforeunload'))")
    await one.shows("You left. Nothing stays behind.")


async def by_closing(one: Visitor) -> None:
    await one.page.close(run_before_unload=True)


async def by_button(one: Visitor) -> None:
    await one.leave()
    await one.shows("You left. Nothing stays behind.")


async def by_command(one: Visitor) -> None:
    await one.say("/leave")
    await one.shows("You left. Nothing stays behind.")


async def by_two_escapes(one: Visitor) -> None:
    await one.page.keyboard.press("Escape")
    await one.page.keyboard.press("Escape")
    await one.page.wait_for_url("about:blank")


async def by_wipe(one: Visitor) -> None:
    await one.press("Leave")
    await one.press("Wipe now")
    await one.page.wait_for_url("about:blank")


WAYS = [
    by_reload, by_going_elsewhere, by_going_that_comes_to_nothing, by_closing, by_button,
    by_command, by_two_escapes, by_wipe,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_leaving_is_leaving(
    visit: Visit, link: Link, way: Callable[[Visitor], Awaitable[None]]
) -> None:
    one = await visit()
    tag = await one.enter(link.to_url())
    async with open_room(link) as other:
        await one.say(CANARY)
        await one.settled(CANARY)
        await way(one)
        await gone(other, tag)
        await until(lambda: len(other.members) == 1)
    if one.page.is_closed():
        return
    assert CANARY not in await one.page.content()
    await one.page.go_back()
    await one.page.wait_for_load_state()
    assert CANARY not in await one.page.content()
    assert link.to_url().partition("#")[2] not in one.page.url
    if one.page.url.startswith(one.origin):
        await one.button("Open a new room").wait_for(timeout=PATIENCE_S * 1000)
        assert await one.stored() == NOTHING_STORED


async def test_page_that_is_put_away_is_empty_at_that_moment(visit: Visit, link: Link) -> None:
    """A browser may keep what it leaves, to come back to it: there is nothing then."""
    one = await visit()
    await one.enter(link.to_url())
    await one.say(CANARY)
    await one.settled(CANARY)
    left = await one.page.evaluate(
        "() => { dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));"
        " return document.documentElement.outerHTML; }"
    )
    assert CANARY not in left
    assert "0x" not in left
    await one.page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    )
    await one.button("Open a new room").wait_for()


async def test_second_tab_is_another_person(visit: Visit, link: Link) -> None:
    one = await visit()
    ada = await one.enter(link.to_url())
    two = await one.context.new_page()
    await two.goto(link.to_url())
    await two.get_by_role("textbox", name="Message", exact=True).wait_for()
    bob = (await two.locator(".me b").inner_text()).strip()
    assert bob != ada
    await one.sees({ada, bob})
    await two.close()
    await one.sees({ada})


async def test_link_put_into_the_address_bar_of_an_open_page_changes_the_room(
    visit: Visit, link: Link
) -> None:
    one = await visit()
    tag = await one.enter(link.to_url())
    async with open_room(link) as other:
        await one.say(CANARY)
        await one.settled(CANARY)
        another = link.to_url().partition("#")[2][::-1].translate(str.maketrans("B", "A"))
        await one.page.evaluate("(hash) => { location.hash = hash; }", "A" + another[1:-1] + "A")
        await gone(other, tag)
        await one.entered()
        assert CANARY not in await one.page.content()
        assert one.page.url == f"{one.origin}/"
        await one.leave()
