"""The official test vectors (mlswg/mls-implementations), suite 1, on the product's parts.

They are read from the folder that BEACON_MLS_VECTORS names, by default ../shared/mls-vectors seen
from the project; they are no part of the project.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.bindings import crypto_sign_seed_keypair

from client.errors import FrameError
from client.mls import framing, private, treemath
from client.mls.codec import Reader, opaque
from client.mls.groupinfo import encode_group_info, frame_group_info, read_group_info
from client.mls.keyschedule import (
    GroupContext,
    epoch_secrets,
    external_psk_id,
    joiner_secret,
    psk_secret,
)
from client.mls.path import node_keys, open_path
from client.mls.private import Private, SenderData, sender_data_key
from client.mls.suite import SUITE_1 as SUITE
from client.mls.tree import ParentNode, read_leaf, read_tree
from tests.client.mls import rfc

_NAMED = os.environ.get("BEACON_MLS_VECTORS")
_PROJECT = Path(__file__).resolve().parents[3]
FOLDER = Path(_NAMED) if _NAMED else _PROJECT.parent / "shared" / "mls-vectors"


h = bytes.fromhex


def message(data):
    """Open an MLSMessage and return its reader, behind version and wire format."""
    reader = Reader(h(data))
    assert reader.u16() == 1
    reader.u16()
    return reader


def crypto_basics(v):
    x = v["ref_hash"]
    assert SUITE.reference(x["label"], h(x["value"])) == h(x["out"])
    x = v["expand_with_label"]
    out = SUITE.expand_with_label(h(x["secret"]), x["label"], h(x["context"]), x["length"])
    assert out == h(x["out"])
    x = v["derive_secret"]
    assert SUITE.derive_secret(h(x["secret"]), x["label"]) == h(x["out"])
    x = v["derive_tree_secret"]
    out = SUITE.derive_tree_secret(h(x["secret"]), x["label"], x["generation"], x["length"])
    assert out == h(x["out"])
    x = v["sign_with_label"]
    public, key = crypto_sign_seed_keypair(h(x["priv"]))
    assert public == h(x["pub"])
    SUITE.verify(public, x["label"], h(x["content"]), h(x["signature"]))
    assert SUITE.sign(key, x["label"], h(x["content"])) == h(x["signature"])
    x = v["encrypt_with_label"]
    sealed = h(x["kem_output"]), h(x["ciphertext"])
    opened = SUITE.decrypt_with_label(h(x["priv"]), x["label"], h(x["context"]), *sealed)
    assert opened == h(x["plaintext"])
    again = SUITE.encrypt_with_label(h(x["pub"]), x["label"], h(x["context"]), opened)
    assert SUITE.decrypt_with_label(h(x["priv"]), x["label"], h(x["context"]), *again) == opened


def deserialization(v):
    reader = Reader(h(v["vlbytes_header"]))
    if v["length"] is None:
        with pytest.raises(FrameError):
            reader.length()
        return
    assert reader.length() == v["length"]
    reader.finish()
    if v["length"] < 1 << 20:  # a gigabyte proves no more
        assert opaque(bytes(v["length"])).startswith(h(v["vlbytes_header"]))


def key_schedule(v):
    init = h(v["initial_init_secret"])
    for number, e in enumerate(v["epochs"]):
        place = (number, h(e["tree_hash"]), h(e["confirmed_transcript_hash"]))
        context = GroupContext(SUITE, h(v["group_id"]), *place).to_bytes()
        assert context == h(e["group_context"])
        joiner = joiner_secret(SUITE, init, h(e["commit_secret"]), context)
        assert joiner == h(e["joiner_secret"])
        member = SUITE.extract(joiner, h(e["psk_secret"]))
        assert SUITE.derive_secret(member, "welcome") == h(e["welcome_secret"])
        secrets = epoch_secrets(SUITE, joiner, h(e["psk_secret"]), context)
        names = {
            "sender_data": "sender_data_secret",
            "encryption": "encryption_secret",
            "exporter": "exporter_secret",
            "external": "external_secret",
            "confirmation": "confirmation_key",
            "membership": "membership_key",
            "resumption": "resumption_psk",
            "authenticator": "epoch_authenticator",
            "init": "init_secret",
        }
        for ours, theirs in names.items():
            assert getattr(secrets, ours) == h(e[theirs]), ours
        assert secrets.external_key_pair().public == h(e["external_pub"])
        x = e["exporter"]
        assert secrets.export(x["label"], h(x["context"]), x["length"]) == h(x["secret"])
        init = secrets.init


def message_protection(v):
    place = h(v["group_id"]), v["epoch"]
    hashes = h(v["tree_hash"]), h(v["confirmed_transcript_hash"])
    context = GroupContext(SUITE, *place, *hashes).to_bytes()
    public, key = crypto_sign_seed_keypair(h(v["signature_priv"]))
    assert public == h(v["signature_pub"])
    data_secret, sender = h(v["sender_data_secret"]), 1

    def keys():
        return rfc.Keys(SUITE, 2, h(v["encryption_secret"]))

    def verify(content, body):
        framed = content.framed
        assert (framed.group_id, framed.epoch, framed.sender) == (*place, sender)
        assert framed.encoded.endswith(body)
        SUITE.verify(public, "FramedContentTBS", content.signed(context), framed.signature)

    for kind in ("proposal", "commit"):
        content = rfc.read_public(message(v[f"{kind}_pub"]))
        verify(content, h(v[kind]))
        tag = SUITE.mac(h(v["membership_key"]), content.framed.tagged(context))
        assert tag == content.framed.membership_tag
        sealed = private.read_private(h(v[f"{kind}_priv"]))
        verify(rfc.open_private(SUITE, sealed, data_secret, keys()), h(v[kind]))
    sealed = private.read_private(h(v["application_priv"]))
    content = rfc.open_private(SUITE, sealed, data_secret, keys())
    verify(content, opaque(h(v["application"])))
    assert content.body == h(v["application"])

    # Protect the same again, and open it.
    framed = content.framed
    signature = SUITE.sign(key, "FramedContentTBS", framed.signed(context))
    plain = opaque(content.body) + opaque(signature) + bytes(7)
    head = Private(*place, framing.CONTENT_APPLICATION, framed.authenticated_data, b"", b"")
    who = SenderData(sender, 0, b"abcd")
    once = keys().key(sender, "application", 0)
    again = private.seal_private(SUITE, data_secret, head, who, once, plain)
    opened = rfc.open_private(SUITE, private.read_private(again), data_secret, keys())
    verify(opened, opaque(h(v["application"])))


def messages(v):
    spelt = {
        "mls_welcome": rfc.MESSAGE,
        "mls_group_info": rfc.MESSAGE,
        "mls_key_package": rfc.MESSAGE,
        "ratchet_tree": rfc.RATCHET_TREE,
        "group_secrets": rfc.GROUP_SECRETS,
        "add_proposal": rfc.PROPOSAL_BODIES[rfc.ADD],
        "update_proposal": rfc.PROPOSAL_BODIES[rfc.UPDATE],
        "remove_proposal": rfc.PROPOSAL_BODIES[rfc.REMOVE],
        "pre_shared_key_proposal": rfc.PROPOSAL_BODIES[rfc.PSK],
        "re_init_proposal": rfc.PROPOSAL_BODIES[rfc.REINIT],
        "external_init_proposal": rfc.PROPOSAL_BODIES[rfc.EXTERNAL_INIT],
        "group_context_extensions_proposal": rfc.PROPOSAL_BODIES[rfc.CONTEXT_EXTENSIONS],
        "commit": rfc.ANY_COMMIT,
        "public_message_application": rfc.MESSAGE,
        "public_message_proposal": rfc.MESSAGE,
        "public_message_commit": rfc.MESSAGE,
        "private_message": rfc.MESSAGE,
    }
    assert set(v) == set(spelt)
    for name, codec in spelt.items():
        assert rfc.spelt(codec, h(v[name])) == h(v[name]), name
    # The product's own readers, on what they read.
    assert read_tree(SUITE, h(v["ratchet_tree"])).encoded() == h(v["ratchet_tree"])
    assert read_leaf(Reader(h(v["update_proposal"]))).encoded == h(v["update_proposal"])
    sealed = private.read_private(h(v["private_message"]))
    assert private.encode_private(sealed) == h(v["private_message"])
    info = read_group_info(h(v["mls_group_info"]))
    assert frame_group_info(info.signed, info.signature) == h(v["mls_group_info"])
    context = GroupContext(
        replace(SUITE, id=info.suite_id),
        info.group_id,
        info.epoch,
        info.tree_hash,
        info.confirmed_transcript_hash,
        info.context_extensions,
    )
    spelt_again = encode_group_info(
        context, list(info.extensions), info.confirmation_tag, info.signer
    )
    assert spelt_again == info.signed
    commit = rfc.read_public(message(v["public_message_commit"]))
    assert commit.framed.commit is not None


def passive_client(v):
    mine = rfc.Mine(
        rfc.read_key_package(message(v["key_package"])), h(v["init_priv"]), h(v["encryption_priv"])
    )
    psks = {h(psk["psk_id"]): h(psk["psk"]) for psk in v["external_psks"]}
    tree = h(v["ratchet_tree"]) if v["ratchet_tree"] else None
    welcome = rfc.read_welcome(message(v["welcome"]))
    group = rfc.join_by_welcome(SUITE, welcome, mine, psks, tree)
    assert group.secrets.authenticator == h(v["initial_epoch_authenticator"])
    for epoch in v["epochs"]:
        for proposal in epoch["proposals"]:
            group.receive(h(proposal))
        group = group.commit(h(epoch["commit"]))
        assert group.secrets.authenticator == h(epoch["epoch_authenticator"])


def psk_secrets(v):
    psks = [
        (external_psk_id(h(psk["psk_id"]), h(psk["psk_nonce"])), h(psk["psk"])) for psk in v["psks"]
    ]
    assert psk_secret(SUITE, psks) == h(v["psk_secret"])


def secret_tree(v):
    x = v["sender_data"]
    key = sender_data_key(SUITE, h(x["sender_data_secret"]), h(x["ciphertext"]))
    assert (key.key, key.nonce) == (h(x["key"]), h(x["nonce"]))
    keys = rfc.Keys(SUITE, len(v["leaves"]), h(v["encryption_secret"]))
    for leaf, generations in enumerate(v["leaves"]):
        for g in generations:
            for label in ("handshake", "application"):
                key = keys.key(leaf, label, g["generation"])
                assert key.key == h(g[f"{label}_key"])
                assert key.nonce == h(g[f"{label}_nonce"])


def transcript_hashes(v):
    reader = Reader(h(v["authenticated_content"]))
    content = rfc.read_content(reader, reader.u16())
    reader.finish()
    confirmed = SUITE.hash(h(v["interim_transcript_hash_before"]) + content.framed.confirmed())
    assert confirmed == h(v["confirmed_transcript_hash_after"])
    tag = content.framed.confirmation_tag
    assert SUITE.mac(h(v["confirmation_key"]), confirmed) == tag
    assert SUITE.hash(confirmed + opaque(tag)) == h(v["interim_transcript_hash_after"])


def tree_math(v):
    leaves = v["n_leaves"]
    assert v["n_nodes"] == 2 * leaves - 1
    root = treemath.root(leaves)
    assert v["root"] == root
    for node in range(2 * leaves - 1):
        inner = node & 1
        assert v["left"][node] == (treemath.left(node) if inner else None)
        assert v["right"][node] == (treemath.right(node) if inner else None)
        assert v["parent"][node] == (treemath.parent(node) if node != root else None)
        assert v["sibling"][node] == (treemath.sibling(node) if node != root else None)


def tree_operations(v):
    tree = read_tree(SUITE, h(v["tree_before"]))
    assert tree.hash() == h(v["tree_hash_before"])
    reader = Reader(h(v["proposal"]))
    proposal = rfc.read_proposal(reader)
    reader.finish()
    if proposal.kind == rfc.ADD:
        tree, _ = rfc.added(tree, proposal.value.leaf)
    elif proposal.kind == rfc.UPDATE:
        tree = rfc.updated(tree, v["proposal_sender"], proposal.value)
    else:
        assert proposal.kind == rfc.REMOVE
        tree = tree.without(proposal.value)
    assert tree.encoded() == h(v["tree_after"])
    assert tree.hash() == h(v["tree_hash_after"])
    assert read_tree(SUITE, h(v["tree_after"])).hash() == h(v["tree_hash_after"])


def tree_validation(v):
    tree = read_tree(SUITE, h(v["tree"]))
    assert len(v["tree_hashes"]) == len(v["resolutions"]) == len(tree.nodes)
    for node in range(len(tree.nodes)):
        assert tree.subtree_hash(node) == h(v["tree_hashes"][node])
        assert tree.resolution(node) == v["resolutions"][node]
    rfc.check_tree(SUITE, tree, h(v["group_id"]))
    assert tree.encoded() == h(v["tree"])
    spoil_parents(tree)


def spoil_parents(tree):
    """Every parent hash matters: with any parent's key changed the tree is unsound."""
    for index, node in enumerate(tree.nodes):
        if isinstance(node, ParentNode):
            other = tree.replaced({index: replace(node, encryption_key=bytes(32))})
            assert not other.has_sound_parents()


