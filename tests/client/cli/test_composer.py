"""What typed and pasted lines mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.cli.composer import (
    DropHeld,
    Help,
    Order,
    Quit,
    Rename,
    Say,
    SendHeld,
    Verify,
    Who,
    read,
)
from client.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "order"),
    [
        ("", None),
        ("   ", None),
        ("\n\n", None),
        ("hello", Say(("hello",))),
        ("  hello ", Say(("  hello ",))),
        (" /who", Say((" /who",))),
        ("//who", Say(("/who",))),
        ("//", Say(("/",))),
        ("/who", Who()),
        ("/who ", Who()),
        ("/verify", Verify()),
        ("/verify 0x3f8a ", Verify("0x3f8a")),
        ("/help", Help()),
        ("/send", SendHeld()),
        ("/drop", DropHeld()),
        ("/quit", Quit()),
        ("/nick ann", Rename("ann")),
        ("/nick  ann b ", Rename("ann b")),
        ("one\n\n  two", Say(("one", "", "  two"))),
        ("/etc/passwd\n/quit", Say(("/etc/passwd", "/quit"))),
        ("x" * 500, Say(("x" * 500,))),
        ("/" + "/" * 500, Say(("/" * 500,))),
    ],
    ids=ascii,
)
def test_typed_line(typed: str, order: Order | None) -> None:
    assert read(typed) == order


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("x" * 501, "501 characters"),
        ("/who is it", "no such command"),
        ("/usr/bin", "no such command"),
        ("/nick", "nickname"),
        ("/nick " + "n" * 33, "nickname"),
        ("fine\n" + "x" * 501, "line 2: 501 characters"),
        ("a\udc80", "surrogates"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_refused_line_says_why(typed: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(typed)


@given(st.text(max_size=600))
def test_any_text_is_an_order_nothing_or_refused(typed: str) -> None:
    try:
        order = read(typed)
    except UsageError:
        return
    if isinstance(order, Say) and not typed.startswith("//"):
        assert "\n".join(order.texts) == typed
