"""One browser and one event loop for all of these tests; a room and visitors for each."""

import inspect
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from client import Link, create_link
from tests.browser.installed import installed_page, page_of_the_sources, relay_process
from tests.browser.visitor import Visitor, visiting
from tests.e2e.process import RelayProcess

HERE = Path(__file__).parent
# Nothing but the machine itself is to be reached, whatever a page or the browser may want.
ALONE = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip

Visit = Callable[..., Awaitable[Visitor]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser lives in one loop, and so must whoever talks to it."""
    for item in items:
        if HERE in item.path.parents and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.timeout(300))
            if inspect.iscoroutinefunction(item.obj):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as driver:
        yield driver


async def launch(playwright: Playwright, *flags: str) -> Browser:
    """Start Debian's Chromium; Playwright's own browsers are not here."""
    path = shutil.which("chromium")
    assert path is not None, "apt-get install chromium"
    return await playwright.chromium.launch(executable_path=path, args=[*ALONE, *flags])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright: Playwright) -> AsyncIterator[Browser]:
    browser = await launch(playwright)
    yield browser
    await browser.close()


@pytest.fixture(scope="session", autouse=True)
def installed_page_is_that_of_the_sources() -> None:
    """All of these tests are of the page that is installed: it must be of today."""
    installed = {name: file.data for name, file in installed_page().items()}
    assert installed == page_of_the_sources(), "make .venv/installed"


@pytest.fixture(scope="session")
def relay() -> Iterator[RelayProcess]:
    """A relay without the limits that would slow tests down."""
    with relay_process("--message-rate=0", "--room-commit-interval=0.01") as process:
        yield process


@pytest.fixture
def link(relay: RelayProcess) -> Link:
    """A room of one's own."""
    return create_link(relay.url)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, relay: RelayProcess) -> AsyncIterator[Visit]:
    """Return what brings one more person to the page; all of them are watched to the end."""
    async with AsyncExitStack() as stack:

        async def one(origin: str | None = None, **options: Any) -> Visitor:
            return await stack.enter_async_context(
                visiting(browser, origin or relay.url, **options)
            )

        yield one
