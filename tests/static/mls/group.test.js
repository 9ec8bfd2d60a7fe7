// Groups: founding, joining, rejoining, removing, and messages between members (PROTOCOL 8).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, utf8, zeros } from '../../../static/js/bytes.js';
import {
  AuthenticationError,
  ForeignError,
  FrameError,
  LimitError,
  RemovedError,
  StateError,
  UsageError,
} from '../../../static/js/errors.js';
import { opaque, parse, u32, u64 } from '../../../static/js/mls/codec.js';
import * as framing from '../../../static/js/mls/framing.js';
import { CONTENT_OVERHEAD, found, Identity, inspect, join } from '../../../static/js/mls/mls.js';
import { binding, KIND_APPLICATION, KIND_COMMIT } from '../../../static/js/mls/policy.js';
import { openSenderData, PRIVATE, sealPrivate } from '../../../static/js/mls/private.js';
import { encryptWithLabel, messageKey, seal } from '../../../static/js/mls/suite.js';
import {
  dice,
  PSK,
  ROOM_ID,
  refuses,
  SIZE,
  someBytes,
  state,
  stranded,
  tag,
  World,
  wholeOf,
  world,
} from './forge.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { Group } from '../../../static/js/mls/mls.js' */

const HELLO = utf8('hello');
const isUnread = (/** @type {unknown} */ error) =>
  error instanceof AuthenticationError || error instanceof FrameError;

// Founding and joining

test("R9: the founder shows the empty commit after the PSK's", async () => {
  const identity = await Identity.generate();
  const staged = await found(identity, '0xabcd', PSK, ROOM_ID);
  const framed = parse(framing.PUBLIC_COMMIT, staged.commit);
  assert.deepEqual([framed.epoch, framed.sender, framed.commit.proposals], [1, 0, []]);
  assert.deepEqual(framed.authenticatedData, binding(ROOM_ID, KIND_COMMIT, 0));
  const { group } = staged;
  assert.equal(group.epoch, 2);
  const { signatureKey } = identity;
  assert.deepEqual(group.me, { leaf: 0, tag: '0xabcd', signatureKey });
  const info = await inspect(staged.groupInfo, ROOM_ID, 1);
  assert.deepEqual(info.members, [group.me]);
  assert.deepEqual(info.treeHash, group.treeHash);
  assert.equal(group.groupId.length, 16);
});

test('R9: no two groups are alike', async () => {
  const make = async () => found(await Identity.generate(), tag(0), PSK, ROOM_ID);
  const groups = (await Promise.all([make(), make(), make()])).map((staged) => state(staged.group));
  assert.equal(new Set(groups.map((one) => one.groupId)).size, 3);
  assert.equal(new Set(groups.map((one) => one.authenticator)).size, 3);
});

test('R9: a joiner with another PSK is followed by nobody', async () => {
  const room = await world(3);
  const staged = await join(await room.offer(), await Identity.generate(), '0xffff', zeros(32));
  const error = await stranded(room, staged.commit);
  // They could tell its epoch, but not enter it.
  const theirs = state(staged.group);
  assert.equal(error.treeHash, theirs.treeHash);
  assert.equal(error.confirmedTranscriptHash, theirs.confirmedTranscriptHash);
  assert.equal(error.confirmationTag, hex(wholeOf(staged.group).outside.confirmationTag));
});

test('all stay in one epoch through any script', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const roll = dice(seed);
    let [room, count] = [await world(2), 2];
    for (let n = 0; n < 12; n++) {
      const leaves = [...room.groups.keys()].sort((a, b) => a - b);
      const [actor, target] = [leaves[roll(leaves.length)], leaves[roll(leaves.length)]];
      const what = roll(4);
      if (what === 0) room = await room.after(await room.joining(count++));
      else if (what === 1) {
        const { identity } = wholeOf(room.at(actor));
        room = await room.after(await room.joining(count++, identity));
      } else if (what === 2 && actor !== target) {
        const staged = await room.at(actor).commit([target], room.fence);
        await assert.rejects(room.at(target).follow(staged.commit, room.fence), RemovedError);
        room = await room.after(staged);
      } else room = await room.after(await room.at(actor).commit([], room.fence));
      await room.assertOne();
      const [sender, ...others] = room.all;
      assert.deepEqual((await room.offer()).members, sender.members);
      const message = await sender.encrypt(HELLO, room.fence, SIZE);
      for (const group of others) {
        assert.deepEqual((await group.decrypt(message, room.fence)).content, HELLO);
      }
    }
  }
});

