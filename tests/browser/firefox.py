"""Firefox beside Chromium: Debian's, over the protocol that it speaks by itself (WebDriver BiDi).

Knows how to start it and what hands and eyes can do at the page; needs no driver and no package
beyond the client's own `websockets`.
"""

import asyncio
import itertools
import json
import re
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.browser.visitor import PATIENCE_S, until

# Nothing but the machine itself is to be reached, and nothing is asked or suggested.
PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.region.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "remote.prefs.recommended": True,
}  # fmt: skip
ENTER = "\ue007"
ESCAPE = "\ue00c"
# Buttons by their names, as a person sees them: of what is open above, else of the page.
_PRESS = """(name) => {
  const top = document.querySelector('dialog[open]') ?? document;
  const found = [...top.querySelectorAll('button')]
    .filter((each) => each.checkVisibility() && each.innerText.trim().match(name));
  found[0]?.click();
  return found.length > 0;
}"""
_SAID = """() => [...document.querySelectorAll('.said')].map((row) =>
  [row.querySelector('.head b').textContent, row.querySelector('.text').textContent])"""
_FOCUS = "() => { const box = document.querySelector('textarea'); box?.focus(); return !!box; }"


class Firefox:
    """One running Firefox."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())
        # What its console says, and what it refuses to load.
        self.told: list[str] = []

    async def _read(self) -> None:
        async for data in self._socket:
            message = json.loads(data)
            if message["type"] == "event":
                if message["method"] == "log.entryAdded":
                    entry = message["params"]
                    self.told.append(f"{entry['level']}: {entry['text']}")
            elif (future := self._waiting.pop(message["id"], None)) is not None:
                future.set_result(message)

    async def ask(self, method: str, **params: Any) -> Any:
        """Send one command; return its result."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        answer = await asyncio.wait_for(future, PATIENCE_S)
        assert answer["type"] == "success", answer
        return answer["result"]

    async def page(self) -> "FirefoxPage":
        """Open a tab that shares nothing with any other."""
        user = (await self.ask("browser.createUserContext"))["userContext"]
        tab = await self.ask("browsingContext.create", type="window", userContext=user)
        return FirefoxPage(self, tab["context"])

    def end(self) -> None:
        self._reader.cancel()


class FirefoxPage:
    """One person at the page, in Firefox."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self.firefox = firefox
        self.context = context

    async def open(self, url: str) -> None:
        await self.firefox.ask(
            "browsingContext.navigate", context=self.context, url=url, wait="complete"
        )

    async def reload(self) -> None:
        await self.firefox.ask("browsingContext.reload", context=self.context, wait="complete")

    async def evaluate(self, function: str, *values: Any) -> Any:
        """Call a function in the page; what it returns comes back by way of JSON."""
        wrapped = f"async (text) => JSON.stringify(await ({function})(...JSON.parse(text)) ?? null)"
        found = await self.firefox.ask(
            "script.callFunction", functionDeclaration=wrapped, awaitPromise=True,
            target={"context": self.context},
            arguments=[{"type": "string", "value": json.dumps(values)}],
        )  # fmt: skip
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    async def type(self, keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        await self.firefox.ask("input.performActions", context=self.context, actions=[source])

    async def presses(self, name: str) -> bool:
        """Press a button by a pattern of its name, if it is there."""
        pressed: bool = await self.evaluate(_PRESS, name)
        return pressed

    async def press(self, name: str) -> None:
        """Press a button as soon as it is there."""
        await until(lambda: self.presses(name), lambda: name)

    async def say(self, text: str) -> None:
        await until(lambda: self.evaluate(_FOCUS))
        await self.type(text + ENTER)

    async def text(self) -> str:
        """Return what is on the screen."""
        found: str = await self.evaluate("() => document.body?.innerText ?? ''")
        return found

    async def shows(self, pattern: str) -> None:
        async def shown() -> bool:
            return re.search(pattern, await self.text()) is not None

        await until(shown, lambda: pattern)

    async def enter(self, link: str) -> str:
        """Open a link and wait until the room is entered; return the tag."""
        await self.open(link)
        return await self.entered()

    async def entered(self) -> str:
        """Wait until the room is there; return the tag."""
        await self.shows(r"\bConnected\b")
        tag: str = await self.evaluate("() => document.querySelector('.me b').textContent.trim()")
        return tag

    async def said(self) -> list[tuple[str, str]]:
        return [(tag, text) for tag, text in await self.evaluate(_SAID)]

    async def hears(self, *texts: str) -> None:
        async def heard() -> bool:
            return {text for _, text in await self.said()} >= set(texts)

        await until(heard, lambda: texts)

    async def words(self) -> list[str]:
        """Look at the six words."""
        await self.press("^(Verify|New words)$")
        six = "() => [...document.querySelectorAll('.words li')].map((each) => each.textContent)"
        await until(lambda: self.evaluate(f"() => ({six})().length === 6"))
        words: list[str] = await self.evaluate(six)
        await self.press("^Close$")
        return words

    async def leave(self) -> None:
        await self.press("^Leave$")
        await until(lambda: self.evaluate("() => document.querySelector('dialog') !== null"))
        await self.press("^Leave$")


@asynccontextmanager
async def firefox(program: str, profile: Path) -> AsyncIterator[Firefox]:
    """Start it without a window and with a profile of its own; end it, whatever happens."""
    (profile / "user.js").write_text(
        "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items())
    )
    process = await asyncio.create_subprocess_exec(
        program, "--headless", "--no-remote", "--remote-debugging-port=0",
        "--profile", str(profile), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    try:
        # Written as soon as it listens.
        found = profile / "WebDriverBiDiServer.json"
        await until(lambda: found.exists() and found.stat().st_size > 0)
        where = json.loads(found.read_text())
        url = f"ws://{where['ws_host']}:{where['ws_port']}/session"
        async with connect(url, max_size=None, compression=None, proxy=None) as socket:
            one = Firefox(socket)
            await one.ask("session.new", capabilities={})
            await one.ask("session.subscribe", events=["log.entryAdded"])
            yield one
            one.end()
    finally:
        process.kill()
        await process.wait()
