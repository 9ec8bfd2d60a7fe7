// Lengths, vectors and tables of the TLS presentation language (RFC 9420 2.1).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, fromHex, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { FrameError } from '../../../static/js/errors.js';
import {
  after,
  opaque,
  optional,
  parse,
  Reader,
  raw,
  select,
  struct,
  u8,
  u16,
  u32,
  u64,
  vector,
} from '../../../static/js/mls/codec.js';
import { dice, someBytes } from './forge.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { Codec } from '../../../static/js/mls/codec.js' */

/** @param {Codec<any>} codec @param {string | Bytes} data */
const refused = (codec, data) =>
  assert.throws(() => parse(codec, typeof data === 'string' ? fromHex(data) : data), FrameError);

test('integers are big endian and of fixed size', () => {
  for (const [codec, size] of /** @type {const} */ ([
    [u8, 1],
    [u16, 2],
    [u32, 4],
    [u64, 8],
  ])) {
    const data = fromHex('00123456789abcde').subarray(0, size);
    assert.deepEqual(codec(parse(codec, data)), data);
    assert.equal(parse(codec, data), Number(BigInt(`0x${hex(data)}`)));
    refused(codec, data.subarray(1));
    refused(codec, concat(data, zeros(1)));
  }
});

test('a number beyond what JavaScript counts exactly is refused', () => {
  assert.equal(parse(u64, fromHex('001fffffffffffff')), Number.MAX_SAFE_INTEGER);
  for (const data of ['0020000000000000', '0020000000000001', 'ffffffffffffffff'])
    refused(u64, data);
});

test('a length takes its shortest form', () => {
  const heads = /** @type {const} */ ([
    [0, '00'],
    [63, '3f'],
    [64, '4040'],
    [16383, '7fff'],
    [16384, '80004000'],
  ]);
  for (const [length, head] of heads) {
    const encoded = opaque(zeros(length));
    assert.equal(hex(encoded.subarray(0, head.length / 2)), head);
    assert.equal(encoded.length, head.length / 2 + length);
    assert.deepEqual(parse(opaque, encoded), zeros(length));
  }
});

test('any other form of a length is refused', () => {
  for (const head of ['4000', '403f', '80000000', '80003fff', 'c0', 'ffffffffffffffff']) {
    const reader = new Reader(concat(fromHex(head), zeros(20000)));
    assert.throws(() => opaque.read(reader), FrameError);
  }
  for (const head of ['', '40', '800000', '0361']) refused(opaque, head);
  // There is no form of eight bytes, be it long enough for it or not.
  refused(opaque, concat(fromHex('c000000000400000'), zeros(1 << 22)));
});

test('a vector holds at most so many values, each whole', () => {
  const data = opaque(zeros(6));
  assert.deepEqual(parse(vector(u16, 3), data), [0, 0, 0]);
  refused(vector(u16, 2), data);
  refused(vector(u16, 9), opaque(zeros(3)));
});

test('an optional value is absent or present and nothing else', () => {
  const item = optional(u8);
  assert.deepEqual([item(null), item(7)].map(hex), ['00', '0107']);
  assert.deepEqual(
    ['00', '0107'].map((data) => parse(item, fromHex(data))),
    [null, 7],
  );
  refused(item, '0207');
});

test('a table reads and writes its fields in their order', () => {
  const table = struct({ b: u8, a: opaque });
  assert.equal(hex(table({ a: utf8('x'), b: 2 })), '020178');
  assert.deepEqual(parse(table, fromHex('020178')), { a: utf8('x'), b: 2 });
  refused(table, '02');
});

test('a choice is told by its kind, and there is no other', () => {
  const choice = select({ 1: struct({ n: u8 }), 7: struct({}) }, u16);
  assert.equal(hex(choice({ kind: 1, n: 5 })), '000105');
  assert.deepEqual(parse(choice, fromHex('0007')), { kind: 7 });
  for (const data of ['0002', '0000', '0007ff']) refused(choice, data);
});

test('constant bytes in front are those and no others', () => {
  const item = after(u16(0x1234), u8);
  assert.equal(hex(item(9)), '123409');
  assert.equal(parse(item, fromHex('123409')), 9);
  for (const data of ['123509', '12', '1234']) refused(item, data);
});

test('what is kept raw is what was read', () => {
  const item = raw(u16, opaque);
  assert.deepEqual(parse(item, fromHex('00010161')), fromHex('00010161'));
  refused(item, '00010261');
});

test('a length has one spelling', () => {
  const roll = dice(1);
  for (let n = 0; n < 2000; n++) {
    const reader = new Reader(someBytes(roll, 200));
    try {
      const value = opaque.read(reader);
      assert.deepEqual(opaque(value), reader.since(0));
    } catch (error) {
      assert(error instanceof FrameError);
    }
  }
});

test('vectors come back', () => {
  const roll = dice(2);
  const item = vector(opaque, 9);
  for (let n = 0; n < 300; n++) {
    const values = Array.from({ length: roll(10) }, () => someBytes(roll, 90));
    assert.deepEqual(parse(item, item(values)), values);
  }
});
