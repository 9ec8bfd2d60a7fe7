"""Any bytes -> a binary message of a client or MessageError; serialize(parse(x)) == x."""

from client import wire as client
from relay import wire
from relay.errors import MessageError
from relay.wire import Commit, Offer, Post

MAX_COMMIT_BYTES = 131_072
SIZES = (284, 540, 1052, 2076, 4124)


def run(data: bytes) -> None:
    try:
        message = wire.parse_binary(data)
    except MessageError:
        return
    assert len(message.reference) == 8
    assert 0 <= message.fence < 2**64
    match message:
        case Post(reference, fence, sealed):
            again = client.serialize_post(reference, fence, sealed)
            sizes = [len(sealed)]
        case Commit(reference, fence, sealed, group_info):
            again = client.serialize_commit(reference, fence, sealed, group_info)
            sizes = [len(sealed), len(group_info)]
        case Offer(reference, fence, group_info):
            again = client.serialize_offer(reference, fence, group_info)
            sizes = [len(group_info)]
    assert again == data, "another spelling"
    if isinstance(message, Post):
        is_sized = sizes[0] in SIZES
    else:
        is_sized = sum(sizes) <= MAX_COMMIT_BYTES
        is_sized = is_sized and all(size > 28 and (size - 28) % 1024 == 0 for size in sizes)
    assert wire.has_size(message, MAX_COMMIT_BYTES) == is_sized, "a size that is not"
