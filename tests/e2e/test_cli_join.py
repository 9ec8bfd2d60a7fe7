"""`beacon join` at terminals of our own, against the real relay."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from client import create_link
from tests.client.cli.beacon import Terminal, run, running, terminal
from tests.e2e.process import RelayProcess, relay_process

pytestmark = pytest.mark.timeout(300)

CTRL_C = "\x03"
CTRL_D = "\x04"
ENTER = "\r"


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    with relay_process("--message-rate=0") as process:
        yield process


@pytest.fixture
def env(relay: RelayProcess) -> dict[str, str]:
    return {"BEACON_LINK": create_link(relay.url).to_url()}


def enter(one: Terminal) -> str:
    """Wait until the room is entered and the line can be typed; return the tag."""
    one.wait_for(lambda: any("connected |" in line for line in one.lines))
    prompt = next(line for line in one.lines if re.match(r"0x[0-9a-f]{4}.*>", line))
    return prompt[:6]


def until_here(tail: "subprocess.Popen[bytes]") -> None:
    """Wait until a `tail --json` says that it is connected."""
    assert tail.stdout is not None
    for line in tail.stdout:
        if json.loads(line).get("status") == "connected":
            return


def shows(one: Terminal, text: str) -> None:
    one.wait_for(lambda: any(text in line for line in one.lines))


def test_first_one_is_told_so_and_the_next_sees_who_is_here(env: dict[str, str]) -> None:
    with terminal("join", "--nick", "ann", env=env) as one:
        ann = enter(one)
        one.wait_for_line(rf"\* you are {ann} \(ann\)")
        one.wait_for_line(r"\* you are the first here.*")
        with terminal("join", env=env) as two:
            bob = enter(two)
            two.wait_for_line(rf"\* you are {bob}")
            two.wait_for_line(rf"\* here already: {ann}.*")
            assert not [line for line in two.lines if "first" in line]
            one.wait_for_line(rf"\* {bob} joined")
            shows(one, "2 here")
            two.type("/quit" + ENTER)
            assert two.wait_for_end() == 0
        one.wait_for_line(rf"\* {bob} left")
        shows(one, "1 here")


def test_line_being_typed_stays_intact_while_others_talk(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one:
        ann = enter(one)
        one.type("half a li")
        one.wait_for_line(rf"{ann}> half a li")
        run("send", "--no-wait", "an interruption", env=env)
        heard = one.wait_for_line(r"0x[0-9a-f]{4}: an interruption")
        # Above the line, which stands below it as it was; and it can be finished.
        one.wait_for(
            lambda: (
                one.lines.index(heard)
                < max(
                    (i for i, line in enumerate(one.lines) if line == f"{ann}> half a li"),
                    default=-1,
                )
            )
        )
        one.type("ne" + ENTER)
        one.wait_for_line(rf"{ann} \(you\): half a line")


def test_lines_are_shown_in_the_rooms_order_however_fast_one_types(env: dict[str, str]) -> None:
    def shown(one: Terminal) -> list[str]:
        found = [re.fullmatch(r"0x[0-9a-f]{4}(?: \(you\))?: (.*)", line) for line in one.lines]
        return [match[1] for match in found if match]

    with running("tail", "--json", "--count", "200", env=env) as tail:
        until_here(tail)
        with terminal("join", env=env) as one:
            enter(one)
            with running("send", "--no-wait", "-", env=env, stdin=subprocess.PIPE) as other:
                assert other.stdin is not None
                for number in range(40):
                    lines = "".join(f"{number}-{name}\n" for name in "abcd")
                    other.stdin.write(lines.encode())
                    other.stdin.flush()
                    one.type(f"{number}-mine" + ENTER)
                    shows(one, f"you): {number}-mine")
                other.stdin.close()
                one.wait_for(lambda: len(shown(one)) >= 200)
        assert tail.stdout is not None
        events = [json.loads(line) for line in tail.stdout]
    said = [event for event in events if event["type"] == "message"]
    assert shown(one) == [event["text"] for event in sorted(said, key=lambda e: e["seq"])]


def test_what_others_send_cannot_touch_the_screen(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one:
        enter(one)
        run("send", "--no-wait", "\x1b[2J\x1b]0;owned\x07\u202eturned\n0x0000: forged", env=env)
        one.wait_for_line(r"0x[0-9a-f]{4}: turned\u21b50x0000: forged")
        assert b"\x1b[2J" not in one.raw
        assert b"owned" not in one.raw
        assert "\u202e".encode() not in one.raw


def test_commands(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one, terminal("join", env=env) as two:
        ann, bob = enter(one), enter(two)
        shows(one, "2 here")
        shows(two, "2 here")
        one.type("/nick ann b" + ENTER)
        one.wait_for_line(rf"\* you are now {ann} \(ann b\)")
        two.wait_for_line(rf"\* {ann} is now ann b")
        one.type("//quit is a command" + ENTER)
        two.wait_for_line(rf"{ann} \(ann b\): /quit is a command")
        two.type("/who" + ENTER)
        two.wait_for_line(r"\* 2 here:")
        two.wait_for_line(rf"\*   {bob} \(you\)")
        two.wait_for_line(rf"\*   {ann} \(ann b\)")
        for each in (one, two):
            each.type("/verify" + ENTER)
        words = [each.wait_for_line(r"\* (?:[a-z]{4,7} ?){6}") for each in (one, two)]
        assert words[0] == words[1]
        shows(one, "words unchanged")
        for each in (one, two):
            each.type(f"/verify {ann}" + ENTER)
        pairs = [each.wait_for_line(rf"\* {ann}: [a-z]+ [a-z]+") for each in (one, two)]
        assert pairs[0] == pairs[1]
        one.type("/verify me" + ENTER)
        one.wait_for_line(r"\* nobody here has that tag")
        one.type("/help" + ENTER)
        one.wait_for_line(r"\* /who +who is here")
        two.type("/quit" + ENTER)
        assert two.wait_for_end() == 0
        shows(one, "new words: /verify")


def test_expected_words_are_those_that_a_member_reads_out(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one:
        enter(one)
        one.type("/verify" + ENTER)
        words = one.wait_for_line(r"\* (?:[a-z]{4,7} ?){6}").removeprefix("* ")
        expected = words.upper().replace(" ", ", ")
        sent = run("send", "--no-wait", "hello", "--expect-words", expected, env=env)
        assert sent.returncode == 0
        one.wait_for_line(r"0x[0-9a-f]{4}: hello")


def test_status_line_says_who_has_the_newest_message(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one:
        enter(one)
        with running("tail", env=env) as silent, terminal("join", env=env) as two:
            enter(two)
            shows(one, "3 here")
            silent.send_signal(signal.SIGSTOP)
            try:
                one.type("who has this?" + ENTER)
                shows(one, "delivered 1 of 2")
            finally:
                silent.send_signal(signal.SIGCONT)
            shows(one, "delivered to all")


def test_text_that_cannot_be_sent_stays_in_the_line_with_its_count(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one:
        enter(one)
        one.type("x" * 501)
        shows(one, "501 of 500 characters")
        one.type(ENTER)
        shows(one, "501 characters; a message has at most 500")
        one.type("\x7f" + ENTER)
        one.wait_for(lambda: sum(line.count("x") for line in one.lines if "(you): " in line) > 0)
        one.type("/nonsense" + ENTER)
        shows(one, "no such command")
        one.type(CTRL_C)
        # The prompt is empty again; what stands above it is the terminal's business.
        one.wait_for(
            lambda: [ln for ln in one.lines if "> " in ln or ln.endswith(">")][-1][-1] == ">"
        )
        one.type(CTRL_D)
        assert one.wait_for_end() == 0


def test_pasted_lines_are_messages_once_entered(env: dict[str, str]) -> None:
    with terminal("join", env=env) as one, terminal("join", env=env) as two:
        ann = enter(one)
        enter(two)
        shows(one, "2 here")
        one.type("\x1b[200~first\n\n/etc/third\x1b[201~")
        shows(one, "3 lines: Enter sends 3 messages")
        one.type(ENTER)
        for text in ("first", "", "/etc/third"):
            two.wait_for_line(rf"{ann}: ?{text}")


@pytest.mark.parametrize(("keys", "code"), [(CTRL_C, 130), (CTRL_D, 0), ("/quit" + ENTER, 0)])
def test_ways_to_leave(env: dict[str, str], keys: str, code: int) -> None:
    with terminal("join", env=env) as one:
        enter(one)
        one.type(keys)
        assert one.wait_for_end() == code
        assert b"Traceback" not in one.raw


def test_lost_connection_is_shown_counted_down_and_mended() -> None:
    with relay_process() as first:
        env = {"BEACON_LINK": create_link(first.url).to_url()}
        port = first.port
        with terminal("join", env=env) as one:
            enter(one)
            first.stop()
            one.wait_for_line(r"\* the connection is lost; reconnecting")
            shows(one, "reconnecting in ")
            one.type("said meanwhile" + ENTER)
            shows(one, "1 not sent yet")
            with relay_process(f"--port={port}"):
                one.type(ENTER)
                one.wait_for_line(r"\* connected again; you are 0x[0-9a-f]{4}")
                one.wait_for_line(r"0x[0-9a-f]{4} \(you\): said meanwhile")
                assert not [line for line in one.lines if "not sent" in line]


def test_texts_that_were_not_sent_are_named_at_the_end() -> None:
    with relay_process() as relay:
        env = {"BEACON_LINK": create_link(relay.url).to_url()}
        with terminal("join", env=env) as one:
            enter(one)
            relay.stop()
            one.wait_for_line(r"\* the connection is lost; reconnecting")
            one.type("one" + ENTER + "two" + ENTER)
            shows(one, "2 not sent yet")
            one.type("/quit" + ENTER)
            assert one.wait_for_end() == 0
            one.wait_for_line(r"\* not sent: one")
            one.wait_for_line(r"\* not sent: two")
            assert not [line for line in one.lines if "/quit" in line]


def test_no_colour_where_none_is_wanted(env: dict[str, str]) -> None:
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with terminal("join", env={**env, **extra}) as one:
            enter(one)
            one.type("hi" + ENTER)
            shows(one, "(you): hi")
            one.type("/quit" + ENTER)
            one.wait_for_end()
            assert bool(re.search(rb"\x1b\[[0-9;]*38;5;", one.raw)) is coloured


def test_relay_that_is_not_there_is_code_3() -> None:
    with terminal("join", env={"BEACON_LINK": "http://127.0.0.1:9/#" + "A" * 43}) as one:
        assert one.wait_for_end() == 3
        shows(one, "the relay cannot be reached (http://127.0.0.1:9)")
