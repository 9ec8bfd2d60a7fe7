"""Members on different lines of epochs find together (R12, R13, R14)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from client import content, mls, seal
from client.errors import StrandedError
from client.event import Unconfirmed
from client.mls import CONTENT_OVERHEAD, Identity, found
from client.seal import Kind
from client.stay import Phase
from client.stray import CONFIRM_S, MAX_FOREIGN, SEEK_S
from tests.pair import LINK, Client, Stage

KEYS = LINK.keys()


@contextmanager
def spoiled(clients: list[Client]) -> Iterator[None]:
    """For these, the next commit has a path that they cannot open; its line will never be shown."""
    groups = {id(client.room.group) for client in clients}
    follow = mls.Group.follow

    def strand(group: mls.Group, commit: bytes, fence: int) -> mls.Followed:
        if id(group) in groups:
            raise StrandedError(b"x" * 32, b"y" * 32, b"z" * 32)
        return follow(group, commit, fence)

    mls.Group.follow = strand  # type: ignore[method-assign]
    try:
        yield
    finally:
        mls.Group.follow = follow  # type: ignore[method-assign]


def renew(stage: Stage, client: Client) -> None:
    """Let a client make an empty commit."""
    client.room._membership.duties._heal_at = stage.now
    stage.wait(0.1)


def lines(stage: Stage) -> int:
    groups = [client.room.group for client in stage.clients]
    return len({group.confirmed_transcript_hash for group in groups if group is not None})


def hear(stage: Stage, receiver: Client, by: Client, group: mls.Group) -> None:
    """Show one client a frame of another group under a member's tag."""
    data = content.serialize(content.Void(1, 0))
    fence = stage.relay.fence
    message = group.encrypt(data, fence, seal.size_class(len(data) + CONTENT_OVERHEAD))
    sealed = seal.seal(KEYS.seal, KEYS.room_id, Kind.APPLICATION, fence, message)
    assert by.room.tag is not None
    stage.relay.numbers.clear()
    stage.deliver(receiver, stage.relay.frame(1, by.room.tag, fence, sealed))


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8])
def test_r13_halves_that_refuse_each_other_find_together(size: int) -> None:
    stage = Stage()
    stage.join(size)
    stage.wait(20)
    with spoiled(stage.clients[size // 2 :]):
        renew(stage, stage.clients[0])
    assert stage.clients[-1].room.phase is Phase.STRANDED
    stage.wait(100)
    assert lines(stage) == 1
    for index, client in enumerate(stage.clients):
        stage.say(client, str(index))
    stage.wait(5)
    for index, client in enumerate(stage.clients):
        assert sorted(client.texts) == [str(n) for n in range(size) if n != index]


def test_r13_one_traitor_does_not_outweigh_two_who_are_honest() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    stage.wait(10)
    epoch = one.room.group.epoch  # type: ignore[union-attr]
    other = found(Identity.generate(), "0x1002", KEYS.psk, KEYS.room_id).group
    for _ in range(3):
        hear(stage, one, three, other)
        stage.wait(3)
    assert one.notices().count("divided") >= 1
    assert one.room.group.epoch == epoch  # type: ignore[union-attr]
    assert (one.room.phase, two.room.phase) == (Phase.JOINED, Phase.JOINED)


def test_r13_searches_back_off_and_end() -> None:
    stage = Stage()
    one, _two = stage.join(2)
    stray = one.room._membership.stray
    waits = []
    for _ in range(4):
        start = stage.now
        assert stray.foreign(one.room.tag, stage.now)  # type: ignore[arg-type]
        assert not stray.foreign(one.room.tag, stage.now)  # type: ignore[arg-type]
        while stray.is_seeking:
            stage.wait(0.5)
        waits.append(stage.now - start - SEEK_S)
    assert waits == [0.0, 1.0, 2.0, 4.0]
    for number in range(MAX_FOREIGN + 5):
        stray.foreign(f"0x{number:04x}", stage.now)  # type: ignore[arg-type]
    assert len(stray._foreign) == MAX_FOREIGN


def test_r14_nobody_heard_is_shown_once_and_another_line_looked_for() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    stage.wait(1)
    # The first one stays silent: nothing that it sends reaches the relay.
    stage.relay.receive, receive = lambda *_: None, stage.relay.receive  # type: ignore[method-assign,misc]
    two = stage.client()
    two.session = stage.relay.connect()
    stage.perform(two, two.room.connected(stage.now))

    def from_two(session: object, data: str | bytes) -> None:
        if session is two.session:
            receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = from_two  # type: ignore[method-assign]
    stage.wait(CONFIRM_S + 1)
    told = [e for e in two.events if isinstance(e, Unconfirmed)]
    assert [e.tags for e in told] == [(one.room.tag,)]
    assert [m.heard for m in two.room.members] == [False, True]
    stage.wait(30)
    assert len([e for e in two.events if isinstance(e, Unconfirmed)]) == 1
    stage.relay.receive = receive  # type: ignore[method-assign]
    stage.wait(80)
    assert [m.heard for m in two.room.members] == [True, True]
    assert lines(stage) == 1


def test_r14_whoever_is_heard_in_time_is_not_shown() -> None:
    stage = Stage()
    stage.join(2)
    stage.wait(60)
    assert not any(isinstance(e, Unconfirmed) for c in stage.clients for e in c.events)


def test_r14_others_who_are_away_need_not_be_heard() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    one.wants_connection = False
    stage.cut(one)
    (two,) = stage.join(1)
    stage.wait(20)
    assert not any(isinstance(e, Unconfirmed) for e in two.events)


def test_r13_who_hears_nobody_for_two_pulses_looks_for_others() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.wait(10)
    needs = []
    receive = stage.relay.receive

    def watch(session: object, data: str | bytes) -> None:
        if session is two.session:
            return
        needs.append(data == '{"type":"need"}')
        receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = watch  # type: ignore[method-assign]
    stage.wait(140)
    assert not any(needs)
    stage.wait(30)
    assert any(needs)
    assert [m.silent for m in one.room.members] == [False, True]
    assert one.room.phase is Phase.JOINED


def test_r13_another_line_is_joined_where_nobody_is_heard_on_ours() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.wait(10)
    with spoiled([two]):
        renew(stage, one)
    stage.wait(5.3)
    two.room._stay.heard.clear()
    stage.wait(60)
    assert lines(stage) == 1


def test_group_that_is_another_within_one_life_is_told() -> None:
    stage = Stage()
    one, two = stage.join(2)
    staged = found(Identity.generate(), "0x2000", KEYS.psk, KEYS.room_id)
    group = staged.group
    fence = stage.relay.fence
    stage.relay.tickets.clear()
    sealed = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, fence, group.group_info(fence))
    stage.relay.infos = [sealed]
    two.wants_connection = False
    stage.cut(two)
    stage.cut(one)
    stage.settle()
    assert "another_group" in one.notices()
