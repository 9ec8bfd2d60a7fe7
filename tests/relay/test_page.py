import hashlib
from pathlib import Path

import pytest

from relay.errors import PageError
from relay.page import File, copy_page, digest, headers, read_page

PLACE = '<meta name="beacon-relay" content="">'


def write(folder: Path, **files: str) -> Path:
    for name, text in {"index.html": f"<p>{PLACE}</p>", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def policy(relay: str = "") -> dict[str, str]:
    found = headers(relay)["Content-Security-Policy"]
    return dict(directive.split(" ", 1) for directive in found.split("; "))


def test_page_has_its_files_with_their_types_and_no_others(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "style.css": "",
            "words.txt": "",
            "icon.svg": "",
            "js/main.js": "",
            "js/mls/tree.js": "",
            "js/main.js~": "an editor's copy",
            "notes": "the operator's",
            ".hidden.js": "",
            ".git/x.js": "",
        },
    )
    (tmp_path / "js" / "link.js").symlink_to("/etc/hostname")
    files = read_page([tmp_path / "nothing", tmp_path])
    assert {name: file.content_type for name, file in files.items()} == {
        "icon.svg": "image/svg+xml; charset=utf-8",
        "index.html": "text/html; charset=utf-8",
        "js/main.js": "text/javascript; charset=utf-8",
        "js/mls/tree.js": "text/javascript; charset=utf-8",
        "style.css": "text/css; charset=utf-8",
        "words.txt": "text/plain; charset=utf-8",
    }
    assert list(files) == sorted(files)


def test_installation_without_a_page_says_so(tmp_path: Path) -> None:
    with pytest.raises(PageError):
        read_page([tmp_path])


def test_digest_is_the_construction_that_the_help_names() -> None:
    files = {"b": File(b"two", ""), "a/c": File(b"", "")}
    assert digest(files) == hashlib.sha256(b"a/c\n0\nb\n3\ntwo").hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"ab": File(b"c", "")},
        {"a": File(b"b", ""), "c": File(b"", "")},
        {"a": File(b"bc", "x"), "b": File(b"", "")},
    ],
)
def test_digest_differs_with_any_name_length_or_byte(other: dict[str, File]) -> None:
    assert digest(other) != digest({"a": File(b"bc", "")})


def test_policy_names_what_the_page_needs_and_nothing_else() -> None:
    assert policy() == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


@pytest.mark.parametrize(
    ("relay", "socket"),
    [
        ("https://relay.example:8443", "wss://relay.example:8443"),
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000"),
    ],
)
def test_page_elsewhere_may_open_a_socket_to_its_relay_alone(relay: str, socket: str) -> None:
    assert policy(relay) == policy() | {"connect-src": f"'self' {socket}"}


def test_other_headers() -> None:
    found = headers()
    permissions = found.pop("Permissions-Policy").split(", ")
    del found["Content-Security-Policy"]
    assert found == {
        "Cache-Control": "no-store",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    allowed = [item for item in permissions if not item.endswith("=()")]
    assert allowed == ["clipboard-write=(self)"]
    assert "web-share" not in headers()["Permissions-Policy"]
    assert {"camera=()", "geolocation=()", "microphone=()", "clipboard-read=()"} < set(permissions)


def test_copy_is_the_page_with_the_relay_in_it(tmp_path: Path) -> None:
    files = read_page([write(tmp_path / "page", **{"js/main.js": "1", "words.txt": "w"})])
    copy_page(files, tmp_path / "copy", "https://relay.example")
    copied = read_page([tmp_path / "copy"])
    told = PLACE.replace('""', '"https://relay.example"')
    assert copied.pop("index.html").data.decode() == f"<p>{told}</p>"
    assert copied == {name: file for name, file in files.items() if name != "index.html"}
    plain = tmp_path / "plain"
    plain.mkdir()
    copy_page(files, plain, "")
    assert read_page([plain]) == files


@pytest.mark.parametrize(
    "relay",
    [
        "relay.example", "https://relay.example/", "https://relay.example/path", "wss://r.example",
        "http://relay.example", 'https://r.example"><script', "https://", "HTTPS://R.EXAMPLE",
        "https://r.example\n",
    ],
)  # fmt: skip
def test_relay_of_a_copy_is_an_origin(tmp_path: Path, relay: str) -> None:
    files = read_page([write(tmp_path / "page")])
    with pytest.raises(PageError):
        copy_page(files, tmp_path / "copy", relay)
    assert not (tmp_path / "copy").exists()


def test_copy_touches_no_folder_that_holds_something(tmp_path: Path) -> None:
    files = read_page([write(tmp_path / "page")])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "old.js").write_text("")
    for folder in (tmp_path / "copy", tmp_path / "copy" / "old.js"):
        with pytest.raises(PageError):
            copy_page(files, folder, "")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["old.js"]


def test_page_without_a_place_for_the_relay_is_not_copied(tmp_path: Path) -> None:
    files = read_page([write(tmp_path / "page", **{"index.html": "<p>"})])
    with pytest.raises(PageError):
        copy_page(files, tmp_path / "copy", "https://relay.example")
