"""Every error has its exit code and a sentence."""

import pytest

from client.cli.exits import Exit, exit_of, explain
from client.errors import (
    AuthenticationError,
    ClientError,
    FrameError,
    HeldError,
    LimitError,
    LinkError,
    RefusedError,
    StateError,
    TransportError,
    UsageError,
    VerificationError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (LinkError("x"), 2),
        (TransportError("x"), 3),
        (RefusedError("full"), 4),
        (LimitError("x"), 4),
        (HeldError("x"), 4),
        (VerificationError("x"), 5),
        (StateError("x"), 1),
        (FrameError("x"), 1),
        (AuthenticationError(), 1),
    ],
    ids=repr,
)
def test_code_of_each_error(error: ClientError, code: int) -> None:
    assert exit_of(error) == code


def test_codes_are_those_of_the_documents() -> None:
    assert {e.name: e.value for e in Exit if 0 < e.value < 7} == {
        "FAULT": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "REFUSED": 4,
        "UNVERIFIED": 5,
        "TIMED_OUT": 6,
    }


def test_reasons_are_sentences() -> None:
    assert explain(RefusedError("full")) == "the room is full"
    assert explain(RefusedError("something")) == "the relay refused: something"
    assert explain(TransportError("the relay cannot be reached")) == "the relay cannot be reached"
