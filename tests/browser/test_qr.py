"""The page's QR codes against segno's, module by module, at the version and mask of ours."""

import json
import random
import subprocess
from typing import TypedDict

import segno

from client import create_link
from tests.e2e.process import ROOT

PATIENCE_S = 60.0
SCRIPT = """
import { encode } from './static/js/qr.js';
let input = '';
for await (const part of process.stdin) input += part;
const codes = JSON.parse(input).map((text) => {
  const { size, version, mask, modules } = encode(text);
  return { size, version, mask, modules: modules.join('') };
});
console.log(JSON.stringify(codes));
"""


class Code(TypedDict):
    size: int
    version: int
    mask: int
    modules: str


def encoded(texts: list[str]) -> list[Code]:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        input=json.dumps(texts), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes: list[Code] = json.loads(done.stdout)
    return codes


def texts() -> list[str]:
    """Return links as people have them, and texts of every length that the page can encode."""
    draw = random.Random(1)
    found = [create_link(f"https://relay{n}.example").to_url() for n in range(20)]
    for length in (*range(1, 410, 7), 411, 412):
        found.append("".join(chr(draw.randrange(0x20, 0x7F)) for _ in range(length)))
    # Links with a host in other letters, as far as byte mode is concerned.
    return [*found, "https://b\u00fccher.example/#\u2713", "\U0001f600" * 100, "0" * 412, "A" * 400]


def test_codes_are_segnos_at_the_same_version_and_mask() -> None:
    masks, versions = set(), set()
    drawn = texts()
    for text, code in zip(drawn, encoded(drawn), strict=True):
        # segno names no version smaller than the one that fits: so ours is the smallest too.
        smallest = segno.make_qr(text, error="m", mode="byte", encoding="utf-8", boost_error=False)
        assert code["version"] == smallest.version, text
        expected = segno.make_qr(
            text, error="m", mode="byte", encoding="utf-8", boost_error=False,
            version=code["version"], mask=code["mask"],
        )  # fmt: skip
        modules = "".join(str(int(dark)) for row in expected.matrix for dark in row)
        assert (code["size"], code["modules"]) == (len(expected.matrix), modules), text
        masks.add(code["mask"])
        versions.add(code["version"])
    assert versions == set(range(1, 16))
    assert len(masks) >= 6


def test_what_does_not_fit_is_refused() -> None:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        input=json.dumps(["x" * 413]), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode != 0
    assert "RangeError" in done.stderr
