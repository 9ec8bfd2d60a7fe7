// The values in text messages of the relay: each has one spelling (PROTOCOL 5).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, utf8, zeros } from '../../static/js/bytes.js';
import { FrameError } from '../../static/js/errors.js';
import * as field from '../../static/js/field.js';

/** @import { Reader } from '../../static/js/field.js' */

const LIMITS = { message_rate_milli: 500, message_burst: 10, seats: 128 };
const MAX = Number.MAX_SAFE_INTEGER;

/** @type {[Reader, unknown, unknown][]} */
const RIGHT = [
  [field.checkInt, 0, 0],
  [field.checkInt, MAX, MAX],
  [field.readTag, '0x00af', '0x00af'],
  [field.readTags, [], []],
  [field.readTags, ['0x0001', '0x000a'], ['0x0001', '0x000a']],
  [field.readWord, 'a_b', 'a_b'],
  [field.readWord, 'a', 'a'],
  [field.readToken, 'a', 'a'],
  [field.readWord, 'x'.repeat(32), 'x'.repeat(32)],
  [field.readToken, 'aZ-_9', 'aZ-_9'],
  [field.readToken, 'x'.repeat(256), 'x'.repeat(256)],
  [field.readB64(2), 'AAA', zeros(2)],
  [field.readReference, '00112233445566ff', fromHex('00112233445566ff')],
  [field.readSeconds, 1500, 1.5],
  [field.readLimits, LIMITS, { messageRate: 0.5, messageBurst: 10, seats: 128 }],
];

/** @type {[Reader, unknown][]} */
const WRONG = [
  [field.checkInt, -1],
  [field.checkInt, MAX + 1],
  [field.checkInt, true],
  [field.checkInt, 1.5],
  [field.checkInt, '1'],
  [field.checkInt, undefined],
  [field.readTag, 1],
  [field.readTag, ['0x00af']],
  [field.readTag, '0x00AF'],
  [field.readTag, '0x00af\n'],
  [field.readTag, '00af'],
  [field.readTags, '0x0001'],
  [field.readTags, null],
  [field.readTags, ['0x000a', '0x0001']],
  [field.readTags, ['0x0001', '0x0001']],
  [field.readTags, [1]],
  [field.readWord, null],
  [field.readWord, ''],
  [field.readWord, 'Word'],
  [field.readWord, 'x'.repeat(33)],
  [field.readToken, zeros(1)],
  [field.readToken, ''],
  [field.readToken, 'a=b'],
  [field.readToken, 'x'.repeat(257)],
  [field.readB64(2), 7],
  [field.readB64(2), 'AA'],
  [field.readB64(2), 'AAB'],
  [field.readB64(2), 'A A'],
  [field.readB64(2), 'AAA='],
  [field.readB64(2), '\u0100AA'],
  [field.readReference, 7],
  [field.readReference, '00112233445566FF'],
  [field.readReference, '001122334455667'],
  [field.readReference, null],
  [field.readSeconds, -1],
  [field.readSeconds, null],
  [field.readLimits, null],
  [field.readLimits, [500, 10, 128]],
  [field.readLimits, { message_rate_milli: 500, message_burst: 10 }],
  [field.readLimits, Object.fromEntries(Object.entries(LIMITS).reverse())],
  [field.readLimits, { ...LIMITS, seats: '128' }],
];

test('object with a type is read, of text or of bytes', () => {
  const text = '{"type":"\u00e4","x":[1]}';
  assert.deepEqual(field.readObject(text), { type: '\u00e4', x: [1] });
  assert.deepEqual(field.readObject(utf8(text)), { type: '\u00e4', x: [1] });
});

test('what is no object with a type is refused', () => {
  for (const text of ['', '{', 'null', '7', '"type"', '[]', '["type"]', '{}', '{"type":7}']) {
    assert.throws(() => field.readObject(text), FrameError, text);
    assert.throws(() => field.readObject(utf8(text)), FrameError, text);
  }
  assert.throws(() => field.readObject(fromHex('7b2274797065223a22ff227d')), FrameError);
});

test('right value is read', () => {
  for (const [read, value, expected] of RIGHT) assert.deepEqual(read(value), expected);
});

test('wrong value is refused', () => {
  for (const [read, value] of WRONG) {
    assert.throws(() => read(value), FrameError, JSON.stringify(value));
  }
});
