"""Write tests/vectors/words.json. Run by hand after a change of the list or of PROTOCOL 9.1.

Reads bits from a string and words from the file, unlike client/words.py, so that the two check
each other: python scripts/words_vectors.py
"""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORDS = (ROOT / "static" / "words.txt").read_text(encoding="ascii").splitlines()


def spell(digest: bytes) -> list[str]:
    bits = "".join(f"{byte:08b}" for byte in digest)
    return [WORDS[int(bits[start : start + 10], 2)] for start in range(0, 60, 10)]


def digest_of(context: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", context, b"beacon words v1", 100_000, 8)


def main() -> None:
    digests = [
        bytes(8),
        b"\xff" * 8,
        bytes(range(8)),
        # The last four bits belong to no word.
        b"\x00" * 7 + b"\x0f",
        b"\x00" * 7 + b"\x10",
        bytes.fromhex("8040201008040201"),
    ]
    contexts = [b"", b"beacon", bytes(range(256)), b"\x00" * 300]
    vectors = {
        "section": "PROTOCOL 9.1",
        "list_sha256": hashlib.sha256("\n".join(WORDS).encode("ascii") + b"\n").hexdigest(),
        "digests": [{"digest": d.hex(), "words": spell(d)} for d in digests],
        "contexts": [
            {"context": c.hex(), "digest": digest_of(c).hex(), "words": spell(digest_of(c))}
            for c in contexts
        ],
    }
    path = ROOT / "tests" / "vectors" / "words.json"
    path.write_text(json.dumps(vectors, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
