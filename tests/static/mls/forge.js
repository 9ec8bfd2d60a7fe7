// Rooms for tests, and a hostile member: commits and GroupInfos with chosen deviations, signed anew.
// What is forged is built from the page's own parts, so that all but the deviation is right.

import assert from 'node:assert/strict';
import { concat, hex, zeros } from '../../../static/js/bytes.js';
import { CommitRefusedError, StrandedError } from '../../../static/js/errors.js';
import { opaque } from '../../../static/js/mls/codec.js';
import { Identity, nextContext } from '../../../static/js/mls/epoch.js';
import * as framing from '../../../static/js/mls/framing.js';
import * as groupinfo from '../../../static/js/mls/groupinfo.js';
import {
  CONTEXT,
  EXTERNAL_PSK,
  epochSecrets,
  pskSecret,
} from '../../../static/js/mls/keyschedule.js';
import { found, inspect, join } from '../../../static/js/mls/mls.js';
import { makePath } from '../../../static/js/mls/path.js';
import { binding, KIND_COMMIT, KIND_GROUP_INFO, PSK_ID } from '../../../static/js/mls/policy.js';
import { deriveKeyPair, draw, exportTo, mac } from '../../../static/js/mls/suite.js';
import { LEAF, signedIn } from '../../../static/js/mls/tree.js';
import { joinerSecret } from './rfc.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { Base, Epoch } from '../../../static/js/mls/epoch.js' */
/** @import { GroupContext, Psk } from '../../../static/js/mls/keyschedule.js' */
/** @import { Group, Inspected, Staged } from '../../../static/js/mls/mls.js' */
/** @import { Leaf, Tree } from '../../../static/js/mls/tree.js' */
/** @typedef {{ encryptionKey: Bytes, ciphertexts: { output: Bytes, ciphertext: Bytes }[] }} PathNode */
/** @typedef {{ kind: number, data: Bytes }} Extension */
/** @typedef {framing.Place & { kind: number, body: Bytes }} Content */
/**
 * All that a commit is made from; `proposals` are encoded, whatever they are.
 * @typedef {Base & { secrets: { init: Bytes, membership?: Bytes }, tag: string, proposals: Bytes[],
 *   psks: Psk[], fence: number }} Plan
 */

export const ROOM_ID = Uint8Array.from({ length: 16 }, (_, n) => n);
export const PSK = Uint8Array.from({ length: 32 }, (_, n) => n + 32);
export const SIZE = 512;

/** The tag of the so-manyth member. @param {number} number */
export const tag = (number) => `0x${(0xa000 + number).toString(16)}`;

