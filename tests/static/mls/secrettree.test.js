// Message keys under reorder, loss and replay, and their bounds (RFC 9420 9, R16, R18).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, zeros } from '../../../static/js/bytes.js';
import { AuthenticationError, LimitError, StateError } from '../../../static/js/errors.js';
import { Ratchet, SecretTree } from '../../../static/js/mls/secrettree.js';
import { dice } from './forge.js';

const secret = () => Uint8Array.from({ length: 32 }, (_, n) => n);
/** @type {import('../../../static/js/mls/suite.js').MessageKey[]} */
const KEYS = [];
for (let ratchet = new Ratchet(secret()); KEYS.length < 200; ) {
  const next = await ratchet.advanced();
  KEYS.push(next.key);
  ratchet = next.ratchet;
}

test('every generation has its own key', () => {
  assert.equal(new Set(KEYS.map(({ key }) => hex(key))).size, KEYS.length);
  assert.equal(new Set(KEYS.map(({ nonce }) => hex(nonce))).size, KEYS.length);
});

test('keys come in any order and once', async () => {
  const roll = dice(5);
  for (let n = 0; n < 5; n++) {
    const order = [...Array(64).keys()].map((g) => [roll(1e6), g]).sort((a, b) => a[0] - b[0]);
    let ratchet = new Ratchet(secret());
    for (const [, generation] of order) {
      const found = await ratchet.at(generation);
      assert.deepEqual(found.key, KEYS[generation]);
      ratchet = found.ratchet;
      await assert.rejects(ratchet.at(generation), AuthenticationError);
    }
    assert.equal(ratchet.skipped.size, 0);
  }
});

test('R16: any script of generations stays within bounds', async () => {
  const roll = dice(6);
  for (let n = 0; n < 20; n++) {
    let ratchet = new Ratchet(secret());
    const used = new Set();
    for (let step = 0; step < 40; step++) {
      const generation = roll(150);
      const ahead = generation - ratchet.generation;
      try {
        const { key, ratchet: after } = await ratchet.at(generation);
        assert.deepEqual(key, KEYS[generation]);
        assert(!used.has(generation));
        assert(after.skipped.size <= 64 && after.generation - ratchet.generation <= 65);
        used.add(generation);
        ratchet = after;
      } catch (error) {
        if (error instanceof AuthenticationError) assert(used.has(generation));
        else if (error instanceof LimitError)
          assert(ahead > 64 || ratchet.skipped.size + ahead > 64);
        else throw error;
      }
    }
  }
});

test('R16: a jump of 64 is followed and of 65 is not', async () => {
  const ratchet = new Ratchet(secret());
  const { key, ratchet: after } = await ratchet.at(64);
  assert.deepEqual(key, KEYS[64]);
  assert.equal(after.skipped.size, 64);
  await assert.rejects(ratchet.at(65), { name: 'LimitError', retryAfterS: null });
});

test('R16: at most 64 keys are kept for late messages', async () => {
  const { ratchet } = await new Ratchet(secret()).at(40);
  await assert.rejects(ratchet.at(41 + 25), LimitError);
  let { ratchet: full } = await ratchet.at(41 + 24);
  assert.equal(full.skipped.size, 64);
  ({ ratchet: full } = await full.at(66)); // the next in turn leaves none behind
  await assert.rejects(full.at(68), LimitError);
  const found = await full.at(3);
  assert.deepEqual(found.key, KEYS[3]);
  assert.deepEqual((await found.ratchet.at(68)).key, KEYS[68]);
});

test('looking a key up moves nothing', async () => {
  const tree = new SecretTree(2, secret());
  const before = await tree.ratchet(1);
  const { key, ratchet } = await before.at(5);
  assert.equal((await tree.ratchet(1)).generation, 0);
  assert.deepEqual((await (await tree.ratchet(1)).at(5)).key, key);
  tree.commit(1, before, ratchet);
  await assert.rejects((await tree.ratchet(1)).at(5), AuthenticationError);
});

test('of two that began from the same ratchet only one is put in place', async () => {
  const tree = new SecretTree(2, secret());
  const before = await tree.ratchet(1);
  const [one, other] = [await before.at(0), await before.at(1)];
  tree.commit(1, before, one.ratchet);
  assert.throws(() => tree.commit(1, before, other.ratchet), StateError);
  assert.equal(await tree.ratchet(1), one.ratchet);
});

test('the order of first use changes no chain, and every leaf has its own', async () => {
  for (const width of [1, 2, 8, 16]) {
    const [forth, back] = [new SecretTree(width, secret()), new SecretTree(width, secret())];
    const seen = new Map();
    for (let leaf = 0; leaf < width; leaf++)
      seen.set(leaf, hex((await forth.ratchet(leaf)).secret));
    assert.equal(new Set(seen.values()).size, width);
    for (let leaf = width - 1; leaf >= 0; leaf--) {
      assert.equal(hex((await back.ratchet(leaf)).secret), seen.get(leaf));
    }
  }
});

test("a leaf's secret leaves the tree with all above it, which are overwritten", async () => {
  const own = secret();
  const tree = new SecretTree(4, own);
  const taken = await tree.take(4);
  assert.deepEqual([...tree.secrets.keys()].sort(), [1, 6]);
  assert(![...tree.secrets.values()].some((one) => hex(one) === hex(taken)));
  assert.deepEqual(own, zeros(32));
  await assert.rejects(tree.take(4), StateError);
});

test("a leaf's secret is overwritten once its ratchet begins", async () => {
  const tree = new SecretTree(2, secret());
  await tree.ratchet(0);
  const own = tree.secrets.get(2);
  await tree.ratchet(1);
  assert.deepEqual(own, zeros(32));
});

test('what a ratchet leaves behind is overwritten, but not what it goes on from', async () => {
  const tree = new SecretTree(1, secret());
  const before = await tree.ratchet(0);
  const { ratchet } = await before.at(3);
  tree.commit(0, before, ratchet);
  assert.deepEqual(before.secret, zeros(32));
  const late = await ratchet.at(1);
  tree.commit(0, ratchet, late.ratchet);
  assert.notDeepEqual(late.ratchet.secret, zeros(32));
});

test('R18: a wiped tree holds no secret', async () => {
  const own = secret();
  const tree = new SecretTree(4, own);
  const ratchet = await tree.ratchet(0);
  const held = [...tree.secrets.values(), ratchet.secret];
  tree.wipe();
  assert(held.every((one) => hex(one) === hex(zeros(32))));
  assert.deepEqual([tree.secrets.size, tree.ratchets.size], [0, 0]);
  await assert.rejects(tree.ratchet(0), StateError);
});
