// Others' commits: each deviation is refused by its own check, or strands (R7 to R9, R11, R12).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, equal, hex, utf8, zeros } from '../../../static/js/bytes.js';
import {
  CommitRefusedError,
  RemovedError,
  StrandedError,
  UsageError,
} from '../../../static/js/errors.js';
import { opaque, parse, u16 } from '../../../static/js/mls/codec.js';
import { Identity } from '../../../static/js/mls/epoch.js';
import { PUBLIC_COMMIT, tagged } from '../../../static/js/mls/framing.js';
import { found, Group, inspect, join } from '../../../static/js/mls/mls.js';
import { binding, KIND_COMMIT } from '../../../static/js/mls/policy.js';
import { encryptWithLabel, mac } from '../../../static/js/mls/suite.js';
import {
  dice,
  encodedLeaf,
  externalInit,
  forge,
  memberPlan,
  newcomerPlan,
  newKey,
  PSK,
  psk,
  ROOM_ID,
  refused,
  refuses,
  remove,
  someBytes,
  state,
  stranded,
  tag,
  World,
  wholeOf,
  world,
} from './forge.js';
import { FAT, FAT_NEWCOMER } from './forms.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { PathNode } from './forge.js' */

// Leaves 0, 1, 2, 3, 5; 4, 6 and 7 are blank. Groups do not change by following.
const room = await world(6, [4]);
const offer = await room.offer();
const KEYS = [zeros(32), zeros(31), new Uint8Array(32).fill(255)];
const PSK_PROPOSAL = psk(utf8('beacon room psk v1'), zeros(32));

// What is right is followed

test('a forged commit without deviation is followed', async () => {
  const { commit, epoch } = await forge(memberPlan(room.at(1), room.fence, [3]));
  for (const leaf of [0, 2, 5]) {
    const followed = await room.at(leaf).follow(commit, room.fence);
    const { authenticator } = wholeOf(followed.group).secrets;
    assert.deepEqual(authenticator, epoch.secrets.authenticator);
    assert.deepEqual([followed.committer.leaf, followed.joined], [1, null]);
    assert.deepEqual(
      followed.removed.map((member) => member.tag),
      [tag(3)],
    );
  }
  await assert.rejects(room.at(3).follow(commit, room.fence), RemovedError);
});

test('a forged join without deviation is followed', async () => {
  const { commit, epoch } = await forge(await newcomerPlan(offer));
  for (const group of room.all) {
    const followed = await group.follow(commit, room.fence);
    const { authenticator } = wholeOf(followed.group).secrets;
    assert.deepEqual(authenticator, epoch.secrets.authenticator);
    assert.equal(followed.joined, followed.committer);
    assert.deepEqual([followed.committer.leaf, followed.committer.tag], [4, '0xffff']);
    assert.deepEqual(followed.removed, []);
  }
});

test('what is no commit is refused', async () => {
  for (const data of [[], [0, 1, 0, 1], [0, 1, 0, 2, ...zeros(60)]]) {
    await refused(room, Uint8Array.from(data), 'syntax');
  }
});

// R9: which proposals, while joining

/** @param {(proposals: Bytes[]) => Bytes[]} alter @param {string} check @param {object} [how] */
async function altered(alter, check, how = {}) {
  const { commit } = await forge(await newcomerPlan(offer, { alter, ...how }));
  await refused(room, commit, check);
}
const asIs = (/** @type {Bytes[]} */ proposals) => proposals;

test('R9: a join brings exactly the PSK of the link', async () => {
  await altered((p) => p.slice(1), 'pre-shared key');
  await altered((p) => [p[0], ...p], 'pre-shared key');
  await altered(asIs, 'pre-shared key', { pskId: utf8('beacon room psk v2') });
  for (const n of [0, 31, 33]) await altered(asIs, 'pre-shared key', { nonce: zeros(n) });
});

test('R9: a join with a wrong PSK strands everybody', async () => {
  const { commit } = await forge(await newcomerPlan(offer, { secret: zeros(32) }));
  await stranded(room, commit);
});

test('R9: a join brings exactly one init secret, which all can find', async () => {
  await altered((p) => p.slice(0, 1), 'external init');
  await altered((p) => [...p, p[p.length - 1]], 'external init');
  const other = externalInit(await newKey());
  const plan = await newcomerPlan(offer, { alter: (p) => [p[0], other] });
  await stranded(room, (await forge(plan)).commit);
});

test('R7: a kem output that may not be used is refused', async () => {
  for (const key of KEYS) await altered((p) => [p[0], externalInit(key)], 'encryption key');
});