def treekem(v):
    tree = read_tree(SUITE, h(v["ratchet_tree"]))
    privates = {}
    for member in v["leaves_private"]:
        held = privates[member["index"]] = {2 * member["index"]: h(member["encryption_priv"])}
        for entry in member["path_secrets"]:
            pair = node_keys(SUITE, h(entry["path_secret"]))
            assert pair.public == tree.nodes[entry["node"]].encryption_key
            held[entry["node"]] = pair.private
    for update in v["update_paths"]:
        reader = Reader(h(update["update_path"]))
        path = framing.read_path(reader)
        reader.finish()
        assert framing.encode_path(path.leaf, list(path.nodes)) == h(update["update_path"])
        sender = update["sender"]
        merged, parent_hash = tree.merged(sender, [node.encryption_key for node in path.nodes])
        assert parent_hash == path.leaf.parent_hash
        signed = path.leaf.signed_in(h(v["group_id"]), sender)
        SUITE.verify(path.leaf.signature_key, "LeafNodeTBS", signed, path.leaf.signature)
        merged = merged.replaced({2 * sender: path.leaf})
        assert merged.hash() == h(update["tree_hash_after"])
        hashes = merged.hash(), h(v["confirmed_transcript_hash"])
        context = GroupContext(SUITE, h(v["group_id"]), v["epoch"], *hashes).to_bytes()
        steps = tree.filtered_path(sender)
        for member, expected in enumerate(update["path_secrets"]):
            if expected is None:
                continue
            opened = open_path(SUITE, steps, path, member, privates[member], context)
            assert opened.commit_secret == h(update["commit_secret"])
            first = next(s.node for s in steps if s.node in opened.privates)
            assert node_keys(SUITE, h(expected)).private == opened.privates[first]


