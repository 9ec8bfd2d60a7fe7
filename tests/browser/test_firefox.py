"""The page in Firefox, with itself, a terminal and Chromium: where Debian's Firefox is there."""

import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from client import Link, create_link
from tests.browser.conftest import Visit
from tests.browser.firefox import ESCAPE, Firefox, FirefoxPage, firefox
from tests.browser.installed import relay_process
from tests.browser.test_room import at_prompt, at_terminal, words_at
from tests.browser.visitor import until
from tests.client.cli.beacon import terminal
from tests.e2e.process import RelayProcess

PROGRAM = shutil.which("firefox-esr")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Firefox (Debian: firefox-esr)")
_STORED = """async () => [
  document.cookie, Object.keys(localStorage), Object.keys(sessionStorage),
  (await indexedDB.databases()).length, (await caches.keys()).length,
]"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    assert PROGRAM is not None
    async with firefox(PROGRAM, Path(tmp_path_factory.mktemp("firefox"))) as one:
        yield one


async def test_firefox_terminal_and_chromium_are_in_one_room(
    fox: Firefox, visit: Visit, relay: RelayProcess
) -> None:
    fox.told.clear()
    one, two, three = await fox.page(), await fox.page(), await visit()
    await one.open(relay.url)
    await one.press("^Open a new room$")
    ada = await one.entered()
    await one.press("^Share$")
    url = await one.evaluate("() => document.querySelector('dialog input').value")
    await one.press("^Close$")
    # As a link that is opened, in the other browser as well; and at a terminal.
    bob = await two.enter(url)
    eve = await three.enter(url)
    with terminal("join", env={"BEACON_LINK": url}) as shell:
        dan = await at_prompt(shell)
        await one.shows("4 here")
        expected = [(ada, "from Firefox"), (bob, "from the other")]
        await one.say("from Firefox")
        await two.hears("from Firefox")
        await two.say("from the other")
        await at_terminal(shell, f"{ada}: from Firefox")
        await at_terminal(shell, f"{bob}: from the other")
        shell.type("from the terminal\r")
        await one.hears("from the terminal")
        await three.say("from Chromium")
        expected += [(dan, "from the terminal"), (eve, "from Chromium")]
        for page in (one, two, three):
            await page.hears("from Chromium")
            assert await page.said() == expected
        words = await words_at(shell)
        assert [await page.words() for page in (one, two, three)] == [words] * 3
        await one.shows("delivered to all")
        # Going elsewhere and reloading are leaving; the secret is not in the address.
        await two.open("about:blank")
        await at_terminal(shell, rf".*{bob} left")
        await one.reload()
        await one.shows("Open a new room")
        await at_terminal(shell, rf".*{ada} left")
        assert await one.evaluate("() => location.href") == f"{relay.url}/"
        # Somebody else by the same link; then everything is forgotten at once.
        again = await one.enter(url)
        await three.sees({eve, dan, again})
        await one.type(ESCAPE + ESCAPE)
        await until(lambda: blank(one))
        await three.sees({eve, dan})
        await two.enter(url)
        assert await two.evaluate(_STORED) == ["", [], [], 0, 0]
        await two.leave()
        await two.shows("You left. Nothing stays behind.")
        await three.sees({eve, dan})
    assert fox.told == []


async def blank(one: FirefoxPage) -> bool:
    return await one.evaluate("() => location.href") == "about:blank"


async def test_firefox_comes_back_when_the_relay_does(fox: Firefox) -> None:
    with ExitStack() as stack:
        relay = stack.enter_context(relay_process("--message-rate=0"))
        link = create_link(relay.url)
        one, two = await fox.page(), await fox.page()
        for page in (one, two):
            await page.enter(link.to_url())
        await one.say("before")
        await two.hears("before")
        relay.stop()
        for page in (one, two):
            await page.shows("the connection is lost")
        await one.say("to be said later")
        await one.shows("pending")
        stack.enter_context(relay_process("--message-rate=0", f"--port={relay.port}"))
        for page in (one, two):
            # Unless it is back by itself just now.
            await page.presses("^Retry now$")
            await page.shows("connected again")
        await two.hears("to be said later")
        await two.say("after")
        await one.hears("after")
        assert await one.words() == await two.words()
        for page in (one, two):
            await page.leave()


async def test_browser_without_the_cryptography_is_told_so(
    fox: Firefox, visit: Visit, link: Link
) -> None:
    """As Firefox before 130 and Chromium before 137 answer."""
    older = """() => {
      const generate = SubtleCrypto.prototype.generateKey;
      SubtleCrypto.prototype.generateKey = function (name, ...rest) {
        if (name !== 'X25519') return generate.call(this, name, ...rest);
        return Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError'));
      };
    }"""
    script = await fox.ask("script.addPreloadScript", functionDeclaration=older)
    one = await fox.page()
    await one.open(link.to_url())
    await one.shows("This browser lacks cryptography that Beacon needs")
    await fox.ask("script.removePreloadScript", script=script["script"])
    two = await visit()
    await two.context.add_init_script(f"({older})()")
    await two.open(link.to_url())
    await two.shows("This browser lacks cryptography that Beacon needs")
    # Nobody has been asked for anything; the secret is out of the address all the same.
    assert two.sockets == []
    assert two.page.url == f"{two.origin}/"
