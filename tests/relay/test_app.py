import gzip

import pytest

from relay.app import create_app
from relay.page import headers, read_page

PAGE = read_page()
# What is no name of the page: found nowhere, and never by another route.
NOWHERE = [
    "/js", "/js/", "/js//bytes.js", "//", "//evil.example/", "/index.html/", "/static/index.html",
    "/../pyproject.toml", "/%2e%2e/pyproject.toml", "/js/..%2f..%2fpyproject.toml", "/a%00b",
    "/healthz/", "/favicon.ico", "/words.txt.bak", "/.git/config", "/relay/app.py",
]  # fmt: skip


@pytest.fixture(scope="module")
def app() -> object:
    return create_app()


async def ask(
    app: object, method: str, path: str, accept: str = ""
) -> tuple[int, dict[str, str], bytes]:
    fields = {"Accept-Encoding": accept} if accept else {}
    client = app.test_client()  # type: ignore[attr-defined]
    response = await client.open(path, method=method, headers=fields)
    fields = {name.lower(): value for name, value in response.headers.items()}
    return response.status_code, fields, await response.get_data(as_text=False)


@pytest.mark.parametrize("name", PAGE)
async def test_every_file_is_served_as_it_is(app: object, name: str) -> None:
    status, fields, data = await ask(app, "GET", f"/{name}")
    assert (status, data) == (200, PAGE[name].data)
    assert fields["content-type"] == PAGE[name].content_type
    assert (await ask(app, "HEAD", f"/{name}"))[:2] == (200, fields)


@pytest.mark.parametrize("name", PAGE)
async def test_every_file_is_packed_for_whoever_unpacks_it(app: object, name: str) -> None:
    for accept in ("gzip", "br, gzip;q=0.1", "*", "gzip, deflate, br, zstd"):
        status, fields, data = await ask(app, "GET", f"/{name}", accept)
        assert (status, fields["content-encoding"]) == (200, "gzip")
        assert fields["content-type"] == PAGE[name].content_type
        assert fields["content-length"] == str(len(data))
        assert gzip.decompress(data) == PAGE[name].data
        assert (await ask(app, "HEAD", f"/{name}", accept))[:2] == (200, fields)
    for accept in ("", "br", "identity", "gzip;q=0", "gzip;q=0, *", "nonsense;;q=x"):
        _, fields, data = await ask(app, "GET", f"/{name}", accept)
        assert (data, "content-encoding" in fields) == (PAGE[name].data, False), accept


async def test_root_is_the_index(app: object) -> None:
    for path in ("/", "/?x=1", "/index.html", "/index.html?x=1"):
        status, _, data = await ask(app, "GET", path)
        assert (status, data) == (200, PAGE["index.html"].data)


@pytest.mark.parametrize("path", NOWHERE)
async def test_nothing_else_is_served_and_nobody_sent_elsewhere(app: object, path: str) -> None:
    status, fields, data = await ask(app, "GET", path)
    if path == "//":
        assert (status, data) == (200, PAGE["index.html"].data)
    else:
        assert (status, data) == (404, b"not found\n")
    assert "location" not in fields


async def test_every_answer_has_the_same_headers(app: object) -> None:
    expected = {name.lower(): value for name, value in headers().items()}
    own = {"content-type", "content-length", "allow", "vary"}
    asked = [("GET", f"/{name}") for name in PAGE] + [("GET", path) for path in NOWHERE]
    asked += [("GET", "/healthz"), ("POST", "/"), ("PUT", "/healthz"), ("OPTIONS", "/")]
    asked += [("HEAD", "/"), ("HEAD", "/nothing"), ("DELETE", "/js/main.js")]
    for method, path in asked:
        _, fields, _ = await ask(app, method, path)
        assert {k: v for k, v in fields.items() if k not in own} == expected, (method, path)


async def test_nothing_is_kept_by_anybody(app: object) -> None:
    for name in PAGE:
        _, fields, _ = await ask(app, "GET", f"/{name}")
        assert fields["cache-control"] == "no-store"
        assert not {"etag", "last-modified", "set-cookie", "expires"} & set(fields)


async def test_health(app: object) -> None:
    assert (await ask(app, "GET", "/healthz"))[::2] == (200, b"ok\n")
    assert (await ask(app, "POST", "/healthz"))[0] == 405
