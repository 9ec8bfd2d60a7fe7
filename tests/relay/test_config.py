import base64
import dataclasses
from pathlib import Path

import pytest

from relay import config
from relay.config import (
    RESERVED_DESCRIPTORS,
    RelayConfig,
    descriptor_limit,
    load,
    read_ticket_key,
)
from relay.errors import ConfigError


def refused(*arguments: str, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(arguments, environment)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_defaults_are_those_of_the_design() -> None:
    found = load([], {"PATH": "/bin"})
    assert found == RelayConfig()
    assert (found.message_rate, found.message_burst) == (1.0, 10)
    assert (found.room_seats, found.room_unjoined, found.max_commit_bytes) == (128, 64, 131_072)
    assert (found.ring_frames, found.ring_bytes, found.ring_age) == (1024, 2**20, 60.0)


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text('port = 1\nhost = "::1"\nmessage_rate = 3\nserver_name = ["A.example"]\n')
    found = load(
        ["--config", str(path), "--port", "3"], {"RELAY_PORT": "2", "RELAY_MESSAGE_RATE": "2.5"}
    )
    assert (found.port, found.message_rate, found.host) == (3, 2.5, "::1")
    assert found.server_name == ("a.example",)
    assert load([], {"RELAY_CONFIG": str(path)}).port == 1


def test_lists() -> None:
    found = load(
        ["--server-name", "a.example", "--server-name", "b.example:8443"],
        {"RELAY_ALLOW_ORIGIN": "https://a.example, https://b.example"},
    )
    assert found.server_name == ("a.example", "b.example:8443")
    assert found.allow_origin == ("https://a.example", "https://b.example")


def test_every_setting_has_its_three_names(tmp_path: Path) -> None:
    for field in dataclasses.fields(RelayConfig):
        flag = "--" + field.name.replace("_", "-")
        given = {"host": "h", "server_name": "n", "allow_origin": "http://o"}
        given |= {"certfile": "", "keyfile": "", "trusted_proxy": "10.0.0.0/8"}
        value = given.get(field.name, str(field.default))
        path = tmp_path / "one.toml"
        quoted = value if field.type in ("int", "float", int, float) else f'"{value}"'
        path.write_text(f"{field.name} = {f'[{quoted}]' if field.default == () else quoted}\n")
        by_file = load(["--config", str(path)], {})
        assert load([flag, value], {}) == by_file
        assert load([], {"RELAY_" + field.name.upper(): value}) == by_file


def test_nonsense_is_named() -> None:
    assert "port" in refused("--port", "x")
    assert "port" in refused("--port", "65536")
    assert "message-rate" in refused("--message-rate", "nan")
    assert "message-rate" in refused("--message-rate", "-1")
    assert "ring-bytes" in refused("--ring-bytes", "1e6")
    assert "server-name" in refused("--server-name", "a b")
    assert "allow-origin" in refused("--allow-origin", "a.example")
    assert "dead-after" in refused("--dead-after", "5", "--ping-interval", "5")
    assert "keyfile" in refused("--keyfile", "key.pem")
    assert "trusted-proxy" in refused("--trusted-proxy", "the proxy")
    assert "trusted-proxy" in refused("--trusted-proxy", "10.0.0.1/8")
    assert "proxy-header" in refused("--proxy-header", "x-real-ip")
    assert "--dance" in refused("--dance")
    assert "RELAY_DANCE" in refused(RELAY_DANCE="1")
    assert refused("--message-r", "1"), "no abbreviations"


def test_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    assert "configuration file" in refused("--config", str(path))
    for text in ("port =", "dance = 1", "port = 1.5", "port = true", "host = 1", "host = [1]"):
        path.write_text(text)
        assert refused("--config", str(path))
    path.write_text('server_name = "a"')
    assert "server-name" in refused("--config", str(path))
    path.write_text("server_name = [1]")
    assert "server-name" in refused("--config", str(path))
    path.write_bytes(b"\xff")
    assert "TOML" in refused("--config", str(path))


def test_connections_leave_descriptors_free(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RelayConfig().connection_cap(1024) == 1024 - RESERVED_DESCRIPTORS
    assert RelayConfig(max_connections=5).connection_cap(1024) == 5
    for settings, descriptors in ((RelayConfig(), 160), (RelayConfig(max_connections=900), 1024)):
        with pytest.raises(ConfigError):
            settings.connection_cap(descriptors)
    assert descriptor_limit() > 0
    infinite = config.resource.RLIM_INFINITY
    monkeypatch.setattr(config.resource, "getrlimit", lambda _: (infinite, infinite))
    assert descriptor_limit() == 2**20


KEY = bytes(range(200, 232))


@pytest.mark.parametrize(
    "data",
    [
        KEY,
        b" " * 31 + b"\n",
        KEY.hex().encode(),
        KEY.hex().upper().encode() + b"\n",
        base64.b64encode(KEY),
        base64.b64encode(KEY) + b"\r\n",
    ],
)
def test_r28_ticket_key_is_read_raw_or_as_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    assert read_ticket_key(str(path)) == (KEY if len(data) != 32 else data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(31),
        bytes(33),
        KEY.hex().encode()[:-1],
        KEY.hex().encode()[:-1] + b"g",
        b"  ".join([KEY.hex().encode()[:30], KEY.hex().encode()[32:]]),
        base64.b64encode(KEY)[:-1],
        base64.b64encode(KEY + b"x"),
        base64.urlsafe_b64encode(b"\xff" * 32),
        b"\xff" * 64,
        bytes(10**6),
    ],
)
def test_r28_anything_else_is_no_ticket_key(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="head -c 32 /dev/urandom > FILE") as caught:
        read_ticket_key(str(path))
    assert "\n" not in str(caught.value)


def test_r28_without_a_file_there_is_no_ticket_key(tmp_path: Path) -> None:
    assert read_ticket_key("") is None
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="head -c 32") as caught:
            read_ticket_key(str(path))
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ConfigError, match="ticket-key-file"):
        read_ticket_key("a\0b")
    assert "restore-for" in refused("--restore-for", "0")
