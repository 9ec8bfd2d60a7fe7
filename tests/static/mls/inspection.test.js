// GroupInfo: what a newcomer checks before it joins (R7, R8, R11, R25).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, equal, hex, zeros } from '../../../static/js/bytes.js';
import { CommitRefusedError, FrameError } from '../../../static/js/errors.js';
import { opaque, parse, u16 } from '../../../static/js/mls/codec.js';
import { Identity } from '../../../static/js/mls/epoch.js';
import { GROUP_INFO } from '../../../static/js/mls/groupinfo.js';
import { found, inspect, join } from '../../../static/js/mls/mls.js';
import {
  binding,
  credentialOf,
  KIND_COMMIT,
  KIND_GROUP_INFO,
} from '../../../static/js/mls/policy.js';
import { deriveKeyPair, draw } from '../../../static/js/mls/suite.js';
import { LEAF, signedIn, Tree } from '../../../static/js/mls/tree.js';
import {
  dice,
  forgeGroupInfo,
  leafOf,
  newKey,
  PSK,
  ROOM_ID,
  refuses,
  resigned,
  someBytes,
  tag,
  wholeOf,
  world,
} from './forge.js';
import { FAT, FAT_NEWCOMER } from './forms.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { Leaf, Node } from '../../../static/js/mls/tree.js' */
/** @typedef {Parameters<typeof forgeGroupInfo>[2]} How */

const room = await world(5, [3]);
// One member and no parent nodes: any leaf can be changed and signed anew.
const alone = await world(1);
const INFO = await room.at(0).groupInfo(room.fence);

/** @param {string} check @param {How} how @param {typeof room} [where] */
const refused = async (check, how, where = room) =>
  refuses(
    inspect(await forgeGroupInfo(where.at(0), where.fence, how), ROOM_ID, where.fence),
    check,
  );

/** The places of parents. @param {Tree} tree */
const parents = (tree) =>
  tree.nodes.flatMap((node, at) => (node?.kind === 2 ? [/** @type {const} */ ([at, node])] : []));

test('a GroupInfo tells all of its epoch', async () => {
  for (const group of room.all) {
    const info = await inspect(await group.groupInfo(room.fence), ROOM_ID, room.fence);
    assert.deepEqual(info.members, group.members);
    assert.deepEqual(info.signer.signatureKey, group.me.signatureKey);
    assert.deepEqual([info.epoch, info.treeHash], [group.epoch, group.treeHash]);
    assert.deepEqual(info.confirmedTranscriptHash, group.confirmedTranscriptHash);
    assert.deepEqual(info.wordsContext, group.wordsContext);
    const external = await deriveKeyPair(wholeOf(group).secrets.external);
    assert.deepEqual(info.externalPub, external.public);
    assert.deepEqual(info.binding, { roomId: ROOM_ID, fence: room.fence });
  }
});

test('a forged one without deviation is what the group says', async () => {
  assert.deepEqual(await forgeGroupInfo(room.at(0), room.fence), INFO);
});

// Extensions

test('R8: missing, extra or misordered extensions are refused', async () => {
  /** @type {NonNullable<NonNullable<How>['extensions']>[]} */
  const ways = [
    ([, b, c]) => [b, c],
    ([a, , c]) => [a, c],
    ([a, b]) => [a, b],
    () => [],
    (e) => [...e, { kind: 0xf0bf, data: zeros(0) }],
    (e) => [...e, e[2]],
    (e) => [e[0], ...e],
    ([a, b, c]) => [b, a, c],
    ([a, b, c]) => [c, a, b],
  ];
  for (const extensions of ways) await refused('GroupInfo extensions', { extensions });
  const extensions = (/** @type {any[]} */ e) => [
    ...e,
    ...Array(6).fill({ kind: 9, data: zeros(0) }),
  ];
  const data = await forgeGroupInfo(room.at(0), room.fence, { extensions });
  await assert.rejects(inspect(data, ROOM_ID, room.fence), FrameError);
});

test('R11: a GroupInfo for another room, kind, fence or version is refused', async () => {
  assert.equal(room.fence, 6);
  for (const bound of [
    binding(zeros(16), KIND_GROUP_INFO, 6),
    binding(ROOM_ID, KIND_COMMIT, 6),
    binding(ROOM_ID, KIND_GROUP_INFO, 5),
    binding(ROOM_ID, KIND_GROUP_INFO, 7),
    concat(u16(2), binding(ROOM_ID, KIND_GROUP_INFO, 6).subarray(2)),
  ]) {
    await refused('binding', { bound });
  }
});

