"""The terminal of a conversation: lines above, the line being typed and a status line (shell).

Knows prompt_toolkit and keys; knows nothing of rooms.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError, Validator

from client.cli.composer import read
from client.cli.render import Piece, to_hex
from client.content import MAX_TEXT_CHARS
from client.errors import UsageError

# The status line counts seconds down; twice a second is often enough for an honest count.
_REFRESH_S = 0.5
# From here on the length of the text is shown.
_COUNTED_CHARS = MAX_TEXT_CHARS - 100


class Interrupted(Exception):
    """The person wants to leave by Ctrl-C. Not KeyboardInterrupt, which would end the loop."""


class _Sendable(Validator):
    """Keeps in the line what cannot be sent, and says why."""

    def validate(self, document: Document) -> None:
        try:
            read(document.text)
        except UsageError as exc:
            raise ValidationError(len(document.text), str(exc)) from exc


class Screen:
    """What a conversation draws on; ``prompt`` and ``status`` are asked whenever it is drawn."""

    def __init__(self, prompt: Callable[[], list[Piece]], status: Callable[[], str]) -> None:
        self._prompt = prompt
        self._status = status
        # What stood in the line when `ask` was cancelled.
        self.abandoned = ""
        self._lines: deque[FormattedText] = deque()
        self._depth = ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None
        keyboard = create_input()
        # While a line is printed what is typed waits: echoed, it would stand in the middle of it.
        keyboard.cooked_mode = nullcontext  # type: ignore[method-assign]
        self._session: PromptSession[str] = PromptSession(
            lambda: _format([*self._prompt(), Piece("> ")]),
            bottom_toolbar=self._toolbar,
            color_depth=self._depth,
            erase_when_done=True,
            input=keyboard,
            key_bindings=_keys(),
            refresh_interval=_REFRESH_S,
            reserve_space_for_menu=0,
            validate_while_typing=False,
            validator=_Sendable(),
        )

    async def ask(self) -> str:
        """Return the next line that is entered; raise EOFError or Interrupted."""
        try:
            return await self._session.prompt_async()
        except asyncio.CancelledError:
            self.abandoned = self._session.default_buffer.text
            raise

    def show(self, pieces: list[Piece]) -> None:
        """Print a line above the one being typed."""
        self._lines.append(_format([*pieces, Piece("\n")]))
        if self._session.app.loop is None:
            self._print()
        else:
            # This waits its turn at the terminal. What is shown between two lines that are typed
            # does not, and so takes along whatever waits: no line overtakes another.
            run_in_terminal(self._print)

    def _print(self) -> None:
        output = self._session.app.output
        depth = self._depth or output.get_default_color_depth()
        while self._lines:
            print_formatted_text(output, self._lines.popleft(), Style([]), color_depth=depth)
        output.flush()

    def _toolbar(self) -> str:
        text = self._session.default_buffer.text
        lines = text.count("\n") + 1
        if lines > 1:
            return f" {lines} lines: Enter sends {lines} messages | {self._status()}"
        if len(text) > _COUNTED_CHARS:
            return f" {len(text)} of {MAX_TEXT_CHARS} characters | {self._status()}"
        return f" {self._status()}"


def _format(pieces: list[Piece]) -> FormattedText:
    return FormattedText(
        ("" if piece.colour is None else f"fg:{to_hex(piece.colour)}", piece.text)
        for piece in pieces
    )


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-c")
    def clear_or_leave(event: KeyPressEvent) -> None:
        # As in a shell: what was typed goes first. Leaving a room cannot be undone.
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            leave(event)

    @keys.add("<sigint>")
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(exception=Interrupted())

    return keys
