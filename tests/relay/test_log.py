import io
import logging
from collections.abc import Iterator

import pytest

from relay import log

SECRET = "192.0.2.77 0x3f8a"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers, root.level, log.sys.excepthook, log.sys.unraisablehook)
    stream = io.StringIO()
    log.setup(stream, logging.DEBUG)
    yield stream
    root.handlers, root.level, log.sys.excepthook, log.sys.unraisablehook = before
    logging.captureWarnings(False)


def test_neither_arguments_nor_texts_are_written(stream: io.StringIO) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as exc:
        logging.getLogger("quart.app").exception("Exception on request %s", SECRET)
        logging.getLogger("relay").error("a fault", exc_info=exc)
        log.fault(exc)
        log.loop_exception(None, {"message": SECRET, "exception": exc})
        log.sys.excepthook(ValueError, exc, exc.__traceback__)
    log.loop_exception(None, {"message": SECRET})
    logging.getLogger("asyncio").warning(f"socket {SECRET}")
    written = stream.getvalue()
    assert written.count("\n") == 7
    assert written.count("ValueError at test_log.py") == 5
    assert "relay a fault" in written
    assert SECRET not in written
    assert "192.0.2" not in written


class Broken:
    def __del__(self) -> None:
        raise ValueError(SECRET)


def test_fault_that_reaches_nobody_is_written_without_its_text(stream: io.StringIO) -> None:
    Broken()
    written = stream.getvalue()
    assert written.startswith("ERROR relay a fault in passing ValueError at test_log.py:")
    assert SECRET not in written


def test_process_without_a_standard_error_logs_nowhere(stream: io.StringIO) -> None:
    handler = log.SilentHandler(None)
    handler.handle(logging.makeLogRecord({"msg": SECRET}))
    assert stream.getvalue() == ""


def test_full_disk_is_survived(stream: io.StringIO) -> None:
    stream.close()
    logging.getLogger("relay").error("a fault")


def test_exception_without_a_place() -> None:
    assert log.places(KeyError(SECRET)) == "KeyError"
