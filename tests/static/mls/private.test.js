// PrivateMessage: spelling, padding, sender data (RFC 9420 6.3, R20).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, equal, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { AuthenticationError, FrameError, UsageError } from '../../../static/js/errors.js';
import { opaque, parse, u64 } from '../../../static/js/mls/codec.js';
import {
  openPrivate,
  openSenderData,
  PRIVATE,
  pad,
  sealPrivate,
} from '../../../static/js/mls/private.js';
import { messageKey, seal } from '../../../static/js/mls/suite.js';
import { dice, someBytes } from './forge.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */

const SECRET = Uint8Array.from({ length: 32 }, (_, n) => n);
const KEY = { key: zeros(16), nonce: SECRET.subarray(0, 12) };
const HEAD = { groupId: utf8('group'), epoch: 7, contentType: 1, authenticatedData: utf8('aad') };
const WHO = { leaf: 3, generation: 9, reuseGuard: Uint8Array.of(1, 2, 3, 4) };
const CONTENT = concat(opaque(utf8('hello')), opaque(utf8('signature')));
const PLAIN = concat(CONTENT, zeros(20));

const sealed = (plain = PLAIN) => sealPrivate(SECRET, HEAD, WHO, KEY, plain);
const opened = (/** @type {Bytes} */ data, who = WHO) =>
  openPrivate(parse(PRIVATE, data), who, KEY);
const DATA = await sealed();

test('a message comes back with its sender', async () => {
  assert.deepEqual(await openSenderData(SECRET, parse(PRIVATE, DATA)), WHO);
  const framed = await opened(DATA);
  assert.deepEqual([framed.application, framed.signature], [utf8('hello'), utf8('signature')]);
  assert.deepEqual([framed.groupId, framed.epoch, framed.sender], [utf8('group'), 7, 3]);
  assert.equal(
    hex(framed.encoded),
    hex(utf8('\x05group\0\0\0\0\0\0\0\x07\x01\0\0\0\x03\x03aad\x01\x05hello')),
  );
});

test('any bytes are a message of one spelling or refused', () => {
  const roll = dice(41);
  for (let n = 0; n < 500; n++) {
    const some = someBytes(roll, 200);
    const head = Uint8Array.of(0, 1, 0, 2);
    for (const data of [some, concat(head, some), concat(DATA.subarray(0, some.length), some)]) {
      try {
        assert.deepEqual(PRIVATE(parse(PRIVATE, data)), data);
      } catch (error) {
        assert(error instanceof FrameError);
      }
    }
  }
  for (const data of [zeros(0), concat(DATA, utf8('x')), DATA.subarray(0, -1)]) {
    assert.throws(() => parse(PRIVATE, data), FrameError);
  }
});

test('no byte of a message can be changed', async () => {
  for (let at = 4; at < DATA.length; at++) {
    const spoiled = DATA.slice();
    spoiled[at] ^= 1;
    let who;
    try {
      who = await openSenderData(SECRET, parse(PRIVATE, spoiled));
    } catch (error) {
      assert(error instanceof AuthenticationError || error instanceof FrameError);
      continue;
    }
    assert.deepEqual(who, WHO);
    await assert.rejects(opened(spoiled, who), AuthenticationError);
  }
});

test('sender data has twelve bytes', async () => {
  const ciphertext = zeros(40);
  const key = await messageKey(SECRET, ciphertext.subarray(0, 32));
  const aad = concat(opaque(HEAD.groupId), u64(7), Uint8Array.of(1));
  for (const length of [0, 11, 13]) {
    const senderData = await seal(key, aad, zeros(length));
    const attempt = openSenderData(SECRET, { ...HEAD, senderData, ciphertext });
    await assert.rejects(attempt, AuthenticationError);
  }
});

test('R20: padding that is not zero is refused', async () => {
  for (const at of [0, 10, 19]) {
    const plain = PLAIN.slice();
    plain[CONTENT.length + at] = 1;
    await assert.rejects(opened(await sealed(plain)), FrameError);
  }
});

test('a plaintext cut short is refused', async () => {
  const hello = opaque(utf8('hello'));
  for (const plain of [zeros(0), utf8('\x05hell'), hello, concat(hello, utf8('\x05x'))]) {
    await assert.rejects(opened(await sealed(plain)), FrameError);
  }
});

test("the reuse guard changes the nonce's first four bytes", async () => {
  const ciphertext = await seal(
    {
      key: KEY.key,
      nonce: Uint8Array.from(KEY.nonce, (byte, n) => byte ^ [1, 2, 3, 4, ...zeros(8)][n]),
    },
    concat(opaque(HEAD.groupId), u64(7), Uint8Array.of(1), opaque(utf8('aad'))),
    PLAIN,
  );
  assert(equal(parse(PRIVATE, DATA).ciphertext, ciphertext));
  await assert.rejects(opened(DATA, { ...WHO, reuseGuard: zeros(4) }), AuthenticationError);
});

test('padding fills up and never cuts', () => {
  assert.deepEqual(pad(utf8('abc'), 5, 10), utf8('abc\0\0'));
  assert.deepEqual(pad(utf8('abc'), 7, 10), utf8('abc'));
  assert.throws(() => pad(utf8('abc'), 8, 10), UsageError);
});
