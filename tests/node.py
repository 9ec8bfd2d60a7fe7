"""A process of node that obeys orders, one JSON line each (tests/static/bridge.js)."""

import atexit
import contextlib
import itertools
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# So long may an answer take; a machine that does other things besides is slow, not silent.
ANSWER_S = 60.0


class NodeError(AssertionError):
    """The JavaScript failed otherwise than by an error of its own, or does not answer."""


class Node:
    """A process of node that holds rooms."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            ["node", "--no-warnings", str(ROOT / "tests/static/bridge.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
        )
        self._read = b""
        self._rooms = itertools.count(1)
        self._dropped: list[int] = []

    def new_room(self) -> int:
        return next(self._rooms)

    def drop(self, room: int) -> None:
        """Forget a room, with the next order: this may come at any moment."""
        self._dropped.append(room)

    def seed(self, seed: str) -> None:
        """Draw all randomness of the process from a seed, from now on."""
        self.ask({"do": "seed", "seed": seed})

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give one order and return its answer; raise NodeError."""
        while self._dropped:
            self._exchange({"do": "drop", "room": self._dropped.pop()})
        return self._exchange(order)

    def _exchange(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as exc:
            raise NodeError(f"node has ended: {self._told()}") from exc
        answer: dict[str, Any] = json.loads(self._line(order["do"]))
        return answer

    def _line(self, what: str) -> bytes:
        assert self._process.stdout is not None
        out, end = self._process.stdout.fileno(), time.monotonic() + ANSWER_S
        while b"\n" not in self._read:
            if not select.select([out], [], [], max(0.0, end - time.monotonic()))[0]:
                raise NodeError(f"node did not answer {what!r} within {ANSWER_S:.0f} s")
            if not (more := os.read(out, 1 << 16)):
                raise NodeError(f"node has ended: {self._told()}")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _told(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()


_node: Node | None = None


def node() -> Node:
    """Return the process that all rooms are in; it is started when it is first needed."""
    global _node
    if _node is None:
        _node = Node()
    return _node


@atexit.register
def stop() -> None:
    """End the process, and every room with it."""
    global _node
    stopped, _node = _node, None
    if stopped is not None:
        stopped.stop()