def welcome(v):
    mine = rfc.Mine(rfc.read_key_package(message(v["key_package"])), h(v["init_priv"]), b"")
    opened = rfc.read_welcome(message(v["welcome"]))
    joiner, _, psk, info = rfc.open_welcome(SUITE, opened, mine, lambda _: pytest.fail("no PSK"))
    SUITE.verify(h(v["signer_pub"]), "GroupInfoTBS", info.signed, info.signature)
    context = GroupContext(
        SUITE,
        info.group_id,
        info.epoch,
        info.tree_hash,
        info.confirmed_transcript_hash,
        info.context_extensions,
    )
    secrets = epoch_secrets(SUITE, joiner, psk, context.to_bytes())
    tag = SUITE.mac(secrets.confirmation, info.confirmed_transcript_hash)
    assert tag == info.confirmation_tag


RUNS = {
    "crypto-basics": crypto_basics,
    "deserialization": deserialization,
    "key-schedule": key_schedule,
    "message-protection": message_protection,
    "messages": messages,
    "passive-client-handling-commit": passive_client,
    "passive-client-random": passive_client,
    "passive-client-welcome": passive_client,
    "psk_secret": psk_secrets,
    "secret-tree": secret_tree,
    "transcript-hashes": transcript_hashes,
    "tree-math": tree_math,
    "tree-operations": tree_operations,
    "tree-validation": tree_validation,
    "treekem": treekem,
    "welcome": welcome,
}


