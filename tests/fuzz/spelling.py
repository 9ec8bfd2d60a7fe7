"""What harnesses write again from its parts, where the product has a writer for it."""

from client.mls import framing
from client.mls.framing import ExternalInit, PreSharedKey, Proposal, Remove


def spell_proposal(proposal: Proposal) -> bytes:
    """Encode a proposal that was read by value."""
    match proposal:
        case Remove(leaf):
            return framing.encode_remove(leaf)
        case PreSharedKey(encoded=encoded):
            return framing.encode_psk(encoded)
        case ExternalInit(kem_output):
            return framing.encode_external_init(kem_output)
        case _:
            raise AssertionError("a proposal outside of the profile")
