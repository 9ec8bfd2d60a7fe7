"""What may be typed after `beacon`, and where a link may come from."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from client.cli.arguments import Command, Join, New, Send, Tail, parse, prompt_for_link
from client.errors import LinkError, UsageError
from client.link import create_link

LINK = create_link("http://127.0.0.1:8000")
URL = LINK.to_url()
OTHER = create_link("https://relay.example").to_url()
SIX = ("otter", "ember", "canoe", "maple", "quilt", "zebra")


def read(*argv: str, env: Mapping[str, str] | None = None, answer: str | None = None) -> Command:
    return parse(argv, env or {}, lambda: answer)


def test_new_takes_the_relay_from_the_option_then_the_environment_then_this_machine() -> None:
    env = {"BEACON_RELAY": "https://relay.example"}
    for argv, given, relay in [
        (["new"], {}, "http://127.0.0.1:8000"),
        (["new"], {"BEACON_RELAY": ""}, "http://127.0.0.1:8000"),
        (["new"], env, "https://relay.example"),
        (["new", "--relay", "http://localhost:1"], env, "http://localhost:1"),
        (["new", "--insecure-relay", "--relay", "http://a.example"], {}, "http://a.example"),
    ]:
        command = read(*argv, env=given)
        assert isinstance(command, New)
        assert command.link.relay == relay


@pytest.mark.parametrize("argv", [["new", "--relay", "http://a.example"], ["new", "--relay", "x"]])
def test_relay_that_must_not_be_used_is_refused(argv: list[str]) -> None:
    with pytest.raises(LinkError):
        read(*argv)


def test_link_comes_from_the_argument_the_file_the_environment_or_the_prompt(
    tmp_path: Path,
) -> None:
    file = tmp_path / "link"
    file.write_text(f"\n {URL}\n")
    env = {"BEACON_LINK": OTHER}
    assert read("join", URL, env=env) == Join(LINK, None, None)
    assert read("join", "--link-file", str(file), env=env) == Join(LINK, None, None)
    assert read("join", env={"BEACON_LINK": URL}, answer=OTHER) == Join(LINK, None, None)
    assert read("join", answer=URL) == Join(LINK, None, None)
    with pytest.raises(LinkError, match="no link"):
        read("join")
    with pytest.raises(UsageError, match="which of the two"):
        read("join", OTHER, "--link-file", str(file))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff", b"not a link", b"x" * 9999])
def test_link_file_without_a_link_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "link"
    file.write_bytes(content)
    with pytest.raises(LinkError):
        read("tail", "--link-file", str(file))


def test_link_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read("tail", "--link-file", str(tmp_path / "none"))


def test_plain_http_beyond_this_machine_needs_the_option() -> None:
    url = URL.replace("127.0.0.1", "relay.example")
    with pytest.raises(LinkError, match="--insecure-relay"):
        read("tail", url)
    assert isinstance(read("tail", "--insecure-relay", url), Tail)


@pytest.mark.parametrize(
    ("argv", "env", "text"),
    [
        (["send", URL], {}, None),
        (["send", URL, "-"], {}, None),
        (["send", URL, "hello"], {}, "hello"),
        (["send", URL, ""], {}, ""),
        (["send", URL, " a\nb "], {}, " a\nb "),
        (["send", URL, "hello"], {"BEACON_LINK": OTHER}, "hello"),
        (["send", URL, OTHER], {"BEACON_LINK": OTHER}, OTHER),
        (["send", "--no-wait", URL, "hello"], {}, "hello"),
        (["send", URL, "--no-wait", "hello"], {}, "hello"),
        (["send", URL, "--", "-hello"], {}, "-hello"),
        (["send", "hello"], {"BEACON_LINK": URL}, "hello"),
        (["send", "-"], {"BEACON_LINK": URL}, None),
        (["send"], {"BEACON_LINK": URL}, None),
        (["send", "--", "-hello"], {"BEACON_LINK": URL}, "-hello"),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, list) else "",
)
def test_send_tells_link_and_text_apart(
    argv: list[str], env: dict[str, str], text: str | None
) -> None:
    assert read(*argv, env=env) == Send(LINK, None, text, "--no-wait" not in argv)


def test_send_without_a_link_asks_for_one() -> None:
    assert read("send", "hello", answer=URL) == Send(LINK, None, "hello", True)


@pytest.mark.parametrize(
    ("argv", "env", "why"),
    [
        (["send", URL, "hello", "there"], {}, "quotes"),
        (["send", URL, "x" * 501], {}, "501 characters"),
        (["send", URL, "a\udcff"], {}, "surrogates"),
        # One room's link must not become a text in another by mistake.
        (["send", OTHER], {"BEACON_LINK": URL}, "two links"),
        (["send", "hello"], {}, "no link"),
        (["send", "http://127.0.0.1:8000/", "hello"], {}, "no secret"),
    ],
    ids=lambda value: "",
)
def test_send_refuses_what_is_not_clear(argv: list[str], env: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(*argv, env=env)


def test_options_of_join_and_tail() -> None:
    assert read("join", URL, "--nick", "ann") == Join(LINK, None, "ann")
    words = ["--expect-words", "Otter ember, canoe maple-quilt zebra"]
    assert read("join", *words, URL) == Join(LINK, SIX, None)
    assert read("send", *words, URL, "x") == Send(LINK, SIX, "x", True)
    assert read("tail", URL) == Tail(LINK, None, False, None, None)
    assert read("tail", "--json", "--count", "2", "--timeout", "1.5", *words, URL) == Tail(
        LINK, SIX, True, 2, 1.5
    )


@pytest.mark.parametrize(
    "argv",
    [
        ["join", URL, "--nick", "a\x07b"],
        ["tail", URL, "--expect-words", "otter"],
        ["tail", URL + "x"],
    ],
    ids=lambda value: value[-1][:10],
)
def test_values_that_cannot_be_are_refused(argv: list[str]) -> None:
    with pytest.raises(UsageError):
        read(*argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["talk"],
        ["--json"],
        ["join", URL, "extra"],
        ["join", "--json", URL],
        ["new", "extra"],
        ["tail", URL, "--count", "0"],
        ["tail", URL, "--count", "x"],
        ["tail", URL, "--timeout", "-1"],
        ["tail", URL, "--timeout", "inf"],
    ],
    ids=" ".join,
)
def test_usage_ends_with_code_2_and_quotes_no_link(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read(*argv)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage: beacon" in printed.err
    assert URL.partition("#")[2] not in printed.err


@pytest.mark.parametrize("command", ["join", "send", "tail"])
def test_help_warns_of_links_on_the_command_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read(command, "--help")
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for word in ("ps", "BEACON_LINK", "--link-file", "exit codes"):
        assert word in out


def test_no_command_shows_its_secrets() -> None:
    for command in (
        read("new"),
        read("join", URL),
        read("send", URL, "hello there"),
        read("tail", URL),
    ):
        assert URL.partition("#")[2] not in repr(command)
        assert "hello" not in repr(command)


def test_version_is_that_of_the_installed_distribution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    for version, printed in ((lambda name: "1.2.3", "1.2.3"), (missing, "(not installed)")):
        monkeypatch.setattr(metadata, "version", version)
        with pytest.raises(SystemExit):
            read("--version")
        assert capsys.readouterr().out == f"beacon {printed}\n"


def test_nobody_is_asked_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError

    monkeypatch.setattr("os.open", refuse)
    assert prompt_for_link() is None