test('R7, R8: an external key has its own length and may be used', async () => {
  const external =
    (/** @type {Bytes} */ data) =>
    (/** @type {any[]} */ [a, b, c]) => [a, { ...b, data }, c];
  for (const data of [
    zeros(32).fill(9),
    zeros(32).fill(32),
    zeros(34).fill(32),
    Uint8Array.of(0x40, ...zeros(33).fill(32)),
    zeros(33).fill(33),
    zeros(0),
  ]) {
    await refused('external public key', { extensions: external(data) });
  }
  const small = Uint8Array.of(32, ...zeros(32));
  await refused('encryption key', { extensions: external(small) });
});

// The group's context

test('R8: a context of another form is refused', async () => {
  await refused('context extensions', {
    context: { extensions: concat(u16(3), opaque(zeros(0))) },
  });
  for (const length of [0, 15, 17])
    await refused('group id', { context: { groupId: zeros(length) } });
  await refused('suite', { context: { suite: 3 } });
  for (const treeHash of [zeros(32), zeros(0)])
    await refused('tree hash', { context: { treeHash } });
});

test('R13: an epoch that no commits can have led to is refused', async () => {
  for (const epoch of [room.fence + 2, 2 ** 52]) await refused('epoch', { context: { epoch } });
  const context = { epoch: room.fence + 1 };
  const data = await forgeGroupInfo(room.at(0), room.fence, { context });
  const info = await inspect(data, ROOM_ID, room.fence);
  const staged = await join(info, await Identity.generate(), '0xffff', PSK);
  assert.equal(staged.group.epoch, room.fence + 2);
});

// Who says so

test('a GroupInfo of nobody or signed by another is refused', async () => {
  for (const signer of [3, 5, 8, 2 ** 32 - 1]) await refused('GroupInfo signer', { signer });
  await refused('signature', { signer: 1 });
  await refused('signature', { sign: () => zeros(64) });
  await refused('signature', { sign: (signature) => signature.subarray(1) });
});

// The tree

test('R8: unmerged leaves are refused', async () => {
  const { tree } = room.at(0);
  const [[at, node]] = parents(tree);
  await refused('unmerged leaves', { tree: tree.replaced([[at, { ...node, unmerged: [0] }]]) });
});

test('a parent that nobody made is refused', async () => {
  const { tree } = room.at(0);
  for (const [at, node] of parents(tree)) {
    const other = { ...node, encryptionKey: await newKey() };
    await refused('parent hash', { tree: tree.replaced([[at, other]]) });
    const small = { ...node, encryptionKey: zeros(32) };
    await refused('encryption key', { tree: tree.replaced([[at, small]]) });
  }
});

test('any leaf with a wrong signature is refused', async () => {
  const group = alone.at(0);
  const leaf = leafOf(group.tree, 0);
  const { identity } = wholeOf(group);
  const elsewhere = [signedIn(leaf, zeros(16), 0), signedIn(leaf, group.groupId, 1)];
  const others = await Promise.all(elsewhere.map((tbs) => identity.sign('LeafNodeTBS', tbs)));
  for (const signature of [zeros(64), leaf.signature.subarray(1), zeros(0), ...others]) {
    await refused('signature', { tree: group.tree.withLeaf(0, { ...leaf, signature }) }, alone);
  }
});

for (const [check, changes] of [...FAT, ...FAT_NEWCOMER]) {
  if (['signature', 'parent hash'].includes(check)) continue;
  test(`R8: a leaf that fails "${check}" is refused`, async () => {
    const group = alone.at(0);
    for (const change of changes) {
      const leaf = { ...leafOf(group.tree, 0), ...change };
      await refused(check, { tree: await resigned(group, group.tree, 0, leaf) }, alone);
    }
  });
}

/** The only member's tree with a second leaf, which it signs itself. @param {Partial<Leaf>} change */
async function pair(change) {
  const group = alone.at(0);
  const other = await Identity.generate();
  const leaf = {
    ...leafOf(group.tree, 0),
    encryptionKey: await newKey(),
    signatureKey: other.signatureKey,
    credential: credentialOf('0xbbbb'),
    ...change,
  };
  const signature = await other.sign('LeafNodeTBS', signedIn(leaf, group.groupId, 1));
  return group.tree.grown(1).withLeaf(1, { ...leaf, signature });
}

