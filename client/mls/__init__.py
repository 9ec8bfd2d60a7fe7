"""MLS (RFC 9420) in the restricted profile of PROTOCOL 8: the public names, nothing else."""

from client.mls.epoch import LEAF_CAP, Identity, Member
from client.mls.group import (
    CONTENT_OVERHEAD,
    Followed,
    Group,
    Opened,
    Staged,
    found,
    join,
)
from client.mls.inspection import Inspected, inspect
from client.mls.policy import KIND_APPLICATION, KIND_COMMIT, KIND_GROUP_INFO, Binding

__all__ = [
    "CONTENT_OVERHEAD",
    "KIND_APPLICATION",
    "KIND_COMMIT",
    "KIND_GROUP_INFO",
    "LEAF_CAP",
    "Binding",
    "Followed",
    "Group",
    "Identity",
    "Inspected",
    "Member",
    "Opened",
    "Staged",
    "found",
    "inspect",
    "join",
]
