"""The page: its files, read once, the headers that they go out under, and their digest.

Knows names, bytes and types, and which of the operator's folders they come from; nothing of
requests, and nothing of what the page does.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relay.errors import PageError

# The wheel carries the folder inside the package; a checkout has it beside the package.
_FOLDERS = (Path(__file__).parent / "static", Path(__file__).parent.parent / "static")
INDEX = "index.html"
# By our own list: what the system's knows of types differs from machine to machine. What is none
# of these (an editor's copy, a note of the operator's) is no file of the page.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
# What a page may ask of a browser and ours never does. Copying a link stays allowed, and sharing
# one by not being named: where a browser cannot share, the name is an error to it.
_DENIED = (
    "accelerometer", "camera", "clipboard-read", "display-capture", "gamepad",
    "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer",
    "microphone", "midi", "payment", "publickey-credentials-create", "publickey-credentials-get",
    "screen-wake-lock", "serial", "usb", "window-management", "xr-spatial-tracking",
)  # fmt: skip
_PERMISSIONS = [f"{name}=()" for name in _DENIED] + ["clipboard-write=(self)"]
# Where the page finds its relay when that is not its own origin.
_META = b'<meta name="beacon-relay" content="">'
_RELAY = re.compile(
    r"https://(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?"
    r"|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True)
class File:
    """One file of the page as it goes out."""

    data: bytes
    content_type: str


def read_page(folders: Sequence[Path] = _FOLDERS) -> dict[str, File]:
    """Return every file of the page by its name, ``js/main.js`` say; raise PageError if none."""
    folder = next((folder for folder in folders if (folder / INDEX).is_file()), None)
    if folder is None:
        raise PageError("this installation has no page")
    found = {
        path.relative_to(folder): path
        for path in folder.rglob("*")
        if path.suffix in _TYPES and path.is_file() and not path.is_symlink()
    }
    return {
        name.as_posix(): File(path.read_bytes(), _TYPES[path.suffix])
        for name, path in sorted(found.items(), key=lambda item: item[0].as_posix())
        if not any(part.startswith(".") for part in name.parts)
    }


def digest(files: Mapping[str, File]) -> str:
    """Return the SHA-256 over all files, sorted by name: name, LF, length in decimal, LF, bytes."""
    state = hashlib.sha256()
    for name in sorted(files):
        data = files[name].data
        state.update(f"{name}\n{len(data)}\n".encode() + data)
    return state.hexdigest()


def headers(relay: str = "") -> dict[str, str]:
    """Return what every response says beside its content.

    ``relay`` is the origin of a relay that is not the page's own. For the own one 'self' is
    enough: the last browser to take it for a WebSocket's as well was Safari 16, and the page's
    cryptography wants Safari 17.
    """
    socket = f" {relay.replace('http', 'ws', 1)}" if relay else ""
    return {
        # A script of yesterday's page must never meet one of today's.
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self'{socket}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(_PERMISSIONS),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def copy_page(files: Mapping[str, File], folder: Path, relay: str) -> None:
    """Write the page for a host of static files, with ``relay`` in it; raise PageError."""
    if relay and not _RELAY.fullmatch(relay):
        raise PageError("the relay must be https://HOST[:PORT]; http is for this machine only")
    index = files[INDEX].data
    if relay and index.count(_META) != 1:
        raise PageError("this page has no place for the address of a relay")
    told = {INDEX: index.replace(_META, _META[:-2] + relay.encode() + _META[-2:])}
    try:
        if folder.exists() and any(folder.iterdir()):
            # A file of an older page beside this one would be served with it.
            raise PageError("the folder is there already, and not empty")
        for name, file in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(told.get(name, file.data))
    except OSError as exc:
        raise PageError(f"cannot write the copy: {exc.strerror}") from exc
