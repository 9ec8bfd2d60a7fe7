// UpdatePaths: who can open them, and what follows from them (RFC 9420 7.4 to 7.6, 12.4.1).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { AuthenticationError } from '../../../static/js/errors.js';
import { opaque, parse } from '../../../static/js/mls/codec.js';
import { Identity } from '../../../static/js/mls/epoch.js';
import { PATH } from '../../../static/js/mls/framing.js';
import { secretsOf } from '../../../static/js/mls/keyschedule.js';
import { Group, inspect } from '../../../static/js/mls/mls.js';
import { makePath, nodeKeys, openPath } from '../../../static/js/mls/path.js';
import { decryptWithLabel, derive, keyPair } from '../../../static/js/mls/suite.js';
import { readTree } from '../../../static/js/mls/tree.js';
import { isBelow } from '../../../static/js/mls/treemath.js';
import { dice, forgeGroupInfo, newKey, ROOM_ID, refuses, wholeOf, world } from './forge.js';
import { signingKey } from './rfc.js';

/** @import { Tree } from '../../../static/js/mls/tree.js' */

const h = fromHex;
const FILE = new URL('../../vectors/mls-traps.json', import.meta.url);
const TRAPS = JSON.parse(readFileSync(FILE, 'utf8'));
const ROOM = await world(8, [1, 6]);
const LEAVES = [0, 2, 3, 4, 5, 7];

const contextOf = async (/** @type {Tree} */ tree) => concat(utf8('at'), await tree.hash());

/** @param {Group} group @param {Tree} [tree] */
function made(group, tree = group.tree) {
  const { identity, me } = wholeOf(group);
  const owner = { leaf: me, tag: group.me.tag, identity };
  return makePath(tree, owner, group.groupId, contextOf);
}

test('everybody who stays opens the same', async () => {
  const roll = dice(51);
  for (let n = 0; n < 12; n++) {
    const committer = LEAVES[roll(6)];
    const gone = LEAVES.filter((leaf) => leaf && leaf !== committer && roll(3) === 0);
    const tree = gone.reduce((before, leaf) => before.without(leaf), ROOM.at(0).tree);
    const ours = await made(ROOM.at(committer), tree);
    const steps = tree.filteredPath(committer);
    const context = await contextOf(ours.tree);
    for (const leaf of LEAVES.filter((one) => one !== committer && !gone.includes(one))) {
      const all = [...wholeOf(ROOM.at(leaf)).privates];
      const held = new Map(all.filter(([node]) => tree.nodes[node]));
      const opened = await openPath(steps, ours.path, leaf, held, context);
      assert.deepEqual(opened.commitSecret, ours.commitSecret);
      const shared = steps.flatMap(({ node }) => (isBelow(2 * leaf, node) ? [node] : []));
      assert.deepEqual([...opened.privates.keys()], shared);
      for (const node of shared) {
        assert.deepEqual(opened.privates.get(node).public, ours.privates.get(node)?.public);
        assert.deepEqual(ours.tree.keyOf(node), ours.privates.get(node)?.public);
      }
    }
  }
});

test('a removed member opens nothing with all the keys it has', async () => {
  for (const leaf of LEAVES.slice(1)) {
    const tree = ROOM.at(0).tree.without(leaf);
    const ours = await made(ROOM.at(0), tree);
    const held = wholeOf(ROOM.at(leaf)).privates;
    const context = await contextOf(ours.tree);
    const attempt = openPath(tree.filteredPath(0), ours.path, leaf, held, context);
    await assert.rejects(attempt, AuthenticationError);
    for (const { output, ciphertext } of ours.path.nodes.flatMap((node) => node.ciphertexts)) {
      for (const pair of held.values()) {
        const open = decryptWithLabel(pair, 'UpdatePathNode', context, output, ciphertext);
        await assert.rejects(open, AuthenticationError);
      }
    }
  }
});

test('a path opens in its own context only, and with its own keys further up', async () => {
  const ours = await made(ROOM.at(0));
  const steps = ROOM.at(0).tree.filteredPath(0);
  const context = await contextOf(ours.tree);
  const other = await newKey();
  const nodes = ours.path.nodes.map((node, n) =>
    n === ours.path.nodes.length - 1 ? { ...node, encryptionKey: other } : node,
  );
  for (const leaf of LEAVES.slice(1)) {
    const held = wholeOf(ROOM.at(leaf)).privates;
    const elsewhere = openPath(steps, ours.path, leaf, held, utf8('elsewhere'));
    await assert.rejects(elsewhere, AuthenticationError);
    const spoiled = openPath(steps, { ...ours.path, nodes }, leaf, held, context);
    await assert.rejects(spoiled, AuthenticationError);
  }
});

