"""Connections and relays that end, processes that stand still: nobody loses anything (R34)."""

import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client import create_link
from tests.client.cli.beacon import PATIENCE_S, Terminal, running, terminal
from tests.e2e.process import RelayProcess, relay_process
from tests.e2e.proxy import Proxy, proxied

pytestmark = pytest.mark.timeout(300)

TAG = r"0x[0-9a-f]{4}"
ENTER = "\r"


class Reader:
    """A `beacon tail`: the tag that it has, and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._out, self._err = process.stdout, process.stderr
        first = self._err.readline().decode()
        match = re.match(rf"beacon: listening as ({TAG});", first)
        assert match, first
        self.tag = match[1]

    def read(self, count: int) -> list[tuple[str, str]]:
        """Return the senders' tags and the texts of so many messages."""
        found = []
        for _ in range(count):
            line = self._out.readline().decode()
            match = re.fullmatch(rf"({TAG})(?: \(.*\))?: (.*)\n", line)
            assert match, f"{line!r} after {found}"
            found.append((match[1], match[2]))
        return found

    def until(self, pattern: str) -> str:
        """Read what is not a message until a line matches; return its first group."""
        for line in self._err:
            if match := re.match(pattern, line.decode()):
                return match[1]
        raise AssertionError(f"never said: {pattern}")

    def end(self) -> None:
        """Make it leave; nothing may have come that was not read."""
        self.process.send_signal(signal.SIGTERM)
        assert self._out.read() == b""
        assert self.process.wait(PATIENCE_S) == 143


