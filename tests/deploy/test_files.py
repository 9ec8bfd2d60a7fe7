"""What else an operator copies: the compose file, the image, the unit; and what is said of them."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from relay.config import RelayConfig, load
from tests.deploy import plain
from tests.deploy.front import DEPLOY
from tests.relay.process import ROOT

UNIT = DEPLOY / "beacon-relay.service"
RELAYS = ("relay-1", "relay-2")
NOBODY = "65532:65532"
# Of other commands.
_OTHERS = {"--print-digest", "--copy", "--relay", "--no-wait", "--link-file", "--help"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return plain.read((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def unit() -> list[str]:
    lines = UNIT.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def values(unit: list[str], name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit if line.startswith(name + "=")]


def test_plain_reader_takes_nothing_that_it_does_not_know() -> None:
    text = 'a: &x\n  b: ["c:d", e]\n  f:\n# g\nq:\n  <<: *x\n  f: h\n'
    assert plain.read(text) == {
        "a": {"b": ["c:d", "e"], "f": None},
        "q": {"b": ["c:d", "e"], "f": "h"},
    }
    text = "a:\n  - b: c\n    d: e\n  - b: f\n"
    assert plain.read(text) == {"a": [{"b": "c", "d": "e"}, {"b": "f"}]}
    for text in (
        "a: b\na: c",
        "a: {b: c}",
        "a: |\n  b",
        "- a",
        "a\n",
        "a: b\n    c: d",
        "a: b # c",
    ):
        with pytest.raises(ValueError, match=r"not|twice|deep"):
            plain.read(text)


def test_compose_grants_nothing_that_is_not_needed(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {*RELAYS, "valkey", "caddy"}
    for name, service in services.items():
        assert service["read_only"] == "true", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
        assert service.keys().isdisjoint(
            {"privileged", "pid", "ipc", "network_mode", "devices", "userns_mode", "volumes_from"}
        )
        # Nothing in swap, nothing without a bound.
        assert service["mem_limit"] == service["memswap_limit"], name
        assert service["logging"] == {"driver": "local"}, name
        assert service.get("user", NOBODY if name != "caddy" else None) == (
            NOBODY if name != "caddy" else None
        )
        assert ":latest" not in service["image"], name


def test_compose_keeps_no_data(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {name for name, service in services.items() if "volumes" in service} == {"caddy"}
    assert services["caddy"]["volumes"] == [
        "./Caddyfile:/etc/caddy/Caddyfile:ro", "certificates:/data",
    ]  # fmt: skip
    assert set(compose["volumes"]) == {"certificates"}
    valkey = services["valkey"]
    words = valkey["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--save"] == ""
    assert options["--appendonly"] == "no"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--maxmemory"] == "768mb"
    assert valkey["mem_limit"] == "1g"
    assert valkey["tmpfs"] == ["/data"]


def test_compose_shows_the_proxy_alone(compose: dict[str, Any]) -> None:
    services, networks = compose["services"], compose["networks"]
    assert {name for name, service in services.items() if "ports" in service} == {"caddy"}
    assert [name for name, network in networks.items() if not network] == ["edge"]
    assert all(networks[name]["internal"] == "true" for name in ("front", "back"))
    assert services["valkey"]["networks"] == ["back"]
    address = services["caddy"]["networks"]["front"]["ipv4_address"]
    for name in RELAYS:
        assert services[name]["networks"] == ["front", "back"]
        assert f"--trusted-proxy={address}/32" in services[name]["command"]
        assert f"{name}:8000" in services["caddy"]["environment"]["BEACON_RELAYS"]


def test_compose_has_its_secrets_in_files(compose: dict[str, Any]) -> None:
    named = {
        name for service in compose["services"].values() for name in service.get("secrets", [])
    }
    assert named == set(compose["secrets"])
    for secret in compose["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_compose_starts_relays_with_settings_that_exist(compose: dict[str, Any]) -> None:
    for name in RELAYS:
        serve, *words = compose["services"][name]["command"]
        assert serve == "serve"
        settings = load(
            [re.sub(r"\$\{BEACON_SITE:[^}]*\}", "relay.example", word) for word in words], {}
        )
        assert settings.server_name == ("relay.example",)
        assert settings.ticket_key_file


def test_docker_takes_the_compose_file() -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("no docker compose here: read by our own reader alone")
    done = subprocess.run(
        [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--format=json"],
        env=os.environ | {"BEACON_SITE": "relay.example"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == {*RELAYS, "valkey", "caddy"}


def test_image_is_built_by_hash_and_runs_as_nobody() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    steps = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    bases = [step.split()[1] for step in steps if step.startswith("FROM ")]
    assert len(bases) == 3
    assert all(re.fullmatch(r"[a-z]+:[0-9.]+-[a-z-]+", base) for base in bases)
    last = steps[max(n for n, step in enumerate(steps) if step.startswith("FROM ")) + 1 :]
    assert f"USER {NOBODY}" in last
    # What runs, runs without a shell; and nothing is fetched but what a hash names.
    for word in ("ENTRYPOINT ", "CMD ", "HEALTHCHECK "):
        (step,) = [step for step in last if step.startswith(word)]
        assert isinstance(json.loads(step[step.index("[") :]), list)
    assert not [step for step in last if step.startswith("RUN ")]
    for step in steps:
        assert not step.startswith("ADD ")
        for part in step.split("&&"):
            if " install " in part:
                assert "--require-hashes" in part or "--no-deps dist/*.whl" in part
    copied = {word for step in steps if step.startswith("COPY ") for word in step.split()[1:-1]}
    # `npm ci` takes what the hashes of its lock name, and nothing else.
    assert [step for step in steps if "npm" in step] == ["RUN npm ci --silent"]
    own = {name for name in copied if not name.startswith(("--from=", "/"))}
    for name in own:
        assert (ROOT / name).exists(), name
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    for name in own:
        assert {"!" + name, "!" + name.partition("/")[0]} & {*ignored}


def test_unit_names_settings_that_exist(unit: list[str]) -> None:
    known = {"RELAY_CONFIG"} | {f"RELAY_{spec.name.upper()}" for spec in fields(RelayConfig)}
    named = re.findall(r"RELAY_[A-Z_]+", "\n".join(values(unit, "Environment")))
    assert named
    assert set(named) <= known
    port = RelayConfig().port
    assert values(unit, "SocketBindAllow") == [f"tcp:{port}"]


def test_unit_leaves_time_to_drain_and_room_to_lock(unit: list[str]) -> None:
    assert values(unit, "LimitMEMLOCK") == ["infinity"]
    assert values(unit, "MemorySwapMax") == ["0"]
    assert values(unit, "RestartPreventExitStatus") == ["2"]
    assert int(values(unit, "TimeoutStopSec")[0]) > 3
    assert RelayConfig().connection_cap(int(values(unit, "LimitNOFILE")[0])) == 65536 - 160


def test_unit_is_one_and_is_hardened(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here (Debian: apt-get install systemd)")
    unit = tmp_path / UNIT.name
    # What it starts is not installed where these tests run.
    unit.write_text(UNIT.read_text().replace("/opt/beacon/bin/beacon-relay", "/bin/true"))
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("systemd-analyze here judges no unit that is not loaded")
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= 1.2


def test_settings_that_are_written_about_exist() -> None:
    """In what is shipped, and in docs/operating.md."""
    known = {"--" + spec.name.replace("_", "-") for spec in fields(RelayConfig)} | {"--config"}
    for path in (DEPLOY / "nginx.conf", DEPLOY / "Caddyfile", UNIT, ROOT / "docs/operating.md"):
        for flag in re.findall(r"`?beacon-relay serve(?: [^`\n]*)?|`--[a-z-]+", path.read_text()):
            for name in re.findall(r"--[a-z-]+", flag):
                assert name in known | _OTHERS, (path.name, name)