/** Numbers that look random, the same in each run. @param {number} seed */
export function dice(seed) {
  let state = seed;
  return (/** @type {number} */ below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Some bytes of them. @param {(below: number) => number} roll @param {number} longest */
export const someBytes = (roll, longest) =>
  Uint8Array.from({ length: roll(longest + 1) }, () => roll(256));

export const newKey = async () => (await deriveKeyPair(draw(32))).public;

/** @param {Group} group @returns {Epoch} */
export const wholeOf = (group) => /** @type {Epoch} */ (group.whole);

/** What must be the same for all of an epoch, and unchanged after a refused input. @param {Group} group */
export const state = (group) => ({
  groupId: hex(group.groupId),
  epoch: group.epoch,
  authenticator: hex(wholeOf(group).secrets.authenticator),
  members: group.members.map((one) => ({ ...one, signatureKey: hex(one.signatureKey) })),
  treeHash: hex(group.treeHash),
  confirmedTranscriptHash: hex(group.confirmedTranscriptHash),
  wordsContext: hex(group.wordsContext),
});

/** All members of a room in one epoch, by leaf, and the fence that the room is at. */
export class World {
  /** @param {Map<number, Group>} groups @param {number} fence */
  constructor(groups, fence) {
    this.groups = groups;
    this.fence = fence;
  }

  get all() {
    return [...this.groups.values()];
  }

  /** @param {number} leaf */
  at(leaf) {
    return /** @type {Group} */ (this.groups.get(leaf));
  }

  /** A GroupInfo of this epoch, inspected. */
  async offer() {
    return inspect(await this.all[0].groupInfo(this.fence), ROOM_ID, this.fence);
  }

  /** The staged join of one more member. @param {number} number @param {Identity} [identity] */
  async joining(number, identity) {
    const own = identity ?? (await Identity.generate());
    return join(await this.offer(), own, tag(number), PSK);
  }

  /** Everybody after a staged commit; those that it removes are gone. @param {Staged} staged */
  async after(staged, fence = this.fence) {
    const { group, commit } = staged;
    const mine = hex(group.me.signatureKey);
    const left = new Set(group.members.map((one) => hex(one.signatureKey)));
    const others = this.all.filter((one) => {
      const key = hex(one.me.signatureKey);
      return key !== mine && left.has(key);
    });
    const followed = await Promise.all(others.map((one) => one.follow(commit, fence)));
    const after = [group, ...followed.map((one) => one.group)];
    return new World(new Map(after.map((one) => [one.me.leaf, one])), fence + 1);
  }

  /** Check that all are in the same epoch with the same secrets and the same tree. */
  async assertOne() {
    for (const [leaf, group] of this.groups) {
      assert.equal(group.me.leaf, leaf);
      assert.deepEqual(state(group), state(this.all[0]));
      const held = wholeOf(group).privates;
      for (const [node, pair] of held) {
        assert.deepEqual(pair.public, group.tree.keyOf(node));
        assert(await fits(pair), 'a private key that is not that of its public one');
      }
      const path = [2 * leaf, ...group.tree.filteredPath(leaf).map(({ node }) => node)];
      assert([...held.keys()].every((node) => path.includes(node)));
      assert(path.every((node) => !group.tree.nodes[node] || held.has(node)));
    }
  }
}

/** Whether a private key is that of the public one. @param {{ public: Bytes, private: CryptoKey }} pair */
async function fits(pair) {
  const base = Uint8Array.of(9, ...zeros(31));
  const peer = await crypto.subtle.importKey('raw', base, 'X25519', false, []);
  const made = await crypto.subtle.deriveBits({ name: 'X25519', public: peer }, pair.private, 256);
  return hex(new Uint8Array(made)) === hex(pair.public);
}

/** A room of so many members in one epoch; then leaves are removed, in one commit. @param {number} members @param {number[]} [removed] */
export async function world(members, removed = []) {
  const first = await found(await Identity.generate(), tag(0), PSK, ROOM_ID);
  let room = new World(new Map([[0, first.group]]), 1);
  for (let number = 1; number < members; number++) {
    room = await room.after(await room.joining(number));
  }
  return removed.length ? room.after(await room.at(0).commit(removed, room.fence)) : room;
}

/** @param {Promise<unknown>} attempt @param {string} check */
export const refuses = (attempt, check) =>
  assert.rejects(attempt, (error) => {
    assert(error instanceof CommitRefusedError, String(error));
    assert.equal(error.check, check);
    return true;
  });

/**
 * Expect every member (but those who made it) to refuse a commit by the same public check.
 * @param {World} room @param {Bytes} commit @param {string} check @param {number[]} [but]
 */
export async function refused(room, commit, check, but = []) {
  for (const [leaf, group] of room.groups) {
    if (but.includes(leaf)) continue;
    const before = state(group);
    await refuses(group.follow(commit, room.fence), check);
    assert.deepEqual(state(group), before);
  }
}

/**
 * Expect every member (but some) to be stranded, all with the same three hashes.
 * @param {World} room @param {Bytes} commit @param {number[]} [but]
 */
export async function stranded(room, commit, but = []) {
  const seen = new Set();
  for (const [leaf, group] of room.groups) {
    if (but.includes(leaf)) continue;
    const before = state(group);
    await assert.rejects(group.follow(commit, room.fence), (error) => {
      assert(error instanceof StrandedError, String(error));
      const { confirmedTranscriptHash, treeHash, confirmationTag } = error;
      seen.add([confirmedTranscriptHash, treeHash, confirmationTag].map(hex).join(' '));
      return true;
    });
    assert.deepEqual(state(group), before);
  }
  assert.equal(seen.size, 1);
  const [confirmedTranscriptHash, treeHash, confirmationTag] = [...seen][0].split(' ');
  return { confirmedTranscriptHash, treeHash, confirmationTag };
}

// Plans of commits, before they are spoiled

/** @param {number} leaf */
export const remove = (leaf) => Uint8Array.of(0, 3, leaf >>> 24, leaf >> 16, leaf >> 8, leaf);
/** @param {Bytes} pskId @param {Bytes} nonce */
export const psk = (pskId, nonce) => concat(Uint8Array.of(0, 4), EXTERNAL_PSK({ pskId, nonce }));
/** @param {Bytes} output */
export const externalInit = (output) => concat(Uint8Array.of(0, 6), opaque(output));

/**
 * A member's commit; `proposals` come after the Removes.
 * @param {Group} group @param {number} fence @param {number[]} [removes] @param {Bytes[]} [proposals]
 * @returns {Plan}
 */
export function memberPlan(group, fence, removes = [], proposals = []) {
  const epoch = wholeOf(group);
  const tree = removes.reduce((before, leaf) => before.without(leaf), epoch.tree);
  const all = [...removes.map(remove), ...proposals];
  return { ...epoch, tree, tag: group.me.tag, proposals: all, psks: [], fence };
}

/**
 * An external commit; `alter` changes its proposals [removes..., PSK, init].
 * @param {Inspected} chosen @param {{ name?: string, identity?: Identity, secret?: Bytes, pskId?: Bytes,
 *   nonce?: Bytes, removes?: number[], alter?: (proposals: Bytes[]) => Bytes[] }} [how]
 * @returns {Promise<Plan>}
 */
export async function newcomerPlan(chosen, how = {}) {
  const { name = '0xffff', secret = PSK, pskId = PSK_ID, nonce = draw(32), removes = [] } = how;
  const identity = how.identity ?? (await Identity.generate());
  const tree = removes.reduce((before, leaf) => before.without(leaf), chosen.tree);
  const me = tree.freeLeaf();
  const { output, init } = await exportTo(chosen.externalPub);
  const proposals = [...removes.map(remove), psk(pskId, nonce), externalInit(output)];
  return {
    outside: chosen.outside,
    tree: tree.grown(me),
    me,
    identity,
    room: { roomId: ROOM_ID, psk: secret, leafCap: 256 },
    secrets: { init },
    tag: name,
    proposals: how.alter ? how.alter(proposals) : proposals,
    psks: [{ id: EXTERNAL_PSK({ pskId, nonce }), value: secret }],
    fence: chosen.binding.fence,
  };
}

// From a plan to a commit, with a deviation at any step

/**
 * Stage a plan, changing what is asked for; all that covers the change is made anew. `leaf` and
 * `nodes` change the path (`reseal` also gets what its secrets are sealed under), `body` makes the
 * Commit of encoded proposals and path, `content` what FramedContent is made of, the rest the tags.
 * @param {Plan} plan @param {{ leaf?: (leaf: Leaf) => Leaf, signLeaf?: boolean,
 *   nodes?: (nodes: PathNode[]) => PathNode[],
 *   reseal?: (nodes: PathNode[], context: Bytes) => Promise<PathNode[]>,
 *   body?: (inside: Bytes, path: Bytes) => Bytes, content?: (content: Content) => Content,
 *   confirmation?: (tag: Bytes) => Bytes, membership?: (tag: Bytes) => Bytes,
 *   signature?: (signature: Bytes) => Bytes }} [how]
 */
export async function forge(plan, how = {}) {
  const { context } = plan.outside;
  const { me, identity, room, secrets: old } = plan;
  const under = async (/** @type {Tree} */ after) =>
    CONTEXT({ ...context, epoch: context.epoch + 1, treeHash: await after.hash() });
  const owner = { leaf: me, tag: plan.tag, identity };
  const made = await makePath(plan.tree, owner, context.groupId, under);
  let { path, tree } = made;
  if (how.reseal) path = { ...path, nodes: await how.reseal(path.nodes, await under(tree)) };
  if (how.leaf) {
    let leaf = how.leaf(path.leaf);
    const tbs = signedIn(leaf, context.groupId, me);
    if (how.signLeaf ?? true)
      leaf = { ...leaf, signature: await identity.sign('LeafNodeTBS', tbs) };
    path = { ...path, leaf };
    tree = tree.withLeaf(me, leaf);
  }
  if (how.nodes) path = { ...path, nodes: how.nodes(path.nodes) };
  const inside = opaque(concat(...plan.proposals.map((one) => concat(Uint8Array.of(1), one))));
  const body = how.body ?? ((proposals, encoded) => concat(proposals, Uint8Array.of(1), encoded));
  const plain = {
    groupId: context.groupId,
    epoch: context.epoch,
    sender: old.membership ? me : null,
    authenticatedData: binding(room.roomId, KIND_COMMIT, plan.fence),
    kind: framing.COMMITS,
    body: body(inside, framing.PATH(path)),
  };
  const content = how.content ? how.content(plain) : plain;
  const encoded = framing.encodeContent(content, content.kind, content.body);
  const framed = {
    ...content,
    wireFormat: framing.WIRE_PUBLIC,
    encoded,
    commit: { proposals: [], path },
    signature: zeros(0),
    confirmationTag: zeros(0),
    membershipTag: zeros(0),
  };
  const signature = await identity.sign('FramedContentTBS', framing.signed(framed, context));
  framed.signature = how.signature ? how.signature(signature) : signature;
  const next = await nextContext(plan.outside, framed, tree);
  const joiner = await joinerSecret(old.init, made.commitSecret, next);
  const { secrets, confirmationTag } = await epochSecrets(next, joiner, await pskSecret(plan.psks));
  framed.confirmationTag = how.confirmation ? how.confirmation(confirmationTag) : confirmationTag;
  if (old.membership) {
    const tagged = await mac(old.membership, framing.tagged(framed, context));
    framed.membershipTag = how.membership ? how.membership(tagged) : tagged;
  }
  const outside = { context: next, confirmationTag };
  /** @type {Epoch} */
  const epoch = { outside, tree, me, identity, room, privates: made.privates, secrets };
  return { commit: framing.PUBLIC_COMMIT(framed), epoch };
}

// GroupInfos

/**
 * A GroupInfo with deviations, signed by the group's own member.
 * @param {Group} group @param {number} fence @param {{ tree?: Tree, encoded?: Bytes,
 *   extensions?: (extensions: Extension[]) => Extension[], context?: Partial<GroupContext>,
 *   bound?: Bytes, signer?: number, sign?: (signature: Bytes) => Bytes }} [how]
 */
export async function forgeGroupInfo(group, fence, how = {}) {
  const { outside, secrets, me, identity, tree } = wholeOf(group);
  const encoded = how.encoded ?? (how.tree ?? tree).encoded();
  const external = await deriveKeyPair(secrets.external);
  const extensions = [
    { kind: groupinfo.TREE, data: encoded },
    { kind: groupinfo.EXTERNAL_PUB, data: opaque(external.public) },
    { kind: groupinfo.BINDING, data: how.bound ?? binding(ROOM_ID, KIND_GROUP_INFO, fence) },
  ];
  const treeHash = how.tree ? await how.tree.hash() : outside.context.treeHash;
  const info = {
    context: { ...outside.context, treeHash, ...how.context },
    extensions: how.extensions ? how.extensions(extensions) : extensions,
    confirmationTag: outside.confirmationTag,
    signer: how.signer ?? me,
  };
  const signature = await identity.sign('GroupInfoTBS', groupinfo.GROUP_INFO_TBS(info));
  return groupinfo.GROUP_INFO({ ...info, signature: how.sign ? how.sign(signature) : signature });
}

/** Put a changed leaf, signed by the group's own member, into a tree. @param {Group} group @param {Tree} tree @param {number} index @param {Leaf} leaf */
export async function resigned(group, tree, index, leaf) {
  const tbs = signedIn(leaf, group.groupId, index);
  const signature = await wholeOf(group).identity.sign('LeafNodeTBS', tbs);
  return tree.withLeaf(index, { ...leaf, signature });
}

/** A leaf without the kind that a place in a tree gives it. @param {Tree} tree @param {number} index */
export function leafOf(tree, index) {
  const leaf = tree.leaf(index);
  assert(leaf);
  const { kind, ...bare } = leaf;
  assert.equal(kind, 1);
  return bare;
}

/** @param {Tree} tree @param {number} index */
export const encodedLeaf = (tree, index) => LEAF(leafOf(tree, index));
