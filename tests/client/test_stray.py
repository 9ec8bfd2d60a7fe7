"""Which line of epochs is the better one, and how long to look for it (R12, R13, R14)."""

import pytest

from client.effect import Emit, Send
from client.event import Unconfirmed
from client.link import Tag
from client.seal import Kind, seal
from client.stay import SILENT_S, Phase
from client.stray import CONFIRM_S, LOST_S, MAX_WAIT_S, NEED_S, SEEK_S, STRANDED_S, Stray, _Backoff
from client.wire import NEED, Info
from tests.client.overheard import come_back, cut_off, quiet
from tests.pair import LINK, Client, Stage

KEYS = LINK.keys()


@pytest.fixture
def pair() -> tuple[Stage, Client, Client]:
    stage, (one, two) = quiet(2)
    return stage, one, two


def info(fence: int, *clients: Client) -> Info:
    """GroupInfos of these clients' groups as the relay would show them."""
    sealed = []
    for client in clients:
        assert client.room.group is not None
        data = client.room.group.group_info(fence)
        sealed.append(seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, fence, data))
    return Info(fence, tuple(sealed))


def needs(client: Client) -> int:
    effects, client.room._stay.effects = client.room._stay.effects, []
    return effects.count(Send(NEED))


def stray_of(client: Client) -> Stray:
    return client.room._membership.stray


def test_r13_tries_back_off_to_a_minute_and_begin_anew_after_a_quiet_time() -> None:
    backoff, now, waits = _Backoff(), 1000.0, []
    for _ in range(9):
        waits.append(backoff.next_s(now))
        now += waits[-1]
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.next_s(now + 2 * MAX_WAIT_S) == MAX_WAIT_S
    assert backoff.next_s(now + MAX_WAIT_S + 4 * MAX_WAIT_S + 1) == 0


def test_r12_stranded_member_asks_every_two_seconds_until_its_time_is_over(
    pair: tuple[Stage, Client, Client],
) -> None:
    _, one, _ = pair
    stray, now = stray_of(one), 5000.0
    stray.strand(None, now)
    assert one.room.phase is Phase.STRANDED
    assert not stray.is_seeking
    asked = 0
    while not stray.tick(now):
        asked += needs(one)
        at = stray.deadline()
        assert at is not None
        now = at
    assert (now, asked) == (5000.0 + LOST_S, LOST_S / NEED_S)
    stray.stop()
    assert stray.deadline() is None


def test_r12_one_commit_after_another_is_asked_about_after_half_a_second(
    pair: tuple[Stage, Client, Client],
) -> None:
    _, one, _ = pair
    stray, now = stray_of(one), 5000.0
    stray.left_behind(None, now)
    stray.tick(now)
    assert needs(one) == 1
    stray.strand(None, now)
    stray.tick(now)
    assert needs(one) == 0
    assert stray.deadline() == now + NEED_S / 4


def test_r12_new_connection_gives_the_whole_time_again(pair: tuple[Stage, Client, Client]) -> None:
    _, one, _ = pair
    stray = stray_of(one)
    stray.strand(None, 5000.0)
    stray.resume(5009.0)
    assert not stray.tick(5009.0 + LOST_S - 0.1)
    assert stray.tick(5009.0 + LOST_S)


def test_r13_search_lasts_five_seconds_and_is_not_begun_twice(
    pair: tuple[Stage, Client, Client],
) -> None:
    _, one, two = pair
    stray, now = stray_of(one), 5000.0
    one.room._stay.heard = {two.room._stay.identity.signature_key: now}
    tag = Tag("0x1001")
    assert stray.foreign(tag, now)
    assert not stray.foreign(tag, now)
    assert not stray.tick(now)
    assert needs(one) == 1
    assert stray.tick(now + SEEK_S)
    stray.stop()
    assert not stray.is_seeking
    assert STRANDED_S <= SEEK_S


def test_r13_who_is_stranded_does_not_look_beside(pair: tuple[Stage, Client, Client]) -> None:
    _, one, _ = pair
    one.room._stay.phase = Phase.STRANDED
    stray = stray_of(one)
    assert not stray.foreign(Tag("0x1001"), 5000.0)
    assert stray.deadline() is None


