"""The cipher suite as a value: hashes, labels, HPKE and signatures (RFC 9420 5, RFC 9180).

Draws all randomness of the MLS profile. Checks every public key and signature by its bytes before
a library sees it (R7), because libraries differ in what they accept and the room would fork.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError
from nacl.exceptions import RuntimeError as SodiumError

from client.errors import AuthenticationError, FrameError, StateError
from client.mls.codec import opaque, u16, u32

P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493
_MASK255 = 2**255 - 1
_SIGNING_KEY_BYTES = 64


def _small_order_x25519() -> frozenset[int]:
    # The u-coordinates of order dividing 8 on the curve and its twist, reduced (RFC 7748 6.1).
    # Every encoding of them has one of these values modulo p once the top bit is cleared.
    eighth = 325606250916557431795983626356110631294008115727848805560023387167927233504
    other = 39382357235489614581723060781553021112529911719440698176882885853963445705823
    return frozenset({0, 1, P25519 - 1, eighth, other})


def _small_order_ed25519() -> frozenset[int]:
    # The y-coordinates of the eight points of small order; the sign bit is cleared before.
    y = 2707385501144840649318225287225658788936804267575313519463743609750303402022
    return frozenset({0, 1, P25519 - 1, y, P25519 - y})


_X25519_REFUSED = _small_order_x25519()
_ED25519_REFUSED = _small_order_ed25519()


def check_kem_key(key: bytes) -> bytes:
    """Return an X25519 public key or kem output; raise FrameError for small order (R7).

    Non-canonical u-coordinates are refused too: RFC 7748 reduces them, so that two encodings would
    be one key.
    """
    if len(key) != 32:
        raise FrameError("a key of another length")
    u = int.from_bytes(key, "little")
    if u >= P25519 or u in _X25519_REFUSED:
        raise FrameError("a key that may not be used")
    return key


def check_signature_key(key: bytes) -> bytes:
    """Return an Ed25519 public key; raise FrameError for small order or another spelling (R7)."""
    if len(key) != 32 or not _is_sound_point(key):
        raise FrameError("a key that may not be used")
    return key


def _is_sound_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") & _MASK255
    return y < P25519 and y not in _ED25519_REFUSED


def check_signature(signature: bytes) -> bytes:
    """Return an Ed25519 signature; raise FrameError for an R or S that R7 refuses."""
    if (
        len(signature) != 64
        or not _is_sound_point(signature[:32])
        or int.from_bytes(signature[32:], "little") >= L25519
    ):
        raise FrameError("a signature that may not be used")
    return signature


@dataclass(frozen=True)
class KemKeyPair:
    """An X25519 key pair."""

    public: bytes
    private: bytes = field(repr=False)


@dataclass(frozen=True)
class SignatureKeyPair:
    """An Ed25519 key pair; ``private`` is libsodium's 64 bytes, seed and public key."""

    public: bytes
    private: bytes = field(repr=False)


