"""The page as it is served and loaded: what goes out, what comes in, and nothing else."""

import gzip
import http.client
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.async_api import Request, Route

from client import Link, create_link
from relay.page import headers
from tests.browser.cli import send
from tests.browser.conftest import Visit
from tests.browser.installed import installed_page, relay_process
from tests.browser.visitor import ABOUT, NOTHING_STORED, until
from tests.e2e.process import ROOT, RelayProcess

MAX_PAGE_BYTES = 180_000
MAX_PACKED_BYTES = 90_000


def test_page_is_small(relay: RelayProcess) -> None:
    """As it is served, and on the way, as every browser has it."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.port)
    sent, unpacked = {}, 0
    for name in installed_page():
        connection.request("GET", f"/{name}", headers={"Accept-Encoding": "gzip"})
        data = connection.getresponse().read()
        sent[name] = len(data)
        unpacked += len(gzip.decompress(data))
    connection.close()
    largest = sorted(sent, key=lambda name: -sent[name])[:5]
    assert sum(sent.values()) < MAX_PACKED_BYTES, {name: sent[name] for name in largest}
    assert unpacked < MAX_PAGE_BYTES


async def test_every_path_has_the_same_headers(relay: RelayProcess) -> None:
    expected = {name.lower(): value for name, value in headers().items()}
    paths = ["/", *(f"/{name}" for name in installed_page()), "/healthz", "/nothing", "/v1/connect"]
    paths += ["/js", "/js/../index.html", "/%6a%73/main.js", "/index.html?x", "/v1/connect?x"]
    connection = http.client.HTTPConnection("127.0.0.1", relay.port)
    for path in paths:
        for method in ("GET", "HEAD", "POST"):
            connection.request(method, path)
            response = connection.getresponse()
            response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            assert expected.items() <= found.items(), (method, path)
            assert not {"set-cookie", "server", "etag", "last-modified"} & found.keys()
    connection.close()


async def test_whole_stay_leaves_no_trace_and_asks_nobody_else(visit: Visit, link: Link) -> None:
    one = await visit()
    await one.enter(link.to_url())
    await one.say(
        "hello", "/nick ada", "/help", "see http://127.0.0.1:9/x and https://evil.example/"
    )
    await one.settled("hello")
    await one.words()
    for name in ("Share", ABOUT):
        await one.press(name)
        await one.close_panel()
    assert await one.stored() == NOTHING_STORED
    own = {f"{one.origin}/{name}" for name in installed_page()} | {f"{one.origin}/"}
    for request in one.requests:
        assert request.url in own
        fields = await request.all_headers()
        assert "referer" not in fields
        assert "cookie" not in fields
        response = await request.response()
        assert response is not None
        assert response.status == 200
    assert [socket.url for socket in one.sockets] == [
        one.origin.replace("http", "ws", 1) + "/v1/connect"
    ]


async def test_whole_page_is_used(visit: Visit, link: Link) -> None:
    """What is served and never loaded is dead weight, or a name that something else misspells."""
    one = await visit()
    await one.enter(link.to_url())
    await one.words()
    loaded = {request.url.removeprefix(f"{one.origin}/") for request in one.requests}
    # Headless, the browser draws no icon.
    assert set(installed_page()) - loaded <= {"favicon.svg", "index.html"}


async def test_secret_is_gone_from_the_address_before_anything_is_fetched_for_it(
    visit: Visit, link: Link
) -> None:
    one = await visit()
    secret = link.to_url().partition("#")[2]
    addresses: list[tuple[str, str]] = []

    async def look(route: Route, request: Request) -> None:
        addresses.append((request.url, await one.page.evaluate("location.href")))
        await route.continue_()

    # The document's own style and first script are asked for before any script can run.
    await one.page.route(lambda url: url.endswith("/js/main.js"), look)
    await one.page.route(lambda url: "/js/view/" in url or "/js/mls/" in url, look)
    await one.enter(link.to_url())
    assert addresses[0] == (f"{one.origin}/js/main.js", f"{one.origin}/")
    assert len(addresses) > 10
    assert {address for _, address in addresses} == {f"{one.origin}/"}
    assert one.page.url == f"{one.origin}/"
    for request in one.requests:
        assert secret not in str(await request.all_headers())
        assert secret not in request.url
    assert await one.page.evaluate("history.length") <= 2
    assert secret not in await one.page.content()


async def test_default_limits_let_a_person_load_the_page_again_and_again(visit: Visit) -> None:
    with relay_process(sources=False) as relay:
        one = await visit(relay.url)
        url = create_link(relay.url).to_url()
        for _ in range(8):
            await one.open("about:blank")
            await one.enter(url)


@contextmanager
def static_host(folder: Path, fields: dict[str, str]) -> Iterator[str]:
    """Serve a folder as an ordinary host of files does, with these headers."""

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in fields.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def copy_page(folder: Path, relay: str) -> dict[str, str]:
    """Copy the page of the checkout, every word of it, as somebody does who reads it first.

    Returns the headers that its host is told to send.
    """
    done = subprocess.run(
        [sys.executable, "-m", "relay", "page", "--copy", str(folder), "--relay", relay],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


async def test_copy_on_another_host_talks_to_its_relay_if_that_lets_it_in(
    visit: Visit, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    fields: dict[str, str] = {}
    with (
        static_host(folder, fields) as host,
        relay_process("--message-rate=0", f"--allow-origin={host}") as relay,
        relay_process() as other,
    ):
        fields.update(copy_page(folder, relay.url))
        one = await visit(host, relay=relay.url)
        link = create_link(relay.url)
        await one.enter(f"{host}/#{link.to_url().partition('#')[2]}")
        await send(link, "from elsewhere")
        await one.hears("from elsewhere")
        await one.leave()
        # The policy lets it speak to no other, and another relay would not have it.
        found = await one.page.evaluate(
            "(url) => new Promise((resolve) => {"
            "  addEventListener('securitypolicyviolation', (e) => resolve(e.effectiveDirective));"
            "  try { new WebSocket(url).onopen = () => resolve('open'); } catch {}"
            "})",
            other.url.replace("http", "ws", 1) + "/v1/connect",
        )
        assert found == "connect-src"
        assert any("connect-src" in problem for problem in one.problems)
        one.problems.clear()
        stranger = await visit(host, relay=relay.url)
        stranger.tolerated += ["403"]
        (folder / "index.html").write_text(
            (folder / "index.html").read_text().replace(relay.url, other.url)
        )
        fields["Content-Security-Policy"] = fields["Content-Security-Policy"].replace(
            relay.url.replace("http", "ws", 1), other.url.replace("http", "ws", 1)
        )
        stranger.relay = other.url
        await stranger.open(f"{host}/#{link.to_url().partition('#')[2]}")
        await stranger.shows("could not be entered")


async def test_browser_itself_refuses_markup_and_code_from_strings(
    visit: Visit, relay: RelayProcess
) -> None:
    one = await visit()
    await one.open(relay.url)
    await one.button("Open a new room").wait_for()
    sinks = [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
        "document.write('x')",
        "new DOMParser().parseFromString('x', 'text/html')",
        "document.createElement('script').src = '/js/main.js'",
        "document.createElement('iframe').srcdoc = 'x'",
        "setTimeout('1')",
        "trustedTypes.createPolicy('x', {})",
    ]
    for sink in sinks:
        code = f"() => {{ try {{ {sink}; return 'ran'; }} catch {{ return 'refused'; }} }}"
        assert await one.page.evaluate(code) == "refused", sink
    await until(lambda: any("trusted-types-policy x" in problem for problem in one.problems))
    assert all(re.search("policy|Policy|Trusted", problem) for problem in one.problems)
    one.problems.clear()


async def test_page_cannot_be_framed(visit: Visit, relay: RelayProcess, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f'<iframe src="{relay.url}/"></iframe>')
    with static_host(tmp_path, {}) as host:
        one = await visit(host)
        one.tolerated += ["request to elsewhere", "frame-ancestors", "X-Frame-Options", "favicon"]
        one.tolerated += ["404"]
        await one.open(host)
        await until(lambda: len(one.page.frames) == 2)
        await one.page.wait_for_load_state("networkidle")
        assert "Beacon" not in await one.page.frames[1].content()
