"""Which GroupInfos a client trusts, and what it makes of them."""

import struct
from dataclasses import replace

import pytest

from client import entry, mls, seal, wire
from client.entry import Line
from client.errors import StateError
from client.link import Link, Tag
from client.seal import Kind

KEYS = Link("http", "127.0.0.1:8000", bytes(range(32))).keys()
REFERENCE = bytes(8)


@pytest.fixture
def founder() -> entry.StagedCommit:
    return entry.stage_founding(KEYS, mls.Identity.generate(), Tag("0x0001"), REFERENCE)


def info_of(*entries: bytes, fence: int = 1) -> wire.Info:
    packed = b"".join(struct.pack("!L", len(e)) + e for e in entries)
    parsed = wire.parse_binary(struct.pack("!BQB", 0x12, fence, len(entries)) + packed)
    assert isinstance(parsed, wire.Info)
    return parsed


def test_founding_commit_and_its_group_info_are_sealed_for_their_fences(
    founder: entry.StagedCommit,
) -> None:
    kind, reference, fence, length = struct.unpack_from("!B8sQL", founder.message)
    assert (kind, reference, fence) == (2, REFERENCE, 0)
    commit, info = founder.message[21 : 21 + length], founder.message[21 + length :]
    assert commit == founder.sealed
    seal.unseal(KEYS.seal, KEYS.room_id, Kind.COMMIT, 0, commit)
    assert entry.candidates(KEYS, info_of(info))


def test_r11_only_what_is_bound_to_this_fence_is_a_candidate(founder: entry.StagedCommit) -> None:
    good = entry.seal_group_info(KEYS, founder.group, 1)
    stale = entry.seal_group_info(KEYS, founder.group, 2)
    inside = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, 1, founder.group.group_info(2))
    garbage = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, 1, b"garbage")
    usable = entry.candidates(KEYS, info_of(stale, inside, garbage, good))
    assert [one.inspected.epoch for one in usable] == [founder.group.epoch]


def test_r12_line_admits_its_own_epoch_alone(founder: entry.StagedCommit) -> None:
    group = founder.group
    info = info_of(entry.seal_group_info(KEYS, group, 1))
    (one,) = entry.candidates(KEYS, info)
    tag = one.inspected.outside.confirmation_tag
    line = Line(group.confirmed_transcript_hash, group.tree_hash, tag)
    assert len(entry.candidates(KEYS, info, line)) == 1
    for name in ("confirmed_transcript_hash", "tree_hash", "confirmation_tag"):
        other = replace(line, **{name: bytes(32)})
        assert entry.candidates(KEYS, info, other) == []


def test_words_of_a_candidate_are_those_of_the_members(founder: entry.StagedCommit) -> None:
    (one,) = entry.candidates(KEYS, info_of(entry.seal_group_info(KEYS, founder.group, 1)))
    assert one.words == entry.verification_words(founder.group.words_context)


def test_r04_tag_of_another_member_is_not_used(founder: entry.StagedCommit) -> None:
    (one,) = entry.candidates(KEYS, info_of(entry.seal_group_info(KEYS, founder.group, 1)))
    with pytest.raises(StateError):
        entry.stage_join(KEYS, mls.Identity.generate(), Tag("0x0001"), one, REFERENCE)


def test_member_commit_is_followed_by_who_joined(founder: entry.StagedCommit) -> None:
    (one,) = entry.candidates(KEYS, info_of(entry.seal_group_info(KEYS, founder.group, 1)))
    joined = entry.stage_join(KEYS, mls.Identity.generate(), Tag("0x0002"), one, REFERENCE)
    plain = seal.unseal(KEYS.seal, KEYS.room_id, Kind.COMMIT, 1, joined.sealed)
    group = founder.group.follow(plain, 1).group
    removal = entry.stage_commit(KEYS, group, [1], 2, REFERENCE)
    assert removal.fence == 2
    assert len(removal.group.members) == 1
