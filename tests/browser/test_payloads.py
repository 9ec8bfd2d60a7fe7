"""What somebody in the room may write to break the page: it is shown, and nothing else happens.

Every visitor's `problems` holds what ran, asked, was fetched or was stopped by the policy.
"""

import asyncio
import json
import unicodedata
from pathlib import Path

from client import Link, UsageError, open_room
from tests.browser.conftest import Visit
from tests.browser.visitor import VERIFY, Visitor, until

_LINES = (Path(__file__).parent / "payloads.txt").read_text(encoding="utf-8").split("\n")
# A line that begins so is a JSON string: what a file of lines cannot hold.
PAYLOADS = [
    json.loads(line.removeprefix("json:")) if line.startswith("json:") else line
    for line in _LINES
    if line
]
MAX_NICK_CHARS = 32
# All that a row of the log may consist of.
ELEMENTS = {
    *("LI", "P", "SPAN", "B", "BDI", "SMALL", "TIME", "A", "BUTTON", "I"),
    *("svg", "path"),
}
_INSIDE = """(log) => [...log.querySelectorAll('ol *')].map((each) => [
  each.tagName, each.getAttributeNames().filter((name) => /^on|^href$|^src/.test(name)).join(),
])"""


def shown(text: str) -> str:
    """What of a text is on the screen: all of it, but for what turns or hides a line."""
    for broken in ("\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"):
        text = text.replace(broken, "\n")
    text = text.replace("\t", " ")
    kept = [c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")]
    return "".join(kept)


def test_corpus_is_a_corpus() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 300
    assert all(1 <= len(payload) <= 500 for payload in PAYLOADS)
    assert shown("a\u202eb\x00c\td\re") == "abc d\ne"


async def test_payloads_as_texts_are_texts(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    async with open_room(link) as other:
        for text in (*PAYLOADS, "the end"):
            await other.send(text)
        await one.hears("the end")
        tag = other.tag
    assert await one.said() == [(tag, shown(text)) for text in (*PAYLOADS, "the end")]
    await inert(one)


async def test_payloads_as_nicknames_are_nicknames(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    named: list[str] = []
    async with open_room(link) as other:
        for payload in PAYLOADS:
            nick = payload[:MAX_NICK_CHARS].strip()
            if nick in named:
                continue
            try:
                await other.set_nick(nick)
            except UsageError:
                continue
            await other.send(f"as {len(named)}")
            named.append(nick)
        await one.hears(f"as {len(named) - 1}")
        assert len(named) >= 200
        nicks = {message.text: message.nick for message in await one.messages()}
        shown_last = {f"as {n}": nick for n, nick in enumerate(named) if f"as {n}" in nicks}
        assert len(nicks) >= 200
        assert nicks == shown_last
        # The last one in the list of members, in the words, and in what is read aloud.
        await one.sees({other.tag, await one.tag()})
        assert (
            named[-1]
            in await one.page.get_by_role("complementary", name="Who is here").inner_text()
        )
        await one.press(VERIFY)
        await one.page.get_by_role("dialog").get_by_text(named[-1]).wait_for()
        await one.close_panel()
        await one.say("/who")
        await one.tells("2 here: ")
    await one.tells(" left$")
    await inert(one)


async def test_payloads_of_ones_own_are_no_better(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    chosen = [p for p in PAYLOADS[::7] if not p.startswith("/") and p.strip()]
    await one.say(*chosen)
    await one.hears(*(shown(payload) for payload in chosen))
    await inert(one)


async def test_payloads_in_the_link_field_stay_there(visit: Visit) -> None:
    one = await visit()
    await one.open(one.origin)
    field = one.link_field
    for payload in PAYLOADS[::5]:
        await field.fill(payload)
        await field.press("Enter")
    await one.button("Open a new room").wait_for()
    assert [urls for urls in one.sockets] == []


async def test_payloads_behind_the_address_open_no_room(visit: Visit) -> None:
    one = await visit()
    for payload in PAYLOADS[::60]:
        await one.open("about:blank")
        await one.open(f"{one.origin}/#{payload}")
        await one.button("Open a new room").wait_for()
        assert one.page.url == f"{one.origin}/"


async def inert(one: Visitor) -> None:
    """Look into the log, touch everything in it, and wait for what comes late."""
    parts = await one.log.evaluate(_INSIDE)
    assert {name for name, _ in parts} <= ELEMENTS
    assert {attributes for _, attributes in parts} == {""}
    page = one.page
    assert await page.locator("script").count() == 1
    assert await page.locator("iframe, object, embed, base, style, form[action], img").count() == 0
    addresses = page.locator(".url")
    for at in range(await addresses.count()):
        await addresses.nth(at).click()
        leads = page.get_by_role("dialog").get_by_role("link", name="Open")
        href = await leads.get_attribute("href")
        assert href is not None
        assert href.startswith(("https://", "http://"))
        assert await leads.get_attribute("rel") == "noopener noreferrer"
        await one.close_panel()
    await one.log.hover()
    await page.mouse.wheel(0, -2000)
    await asyncio.sleep(1.0)
    assert "Beacon" in await page.title()
    await until(lambda: not one.problems, lambda: one.problems)
