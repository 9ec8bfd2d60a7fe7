"""Any bytes -> a binary message of the relay or FrameError; the relay's half spells it the same."""

from client import wire as client
from client.errors import FrameError
from client.wire import Ack, Frame, Info
from relay import wire
from relay.wire import Reference, Tag

SIZES = (284, 540, 1052, 2076, 4124)


def run(data: bytes) -> None:
    try:
        frame = client.parse_binary(data)
    except FrameError:
        return
    match frame:
        case Frame(kind, tag, seq, fence, sealed):
            again = wire.serialize_frame(int(kind), Tag(int(tag, 16)), seq, fence, sealed)
            numbers = [seq, fence]
            assert kind != 1 or len(sealed) in SIZES
            assert kind == 1 or _is_padded(sealed)
        case Info(fence, entries):
            again = wire.serialize_info(fence, list(entries))
            numbers = [fence]
            assert len(entries) <= 4
            assert all(map(_is_padded, entries))
        case Ack(reference, seq):
            again = wire.serialize_ack(Reference(reference), seq)
            numbers = [seq]
    assert again == data, "another spelling"
    assert all(0 <= number < 2**53 for number in numbers)


def _is_padded(sealed: bytes) -> bool:
    return len(sealed) > 28 and (len(sealed) - 28) % 1024 == 0
