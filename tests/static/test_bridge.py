"""The way to rooms of JavaScript, where it fails."""

import signal
from collections.abc import Iterator

import pytest

from client.errors import UsageError
from client.link import Link, Tag
from tests import node, rooms
from tests.node import NodeError
from tests.node_room import NodeRoom
from tests.pair import Stage

LINK = Link("http", "127.0.0.1:8000", bytes(range(32)))


@pytest.fixture(scope="module", autouse=True)
def process() -> Iterator[None]:
    yield
    node.stop()


@pytest.fixture
def room() -> NodeRoom:
    return NodeRoom(LINK, lambda n: bytes(n))


def test_errors_of_the_page_are_those_of_python(room: NodeRoom) -> None:
    with pytest.raises(UsageError):
        room.rename("a\nb", 0.0)


def test_faults_of_the_page_are_no_errors_of_its_own_and_say_where(room: NodeRoom) -> None:
    with pytest.raises(NodeError, match="has no nothing"):
        room._talk.nothing  # noqa: B018
    with pytest.raises(NodeError, match=r"bridge\.js"):
        room._talk.upkeep._asked()


def test_node_that_does_not_answer_says_so(room: NodeRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "ANSWER_S", 0.05)
    node.node()._process.send_signal(signal.SIGSTOP)
    with pytest.raises(NodeError, match="did not answer 'connected'"):
        room.connected(0.0)
    node.stop()


def test_node_that_has_ended_says_so(room: NodeRoom) -> None:
    node.node()._process.kill()
    with pytest.raises(NodeError, match="has ended"):
        room.connected(0.0)
    node.stop()


def test_words_are_made_once_an_epoch_and_once_a_member() -> None:
    with rooms.using("javascript"):
        stage = Stage()
        (one,) = stage.join(1)
    made = one.room._inside
    assert one.room.tag is not None
    for _ in range(2):
        one.room._known.clear()
        assert len(one.room.words) == 6
        assert len(one.room.member_words(one.room.tag)) == 2
        assert len(made._words) == 2
    assert one.room.member_words(Tag("0x0bad")) == ()
