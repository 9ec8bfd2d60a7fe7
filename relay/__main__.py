"""The beacon-relay command.

Knows arguments and exit codes: 0 stopped or done, 1 cannot serve, 2 wrong usage.
"""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from relay import config, log, workers
from relay.errors import BrokerError, ConfigError, ListenError, PageError
from relay.page import copy_page, digest, headers, read_page
from relay.serve import run

_USAGE = """usage: beacon-relay serve [settings]
       beacon-relay serve --help
       beacon-relay page --print-digest
       beacon-relay page --copy FOLDER [--relay URL]
"""
_PAGE_HELP = """
--print-digest
    Print one SHA-256 of the page that this relay serves. It goes over all files,
    sorted by name (bytewise): name, line feed, length in decimal, line feed, bytes.
    Of a page fetched or copied into a folder, in that folder:

    find . -type f -printf '%P\\n' | LC_ALL=C sort | while read -r name; do
        printf '%s\\n%s\\n' "$name" "$(($(wc -c <"$name")))"; cat "$name"
    done | sha256sum

--copy FOLDER
    Write the page into FOLDER (new or empty), for a host of static files, and print
    the header lines that this host must send with each of them.
--relay URL
    The relay that the copy talks to: https://HOST[:PORT]. It must let that host's pages
    in: beacon-relay serve --allow-origin. Without --relay it is the page's own host.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    match words:
        case ["-h" | "--help", *_]:
            print(_USAGE, end="")
        case ["serve", *settings]:
            return _serve(settings)
        case ["page", "-h" | "--help"]:
            print(_USAGE + _PAGE_HELP, end="")
        case ["page", "--print-digest"]:
            return _page(None, "")
        case ["page", "--copy", folder]:
            return _page(folder, "")
        case ["page", "--copy", folder, "--relay", relay]:
            return _page(folder, relay)
        case ["page", "--relay", relay, "--copy", folder]:
            return _page(folder, relay)
        case _:
            print(_USAGE, end="", file=sys.stderr)
            return 2
    return 0


def _serve(words: list[str]) -> int:
    log.setup()
    try:
        settings = config.load(words, os.environ)
        if settings.workers > 1:
            return asyncio.run(workers.run(settings, words, _announce))
        asyncio.run(run(settings, _announce))
    except (ConfigError, PageError) as error:
        print(f"beacon-relay: {error}", file=sys.stderr)
        return 2
    except BrokerError as error:
        print(f"beacon-relay: {error}", file=sys.stderr)
        return 1
    except ListenError as error:
        address = f"{settings.host}:{settings.port}"
        print(f"beacon-relay: cannot listen on {address}: {error}", file=sys.stderr)
        return 1
    return 0


def _page(folder: str | None, relay: str) -> int:
    try:
        files = read_page()
        if folder is None:
            print(digest(files))
        else:
            copy_page(files, Path(folder), relay)
            for name, value in headers(relay).items():
                print(f"{name}: {value}")
    except PageError as error:
        print(f"beacon-relay: {error}", file=sys.stderr)
        return 2
    return 0


def _announce(url: str) -> None:
    # Past the buffer of sys.stdout, which could not be emptied at the end either; a full disk is no
    # reason not to serve.
    if sys.stdout is not None:
        with suppress(OSError):
            os.write(sys.stdout.fileno(), f"beacon-relay listening on {url}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