test('R9: a newcomer removes its own leaf at most', async () => {
  await altered(asIs, 'removes somebody else while joining', { removes: [2] });
  const { identity } = wholeOf(room.at(2));
  await altered(asIs, 'removes more than its own leaf', { removes: [2, 3], identity });
  for (const leaf of [4, 2 ** 32 - 1]) await altered((p) => [remove(leaf), ...p], 'removes nobody');
});

// R9: which proposals, as a member

/** @param {Bytes[]} proposals @param {string} check @param {number[]} [removes] */
async function extra(proposals, check, removes = []) {
  const { commit } = await forge(memberPlan(room.at(1), room.fence, removes, proposals));
  await refused(room, commit, check, [1]);
}

test('R9: a member removes others who are there, each once', async () => {
  await extra([remove(1)], 'removes itself');
  await extra([remove(3)], 'removes twice', [3]);
  for (const leaf of [4, 7, 8, 2 ** 32 - 1]) await extra([remove(leaf)], 'removes nobody');
});

test('R9: a member does nothing else', async () => {
  await extra([PSK_PROPOSAL], 'proposal');
  await extra([externalInit(await newKey())], 'proposal');
});

for (const isNew of [false, true]) {
  const who = isNew ? 'a newcomer' : 'a member';
  const but = isNew ? [] : [1];
  const plan = async () => (isNew ? newcomerPlan(offer) : memberPlan(room.at(1), room.fence));

  test(`R9: a proposal by reference from ${who} is refused`, async () => {
    const reference = concat(Uint8Array.of(2), opaque(zeros(32)));
    const { commit } = await forge(await plan(), {
      body: (inside, path) => {
        const bare = inside.subarray(1 << (inside[0] >> 6));
        return concat(opaque(concat(reference, bare)), Uint8Array.of(1), path);
      },
    });
    await refused(room, commit, 'proposal', but);
  });

  test(`R9: a commit without path from ${who} is refused`, async () => {
    const body = (/** @type {Bytes} */ inside) => concat(inside, zeros(1));
    await refused(room, (await forge(await plan(), { body })).commit, 'path', but);
  });

  test(`a commit with another signature from ${who} is refused`, async () => {
    const { commit } = await forge(await plan(), { signature: () => zeros(64) });
    await refused(room, commit, 'signature', but);
  });
}

test('R9: other proposals are no syntax of the profile', async () => {
  const leaf = encodedLeaf(room.at(0).tree, 0);
  const one = u16(1);
  const others = {
    add: concat(one, one, one, opaque(zeros(32)), leaf, opaque(zeros(0)), opaque(zeros(64))),
    update: concat(u16(2), leaf),
    'resumption psk': concat(
      u16(4),
      Uint8Array.of(2, 1),
      opaque(zeros(16)),
      zeros(8),
      opaque(zeros(32)),
    ),
    reinit: concat(u16(5), opaque(zeros(16)), one, one, opaque(zeros(0))),
    'context extensions': concat(u16(7), opaque(zeros(0))),
    grease: concat(u16(0x0a0a), opaque(zeros(0))),
  };
  for (const other of Object.values(others)) {
    await extra([other], 'syntax');
    await altered((p) => [other, ...p], 'syntax');
  }
});

// R11: where it belongs

test('R11: a commit for another room, kind, fence or version is refused', async () => {
  assert.equal(room.fence, 7);
  const right = binding(ROOM_ID, KIND_COMMIT, 7);
  for (const authenticatedData of [
    binding(zeros(16), KIND_COMMIT, 7),
    binding(ROOM_ID, 1, 7),
    binding(ROOM_ID, KIND_COMMIT, 6),
    binding(ROOM_ID, KIND_COMMIT, 8),
    concat(u16(2), right.subarray(2)),
  ]) {
    const { commit } = await forge(memberPlan(room.at(1), 7), {
      content: (fields) => ({ ...fields, authenticatedData }),
    });
    await refused(room, commit, 'binding', [1]);
  }
  const { commit } = await room.at(1).commit([], room.fence);
  await refuses(room.at(0).follow(commit, room.fence + 1), 'binding');
});

test('a commit of another group or epoch is refused', async () => {
  const other = async (/** @type {object} */ change) =>
    (await forge(memberPlan(room.at(1), 7), { content: (f) => ({ ...f, ...change }) })).commit;
  await refused(room, await other({ groupId: zeros(16) }), 'group id', [1]);
  await refused(room, await other({ epoch: room.at(1).epoch + 1 }), 'epoch', [1]);
  await refused(room, await other({ epoch: room.at(1).epoch - 1 }), 'epoch', [1]);
});

// Who says so

