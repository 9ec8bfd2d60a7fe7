// Twin of client/mls/tree.py, but that unmerged leaves, which the profile refuses, count for nothing.

import { concat, equal, zeros } from '../bytes.js';
import {
  opaque,
  optional,
  parse,
  raw,
  select,
  sound,
  struct,
  u8,
  u16,
  u32,
  vector,
} from './codec.js';
import { hash } from './suite.js';
import { directPath, left, level, parent, right, sibling } from './treemath.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Value } from './codec.js'
 * @typedef {Value<typeof LEAF>} Leaf
 * @typedef {Value<typeof NODE>} Node
 * @typedef {{ node: number, copath: number, resolution: number[] }} PathStep
 */

const [IS_LEAF, IS_PARENT] = /** @type {const} */ ([1, 2]);
export const [KEY_PACKAGE, UPDATE, COMMITTED] = /** @type {const} */ ([1, 2, 3]);
const MAX_NODES = 4096; // PROTOCOL 10

const FIELDS = {
  encryptionKey: opaque,
  signatureKey: opaque,
  credential: raw(u16, opaque),
  capabilities: raw(opaque, opaque, opaque, opaque, opaque),
  source: select({
    [KEY_PACKAGE]: struct({ lifetime: raw(u32, u32, u32, u32) }),
    [UPDATE]: struct({}),
    [COMMITTED]: struct({ parentHash: opaque }),
  }),
  extensions: opaque,
};
const UNSIGNED = struct(FIELDS);
export const LEAF = struct({ ...FIELDS, signature: opaque });
const KEYS = { encryptionKey: opaque, parentHash: opaque };
const PARENT = struct({ ...KEYS, unmerged: vector(u32, MAX_NODES) });
const NODE = select({ [IS_LEAF]: LEAF, [IS_PARENT]: PARENT });
const NODES = vector(optional(NODE), MAX_NODES);
const LEAF_HASH = struct({ kind: u8, index: u32, leaf: optional(LEAF) });
const PARENT_NODE_HASH = struct({
  kind: u8,
  inner: optional(PARENT),
  left: opaque,
  right: opaque,
});
const PARENT_HASH = struct({ ...KEYS, copath: opaque });

/** LeafNodeTBS. @param {Leaf} leaf @param {Bytes} groupId @param {number} index */
export function signedIn(leaf, groupId, index) {
  const place = leaf.source.kind === KEY_PACKAGE ? [] : [opaque(groupId), u32(index)];
  return concat(UNSIGNED(leaf), ...place);
}

/** What a node says of the one above it. @param {Leaf | Node} node */
export function parentHashOf(node) {
  if ('parentHash' in node) return node.parentHash;
  return node.source.kind === COMMITTED ? node.source.parentHash : zeros(0);
}

/** @param {Bytes} data the content of the ratchet_tree extension */
export function readTree(data) {
  const nodes = parse(NODES, data);
  sound(nodes.at(-1), 'a tree does not end with a blank');
  for (const [index, node] of nodes.entries()) {
    sound(!node || node.kind === 1 + (index & 1), 'a node in a place of the other kind');
  }
  return new Tree([null]).grown(nodes.length >> 1).replaced(nodes.entries());
}

/** A value: `nodes` as in the array representation, always of a full tree. */
export class Tree {
  #hashes;

  /** @param {(Node | null)[]} nodes @param {Map<number, Promise<Bytes>>} [hashes] of subtrees */
  constructor(nodes, hashes = new Map()) {
    this.nodes = nodes;
    this.#hashes = hashes;
  }

  get width() {
    return (this.nodes.length + 1) / 2;
  }

  /** @param {number} index of any size */
  leaf(index) {
    const node = this.nodes[2 * index];
    return node?.kind === IS_LEAF ? node : null;
  }

  leaves() {
    return this.nodes.flatMap((leaf, n) =>
      leaf?.kind === IS_LEAF ? [{ index: n / 2, leaf }] : [],
    );
  }

  /** @param {number} index */
  keyOf(index) {
    return /** @type {Node} */ (this.nodes[index]).encryptionKey;
  }

  encryptionKeys() {
    return this.nodes.flatMap((node) => (node ? [node.encryptionKey] : []));
  }

  encoded() {
    let end = this.nodes.length;
    while (!this.nodes[end - 1]) end--;
    return NODES(this.nodes.slice(0, end));
  }

