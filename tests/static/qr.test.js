// The QR encoder against Python's segno (1.6.6, error M, byte mode, no boost): version, mask, bits.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { encode } from '../../static/js/qr.js';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_';
const LONG = `https://relay.example/#${ALPHABET.repeat(7)}`;

/** Length, version, mask, SHA-256 of the modules' digits. @type {[number, number, number, string][]} */
const SEGNO = [
  [1, 1, 7, '90d679385d90be9d'],
  [14, 1, 5, '4a8f4992637584db'],
  [26, 2, 6, '7092ae207cbe9191'],
  [42, 3, 7, '1a113edb753d1d2c'],
  [62, 4, 3, '24a587f8fdbeb80d'],
  [84, 5, 6, '94fdd292ef17ba29'],
  [106, 6, 2, '1613db1c50c5ad0b'],
  [122, 7, 5, 'fa5d7ef97c020621'],
  [152, 8, 6, '25373710eafa20d9'],
  [180, 9, 4, '7cf990ceba847e16'],
  [213, 10, 5, 'a299c5915a318f7d'],
  [251, 11, 5, '70b86613d6661a74'],
  [287, 12, 2, 'dee3051a47acb470'],
  [331, 13, 5, '32996ce0b8e01011'],
  [362, 14, 3, '1bfa19d054fc9df0'],
  [412, 15, 4, '15014a75e71fbd02'],
];

test('every version is, bit by bit and in its mask, what segno draws', () => {
  for (const [length, version, mask, digest] of SEGNO) {
    const code = encode(LONG.slice(0, length));
    assert.deepEqual([code.version, code.mask, code.size], [version, mask, 17 + 4 * version]);
    const found = createHash('sha256').update(code.modules.join('')).digest('hex').slice(0, 16);
    assert.equal(found, digest, `version ${version}`);
  }
});

test('the next version begins where the last one is full', () => {
  for (const [index, [length, version]] of SEGNO.entries()) {
    if (index === 0) continue;
    assert.equal(encode(LONG.slice(0, length)).version, version);
    if (version < 15) assert.equal(encode(LONG.slice(0, length + 1)).version, version + 1);
  }
});

test('what is longer than the longest link is refused', () => {
  assert.throws(() => encode(LONG.slice(0, 413)), RangeError);
});

test('text beyond ASCII is drawn as UTF-8', () => {
  assert.equal(encode('é'.repeat(13)).version, 2);
  assert.equal(encode('é'.repeat(14)).version, 3);
});

test('every module is light or dark', () => {
  assert.ok(encode(LONG.slice(0, 66)).modules.every((module) => module === 0 || module === 1));
});
