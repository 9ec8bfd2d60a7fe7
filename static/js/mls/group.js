// Twin of client/mls/group.py.

import { concat, equal, zeros } from '../bytes.js';
import {
  AuthenticationError,
  CommitRefusedError,
  ForeignError,
  FrameError,
  StateError,
  UsageError,
} from '../errors.js';
import { opaque, parse, sound, u32, u64 } from './codec.js';
import { LEAF_CAP, membersOf, wordsContext } from './epoch.js';
import { check, enter } from './following.js';
import * as framing from './framing.js';
import { secretsOf } from './keyschedule.js';
import { signedLeaf } from './path.js';
import { binding, KIND_APPLICATION, need, PSK_ID, tagOf } from './policy.js';
import { openPrivate, openSenderData, PRIVATE, pad, sealPrivate } from './private.js';
import { SecretTree } from './secrettree.js';
import { groupInfo, stage } from './staging.js';
import * as suite from './suite.js';
import { KEY_PACKAGE, Tree } from './tree.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Epoch, Identity, Member } from './epoch.js'
 * @import { Proposal } from './framing.js'
 * @import { Inspected } from './inspection.js'
 * @import { Plan } from './staging.js'
 * @import { KeyPair } from './suite.js'
 * @typedef {{ commit: Bytes, groupInfo: Bytes, group: Group }} Staged for fence f and f + 1
 * @typedef {{ group: Group, committer: Member, joined: Member | null, removed: Member[] }} Followed
 * @typedef {{ member: Member, generation: number, content: Bytes }} Opened
 */

export const CONTENT_OVERHEAD = 173;
const OUTSIDE_PADDING = CONTENT_OVERHEAD - 2 - 66; // length; signature with its length
const REPAIR_LABEL = 'beacon repair v1';

const pskProposal = () => ({ kind: framing.PSK, pskId: PSK_ID, nonce: suite.draw(32) });

/**
 * @param {Identity} identity @param {string} tag @param {Bytes} psk @param {Bytes} roomId
 * @param {{ leafCap?: number }} [options]
 */
export async function found(identity, tag, psk, roomId, { leafCap = LEAF_CAP } = {}) {
  const pair = await suite.deriveKeyPair(suite.draw(32));
  const source = { kind: KEY_PACKAGE, lifetime: concat(u64(0), zeros(8).fill(255)) };
  const leaf = await signedLeaf({ leaf: 0, tag, identity }, pair.public, source, zeros(0));
  const tree = new Tree([null]).withLeaf(0, leaf);
  const context = {
    suite: suite.SUITE,
    groupId: suite.draw(16),
    epoch: 0,
    treeHash: await tree.hash(),
    confirmedTranscriptHash: zeros(0),
    extensions: zeros(0),
  };
  const secrets = await secretsOf(suite.draw(32));
  const outside = { context, confirmationTag: await suite.mac(secrets.confirmation, zeros(0)) };
  const alone = { outside, tree, me: 0, identity, secrets, room: { roomId, psk, leafCap } };
  const { epoch } = await stage(alone, tag, [pskProposal()], 0);
  return new Group(epoch).commit([], 0);
}

/** @param {Inspected} chosen @param {Identity} identity @param {string} tag @param {Bytes} psk */
export async function join(chosen, identity, tag, psk) {
  const { outside, leafCap } = chosen;
  const { roomId, fence } = chosen.binding;
  let { tree } = chosen;
  /** @type {Proposal[]} */
  const proposals = [];
  for (const { leaf, ...member } of chosen.members) {
    if (equal(member.signatureKey, identity.signatureKey)) {
      tree = tree.without(leaf);
      proposals.push({ kind: framing.REMOVE, leaf });
    } else if (member.tag === tag) {
      throw new StateError('the tag is in use');
    }
  }
  need(tree.leaves().length < leafCap, 'leaf cap');
  const me = tree.freeLeaf();
  const { output, init } = await suite.exportTo(chosen.externalPub);
  proposals.push(pskProposal(), { kind: framing.EXTERNAL_INIT, kemOutput: output });
  const room = { roomId, psk, leafCap };
  const plan = { outside, tree: tree.grown(me), me, identity, secrets: { init }, room };
  return staged(plan, tag, proposals, fence);
}

/** @param {Plan} plan @param {string} tag @param {Proposal[]} proposals @param {number} fence @returns {Promise<Staged>} */
async function staged(plan, tag, proposals, fence) {
  const { commit, epoch } = await stage(plan, tag, proposals, fence);
  return { commit, groupInfo: await groupInfo(epoch, fence + 1), group: new Group(epoch) };
}

/** @param {Bytes} data */
function readCommit(data) {
  try {
    return parse(framing.PUBLIC_COMMIT, data);
  } catch (error) {
    throw error instanceof FrameError ? new CommitRefusedError('syntax') : error;
  }
}

export class Group {
  /** @param {Epoch} epoch */
  constructor(epoch) {
    const { context } = epoch.outside;
    /** @type {Epoch | null} */
    this.whole = epoch;
    this.tree = epoch.tree;
    this.ratchets = new SecretTree(epoch.tree.width, epoch.secrets.encryption);
    this.groupId = context.groupId;
    this.epoch = context.epoch;
    this.treeHash = context.treeHash;
    this.confirmedTranscriptHash = context.confirmedTranscriptHash;
    this.wordsContext = wordsContext(epoch.outside);
    this.members = membersOf(epoch.tree);
    this.me = this.#memberAt(epoch.me);
  }

