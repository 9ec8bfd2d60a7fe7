"""How events look to programs, whatever others put into them."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.cli.record import to_json
from client.event import Event, Message
from tests.client.cli.events import ALL, ANN, HOSTILE, PLACE


@pytest.mark.parametrize(("event", "fields"), [(e, fields) for e, _, fields in ALL], ids=repr)
def test_json_of_each_event(event: Event, fields: dict[str, object]) -> None:
    spelt = json.loads(to_json(event, 100.0))
    assert spelt == {"v": 1, **fields}
    assert list(spelt)[:2] == ["v", "type"]


def test_json_is_spelt_as_documented() -> None:
    assert to_json(Message(ANN, None, "...", *PLACE), 0.0) == (
        '{"v":1,"type":"message","from":"0x3f8a","nick":null,"text":"...",'
        '"life":"qCoV22FdhPY","seq":7,"late":false}'
    )


@given(HOSTILE, st.none() | HOSTILE)
def test_json_holds_the_whole_text_in_one_printable_line(text: str, nick: str | None) -> None:
    spelt = to_json(Message(ANN, nick, text, *PLACE), 0.0)
    assert len(spelt.splitlines()) == 1
    assert not [c for c in spelt if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    read = json.loads(spelt)
    # Surrogates that were apart in the text meet in JSON; a message has none (R21).
    assert read["text"].encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")
    assert read["nick"] is None if nick is None else isinstance(read["nick"], str)