test('R4: a joiner whose tag is in use asks for another', async () => {
  const room = await world(3);
  const offer = await room.offer();
  await assert.rejects(join(offer, await Identity.generate(), tag(1), PSK), StateError);
  // Its own old leaf is no other member.
  const again = await join(offer, wholeOf(room.at(1)).identity, tag(1), PSK);
  assert.equal(again.group.members.length, 3);
});

test("R5: a rejoin with the same key takes the old leaf's place", async () => {
  const room = await world(4);
  const { identity } = wholeOf(room.at(1));
  for (const name of [tag(1), '0xbbbb']) {
    const staged = await join(await room.offer(), identity, name, PSK);
    for (const leaf of [0, 2, 3]) {
      const followed = await room.at(leaf).follow(staged.commit, room.fence);
      const { signatureKey } = identity;
      assert.deepEqual(followed.joined, { leaf: 1, tag: name, signatureKey });
      assert.deepEqual(
        followed.removed.map((member) => member.tag),
        [tag(1)],
      );
      assert.deepEqual(state(followed.group), state(staged.group));
    }
    await assert.rejects(room.at(1).follow(staged.commit, room.fence), RemovedError);
  }
});

test('R5: somebody alone rejoins its own group', async () => {
  const room = await world(1);
  const { group } = await room.joining(1, wholeOf(room.at(0)).identity);
  assert.deepEqual(
    group.members.map((member) => member.tag),
    [tag(1)],
  );
  assert.equal(group.epoch, room.at(0).epoch + 1);
});

test('R12, R15: a group stays as it was; of two staged commits either can be followed', async () => {
  const room = await world(3);
  const before = room.all.map(state);
  const one = await room.at(0).commit([1], room.fence);
  const other = await room.at(0).commit([], room.fence);
  for (const [staged, leaves] of /** @type {const} */ ([
    [one, [2]],
    [other, [1, 2]],
  ])) {
    for (const leaf of leaves) {
      const { group } = await room.at(leaf).follow(staged.commit, room.fence);
      assert.deepEqual(state(group), state(staged.group));
    }
  }
  assert.deepEqual(room.all.map(state), before);
});

test('R15: what was staged is not followed but by the commit of its own bytes', async () => {
  const room = await world(3);
  const ours = await room.at(0).commit([], room.fence);
  const theirs = await room.at(1).commit([], room.fence);
  // The log has theirs: ours was never there, and our group goes on from where it was.
  const { group } = await room.at(0).follow(theirs.commit, room.fence);
  assert.deepEqual(state(group), state(theirs.group));
  await refuses(group.follow(ours.commit, room.fence + 1), 'epoch');
  await refuses(theirs.group.follow(ours.commit, room.fence), 'epoch');
  assert.notEqual(state(ours.group).treeHash, state(group).treeHash);
});

test('only another, present leaf can be removed', async () => {
  const room = await world(4, [2]);
  for (const removes of [[0], [2], [4], [-1], [2 ** 32], [1, 1]]) {
    await assert.rejects(room.at(0).commit(removes, room.fence), UsageError);
  }
});

test('nobody joins with a GroupInfo of the epoch before', async () => {
  const first = await world(3);
  const old = await first.offer();
  const room = await first.after(await first.at(0).commit([], first.fence));
  const chosen = { ...old, binding: { ...old.binding, fence: room.fence } };
  const staged = await join(chosen, await Identity.generate(), '0xffff', PSK);
  for (const group of room.all) await refuses(group.follow(staged.commit, room.fence), 'epoch');
});

test('what is no commit is refused', async () => {
  const room = await world(2);
  const info = await room.at(1).groupInfo(room.fence);
  const message = await room.at(1).encrypt(utf8('x'), room.fence, SIZE);
  for (const data of [zeros(0), info, message]) {
    await refuses(room.at(0).follow(data, room.fence), 'syntax');
  }
});

// Messages

test('a message is opened by all others and not by its sender', async () => {
  const room = await world(5);
  const message = await room.at(3).encrypt(HELLO, room.fence, SIZE);
  for (const leaf of [0, 1, 2, 4]) {
    const opened = await room.at(leaf).decrypt(message, room.fence, tag(3));
    assert.deepEqual(opened, { member: room.at(3).me, generation: 0, content: HELLO });
  }
  await assert.rejects(room.at(3).decrypt(message, room.fence), AuthenticationError);
});

