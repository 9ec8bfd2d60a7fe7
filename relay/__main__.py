"""The beacon-relay command.

Knows arguments and exit codes: 0 stopped, 1 cannot serve, 2 wrong usage.
"""

import asyncio
import os
import sys

from relay import config, log
from relay.errors import ConfigError, ListenError
from relay.serve import run

_USAGE = """usage: beacon-relay serve [settings]
       beacon-relay serve --help
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return 0
    if words[:1] != ["serve"]:
        print(_USAGE, end="", file=sys.stderr)
        return 2
    log.setup()
    try:
        settings = config.load(words[1:], os.environ)
        asyncio.run(run(settings, _announce))
    except ConfigError as error:
        print(f"beacon-relay: {error}", file=sys.stderr)
        return 2
    except ListenError as error:
        address = f"{settings.host}:{settings.port}"
        print(f"beacon-relay: cannot listen on {address}: {error}", file=sys.stderr)
        return 1
    return 0


def _announce(url: str) -> None:
    print(f"beacon-relay listening on {url}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