  /** @param {number} leaf */
  #memberAt(leaf) {
    return /** @type {Member} */ (this.members.find((member) => member.leaf === leaf));
  }

  get #epoch() {
    if (!this.whole) throw new StateError("this epoch's keys are gone");
    return this.whole;
  }

  wipe() {
    for (const secret of Object.values(this.whole?.secrets ?? {})) secret.fill(0);
    this.whole = null;
    this.ratchets.wipe();
  }

  /** @param {number[]} removes @param {number} fence */
  async commit(removes, fence) {
    const epoch = this.#epoch;
    let { tree } = epoch;
    for (const leaf of removes) {
      const isOther = leaf !== epoch.me && tree.leaf(leaf);
      if (!isOther) throw new UsageError('only another, present leaf can be removed');
      tree = tree.without(leaf);
    }
    const proposals = removes.map((leaf) => ({ kind: framing.REMOVE, leaf }));
    return staged({ ...epoch, tree }, this.me.tag, proposals, fence);
  }

  /** @param {number} fence */
  async groupInfo(fence) {
    return groupInfo(this.#epoch, fence);
  }

  /** @param {Bytes} commit @param {number} fence @returns {Promise<Followed>} */
  async follow(commit, fence) {
    const epoch = this.#epoch;
    const framed = readCommit(commit);
    const step = await check(epoch, framed, fence);
    const group = new Group(await enter(epoch, framed, step));
    const committer = group.#memberAt(step.sender);
    const joined = framed.sender === null ? committer : null;
    const removed = step.removes.map((leaf) => this.#memberAt(leaf));
    return { group, committer, joined, removed };
  }

  /** @param {Bytes} content @param {number} fence @param {number} size */
  async encrypt(content, fence, size) {
    const { outside, me, identity, secrets, room } = this.#epoch;
    const { groupId, epoch } = outside.context;
    const authenticatedData = binding(room.roomId, KIND_APPLICATION, fence);
    const contentType = framing.APPLICATION;
    const head = { groupId, epoch, sender: me, authenticatedData, contentType };
    const encoded = framing.encodeContent(head, contentType, opaque(content));
    const framed = { ...head, wireFormat: framing.WIRE_PRIVATE, encoded, signature: zeros(0) };
    const tbs = framing.signed(framed, outside.context);
    const signature = await identity.sign('FramedContentTBS', tbs);
    const plaintext = pad(concat(opaque(content), opaque(signature)), OUTSIDE_PADDING, size);
    const before = await this.ratchets.ratchet(me);
    const { key, ratchet } = await before.advanced();
    const { generation } = before;
    this.ratchets.commit(me, before, ratchet);
    const who = { leaf: me, generation, reuseGuard: suite.draw(4) };
    return sealPrivate(secrets.senderData, head, who, key, plaintext);
  }

  /** @param {Bytes} message @param {number} fence @param {string | null} [tag] @returns {Promise<Opened>} */
  async decrypt(message, fence, tag = null) {
    const { outside, me, secrets, room } = this.#epoch;
    const sealed = parse(PRIVATE, message);
    const expected = binding(room.roomId, KIND_APPLICATION, fence);
    if (!equal(sealed.authenticatedData, expected)) throw new AuthenticationError();
    const isOurs = equal(sealed.groupId, this.groupId) && sealed.epoch === this.epoch;
    if (!isOurs) throw new ForeignError();
    sound(sealed.contentType === framing.APPLICATION, 'not application data');
    const who = await openSenderData(secrets.senderData, sealed).catch((error) => {
      // The same numbers, other secrets: two lines may have counted alike.
      throw error instanceof AuthenticationError ? new ForeignError() : error;
    });
    const leaf = this.tree.leaf(who.leaf);
    if (!leaf || who.leaf === me) throw new AuthenticationError();
    if (tag !== null && tagOf(leaf) !== tag) throw new StateError("another member's message");
    const before = await this.ratchets.ratchet(who.leaf);
    const { key, ratchet } = await before.at(who.generation);
    const framed = await openPrivate(sealed, who, key);
    const tbs = framing.signed(framed, outside.context);
    const { signatureKey } = leaf;
    const isGenuine = await suite.verifies(signatureKey, 'FramedContentTBS', tbs, framed.signature);
    if (!isGenuine) throw new AuthenticationError();
    this.ratchets.commit(who.leaf, before, ratchet);
    const member = this.#memberAt(who.leaf);
    return { member, generation: who.generation, content: framed.application };
  }

  /** @param {number} leaf @param {Bytes} signatureKey @param {number} counter @param {Bytes} content */
  async sealRepair(leaf, signatureKey, counter, content) {
    const asker = this.#epoch.tree.leaf(leaf);
    if (!asker) throw new UsageError('nobody asks from there');
    const context = this.#repairContext(leaf, signatureKey, counter);
    const { encryptionKey } = asker;
    const sealed = await suite.encryptWithLabel(encryptionKey, REPAIR_LABEL, context, content);
    return concat(sealed.output, sealed.ciphertext);
  }

  /** @param {Bytes} signatureKey @param {number} counter @param {Bytes} sealed */
  async openRepair(signatureKey, counter, sealed) {
    const { me, privates } = this.#epoch;
    const own = /** @type {KeyPair} */ (privates.get(2 * me));
    const context = this.#repairContext(me, signatureKey, counter);
    const parts = /** @type {const} */ ([sealed.subarray(0, 32), sealed.subarray(32)]);
    return suite.decryptWithLabel(own, REPAIR_LABEL, context, ...parts);
  }

  /** @param {number} leaf @param {Bytes} signatureKey @param {number} counter */
  #repairContext(leaf, signatureKey, counter) {
    return concat(this.groupId, u64(this.epoch), u32(leaf), signatureKey, u64(counter));
  }
}
