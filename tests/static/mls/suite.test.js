// The cipher suite, and which keys and signatures it refuses before WebCrypto sees them (R7).

import assert from 'node:assert/strict';
import * as node from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { AuthenticationError, StateError, UsageError } from '../../../static/js/errors.js';
import * as suite from '../../../static/js/mls/suite.js';
import { dice, someBytes } from './forge.js';
import { reference, signingKey } from './rfc.js';

/** @typedef {{ why: string, accepted: boolean, sound: boolean, kind: string, hex: string, key: string, signature: string }} Case */

const R7 = JSON.parse(readFileSync(new URL('../../vectors/mls-r7.json', import.meta.url), 'utf8'));
const CONTENT = fromHex(R7.content);
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const EMPTY = zeros(0);

/** @param {bigint} value */
const little = (value) => fromHex(value.toString(16).padStart(64, '0')).reverse();
/** @param {string} data */
const big = (data) => BigInt(`0x${hex(fromHex(data).reverse())}`);

for (const [n, one] of /** @type {[number, Case][]} */ ([...R7.keys.entries()])) {
  test(`R7: key ${n}, ${one.kind}: ${one.why}`, () => {
    const check = one.kind === 'x25519' ? suite.isKemKey : suite.isSignatureKey;
    assert.equal(check(fromHex(one.hex)), one.accepted);
  });
}

for (const [n, one] of /** @type {[number, Case][]} */ ([...R7.signatures.entries()])) {
  test(`R7: signature ${n}: ${one.why}`, async () => {
    const [key, signature] = [fromHex(one.key), fromHex(one.signature)];
    assert.equal(await suite.verifies(key, R7.label, CONTENT, signature), one.accepted);
    // These hold on the curve: only the bytes tell that they must not be used.
    if (one.sound && !one.accepted) {
      assert(!suite.isSignatureKey(key) || !suite.isSignature(signature));
    }
  });
}

test('R7: an X25519 key is refused by its value alone', () => {
  const small = R7.small_order.x25519.map(big);
  const roll = dice(3);
  const some = Array.from({ length: 200 }, () => big(hex(concat(someBytes(roll, 0), draw(roll)))));
  for (const u of [
    ...small,
    ...some,
    P - 2n,
    P,
    P + 1n,
    P + 2n,
    2n ** 255n - 1n,
    2n ** 256n - 1n,
  ]) {
    assert.equal(suite.isKemKey(little(u)), u < P && !small.includes(u), `${u}`);
  }
});

/** @param {(below: number) => number} roll */
const draw = (roll) => Uint8Array.from({ length: 32 }, () => roll(256));

test('R7: an Ed25519 key is refused by its y alone, under either sign', () => {
  const small = R7.small_order.ed25519.map(big);
  for (const y of [...small, 2n, 5n, P - 2n, P, P + 1n, 2n ** 255n - 1n]) {
    for (const sign of [0n, 2n ** 255n]) {
      assert.equal(suite.isSignatureKey(little(y + sign)), y < P && !small.includes(y), `${y}`);
    }
  }
});

test('R7: S is refused from L on', () => {
  const r = fromHex(R7.signatures[0].signature).subarray(0, 32);
  for (const s of [0n, L - 1n]) assert(suite.isSignature(concat(r, little(s))));
  for (const s of [L, L + 1n, 2n * L, 2n ** 256n - 1n])
    assert(!suite.isSignature(concat(r, little(s))));
});

test('R7: keys have 32 bytes and signatures 64', () => {
  for (const length of [0, 31, 33]) {
    assert(!suite.isKemKey(zeros(length).fill(9)));
    assert(!suite.isSignatureKey(zeros(length).fill(9)));
  }
  for (const length of [0, 63, 65]) assert(!suite.isSignature(zeros(length).fill(2)));
});

test('R7: a key or signature that is refused never reaches WebCrypto', async (t) => {
  const seen = t.mock.method(crypto.subtle, 'importKey');
  const [{ key, signature }] = R7.signatures.filter((/** @type {Case} */ one) => one.accepted);
  const bad = fromHex(R7.small_order.ed25519[2]);
  assert(!(await suite.verifies(bad, R7.label, CONTENT, fromHex(signature))));
  const spoiled = concat(bad, fromHex(signature).subarray(32));
  assert(!(await suite.verifies(fromHex(key), R7.label, CONTENT, spoiled)));
  assert.equal(seen.mock.callCount(), 0);
  const own = await suite.deriveKeyPair(utf8('one'));
  const before = seen.mock.callCount();
  await assert.rejects(suite.exportFrom(own, zeros(32)), AuthenticationError);
  assert.equal(seen.mock.callCount(), before);
});

test('fresh signature keys pass, differ, and cannot be exported', async () => {
  const pairs = await Promise.all(Array.from({ length: 20 }, suite.generateSignatureKey));
  assert.equal(new Set(pairs.map((pair) => hex(pair.public))).size, 20);
  assert(pairs.every((pair) => suite.isSignatureKey(pair.public) && !pair.private.extractable));
});

test('private keys cannot be exported, and their bytes are overwritten', async () => {
  const scalar = zeros(32).fill(7);
  const pair = await suite.keyPair(scalar);
  assert.equal(pair.private.extractable, false);
  assert.deepEqual(scalar, zeros(32));
  assert.equal((await suite.deriveKeyPair(utf8('ikm'))).private.extractable, false);
  // RFC 7748 6.1
  const alice = fromHex(
    '77076d0a7318a57d3c16c17251b26645df4c2f92ebc099ac02ba41ac2f4e9ea0'.slice(0, 64),
  );
  const theirs = node.createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), alice]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x } = node.createPublicKey(theirs).export({ format: 'jwk' });
  assert.equal(Buffer.from((await suite.keyPair(alice)).public).toString('base64url'), x);
});

