import hashlib

import pytest

from relay import wire
from relay.errors import CloseCode, Reason, RefusedError
from relay.limits import Bucket, Rate
from relay.session import (
    MAX_REFUSALS,
    Confirm,
    Effect,
    End,
    Enter,
    Forward,
    Ignored,
    Inform,
    Reply,
    Return,
    Session,
    SessionLimits,
    State,
)
from relay.wire import Commit, Need, Offer, Post
from tests.relay.raw import (
    commit_bytes,
    hello_text,
    new_link,
    new_reference,
    offer_bytes,
    post_bytes,
    resume_text,
)

LIMITS = SessionLimits(
    messages=Rate(1.0, 10), commits=Rate(0.5, 5), max_commit_bytes=131_072, hello_s=5.0
)
NO_LIMIT = Rate(0.0, 1)
HOST = "relay.example"
NONCE = bytes(range(32))
LINK = new_link()


def new_session(source: Rate = NO_LIMIT, hosts: tuple[str, ...] = (HOST,)) -> Session:
    return Session(LIMITS, Bucket(source), hosts, NONCE, 0.0)


def hello(host: str = HOST, nonce: bytes = NONCE) -> bytes:
    return hello_text(LINK.room, LINK.access, LINK.sign(host, nonce))


def resume(host: str = HOST, nonce: bytes = NONCE) -> bytes:
    return resume_text(LINK.room, LINK.access, LINK.sign(host, nonce), "ticket", "mark", 7)


def unjoined() -> Session:
    session = new_session()
    session.text(hello(), 0.0)
    session.entered()
    return session


def joined(source: Rate = NO_LIMIT) -> Session:
    session = new_session(source)
    session.entered()
    session.committed(0.0)
    return session


def resumed(before: Session | None = None) -> Session:
    session = new_session()
    session.text(resume(), 0.0)
    session.resumed(None if before is None else before.allowance, 0.0)
    return session


def refused(
    reason: Reason,
    reference: bytes | None = None,
    wait: float | None = None,
    fence: int | None = None,
) -> list[Effect]:
    quoted = None if reference is None else wire.Reference(reference)
    return [Reply(wire.serialize_refused(reason, quoted, wait, fence))]


def test_relay_speaks_first() -> None:
    assert new_session().opened() == [Reply(wire.serialize_challenge(NONCE))]


def test_good_hello_enters() -> None:
    session = new_session(hosts=("other", HOST))
    room = wire.RoomId(hashlib.sha256(b"beacon room id v1" + LINK.access).digest()[:16])
    assert session.text(hello(), 0.0) == [Enter(room)]
    assert session.deadline() == 5.0
    session.entered()
    assert session.state is State.UNJOINED
    assert session.deadline() is None


@pytest.mark.parametrize("bad", [hello(host="evil.example"), hello(nonce=bytes(32))])
def test_r02_wrong_proof_closes(bad: bytes) -> None:
    session = new_session()
    assert session.text(bad, 0.0) == [*refused(Reason.PROOF), End(CloseCode.PROOF)]
    assert session.state is State.CLOSED
    assert session.text(hello(), 0.0) == []
    assert session.binary(post_bytes(0), 0, 0.0) == []


def test_r02_challenge_serves_once() -> None:
    session = new_session()
    assert isinstance(session.text(hello(), 0.0)[0], Enter)
    assert session.text(hello(), 0.0) == [*refused(Reason.PROOF), End(CloseCode.PROOF)]


def test_r27_resume_with_a_good_proof_returns() -> None:
    session = new_session()
    (effect,) = session.text(resume(), 0.0)
    assert isinstance(effect, Return)
    message = effect.message
    assert (message.ticket, message.mark, message.seq) == ("ticket", "mark", 7)
    assert message.hello.room == LINK.room
    session.resumed(None, 0.0)
    assert session.state is State.RESUMED
    assert session.deadline() is None


def test_r27_worthless_ticket_is_a_plain_hello() -> None:
    session = new_session()
    session.text(resume(), 0.0)
    session.entered()
    assert session.state is State.UNJOINED
    assert not session.is_seated


@pytest.mark.parametrize("bad", [resume(host="evil.example"), resume(nonce=bytes(32))])
def test_r02_r27_resume_is_proven_like_a_hello(bad: bytes) -> None:
    session = new_session()
    assert session.text(bad, 0.0) == [*refused(Reason.PROOF), End(CloseCode.PROOF)]
    once = new_session()
    once.text(hello(), 0.0)
    assert once.text(resume(), 0.0) == [*refused(Reason.PROOF), End(CloseCode.PROOF)]