test("a commit in another's name is refused", async () => {
  const { commit } = await forge(memberPlan(room.at(1), 7), {
    content: (f) => ({ ...f, sender: 2 }),
  });
  assert.equal(parse(PUBLIC_COMMIT, commit).sender, 2);
  await refused(room, commit, 'leaf identity', [1]);
});

test('a commit of nobody is refused', async () => {
  for (const sender of [4, 8, 2 ** 32 - 1]) {
    const content = (/** @type {any} */ fields) => ({ ...fields, sender });
    const { commit } = await forge(memberPlan(room.at(1), 7), { content });
    await refused(room, commit, 'sender', [1]);
  }
});

test('a commit with another membership tag is refused', async () => {
  for (const spoil of [
    () => zeros(32),
    (/** @type {Bytes} */ t) => t.subarray(0, 31),
    () => zeros(0),
  ]) {
    const { commit } = await forge(memberPlan(room.at(1), 7), { membership: spoil });
    await refused(room, commit, 'membership tag', [1]);
  }
});

test('a member that changes its signature key or its tag is refused', async () => {
  const plan = memberPlan(room.at(1), 7);
  const other = { ...plan, identity: await Identity.generate() };
  await refused(room, (await forge(other)).commit, 'leaf identity', [1]);
  await refused(room, (await forge({ ...plan, tag: '0xbbbb' })).commit, 'leaf identity', [1]);
});

test('R12: our own commit that we lost strands us as others follow it', async () => {
  const { commit } = await room.at(1).commit([], 7);
  const { group } = await room.at(0).follow(commit, 7);
  const error = await stranded(new World(new Map([[1, room.at(1)]]), 7), commit);
  assert.equal(error.treeHash, hex(group.treeHash));
  assert.equal(error.confirmedTranscriptHash, hex(group.confirmedTranscriptHash));
  assert.equal(error.confirmationTag, hex(wholeOf(group).outside.confirmationTag));
});

test('R5: our own rejoin removes the group that we had', async () => {
  const { commit } = await room.joining(1, wholeOf(room.at(1)).identity);
  await assert.rejects(room.at(1).follow(commit, 7), RemovedError);
});

// R7, R8: the leaf

for (const [check, changes] of [...FAT, ...FAT_NEWCOMER]) {
  const isMembers = FAT.some(([name]) => name === check);
  test(`R8: a leaf that fails "${check}" is refused`, async () => {
    for (const change of changes) {
      const how = {
        leaf: (/** @type {any} */ leaf) => ({ ...leaf, ...change }),
        signLeaf: check !== 'signature',
      };
      await refused(room, (await forge(await newcomerPlan(offer), how)).commit, check);
      if (!isMembers) continue;
      await refused(room, (await forge(memberPlan(room.at(1), 7), how)).commit, check, [1]);
    }
  });
}

test("R9: a newcomer with another's tag or signature key is refused", async () => {
  const named = await newcomerPlan(offer, { name: tag(2) });
  await refused(room, (await forge(named)).commit, 'duplicate tag');
  const keyed = await newcomerPlan(offer, { identity: wholeOf(room.at(2)).identity });
  await refused(room, (await forge(keyed)).commit, 'duplicate signature key');
});

test('R9: an encryption key of the tree is refused, also one that goes', async () => {
  const { tree } = room.at(1);
  for (const encryptionKey of tree.encryptionKeys()) {
    const how = { leaf: (/** @type {any} */ leaf) => ({ ...leaf, encryptionKey }) };
    const { commit } = await forge(memberPlan(room.at(1), 7), how);
    await refused(room, commit, 'encryption key reused', [1]);
  }
  const gone = tree.keyOf(6);
  const { commit } = await forge(memberPlan(room.at(1), 7, [3]), {
    leaf: (leaf) => ({ ...leaf, encryptionKey: gone }),
  });
  await refused(room, commit, 'encryption key reused', [1]);
});

test('R9: a path key of the tree, or one that is used twice, is refused', async () => {
  const old = room.at(1).tree.keyOf(1);
  /** @type {((nodes: PathNode[]) => PathNode[])[]} */
  const ways = [
    ([first, ...rest]) => [{ ...first, encryptionKey: old }, ...rest],
    ([a, b, c]) => [a, { ...b, encryptionKey: a.encryptionKey }, c],
  ];
  for (const nodes of ways) {
    const { commit } = await forge(memberPlan(room.at(1), 7), { nodes });
    await refused(room, commit, 'encryption key reused', [1]);
  }
});

