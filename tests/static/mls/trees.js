// Trees for tests, on public keys alone.

import { utf8, zeros } from '../../../static/js/bytes.js';
import { Tree } from '../../../static/js/mls/tree.js';

/** @import { Leaf } from '../../../static/js/mls/tree.js' */

export const CREDENTIAL = utf8('\0\x01\x060xabcd');

/** @param {number} number @param {Leaf['source']} [source] @returns {Leaf} */
export const leaf = (number, source = { kind: 1, lifetime: zeros(16) }) => ({
  encryptionKey: utf8(`e${number}`),
  signatureKey: utf8(`s${number}`),
  credential: CREDENTIAL,
  capabilities: zeros(5),
  source,
  extensions: zeros(0),
  signature: utf8('sig'),
});

/** An inner node. @param {string} key @param {number[]} [unmerged] */
export const inner = (key, unmerged = []) => ({
  kind: /** @type {const} */ (2),
  encryptionKey: utf8(key),
  parentHash: zeros(0),
  unmerged,
});

/** A tree with blank parents and leaves in the places given. @param {number[]} present @param {number} width */
export const treeOf = (present, width) =>
  present.reduce(
    (tree, index) => tree.withLeaf(index, leaf(index)),
    new Tree(Array(2 * width - 1).fill(null)),
  );

/** Run a script of joins, removals and renewed paths, rolled; yield every tree. @param {(below: number) => number} roll @param {number} steps */
export async function* play(roll, steps) {
  let tree = new Tree([null]).withLeaf(0, leaf(0));
  let count = 1;
  for (let n = 0; n < steps; n++) {
    const present = tree.leaves().map(({ index }) => index);
    let committer = present[roll(present.length)];
    const gone = present[roll(present.length)];
    if (n < 5 || roll(3) === 0) {
      committer = tree.freeLeaf();
      tree = tree.grown(committer);
    } else if (roll(2) && gone !== committer) tree = tree.without(gone);
    const keys = tree.filteredPath(committer).map((_, at) => utf8(`k${count}.${at}`));
    const merged = await tree.merged(committer, keys);
    const source = { kind: /** @type {const} */ (3), parentHash: merged.parentHash };
    tree = merged.tree.withLeaf(committer, leaf(1000 + count++, source));
    yield tree;
  }
}
