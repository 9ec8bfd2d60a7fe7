// The ratchet tree: reading, changing, resolutions, tree and parent hashes (RFC 9420 4, 7).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { FrameError } from '../../../static/js/errors.js';
import { opaque, parse, u8, u32 } from '../../../static/js/mls/codec.js';
import { LEAF, parentHashOf, readTree, signedIn, Tree } from '../../../static/js/mls/tree.js';
import { directPath, isBelow, sibling } from '../../../static/js/mls/treemath.js';
import { dice, someBytes, world } from './forge.js';
import * as rfc from './rfc.js';
import { CREDENTIAL, inner, leaf, play, treeOf } from './trees.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { Leaf } from '../../../static/js/mls/tree.js' */

/** @type {Leaf['source'][]} */
const SOURCES = [
  { kind: 1, lifetime: zeros(16) },
  { kind: 2 },
  { kind: 3, parentHash: utf8('above') },
];

test('a leaf of every source comes back, and of no other', () => {
  for (const source of SOURCES) {
    const value = leaf(1, source);
    assert.deepEqual(parse(LEAF, LEAF(value)), value);
  }
  const data = LEAF(leaf(1, { kind: 2 }));
  const at = hex(data).indexOf(hex(CREDENTIAL)) / 2 + CREDENTIAL.length + 5;
  assert.equal(data[at], 2);
  for (const kind of [0, 4, 255]) {
    data[at] = kind;
    assert.throws(() => parse(LEAF, data), FrameError);
  }
});

test("a key package's leaf is signed for no group, any other for its place", () => {
  const [alone, , member] = SOURCES.map((source) => leaf(1, source));
  const unsigned = (/** @type {Leaf} */ one) => LEAF(one).subarray(0, -4);
  assert.equal(hex(signedIn(alone, utf8('group'), 3)), hex(unsigned(alone)));
  const place = concat(opaque(utf8('group')), u32(3));
  assert.equal(hex(signedIn(member, utf8('group'), 3)), hex(concat(unsigned(member), place)));
  assert.deepEqual(
    SOURCES.map((source) => parentHashOf(leaf(1, source))),
    [zeros(0), zeros(0), utf8('above')],
  );
});

const encoded = (/** @type {(Bytes | null)[]} */ ...nodes) =>
  opaque(concat(...nodes.map((node) => (node ? concat(u8(1), node) : u8(0)))));
const [A_LEAF, A_PARENT] = [
  concat(u8(1), LEAF(leaf(0))),
  concat(u8(2), opaque(utf8('k')), opaque(zeros(0)), opaque(zeros(0))),
];

test('what is no tree is refused', () => {
  const odd = concat(u8(2), opaque(utf8('k')), opaque(zeros(0)), opaque(utf8('abc')));
  for (const data of [
    encoded(),
    encoded(null),
    encoded(A_LEAF, null),
    encoded(A_LEAF, null, null),
    encoded(A_PARENT),
    encoded(A_LEAF, A_LEAF),
    encoded(A_LEAF, A_PARENT, A_PARENT),
    encoded(concat(u8(3), A_LEAF.subarray(1))),
    encoded(concat(u8(0), A_LEAF.subarray(1))),
    concat(encoded(A_LEAF), utf8('x')),
    encoded(A_LEAF, odd, A_LEAF),
    opaque(concat(u8(2), A_LEAF)),
  ]) {
    assert.throws(() => readTree(data), FrameError);
  }
});

test('a tree is filled up to a full one', () => {
  const data = encoded(A_LEAF, null, A_LEAF, A_PARENT, A_LEAF);
  const tree = readTree(data);
  assert.deepEqual([tree.width, tree.nodes.length], [4, 7]);
  assert.deepEqual(tree.nodes.slice(5), [null, null]);
  assert.deepEqual(tree.encoded(), data);
  for (const leaves of [1, 2, 3, 5, 9]) {
    const nodes = Array.from({ length: 2 * leaves - 1 }, (_, n) => (n % 2 ? null : A_LEAF));
    const width = 2 ** Math.ceil(Math.log2(leaves));
    assert.equal(readTree(encoded(...nodes)).nodes.length, 2 * width - 1);
  }
});

test('a tree of more nodes than a room can have is refused at once', () => {
  assert.equal(readTree(encoded(...Array(4094).fill(null), A_LEAF)).width, 2048);
  assert.throws(() => readTree(encoded(...Array(4096).fill(null), A_LEAF)), FrameError);
});

test('any bytes are a tree of one spelling or refused', () => {
  const roll = dice(9);
  for (let n = 0; n < 500; n++) {
    const some = someBytes(roll, 300);
    for (const data of [some, opaque(some), encoded(A_LEAF, concat(u8(2), some), A_LEAF)]) {
      try {
        assert.deepEqual(readTree(data).encoded(), data);
      } catch (error) {
        assert(error instanceof FrameError);
      }
    }
  }
});

// Changing

test('every tree of a script comes back and is sound', async () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    for await (const tree of play(dice(seed), 20)) {
      const again = readTree(tree.encoded());
      assert.deepEqual(again.nodes, tree.nodes);
      // One has hashes kept from before, the other has none.
      assert.deepEqual(await again.hash(), await tree.hash());
      assert(await tree.hasSoundParents());
      const right = tree.leaves().some(({ index }) => 2 * index >= tree.width);
      assert(tree.width === 1 || right);
    }
  }
});

test('any changed parent is unsound', async () => {
  for await (const tree of play(dice(11), 25)) {
    for (const [at, node] of tree.nodes.entries()) {
      if (node?.kind !== 2) continue;
      for (const change of [{ encryptionKey: utf8('x') }, { parentHash: utf8('x') }]) {
        assert(!(await tree.replaced([[at, { ...node, ...change }]]).hasSoundParents()));
      }
    }
  }
});

