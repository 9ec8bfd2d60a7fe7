// Tree arithmetic against a tree that is drawn node by node (RFC 9420 4, appendix C).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  directPath,
  isBelow,
  left,
  level,
  parent,
  right,
  sibling,
} from '../../../static/js/mls/treemath.js';

/**
 * Draw a full tree; return its root and [node, left, right] of every parent.
 * @param {number} leaves @param {number} [first] @returns {[number, number[][]]}
 */
function drawn(leaves, first = 0) {
  if (leaves === 1) return [first, []];
  const [leftRoot, leftNodes] = drawn(leaves / 2, first);
  const [rightRoot, rightNodes] = drawn(leaves / 2, first + leaves);
  const root = first + leaves - 1;
  return [root, [...leftNodes, ...rightNodes, [root, leftRoot, rightRoot]]];
}

test('every node stands where a drawn tree has it', () => {
  for (const leaves of [1, 2, 4, 8, 16, 32, 64]) {
    const [root, parents] = drawn(leaves);
    for (const [node, one, other] of parents) {
      assert.deepEqual([left(node), right(node)], [one, other]);
      assert.deepEqual([parent(one), parent(other)], [node, node]);
      assert.deepEqual([sibling(one), sibling(other)], [other, one]);
      assert.equal(level(node), level(one) + 1);
    }
    for (let leaf = 0; leaf < leaves; leaf++) assert.equal(level(2 * leaf), 0);
    assert.deepEqual(directPath(root, leaves), []);
  }
});

test('a direct path leads to the root, and below means the same node or on its way up', () => {
  for (const leaves of [1, 2, 8, 128]) {
    for (let node = 0; node < 2 * leaves - 1; node++) {
      const path = directPath(node, leaves);
      assert.equal([node, ...path].pop(), leaves - 1);
      path.reduce((below, above) => {
        assert([left(above), right(above)].includes(below));
        return above;
      }, node);
      for (let other = 0; other < 2 * leaves - 1; other++) {
        assert.equal(isBelow(node, other), [node, ...path].includes(other));
      }
    }
  }
});
