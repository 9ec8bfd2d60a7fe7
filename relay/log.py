"""What the relay writes to its log: constant messages and places in the code, nothing else.

Knows that an exception's text may quote its input, and so may the arguments of a record; neither
is ever formatted, for no logger and at no level.
"""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any, TextIO

_OWN = "relay"


class SilentHandler(logging.Handler):
    """Writes one line per record: level, logger, for our own loggers the constant text."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        # None where the process was started with its standard error closed.
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; what is not known to be constant is left out."""
        if self._stream is None:
            return
        parts = [record.levelname, record.name]
        if record.name.split(".")[0] == _OWN:
            parts.append(str(record.msg))
        else:
            parts.append(f"{record.module}:{record.lineno}")
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(places(record.exc_info[1]))
        try:
            self._stream.write(" ".join(parts) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # A full disk or a closed pipe is not a reason to stop serving.


def places(exc: BaseException) -> str:
    """Return an exception's type and the code locations it came through, without its text."""
    frames = traceback.extract_tb(exc.__traceback__)[-5:]
    where = " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames)
    )
    return f"{type(exc).__name__} at {where}" if where else type(exc).__name__


def setup(stream: TextIO | None = None, level: int = logging.WARNING) -> None:
    """Send every logger of the process through the silent handler, and only there."""
    root = logging.getLogger()
    root.handlers = [SilentHandler(stream or sys.stderr)]
    root.setLevel(level)
    logging.captureWarnings(True)
    # These would print on their own, or have a level below which they quote requests.
    for name in ("asyncio", "quart", "quart.app", "quart.serving", "hypercorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    sys.excepthook = _excepthook
    sys.unraisablehook = _unraisablehook


def warn(text: str) -> None:
    """Log a constant text that tells the operator of the relay's state."""
    logging.getLogger("relay").warning(text)


def fault(exc: BaseException) -> None:
    """Log a fault of the relay's own: its type and where, never what it says."""
    logging.getLogger("relay").error("a fault", exc_info=exc)


def loop_exception(_: object, context: dict[str, Any]) -> None:
    """Stand in for asyncio's handler, which prints reprs of transports, addresses included."""
    exc = context.get("exception")
    logging.getLogger("relay.loop").error("a callback failed", exc_info=exc)


def _excepthook(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("relay").critical("the relay failed", exc_info=(kind, exc, trace))


def _unraisablehook(unraisable: "sys.UnraisableHookArgs") -> None:
    """Stand in for the interpreter's own, which prints reprs and the exception's text."""
    logging.getLogger("relay").error("a fault in passing", exc_info=unraisable.exc_value)
