// Sealing: what opens, and everything that does not (R19, R20).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, hex, uint, zeros } from '../../static/js/bytes.js';
import { AuthenticationError, StateError, UsageError } from '../../static/js/errors.js';
import { FORGOTTEN } from '../../static/js/link.js';
import { CLASSES, isSealedLength, Kind, seal, sizeClass, unseal } from '../../static/js/seal.js';

const VECTORS = JSON.parse(
  readFileSync(new URL('../vectors/sealing.json', import.meta.url), 'utf8'),
);
const OVERHEAD = 28;
const ROOM = zeros(16);
const KEY = await importKey(zeros(32));

/** @param {Uint8Array<ArrayBuffer>} raw */
function importKey(raw) {
  return crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

for (const vector of VECTORS) {
  test(`r19 vector: ${vector.name}`, async () => {
    const key = await importKey(fromHex(vector.key));
    const { kind, fence } = vector;
    const opened = unseal(key, fromHex(vector.room_id), kind, fence, fromHex(vector.sealed));
    if (vector.error) {
      await assert.rejects(opened, { name: vector.error });
    } else {
      assert.equal(hex(await opened), vector.plaintext);
    }
  });
}

test('r20 commits and GroupInfos are padded to blocks', async () => {
  for (const kind of [Kind.COMMIT, Kind.GROUP_INFO]) {
    for (const length of [0, 1, 1019, 1020, 1021, 2044, 2045, 5000]) {
      const plain = zeros(length).fill(7);
      const sealed = await seal(KEY, ROOM, kind, 2 ** 53 - 1, plain);
      assert.equal((sealed.length - OVERHEAD) % 1024, 0);
      assert.ok(sealed.length - OVERHEAD - length - 4 < 1024);
      assert.deepEqual(await unseal(KEY, ROOM, kind, 2 ** 53 - 1, sealed), plain);
    }
  }
});

test('r20 application messages come in five sizes', async () => {
  assert.deepEqual(CLASSES, [256, 512, 1024, 2048, 4096]);
  for (const size of CLASSES) {
    const sealed = await seal(KEY, ROOM, Kind.APPLICATION, 1, zeros(size));
    assert.equal(sealed.length, size + OVERHEAD);
    assert.deepEqual(await unseal(KEY, ROOM, Kind.APPLICATION, 1, sealed), zeros(size));
    await assert.rejects(seal(KEY, ROOM, Kind.APPLICATION, 1, zeros(size - 1)), UsageError);
  }
});

test('kinds are as PROTOCOL 3 numbers them', () => {
  assert.deepEqual(Kind, { APPLICATION: 1, COMMIT: 2, GROUP_INFO: 3 });
});

test('class is the smallest that fits', () => {
  assert.deepEqual([0, 256, 257, 4096].map(sizeClass), [256, 256, 512, 4096]);
  assert.throws(() => sizeClass(4097), UsageError);
});

test('r19 nothing opens in another place', async () => {
  const sealed = await seal(KEY, ROOM, Kind.COMMIT, 5, fromHex('abcd'));
  for (let at = 0; at < sealed.length; at += at < 40 ? 1 : 97) {
    const spoilt = sealed.slice();
    spoilt[at] ^= 1 << (at % 8);
    await assert.rejects(unseal(KEY, ROOM, Kind.COMMIT, 5, spoilt), AuthenticationError);
  }
  await assert.rejects(unseal(KEY, zeros(16).fill(1), Kind.COMMIT, 5, sealed), AuthenticationError);
  await assert.rejects(unseal(KEY, ROOM, Kind.GROUP_INFO, 5, sealed), AuthenticationError);
  await assert.rejects(unseal(KEY, ROOM, Kind.COMMIT, 5 + 2 ** 32, sealed), AuthenticationError);
});

test('r20 padding has one length, and the length four bytes', async () => {
  const label = new TextEncoder().encode('beacon seal v1');
  const additionalData = concat(label, uint(1, 2), ROOM, uint(2, 1), uint(5, 8));
  const opened = async (/** @type {number} */ length, /** @type {number} */ size) => {
    const padded = concat(uint(length, 4), zeros(size - 4));
    const cipher = { name: 'AES-GCM', iv: zeros(12), additionalData };
    const sealed = new Uint8Array(await crypto.subtle.encrypt(cipher, KEY, padded));
    return unseal(KEY, ROOM, Kind.COMMIT, 5, concat(zeros(12), sealed));
  };
  assert.equal((await opened(1021, 2048)).length, 1021);
  await assert.rejects(opened(1020, 2048), AuthenticationError);
  await assert.rejects(opened(2 ** 24 + 6, 1024), AuthenticationError);
});

test('any bytes are refused alike', async () => {
  const refusal = { name: 'AuthenticationError', message: 'authentication failed' };
  for (const kind of Object.values(Kind)) {
    for (const length of [0, 1, 27, 28, 29, 284, 1052, 1100]) {
      await assert.rejects(unseal(KEY, ROOM, kind, 1, zeros(length)), refusal);
    }
  }
});

test('nonces do not repeat', async () => {
  const sealed = await Promise.all(
    Array.from({ length: 300 }, () => seal(KEY, ROOM, Kind.COMMIT, 1, zeros(0))),
  );
  assert.equal(new Set(sealed.map((one) => hex(one.subarray(0, 12)))).size, 300);
});

test('r20 other lengths are none', () => {
  for (const length of [0, OVERHEAD, OVERHEAD + 1, OVERHEAD + 1023, OVERHEAD - 1024]) {
    for (const kind of Object.values(Kind)) assert.equal(isSealedLength(kind, length), false);
  }
});

test('room id of another length is refused, and so is a key that was forgotten', async () => {
  await assert.rejects(seal(KEY, zeros(15), Kind.COMMIT, 1, zeros(0)), UsageError);
  await assert.rejects(unseal(KEY, zeros(17), Kind.COMMIT, 1, zeros(1052)), UsageError);
  await assert.rejects(seal(FORGOTTEN.seal, ROOM, Kind.COMMIT, 1, zeros(0)), StateError);
  await assert.rejects(unseal(FORGOTTEN.seal, ROOM, Kind.COMMIT, 1, zeros(1052)), StateError);
});
