"""What the page looks like to people on phones, with keyboards, and with screen readers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from client import Link, open_room
from tests.browser.conftest import Visit
from tests.browser.visitor import ABOUT, RELAY, VERIFY, Visitor, until
from tests.e2e.process import ROOT, RelayProcess
from tests.e2e.proxy import proxied

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
NARROW = {"viewport": {"width": 320, "height": 568}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
TARGET_PX = 44
# Where a word of a text can be pressed, the text gives its size (WCAG 2.5.8 excepts it too).
_TARGETS = """() => {
  const top = document.querySelector('dialog[open]') ?? document.body;
  const found = 'button, input, textarea, select, summary, a[href], [role=button], [tabindex="0"]';
  return [...top.querySelectorAll(found)]
    .filter((each) => each.checkVisibility() && !each.closest('.text') && !each.disabled)
    .map((each) => [each, each.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && box.bottom > 0 && box.right > 0 && box.left < innerWidth)
    .map(([each, box]) => [each.outerHTML.slice(0, 90), box.width, box.height]);
}"""
_OVERFLOW = """() => {
  const wide = document.scrollingElement.scrollWidth;
  const out = [...document.querySelectorAll('body *')].filter((each) => {
    const box = each.getBoundingClientRect();
    const hidden = each.closest('.unseen, [data-open] aside, aside, svg, .log pre, pre');
    return each.checkVisibility() && !hidden && (box.right > innerWidth + 1 || box.left < -1);
  });
  const tall = document.querySelector('.room') && document.body.scrollHeight > innerHeight;
  return { wide, tall, inner: innerWidth, out: out.map((each) => each.outerHTML.slice(0, 120)) };
}"""
_AXE = """async () => {
  const { violations, passes } = await axe.run(document);
  const found = violations.map(({ id, impact, help, nodes }) =>
    ({ id, impact, help, nodes: nodes.map(({ html, failureSummary }) => [html, failureSummary]) }));
  const seen = [...passes, ...violations].find(({ id }) => id === 'color-contrast')?.nodes.length;
  return { found, seen: seen ?? 0 };
}"""
PANELS = ("Share", VERIFY, ABOUT, "Leave")


@asynccontextmanager
async def furnished(visit: Visit, link: Link, **options: Any) -> AsyncIterator[Visitor]:
    """A room with somebody in it, and with messages of every kind."""
    one = await visit(**options)
    await one.enter(link.to_url())
    async with open_room(link, nick="somebody with a nickname of 32") as other:
        await one.say("hello", "/nick me", "x" * 500, "see https://example.org/" + "path/" * 60)
        await other.send("w" * 400)
        await other.send("several\nlines\n\nof text")
        await other.send("\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \U0001f600" * 20)
        await one.hears("several\nlines\n\nof text", "hello")
        await one.settled("hello")
        yield one


async def every_view(one: Visitor) -> AsyncIterator[str]:
    """Go through everything that can be opened from the room."""
    yield "room"
    for name in PANELS:
        await one.press(name)
        await one.page.get_by_role("dialog").wait_for()
        if name is VERIFY:
            await one.page.get_by_role("dialog").locator("ol li").nth(5).wait_for()
        yield name if isinstance(name, str) else name.pattern
        await one.close_panel()
    await one.page.get_by_title("Your nickname").click()
    await one.page.get_by_role("dialog").wait_for()
    yield "nickname"
    await one.close_panel()
    await one.page.locator(".url").first.click()
    await one.page.get_by_role("dialog").wait_for()
    yield "address"
    await one.close_panel()
    await one.press(RELAY)
    relay = one.page.get_by_role("complementary", name="What the relay sees")
    await relay.locator("li").first.wait_for()
    await relay.locator("summary").first.click()
    yield "relay"
    await relay.get_by_role("button", name="Close").click()
    people = one.page.get_by_role("button", name="2 here")
    if await people.is_visible():
        await people.click()
        yield "people"
        rail = one.page.get_by_role("complementary", name="Who is here")
        await rail.get_by_role("button", name="Close").click()


async def axe(one: Visitor) -> list[dict[str, Any]]:
    """Return the serious and critical findings."""
    if not await one.page.evaluate("'axe' in globalThis"):
        await one.page.evaluate(AXE)
    told = await one.page.evaluate(_AXE)
    # It takes what lies outside of its box for hidden, and then finds nothing in nothing.
    assert told["seen"] >= 5, told
    return [each for each in told["found"] if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(
    visit: Visit, link: Link, size: dict[str, Any], scheme: str
) -> None:
    visitor = await visit(color_scheme=scheme, reduced_motion="reduce", **size)
    await visitor.open(visitor.origin)
    await visitor.button("Open a new room").wait_for()
    assert await axe(visitor) == [], "lobby"
    await visitor.press(ABOUT)
    assert await axe(visitor) == [], "about, in the lobby"
    await visitor.close_panel()
    await visitor.press("Open a new room")
    await visitor.entered()
    assert await axe(visitor) == [], "alone"
    await visitor.leave()
    options = {"color_scheme": scheme, "reduced_motion": "reduce", **size}
    async with furnished(visit, link, **options) as one:
        async for view in every_view(one):
            found = await axe(one)
            assert found == [], f"{view}: {json.dumps(found, indent=1)}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_while_the_connection_is_lost(
    visit: Visit, relay: RelayProcess, link: Link, scheme: str
) -> None:
    with proxied(relay.port) as proxy:
        one = await visit(proxy.url, color_scheme=scheme, reduced_motion="reduce", **DESK)
        one.tolerated.append("WebSocket connection to")
        await one.enter(f"{proxy.url}/#{link.to_url().partition('#')[2]}")
        proxy.blocked = True
        proxy.cut()
        await one.tells("connection is lost")
        await one.say("not sent yet", "x" * 501)
        await one.shows("pending")
        found = await axe(one)
        assert found == [], json.dumps(found, indent=1)
        await one.box.fill("")
        await one.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")


@pytest.mark.parametrize("size", [PHONE, NARROW, DESK], ids=["360", "320", "desk"])
async def test_page_scrolls_in_one_direction_and_every_target_fits_a_finger(
    visit: Visit, link: Link, size: dict[str, Any]
) -> None:
    visitor = await visit(**size)
    await visitor.open(visitor.origin)
    await visitor.button("Open a new room").wait_for()
    await fits(visitor, "lobby")
    async with furnished(visit, link, **size) as one:
        async for view in every_view(one):
            await fits(one, view)


async def fits(one: Visitor, view: str) -> None:
    found = await one.page.evaluate(_OVERFLOW)
    assert found["wide"] <= found["inner"], view
    # In a room nothing scrolls but its parts.
    assert not found["tall"], view
    assert found["out"] == [], view
    small = [
        target
        for target in await one.page.evaluate(_TARGETS)
        if target[1] < TARGET_PX - 0.5 or target[2] < TARGET_PX - 0.5
    ]
    assert small == [], view


async def test_keyboard_alone_is_enough(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.open(one.origin)
    await one.button("Open a new room").wait_for()
    for _ in range(10):
        await one.page.keyboard.press("Tab")
        if await focused(one) == "Open a new room":
            break
    await one.page.keyboard.press("Enter")
    await one.entered()
    # Where there is a keyboard, the line to be typed has the focus from the beginning.
    await one.page.keyboard.type("typed at once")
    await one.page.keyboard.press("Shift+Enter")
    await one.page.keyboard.type("in two lines")
    await one.page.keyboard.press("Enter")
    await one.hears("typed at once\nin two lines")
    seen = []
    for _ in range(20):
        await one.page.keyboard.press("Tab")
        seen.append(await focused(one))
    assert {"Share", "Verify", "Leave"} <= set(seen)
    while not ABOUT.match(await focused(one)):
        await one.page.keyboard.press("Tab")
    await one.page.keyboard.press("Enter")
    await one.page.get_by_role("dialog").wait_for()
    await one.page.keyboard.press("Escape")
    await one.page.get_by_role("dialog").wait_for(state="detached")
    assert ABOUT.match(await focused(one))


async def focused(one: Visitor) -> str:
    text: str = await one.page.evaluate("document.activeElement.innerText.trim()")
    return text


async def test_text_that_is_too_long_stays_with_its_count(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    # Code points, not code units: as the terminal counts them.
    await one.say("\U0001f600" * 501)
    await one.shows("501 of 500")
    assert await one.box.input_value() == "\U0001f600" * 501
    assert await one.said() == []
    await one.say("\U0001f600" * 500)
    await one.hears("\U0001f600" * 500)


async def test_reader_who_has_scrolled_up_stays_there(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    async with open_room(link) as other:
        for number in range(60):
            await other.send(f"line {number}")
        await one.hears("line 59")
        await one.log.evaluate("(log) => { log.scrollTop = 0; }")
        await one.button("Jump to newest").wait_for()
        await other.send("one more")
        await one.hears("one more")
        assert await one.log.evaluate("(log) => log.scrollTop") < 5
        await one.press("1 new: jump to newest")
        await until(lambda: at_end(one))
        await other.send("and another")
        await one.hears("and another")
        await until(lambda: at_end(one))


async def test_log_is_read_back_without_leaving_the_line(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    async with open_room(link) as other:
        for number in range(60):
            await other.send(f"line {number}")
        await one.hears("line 59")
    await until(lambda: at_end(one))
    await one.box.press("PageUp")
    await one.button("Jump to newest").wait_for()
    # Within a text that is itself longer than its box, the keys are its own.
    await one.box.press("PageDown")
    await until(lambda: at_end(one))
    await one.box.fill("a\n" * 40)
    await one.box.press("PageUp")
    assert await at_end(one)
    assert await focused(one) == ""


@pytest.mark.parametrize("size", [DESK, PHONE, NARROW], ids=["desk", "360", "320"])
async def test_first_one_here_sees_the_link_and_what_happened_beside_each_other(
    visit: Visit, link: Link, size: dict[str, Any]
) -> None:
    one = await visit(**size)
    await one.enter(link.to_url())
    for _ in range(3):
        await one.say("/help")
        await one.tells("blank the page")
        await until(lambda: at_end(one))
        log, alone, line = [
            await one.page.locator(name).bounding_box() for name in (".log", ".alone", "form")
        ]
        assert log is not None
        assert alone is not None
        assert line is not None
        assert log["height"] > 100
        assert log["y"] + log["height"] <= alone["y"] + 0.5
        assert alone["y"] + alone["height"] <= line["y"] + 0.5


async def at_end(one: Visitor) -> bool:
    rest: float = await one.log.evaluate(
        "(log) => log.scrollHeight - log.scrollTop - log.clientHeight"
    )
    return rest < 5
