"""Reads every import with ast and enforces STYLE 2."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Left to right: each module may import only what stands before it (STYLE 2.2). Those on one line
# are one layer; none of a layer may import another of it unless it stands further left.
RELAY = [
    *("errors", "limits", "source", "source_share", "forwarded", "pressure"),
    *("strict", "wire", "frame", "head", "handshake", "wheel", "ring", "turn", "pace", "replay"),
    *("seat", "effect", "room", "snapshot", "proof", "tickets", "returns", "session"),
    *("broker.later", "broker", "broker.operation", "broker.cipher", "broker.replica"),
    *("broker.accounts", "broker.shared_log", "broker.shared_place", "broker.shared"),
    *(
        "config",
        "metrics",
        "log",
        "clock",
        "process",
        "tls",
        "broker.memory",
        "broker.scripts",
        "broker.redis_line",
        "broker.redis",
        "rooms",
        "shared_rooms",
    ),
    *(
        "library",
        "fanout",
        "outlet",
        "hub",
        "visitor",
        "websocket",
        "page",
        "app",
        "inner",
        "house",
        "door",
        "serve",
        "workers",
        "__main__",
        "worker",
    ),
]
RELAY_CORES = set(RELAY[: RELAY.index("config")])
CLIENT = [
    *("errors", "words", "link", "seal", "mls", "wire", "content", "outbox", "ledger", "roster"),
    *("room", "transport", "awake", "feed", "session", "cli"),
]
# Modules of the client that STYLE does not name stand where their first imports allow; only the
# cores among them are listed here, to be kept free of I/O.
CLIENT_SHELLS = {"transport", "awake", "feed", "session", "cli", "__main__"}
BANNED_IN_CORES = {
    "asyncio", "hypercorn", "logging", "os", "quart", "random", "redis", "secrets", "signal",
    "socket", "subprocess", "threading", "time", "websockets",
}  # fmt: skip
# Randomness is drawn here and nowhere else in the cores (STYLE 2.1).
MAY_DRAW = {
    "client.link", "client.seal", "client.mls.suite", "relay.tickets", "relay.broker.shared_place",
}  # fmt: skip
ONLY_IMPORTERS = {"quart": {"relay.app"}, "hypercorn": {"relay.inner", "relay.serve"}}


def modules(package: str) -> list[Path]:
    return sorted(
        path
        for path in (ROOT / package).rglob("*.py")
        if "static" not in path.relative_to(ROOT / package).parts
    )


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a file imports; `from relay import wire` is relay.wire."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            for alias in node.names:
                candidate = f"{node.module}.{alias.name}"
                is_module = (ROOT / (candidate.replace(".", "/") + ".py")).exists()
                is_package = (ROOT / candidate.replace(".", "/")).is_dir()
                yield candidate if is_module or is_package else node.module


FILES = [*modules("relay"), *modules("client")]
everywhere = pytest.mark.parametrize("path", FILES, ids=name_of)


@everywhere
def test_nothing_is_imported_within_a_function_or_by_star(path: Path) -> None:
    tree = tree_of(path)
    top = {id(node) for node in tree.body}
    # A fallback for a missing C extension, and imports for types alone, are still at the top.
    for node in tree.body:
        if isinstance(node, ast.Try | ast.If):
            top |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert id(node) in top or name_of(path) == "relay.__main__"
            assert all(alias.name != "*" for alias in node.names)


@everywhere
def test_imports_stand_at_the_top(path: Path) -> None:
    body = tree_of(path).body
    last = max(
        (n for n, node in enumerate(body) if isinstance(node, ast.Import | ast.ImportFrom)),
        default=-1,
    )
    for node in body[: last + 1]:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert is_docstring or isinstance(node, ast.Import | ast.ImportFrom | ast.Try | ast.If)


@everywhere
def test_relay_and_client_never_import_each_other(path: Path) -> None:
    package = name_of(path).split(".")[0]
    other = {"relay": "client", "client": "relay"}[package]
    assert all(imported.split(".")[0] != other for imported in imports(tree_of(path)))


@pytest.mark.parametrize("path", modules("relay"), ids=name_of)
def test_relay_keeps_its_order(path: Path) -> None:
    name = name_of(path).removeprefix("relay").lstrip(".")
    if not name:
        return
    assert name in RELAY, f"{name} has no place in the order"
    allowed = set(RELAY[: RELAY.index(name)])
    for imported in imports(tree_of(path)):
        package, _, rest = imported.partition(".")
        if package == "relay" and rest:
            assert rest in allowed, f"{name} imports {rest}, which stands to its right"


@pytest.mark.parametrize("path", modules("client"), ids=name_of)
def test_client_keeps_its_order(path: Path) -> None:
    layer = [*name_of(path).split("."), ""][1]
    if layer not in CLIENT:
        return
    allowed = set(CLIENT[: CLIENT.index(layer) + 1])
    for imported in imports(tree_of(path)):
        package, _, rest = imported.partition(".")
        target = rest.split(".")[0]
        if package == "client" and target in CLIENT:
            assert target in allowed, f"{layer} imports {target}, which stands to its right"


def has_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return a cycle of imports, empty if there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for imported in sorted(graph.get(name, ())):
            if found := walk(imported, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


@pytest.mark.parametrize("package", ["relay", "client"])
def test_imports_have_no_cycle(package: str) -> None:
    files = modules(package)
    names = {name_of(path) for path in files}
    graph = {
        name_of(path): {found for found in imports(tree_of(path)) if found in names}
        for path in files
    }
    graph[package] = set()
    assert has_cycle(graph) == []


@everywhere
def test_cores_touch_neither_world_nor_clock_nor_chance(path: Path) -> None:
    name = name_of(path)
    package, _, rest = name.partition(".")
    layer = rest.split(".")[0]
    is_core = rest in RELAY_CORES if package == "relay" else layer not in CLIENT_SHELLS
    if not is_core or not rest:
        return
    banned = BANNED_IN_CORES - ({"os", "secrets"} if name in MAY_DRAW else set())
    found = {imported.split(".")[0] for imported in imports(tree_of(path))}
    assert not found & banned


@everywhere
def test_frameworks_have_few_importers(path: Path) -> None:
    found = {imported.split(".")[0] for imported in imports(tree_of(path))}
    for framework, importers in ONLY_IMPORTERS.items():
        assert framework not in found or name_of(path) in importers