  /** Up to the root. @param {number} leaf */
  #path(leaf) {
    return [2 * leaf, ...directPath(2 * leaf, this.width)];
  }

  /** @param {Iterable<[number, Node | null]>} changes */
  replaced(changes) {
    const [nodes, hashes] = [[...this.nodes], new Map(this.#hashes)];
    for (const [index, node] of changes) {
      nodes[index] = node;
      for (const dirty of [index, ...directPath(index, this.width)]) hashes.delete(dirty);
    }
    return new Tree(nodes, hashes);
  }

  /** @param {number} index @param {Leaf} leaf */
  withLeaf(index, leaf) {
    return this.replaced([[2 * index, { kind: IS_LEAF, ...leaf }]]);
  }

  freeLeaf() {
    let index = 0;
    while (this.leaf(index)) index++;
    return index;
  }

  /** @param {number} leaf @returns {Tree} */
  grown(leaf) {
    if (leaf < this.width) return this;
    const blank = Array(this.nodes.length + 1).fill(null);
    return new Tree([...this.nodes, ...blank], this.#hashes).grown(leaf);
  }

  /** @param {number} leaf */
  without(leaf) {
    let tree = this.replaced(this.#path(leaf).map((node) => [node, null]));
    while (tree.width > 1 && !tree.nodes.slice(tree.width).some(Boolean)) {
      // What is cut off was blank, and its hashes are right again should it grow back.
      tree = new Tree(tree.nodes.slice(0, tree.width - 1), tree.#hashes);
    }
    return tree;
  }

  /** @param {number} node @returns {number[]} */
  resolution(node) {
    if (this.nodes[node]) return [node];
    return level(node) ? [left(node), right(node)].flatMap((n) => this.resolution(n)) : [];
  }

  /** @param {number} leaf */
  filteredPath(leaf) {
    const steps = this.#path(leaf)
      .slice(0, -1)
      .map((below) => {
        const copath = sibling(below);
        return { node: parent(below), copath, resolution: this.resolution(copath) };
      });
    return steps.filter(({ resolution }) => resolution.length);
  }

  /** The tree hash, or that of a subtree. @returns {Promise<Bytes>} */
  hash(node = this.width - 1) {
    const digest = this.#hashes.get(node) ?? this.#hashed(node);
    this.#hashes.set(node, digest);
    return digest;
  }

  /** @param {number} node */
  async #hashed(node) {
    const index = node / 2;
    if (!level(node)) return hash(LEAF_HASH({ kind: IS_LEAF, index, leaf: this.leaf(index) }));
    const [first, second] = await Promise.all([this.hash(left(node)), this.hash(right(node))]);
    const value = this.nodes[node];
    const inner = value?.kind === IS_PARENT ? value : null;
    return hash(PARENT_NODE_HASH({ kind: IS_PARENT, inner, left: first, right: second }));
  }

  /** @param {Value<typeof PARENT>} inner @param {number} copath */
  async parentHash(inner, copath) {
    return hash(PARENT_HASH({ ...inner, copath: await this.hash(copath) }));
  }

  /** @param {number} leaf @param {Bytes[]} keys one for each step of its filtered path */
  async merged(leaf, keys) {
    /** @type {Map<number, Node | null>} */
    const changes = new Map(this.#path(leaf).map((node) => [node, null]));
    let parentHash = zeros(0);
    for (const [n, { node, copath }] of [...this.filteredPath(leaf).entries()].reverse()) {
      const inner = { kind: IS_PARENT, encryptionKey: keys[n], parentHash, unmerged: [] };
      changes.set(node, inner);
      parentHash = await this.parentHash(inner, copath);
    }
    return { tree: this.replaced(changes), parentHash };
  }

  async hasSoundParents() {
    const bound = this.nodes.map(async (node, index) => {
      if (node?.kind !== IS_PARENT) return true;
      const sides = [left(index), right(index)];
      const by = sides.map(async (child, n) => {
        const [below, ...others] = this.resolution(child).map((at) => this.nodes[at]);
        if (!below || others.length) return false;
        return equal(parentHashOf(below), await this.parentHash(node, sides[1 - n]));
      });
      return (await Promise.all(by)).includes(true);
    });
    return !(await Promise.all(bound)).includes(false);
  }
}
