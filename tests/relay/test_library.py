from relay.library import Uncommon
from tests.relay.raw import client_frame


def test_fragments_become_one_message() -> None:
    uncommon = Uncommon()
    first = uncommon.take(client_frame(1, b"a", fin=False), 100)
    assert (first.answer, first.message, first.is_over) == (b"", None, False)
    ping = uncommon.take(client_frame(9, b"p"), 100)
    assert (ping.answer, ping.message) == (b"\x8a\x01p", None)
    last = uncommon.take(client_frame(0, b"b"), 100)
    assert (last.message, last.is_text) == (b"ab", True)
    uncommon.take(client_frame(2, b"a", fin=False), 100)
    assert uncommon.take(client_frame(0), 100).is_text is False


def test_close_is_answered_and_ends() -> None:
    taken = Uncommon().take(client_frame(8, b"\x03\xe8"), 100)
    assert (taken.answer, taken.is_over) == (b"\x88\x02\x03\xe8", True)