test('R20: a message has exactly the size asked for', async () => {
  const two = await world(2);
  for (const size of [256, 512, 1024, 2048, 4096]) {
    for (const length of [0, 1, 63, 64, size - CONTENT_OVERHEAD]) {
      const content = zeros(length).fill(120);
      const message = await two.at(0).encrypt(content, two.fence, size);
      assert.equal(message.length, size);
      assert.deepEqual((await two.at(1).decrypt(message, two.fence)).content, content);
    }
    const content = zeros(size - CONTENT_OVERHEAD + 1);
    await assert.rejects(two.at(0).encrypt(content, two.fence, size), UsageError);
  }
});

test('R16: a generation is never used twice, and none for what does not fit', async () => {
  const two = await world(2);
  for (const generation of [0, 1, 2, 3]) {
    await assert.rejects(two.at(0).encrypt(zeros(SIZE), two.fence, SIZE), UsageError);
    const message = await two.at(0).encrypt(HELLO, two.fence, SIZE);
    assert.equal((await two.at(1).decrypt(message, two.fence)).generation, generation);
  }
});

test('R16: two calls at once never share a key', async () => {
  const two = await world(2);
  await two.at(0).encrypt(HELLO, two.fence, SIZE);
  const both = await Promise.allSettled([1, 2].map(() => two.at(0).encrypt(HELLO, 2, SIZE)));
  assert.deepEqual(
    both.map((one) => one.status),
    ['fulfilled', 'rejected'],
  );
  assert('value' in both[0] && 'reason' in both[1]);
  assert(both[1].reason instanceof StateError);
  const message = both[0].value;
  // The same for a reader: what is replayed meanwhile is not shown twice.
  const read = await Promise.allSettled([1, 2].map(() => two.at(1).decrypt(message, 2)));
  assert.deepEqual(
    read.map((one) => one.status),
    ['fulfilled', 'rejected'],
  );
});

test('R16: messages come in any order and once', async () => {
  const two = await world(2);
  const roll = dice(71);
  const messages = [];
  for (let n = 0; n < 40; n++) messages.push(await two.at(0).encrypt(u32(n), two.fence, SIZE));
  const order = [...messages.keys()].map((n) => [roll(1e6), n]).sort((a, b) => a[0] - b[0]);
  for (const [, n] of order) {
    assert.deepEqual((await two.at(1).decrypt(messages[n], two.fence)).content, u32(n));
  }
  for (const message of messages) {
    await assert.rejects(two.at(1).decrypt(message, two.fence), AuthenticationError);
  }
});

test('R16: a jump of more than 64 is not followed', async () => {
  const two = await world(2);
  const messages = [];
  for (let n = 0; n < 67; n++) messages.push(await two.at(0).encrypt(u32(n), two.fence, SIZE));
  for (const n of [65, 66]) {
    await assert.rejects(two.at(1).decrypt(messages[n], two.fence), LimitError);
  }
  for (const n of [64, 0]) {
    assert.deepEqual((await two.at(1).decrypt(messages[n], two.fence)).content, u32(n));
  }
});

test('a message for another fence is refused', async () => {
  const two = await world(2);
  const message = await two.at(0).encrypt(HELLO, two.fence, SIZE);
  for (const fence of [two.fence - 1, two.fence + 1]) {
    await assert.rejects(two.at(1).decrypt(message, fence), { name: 'AuthenticationError' });
  }
  assert.deepEqual((await two.at(1).decrypt(message, two.fence)).content, HELLO);
});

test('a message of another epoch, group or line is foreign', async () => {
  const two = await world(2);
  const [one, other] = [await two.at(0).commit([], 2), await two.at(0).commit([], 2)];
  const [after, line] = [await two.after(one), await two.after(other)];
  const [old, fresh] = [
    await two.at(0).encrypt(HELLO, 2, SIZE),
    await after.at(0).encrypt(HELLO, 3, SIZE),
  ];
  await assert.rejects(after.at(1).decrypt(old, 2), ForeignError);
  await assert.rejects(two.at(1).decrypt(fresh, 3), ForeignError);
  await assert.rejects((await world(2)).at(1).decrypt(old, 2), ForeignError);
  // The same group and epoch, but another commit led there.
  await assert.rejects(line.at(1).decrypt(fresh, 3), ForeignError);
});

