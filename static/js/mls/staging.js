// Twin of client/mls/staging.py.

import { zeros } from '../bytes.js';
import { opaque } from './codec.js';
import { begun, nextContext } from './epoch.js';
import {
  BY_VALUE,
  COMMIT,
  COMMITS,
  encodeContent,
  PUBLIC_COMMIT,
  signed,
  tagged,
  WIRE_PUBLIC,
} from './framing.js';
import { BINDING, EXTERNAL_PUB, GROUP_INFO, GROUP_INFO_TBS, TREE } from './groupinfo.js';
import { CONTEXT } from './keyschedule.js';
import { makePath } from './path.js';
import { binding, KIND_COMMIT, KIND_GROUP_INFO } from './policy.js';
import { deriveKeyPair, mac } from './suite.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Base, Epoch } from './epoch.js'
 * @import { Proposal } from './framing.js'
 * @typedef {Base & { secrets: { init: Bytes, membership?: Bytes } }} Plan newcomers have no membership
 */

/**
 * Return the commit, and the epoch that it begins; the tree of `plan` holds the proposals already.
 * @param {Plan} plan @param {string} tag @param {Proposal[]} proposals @param {number} fence
 * @returns {Promise<{ commit: Bytes, epoch: Epoch }>}
 */
export async function stage(plan, tag, proposals, fence) {
  const { outside, me, identity, room } = plan;
  const { init, membership } = plan.secrets;
  const { context } = outside;
  const { groupId, epoch } = context;
  const made = await makePath(plan.tree, { leaf: me, tag, identity }, groupId, async (tree) =>
    CONTEXT({ ...context, epoch: epoch + 1, treeHash: await tree.hash() }),
  );
  const { path, tree, privates, commitSecret } = made;
  const commit = { proposals: proposals.map((proposal) => ({ kind: BY_VALUE, proposal })), path };
  const authenticatedData = binding(room.roomId, KIND_COMMIT, fence);
  const place = { groupId, epoch, sender: membership ? me : null, authenticatedData };
  const framed = {
    ...place,
    wireFormat: WIRE_PUBLIC,
    commit,
    encoded: encodeContent(place, COMMITS, COMMIT(commit)),
    signature: zeros(0),
    confirmationTag: zeros(0),
    membershipTag: zeros(0),
  };
  framed.signature = await identity.sign('FramedContentTBS', signed(framed, context));
  const after = await nextContext(outside, framed, tree);
  const next = await begun(after, init, commitSecret, commit, room);
  framed.confirmationTag = next.outside.confirmationTag;
  if (membership) framed.membershipTag = await mac(membership, tagged(framed, context));
  return { commit: PUBLIC_COMMIT(framed), epoch: { ...plan, ...next, tree, privates } };
}

/** @param {Epoch} epoch @param {number} fence */
export async function groupInfo({ outside, tree, me, identity, secrets, room }, fence) {
  const external = await deriveKeyPair(secrets.external);
  const extensions = [
    { kind: TREE, data: tree.encoded() },
    { kind: EXTERNAL_PUB, data: opaque(external.public) },
    { kind: BINDING, data: binding(room.roomId, KIND_GROUP_INFO, fence) },
  ];
  const info = { ...outside, extensions, signer: me };
  const signature = await identity.sign('GroupInfoTBS', GROUP_INFO_TBS(info));
  return GROUP_INFO({ ...info, signature });
}
