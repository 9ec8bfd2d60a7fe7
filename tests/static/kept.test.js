// What we said lately, who has it and who may have it again (R31, R32).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kept } from '../../static/js/kept.js';

const [A, B, C] = ['aa', 'bb', 'cc'];

/** Contents for A and B, each ordered at ten times its counter. @param {number[]} counters */
function kept(counters, isText = true) {
  const ours = new Kept();
  for (const n of counters)
    ours.keep(n, new Uint8Array([n]), [A, B], ['life', 10 * n], 0, { isText });
  return ours;
}

/** @param {number} counter @param {number} count @param {number} of */
const receipt = (counter, count, of) => ({ life: 'life', seq: 10 * counter, count, of });

test('R31: each confirmation is told once with its place', () => {
  const ours = kept([1, 2, 3]);
  assert.deepEqual(ours.confirmed(A, 1, 2), [receipt(1, 1, 2), receipt(2, 1, 2)]);
  assert.deepEqual(ours.confirmed(A, 1, 2), []);
  assert.deepEqual(ours.confirmed(B, 1, 1), [receipt(1, 2, 2)]);
  assert.deepEqual(ours.confirmed(A, 3, 10 ** 9), [receipt(3, 1, 2)]);
});

test('R31: whoever was not there confirms nothing', () => {
  const ours = kept([1]);
  assert.deepEqual(ours.confirmed(C, 1, 1), []);
  assert.deepEqual(ours.left(C), []);
  assert.equal(ours.outstanding, 1);
});

test('R31: what is no text is awaited, but neither told nor outstanding', () => {
  const ours = kept([1], false);
  assert.deepEqual([ours.isAwaited, ours.outstanding], [true, 0]);
  assert.deepEqual([ours.confirmed(A, 1, 1), ours.left(B)], [[], []]);
  assert.equal(ours.isAwaited, false);
});

test('R31: a text is outstanding until everybody has it', () => {
  const ours = kept([1, 2]);
  ours.confirmed(A, 1, 2);
  assert.equal(ours.outstanding, 2);
  ours.confirmed(B, 1, 1);
  assert.deepEqual([ours.outstanding, ours.isAwaited], [1, true]);
  ours.confirmed(B, 1, 2);
  assert.deepEqual([ours.outstanding, ours.isAwaited], [0, false]);
});

test('R31: whoever leaves unconfirmed is not counted any more', () => {
  const ours = kept([1, 2]);
  ours.confirmed(A, 1, 1);
  assert.deepEqual(ours.left(A), [receipt(2, 0, 1)]);
  assert.deepEqual(ours.left(A), []);
  // It had the first one, and goes on to count there.
  assert.deepEqual(ours.confirmed(B, 1, 1), [receipt(1, 2, 2)]);
});

test('R31: whoever is back is awaited again', () => {
  const ours = kept([1]);
  ours.left(A);
  ours.back(A);
  assert.deepEqual(ours.confirmed(B, 1, 1), [receipt(1, 1, 2)]);
  assert.ok(ours.isAwaited);
});

test('R31: the confirmation of one that was gone counts it in', () => {
  const ours = kept([1]);
  ours.left(A);
  assert.deepEqual(ours.confirmed(A, 1, 1), [receipt(1, 1, 2)]);
});

test('R32: only who was there may have it, and three times', () => {
  const ours = kept([1]);
  assert.deepEqual([ours.mayHave(C, 1), ours.mayHave(A, 2)], [false, false]);
  for (let i = 0; i < 3; i++) {
    assert.ok(ours.mayHave(A, 1));
    ours.repaired(A, 1);
  }
  assert.deepEqual([ours.mayHave(A, 1), ours.mayHave(B, 1)], [false, true]);
  assert.deepEqual([...ours.content(1)], [1]);
  ours.repaired(A, 2);
  assert.equal(ours.mayHave(A, 2), false);
});

test('R32: a content is open to all only if all were there', () => {
  const ours = kept([1]);
  const cases = /** @type {const} */ ([
    [[A, B], 1, true],
    [[A], 1, true],
    [[A, C], 1, false],
    [[A], 2, false],
  ]);
  for (const [keys, counter, isOpen] of cases) assert.equal(ours.isOpenTo(keys, counter), isOpen);
});

test('R34: whoever counts from later on lacks what was before', () => {
  const ours = kept([1, 2]);
  assert.deepEqual(ours.lacking(A, 3), [1, 2]);
  assert.deepEqual(ours.lacking(C, 3), []);
  ours.confirmed(A, 2, 2);
  assert.deepEqual(ours.lacking(A, 3), [1]);
  assert.deepEqual(ours.lacking(A, 1), []);
  for (let i = 0; i < 3; i++) ours.repaired(A, 1);
  assert.deepEqual(ours.lacking(A, 3), []);
});

test('R18: no more are kept than repair reaches back', () => {
  const ours = kept(Array.from({ length: 65 }, (_, i) => i + 1));
  assert.deepEqual(
    [1, 2, 65].map((n) => ours.mayHave(A, n)),
    [false, true, true],
  );
});

test('R18: nothing is kept longer than its time', () => {
  const ours = kept([1]);
  ours.keep(2, new Uint8Array(), [A], ['life', 20], 5, { isText: true });
  assert.equal(ours.deadline(), 120);
  ours.expire(119.9);
  assert.ok(ours.mayHave(A, 1));
  ours.expire(120);
  assert.deepEqual([ours.mayHave(A, 1), ours.mayHave(A, 2), ours.deadline()], [false, true, 125]);
  ours.clear();
  assert.deepEqual([ours.mayHave(A, 2), ours.deadline()], [false, null]);
});
