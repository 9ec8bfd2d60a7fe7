"""The list of words, and how bits become words and typed text becomes words again."""

import hashlib
import importlib
import itertools
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import words
from client.errors import UsageError
from client.words import WORDS, member_words, normalise, to_words, verification_words

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests/vectors/words.json").read_text(encoding="ascii"))


def within_one_slip(one: str, other: str) -> bool:
    """Say whether one letter changed, lost or added, or two swapped, turns one into the other."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    if len(one) < len(other):
        return any(other[:i] + other[i + 1 :] == one for i in range(len(other)))
    differ = [i for i in range(len(one)) if one[i] != other[i]]
    if len(differ) == 2:
        first, second = differ
        return second == first + 1 and one[first] == other[second] and one[second] == other[first]
    return len(differ) < 2


def test_list_has_1024_words_each_once_and_sorted() -> None:
    text = (ROOT / "static/words.txt").read_text(encoding="ascii")
    assert text == "".join(f"{word}\n" for word in WORDS)
    assert len(WORDS) == 1024
    assert list(WORDS) == sorted(set(WORDS))


def test_words_are_short_lower_case_letters() -> None:
    assert all(4 <= len(w) <= 7 and w.isascii() and w.isalpha() and w.islower() for w in WORDS)


def test_no_slip_of_one_letter_turns_a_word_into_another() -> None:
    assert not [pair for pair in itertools.combinations(WORDS, 2) if within_one_slip(*pair)]


def test_no_word_begins_another() -> None:
    # Sorted, a word that begins others stands right before one of them; this rules out plurals too.
    assert not [pair for pair in itertools.pairwise(WORDS) if pair[1].startswith(pair[0])]


def test_list_is_the_one_of_the_vectors() -> None:
    listed = (ROOT / "static/words.txt").read_bytes()
    assert hashlib.sha256(listed).hexdigest() == VECTORS["list_sha256"]


@pytest.mark.parametrize("case", VECTORS["digests"], ids=lambda case: case["digest"])
def test_vector_of_digest(case: dict[str, object]) -> None:
    assert list(to_words(bytes.fromhex(str(case["digest"])))) == case["words"]


@pytest.mark.parametrize("case", VECTORS["contexts"], ids=lambda case: case["context"][:16])
def test_vector_of_context(case: dict[str, object]) -> None:
    assert list(verification_words(bytes.fromhex(str(case["context"])))) == case["words"]


@pytest.mark.parametrize("case", VECTORS["members"], ids=lambda case: case["signature_key"][:16])
def test_vector_of_member(case: dict[str, object]) -> None:
    assert list(member_words(bytes.fromhex(str(case["signature_key"])))) == case["words"]


@given(st.binary(min_size=8, max_size=40))
def test_words_are_the_first_sixty_bits(digest: bytes) -> None:
    number = 0
    for word in to_words(digest):
        number = number << 10 | WORDS.index(word)
    assert number == int.from_bytes(digest[:8], "big") >> 4


def test_too_short_digest_is_refused() -> None:
    with pytest.raises(UsageError):
        to_words(bytes(7))


SIX = ("otter", "ember", "canoe", "maple", "quilt", "zebra")


@pytest.mark.parametrize(
    "typed",
    [
        "otter ember canoe maple quilt zebra",
        "  Otter, EMBER, canoe;\tmaple\n quilt zebra. ",
        "otter-ember-canoe-maple-quilt-zebra",
        "otter_ember/canoe:maple+quilt\u2013zebra",
    ],
)
def test_typed_words_are_read_whatever_stands_between(typed: str) -> None:
    assert normalise(typed) == SIX


def test_unknown_word_is_named_and_a_near_one_offered() -> None:
    with pytest.raises(UsageError, match=r"'oter' is not one of the words: is it 'otter'\?"):
        normalise("oter ember canoe maple quilt zebra")
    with pytest.raises(UsageError, match=r"'1234' is not one of the words$"):
        normalise("1234")


@pytest.mark.parametrize("typed", ["", "otter", " ".join((*SIX, "otter"))])
def test_another_count_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="6 words"):
        normalise(typed)


@given(st.text())
def test_any_text_is_six_known_words_or_refused(typed: str) -> None:
    try:
        read = normalise(typed)
    except UsageError:
        return
    assert len(read) == 6
    assert set(read) <= set(WORDS)


def test_list_inside_the_package_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As installed: words.txt beside words.py, and no static/ anywhere near.
    package = tmp_path / "elsewhere"
    package.mkdir()
    shutil.copy(words.__file__, package / "words.py")
    shutil.copy(ROOT / "static/words.txt", package / "words.txt")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("elsewhere.words").WORDS == WORDS