test('a removed member opens nothing of later epochs, a newcomer nothing of earlier ones', async () => {
  const room = await world(4);
  const removed = room.at(3);
  const after = await room.after(await room.at(0).commit([3], room.fence));
  const message = await after.at(1).encrypt(HELLO, after.fence, SIZE);
  await assert.rejects(removed.decrypt(message, after.fence), AuthenticationError);
  const { senderData } = wholeOf(removed).secrets;
  await assert.rejects(openSenderData(senderData, parse(PRIVATE, message)), AuthenticationError);
  const staged = await after.joining(9);
  await assert.rejects(staged.group.decrypt(message, after.fence), AuthenticationError);
});

test("R4: a message under another's delivery tag is dropped and moves nothing", async () => {
  const two = await world(2);
  const message = await two.at(0).encrypt(HELLO, two.fence, SIZE);
  await assert.rejects(two.at(1).decrypt(message, two.fence, tag(1)), StateError);
  assert.deepEqual((await two.at(1).decrypt(message, two.fence, tag(0))).content, HELLO);
});

test('no byte of a message can be changed, and any bytes are refused', async () => {
  const two = await world(2);
  const message = await two.at(0).encrypt(HELLO, two.fence, SIZE);
  for (const at of message.keys()) {
    const spoiled = message.slice();
    spoiled[at] ^= 1;
    await assert.rejects(two.at(1).decrypt(spoiled, two.fence), isUnread);
  }
  const roll = dice(72);
  for (let n = 0; n < 200; n++) {
    const some = someBytes(roll, 200);
    await assert.rejects(two.at(1).decrypt(some, two.fence), isUnread);
    const headed = concat(Uint8Array.of(0, 1, 0, 2), some);
    await assert.rejects(two.at(1).decrypt(headed, two.fence), isUnread);
  }
  assert.deepEqual((await two.at(1).decrypt(message, two.fence)).content, HELLO);
});

/**
 * A member that seals what it likes, as whom it likes: it holds the secrets that all share.
 * @param {World} room @param {{ leaf?: number, generation?: number, aad?: Bytes, kind?: number, groupId?: Bytes, epoch?: number,
 *   tail?: Bytes, signer?: Identity, signedAad?: Bytes }} [how]
 */
async function lie(room, how = {}) {
  const group = room.at(0);
  const { outside, identity, secrets } = wholeOf(group);
  const { leaf = 0, generation = 0, kind = 1, tail = zeros(0), signer = identity } = how;
  const authenticatedData = how.aad ?? binding(ROOM_ID, KIND_APPLICATION, room.fence);
  const { groupId = group.groupId, epoch = group.epoch } = how;
  const head = { groupId, epoch, authenticatedData, contentType: kind };
  const place = { ...head, sender: leaf, authenticatedData: how.signedAad ?? authenticatedData };
  const encoded = framing.encodeContent(place, framing.APPLICATION, opaque(HELLO));
  const framed = { ...place, wireFormat: framing.WIRE_PRIVATE, encoded, signature: zeros(0) };
  const signature = await signer.sign('FramedContentTBS', framing.signed(framed, outside.context));
  let next = await (await group.ratchets.ratchet(leaf)).advanced();
  for (let n = 0; n < generation; n++) next = await next.ratchet.advanced();
  const who = { leaf, generation, reuseGuard: utf8('abcd') };
  const plain = concat(opaque(HELLO), opaque(signature), tail);
  return sealPrivate(secrets.senderData, head, who, next.key, plain);
}

/** Put other sender data into a message. @param {Group} group @param {Bytes} message @param {Bytes} plain */
async function sentBy(group, message, plain) {
  const sealed = parse(PRIVATE, message);
  const sample = sealed.ciphertext.subarray(0, 32);
  const key = await messageKey(wholeOf(group).secrets.senderData, sample);
  const aad = concat(opaque(sealed.groupId), u64(sealed.epoch), Uint8Array.of(1));
  return PRIVATE({ ...sealed, senderData: await seal(key, aad, plain) });
}

test("a liar's honest message is opened", async () => {
  const room = await world(3);
  const opened = await room.at(1).decrypt(await lie(room), room.fence);
  assert.deepEqual(opened.member, room.at(0).me);
});

