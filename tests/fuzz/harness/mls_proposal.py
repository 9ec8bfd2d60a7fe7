"""Any bytes -> a proposal of the profile or FrameError; encode(read(x)) == x."""

from client.errors import FrameError
from client.mls import framing, keyschedule
from client.mls.codec import Reader
from client.mls.framing import PreSharedKey
from tests.fuzz.spelling import spell_proposal


def run(data: bytes) -> None:
    reader = Reader(data)
    try:
        proposal = framing.read_proposal(reader)
    except FrameError:
        return
    assert spell_proposal(proposal) == data[: reader.at], "another spelling"
    if isinstance(proposal, PreSharedKey):
        again = keyschedule.external_psk_id(proposal.psk_id, proposal.nonce)
        assert again == proposal.encoded, "a PSK that is another"
