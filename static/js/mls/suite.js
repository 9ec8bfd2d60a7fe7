// Twin of client/mls/suite.py on WebCrypto; keys and signatures are checked by their bytes before
// WebCrypto sees them (R7). There is one suite, so that it is this module and no value.

import { concat, exactly, hex, utf8, zeros } from '../bytes.js';
import { AuthenticationError, StateError } from '../errors.js';
import { opaque, u8, u16 } from './codec.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @typedef {{ public: Bytes, private: CryptoKey }} KeyPair
 * @typedef {{ key: Bytes, nonce: Bytes }} MessageKey used once
 */

export const SUITE = 1;
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
// Values of small order: u on the X25519 curve and its twist (RFC 7748 6.1), y of Ed25519.
const U1 = 325606250916557431795983626356110631294008115727848805560023387167927233504n;
const U2 = 39382357235489614581723060781553021112529911719440698176882885853963445705823n;
const Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;

const { subtle } = globalThis.crypto;
const SHA_256 = 'SHA-256';
const PKCS8_X25519 = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);
const EMPTY = zeros(0);
const KEM = utf8('HPKE-v1KEM\0\x20');
const HPKE = utf8('HPKE-v1HPKE\0\x20\0\x01\0\x01');

/** @param {Uint8Array} data */
const little = (data) => BigInt(`0x${hex(Uint8Array.from(data).reverse())}`);

/** Reduced, and not of small order. @param {bigint} value @param {bigint[]} small */
const isPoint = (value, ...small) => value < P && ![0n, 1n, P - 1n, ...small].includes(value);

/** @param {Bytes} key */
export const isKemKey = (key) => key.length === 32 && isPoint(little(key), U1, U2);

/** @param {Bytes} key */
export const isSignatureKey = (key) =>
  key.length === 32 && isPoint(BigInt.asUintN(255, little(key)), Y, P - Y);

/** @param {Bytes} signature */
export const isSignature = (signature) =>
  signature.length === 64 &&
  isSignatureKey(signature.subarray(0, 32)) &&
  little(signature.subarray(32)) < L;

/** @param {Promise<ArrayBuffer>} result */
const bytes = async (result) => new Uint8Array(await result);

/** @returns {never} */
const denied = () => {
  throw new AuthenticationError();
};

/** @param {number} length */
export const draw = (length) => globalThis.crypto.getRandomValues(zeros(length));

/** @param {Bytes} data */
export const hash = (data) => bytes(subtle.digest(SHA_256, data));

/** HMAC, and so HKDF-Extract. @param {Bytes} key @param {Bytes} data */
export async function mac(key, data) {
  exactly('key', key, 32);
  const algorithm = { name: 'HMAC', hash: SHA_256 };
  const imported = await subtle.importKey('raw', key, algorithm, false, ['sign']);
  return bytes(subtle.sign('HMAC', imported, data));
}

/** HKDF-Expand, of one block at most. @param {Bytes} prk @param {Bytes} info @param {number} length */
const expand = async (prk, info, length) => (await mac(prk, concat(info, u8(1)))).slice(0, length);

/** @param {string} label @param {Bytes} content */
const labelled = (label, content) => concat(opaque(utf8(`MLS 1.0 ${label}`)), opaque(content));

/** ExpandWithLabel; without context DeriveSecret. @param {Bytes} secret @param {string} label */
export const derive = (secret, label, context = EMPTY, length = 32) =>
  expand(secret, concat(u16(length), labelled(label, context)), length);

/** @param {Bytes} secret @param {Bytes} context @returns {Promise<MessageKey>} */
export const messageKey = async (secret, context) => ({
  key: await derive(secret, 'key', context, 16),
  nonce: await derive(secret, 'nonce', context, 12),
});

/** @param {any} pair @returns {Promise<KeyPair>} */
const exported = async (pair) => ({
  public: await bytes(subtle.exportKey('raw', pair.publicKey)),
  private: pair.privateKey,
});

export const generateSignatureKey = async () =>
  exported(await subtle.generateKey('Ed25519', false, ['sign', 'verify']));

/** @param {CryptoKey | null} key null: forgotten @param {string} label @param {Bytes} content */
export async function sign(key, label, content) {
  if (!key) throw new StateError('this signature key is gone');
  return bytes(subtle.sign('Ed25519', key, labelled(label, content)));
}

/** @param {Bytes} key @param {string} label @param {Bytes} content @param {Bytes} signature */
export const verifies = async (key, label, content, signature) =>
  isSignatureKey(key) &&
  isSignature(signature) &&
  subtle
    .importKey('raw', key, 'Ed25519', false, ['verify'])
    .then((known) => subtle.verify('Ed25519', known, signature, labelled(label, content)))
    .catch(() => false);

/** @param {'encrypt' | 'decrypt'} use @param {MessageKey} key @param {Bytes} aad @param {Bytes} data */
async function gcm(use, { key, nonce }, aad, data) {
  exactly('key', key, 16);
  exactly('nonce', nonce, 12);
  const imported = await subtle.importKey('raw', key, 'AES-GCM', false, [use]);
  const algorithm = { name: 'AES-GCM', iv: nonce, additionalData: aad };
  return bytes(subtle[use](algorithm, imported, data));
}

