"""The page and the health check, as a Quart application; the only importer of quart.

Knows a fixed set of files, read once at the start; no room and no session.
"""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from quart import Quart, Response, request

# The wheel carries the folder inside the package; a checkout has it beside the package.
_FOLDERS = (Path(__file__).parent / "static", Path(__file__).parent.parent / "static")
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    content_type: str
    etag: str


def create_app() -> Quart:
    """Build the application; every file of the page is read here and never again."""
    files = _read_files()
    # No static route of Quart's own: it would open files by a name from outside.
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 0

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok\n", content_type="text/plain; charset=utf-8")

    @app.get("/", defaults={"name": "index.html"})
    @app.get("/<path:name>")
    async def page(name: str) -> Response:
        file = files.get(name)
        if file is None:
            return _plain(404, "not found")
        if file.etag in request.if_none_match:
            response = Response(b"", status=304)
        else:
            response = Response(file.data, content_type=file.content_type)
        response.headers["ETag"] = f'"{file.etag}"'
        response.headers["Cache-Control"] = "no-cache"
        return response

    @app.errorhandler(405)
    async def wrong_method(_: Exception) -> Response:
        return _plain(405, "method not allowed")

    @app.errorhandler(500)
    async def fault(_: Exception) -> Response:
        return _plain(500, "internal error")

    @app.after_request
    async def secure(response: Response) -> Response:
        response.headers.update(_SECURITY)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _plain(status: int, text: str) -> Response:
    return Response(text + "\n", status=status, content_type="text/plain; charset=utf-8")


def _read_files() -> dict[str, _File]:
    folder = next((folder for folder in _FOLDERS if (folder / "index.html").is_file()), None)
    if folder is None:
        return {}
    return {
        path.relative_to(folder).as_posix(): _read_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _read_file(path: Path) -> _File:
    data = path.read_bytes()
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = guessed.startswith("text/") or guessed.endswith(("javascript", "json"))
    return _File(
        data,
        f"{guessed}; charset=utf-8" if is_text else guessed,
        hashlib.sha256(data).hexdigest()[:32],
    )