test('nobody opens the path of somebody alone', async () => {
  const group = (await world(1)).at(0);
  const ours = await made(group);
  assert.deepEqual(ours.path.nodes, []);
  const attempt = openPath([], ours.path, 0, wholeOf(group).privates, zeros(0));
  await assert.rejects(attempt, AuthenticationError);
});

test('a made path holds a fresh key for every step, and is read as it was made', async () => {
  const [one, other] = [await made(ROOM.at(0)), await made(ROOM.at(0))];
  const keys = [one, other].flatMap(({ path: { leaf, nodes } }) => [leaf, ...nodes]);
  assert.equal(new Set(keys.map(({ encryptionKey }) => hex(encryptionKey))).size, keys.length);
  assert(await one.tree.hasSoundParents());
  assert.deepEqual(parse(PATH, PATH(one.path)), one.path);
  assert([...one.privates.values()].every((pair) => !pair.private.extractable));
});

test('the path secrets that were drawn are overwritten', async (t) => {
  const drawn = t.mock.method(globalThis.crypto, 'getRandomValues');
  await made(ROOM.at(0));
  assert.equal(drawn.mock.calls.length, 1);
  assert.deepEqual(drawn.mock.calls[0].result, zeros(32));
});

// Traps

const V = TRAPS.blank_root;

async function blankRoot() {
  const tree = readTree(h(V.ratchet_tree));
  const leaf = tree.leaf(V.leaf);
  assert(leaf);
  return new Group({
    outside: {
      context: {
        suite: 1,
        groupId: h(V.group_id),
        epoch: V.epoch,
        treeHash: await tree.hash(),
        confirmedTranscriptHash: h(V.confirmed_transcript_hash),
        extensions: zeros(0),
      },
      confirmationTag: h(V.confirmation_tag),
    },
    tree,
    me: V.leaf,
    identity: new Identity(leaf.signatureKey, await signingKey(h(V.signature_seed))),
    privates: new Map([[2 * V.leaf, await keyPair(h(V.encryption_private))]]),
    secrets: await secretsOf(h(V.epoch_secret)),
    room: { roomId: h(V.room_id), psk: zeros(32), leafCap: 256 },
  });
}

test('trap: with a blank root the commit secret follows the last path secret', async () => {
  const followed = await (await blankRoot()).follow(h(V.commit), V.fence);
  const { group } = followed;
  assert.equal(group.tree.nodes[3], null);
  assert.deepEqual(
    followed.removed.map(({ leaf }) => leaf),
    [0, 1],
  );
  assert.deepEqual(
    group.members.map(({ leaf }) => leaf),
    [2, 3],
  );
  assert.equal(hex(group.treeHash), V.tree_hash_after);
  const keys = await nodeKeys(h(V.path_secret));
  assert.deepEqual(wholeOf(group).privates.get(5)?.public, keys.public);
  assert.equal(hex(await derive(h(V.path_secret), 'path')), V.commit_secret);
  assert.equal(hex(wholeOf(group).secrets.authenticator), V.epoch_authenticator);
});

test('trap: our own commit with a blank root is followed', async () => {
  const room = await world(4);
  const staged = await room.at(2).commit([0, 1], room.fence);
  assert.equal(staged.group.tree.nodes[3], null);
  const after = await room.after(staged);
  await after.assertOne();
  assert.deepEqual([...after.groups.keys()].sort(), [2, 3]);
});

test('trap: the external key has a length of its own', async () => {
  const external = TRAPS.external_pub;
  const { group } = await (await blankRoot()).follow(h(V.commit), V.fence);
  // Signatures are deterministic, so that the whole GroupInfo is.
  assert.equal(hex(await group.groupInfo(V.fence + 1)), external.group_info);
  assert.equal(hex(opaque(h(external.key))), external.extension_data);
  const info = await inspect(h(external.group_info), h(V.room_id), V.fence + 1);
  assert.equal(hex(info.externalPub), external.key);
});

test('trap: an external key without it is refused', async () => {
  const room = await world(2);
  const data = await forgeGroupInfo(room.at(0), room.fence, {
    extensions: ([tree, pub, bound]) => [tree, { ...pub, data: pub.data.subarray(1) }, bound],
  });
  await refuses(inspect(data, ROOM_ID, room.fence), 'external public key');
});
