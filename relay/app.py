"""The page and the health check, as a Quart application; the only importer of quart.

Knows a fixed set of files, read once at the start; no room and no session.
"""

import gzip
from collections.abc import Callable

from quart import Quart, Response, request

from relay.page import INDEX, headers, read_page


def create_app(trouble: Callable[[], str] = str) -> Quart:
    """Build the application; every file of the page is read here and never again.

    ``trouble`` says what keeps the relay from serving, '' for nothing.
    """
    files = read_page()
    # Nothing that a stranger wrote and no secret is in a file: its length tells nothing of either.
    packed = {name: gzip.compress(file.data, mtime=0) for name, file in files.items()}
    security = headers()
    # No static route of Quart's own: it would open files by a name from outside.
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 0
    # A path is a name or nothing: a redirect to how it might have been meant would go to http.
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False

    @app.get("/healthz")
    async def healthz() -> Response:
        found = trouble()
        return _plain(503, found) if found else _plain(200, "ok")

    @app.get("/", defaults={"name": INDEX})
    @app.get("/<path:name>")
    async def page(name: str) -> Response:
        file = files.get(name)
        if file is None:
            return _plain(404, "not found")
        is_packed = request.accept_encodings.quality("gzip") > 0
        response = Response(
            packed[name] if is_packed else file.data, content_type=file.content_type
        )
        response.headers["Vary"] = "Accept-Encoding"
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        return response

    @app.errorhandler(404)
    async def no_such_path(_: Exception) -> Response:
        return _plain(404, "not found")

    @app.errorhandler(405)
    async def wrong_method(_: Exception) -> Response:
        return _plain(405, "method not allowed")

    @app.errorhandler(500)
    async def fault(_: Exception) -> Response:
        return _plain(500, "internal error")

    @app.after_request
    async def secure(response: Response) -> Response:
        response.headers.update(security)
        return response

    return app


def _plain(status: int, text: str) -> Response:
    return Response(text + "\n", status=status, content_type="text/plain; charset=utf-8")
