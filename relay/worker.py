"""One of several processes on one port: serves as any does, and ends when its parent is gone.

Knows that its standard input is a pipe whose other end only the parent holds.
"""

import os
import signal
import sys
import threading

from relay.__main__ import main


def _end_with_parent() -> None:
    """Wait for the end of the pipe, which comes however the parent has ended."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(["serve", *sys.argv[1:]]))
