// Twin of client/mls/epoch.py.

import { concat, zeros } from '../bytes.js';
import { opaque } from './codec.js';
import { BY_VALUE, confirmed, PSK } from './framing.js';
import { CONTEXT, EXTERNAL_PSK, epochSecrets, pskSecret } from './keyschedule.js';
import { tagOf } from './policy.js';
import { derive, generateSignatureKey, hash, mac, sign } from './suite.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Commit, Framed } from './framing.js'
 * @import { EpochSecrets, GroupContext } from './keyschedule.js'
 * @import { Privates } from './path.js'
 * @import { Tree } from './tree.js'
 * @typedef {{ leaf: number, tag: string, signatureKey: Bytes }} Member
 * @typedef {{ context: GroupContext, confirmationTag: Bytes }} Outside
 * @typedef {{ roomId: Bytes, psk: Bytes, leafCap: number }} Room
 * @typedef {{ outside: Outside, tree: Tree, me: number, identity: Identity, room: Room }} Base
 * @typedef {Base & { privates: Privates, secrets: EpochSecrets }} Epoch
 */

export const LEAF_CAP = 256;

export class Identity {
  #key;

  /** @param {Bytes} signatureKey @param {CryptoKey | null} key */
  constructor(signatureKey, key) {
    this.signatureKey = signatureKey;
    this.#key = key;
  }

  static async generate() {
    const pair = await generateSignatureKey();
    return new Identity(pair.public, pair.private);
  }

  static forgotten() {
    return new Identity(zeros(0), null);
  }

  /** @param {string} label @param {Bytes} content */
  sign(label, content) {
    return sign(this.#key, label, content);
  }
}

/** @param {Tree} tree @returns {Member[]} */
export const membersOf = (tree) =>
  tree.leaves().map(({ index, leaf }) => ({
    leaf: index,
    tag: tagOf(leaf),
    signatureKey: leaf.signatureKey,
  }));

/** @param {Outside} outside */
export const wordsContext = ({ context, confirmationTag }) =>
  concat(CONTEXT(context), confirmationTag);

/** @param {Outside} outside @param {Framed} framed @param {Tree} tree */
export async function nextContext({ context, confirmationTag }, framed, tree) {
  const interim = await hash(concat(context.confirmedTranscriptHash, opaque(confirmationTag)));
  const confirmedTranscriptHash = await hash(concat(interim, confirmed(framed)));
  const treeHash = await tree.hash();
  return { ...context, epoch: context.epoch + 1, treeHash, confirmedTranscriptHash };
}

/**
 * What is new of the epoch that a commit begins.
 * @param {GroupContext} context @param {Bytes} init @param {Bytes} commitSecret
 * @param {Commit} commit @param {Room} room
 */
export async function begun(context, init, commitSecret, { proposals }, { psk: value }) {
  const psks = proposals.flatMap((entry) =>
    entry.kind === BY_VALUE && entry.proposal.kind === PSK
      ? [{ id: EXTERNAL_PSK(entry.proposal), value }]
      : [],
  );
  const joiner = await derive(await mac(init, commitSecret), 'joiner', CONTEXT(context));
  const { secrets, confirmationTag } = await epochSecrets(context, joiner, await pskSecret(psks));
  return { outside: { context, confirmationTag }, secrets };
}
