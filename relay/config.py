"""The operator's settings: flags over RELAY_* over a TOML file, the same words in all three.

Knows names, units, ranges and defaults; refuses to start on nonsense, in one line.
"""

import argparse
import base64
import re
import resource
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from relay.errors import ConfigError
from relay.forwarded import Proxies, parse_networks
from relay.tickets import KEY_BYTES

# Descriptors that are not connections: listener, loop, log, and those that come and go while
# connections beyond the cap are told so. 96 were not enough under a flood.
RESERVED_DESCRIPTORS = 160
_HOST_NAME = re.compile(r"[0-9a-z._-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-f:.]{2,45}\](?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[0-9a-z._\[\]:-]{1,261}")
_CIDR = re.compile(r"[0-9a-f.:]{2,45}(?:/[0-9]{1,3})?")
_PROXY_HEADERS = ("x-forwarded-for", "forwarded")
_ENVIRONMENT = "RELAY_"
_MAX_KEY_FILE_BYTES = 1024


def _setting(default: Any, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "text": text})


def _names(text: str, pattern: re.Pattern[str]) -> Any:
    return field(default=(), metadata={"pattern": pattern, "text": text})


@dataclass(frozen=True)
class RelayConfig:
    """Every setting with its unit and default; the comment says what breaks if it is raised."""

    # Beyond loopback the relay wants TLS in front of it.
    host: str = field(default="127.0.0.1", metadata={"text": "address to listen on"})
    port: int = _setting(8000, 0, 65535, "port to listen on, 0 picks a free one")
    # More names are more signatures to check per hello.
    server_name: tuple[str, ...] = _names(
        "a host that clients sign for, and no other; none: the Host of each request", _HOST_NAME
    )
    # Whoever holds this memory can end rooms and sees their sizes, not what is in them.
    broker: str = field(
        default="",
        # It may hold a password.
        repr=False,
        metadata={
            "text": "where rooms are kept: redis://HOST:PORT/0, or rediss:// or unix://, shared by "
            "all relays that have the same ticket-key-file; none: in this process"
        },
    )
    broker_may_persist: int = _setting(0, 0, 1, "1: serve although the broker writes to a disk")
    # Each takes a core, and memory of its own.
    workers: int = _setting(1, 1, 256, "processes on this port; more than one need a broker")
    reuse_port: int = _setting(0, 0, 1, "1: other processes may listen on the same port")
    # Without a certificate TLS is for something in front of it.
    certfile: str = field(
        default="", metadata={"text": "a PEM file with the certificate's chain, to speak TLS"}
    )
    keyfile: str = field(
        default="", metadata={"text": "a PEM file with its key; none: it stands in certfile"}
    )
    # Whoever connects from there may name any source it likes.
    trusted_proxy: tuple[str, ...] = _names(
        "a network of proxies, as 10.0.0.0/8, that name whom they speak for", _CIDR
    )
    proxy_header: str = field(
        default="x-forwarded-for",
        metadata={"text": "how they name them: x-forwarded-for or forwarded"},
    )
    allow_origin: tuple[str, ...] = _names("a foreign page's origin that may connect", _ORIGIN)
    # One member may fill the room's ring and everybody's screen.
    message_rate: float = _setting(1.0, 0, 1e6, "application messages per second and session")
    message_burst: int = _setting(10, 1, 10**6, "application messages at once per session")
    # Commits are the dear messages: everybody computes.
    commit_interval: float = _setting(2.0, 0, 3600, "seconds between commits of one session")
    commit_burst: int = _setting(5, 1, 10**6, "commits at once per session")
    room_commit_interval: float = _setting(0.25, 0, 3600, "seconds between commits of one room")
    room_commit_burst: int = _setting(32, 1, 10**6, "commits at once per room")
    # Memory per connection while one is on its way.
    max_commit_bytes: int = _setting(131072, 4096, 2**24, "bytes of a commit and its GroupInfo")
    # Trees, GroupInfos and fan-out grow with it; `joined` lists all in 4,096 bytes.
    room_seats: int = _setting(128, 1, 200, "seats per room")
    room_unjoined: int = _setting(64, 1, 4096, "sessions per room that wait to join")
    # A busy room holds up to two megabytes.
    max_rooms: int = _setting(10000, 1, 10**7, "rooms at once")
    max_connections: int = _setting(
        0, 0, 10**7, "connections at once, 0: what the files limit allows"
    )
    # Beyond it the system ends the process, and with it every room.
    max_memory: int = _setting(0, 0, 2**50, "bytes of memory, 0: three quarters of what there is")
    # One source may take what is there for all.
    source_connection_rate: float = _setting(5.0, 0, 1e6, "connections per second and source")
    source_connection_burst: int = _setting(100, 1, 10**6, "connections at once per source")
    source_connections: int = _setting(300, 0, 10**6, "open connections per source")
    source_message_rate: float = _setting(30.0, 0, 1e6, "messages per second and source")
    source_message_burst: int = _setting(300, 1, 10**6, "messages at once per source")
    # A silent stranger holds a descriptor for so long.
    hello_timeout: float = _setting(5.0, 0.1, 3600, "seconds until hello")
    join_timeout: float = _setting(15.0, 0.1, 3600, "seconds until joined, from the turn on")
    turn_timeout: float = _setting(3.0, 0.1, 3600, "seconds of a turn while others wait")
    # Proxies cut what is silent for a minute.
    ping_interval: float = _setting(20.0, 0.1, 3600, "seconds between pings")
    dead_after: float = _setting(45.0, 0.2, 7200, "seconds of silence until a peer is dead")
    # Memory per connection, times everybody who reads slowly.
    slow_bytes: int = _setting(262144, 4096, 2**30, "bytes that a reader may be behind")
    slow_after: float = _setting(3.0, 0.1, 3600, "seconds that a reader may be behind")
    # What was said stays in memory for as long.
    ring_frames: int = _setting(1024, 1, 10**6, "frames kept per room")
    ring_bytes: int = _setting(2**20, 4096, 2**32, "bytes kept per room")
    ring_age: float = _setting(60.0, 0.1, 86400, "seconds that a frame is kept")
    ring_total_bytes: int = _setting(2**28, 4096, 2**40, "bytes kept for all rooms")
    # A seat that nobody sits in is a seat that nobody gets.
    away_for: float = _setting(60.0, 0.1, 86400, "seconds that a lost seat is kept")
    # Whoever has the file can make tickets: it is read once, and should be the operator's alone.
    ticket_key_file: str = field(
        default="",
        metadata={"text": "a file with 32 bytes, so that rooms outlive a restart; none: a new key"},
    )
    restore_for: float = _setting(60.0, 0.1, 3600, "seconds after a start that tickets restore")

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check(spec, getattr(self, spec.name))
        if self.dead_after <= self.ping_interval:
            raise ConfigError("dead-after must be longer than ping-interval")
        if self.workers > 1 and not self.broker:
            raise ConfigError(
                "workers are processes that share their rooms: they need --broker redis://..."
            )
        if self.broker and not self.ticket_key_file:
            raise ConfigError(
                "a broker needs --ticket-key-file, the same for all relays: its key seals what "
                "they keep there"
            )
        if self.keyfile and not self.certfile:
            raise ConfigError("keyfile is of no use without certfile")
        if self.proxy_header not in _PROXY_HEADERS:
            raise ConfigError(f"proxy-header must be {' or '.join(_PROXY_HEADERS)}")
        self.proxies()

    def proxies(self) -> Proxies:
        """Return the proxies to be trusted; raise ConfigError."""
        try:
            networks = parse_networks(self.trusted_proxy)
        except ValueError as exc:
            raise ConfigError("trusted-proxy must be networks, as 10.0.0.0/8 or ::1") from exc
        return Proxies(networks, self.proxy_header.encode())

    def connection_cap(self, descriptors: int) -> int:
        """Return how many connections fit into a limit of open files; raise ConfigError if none."""
        room = descriptors - RESERVED_DESCRIPTORS
        if room < 1:
            raise ConfigError(
                f"the limit of open files is {descriptors}, at least "
                f"{RESERVED_DESCRIPTORS + 1} are needed"
            )
        if self.max_connections > room:
            raise ConfigError(
                f"max-connections is {self.max_connections}, the limit of open files allows {room}"
            )
        return self.max_connections or room


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> RelayConfig:
    """Read the settings; raise ConfigError with one line that names the culprit."""
    given = vars(_parser().parse_args(arguments))
    path = given.pop("config") or environment.get(_ENVIRONMENT + "CONFIG")
    values = _from_file(path) if path else {}
    values |= _from_environment(environment)
    values |= {name: value for name, value in given.items() if value is not None}
    return RelayConfig(**{name: _convert(_SPECS[name], value) for name, value in values.items()})