test('signatures are those of another library, bound to label and content', async () => {
  const seed = zeros(32).fill(5);
  const key = await signingKey(seed);
  const signature = await suite.sign(key, 'a label', utf8('content'));
  const theirs = node.createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const signed = Buffer.from('\x0fMLS 1.0 a label\x07content');
  assert.equal(hex(signature), node.sign(null, signed, theirs).toString('hex'));
  const { x } = node.createPublicKey(theirs).export({ format: 'jwk' });
  const publicKey = Uint8Array.from(Buffer.from(/** @type {string} */ (x), 'base64url'));
  assert(await suite.verifies(publicKey, 'a label', utf8('content'), signature));
  assert(!(await suite.verifies(publicKey, 'another', utf8('content'), signature)));
  assert(!(await suite.verifies(publicKey, 'a label', utf8('contend'), signature)));
});

test('a forgotten key signs nothing', async () => {
  await assert.rejects(suite.sign(null, 'label', utf8('content')), StateError);
});

test('what is sealed to a key is opened with it', async () => {
  const pair = await suite.deriveKeyPair(utf8('a seed'));
  const roll = dice(4);
  for (let n = 0; n < 40; n++) {
    const [plain, context, label] = [someBytes(roll, 80), someBytes(roll, 80), `label ${roll(99)}`];
    const { output, ciphertext } = await suite.encryptWithLabel(pair.public, label, context, plain);
    assert.deepEqual([output.length, ciphertext.length], [32, plain.length + 16]);
    const opened = await suite.decryptWithLabel(pair, label, context, output, ciphertext);
    assert.deepEqual(opened, plain);
  }
});

test('what is sealed is opened nowhere else', async () => {
  const [pair, other] = await Promise.all(
    ['one', 'other'].map((s) => suite.deriveKeyPair(utf8(s))),
  );
  const [label, context, secret] = ['label', utf8('context'), utf8('secret')];
  const sealed = await suite.encryptWithLabel(pair.public, label, context, secret);
  const { output, ciphertext } = sealed;
  const spoiled = ciphertext.slice();
  spoiled[spoiled.length - 1] ^= 1;
  const right = { pair, label, context, output, ciphertext };
  const open = (/** @type {typeof right} */ x) =>
    suite.decryptWithLabel(x.pair, x.label, x.context, x.output, x.ciphertext);
  assert.deepEqual(await open(right), secret);
  for (const wrong of [
    { pair: other },
    { label: 'lable' },
    { context: EMPTY },
    { output: other.public },
    { output: zeros(32) },
    { output: output.subarray(0, 31) },
    { ciphertext: ciphertext.subarray(1) },
    { ciphertext: EMPTY },
    { ciphertext: spoiled },
  ]) {
    await assert.rejects(open({ ...right, ...wrong }), AuthenticationError);
  }
});

test("an exported init secret is shared with the key's owner only", async () => {
  const [pair, other] = await Promise.all(
    ['one', 'other'].map((s) => suite.deriveKeyPair(utf8(s))),
  );
  const { output, init } = await suite.exportTo(pair.public);
  assert.deepEqual(await suite.exportFrom(pair, output), init);
  assert.notDeepEqual(await suite.exportFrom(other, output), init);
  assert.notDeepEqual((await suite.exportTo(pair.public)).output, output);
  await assert.rejects(suite.exportTo(zeros(32)), AuthenticationError);
});

test('labels are spelt as in RFC 9420', async () => {
  const secret = Uint8Array.from({ length: 32 }, (_, n) => n);
  const plain = (/** @type {string} */ info, /** @type {number} */ length) =>
    node
      .createHmac('sha256', secret)
      .update(info, 'latin1')
      .update('\x01')
      .digest('hex')
      .slice(0, 2 * length);
  const label = '\x0cMLS 1.0 name';
  const context = utf8('context');
  assert.equal(
    hex(await suite.derive(secret, 'name', context, 16)),
    plain(`\0\x10${label}\x07context`, 16),
  );
  assert.equal(hex(await suite.derive(secret, 'name')), plain(`\0\x20${label}\0`, 32));
  const { key, nonce } = await suite.messageKey(secret, context);
  assert.equal(hex(key), plain('\0\x10\x0bMLS 1.0 key\x07context', 16));
  assert.equal(hex(nonce), plain('\0\x0c\x0dMLS 1.0 nonce\x07context', 12));
  assert.deepEqual(
    await reference('name', utf8('value')),
    await suite.hash(utf8('\x04name\x05value')),
  );
  assert(hex(await suite.hash(utf8('abc'))).startsWith('ba7816bf8f01cfea'));
});

test('an AEAD key opens nothing that was changed', async () => {
  const key = { key: zeros(16), nonce: zeros(12) };
  const sealed = await suite.seal(key, utf8('aad'), utf8('plain'));
  assert.deepEqual(await suite.open(key, utf8('aad'), sealed), utf8('plain'));
  await assert.rejects(suite.open(key, utf8('add'), sealed), AuthenticationError);
  await assert.rejects(suite.open(key, utf8('aad'), sealed.subarray(0, 15)), AuthenticationError);
});

test('secrets, keys and nonces of another length are not used', async () => {
  for (const wrong of [
    { key: zeros(32), nonce: zeros(12) },
    { key: zeros(16), nonce: zeros(13) },
  ]) {
    await assert.rejects(suite.seal(wrong, EMPTY, EMPTY), UsageError);
  }
  await assert.rejects(suite.mac(zeros(31), EMPTY), UsageError);
  await assert.rejects(suite.derive(EMPTY, 'label'), UsageError);
  await assert.rejects(suite.keyPair(zeros(33)), UsageError);
});