def test_r27_first_message_confirms_whatever_it_is() -> None:
    reference = new_reference()
    post = post_bytes(1, reference=reference)
    for session in (resumed(), resumed()):
        assert session.is_seated
    session = resumed()
    (confirm, forward) = session.binary(post, 1, 0.0)
    assert confirm == Confirm()
    assert isinstance(forward, Forward)
    assert session.state is State.JOINED
    assert len(session.binary(post, 1, 0.0)) == 1
    assert resumed().text(b'{"type":"need"}', 0.0) == [Confirm(), Forward(Need())]
    assert resumed().text(b"?", 0.0) == [Confirm(), *refused(Reason.MALFORMED)]
    assert resumed().text(resume(), 0.0) == [Confirm(), *refused(Reason.STATE)]
    assert resumed().text(b'{"type":"bye"}', 0.0) == [Confirm(), End(CloseCode.NORMAL)]


def test_r27_buckets_stay_with_the_seat() -> None:
    before = joined()
    for _ in range(10):
        assert before.may_post(0.0)
    for _ in range(5):
        before.committed(0.0)
        before.text(b'{"type":"need"}', 0.0)
    for _ in range(20):
        before.binary(post_bytes(1), 2, 0.0)
    session = resumed(before)
    assert not session.may_post(0.0)
    for data, fence, wait in (
        (post_bytes(1, reference=b"r" * 8), 1, 1.0),
        (commit_bytes(1, reference=b"r" * 8), 1, 2.0),
        (offer_bytes(1), 1, 2.0),
        (post_bytes(1, reference=b"r" * 8), 2, 0.1),
    ):
        *_, reply = session.binary(data, fence, 0.0)
        assert reply in refused(Reason.RATE, data[1:9], wait)
    assert session.may_post(1.0)
    assert not session.may_post(1.0)


def test_r28_restored_session_begins_with_full_buckets() -> None:
    """As all do who come after a restart; less would punish those who kept their tickets."""
    session = resumed()
    assert all(session.may_post(0.0) for _ in range(10))
    assert not session.may_post(0.0)


def test_tokens_are_not_shown() -> None:
    (effect,) = new_session().text(resume(), 0.0)
    assert "'ticket'" not in repr(effect)
    assert "'mark'" not in repr(effect)


def test_other_version_closes() -> None:
    data = hello_text(LINK.room, LINK.access, bytes(64), version=2)
    assert new_session().text(b'{"type":"resume","v":2}', 0.0)[-1] == End(CloseCode.PROOF)
    assert new_session().text(data, 0.0) == [*refused(Reason.VERSION), End(CloseCode.PROOF)]


def test_room_may_refuse_the_hello() -> None:
    session = new_session()
    session.text(hello(), 0.0)
    full = RefusedError(Reason.FULL, close_code=CloseCode.FULL)
    assert session.refused(full, None) == [*refused(Reason.FULL), End(CloseCode.FULL)]


def test_silence_is_closed_after_five_seconds() -> None:
    session = new_session()
    assert session.expire(4.9) == []
    assert session.expire(5.0) == [End(CloseCode.NO_HELLO)]
    assert session.expire(6.0) == []
    later = unjoined()
    assert later.expire(99.0) == []


def test_what_is_out_of_place_is_refused_as_state() -> None:
    reference = new_reference()
    for session, data in (
        (new_session(), post_bytes(0, reference=reference)),
        (new_session(), commit_bytes(0, reference=reference)),
        (unjoined(), post_bytes(0, reference=reference)),
    ):
        assert session.binary(data, 0, 0.0) == refused(Reason.STATE, reference)
    assert new_session().text(b'{"type":"need"}', 0.0) == refused(Reason.STATE)
    assert unjoined().text(hello(), 0.0) == refused(Reason.STATE)
    assert joined().text(hello_text(LINK.room, LINK.access, bytes(64), 2), 0.0) == refused(
        Reason.STATE
    )


def test_malformed_messages_are_refused_and_harmless() -> None:
    for session in (new_session(), unjoined(), joined()):
        assert session.text(b"{", 0.0) == refused(Reason.MALFORMED)
        assert session.binary(b"\x07", 0, 0.0) == refused(Reason.MALFORMED)


def test_bye_closes_from_anywhere() -> None:
    for session in (new_session(), unjoined(), joined()):
        assert session.text(b'{"type":"bye"}', 0.0) == [End(CloseCode.NORMAL)]
        assert session.state is State.CLOSED


def test_messages_go_to_the_room() -> None:
    session = joined()
    (effect,) = session.binary(post_bytes(7), 7, 0.0)
    assert isinstance(effect, Forward)
    assert isinstance(effect.message, Post)
    (effect,) = session.binary(commit_bytes(7), 7, 0.0)
    assert isinstance(effect, Forward)
    assert isinstance(effect.message, Commit)
    (effect,) = session.binary(offer_bytes(7), 7, 0.0)
    assert isinstance(effect, Forward)
    assert isinstance(effect.message, Offer)
    assert session.text(b'{"type":"need"}', 0.0) == [Forward(Need())]


