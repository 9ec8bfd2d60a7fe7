"""The `beacon` command: from arguments to an exit code (shell).

Owns the process: signals, broken pipes, what is said on standard error when something fails.
"""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from client.cli.arguments import Command, Join, New, Send, Tail, parse, prompt_for_link
from client.cli.exits import Exit, exit_of, explain
from client.cli.pipe import remark
from client.cli.render import clean
from client.errors import ClientError, TransportError

# Each in its own module, loaded when it is chosen: what draws the QR code and the line editor
# would otherwise add 50 and 110 ms to the start of every `send` and `tail`.
_MODULES = {
    New: "client.cli.new",
    Join: "client.cli.interactive",
    Send: "client.cli.send",
    Tail: "client.cli.tail",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    command: Command | None = None
    try:
        command = parse(sys.argv[1:] if argv is None else argv, os.environ, prompt_for_link)
        return asyncio.run(_run(command))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except asyncio.CancelledError:
        return Exit.TERMINATED
    except BrokenPipeError:
        # Whoever read our output has had enough of it. Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except ClientError as exc:
        text = explain(exc)
        if isinstance(exc, TransportError) and command is not None:
            text += f" ({command.link.relay})"
        remark(clean(text))
        return exit_of(exc)


async def _run(command: Command) -> Exit:
    task = asyncio.current_task()
    assert task is not None
    # Be polite when asked to end: the room hears a goodbye, and Ctrl-C does the same by itself.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    code: Exit = await importlib.import_module(_MODULES[type(command)]).run(command)
    return code