test('a message that names another group or epoch is foreign, whoever seals it', async () => {
  const room = await world(2);
  for (const how of [{ epoch: room.at(0).epoch + 1 }, { groupId: zeros(16) }]) {
    await assert.rejects(room.at(1).decrypt(await lie(room, how), room.fence), ForeignError);
  }
});

test("a message in another's name is refused and moves nothing", async () => {
  const room = await world(3);
  for (const generation of [0, 40]) {
    const forged = await lie(room, { leaf: 2, generation });
    await assert.rejects(room.at(1).decrypt(forged, room.fence), AuthenticationError);
  }
  for (const generation of [0, 1, 2]) {
    const message = await room.at(2).encrypt(HELLO, room.fence, SIZE);
    const opened = await room.at(1).decrypt(message, room.fence);
    assert.deepEqual([opened.generation, opened.content], [generation, HELLO]);
  }
});

test('our own message reflected by another is refused', async () => {
  const room = await world(2);
  const message = await lie(room, { leaf: 1, signer: wholeOf(room.at(1)).identity });
  await assert.rejects(room.at(1).decrypt(message, room.fence), AuthenticationError);
});

test('a message of nobody is refused', async () => {
  const room = await world(4, [2]);
  const blank = await lie(room, { leaf: 2 });
  await assert.rejects(room.at(1).decrypt(blank, room.fence), AuthenticationError);
  for (const leaf of [4, 2 ** 32 - 1]) {
    const message = await sentBy(room.at(0), await lie(room), concat(u32(leaf), zeros(8)));
    await assert.rejects(room.at(1).decrypt(message, room.fence), AuthenticationError);
  }
});

test('R16: a hostile generation is no work', async () => {
  const room = await world(2);
  const plain = concat(zeros(4), zeros(4).fill(255), zeros(4));
  const message = await sentBy(room.at(0), await lie(room), plain);
  await assert.rejects(room.at(1).decrypt(message, room.fence, tag(1)), StateError);
  await assert.rejects(room.at(1).decrypt(message, room.fence, tag(0)), LimitError);
});

test('R11: a message for another room, kind, fence or version is refused', async () => {
  const two = await world(2);
  assert.equal(two.fence, 2);
  for (const aad of [
    binding(zeros(16), KIND_APPLICATION, 2),
    binding(ROOM_ID, KIND_COMMIT, 2),
    binding(ROOM_ID, KIND_APPLICATION, 1),
    concat(Uint8Array.of(0, 2), binding(ROOM_ID, KIND_APPLICATION, 2).subarray(2)),
    zeros(0),
  ]) {
    const message = await lie(two, { aad });
    await assert.rejects(two.at(1).decrypt(message, 2), { name: 'AuthenticationError' });
  }
  const signedAad = binding(ROOM_ID, KIND_APPLICATION, 1);
  const elsewhere = await lie(two, { signedAad });
  await assert.rejects(two.at(1).decrypt(elsewhere, 2), { name: 'AuthenticationError' });
});

test('a private handshake message is refused, and padding that is not zero (R20)', async () => {
  const two = await world(2);
  for (const kind of [0, 2, 3, 255]) {
    await assert.rejects(two.at(1).decrypt(await lie(two, { kind }), 2), FrameError);
  }
  const padded = await lie(two, { tail: zeros(9) });
  assert.deepEqual((await two.at(1).decrypt(padded, 2)).content, HELLO);
  const odd = await lie(two, { generation: 1, tail: Uint8Array.of(0, 0, 1) });
  await assert.rejects(two.at(1).decrypt(odd, 2), FrameError);
});

// Secrets

test('R18: a wiped group has no keys left', async () => {
  const room = await world(2);
  const [other, group] = [room.at(0), room.at(1)];
  const message = await other.encrypt(HELLO, room.fence, SIZE);
  const sealed = await other.sealRepair(1, zeros(32), 7, HELLO);
  const { commit } = await other.commit([], room.fence);
  const secrets = Object.values(wholeOf(group).secrets);
  group.wipe();
  for (const use of [
    () => group.encrypt(HELLO, room.fence, SIZE),
    () => group.decrypt(message, room.fence),
    () => group.commit([], room.fence),
    () => group.follow(commit, room.fence),
    () => group.groupInfo(room.fence),
    () => group.sealRepair(0, zeros(32), 7, HELLO),
    () => group.openRepair(zeros(32), 7, sealed),
  ]) {
    await assert.rejects(use, StateError);
  }
  assert.equal(group.whole, null);
  assert(secrets.every((secret) => hex(secret) === hex(zeros(32))));
  assert.deepEqual([group.ratchets.secrets.size, group.ratchets.ratchets.size], [0, 0]);
  // What everybody may know stays.
  assert.equal(group.epoch, other.epoch);
  assert.deepEqual(group.me, other.members[1]);
  group.wipe();
});