def test_commit_of_an_unjoined_session_joins_it() -> None:
    session = unjoined()
    assert len(session.binary(commit_bytes(0), 0, 0.0)) == 1
    session.committed(0.0)
    assert session.state is State.JOINED


def test_r20_wrong_length_is_refused_before_any_token() -> None:
    session, reference = joined(), new_reference()
    data = post_bytes(1, bytes(300), reference)
    for _ in range(20):
        assert session.binary(data, 1, 0.0) == refused(Reason.SIZE, reference)
    assert session.may_post(0.0)


def test_post_rate() -> None:
    session = joined()
    for _ in range(10):
        assert session.may_post(0.0)
    assert not session.may_post(0.0)
    reference = new_reference()
    data = post_bytes(1, reference=reference)
    assert session.binary(data, 1, 0.0) == refused(Reason.RATE, reference, 1.0)
    assert isinstance(session.binary(data, 1, 1.0)[0], Forward)


def test_commit_rate_counts_what_was_taken() -> None:
    session = joined()
    for _ in range(20):
        assert isinstance(session.binary(commit_bytes(1), 1, 0.0)[0], Forward)
    for _ in range(4):
        session.committed(0.0)
    reference = new_reference()
    data = commit_bytes(1, reference=reference)
    assert session.binary(data, 1, 0.0) == refused(Reason.RATE, reference, 2.0)


def test_offers_and_needs_share_a_rate() -> None:
    session = joined()
    for _ in range(3):
        session.text(b'{"type":"need"}', 0.0)
    for _ in range(2):
        session.binary(offer_bytes(1), 1, 0.0)
    assert session.text(b'{"type":"need"}', 0.0) == refused(Reason.RATE, None, 2.0)


def test_r22_stale_costs_no_message_token_but_one_of_its_own() -> None:
    session, reference = joined(), new_reference()
    data = post_bytes(1, reference=reference)
    for _ in range(20):
        assert isinstance(session.binary(data, 2, 0.0)[0], Forward)
        session.accepted()
    assert session.binary(data, 2, 0.0) == refused(Reason.RATE, reference, 0.1)
    assert all(session.may_post(0.0) for _ in range(10))


def test_source_limits_all_its_sessions() -> None:
    session, reference = joined(Rate(1.0, 2)), new_reference()
    assert session.may_post(0.0)
    assert session.may_post(0.0)
    assert not session.may_post(0.0)
    data = post_bytes(1, reference=reference)
    assert session.binary(data, 1, 0.0) == refused(Reason.RATE, reference, 1.0)
    assert session.may_post(1.0), "what the source refused cost the session nothing"


def test_unknown_types_are_ignored_up_to_a_rate() -> None:
    session = new_session()
    data = b'{"type":"dance"}'
    for _ in range(20):
        assert session.text(data, 0.0) == [Ignored()]
    assert session.text(data, 0.0) == refused(Reason.RATE, None, 1.0)


def test_ping_is_answered_in_every_state_up_to_a_rate() -> None:
    pong = [Reply(b'{"type":"pong"}')]
    for session in (new_session(), joined()):
        state = session.state
        for _ in range(20):
            assert session.text(b'{"type":"ping"}', 0.0) == pong
        assert session.text(b'{"type":"ping"}', 0.0) == refused(Reason.RATE, None, 1.0)
        assert session.text(b'{"type":"ping"}', 1.0) == pong
        assert session.state is state


def test_thirty_refusals_in_a_row_close() -> None:
    session = joined()
    for _ in range(MAX_REFUSALS - 1):
        assert session.text(b"?", 0.0) == refused(Reason.MALFORMED)
    session.may_post(0.0)
    for _ in range(MAX_REFUSALS - 1):
        assert session.text(b"?", 0.0) == refused(Reason.MALFORMED)
    assert session.text(b"?", 0.0) == [*refused(Reason.MALFORMED), End(CloseCode.REFUSALS)]
    assert session.state is State.CLOSED
    assert session.text(b"?", 0.0) == session.binary(b"?", 0, 0.0) == []


def test_stale_newcomer_is_informed() -> None:
    stale = RefusedError(Reason.STALE, fence=4)
    reference = wire.Reference(new_reference())
    expected = refused(Reason.STALE, reference, None, 4)
    assert unjoined().refused(stale, reference) == [*expected, Inform()]
    assert joined().refused(stale, reference) == expected
    pace = RefusedError(Reason.PACE, retry_after_s=0.25)
    assert unjoined().refused(pace, reference) == refused(Reason.PACE, reference, 0.25)


def test_lost_session_is_closed() -> None:
    session = joined()
    session.lost()
    assert session.text(b'{"type":"need"}', 0.0) == []