class Writer:
    """A `beacon send -`: what is said goes line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def say(self, *texts: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{text}\n" for text in texts).encode())
        self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(PATIENCE_S) == 0


def at(url: str, link: str) -> dict[str, str]:
    """The room of a link, by another way to its relay."""
    return {"BEACON_LINK": f"{url}/#{link.partition('#')[2]}"}


@contextmanager
def reading(env: dict[str, str]) -> Iterator[Reader]:
    with running("tail", env=env) as process:
        yield Reader(process)


@contextmanager
def writing(env: dict[str, str]) -> Iterator[Writer]:
    with running("send", "-", env=env, stdin=subprocess.PIPE) as process:
        yield Writer(process)


@pytest.fixture
def key_flags(tmp_path: Path) -> tuple[str, ...]:
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_bytes(secrets.token_bytes(32))
    return ("--message-rate=0", f"--ticket-key-file={file}")


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    with relay_process("--message-rate=0") as process:
        yield process


@pytest.mark.parametrize("has_key", [True, False], ids=["key", "no key"])
def test_r28_r34_relay_that_was_killed_costs_nobody_a_message(
    key_flags: tuple[str, ...], has_key: bool
) -> None:
    flags = key_flags if has_key else key_flags[:1]
    with relay_process(*flags) as first:
        env = {"BEACON_LINK": create_link(first.url).to_url()}
        with reading(env) as tail, writing(env) as send:
            send.say("before")
            ((tag, text),) = tail.read(1)
            assert text == "before"
            # Whether these are ordered, acknowledged, delivered: nobody knows.
            send.say("on their way 1", "on their way 2", "on their way 3")
            first.process.kill()
            first.process.wait(PATIENCE_S)
            send.say("meanwhile 1", "meanwhile 2")
            with relay_process(f"--port={first.port}", *flags):
                again = tail.until(rf"beacon: connected again as ({TAG})")
                send.say("after")
                heard = tail.read(6)
                assert [text for _, text in heard] == [
                    *("on their way 1", "on their way 2", "on their way 3"),
                    *("meanwhile 1", "meanwhile 2", "after"),
                ]
                new = heard[-1][0]
                # Without the key both have new tags, of which one may by chance be the old.
                assert ((again, new) == (tail.tag, tag)) is has_key
                if has_key:
                    assert {sender for sender, _ in heard} == {tag}
                send.end()
                tail.end()


@pytest.mark.parametrize("half_open", [False, True], ids=["both ends", "half open"])
def test_r27_r34_connection_that_was_cut_costs_no_message_and_no_tag(
    relay: RelayProcess, half_open: bool
) -> None:
    with proxied(relay.port) as proxy:
        link = create_link(proxy.url).to_url()
        # One is cut off while the other speaks, then the other way around.
        for cut_env, other_env in (
            (at(proxy.url, link), at(relay.url, link)),
            (at(relay.url, link), at(proxy.url, link)),
        ):
            with reading(cut_env) as tail, writing(other_env) as send:
                send.say("before")
                ((tag, _),) = tail.read(1)
                proxy.blocked = True
                proxy.cut(half_open=half_open)
                send.say("meanwhile 1", "meanwhile 2", "meanwhile 3")
                until_tried(proxy)
                proxy.blocked = False
                send.say("after")
                assert tail.read(4) == [
                    *((tag, f"meanwhile {n}") for n in (1, 2, 3)),
                    (tag, "after"),
                ]
                if cut_env == at(proxy.url, link):
                    assert tail.until(rf"beacon: connected again as ({TAG})") == tail.tag
                send.end()
                tail.end()


def until_tried(proxy: Proxy) -> None:
    """Wait until a client has tried in vain."""
    before, end = proxy.accepted, time.monotonic() + PATIENCE_S
    while proxy.accepted == before:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_r27_conversation_goes_on_under_the_same_tag(relay: RelayProcess) -> None:
    with proxied(relay.port) as proxy:
        link = create_link(proxy.url).to_url()
        with terminal("join", env=at(proxy.url, link)) as one, reading(at(relay.url, link)) as tail:
            ann = enter(one)
            proxy.cut()
            one.wait_for_line(r"\* the connection is lost; reconnecting")
            one.type("said meanwhile" + ENTER + ENTER)
            one.wait_for_line(rf"\* connected again; you are {ann}")
            one.wait_for_line(rf"{ann} \(you\): said meanwhile")
            assert tail.read(1) == [(ann, "said meanwhile")]
            one.wait_for(lambda: any("delivered to all" in line for line in one.lines))
            assert tail.until(rf"\* ({TAG}) lost the connection") == ann
            assert tail.until(rf"\* ({TAG}) is back$") == ann
            tail.end()


def enter(one: Terminal) -> str:
    one.wait_for(lambda: any("connected |" in line for line in one.lines))
    return next(line for line in one.lines if re.match(rf"{TAG}.*>", line))[:6]


@pytest.mark.parametrize("is_cut", [False, True], ids=["kept", "cut"])
def test_r34_process_that_stood_still_has_all_that_was_said(is_cut: bool) -> None:
    """With a relay that soon gives up on who is silent, and one that does not."""
    flags = ("--ping-interval=0.5", "--dead-after=2") if is_cut else ()
    with relay_process("--message-rate=0", *flags) as relay:
        env = {"BEACON_LINK": create_link(relay.url).to_url()}
        with reading(env) as tail, reading(env) as witness, writing(env) as send:
            send.say("before")
            ((tag, _),) = tail.read(1)
            witness.read(1)
            tail.process.send_signal(signal.SIGSTOP)
            try:
                send.say("meanwhile 1", "meanwhile 2")
                witness.read(2)
                if is_cut:
                    assert witness.until(rf"\* ({TAG}) lost the connection") == tail.tag
                else:
                    # Longer than what makes it look after its connection when it goes on.
                    time.sleep(6.0)
                send.say("meanwhile 3")
                witness.read(1)
            finally:
                tail.process.send_signal(signal.SIGCONT)
            send.say("after")
            assert tail.read(4) == [*((tag, f"meanwhile {n}") for n in (1, 2, 3)), (tag, "after")]
            witness.read(1)
            if is_cut:
                assert tail.until(rf"beacon: connected again as ({TAG})") == tail.tag
            send.end()
            for each in (tail, witness):
                each.end()