def draw(length: int) -> bytes:
    """Return random bytes from the system."""
    return secrets.token_bytes(length)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256 (RFC 5869 2.3)."""
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes((counter,)), "sha256")
        out += block
        counter += 1
    return out[:length]


@dataclass(frozen=True)
class Suite:
    """One cipher suite. Lengths in bytes; the functions are those of RFC 9420 5 and 8."""

    id: int
    kem_id: int
    kdf_id: int
    aead_id: int
    hash_bytes: int = 32
    key_bytes: int = 16
    nonce_bytes: int = 12
    kem_output_bytes: int = 32

    # Hash, MAC, KDF

    def hash(self, data: bytes) -> bytes:
        """SHA-256."""
        return hashlib.sha256(data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC-SHA256."""
        return hmac.digest(key, data, "sha256")

    def extract(self, salt: bytes, ikm: bytes) -> bytes:
        """HKDF-Extract."""
        return hmac.digest(salt or bytes(self.hash_bytes), ikm, "sha256")

    def expand_with_label(self, secret: bytes, label: str, context: bytes, length: int) -> bytes:
        """ExpandWithLabel (RFC 9420 8)."""
        info = u16(length) + opaque(b"MLS 1.0 " + label.encode()) + opaque(context)
        return expand(secret, info, length)

    def derive_secret(self, secret: bytes, label: str) -> bytes:
        """DeriveSecret (RFC 9420 8)."""
        return self.expand_with_label(secret, label, b"", self.hash_bytes)

    def derive_tree_secret(self, secret: bytes, label: str, generation: int, length: int) -> bytes:
        """DeriveTreeSecret (RFC 9420 9)."""
        return self.expand_with_label(secret, label, u32(generation), length)

    def reference(self, label: str, value: bytes) -> bytes:
        """RefHash (RFC 9420 5.2)."""
        return self.hash(opaque(label.encode()) + opaque(value))

    # Signatures

    def sign(self, private: bytes, label: str, content: bytes) -> bytes:
        """SignWithLabel (RFC 9420 5.1.2); ``private`` is that of a SignatureKeyPair.

        Raises StateError for one that was wiped: the library would read past its end.
        """
        if len(private) != _SIGNING_KEY_BYTES:
            raise StateError("this signature key is gone")
        return crypto_sign(_sign_content(label, content), private)[:64]

    def verify(self, public: bytes, label: str, content: bytes, signature: bytes) -> None:
        """VerifyWithLabel; raise AuthenticationError, also for what R7 refuses."""
        try:
            check_signature_key(public)
            check_signature(signature)
            crypto_sign_open(signature + _sign_content(label, content), public)
        except (FrameError, BadSignatureError) as exc:
            raise AuthenticationError from exc

    # AEAD

    def seal(self, key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """AES-128-GCM. A (key, nonce) pair comes from a ratchet or HPKE and is used once."""
        return AESGCM(key).encrypt(nonce, plaintext, aad)

    def open(self, key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """Decrypt; raise AuthenticationError."""
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, aad)
        except (InvalidTag, ValueError) as exc:
            raise AuthenticationError from exc

    # HPKE, base mode (RFC 9180), with the exporter and DeriveKeyPair that MLS needs

    def derive_key_pair(self, ikm: bytes) -> KemKeyPair:
        """DeriveKeyPair of DHKEM(X25519) (RFC 9180 7.1.3)."""
        prk = self._kem_extract(b"dkp_prk", ikm)
        private = self._kem_expand(prk, b"sk", b"", 32)
        return KemKeyPair(crypto_scalarmult_base(private), private)

    def encrypt_with_label(
        self, public: bytes, label: str, context: bytes, plaintext: bytes
    ) -> tuple[bytes, bytes]:
        """EncryptWithLabel (RFC 9420 5.1.3); return kem output and ciphertext."""
        shared, output = self._encap(public)
        key, nonce, _ = self._schedule(shared, _encrypt_context(label, context))
        return output, self.seal(key, nonce, b"", plaintext)

    def decrypt_with_label(
        self, private: bytes, label: str, context: bytes, output: bytes, ciphertext: bytes
    ) -> bytes:
        """DecryptWithLabel; raise AuthenticationError."""
        shared = self._decap(output, private)
        key, nonce, _ = self._schedule(shared, _encrypt_context(label, context))
        return self.open(key, nonce, b"", ciphertext)

    def export_to(self, public: bytes) -> tuple[bytes, bytes]:
        """Make a kem output and the init secret for an external join (RFC 9420 8.3)."""
        shared, output = self._encap(public)
        return output, self._export(shared)

    def export_from(self, private: bytes, output: bytes) -> bytes:
        """Return the init secret of an external join; raise AuthenticationError."""
        return self._export(self._decap(output, private))

    def _export(self, shared: bytes) -> bytes:
        secret = self._schedule(shared, b"")[2]
        return self._suite_expand(secret, b"sec", b"MLS 1.0 external init secret", self.hash_bytes)

    def _encap(self, public: bytes) -> tuple[bytes, bytes]:
        private = draw(32)
        output = crypto_scalarmult_base(private)
        return self._agree(private, public, output + public), output

    def _decap(self, output: bytes, private: bytes) -> bytes:
        return self._agree(private, output, output + crypto_scalarmult_base(private))

    def _agree(self, private: bytes, public: bytes, context: bytes) -> bytes:
        try:
            dh = crypto_scalarmult(private, check_kem_key(public))
        except (FrameError, SodiumError) as exc:
            raise AuthenticationError from exc
        return self._kem_expand(self._kem_extract(b"eae_prk", dh), b"shared_secret", context, 32)

    def _kem_extract(self, label: bytes, ikm: bytes) -> bytes:
        return self.extract(b"", b"HPKE-v1KEM" + u16(self.kem_id) + label + ikm)

    def _kem_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        suite = b"HPKE-v1KEM" + u16(self.kem_id)
        return expand(prk, u16(length) + suite + label + info, length)

    @property
    def _hpke_id(self) -> bytes:
        return b"HPKE" + u16(self.kem_id) + u16(self.kdf_id) + u16(self.aead_id)

    def _suite_extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return self.extract(salt, b"HPKE-v1" + self._hpke_id + label + ikm)

    def _suite_expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return expand(prk, u16(length) + b"HPKE-v1" + self._hpke_id + label + info, length)

    def _schedule(self, shared: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
        context = b"\0" + self._suite_extract(b"", b"psk_id_hash", b"")
        context += self._suite_extract(b"", b"info_hash", info)
        secret = self._suite_extract(shared, b"secret", b"")
        return (
            self._suite_expand(secret, b"key", context, self.key_bytes),
            self._suite_expand(secret, b"base_nonce", context, self.nonce_bytes),
            self._suite_expand(secret, b"exp", context, self.hash_bytes),
        )


def _sign_content(label: str, content: bytes) -> bytes:
    return opaque(b"MLS 1.0 " + label.encode()) + opaque(content)


def _encrypt_context(label: str, context: bytes) -> bytes:
    return opaque(b"MLS 1.0 " + label.encode()) + opaque(context)


def generate_signature_key() -> SignatureKeyPair:
    """Draw a fresh Ed25519 key pair."""
    public, private = crypto_sign_seed_keypair(draw(32))
    return SignatureKeyPair(public, private)


# MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 (RFC 9420 17.1)
SUITE_1 = Suite(id=1, kem_id=0x20, kdf_id=1, aead_id=1)
