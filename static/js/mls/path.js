// Twin of client/mls/path.py.

import { equal, zeros } from '../bytes.js';
import { AuthenticationError } from '../errors.js';
import { CAPABILITIES, credentialOf } from './policy.js';
import { decryptWithLabel, derive, deriveKeyPair, draw, encryptWithLabel } from './suite.js';
import { COMMITTED, signedIn } from './tree.js';
import { isBelow } from './treemath.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Identity } from './epoch.js'
 * @import { UpdatePath } from './framing.js'
 * @import { KeyPair } from './suite.js'
 * @import { Leaf, PathStep, Tree } from './tree.js'
 * @typedef {Map<number, KeyPair>} Privates by node
 * @typedef {{ leaf: number, tag: string, identity: Identity }} Owner whose leaf a path renews
 */

const LABEL = 'UpdatePathNode';

/** @param {Bytes} pathSecret */
export const nodeKeys = async (pathSecret) => deriveKeyPair(await derive(pathSecret, 'node'));

/**
 * @param {Tree} tree @param {Owner} owner @param {Bytes} groupId
 * @param {(tree: Tree) => Promise<Bytes>} contextOf
 */
export async function makePath(tree, owner, groupId, contextOf) {
  const steps = tree.filteredPath(owner.leaf);
  const secrets = [draw(32)];
  // The commit secret follows the last path secret even where the root stays blank (12.4.1).
  for (let n = 0; n <= steps.length; n++) secrets.push(await derive(secrets[n], 'path'));
  const [commitSecret] = secrets.splice(-1);
  const pairs = await Promise.all(secrets.map(nodeKeys));
  const keys = pairs.map((pair) => pair.public);
  const merged = await tree.merged(owner.leaf, keys.slice(1));
  const source = { kind: COMMITTED, parentHash: merged.parentHash };
  const leaf = await signedLeaf(owner, keys[0], source, groupId);
  const after = merged.tree.withLeaf(owner.leaf, leaf);
  const context = await contextOf(after);
  const nodes = steps.map(async ({ resolution }, n) => {
    const sealed = resolution.map((index) =>
      encryptWithLabel(tree.keyOf(index), LABEL, context, secrets[n + 1]),
    );
    return { encryptionKey: keys[n + 1], ciphertexts: await Promise.all(sealed) };
  });
  const path = { leaf, nodes: await Promise.all(nodes) };
  for (const secret of secrets) secret.fill(0);
  const mine = [2 * owner.leaf, ...steps.map(({ node }) => node)];
  const privates = new Map(mine.map((node, n) => [node, pairs[n]]));
  return { path, tree: after, privates, commitSecret };
}

/** @param {Owner} owner @param {Bytes} encryptionKey @param {Leaf['source']} source @param {Bytes} groupId */
export async function signedLeaf({ leaf: index, tag, identity }, encryptionKey, source, groupId) {
  const leaf = {
    encryptionKey,
    signatureKey: identity.signatureKey,
    credential: credentialOf(tag),
    capabilities: CAPABILITIES,
    source,
    extensions: zeros(0),
    signature: zeros(0),
  };
  return { ...leaf, signature: await identity.sign('LeafNodeTBS', signedIn(leaf, groupId, index)) };
}

/** @param {PathStep[]} steps @param {UpdatePath} path @param {number} me @param {Privates} privates @param {Bytes} context */
export async function openPath(steps, path, me, privates, context) {
  const first = steps.findIndex(({ node }) => isBelow(2 * me, node));
  const resolution = steps[first]?.resolution ?? [];
  const at = resolution.findIndex((index) => privates.has(index));
  const pair = privates.get(resolution[at]);
  if (!pair) throw new AuthenticationError();
  const { output, ciphertext } = path.nodes[first].ciphertexts[at];
  let secret = await decryptWithLabel(pair, LABEL, context, output, ciphertext);
  const opened = new Map();
  for (const [n, { node }] of [...steps.entries()].slice(first)) {
    const keys = await nodeKeys(secret);
    if (!equal(keys.public, path.nodes[n].encryptionKey)) throw new AuthenticationError();
    opened.set(node, keys);
    secret = await derive(secret, 'path');
  }
  return { privates: opened, commitSecret: secret };
}
