// Twin of client/mls/policy.py.

import { concat, equal, hex, utf8, zeros } from '../bytes.js';
import { CommitRefusedError } from '../errors.js';
import { opaque, u8, u16, u64 } from './codec.js';
import { BY_VALUE, EXTERNAL_INIT, PSK, REMOVE } from './framing.js';
import { BINDING, EXTERNAL_PUB, TREE } from './groupinfo.js';
import { isKemKey, isSignatureKey, SUITE, verifies } from './suite.js';
import { COMMITTED, signedIn } from './tree.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { FramedCommit } from './framing.js'
 * @import { GroupInfo } from './groupinfo.js'
 * @import { Leaf, Tree } from './tree.js'
 */

export const PSK_ID = utf8('beacon room psk v1');
export const [KIND_APPLICATION, KIND_COMMIT, KIND_GROUP_INFO] = [1, 2, 3];
const BASIC = u16(1);
export const CAPABILITIES = concat(
  ...[u16(1), u16(SUITE), u16(BINDING), zeros(0), BASIC].map((data) => opaque(data)),
);

/** @param {Bytes} roomId @param {number} kind @param {number} fence */
export const binding = (roomId, kind, fence) => concat(u16(1), roomId, u8(kind), u64(fence));

/** @param {unknown} condition @param {string} check @returns {asserts condition} */
export function need(condition, check) {
  if (!condition) throw new CommitRefusedError(check);
}

/** @param {string} tag */
export const credentialOf = (tag) => concat(BASIC, opaque(utf8(tag)));

/** @param {Leaf} leaf */
export const tagOf = (leaf) => String.fromCharCode(...leaf.credential.subarray(3));

/** @param {Leaf} leaf */
export function checkLeaf(leaf) {
  need(leaf.source.kind === COMMITTED, 'leaf source');
  need(equal(leaf.credential.subarray(0, 3), concat(BASIC, u8(6))), 'leaf credential');
  need(/^0x[0-9a-f]{4}$/.test(tagOf(leaf)), 'leaf tag');
  need(equal(leaf.capabilities, CAPABILITIES), 'leaf capabilities');
  need(!leaf.extensions.length, 'leaf extensions');
  checkKeys([leaf.encryptionKey]);
  need(isSignatureKey(leaf.signatureKey), 'signature key');
}

/** @param {Bytes[]} keys */
export const checkKeys = (keys) => need(keys.every(isKemKey), 'encryption key');

/** @param {Leaf} leaf @param {string} label @param {Bytes} content @param {Bytes} signature */
export const checkSignature = async (leaf, label, content, signature) =>
  need(await verifies(leaf.signatureKey, label, content, signature), 'signature');

/** @param {Leaf} leaf @param {Bytes} groupId @param {number} index */
export const checkLeafSignature = (leaf, groupId, index) =>
  checkSignature(leaf, 'LeafNodeTBS', signedIn(leaf, groupId, index), leaf.signature);

/** @param {string} what @param {Bytes[]} values */
const needUnique = (what, values) =>
  need(new Set(values.map(hex)).size === values.length, `duplicate ${what}`);

/** @param {Tree} tree @param {number} leafCap */
export function checkUnique(tree, leafCap) {
  const leaves = tree.leaves().map(({ leaf }) => leaf);
  need(leaves.length <= leafCap, 'leaf cap');
  needUnique('encryption key', tree.encryptionKeys());
  needUnique(
    'signature key',
    leaves.map((leaf) => leaf.signatureKey),
  );
  needUnique(
    'tag',
    leaves.map((leaf) => leaf.credential),
  );
}

/** @param {Tree} tree @param {Bytes} groupId @param {number} leafCap */
export async function checkTree(tree, groupId, leafCap) {
  need(tree.width <= 2 * leafCap, 'leaf cap');
  checkUnique(tree, leafCap);
  for (const node of tree.nodes) {
    if (!node || !('unmerged' in node)) continue;
    need(!node.unmerged.length, 'unmerged leaves');
    checkKeys([node.encryptionKey]);
  }
  need(await tree.hasSoundParents(), 'parent hash');
  const checks = tree.leaves().map(async ({ index, leaf }) => {
    checkLeaf(leaf);
    await checkLeafSignature(leaf, groupId, index);
  });
  // All at once, but the first leaf that fails names the check, as in Python.
  for (const done of await Promise.allSettled(checks)) if ('reason' in done) throw done.reason;
}

/** @param {GroupInfo} info @param {Bytes} bound */
export function checkExtensions({ context, extensions }, bound) {
  const kinds = extensions.map(({ kind }) => kind);
  need(`${kinds}` === `${[TREE, EXTERNAL_PUB, BINDING]}`, 'GroupInfo extensions');
  need(!context.extensions.length, 'context extensions');
  need(context.groupId.length === 16, 'group id');
  const [encoded, external, place] = extensions.map(({ data }) => data);
  need(equal(place, bound), 'binding');
  // An HPKEPublicKey has a length of its own (RFC 9420 12.4.3.2).
  need(external.length === 33 && external[0] === 32, 'external public key');
  const externalPub = external.subarray(1);
  checkKeys([externalPub]);
  return { encoded, externalPub };
}

/** @param {FramedCommit} framed @param {Tree} tree */
export function checkProposals({ sender, commit: { proposals, path } }, tree) {
  const given = proposals.map((entry) => {
    need(entry.kind === BY_VALUE, 'proposal');
    return entry.proposal;
  });
  const removes = given.flatMap((p) => (p.kind === REMOVE ? [p.leaf] : []));
  const gone = removes.map((leaf) => tree.leaf(leaf));
  if (sender !== null) {
    need(removes.length === given.length, 'proposal');
    need(!removes.includes(sender), 'removes itself');
    need(new Set(removes).size === removes.length, 'removes twice');
    need(!gone.includes(null), 'removes nobody');
    return { removes, kemOutput: null };
  }
  const inits = given.flatMap((p) => (p.kind === EXTERNAL_INIT ? [p.kemOutput] : []));
  const psks = given.flatMap((p) => (p.kind === PSK ? [p] : []));
  need(inits.length === 1, 'external init');
  const isOurs = psks.length === 1 && equal(psks[0].pskId, PSK_ID) && psks[0].nonce.length === 32;
  need(isOurs, 'pre-shared key');
  need(removes.length <= 1, 'removes more than its own leaf');
  checkKeys(inits);
  for (const leaf of gone) {
    need(leaf, 'removes nobody');
    const isOwn = path && equal(leaf.signatureKey, path.leaf.signatureKey);
    need(isOwn, 'removes somebody else while joining');
  }
  return { removes, kemOutput: inits[0] };
}