/** @param {MessageKey} key @param {Bytes} aad @param {Bytes} plaintext */
export const seal = (key, aad, plaintext) => gcm('encrypt', key, aad, plaintext);

/** @param {MessageKey} key @param {Bytes} aad @param {Bytes} ciphertext */
export const open = (key, aad, ciphertext) => gcm('decrypt', key, aad, ciphertext).catch(denied);

/**
 * HPKE's LabeledExtract and LabeledExpand in one, which is what HKDF of WebCrypto does.
 * @param {Bytes} suite @param {Bytes} salt @param {string} from @param {Bytes} ikm
 * @param {string} to @param {Bytes} context
 */
async function kdf(suite, salt, from, ikm, to, context, length = 32) {
  const input = concat(suite, utf8(from), ikm);
  const key = await subtle.importKey('raw', input, 'HKDF', false, ['deriveBits']);
  const info = concat(u16(length), suite, utf8(to), context);
  return bytes(subtle.deriveBits({ name: 'HKDF', hash: SHA_256, salt, info }, key, 8 * length));
}

/** @param {CryptoKey} key @param {Bytes} peer */
async function diffieHellman(key, peer) {
  const imported = await subtle.importKey('raw', peer, 'X25519', false, []);
  return bytes(subtle.deriveBits({ name: 'X25519', public: imported }, key, 256));
}

/** @param {Bytes} scalar overwritten @returns {Promise<KeyPair>} */
export async function keyPair(scalar) {
  exactly('private key', scalar, 32);
  const encoded = concat(PKCS8_X25519, scalar);
  const key = await subtle.importKey('pkcs8', encoded, 'X25519', false, ['deriveBits']);
  for (const secret of [encoded, scalar]) secret.fill(0);
  return { public: await diffieHellman(key, concat(u8(9), zeros(31))), private: key };
}

/** @param {Bytes} ikm */
export const deriveKeyPair = async (ikm) =>
  keyPair(await kdf(KEM, EMPTY, 'dkp_prk', ikm, 'sk', EMPTY));

/** @param {CryptoKey} key @param {Bytes} peer @param {Bytes} context */
async function agreed(key, peer, context) {
  if (!isKemKey(peer)) denied();
  const dh = await diffieHellman(key, peer).catch(denied);
  return kdf(KEM, EMPTY, 'eae_prk', dh, 'shared_secret', context);
}

/** @param {Bytes} peer */
async function encap(peer) {
  const pair = await exported(await subtle.generateKey('X25519', false, ['deriveBits']));
  const shared = await agreed(pair.private, peer, concat(pair.public, peer));
  return { output: pair.public, shared };
}

/** @param {KeyPair} pair @param {Bytes} output */
const decap = (pair, output) => agreed(pair.private, output, concat(output, pair.public));

/** The context of HPKE's key schedule. @param {Bytes} info */
async function scheduled(info) {
  const pskIdHash = await mac(zeros(32), concat(HPKE, utf8('psk_id_hash')));
  return concat(u8(0), pskIdHash, await mac(zeros(32), concat(HPKE, utf8('info_hash'), info)));
}

/** @param {Bytes} shared @param {string} label @param {Bytes} content */
async function sealingKey(shared, label, content) {
  const context = await scheduled(labelled(label, content));
  return {
    key: await kdf(HPKE, shared, 'secret', EMPTY, 'key', context, 16),
    nonce: await kdf(HPKE, shared, 'secret', EMPTY, 'base_nonce', context, 12),
  };
}

/** @param {Bytes} peer @param {string} label @param {Bytes} context @param {Bytes} plaintext */
export async function encryptWithLabel(peer, label, context, plaintext) {
  const { output, shared } = await encap(peer);
  const key = await sealingKey(shared, label, context);
  return { output, ciphertext: await seal(key, EMPTY, plaintext) };
}

/**
 * @param {KeyPair} pair @param {string} label @param {Bytes} context @param {Bytes} output
 * @param {Bytes} ciphertext
 */
export async function decryptWithLabel(pair, label, context, output, ciphertext) {
  const shared = await decap(pair, output);
  return open(await sealingKey(shared, label, context), EMPTY, ciphertext);
}

/** @param {Bytes} shared */
async function initSecret(shared) {
  const secret = await kdf(HPKE, shared, 'secret', EMPTY, 'exp', await scheduled(EMPTY));
  return expand(secret, concat(u16(32), HPKE, utf8('secMLS 1.0 external init secret')), 32);
}

/** @param {Bytes} peer */
export async function exportTo(peer) {
  const { output, shared } = await encap(peer);
  return { output, init: await initSecret(shared) };
}

/** @param {KeyPair} pair @param {Bytes} output */
export const exportFrom = async (pair, output) => initSecret(await decap(pair, output));
