// Members of a room that run the page's MLS, driven from another language: one JSON object in, one
// out, a line each. In: { op, who, ... }. Out: { ok } or { refused, check }. Bytes travel as hex; a
// fence is the one that a message is for. `who` names a member; ops, and what they answer:
//
//   enter { tag, psk, roomId }       null; a member with a fresh signature key
//   found {}                         { commit, groupInfo }, for fences 0 and 1
//   join { groupInfo, fence }        { commit, groupInfo }; a rejoin for who is inside already
//   commit { removes, fence }        { commit, groupInfo }; removes are leaves
//   follow { commit, fence }         { removed: bool, committer, joined, gone }, by leaf
//   groupInfo { fence }              a GroupInfo of the present epoch
//   inspect { groupInfo, fence }     { epoch, treeHash, transcript, wordsContext, tags }
//   encrypt { content, fence, size } a message
//   decrypt { message, fence, tag? } { content, leaf, generation }
//   sealRepair { leaf, signatureKey, counter, content }, openRepair { signatureKey, counter, sealed }
//   leaf {}, signatureKey {}, words {}, view {}    view is all that an epoch must agree on
//
// After found, join and commit the member is in the new epoch at once: its caller plays the log.

import readline from 'node:readline';
import { fromHex, hex } from '../../../static/js/bytes.js';
import { RemovedError } from '../../../static/js/errors.js';
import { found, Identity, inspect, join } from '../../../static/js/mls/mls.js';

/** @import { Epoch } from '../../../static/js/mls/epoch.js' */
/** @import { Group, Staged } from '../../../static/js/mls/mls.js' */
/** @typedef {Record<string, any>} Given */
/** @typedef {{ identity: Identity, group: Group, tag: string, psk: any, roomId: any }} Member */

// What travels as hex, of what comes in.
const BYTES = 'psk roomId groupInfo commit content message signatureKey sealed'.split(' ');

/** @param {Member} member @param {Staged} staged */
function take(member, { group, commit, groupInfo }) {
  member.group = group;
  return { commit, groupInfo };
}

/** @type {Record<string, (member: Member, given: Given) => unknown>} */
const OPS = {
  async found(member) {
    const { identity, tag, psk, roomId } = member;
    return take(member, await found(identity, tag, psk, roomId));
  },
  async join(member, { groupInfo, fence }) {
    const chosen = await inspect(groupInfo, member.roomId, fence);
    return take(member, await join(chosen, member.identity, member.tag, member.psk));
  },
  async commit(member, { removes, fence }) {
    return take(member, await member.group.commit(removes, fence));
  },
  async follow(member, { commit, fence }) {
    try {
      const { group, committer, joined, removed } = await member.group.follow(commit, fence);
      member.group = group;
      const gone = removed.map(({ leaf }) => leaf);
      return { removed: false, committer: committer.leaf, joined: joined?.leaf ?? null, gone };
    } catch (error) {
      if (!(error instanceof RemovedError)) throw error;
      return { removed: true, committer: null, joined: null, gone: [] };
    }
  },
  groupInfo: ({ group }, { fence }) => group.groupInfo(fence),
  async inspect({ roomId }, { groupInfo, fence }) {
    const info = await inspect(groupInfo, roomId, fence);
    const { epoch, treeHash, confirmedTranscriptHash: transcript, wordsContext } = info;
    return { epoch, treeHash, transcript, wordsContext, tags: info.members.map(({ tag }) => tag) };
  },
  encrypt: ({ group }, { content, fence, size }) => group.encrypt(content, fence, size),
  async decrypt({ group }, { message, fence, tag = null }) {
    const { member, generation, content } = await group.decrypt(message, fence, tag);
    return { content, leaf: member.leaf, generation };
  },
  sealRepair: ({ group }, { leaf, signatureKey, counter, content }) =>
    group.sealRepair(leaf, signatureKey, counter, content),
  openRepair: ({ group }, { signatureKey, counter, sealed }) =>
    group.openRepair(signatureKey, counter, sealed),
  leaf: ({ group }) => group.me.leaf,
  signatureKey: ({ identity }) => identity.signatureKey,
  words: ({ group }) => group.wordsContext,
  view({ group }) {
    const { epoch, groupId, treeHash, confirmedTranscriptHash: transcript, wordsContext } = group;
    const { authenticator } = /** @type {Epoch} */ (group.whole).secrets;
    const tree = group.tree.encoded();
    return { epoch, groupId, treeHash, transcript, tree, authenticator, wordsContext };
  },
};

/** @type {Map<string, any>} */
const members = new Map();
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, who, ...given } = JSON.parse(line, (name, value) =>
    BYTES.includes(name) ? fromHex(value) : value,
  );
  let answer;
  try {
    if (op === 'enter') members.set(who, { identity: await Identity.generate(), ...given });
    answer = { ok: op === 'enter' ? null : await OPS[op](members.get(who), given) };
  } catch (error) {
    const { name, message, check = null } = /** @type {any} */ (error);
    answer = { refused: `${name}: ${message}`, check };
  }
  const bare = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    value instanceof Uint8Array ? hex(value) : value;
  console.log(JSON.stringify(answer, bare));
}