test('R18: a forgotten identity signs and joins nothing', async () => {
  const gone = Identity.forgotten();
  assert.deepEqual(gone.signatureKey, zeros(0));
  await assert.rejects(gone.sign('label', HELLO), StateError);
  const offer = await (await world(2)).offer();
  await assert.rejects(join(offer, gone, '0xffff', PSK), StateError);
  await assert.rejects(found(gone, '0xffff', PSK, ROOM_ID), StateError);
});

test('R18: wiping an epoch leaves the next one whole', async () => {
  const room = await world(2);
  const after = await room.after(await room.at(0).commit([], room.fence));
  for (const group of room.all) group.wipe();
  await after.assertOne();
  const message = await after.at(0).encrypt(HELLO, after.fence, SIZE);
  assert.deepEqual((await after.at(1).decrypt(message, after.fence)).content, HELLO);
  await after.after(await after.joining(5));
});

test('no private key can be taken out of a group', async () => {
  const { privates, identity } = wholeOf((await world(4)).at(2));
  assert(privates.size);
  for (const pair of privates.values()) {
    await assert.rejects(crypto.subtle.exportKey('pkcs8', pair.private));
  }
  assert(!JSON.stringify(identity).includes('private'));
});

// Repair

test('R32: a repair is opened by the asker alone', async () => {
  const room = await world(4);
  const { signatureKey } = room.at(0).me;
  const sealed = await room.at(1).sealRepair(3, signatureKey, 7, HELLO);
  assert.deepEqual(await room.at(3).openRepair(signatureKey, 7, sealed), HELLO);
  for (const leaf of [0, 1, 2]) {
    const attempt = room.at(leaf).openRepair(signatureKey, 7, sealed);
    await assert.rejects(attempt, AuthenticationError);
  }
});

test('R32: a repair is bound to what it repairs and where', async () => {
  const room = await world(4);
  const [key, other] = [room.at(0).me.signatureKey, room.at(2).me.signatureKey];
  const sealed = await room.at(1).sealRepair(3, key, 7, HELLO);
  const later = await room.after(await room.at(0).commit([], room.fence));
  for (const [
    group,
    signatureKey,
    counter,
    data,
  ] of /** @type {[Group, Bytes, number, Bytes][]} */ ([
    [room.at(3), other, 7, sealed],
    [room.at(3), key, 8, sealed],
    [later.at(3), key, 7, sealed],
    [room.at(3), key, 7, sealed.subarray(0, -1)],
    [room.at(3), key, 7, sealed.subarray(0, 31)],
    [room.at(3), key, 7, zeros(0)],
    [room.at(3), key, 7, concat(zeros(32), sealed.subarray(32))],
  ])) {
    await assert.rejects(group.openRepair(signatureKey, counter, data), AuthenticationError);
  }
  for (const at of sealed.keys()) {
    const spoiled = sealed.slice();
    spoiled[at] ^= 1;
    await assert.rejects(room.at(3).openRepair(key, 7, spoiled), AuthenticationError);
  }
});

test('R32: a repair for nobody cannot be made', async () => {
  const room = await world(4, [2]);
  for (const leaf of [2, 4, -1]) {
    await assert.rejects(room.at(0).sealRepair(leaf, zeros(32), 7, HELLO), UsageError);
  }
});

test('R32: a repair is what PROTOCOL 8.4 says', async () => {
  const room = await world(2);
  const [group, { signatureKey }] = [room.at(1), room.at(0).me];
  const context = concat(group.groupId, u64(group.epoch), u32(1), signatureKey, u64(7));
  const asker = group.tree.keyOf(2);
  const sealed = await encryptWithLabel(asker, 'beacon repair v1', context, HELLO);
  const data = concat(sealed.output, sealed.ciphertext);
  assert.deepEqual(await group.openRepair(signatureKey, 7, data), HELLO);
});