test('R9: what two leaves share is refused; with nothing above them they may stand', async () => {
  const data = await forgeGroupInfo(alone.at(0), alone.fence, { tree: await pair({}) });
  assert.equal((await inspect(data, ROOM_ID, alone.fence)).members.length, 2);
  const { encryptionKey, signatureKey, credential } = leafOf(alone.at(0).tree, 0);
  await refused('duplicate encryption key', { tree: await pair({ encryptionKey }) }, alone);
  await refused('duplicate signature key', { tree: await pair({ signatureKey }) }, alone);
  await refused('duplicate tag', { tree: await pair({ credential }) }, alone);
});

test('R9: a key of a leaf that a parent has too is refused', async () => {
  const { tree } = room.at(0);
  const [[at, node]] = parents(tree);
  const spoiled = tree.replaced([[at, { ...node, encryptionKey: tree.keyOf(0) }]]);
  await refused('duplicate encryption key', { tree: spoiled });
});

test('R9: more leaves than the cap are refused', async () => {
  const info = await inspect(INFO, ROOM_ID, room.fence, { leafCap: 4 });
  assert.equal(info.members.length, 4);
  for (const leafCap of [1, 2, 3]) {
    await refuses(inspect(INFO, ROOM_ID, room.fence, { leafCap }), 'leaf cap');
  }
  await refuses(join(info, await Identity.generate(), '0xffff', PSK), 'leaf cap');
});

test("the founder's hidden epoch cannot be shown", async () => {
  const identity = await Identity.generate();
  const { group } = await found(identity, tag(0), PSK, ROOM_ID);
  const lifetime = Uint8Array.of(...zeros(8), ...zeros(8).fill(255));
  const source = /** @type {const} */ ({ kind: 1, lifetime });
  const leaf = { ...leafOf(group.tree, 0), source };
  const signature = await identity.sign('LeafNodeTBS', signedIn(leaf, zeros(0), 0));
  const tree = new Tree([null]).withLeaf(0, { ...leaf, signature });
  const data = await forgeGroupInfo(group, 1, { tree });
  await refuses(inspect(data, ROOM_ID, 1), 'leaf source');
});

// Hostile sizes

test('a hostile tree is refused before any signature is looked at', async (t) => {
  const leaf = leafOf(alone.at(0).tree, 0);
  const entry = Uint8Array.of(1, 1, ...LEAF(leaf));
  const verify = t.mock.method(crypto.subtle, 'verify');
  for (const leaves of [513, 2048, 10_000]) {
    const entries = Array.from({ length: 2 * leaves - 1 }, (_, n) => (n % 2 ? zeros(1) : entry));
    const encoded = opaque(concat(...entries));
    const data = await forgeGroupInfo(alone.at(0), alone.fence, { encoded });
    await assert.rejects(inspect(data, ROOM_ID, alone.fence), (error) => {
      return error instanceof CommitRefusedError || error instanceof FrameError;
    });
  }
  const parent = { encryptionKey: draw(32), parentHash: zeros(0), unmerged: [] };
  for (const other of [null, { kind: /** @type {const} */ (2), ...parent }]) {
    const nodes = Array.from({ length: 4095 }, (_, n) =>
      n % 2 ? other : /** @type {Node} */ ({ kind: 1, ...leaf }),
    );
    await refused('leaf cap', { tree: new Tree(nodes) }, alone);
  }
  assert.equal(verify.mock.callCount(), 0);
});

// Any byte

test('no byte of a GroupInfo can be changed', async () => {
  for (const at of INFO.keys()) {
    const spoiled = INFO.slice();
    spoiled[at] ^= 1;
    const attempt = inspect(spoiled, ROOM_ID, room.fence);
    await assert.rejects(attempt, (error) => {
      return error instanceof CommitRefusedError || error instanceof FrameError;
    });
  }
});

test('any bytes are a GroupInfo of one spelling or refused', () => {
  const roll = dice(61);
  for (let n = 0; n < 400; n++) {
    const some = someBytes(roll, 300);
    const head = INFO.subarray(0, roll(INFO.length));
    const rest = INFO.subarray(head.length + some.length);
    for (const data of [some, concat(head, some), concat(head, some, rest)]) {
      try {
        assert(equal(GROUP_INFO(parse(GROUP_INFO, data)), data));
      } catch (error) {
        assert(error instanceof FrameError, hex(data));
      }
    }
  }
});

test('other versions of a GroupInfo are refused', () => {
  for (const at of [1, 3, 5]) {
    const spoiled = INFO.slice();
    spoiled[at] ^= 2;
    assert.throws(() => parse(GROUP_INFO, spoiled), FrameError);
  }
  assert.throws(() => parse(GROUP_INFO, concat(INFO, zeros(1))), FrameError);
});
