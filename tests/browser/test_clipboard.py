"""The clipboard, which other pages may come to read: the secret gets there by a hand only."""

import pytest
from playwright.async_api import Error

from client import Link
from tests.browser.conftest import Visit
from tests.browser.visitor import ABOUT, VERIFY, Visitor

BEFORE = "what was there before"


async def pasted(visitor: Visitor) -> str:
    """Return what a person finds who pastes."""
    await visitor.box.fill("")
    await visitor.box.press("Control+V")
    found = await visitor.box.input_value()
    await visitor.box.fill("")
    return found


async def test_secret_is_copied_by_a_click_and_by_nothing_else(visit: Visit, link: Link) -> None:
    one = await visit(permissions=["clipboard-read", "clipboard-write"])
    await one.enter(link.to_url())
    await one.page.evaluate("text => navigator.clipboard.writeText(text)", BEFORE)
    assert await pasted(one) == BEFORE
    await one.say("hello", "/help")
    await one.settled("hello")
    for name in ("Share", VERIFY, ABOUT):
        await one.press(name)
        await one.close_panel()
    assert await pasted(one) == BEFORE
    await one.press("Share")
    await one.press("Copy link")
    await one.shows("Copied")
    await one.close_panel()
    assert await pasted(one) == link.to_url()


async def test_page_may_not_read_the_clipboard(visit: Visit, link: Link) -> None:
    """Not even where the person has allowed it: its own headers forbid that."""
    one = await visit(permissions=["clipboard-read", "clipboard-write"])
    one.tolerated.append("permissions policy|Permissions policy")
    await one.enter(link.to_url())
    with pytest.raises(Error, match="permissions policy"):
        await one.page.evaluate("navigator.clipboard.readText()")
