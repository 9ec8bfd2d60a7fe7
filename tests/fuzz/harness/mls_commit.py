"""Any bytes -> an MLSMessage with a public commit or FrameError; encode(read(x)) == x."""

from client.errors import FrameError
from client.mls import framing
from client.mls.framing import Commit, OtherProposal
from tests.fuzz.spelling import spell_proposal

KIND_COMMIT = 3


def run(data: bytes) -> None:
    try:
        framed = framing.read_public_commit(data)
    except FrameError:
        return
    assert framing.encode_public(framed) == data, "another spelling"
    assert framed.wire_format == 1
    assert framed.commit is not None
    assert len(framed.commit.proposals) <= framing.MAX_PROPOSALS
    # From its parts too, so that nothing of what is signed is read as something else.
    if any(isinstance(proposal, OtherProposal) for proposal in framed.commit.proposals):
        return
    again = framing.encode_content(
        framed.group_id, framed.epoch, framed.sender, framed.authenticated_data, KIND_COMMIT,
        _spell(framed.commit),
    )  # fmt: skip
    assert again == framed.encoded, "a part that says something else"


def _spell(commit: Commit) -> bytes:
    proposals = [spell_proposal(proposal) for proposal in commit.proposals]
    if commit.path is None:
        # The profile's own encoder knows no commit without a path.
        with_empty = framing.encode_commit(proposals, b"")
        return with_empty[:-1] + b"\0"
    path = framing.encode_path(commit.path.leaf, list(commit.path.nodes))
    return framing.encode_commit(proposals, path)
