"""`beacon new`: a fresh link on standard output, and on a terminal its QR code (shell)."""

import io
import os
import sys

import segno

from client.cli.arguments import New
from client.cli.exits import Exit

# Light modules light and the others dark, whatever the terminal's own colours are.
_BLACK_AND_WHITE = "\x1b[38;5;231;48;5;16m"
_PLAIN = "\x1b[0m"


async def run(command: New) -> Exit:
    """Print the link; show the code only where nobody redirected anything."""
    url = command.link.to_url()
    print(url, flush=True)
    if sys.stdout.isatty() and sys.stderr.isatty():
        print(_code(url), file=sys.stderr)
    return Exit.OK


def _code(url: str) -> str:
    drawn = io.StringIO()
    segno.make_qr(url, error="l").terminal(drawn, compact=True, border=2)
    lines = drawn.getvalue().splitlines()
    if os.environ.get("NO_COLOR"):
        return "\n".join(lines)
    return "\n".join(f"{_BLACK_AND_WHITE}{line}{_PLAIN}" for line in lines)
