"""The `beacon` command as a process, with pipes or at a terminal of our own."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BEACON = (sys.executable, "-m", "client.cli")
# Many times what anything here takes, so that only a standstill fails.
PATIENCE_S = 60.0


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nobody's settings count."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BEACON_", "NO_COLOR"))}
    return {**kept, "PYTHONUNBUFFERED": "", **(extra or {})}


def run(
    *arguments: str | bytes,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `beacon` to its end; nobody is there to answer a prompt."""
    return subprocess.run(
        [*BEACON, *arguments],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=environment(env),
        timeout=PATIENCE_S,
        start_new_session=True,
    )


@contextmanager
def running(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `beacon`; what still runs at the end is ended."""
    process = subprocess.Popen(
        [*BEACON, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(env),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE_S)
        except (subprocess.TimeoutExpired, ValueError):
            # ValueError: the test has closed one of the streams itself.
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class Terminal:
    """A terminal of 24 lines: enough of one to see what a person would.

    ``lines`` is everything from the first line on, also what has scrolled away.
    """

    COLUMNS = 100
    ROWS = 24

    def __init__(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", self.ROWS, self.COLUMNS, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env=environment({"TERM": "xterm-256color", **(env or {})}),
            start_new_session=True,
            # Also what /dev/tty opens, and what turns Ctrl-C into a signal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.raw = b""
        self.lines = [""]
        self._row = self._column = 0
        self._rest = ""
        self._wraps = True

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Read what is drawn until ``condition`` holds."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("never seen; the terminal shows:\n" + "\n".join(self.lines))
            if not self._read():
                assert condition(), "the process ended:\n" + "\n".join(self.lines)

    def wait_for_line(self, pattern: str) -> str:
        """Wait until a line matches as a whole; return it."""

        def found() -> str | None:
            return next((line for line in self.lines if re.fullmatch(pattern, line)), None)

        self.wait_for(lambda: found() is not None)
        line = found()
        assert line is not None
        return line

    def wait_for_end(self) -> int:
        """Read to the end; return the exit code."""
        end = time.monotonic() + PATIENCE_S
        while self._read():
            if time.monotonic() > end:
                self.process.kill()
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.wait_for_end()
        os.close(self._master)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 1.0)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65_536)
        except OSError:
            return False
        self.raw += data
        self._draw(data)
        return bool(data)

    def _draw(self, data: bytes) -> None:
        text = self._rest + data.decode("utf-8", "ignore")
        # A sequence that is cut short waits for the rest of it.
        cut = re.search(r"\x1b(?:\[[0-?]*|\][^\x07]*)?\Z", text)
        self._rest = cut[0] if cut else ""
        text = text[: cut.start()] if cut else text
        for token in re.findall(r"\x1b\[[0-?]*[@-~]|\x1b\][^\x07]*\x07|\x1b.|[\s\S]", text):
            if token.startswith("\x1b["):
                self._control(token[2:-1], token[-1])
            elif token == "\n":
                self._row += 1
            elif token == "\r":
                self._column = 0
            elif token == "\b":
                self._column = max(0, self._column - 1)
            elif token.isprintable():
                self._put(token)

    def _control(self, parameters: str, final: str) -> None:
        count = int(parameters) if parameters.isdigit() else 0
        match final:
            case "A":
                self._row = max(0, self._row - max(1, count))
            case "B":
                self._row += max(1, count)
            case "C":
                self._column += max(1, count)
            case "D":
                self._column = max(0, self._column - max(1, count))
            case "K":
                self._line(self._line()[: self._column])
            case "J":
                self._line(self._line()[: self._column])
                del self.lines[self._row + 1 :]
            case "h" | "l":
                self._wraps = final == "h" if parameters == "?7" else self._wraps
            case "n":
                # Where is the cursor? Without an answer nothing is drawn below the line.
                row = min(self._row + 1, self.ROWS)
                os.write(self._master, f"\x1b[{row};{self._column + 1}R".encode())
            case _:
                pass

    def _line(self, text: str | None = None) -> str:
        while len(self.lines) <= self._row:
            self.lines.append("")
        if text is not None:
            self.lines[self._row] = text.rstrip()
        return self.lines[self._row]

    def _put(self, char: str) -> None:
        if self._column >= self.COLUMNS:
            self._row += self._wraps
            self._column = 0 if self._wraps else self.COLUMNS - 1
        line = self._line().ljust(self._column)
        self._line(line[: self._column] + char + line[self._column + 1 :])
        self._column += 1


@contextmanager
def terminal(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run `beacon` at a terminal."""
    one = Terminal(*BEACON, *arguments, env=env)
    try:
        yield one
    finally:
        one.close()
