// Twin of client/mls/inspection.py.

import { equal } from '../bytes.js';
import { parse } from './codec.js';
import { LEAF_CAP, membersOf, wordsContext } from './epoch.js';
import { GROUP_INFO, GROUP_INFO_TBS } from './groupinfo.js';
import {
  binding,
  checkExtensions,
  checkSignature,
  checkTree,
  KIND_GROUP_INFO,
  need,
} from './policy.js';
import { SUITE } from './suite.js';
import { readTree } from './tree.js';

/** @import { Bytes } from '../bytes.js' */
/** @typedef {Awaited<ReturnType<typeof inspect>>} Inspected */

/**
 * @param {Bytes} groupInfo @param {Bytes} roomId @param {number} fence
 * @param {{ leafCap?: number }} [options]
 */
export async function inspect(groupInfo, roomId, fence, { leafCap = LEAF_CAP } = {}) {
  const info = parse(GROUP_INFO, groupInfo);
  const { context, confirmationTag } = info;
  need(context.suite === SUITE, 'suite');
  // Nobody can win by making a large number up (R13).
  need(context.epoch <= fence + 1, 'epoch');
  const { encoded, externalPub } = checkExtensions(info, binding(roomId, KIND_GROUP_INFO, fence));
  const tree = readTree(encoded);
  need(equal(await tree.hash(), context.treeHash), 'tree hash');
  await checkTree(tree, context.groupId, leafCap);
  const signer = tree.leaf(info.signer);
  need(signer, 'GroupInfo signer');
  await checkSignature(signer, 'GroupInfoTBS', GROUP_INFO_TBS(info), info.signature);
  const outside = { context, confirmationTag };
  const place = { binding: { roomId, fence }, leafCap, wordsContext: wordsContext(outside) };
  return { ...context, ...place, outside, signer, members: membersOf(tree), externalPub, tree };
}
