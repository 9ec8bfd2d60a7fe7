"""The keyboard of a conversation."""

import os
import pty
import sys
import termios

import pytest

from client.cli.screen import Screen


def test_nothing_is_echoed_while_a_line_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        typed = Screen(prompt=list, status=str)._session.app.input
        with typed.raw_mode():
            typing = termios.tcgetattr(slave)
            assert not typing[3] & termios.ECHO
            with typed.cooked_mode():
                assert termios.tcgetattr(slave) == typing
    os.close(master)