def read_ticket_key(path: str) -> bytes | None:
    """Return the key in a file, None for no file; raise ConfigError, which says how to make one."""
    if not path:
        return None
    hint = "make one by: head -c 32 /dev/urandom > FILE"
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_KEY_FILE_BYTES)
    except OSError as exc:
        raise ConfigError(f"cannot read the ticket key file: {exc.strerror}; {hint}") from exc
    except ValueError as exc:
        raise ConfigError("ticket-key-file is not the name of a file") from exc
    key = data if len(data) == KEY_BYTES else _decode_key(data.strip())
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"the ticket key file must hold 32 bytes, raw, hexadecimal or base64; {hint}"
        )
    return key


def _decode_key(text: bytes) -> bytes:
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text.decode())
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def descriptor_limit() -> int:
    """Return how many files this process may open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2**20 if soft == resource.RLIM_INFINITY else soft


_SPECS: dict[str, "Field[Any]"] = {spec.name: spec for spec in fields(RelayConfig)}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise ConfigError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="beacon-relay serve",
        description="Serve. Every setting may also stand in the environment (RELAY_PORT=8000) "
        "or in a TOML file (port = 8000); flags win over the environment, that over the file.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file with settings")
    for spec in _SPECS.values():
        default = "" if spec.default in ((), MISSING) else f" (default {spec.default})"
        parser.add_argument(
            "--" + spec.name.replace("_", "-"),
            metavar="VALUE",
            action="append" if _is_list(spec) else "store",
            help=spec.metadata["text"] + (", may be repeated" if _is_list(spec) else default),
        )
    return parser


def _is_list(spec: "Field[Any]") -> bool:
    return spec.default == ()


def _flag(spec: "Field[Any]") -> str:
    return spec.name.replace("_", "-")


def _from_file(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as exc:
        raise ConfigError(f"cannot read the configuration file: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError("the configuration file is not TOML") from exc
    for name in values:
        if name not in _SPECS:
            raise ConfigError(f"unknown setting in the configuration file: {name}")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, text in environment.items():
        if not key.startswith(_ENVIRONMENT) or key == _ENVIRONMENT + "CONFIG":
            continue
        name = key.removeprefix(_ENVIRONMENT).lower()
        if name not in _SPECS:
            raise ConfigError(f"unknown setting in the environment: {key}")
        values[name] = text.split(",") if _is_list(_SPECS[name]) else text
    return values


def _convert(spec: "Field[Any]", value: Any) -> Any:
    if _is_list(spec):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{_flag(spec)} must be a list of names")
        return tuple(item.strip().lower() for item in value)
    kind: Any = type(spec.default)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigError(f"{_flag(spec)} must be one value")
    if kind is str and not isinstance(value, str):
        raise ConfigError(f"{_flag(spec)} must be text")
    try:
        if kind is int and isinstance(value, float):
            raise ValueError
        return kind(value)
    except (ValueError, OverflowError) as exc:
        kind_name = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{_flag(spec)} must be {kind_name}") from exc


def _check(spec: "Field[Any]", value: Any) -> None:
    meta = spec.metadata
    if "pattern" in meta:
        for item in value:
            if not meta["pattern"].fullmatch(item):
                raise ConfigError(f"{_flag(spec)} is malformed: {item!a}")
    elif "low" in meta and not meta["low"] <= value <= meta["high"]:
        raise ConfigError(f"{_flag(spec)} must be from {meta['low']:g} to {meta['high']:g}")
