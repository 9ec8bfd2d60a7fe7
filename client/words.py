"""Verification words (PROTOCOL 9.1): how sixty bits are said aloud, typed and compared.

Knows the list of words and their order; knows nothing of rooms or of where the bits come from.
"""

import difflib
import hashlib
import re
from pathlib import Path

from client.errors import UsageError

WORD_COUNT = 6
_BITS_PER_WORD = 10
_DIGEST_BYTES = 8
_SALT = b"beacon words v1"
_MEMBER_SALT = b"beacon member words v1"
_MEMBER_WORDS = 2
# 60 bits alone could be met from both sides in 2**30 tries; the rounds make each try dear.
_ROUNDS = 100_000
# What people put between words when they type, paste or dictate them.
_BETWEEN = re.compile(r"[\s,;.:/_+\-\u2010-\u2015]+")


def _load() -> tuple[str, ...]:
    # A wheel carries the list inside the package; a checkout has one file for Python and page.
    here = Path(__file__).parent
    packed = here / "words.txt"
    path = packed if packed.exists() else here.parent / "static" / "words.txt"
    return tuple(path.read_text(encoding="ascii").split())


WORDS = _load()
_KNOWN = frozenset(WORDS)


def verification_words(context: bytes) -> tuple[str, ...]:
    """Return the six words of an epoch; ``context`` is GroupContext and confirmation tag.

    Takes some 50 ms on purpose (PROTOCOL 9.1).
    """
    return to_words(hashlib.pbkdf2_hmac("sha256", context, _SALT, _ROUNDS, _DIGEST_BYTES))


def member_words(signature_key: bytes) -> tuple[str, ...]:
    """Return the two words of a member's signature key, the same for its whole stay.

    They say which member is meant; only the six words say that a room has nobody else in it.
    As slow as `verification_words`.
    """
    digest = hashlib.pbkdf2_hmac("sha256", signature_key, _MEMBER_SALT, _ROUNDS, _DIGEST_BYTES)
    return to_words(digest)[:_MEMBER_WORDS]


def to_words(digest: bytes) -> tuple[str, ...]:
    """Spell the first 60 bits as six words; raise UsageError for fewer than 8 bytes."""
    if len(digest) < _DIGEST_BYTES:
        raise UsageError(f"words need {_DIGEST_BYTES} bytes, not {len(digest)}")
    bits = int.from_bytes(digest[:_DIGEST_BYTES], "big") >> (
        8 * _DIGEST_BYTES - _BITS_PER_WORD * WORD_COUNT
    )
    mask = (1 << _BITS_PER_WORD) - 1
    shifts = range(_BITS_PER_WORD * (WORD_COUNT - 1), -1, -_BITS_PER_WORD)
    return tuple(WORDS[bits >> shift & mask] for shift in shifts)


def normalise(text: str) -> tuple[str, ...]:
    """Read six words as a person types them, whatever the case and whatever stands between.

    Raises UsageError for another count, or naming the first word that is not in the list.
    """
    words = tuple(word for word in _BETWEEN.split(text.lower()) if word)
    for word in words:
        if word not in _KNOWN:
            near = difflib.get_close_matches(word, WORDS, n=1)
            hint = f": is it {near[0]!r}?" if near else ""
            raise UsageError(f"{word!r} is not one of the words{hint}")
    if len(words) != WORD_COUNT:
        raise UsageError(f"verification takes {WORD_COUNT} words, not {len(words)}")
    return words