test('a tree of blank parents is sound, and one without a binding child is not', async () => {
  const tree = treeOf([0, 1], 2);
  assert(await tree.hasSoundParents());
  assert(!(await tree.replaced([[1, inner('k')]]).hasSoundParents()));
  // On neither side is there one node that could hold it.
  const four = treeOf([0, 1, 2, 3], 4).replaced([[3, inner('k')]]);
  assert(!(await four.hasSoundParents()));
});

test('a parent is bound by the one node below it, not by one of several', async () => {
  const above = inner('k');
  const bare = treeOf([0, 1, 2, 3], 4).replaced([[3, above]]);
  const source = /** @type {const} */ ({ kind: 3, parentHash: await bare.parentHash(above, 5) });
  const bound = bare.withLeaf(0, leaf(0, source));
  assert(!(await bound.hasSoundParents()));
  assert(await bound.replaced([[2, null]]).hasSoundParents());
});

test('the leftmost blank leaf is free', () => {
  assert.equal(treeOf([0, 1, 3], 4).freeLeaf(), 2);
  assert.equal(treeOf([0, 1], 2).freeLeaf(), 2);
});

test('a tree grows by doubling', () => {
  for (const [index, width] of [
    [0, 1],
    [1, 2],
    [2, 4],
    [4, 8],
    [9, 16],
  ]) {
    const tree = treeOf([0], 1).grown(index);
    assert.deepEqual([tree.width, tree.nodes.length], [width, 2 * width - 1]);
    assert.deepEqual(tree.leaf(0), { kind: 1, ...leaf(0) });
  }
});

test('removing blanks the path and cuts empty halves', () => {
  const full = treeOf([0, 1, 2, 3, 4, 5, 6, 7], 8);
  const tree = full.replaced([1, 3, 5, 7, 9, 11, 13].map((node) => [node, inner(`k${node}`)]));
  const one = tree.without(1);
  assert.deepEqual(
    [...one.nodes.keys()].filter((node) => !one.nodes[node]),
    [1, 2, 3, 7],
  );
  assert.equal(one.width, 8);
  assert.equal([4, 5, 6, 7].reduce((now, index) => now.without(index), tree).width, 4);
  const last = [7, 6, 5, 4, 3, 2, 1].reduce((now, index) => now.without(index), tree);
  assert.deepEqual(last.nodes, [{ kind: 1, ...leaf(0) }]);
});

test('a tree that was cut and grows again has the hashes of a fresh one', async () => {
  const tree = treeOf([0, 1, 2, 3, 4], 8);
  await tree.hash();
  const again = tree.without(4).grown(4).withLeaf(5, leaf(9));
  const fresh = new Tree(again.nodes);
  assert.deepEqual(await again.hash(), await fresh.hash());
});

test('a leaf beyond the tree is none', () => {
  const tree = treeOf([0, 1], 2);
  for (const index of [-1, 2, 2 ** 32 - 1]) assert.equal(tree.leaf(index), null);
  assert.deepEqual(tree.leaf(1), { kind: 1, ...leaf(1) });
});

test('a resolution reaches everybody below once, and a path leaves out empty sides', async () => {
  for await (const tree of play(dice(21), 40)) {
    const leaves = tree.leaves().map(({ index }) => index);
    for (const node of tree.nodes.keys()) {
      const found = tree.resolution(node);
      const reached = leaves.flatMap((leaf) =>
        found.flatMap((at) => (isBelow(2 * leaf, at) ? [leaf] : [])),
      );
      assert.deepEqual(
        reached,
        leaves.filter((leaf) => isBelow(2 * leaf, node)),
      );
    }
    for (const index of leaves) {
      const path = [2 * index, ...directPath(2 * index, tree.width)];
      const expected = path.slice(1).flatMap((node, n) => {
        const copath = sibling(path[n]);
        const resolution = tree.resolution(copath);
        return resolution.length ? [{ node, copath, resolution }] : [];
      });
      assert.deepEqual(tree.filteredPath(index), expected);
    }
  }
});

test('the tree hash covers every node', async () => {
  const { tree } = (await world(5)).at(0);
  const hashes = new Set([hex(await tree.hash())]);
  const present = [...tree.nodes.entries()].filter(([, node]) => node);
  for (const [index, node] of present) {
    assert(node);
    for (const other of [null, { ...node, encryptionKey: utf8('x') }]) {
      hashes.add(hex(await tree.replaced([[index, other]]).hash()));
    }
  }
  assert.equal(hashes.size, 1 + 2 * present.length);
  assert(!hashes.has(hex(await tree.grown(8).hash())));
});

test('unmerged leaves, which only the official vectors have, count as never added', async () => {
  let { tree } = (await world(4, [1, 2])).at(0);
  for (const number of [1, 2]) {
    const done = rfc.added(tree, leaf(number));
    assert.equal(done.index, number);
    tree = done.tree;
    assert(await rfc.hasSoundParents(tree));
  }
  const parents = tree.nodes.flatMap((node, at) => (node?.kind === 2 ? [{ at, node }] : []));
  assert(parents.some(({ node }) => node.unmerged.length));
  assert.deepEqual(readTree(tree.encoded()).nodes, tree.nodes);
  for (const { at, node } of parents.filter(({ node: { unmerged } }) => unmerged.length)) {
    const changed = tree.replaced([[at, { ...node, unmerged: [] }]]);
    assert(!(await rfc.hasSoundParents(changed)));
  }
});
