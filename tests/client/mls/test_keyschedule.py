"""Derivations of an epoch's secrets (RFC 9420 8). Their values are checked by official vectors."""

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.mls.keyschedule import (
    GroupContext,
    epoch_secrets,
    external_psk_id,
    joiner_secret,
    psk_secret,
    secrets_of,
)
from client.mls.suite import SUITE_1 as SUITE

BYTES_32 = st.binary(min_size=32, max_size=32)
NAMES = [f.name for f in fields(secrets_of(SUITE, bytes(32))) if f.name != "suite"]


def test_a_group_context_is_spelt_as_in_8_1():
    context = GroupContext(SUITE, b"id", 7, b"tree", b"transcript", b"\0\1\0")
    assert context.to_bytes().hex() == (
        "0001" "0001" "02" + b"id".hex() + "0000000000000007" "04" + b"tree".hex()
        + "0a" + b"transcript".hex() + "03" "000100"
    )  # fmt: skip


def test_every_secret_of_an_epoch_is_another():
    secrets = secrets_of(SUITE, bytes(32))
    values = [getattr(secrets, name) for name in NAMES]
    assert len(NAMES) == len(set(values)) == 9
    assert all(len(value) == 32 for value in values)


@settings(deadline=None)
@given(BYTES_32, BYTES_32, BYTES_32, st.binary(max_size=40))
def test_each_input_changes_every_secret(init, commit, psk, context):
    def derived(init, commit, psk, context):
        joiner = joiner_secret(SUITE, init, commit, context)
        secrets = epoch_secrets(SUITE, joiner, psk, context)
        return [getattr(secrets, name) for name in NAMES]

    def other(value):
        return SUITE.hash(value)

    right = derived(init, commit, psk, context)
    for changed in (
        (other(init), commit, psk, context),
        (init, other(commit), psk, context),
        (init, commit, other(psk), context),
        (init, commit, psk, other(context)),
    ):
        assert not set(right) & set(derived(*changed))


def test_no_psk_is_the_zero_secret():
    assert psk_secret(SUITE, []) == bytes(32)


def test_psks_are_bound_to_their_ids_values_order_and_number():
    one, other = (external_psk_id(b"id", bytes(32)), b"one"), (external_psk_id(b"id", b"n"), b"two")
    combined = [
        psk_secret(SUITE, psks)
        for psks in ([one], [other], [one, other], [other, one], [one, one], [(one[0], b"two")])
    ]
    assert len(set(combined)) == len(combined)


def test_the_id_of_an_external_psk_is_spelt_as_in_8_4():
    assert external_psk_id(b"id", b"nonce") == b"\1\2id\5nonce"


@pytest.mark.parametrize("length", [1, 16, 32, 100])
def test_an_export_is_bound_to_label_context_and_length(length):
    secrets = secrets_of(SUITE, bytes(32))
    exported = secrets.export("label", b"context", length)
    assert len(exported) == length
    assert secrets.export("lable", b"context", length) != exported
    assert secrets.export("label", b"", length) != exported
    assert secrets.export("label", b"context", length + 1)[:length] != exported


def test_the_external_key_pair_is_the_epochs():
    one, other = secrets_of(SUITE, bytes(32)), secrets_of(SUITE, b"\1" * 32)
    assert one.external_key_pair() == one.external_key_pair()
    assert one.external_key_pair().public != other.external_key_pair().public


def test_no_secret_is_printed():
    assert repr(secrets_of(SUITE, bytes(32))) == "EpochSecrets()"
