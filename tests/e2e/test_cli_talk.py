"""`beacon send` and `beacon tail` as processes in one room of the real relay."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import create_link
from tests.client.cli.beacon import BEACON, PATIENCE_S, ROOT, run, running, terminal
from tests.e2e.process import RelayProcess, relay_process

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    with relay_process("--message-rate=0") as process:
        yield process


@pytest.fixture
def env(relay: RelayProcess) -> dict[str, str]:
    """A fresh room, told the way that `ps` does not show."""
    return {"BEACON_LINK": create_link(relay.url).to_url()}


def until_here(tail: subprocess.Popen[bytes]) -> None:
    """Wait until a `tail --json` says that it is connected."""
    assert tail.stdout is not None
    for line in tail.stdout:
        event = json.loads(line)
        if event["type"] == "state" and event["status"] == "connected":
            return
    raise AssertionError(f"tail ended: {tail.stderr and tail.stderr.read()!r}")


def events(tail: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    """Return what a `tail --json` prints until its end."""
    out, err = tail.communicate(timeout=PATIENCE_S)
    assert tail.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def real_lines() -> list[str]:
    """Text as people have it: prose, several scripts, emoji, blank lines and spaces at the ends."""
    prose = (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()
    protocol = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8").split("\n")
    samples = (Path(__file__).parent / "samples.txt").read_text(encoding="utf-8").split("\n")
    awkward = [
        "",
        " ",
        "  leading and trailing  ",
        "\ttabs\t",
        "ends with a carriage return\r",
        "\x1b[31mescape\x1b[0m \x07 \u202eoverride\u202c \u200b",
        "vertical\x0btab, next line\u0085, separator\u2028, form\x0cfeed",
        "e\u0301 is not \u00e9: nothing is normalised",
        '{"type":"message"} "quoted" \\n \\u0000',
        "-",
        "/quit",
        "x" * 500,
        "\U0001f600" * 500,
        "\u65e5" * 500,
    ]
    lines = [line for line in [*prose, *samples, *awkward, *protocol] if len(line) <= 500]
    assert len(lines) >= 200
    return lines


def test_two_tails_receive_every_line_as_it_was_sent_in_one_order(env: dict[str, str]) -> None:
    lines = real_lines()
    count = ("tail", "--json", "--count", str(len(lines)))
    with running(*count, env=env) as one, running(*count, env=env) as two:
        until_here(one)
        until_here(two)
        sent = run(
            *("send", env["BEACON_LINK"], "-", "--no-wait"),
            stdin=b"".join(s.encode() + b"\n" for s in lines),
        )
        assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"", b"")
        first, second = (
            [event for event in events(tail) if event["type"] == "message"] for tail in (one, two)
        )
    assert [event["text"] for event in first] == lines
    assert first == second
    assert len({event["from"] for event in first}) == 1
    assert len({event["life"] for event in first}) == 1
    numbers = [event["seq"] for event in first]
    assert numbers == sorted(set(numbers), key=numbers.index)


def test_last_line_without_an_end_is_a_message_and_nothing_is_none(env: dict[str, str]) -> None:
    with running("tail", "--json", "--count", "2", env=env) as tail:
        until_here(tail)
        assert run("send", env=env).returncode == 0
        assert run("send", "--no-wait", "-", env=env, stdin=b"\nlast").returncode == 0
        texts = [event["text"] for event in events(tail) if event["type"] == "message"]
    assert texts == ["", "last"]


def test_text_from_the_command_line_is_one_message(env: dict[str, str]) -> None:
    with running("tail", "--json", "--count", "2", env=env) as tail:
        until_here(tail)
        assert run("send", " two\nlines ", env=env).returncode == 0
        assert run("send", "--no-wait", "--", "-5 degrees", env=env).returncode == 0
        texts = [event["text"] for event in events(tail) if event["type"] == "message"]
    assert texts == [" two\nlines ", "-5 degrees"]


@pytest.mark.parametrize(
    ("third", "said"),
    [
        (b"\xc3", b"line 3 is not UTF-8"),
        (b"x" * 501, b"line 3: 501 characters"),
        (b"x" * 100_000, b"line 3 has more than 500 characters"),
        ("\U0001f600".encode() * 501, b"line 3 has more than 500 characters"),
    ],
    ids=["utf-8", "501", "100000", "501 emoji"],
)
def test_wrong_line_is_named_and_earlier_lines_stay_sent(
    env: dict[str, str], third: bytes, said: bytes
) -> None:
    with running("tail", "--json", "--count", "2", env=env) as tail:
        until_here(tail)
        sent = run("send", "-", env=env, stdin=b"one\n\n" + third + b"\nnever\n")
        assert (sent.returncode, sent.stdout) == (2, b"")
        assert said in sent.stderr
        texts = [event["text"] for event in events(tail) if event["type"] == "message"]
    assert texts == ["one", ""]


def test_each_line_goes_out_when_it_is_there(env: dict[str, str]) -> None:
    with (
        running("tail", "--json", "--count", "2", env=env) as tail,
        running("send", "-", env=env, stdin=subprocess.PIPE) as send,
    ):
        until_here(tail)
        assert send.stdin is not None
        assert tail.stdout is not None
        for text in (b"first", b"second"):
            send.stdin.write(text + b"\n")
            send.stdin.flush()
            while json.loads(line := tail.stdout.readline())["type"] != "message":
                continue
            assert json.loads(line)["text"] == text.decode()
        send.stdin.close()
        assert send.wait(PATIENCE_S) == 0


def test_rate_of_the_relay_is_kept_and_nothing_is_lost() -> None:
    with relay_process("--message-rate=20", "--message-burst=5") as relay:
        env = {"BEACON_LINK": create_link(relay.url).to_url()}
        lines = [str(n) for n in range(40)]
        with running("tail", "--json", "--count", "40", env=env) as tail:
            until_here(tail)
            sent = run("send", "--no-wait", env=env, stdin="\n".join(lines).encode())
            assert sent.returncode == 0
            texts = [event["text"] for event in events(tail) if event["type"] == "message"]
    assert texts == lines


def test_sender_alone_is_told_that_nobody_reads(env: dict[str, str]) -> None:
    sent = run("send", "hello?", env=env)
    assert (sent.returncode, sent.stdout) == (0, b"")
    assert b"nobody else is in the room" in sent.stderr


def test_sender_stays_until_all_have_it(env: dict[str, str]) -> None:
    with running("tail", "--json", env=env) as one, running("tail", "--json", env=env) as two:
        until_here(one)
        until_here(two)
        # How long it stays is its own affair: on a machine that stalls it may be too short.
        for _ in range(5):
            sent = run("send", "-", env=env, stdin=b"one\ntwo\n")
            assert (sent.returncode, sent.stdout) == (0, b"")
            if not sent.stderr:
                return
    raise AssertionError(sent.stderr)


@pytest.mark.parametrize(
    ("options", "said"), [((), b"beacon: delivered to 0 of 1\n"), (("--no-wait",), b"")]
)
def test_sender_says_who_has_not_got_it_unless_told_not_to_wait(
    env: dict[str, str], options: tuple[str, ...], said: bytes
) -> None:
    with running("tail", "--json", env=env) as tail:
        until_here(tail)
        tail.send_signal(signal.SIGSTOP)
        try:
            sent = run("send", *options, "hello?", env=env)
        finally:
            tail.send_signal(signal.SIGCONT)
        assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"", said)


def test_plain_tail_has_messages_alone_on_stdout_and_no_control_sequences(
    env: dict[str, str],
) -> None:
    with running("tail", "--count", "2", env=env) as tail:
        assert tail.stderr is not None
        assert tail.stderr.readline().startswith(b"beacon: listening as 0x")
        run("send", "--no-wait", "\x1b[2J\x1b]0;title\x07he\u202ello", env=env)
        run("send", "--no-wait", "two\n0x0000: forged", env=env)
        out, err = tail.communicate(timeout=PATIENCE_S)
    assert tail.returncode == 0
    first, second = out.decode().splitlines()
    assert first[:2] == second[:2] == "0x"
    assert first[6:] == ": hello"
    assert second[6:] == ": two\u21b50x0000: forged"
    assert b" joined\n" in err
    assert b" left\n" in err
    assert b"\x1b" not in out + err


def test_json_tells_who_comes_and_goes(env: dict[str, str]) -> None:
    with running("tail", "--json", "--timeout", "600", env=env) as tail:
        until_here(tail)
        run("send", "--no-wait", "hi", env=env)
        assert tail.stdout is not None
        types: list[str] = []
        while "left" not in types:
            event = json.loads(tail.stdout.readline())
            assert event["v"] == 1
            types.append(event["type"])
    assert [t for t in types if t in ("joined", "message", "left")] == ["joined", "message", "left"]
    assert "epoch_changed" in types


def test_timeout_is_an_end_by_itself_and_a_failure_before_the_count(env: dict[str, str]) -> None:
    assert run("tail", "--timeout", "0.5", env=env).returncode == 0
    short = run("tail", "--timeout", "0.5", "--count", "1", env=env)
    assert short.returncode == 6
    assert b"0 of 1 messages" in short.stderr


def test_words_that_differ_are_code_5_and_nothing_is_said(env: dict[str, str]) -> None:
    wrong = "abacus acacia accent acorn acrobat actor"
    with running("tail", "--json", "--timeout", "600", env=env) as tail:
        until_here(tail)
        for command in (("send", "secret"), ("tail",)):
            done = run(*command, "--expect-words", wrong, env=env)
            assert (done.returncode, done.stdout) == (5, b"")
        tail.send_signal(signal.SIGTERM)
        out, _ = tail.communicate(timeout=PATIENCE_S)
    assert b"secret" not in out


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
@pytest.mark.parametrize("command", [("tail", "--json"), ("send", "-")], ids=["tail", "send"])
def test_signal_leaves_the_room_and_ends_quietly(
    env: dict[str, str], command: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    with running("tail", "--json", env=env) as witness:
        until_here(witness)
        with running(*command, env=env, stdin=subprocess.PIPE) as one:
            assert witness.stdout is not None
            seen: list[str] = []
            for line in witness.stdout:
                seen.append(json.loads(line)["type"])
                if seen[-1] == "joined":
                    # It may not have noticed yet that it is in: no harm may come of that either.
                    one.send_signal(number)
                if seen[-1] == "left":
                    break
            _, err = one.communicate(timeout=PATIENCE_S)
    assert "away" not in seen
    assert one.returncode == code
    assert b"Traceback" not in err


def test_tail_leaves_when_its_reader_does(env: dict[str, str]) -> None:
    with running("tail", "--json", env=env) as witness:
        until_here(witness)
        with running("tail", "--json", env=env) as one:
            until_here(one)
            assert one.stdout is not None
            one.stdout.close()
            assert one.wait(PATIENCE_S) == 0
            assert one.stderr is not None
            assert one.stderr.read() == b""
        assert witness.stdout is not None
        for line in witness.stdout:
            if json.loads(line)["type"] == "left":
                break


def test_send_at_a_terminal_reads_lines_until_ctrl_d(env: dict[str, str]) -> None:
    with running("tail", "--json", "--count", "2", env=env) as tail:
        until_here(tail)
        with terminal("send", "--no-wait", env=env) as one:
            one.wait_for(lambda: any("Ctrl-D ends" in line for line in one.lines))
            one.type("one\ntwo\n\x04")
            assert one.wait_for_end() == 0
        texts = [event["text"] for event in events(tail) if event["type"] == "message"]
    assert texts == ["one", "two"]


def test_tail_at_a_terminal_colours_tags_unless_told_not_to(env: dict[str, str]) -> None:
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with terminal("tail", "--count", "1", env={**env, **extra}) as one:
            one.wait_for(lambda: any("listening as" in line for line in one.lines))
            run("send", "--no-wait", "hello", env=env)
            assert one.wait_for_end() == 0
            one.wait_for_line(r"0x[0-9a-f]{4}: hello")
            assert (b"\x1b[38;5;" in one.raw) is coloured


def test_new_into_a_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*BEACON, "new"], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, timeout=PATIENCE_S
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
