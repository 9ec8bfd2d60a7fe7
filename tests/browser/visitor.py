"""One person at the page, in a real browser: what is on the screen, and what hands can do.

Watches everything that the page must never do, from its first byte on; `problems` says what it did.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    WebSocket,
)

# Many times what anything here takes, so that only a standstill fails.
PATIENCE_S = 20.0
# What a payload of ours calls when it runs.
MARK = "pwn"
_WATCH = """
addEventListener('securitypolicyviolation', (event) => {
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
"""
# Rows as a person sees them: who, what, and how far it got.
_ROWS = r"""(log) => [...log.querySelectorAll('li')].map((row) => {
  const text = row.querySelector('.text');
  if (!text) return { text: null, line: row.textContent };
  return {
    tag: row.querySelector('.head b').textContent,
    nick: row.querySelector('.head bdi')?.textContent ?? null,
    text: text.textContent,
    own: row.classList.contains('own'),
    late: /late/.test(row.querySelector('.meta').textContent),
    progress: row.querySelector('.progress')?.firstChild?.textContent ?? '',
  };
})"""
_STORED = """async () => ({
  cookie: document.cookie,
  local: Object.keys(localStorage),
  session: Object.keys(sessionStorage),
  databases: (await indexedDB.databases()).map(({ name }) => name),
  caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""
NOTHING_STORED = {
    "cookie": "", "local": [], "session": [], "databases": [], "caches": [], "workers": 0,
}  # fmt: skip


# What a wide window calls otherwise than a narrow one.
ABOUT = re.compile("^(About|What this room protects)$")
RELAY = re.compile("^(Relay|What the relay sees)$")
VERIFY = re.compile("^(Verify|New words)$")


async def until(
    condition: Callable[[], bool | Awaitable[bool]], why: Callable[[], object] = lambda: ""
) -> None:
    """Wait for what has no event of its own."""
    end = time.monotonic() + PATIENCE_S
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        assert time.monotonic() < end, f"never came: {why()}"
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Said:
    """A message on the screen."""

    tag: str
    nick: str | None
    text: str
    own: bool
    late: bool
    # In the words of the page; empty where it is not ours.
    progress: str

    @property
    def is_ordered(self) -> bool:
        """Tell whether the relay has a message of ours."""
        return bool(re.match("on the relay|delivered", self.progress))


@dataclass
class Visitor:
    """A browser of its own, with one tab."""

    context: BrowserContext
    page: Page
    origin: str
    # Where its sockets may go: the page's own host, unless the page is told another.
    relay: str
    requests: list[Request] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    # What a test makes happen on purpose, by the words of the browser's console.
    tolerated: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note whatever the page does from now on."""
        self.context.on("request", self._requested)
        self.context.on("console", self._logged)
        self.context.on("weberror", lambda error: self._note(f"error: {error.error}"))
        self.context.on("dialog", self._asked)
        self.page.on("websocket", self._connected)
        self.page.on("popup", lambda popup: self._note(f"popup: {popup.url}"))
        self.page.on("download", lambda download: self._note(f"download: {download.url}"))
        self.page.on("crash", lambda _: self._note("the tab crashed"))

    def _note(self, problem: str) -> None:
        if not any(re.search(pattern, problem) for pattern in self.tolerated):
            self.problems.append(problem)

    def _requested(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith(f"{self.origin}/"):
            self._note(f"request to elsewhere: {request.url}")

    def _connected(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        if urlsplit(socket.url).netloc != urlsplit(self.relay).netloc:
            self._note(f"socket to elsewhere: {socket.url}")

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._note(f"console: {message.text}")

    async def _asked(self, dialog: Dialog) -> None:
        # A person who is about to leave is asked so; anything else is nobody's business.
        if dialog.type != "beforeunload":
            self._note(f"dialog: {dialog.type} {dialog.message}")
        await dialog.accept()

    async def stored(self) -> dict[str, Any]:
        """Return what the page has left in the browser."""
        found: dict[str, Any] = await self.page.evaluate(_STORED)
        return found | ({"cookies": cookies} if (cookies := await self.context.cookies()) else {})

    # What hands do.

    async def open(self, link: str) -> None:
        """Open a link, as from a message of somebody's; do not wait for the room."""
        await self.page.goto(link)

    async def enter(self, link: str) -> str:
        """Open a link and wait until the room is entered; return the tag."""
        await self.open(link)
        return await self.entered()

    async def entered(self) -> str:
        """Wait until the room is there; return the tag."""
        await self.connected()
        return await self.tag()

    async def connected(self) -> None:
        await self.box.wait_for(timeout=PATIENCE_S * 1000)
        await self.shows("Connected")

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.box.fill(text)
            await self.box.press("Enter")

    async def press(self, name: str | re.Pattern[str]) -> None:
        """Press a button by its name, where that is its whole name, or by a pattern."""
        await self.button(name).click(timeout=PATIENCE_S * 1000)

    async def leave(self) -> None:
        """Leave as a person does."""
        await self.press("Leave")
        await self.page.get_by_role("dialog").get_by_role("button", name="Leave").click()

    # What eyes see.

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log", name="Messages")

    @property
    def link_field(self) -> Locator:
        """The field of the lobby that takes a link."""
        return self.page.get_by_role("main").get_by_role("textbox")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def shows(self, text: str) -> None:
        """Wait until a text is somewhere on the screen."""
        await self.page.get_by_text(text).first.wait_for(timeout=PATIENCE_S * 1000)

    async def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.log.evaluate(_ROWS)
        return found

    async def lines(self) -> list[str]:
        """Return what happened, without what was said."""
        return [row["line"] for row in await self.rows() if row["text"] is None]

    async def messages(self) -> list[Said]:
        return [Said(**row) for row in await self.rows() if row["text"] is not None]

    async def said(self) -> list[tuple[str, str]]:
        """Return tag and text of every message on the screen."""
        return [(message.tag, message.text) for message in await self.messages()]

    async def tag(self) -> str:
        """Return the own tag, from the bar."""
        return (await self.page.locator(".me b").inner_text()).strip()

    async def present(self) -> set[str]:
        """Return the tags of who is here, as the list of members shows them."""
        rail = self.page.get_by_role("complementary", name="Who is here", include_hidden=True)
        return set(await rail.locator("li b").all_text_contents())

    async def sees(self, tags: set[str] | int) -> None:
        """Wait until these are here, or so many, and nobody else."""

        async def seen() -> bool:
            present = await self.present()
            return tags in (present, len(present))

        await until(seen, lambda: tags)

    async def words(self) -> list[str]:
        """Look at the six words."""
        await self.press(VERIFY)
        dialog = self.page.get_by_role("dialog")
        await dialog.locator("ol li").nth(5).wait_for(timeout=PATIENCE_S * 1000)
        words = await dialog.locator("ol li").all_text_contents()
        await self.close_panel()
        return words

    async def close_panel(self) -> None:
        """Close what has opened above the room; Esc twice in a second would be the end of it."""
        dialog = self.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Close").click()
        await dialog.wait_for(state="detached")

    async def hears(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""

        async def heard() -> bool:
            return {text for _, text in await self.said()} >= set(texts)

        await until(heard, lambda: texts)

    async def tells(self, pattern: str) -> str:
        """Wait until a line of what happened matches; return it."""
        found: list[str] = []

        async def told() -> bool:
            found[:] = [line for line in await self.lines() if re.search(pattern, line)]
            return bool(found)

        await until(told, lambda: pattern)
        return found[0]

    async def settled(self, *texts: str) -> None:
        """Wait until the relay has ordered whatever we said, and these texts among it."""

        async def settled() -> bool:
            own = [message for message in await self.messages() if message.own]
            waiting = [message.text for message in own if not message.is_ordered]
            ordered = {message.text for message in own}
            return not waiting and ordered >= set(texts)

        await until(settled, lambda: texts)


@asynccontextmanager
async def visiting(
    browser: Browser, origin: str, *, relay: str | None = None, **options: Any
) -> AsyncIterator[Visitor]:
    """Give a person a browser; in the end it must have done nothing that it must not do."""
    context = await browser.new_context(**options)
    try:
        visitor = Visitor(context, await context.new_page(), origin, relay or origin)
        await context.add_init_script(_WATCH)
        await context.expose_binding(MARK, lambda source: visitor.problems.append("a payload ran"))
        visitor.watch()
        yield visitor
        if not visitor.page.is_closed() and visitor.page.url.startswith(origin):
            stored = await visitor.stored()
            assert stored == NOTHING_STORED, stored
        assert not visitor.problems, visitor.problems
    finally:
        await context.close()