def _names():
    return sorted(path.stem for path in FOLDER.glob("*.json")) if FOLDER.is_dir() else []


def test_the_vectors_are_there():
    if not FOLDER.is_dir():
        if _NAMED:
            pytest.fail(f"BEACON_MLS_VECTORS names no folder: {_NAMED}")
        pytest.skip("NO OFFICIAL MLS VECTORS: put them in ../shared/mls-vectors or name a folder")
    assert _names(), "the folder holds no vectors"
    assert set(_names()) <= set(RUNS), "a file that nothing here runs"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", _names())
def test_official_vectors_of_suite_1(name, capsys):
    assert name in RUNS, "a file that nothing here runs"
    vectors = json.loads((FOLDER / f"{name}.json").read_text())
    vectors = vectors if isinstance(vectors, list) else [vectors]
    ours = [(n, v) for n, v in enumerate(vectors) if v.get("cipher_suite", 1) == SUITE.id]
    assert ours, "no vector of suite 1"
    for number, vector in ours:
        try:
            RUNS[name](vector)
        except Exception as exc:
            exc.add_note(f"{name}.json, vector {number}")
            raise
    skipped = len(vectors) - len(ours)
    with capsys.disabled():
        print(f"\n{name}: {len(ours)} vectors passed, {skipped} of other suites skipped", end="")
