"""`beacon` as a process where no relay is needed: arguments, streams, exit codes."""

import re
from pathlib import Path

import pytest

from tests.client.cli.beacon import run, terminal

LINK = r"http://127\.0\.0\.1:8000/#[A-Za-z0-9_-]{43}"
# Port 9 is the discard service, which nobody runs.
NOWHERE = "http://127.0.0.1:9/#" + "A" * 43


def test_new_prints_the_link_and_nothing_else() -> None:
    first, second = run("new"), run("new")
    assert first.returncode == 0
    assert re.fullmatch(LINK + "\n", first.stdout.decode())
    assert first.stderr == b""
    assert first.stdout != second.stdout


def test_new_refuses_plain_http_beyond_this_machine() -> None:
    refused = run("new", "--relay", "http://relay.example")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"--insecure-relay" in refused.stderr
    allowed = run("new", "--relay", "http://relay.example", "--insecure-relay")
    assert allowed.stdout.startswith(b"http://relay.example/#")


def test_new_at_a_terminal_draws_a_code_on_standard_error() -> None:
    with terminal("new", env={"BEACON_RELAY": "https://relay.example"}) as one:
        assert one.wait_for_end() == 0
        assert one.lines[0].startswith("https://relay.example/#")
        drawn = [line for line in one.lines[1:] if line]
        assert len(drawn) > 15
        assert all(set(line) <= set("\u2580\u2584\u2588 ") for line in drawn)
        assert b"\x1b[38;5;231;48;5;16m" in one.raw
    with terminal("new", env={"NO_COLOR": "1"}) as one:
        assert one.wait_for_end() == 0
        assert "\u2588" in "".join(one.lines)
        assert b"\x1b" not in one.raw


def test_join_without_a_terminal_names_the_commands_for_pipes() -> None:
    done = run("join", env={"BEACON_LINK": NOWHERE})
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"beacon send" in done.stderr
    assert b"beacon tail" in done.stderr


@pytest.mark.parametrize("command", [("send", "hi"), ("send", "-"), ("tail",), ("tail", "--json")])
def test_relay_that_is_not_there_is_code_3(command: tuple[str, ...]) -> None:
    done = run(*command, env={"BEACON_LINK": NOWHERE})
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr == b"beacon: the relay cannot be reached (http://127.0.0.1:9)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), b"usage: beacon"),
        (("talk",), b"invalid choice"),
        (("send", "hi"), b"no link"),
        (("tail", "http://127.0.0.1:9/"), b"no secret"),
        (("send", NOWHERE, b"\xff"), b"cannot be sent"),
        (("tail", NOWHERE, "--expect-words", "oter"), b"is it 'otter'?"),
    ],
    ids=str,
)
def test_usage_is_code_2(arguments: tuple[str | bytes, ...], said: bytes) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_link_is_asked_for_at_a_terminal_and_not_shown() -> None:
    with terminal("tail", "--timeout", "0") as one:
        one.wait_for(lambda: "Link (it is not shown):" in "".join(one.lines))
        one.type(NOWHERE + "\n")
        assert one.wait_for_end() in (3, 6)
        assert b"AAAA" not in one.raw


def test_no_answer_is_no_link() -> None:
    with terminal("tail") as one:
        one.wait_for(lambda: "Link (it is not shown):" in "".join(one.lines))
        one.type("\x04")
        assert one.wait_for_end() == 2
        assert "no link" in "".join(one.lines)


def test_help_and_version() -> None:
    top = run("--help")
    assert top.returncode == 0
    for word in (b"new", b"join", b"send", b"tail", b"exit codes"):
        assert word in top.stdout
    assert run("--version").stdout.startswith(b"beacon ")


def test_link_file(tmp_path: Path) -> None:
    file = tmp_path / "link"
    file.write_text(NOWHERE)
    assert run("send", "--link-file", str(file), "hi").returncode == 3