test('R9: the leaf cap holds, and a rejoin takes the place of its old leaf', async () => {
  const leafCap = 2;
  const first = await found(await Identity.generate(), tag(0), PSK, ROOM_ID, { leafCap });
  let info = await inspect(first.groupInfo, ROOM_ID, 1, { leafCap });
  const identity = await Identity.generate();
  const second = await join(info, identity, tag(1), PSK);
  const { group } = await first.group.follow(second.commit, 1);
  const full = new World(
    new Map([
      [0, group],
      [1, second.group],
    ]),
    2,
  );
  info = await inspect(second.groupInfo, ROOM_ID, 2, { leafCap });
  await refused(full, (await forge(await newcomerPlan(info))).commit, 'leaf cap');
  await refuses(join(info, await Identity.generate(), '0xffff', PSK), 'leaf cap');
  const rejoined = await join(info, identity, '0xffff', PSK);
  assert.equal((await group.follow(rejoined.commit, 2)).group.members.length, 2);
});

// The path

/** @param {(nodes: PathNode[]) => PathNode[]} nodes @param {string} check */
async function spoiledPath(nodes, check) {
  await refused(room, (await forge(memberPlan(room.at(1), 7), { nodes })).commit, check, [1]);
  await refused(room, (await forge(await newcomerPlan(offer), { nodes })).commit, check);
}

/** @param {(ciphertexts: PathNode['ciphertexts']) => PathNode['ciphertexts']} change */
const withCiphertexts = (change) => (/** @type {PathNode[]} */ nodes) => {
  const last = nodes[nodes.length - 1];
  return [...nodes.slice(0, -1), { ...last, ciphertexts: change(last.ciphertexts) }];
};

test('a path of another length is refused', async () => {
  const more = { encryptionKey: await newKey(), ciphertexts: [] };
  await spoiledPath((nodes) => nodes.slice(0, -1), 'path length');
  await spoiledPath(() => [], 'path length');
  await spoiledPath((nodes) => [...nodes, more], 'path length');
});

test('another number of ciphertexts, or another length of one, is refused', async () => {
  await spoiledPath(
    withCiphertexts((c) => c.slice(1)),
    'number of ciphertexts',
  );
  await spoiledPath(
    withCiphertexts((c) => [...c, c[0]]),
    'number of ciphertexts',
  );
  for (const length of [0, 47, 49]) {
    const change = withCiphertexts(([first, ...rest]) => [
      { ...first, ciphertext: zeros(length) },
      ...rest,
    ]);
    await spoiledPath(change, 'ciphertext length');
  }
});

test('R7: a path key or kem output that may not be used is refused by all', async () => {
  for (const key of KEYS) {
    await spoiledPath(
      ([first, ...rest]) => [{ ...first, encryptionKey: key }, ...rest],
      'encryption key',
    );
    const change = withCiphertexts(([first, ...rest]) => [{ ...first, output: key }, ...rest]);
    await spoiledPath(change, 'encryption key');
  }
});

test('another path key breaks the parent hash', async () => {
  const encryptionKey = await newKey();
  const nodes = (/** @type {PathNode[]} */ all) => [
    ...all.slice(0, -1),
    { ...all[all.length - 1], encryptionKey },
  ];
  await spoiledPath(nodes, 'parent hash');
});

test('a removed member refuses what the others refuse', async () => {
  const { commit } = await forge(memberPlan(room.at(1), 7, [3, 5]), {
    leaf: (leaf) => ({ ...leaf, source: { kind: 3, parentHash: zeros(32) } }),
  });
  await refused(room, commit, 'parent hash', [1]);
});

// R12: stranding

test('R12: a spoiled ciphertext strands those below it and nobody else', async () => {
  // Of leaf 1's path: one ciphertext for leaf 0, one for 2 and 3, one for 5.
  for (const [step, below] of [[0], [2, 3], [5]].entries()) {
    const { commit, epoch } = await forge(memberPlan(room.at(1), 7), {
      nodes: (nodes) =>
        nodes.map((node, n) => {
          assert.equal(node.ciphertexts.length, 1);
          const [{ output }] = node.ciphertexts;
          return n === step ? { ...node, ciphertexts: [{ output, ciphertext: zeros(48) }] } : node;
        }),
    });
    const others = [0, 2, 3, 5].filter((leaf) => !below.includes(leaf));
    const error = await stranded(room, commit, [1, ...others]);
    for (const leaf of others) {
      const { group } = await room.at(leaf).follow(commit, 7);
      assert.deepEqual(wholeOf(group).secrets.authenticator, epoch.secrets.authenticator);
      assert.deepEqual(error, {
        treeHash: hex(group.treeHash),
        confirmedTranscriptHash: hex(group.confirmedTranscriptHash),
        confirmationTag: hex(wholeOf(group).outside.confirmationTag),
      });
    }
  }
});

