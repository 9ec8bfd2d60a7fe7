"""R32: whoever comes later gets nothing of before, with all the help that a relay can give."""

import secrets

import pytest

from client import content
from client.content import Ask
from tests.hostile.checks import Checks
from tests.hostile.core import Connection
from tests.hostile.stage import Client, seeded

BEFORE = 8


class Recorder(Checks):
    """A stage whose relay writes down everything that passes, in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[bytes] = []

    def deliver(self, client: Client, data: str | bytes) -> None:
        if isinstance(data, bytes) and data not in self.log:
            self.log.append(data)
        super().deliver(client, data)

    def show(self, client: Client, frame: bytes, seq: int, fence: int, tag: bytes) -> None:
        """Show a client a frame of earlier, under numbers as they please the relay."""
        numbers = seq.to_bytes(8, "big") + fence.to_bytes(8, "big")
        self.deliver(client, frame[:2] + tag + numbers + frame[20:])
        # Whoever would not take it comes back.
        self.wait(12.0)


def recorded(stage: Recorder, members: int = 3) -> list[Client]:
    """People who have talked, over several epochs, and lost something on the way."""
    clients = stage.join(members)
    for number in range(BEFORE):
        for client in clients:
            stage.say(client)
        if number == BEFORE // 2:
            stage.join()
        stage.cut(clients[number % members])
        stage.wait(5.0)
    return clients


def frames(stage: Recorder) -> list[bytes]:
    return [data for data in stage.log if data[:1] == b"\x11"]


@pytest.mark.parametrize("fresh_numbers", [False, True])
@pytest.mark.parametrize("own_fence", [False, True])
def test_newcomer_is_shown_nothing_of_a_record(fresh_numbers: bool, own_fence: bool) -> None:
    with seeded("newcomer"):
        stage = Recorder()
        recorded(stage)
        before = frames(stage)
        assert len(before) > 3 * BEFORE
        (newcomer,) = stage.join()
        stage.wait(5.0)
        for frame in before:
            room = newcomer.room
            seq = room._stay.seq + 1 if fresh_numbers else int.from_bytes(frame[4:12], "big")
            fence = room.fence if own_fence else int.from_bytes(frame[12:20], "big")
            stage.show(newcomer, frame, seq, fence, frame[2:4])
        stage.wait(90.0)
        # Checks fails at once if it is told what it was not there for; that is all of it.
        assert newcomer.texts == []


def asks(stage: Recorder, client: Client) -> None:
    """Ask every member for all that it ever said, as a member may, whatever it has had."""
    stay = client.room._stay
    assert stay.group is not None
    leaves = sorted(leaf.leaf for leaf in stay.others)
    said = Ask(0, 0, tuple((leaf, 1, 64) for leaf in leaves))
    stay.post(secrets.token_bytes(8), content.serialize(said))
    effects, stay.effects = stay.effects, []
    stage.perform(client, effects)
    stage.wait(4.0)


def repaired(client: Client, key: bytes) -> set[int]:
    """The counters that a client has sent once more to the owner of a key."""
    kept = client.room._talk.kept._contents
    return {counter for counter, content_ in kept.items() if content_.repairs.get(key)}


def test_asks_of_a_newcomer_are_not_answered() -> None:
    with seeded("asks"):
        stage = Recorder()
        members = recorded(stage)
        (newcomer,) = stage.join()
        for _ in range(5):
            asks(stage, newcomer)
        assert not any(repaired(member, newcomer.key) for member in members)
        # What is said from now on may be asked for, and is.
        said = stage.say(members[0])
        asks(stage, newcomer)
        assert len(repaired(members[0], newcomer.key)) == 1
        assert newcomer.texts == [said.text]


def test_asks_of_members_are_of_no_use_to_a_newcomer() -> None:
    """The relay makes a member ask, and hands what is answered to the newcomer as well."""
    with seeded("others"):
        stage = Recorder()
        members = recorded(stage)
        (newcomer,) = stage.join()
        start = len(stage.log)
        for _ in range(4):
            asks(stage, members[1])
        assert repaired(members[0], members[1].key)
        for frame in frames(stage)[start:]:
            tag = bytes.fromhex(str(newcomer.room.tag)[2:])
            stage.show(newcomer, frame, newcomer.room._stay.seq + 1, newcomer.room.fence, tag)
        stage.wait(60.0)
        assert newcomer.texts == []


@pytest.mark.parametrize("keeps_key", [False, True])
def test_restart_makes_a_newcomer_no_older(keeps_key: bool) -> None:
    """Members of a lost group are on their way back; one who was in no such group is not."""
    with seeded("restart"):
        stage = Recorder()
        members = recorded(stage)
        stage.restart(keeps_key=keeps_key)
        newcomer = stage.client()
        for _ in range(30):
            stage.wait(2.0)
            if newcomer.room.phase.name == "JOINED":
                asks(stage, newcomer)
        assert stage.is_whole()
        assert not any(repaired(member, newcomer.key) for member in members)
        assert newcomer.texts == []


def test_resume_of_another_gives_a_newcomer_nothing_that_it_can_open() -> None:
    """The relay replays a whole ring to a newcomer as if it had been there."""
    with seeded("ring"):
        stage = Recorder()
        recorded(stage)
        (newcomer,) = stage.join()
        room, home = newcomer.room, stage.core.home
        assert home is not None
        stage.cut(newcomer)
        room._stay.seq = 0
        stage.wait(30.0)
        connection = newcomer.connection
        assert isinstance(connection, Connection)
        assert stage.is_whole()
        assert newcomer.texts == []
