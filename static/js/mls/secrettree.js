// Twin of client/mls/secrettree.py.

import { utf8 } from '../bytes.js';
import { AuthenticationError, LimitError, StateError } from '../errors.js';
import { u32 } from './codec.js';
import { derive, messageKey } from './suite.js';
import { left, parent, right } from './treemath.js';

/** @import { Bytes } from '../bytes.js' */
/** @import { MessageKey } from './suite.js' */

const MAX_SKIPPED = 64; // R16, and how far it goes forward at once

/** One leaf's chain, a value: the next generation, and keys that were skipped on the way. */
export class Ratchet {
  /** @param {Bytes} secret @param {number} generation @param {Map<number, MessageKey>} skipped */
  constructor(secret, generation = 0, skipped = new Map()) {
    this.secret = secret;
    this.generation = generation;
    this.skipped = skipped;
  }

  /** The key of the next generation and the ratchet behind it. */
  async advanced() {
    const at = u32(this.generation);
    const [key, secret] = await Promise.all([
      messageKey(this.secret, at),
      derive(this.secret, 'secret', at),
    ]);
    return { key, ratchet: new Ratchet(secret, this.generation + 1, this.skipped) };
  }

  /** The key of a generation and the ratchet after its use. @param {number} generation */
  async at(generation) {
    const skipped = new Map(this.skipped);
    const ahead = generation - this.generation;
    if (ahead < 0) {
      const key = skipped.get(generation);
      if (!key) throw new AuthenticationError();
      skipped.delete(generation);
      return { key, ratchet: new Ratchet(this.secret, this.generation, skipped) };
    }
    if (skipped.size + ahead > MAX_SKIPPED) {
      throw new LimitError('too many generations skipped');
    }
    let { key, ratchet } = await this.advanced();
    while (ratchet.generation <= generation) {
      skipped.set(ratchet.generation - 1, key);
      ({ key, ratchet } = await ratchet.advanced());
    }
    return { key, ratchet: new Ratchet(ratchet.secret, ratchet.generation, skipped) };
  }
}

/** All ratchets of one epoch; secrets are overwritten when they are used up. */
export class SecretTree {
  /** @type {Map<number, Ratchet>} */
  ratchets = new Map();

  #root;

  /** @param {number} width @param {Bytes} encryptionSecret */
  constructor(width, encryptionSecret) {
    this.#root = width - 1;
    this.secrets = new Map([[this.#root, encryptionSecret]]);
  }

  /** @param {number} leaf */
  async ratchet(leaf) {
    const known = this.ratchets.get(leaf);
    if (known) return known;
    const secret = await this.take(2 * leaf);
    const ratchet = new Ratchet(await derive(secret, 'application'));
    secret.fill(0);
    this.ratchets.set(leaf, ratchet);
    return ratchet;
  }

  /** Two calls at once must never share a key. @param {number} leaf @param {Ratchet} before @param {Ratchet} after */
  commit(leaf, before, after) {
    if (this.ratchets.get(leaf) !== before) throw new StateError('two calls at once');
    if (before.secret !== after.secret) before.secret.fill(0);
    this.ratchets.set(leaf, after);
  }

  /** Take a node's secret out of the tree; it is there once. @param {number} node @returns {Promise<Bytes>} */
  async take(node) {
    const known = this.secrets.get(node);
    this.secrets.delete(node);
    if (known) return known;
    if (node === this.#root) throw new StateError('this secret is gone');
    const above = parent(node);
    const secret = await this.take(above);
    const children = { left: left(above), right: right(above) };
    for (const [side, child] of Object.entries(children)) {
      this.secrets.set(child, await derive(secret, 'tree', utf8(side)));
    }
    secret.fill(0);
    return this.take(node);
  }

  wipe() {
    for (const secret of this.secrets.values()) secret.fill(0);
    for (const { secret } of this.ratchets.values()) secret.fill(0);
    this.secrets.clear();
    this.ratchets.clear();
  }
}