test('R12: a path secret that gives another key strands', async () => {
  const { commit } = await forge(memberPlan(room.at(1), 7), {
    // Leaf 0's ciphertext opens, but what is inside belongs to no key of the path.
    reseal: async ([first, ...rest], context) => {
      const key = room.at(1).tree.keyOf(0);
      const sealed = await encryptWithLabel(key, 'UpdatePathNode', context, zeros(32));
      return [{ ...first, ciphertexts: [sealed] }, ...rest];
    },
  });
  await stranded(room, commit, [1, 2, 3, 5]);
  for (const leaf of [2, 3, 5]) await room.at(leaf).follow(commit, 7);
});

test('R12: a wrong confirmation tag strands everybody', async () => {
  for (const spoil of [
    () => zeros(32),
    (/** @type {Bytes} */ t) => t.subarray(0, 31),
    () => zeros(0),
  ]) {
    const { commit, epoch } = await forge(memberPlan(room.at(1), 7), { confirmation: spoil });
    const error = await stranded(room, commit, [1]);
    const { treeHash, confirmedTranscriptHash } = epoch.outside.context;
    assert.equal(error.treeHash, hex(treeHash));
    assert.equal(error.confirmedTranscriptHash, hex(confirmedTranscriptHash));
    assert.equal(error.confirmationTag, hex(spoil(epoch.outside.confirmationTag)));
    await stranded(room, (await forge(await newcomerPlan(offer), { confirmation: spoil })).commit);
  }
});

test('a fault of our own is none of the commit', async () => {
  const whole = wholeOf(room.at(0));
  const broken = new Group({ ...whole, secrets: { ...whole.secrets, init: zeros(31) } });
  const { commit } = await room.at(1).commit([], 7);
  await assert.rejects(broken.follow(commit, 7), UsageError);
});

// Any byte

const HONEST = [(await room.at(1).commit([3], 7)).commit, (await room.joining(9)).commit];
const isRefusal = (/** @type {unknown} */ error) =>
  error instanceof CommitRefusedError || error instanceof StrandedError;

test('no byte of a commit can be changed', async () => {
  const group = room.at(0);
  for (const commit of HONEST) {
    const before = state(group);
    const after = state((await group.follow(commit, 7)).group);
    for (const at of commit.keys()) {
      const spoiled = commit.slice();
      spoiled[at] ^= 1;
      await assert.rejects(group.follow(spoiled, 7), isRefusal, `byte ${at}`);
    }
    assert.deepEqual(state(group), before);
    assert.deepEqual(state((await group.follow(commit, 7)).group), after);
  }
});

test('a spoiled commit changes nobody', async () => {
  const roll = dice(12);
  for (let n = 0; n < 200; n++) {
    const commit = HONEST[roll(2)];
    const group = room.at([0, 2, 3, 5][roll(4)]);
    const spoiled = commit.slice();
    const change = someBytes(roll, 4).subarray(0, commit.length);
    spoiled.set(change, roll(commit.length - change.length + 1));
    if (equal(spoiled, commit)) continue;
    const before = state(group);
    await assert.rejects(group.follow(spoiled, 7), isRefusal);
    assert.deepEqual(state(group), before);
  }
});

test('any bytes are refused', async () => {
  const roll = dice(13);
  for (let n = 0; n < 200; n++) {
    await assert.rejects(room.at(0).follow(someBytes(roll, 300), 7), CommitRefusedError);
  }
});

test('nothing is left of keys whose nodes are gone', async () => {
  let here = room;
  await here.assertOne();
  /** @type {[number, number[]][]} */
  const steps = [
    [5, []],
    [0, [3]],
    [2, [0, 5]],
  ];
  for (const [committer, removes] of steps) {
    here = await here.after(await here.at(committer).commit(removes, here.fence));
    await here.assertOne();
  }
  assert.deepEqual([...here.groups.keys()].sort(), [1, 2]);
  for (let number = 7; number < 12; number++) {
    here = await here.after(await here.joining(number));
    await here.assertOne();
  }
  assert.deepEqual([...here.groups.keys()].sort(), [0, 1, 2, 3, 4, 5, 6]);
});

test('the membership tag is that of all that a commit says', async () => {
  const framed = parse(PUBLIC_COMMIT, HONEST[0]);
  const { secrets, outside } = wholeOf(room.at(1));
  const expected = await mac(secrets.membership, tagged(framed, outside.context));
  assert.deepEqual(framed.membershipTag, expected);
});
