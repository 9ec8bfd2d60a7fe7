// Twin of client/mls/following.py.

import { equal, hex } from '../bytes.js';
import { AuthenticationError, RemovedError, StrandedError } from '../errors.js';
import { begun, nextContext } from './epoch.js';
import { signed, tagged } from './framing.js';
import { CONTEXT } from './keyschedule.js';
import { openPath } from './path.js';
import * as policy from './policy.js';
import { need } from './policy.js';
import { deriveKeyPair, exportFrom, mac } from './suite.js';
import { parentHashOf } from './tree.js';

/**
 * @import { Epoch } from './epoch.js'
 * @import { FramedCommit, UpdatePath } from './framing.js'
 * @import { GroupContext } from './keyschedule.js'
 * @import { Leaf, Tree } from './tree.js'
 * @typedef {Awaited<ReturnType<typeof check>>} Step
 */

/** @param {Epoch} epoch @param {FramedCommit} framed @param {Step} step */
export async function enter(epoch, framed, step) {
  if (step.removes.includes(epoch.me)) throw new RemovedError('our leaf was removed');
  const context = await nextContext(epoch.outside, framed, step.tree);
  try {
    return await entered(epoch, framed, step, context);
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    const { confirmedTranscriptHash, treeHash } = context;
    throw new StrandedError(confirmedTranscriptHash, treeHash, framed.confirmationTag);
  }
}

/** @param {Epoch} epoch @param {FramedCommit} framed @param {number} fence */
export async function check(epoch, framed, fence) {
  const { context } = epoch.outside;
  need(equal(framed.groupId, context.groupId), 'group id');
  need(framed.epoch === context.epoch, 'epoch');
  const bound = policy.binding(epoch.room.roomId, policy.KIND_COMMIT, fence);
  need(equal(framed.authenticatedData, bound), 'binding');
  const { path } = framed.commit;
  need(path, 'path');
  const { leaf } = path;
  await checkMember(epoch, framed, leaf);
  policy.checkLeaf(leaf);
  const tbs = signed(framed, context);
  await policy.checkSignature(leaf, 'FramedContentTBS', tbs, framed.signature);
  const { removes, kemOutput } = policy.checkProposals(framed, epoch.tree);
  let before = removes.reduce((tree, removed) => tree.without(removed), epoch.tree);
  const sender = framed.sender ?? before.freeLeaf();
  before = before.grown(sender);
  const tree = await checkPath(epoch, sender, path, before);
  return { sender, removes, kemOutput, path, before, tree };
}

/** @param {Epoch} epoch @param {FramedCommit} framed @param {Leaf} leaf */
async function checkMember({ tree, secrets, outside }, framed, leaf) {
  if (framed.sender === null) return;
  const old = tree.leaf(framed.sender);
  need(old, 'sender');
  const tag = await mac(secrets.membership, tagged(framed, outside.context));
  need(equal(tag, framed.membershipTag), 'membership tag');
  need(equal(leaf.signatureKey, old.signatureKey), 'leaf identity');
  need(equal(leaf.credential, old.credential), 'leaf identity');
}

/** @param {Epoch} epoch @param {number} sender @param {UpdatePath} path @param {Tree} before */
async function checkPath({ tree: old, outside, room }, sender, { leaf, nodes }, before) {
  const steps = before.filteredPath(sender);
  need(steps.length === nodes.length, 'path length');
  for (const [n, { encryptionKey, ciphertexts }] of nodes.entries()) {
    need(steps[n].resolution.length === ciphertexts.length, 'number of ciphertexts');
    policy.checkKeys([encryptionKey]);
    for (const { output, ciphertext } of ciphertexts) {
      policy.checkKeys([output]);
      need(ciphertext.length === 48, 'ciphertext length');
    }
  }
  const keys = nodes.map((node) => node.encryptionKey);
  const all = [leaf.encryptionKey, ...keys, ...old.encryptionKeys()];
  need(new Set(all.map(hex)).size === all.length, 'encryption key reused');
  const merged = await before.merged(sender, keys);
  need(equal(merged.parentHash, parentHashOf(leaf)), 'parent hash');
  const tree = merged.tree.withLeaf(sender, leaf);
  policy.checkUnique(tree, room.leafCap);
  await policy.checkLeafSignature(leaf, outside.context.groupId, sender);
  return tree;
}

/** @param {Epoch} epoch @param {FramedCommit} framed @param {Step} step @param {GroupContext} context */
async function entered(epoch, framed, { sender, kemOutput, path, before, tree }, context) {
  const { outside, secrets, room } = epoch;
  const { confirmedTranscriptHash } = outside.context;
  const provisional = CONTEXT({ ...context, confirmedTranscriptHash });
  // Keys of nodes that the commit blanked are of no use, and must not be tried.
  const usable = new Map([...epoch.privates].filter(([index]) => before.nodes[index]));
  const steps = before.filteredPath(sender);
  const opened = await openPath(steps, path, epoch.me, usable, provisional);
  let { init } = secrets;
  if (kemOutput) init = await exportFrom(await deriveKeyPair(secrets.external), kemOutput);
  const next = await begun(context, init, opened.commitSecret, framed.commit, room);
  const isSame = equal(next.outside.confirmationTag, framed.confirmationTag);
  if (!isSame) throw new AuthenticationError();
  // A node that the path replaced has another key now, ours only if we opened it.
  const kept = [...usable].filter(([index]) => tree.nodes[index] === before.nodes[index]);
  return { ...epoch, ...next, tree, privates: new Map([...kept, ...opened.privates]) };
}
