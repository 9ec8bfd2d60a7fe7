"""As much of YAML as compose.yaml needs: nothing here reads YAML, and one file is no reason to.

Mappings and lists by indentation, lists in brackets, anchors and merges, text in quotes or without.
Every scalar is text. Whatever else there is raises ValueError, and is not for that file.
"""

import re
from typing import Any

_KEY = re.compile(r"(\"[^\"]*\"|[A-Za-z0-9_<.-]+):(?: +(.*))?")
_ANCHOR = re.compile(r"&([a-z-]+)")
_SCALAR = re.compile(r"\"([^\"\\]*)\"|([A-Za-z0-9./$-][^\"'#\[\]]*)")
_FLOW = re.compile(r"\[(.*)\]")
Line = tuple[int, str]


def read(text: str) -> dict[str, Any]:
    """Read one document whose top is a mapping."""
    lines: list[Line] = []
    for line in text.splitlines():
        words = line.strip()
        if words and not words.startswith("#"):
            lines.append((len(line) - len(line.lstrip(" ")), words))
    anchors: dict[str, Any] = {}
    value = _block(lines, anchors)
    if lines or not isinstance(value, dict):
        raise ValueError("not one mapping")
    return value


def _block(lines: list[Line], anchors: dict[str, Any]) -> Any:
    """Take the block that begins with the first line."""
    depth = lines[0][0]
    if lines[0][1].startswith("- "):
        items = []
        while lines and lines[0][0] == depth and lines[0][1].startswith("- "):
            rest = lines.pop(0)[1][2:]
            if _KEY.fullmatch(rest) and not rest.startswith('"'):
                lines.insert(0, (depth + 2, rest))
                items.append(_block(lines, anchors))
            else:
                items.append(_inline(rest))
        return items
    found: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    while lines and lines[0][0] == depth:
        match = _KEY.fullmatch(lines.pop(0)[1])
        if match is None:
            raise ValueError("not a key and its value")
        key, rest = match[1].strip('"'), match[2] or ""
        if key == "<<":
            merged |= anchors[rest.removeprefix("*")]
            continue
        if key in found:
            raise ValueError(f"twice: {key}")
        anchor = _ANCHOR.fullmatch(rest)
        if rest and not anchor:
            found[key] = _inline(rest)
        else:
            found[key] = _block(lines, anchors) if lines and lines[0][0] > depth else None
        if anchor:
            anchors[anchor[1]] = {**merged, **found}.get(key)
    if lines and lines[0][0] > depth:
        raise ValueError("too deep")
    return {**merged, **found}


def _inline(text: str) -> Any:
    flow = _FLOW.fullmatch(text)
    if flow:
        return [_inline(item.strip()) for item in flow[1].split(",")]
    scalar = _SCALAR.fullmatch(text)
    if scalar is None:
        raise ValueError(f"not plain: {text}")
    return scalar[1] if scalar[1] is not None else scalar[2]