def test_r13_own_line_is_no_choice_for_who_stands_on_it(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    assert stray_of(one).choices(info(stage.relay.fence, two)) == []
    # Nor where nobody is heard.
    one.room._stay.heard.clear()
    assert stray_of(one).choices(info(stage.relay.fence, two)) == []
    one.room._stay.phase = Phase.STRANDED
    assert len(stray_of(one).choices(info(stage.relay.fence, two))) == 1


def elsewhere(stage: Stage) -> Client:
    """A client of another group of the same link, one epoch behind ours."""
    (other,) = Stage(seed=b"elsewhere").join(1)
    return other


def test_r13_who_hears_nobody_takes_any_other_line_and_who_hears_somebody_the_higher(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, _ = pair
    lower = info(stage.relay.fence, elsewhere(stage))
    stray = stray_of(one)
    assert stray.choices(lower) == []
    one.room._stay.now += SILENT_S
    assert len(stray.choices(lower)) == 1
    one.room._stay.heard.clear()
    assert len(stray.choices(lower)) == 1


def test_r13_line_with_more_present_seats_is_better_though_its_epoch_is_lower() -> None:
    stage, clients = quiet(4)
    one, two, three, four = clients
    lower = info(stage.relay.fence, elsewhere(stage))
    stray, now = stray_of(one), stage.now
    stay = one.room._stay
    assert two.room.tag is not None
    assert three.room.tag is not None
    assert four.room.tag is not None
    stay.heard = {four.room._stay.identity.signature_key: now - 5}
    stray.foreign(two.room.tag, now)
    stray.foreign(three.room.tag, now)
    # Two there and two here: the order of the lines decides.
    assert stray.choices(lower) == []
    # Whoever is away counts not on ours either.
    cut_off(stage, four)
    stage.settle()
    assert len(stray.choices(lower)) == 1
    come_back(stage, four)
    stay.heard = {four.room._stay.identity.signature_key: now - 5}
    assert stray.choices(lower) == []
    # What came last of the fourth was of the other line.
    stray.foreign(four.room.tag, now)
    assert len(stray.choices(lower)) == 1
    # Who is away counts nowhere.
    cut_off(stage, two)
    cut_off(stage, three)
    stage.settle()
    assert stray.choices(lower) == []


def test_r14_line_of_who_led_us_astray_is_tried_last(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    other = elsewhere(stage)
    fence = stage.relay.fence
    one.room._stay.phase = Phase.STRANDED
    shown = info(fence, two, other)
    stray = stray_of(one)
    key = two.room._stay.identity.signature_key
    one.room._stay.heard.clear()
    stray.entered(None, stage.now)
    signers = [c.inspected.signer.signature_key for c in stray.choices(shown)]
    assert signers[0] == key
    stray.entered(key, stage.now)
    again = [c.inspected.signer.signature_key for c in stray.choices(shown)]
    assert again == signers[::-1]


def test_r25_group_info_that_is_none_is_no_choice(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    one.room._stay.phase = Phase.STRANDED
    (good,) = info(stage.relay.fence, two).entries
    shown = Info(stage.relay.fence, (b"nothing", good[:-1] + b"x", good))
    assert len(stray_of(one).choices(shown)) == 1


def test_r13_who_is_alone_looks_for_nobody() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    stage.wait(2 * SILENT_S + 1)
    assert not stray_of(one).is_seeking
    assert one.room._membership.stray._seek_after == 0.0


def test_r14_founder_waits_for_nobody_and_who_comes_in_is_told_once() -> None:
    stage, (one, two) = quiet(2)
    stay, now = one.room._stay, stage.now
    stray = Stray(stay, one.room._roster)
    stay.heard.clear()
    stray.entered(None, now)
    stray.tick(now + CONFIRM_S)
    assert not stray.is_seeking
    stray.entered(b"signer", now)
    for at in (CONFIRM_S - 0.1, CONFIRM_S, 2 * CONFIRM_S, 3 * CONFIRM_S):
        stray.tick(now + at)
        assert stray.is_seeking == (at >= CONFIRM_S)
    told = [e.event for e in stay.effects if hasattr(e, "event")]
    assert told == [Unconfirmed((two.room.tag,))]  # type: ignore[arg-type]


def test_r14_whoever_is_heard_or_alone_by_then_is_not_told() -> None:
    stage, (one, two) = quiet(2)
    stay, now = one.room._stay, stage.now
    for heard in (True, False):
        stray = Stray(stay, one.room._roster)
        stray.entered(b"signer", now)
        stay.heard = {two.room._stay.identity.signature_key: now} if heard else {}
        if not heard:
            one.room._roster.away(Tag("0x1001"))
        stray.tick(now + CONFIRM_S)
        assert stay.effects == []
        assert not stray.is_seeking
    # Those who are away may come back: then they have five seconds.
    one.room._roster.present(Tag("0x1001"))
    stray.tick(now + 2 * CONFIRM_S - 0.1)
    assert stay.effects == []
    stray.tick(now + 2 * CONFIRM_S)
    assert [type(effect) for effect in stay.effects] == [Emit, Send]


def test_r14_new_connection_gives_five_seconds_more() -> None:
    stage, (one, _two) = quiet(2)
    stay, now = one.room._stay, stage.now
    stay.heard.clear()
    stray = Stray(stay, one.room._roster)
    stray.entered(b"signer", now)
    stray.resume(now + 4)
    stray.tick(now + CONFIRM_S)
    assert stay.effects == []
    stray.tick(now + 4 + CONFIRM_S)
    assert [type(effect) for effect in stay.effects] == [Emit, Send]
