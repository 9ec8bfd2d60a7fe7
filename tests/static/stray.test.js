// Which line of epochs is the better one, and how long to look for it (R12, R13, R14).

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { hex } from '../../static/js/bytes.js';
import { deriveKeys } from '../../static/js/link.js';
import { found, Identity } from '../../static/js/mls/mls.js';
import { Roster } from '../../static/js/roster.js';
import { Kind, seal } from '../../static/js/seal.js';
import { Stay } from '../../static/js/stay.js';
import { Stray } from '../../static/js/stray.js';

/** @typedef {any} Any */

const [STRANDED_S, LOST_S, NEED_S, CONFIRM_S, SEEK_S, SILENT_S] = [5, 10, 2, 5, 5, 150];
const FENCE = 10;
const TAGS = ['0x1000', '0x1001', '0x1002', '0x1003'];
const KEYS = TAGS.map((_, i) => new Uint8Array(32).fill(i + 1));
/** @type {Any} */
let keys;
/** Groups of one link, the third one epoch further, with their GroupInfos as the relay has them. */
let lower = /** @type {Any} */ ({});
let equal = /** @type {Any} */ ({});
let higher = /** @type {Any} */ ({});
/** @param {Any} line */
const hashOf = (line) => hex(line.group.confirmedTranscriptHash);

async function line(isFurther = false) {
  const identity = await Identity.generate();
  let { group } = await found(identity, TAGS[1], keys.psk, keys.roomId);
  if (isFurther) ({ group } = await group.commit([], 1));
  const plain = await group.groupInfo(FENCE);
  const entry = await seal(keys.seal, keys.roomId, Kind.GROUP_INFO, FENCE, plain);
  return { group, entry, signer: identity.signatureKey };
}

before(async () => {
  keys = await deriveKeys(new Uint8Array(32));
  [lower, equal] = [await line(), await line()].sort((a, b) => (hashOf(a) < hashOf(b) ? -1 : 1));
  // The epoch decides, and only then the lower hash.
  do higher = await line(true);
  while (hashOf(higher) < hashOf(lower));
});

/** @param {Any[]} lines @returns {Any} */
const info = (...lines) => ({
  type: 'info',
  fence: FENCE,
  entries: lines.map(({ entry }) => entry),
});

/** One who stands with so many others on a line; all have seats. */
function stand(others = 1, line = higher.group) {
  const stay = /** @type {Any} */ (
    new Stay('host', keys, Identity.forgotten(), (n) => new Uint8Array(n))
  );
  const members = TAGS.slice(0, others + 1).map((tag, leaf) => ({
    leaf,
    tag,
    signatureKey: KEYS[leaf],
  }));
  const { epoch, confirmedTranscriptHash } = line;
  const group = { members, me: members[0], epoch, confirmedTranscriptHash };
  Object.assign(stay, { group, tag: TAGS[0], phase: 'joined', now: 5000 });
  const roster = new Roster();
  roster.seated(
    members.map(({ tag }) => tag),
    [],
  );
  /** @param {number[]} leaves */
  const hear = (...leaves) => {
    stay.heard = new Map(leaves.map((leaf) => [hex(KEYS[leaf]), stay.now]));
  };
  hear(1);
  /** What it did since: events, and how often it asked. */
  const done = () => {
    const effects = stay.effects.splice(0);
    const events = effects.flatMap((/** @type {Any} */ one) =>
      one.type === 'emit' ? [one.event] : [],
    );
    return {
      events,
      needs: effects.filter((/** @type {Any} */ one) => one.data === '{"type":"need"}').length,
    };
  };
  return { stay, roster, stray: new Stray(stay, roster), hear, done };
}

test('R13: tries back off to a minute, and begin anew after a quiet time', () => {
  const { stay, stray } = stand();
  let now = 1000;
  const strand = () => {
    stay.phase = 'joined';
    stray.strand(null, now);
    const wait = /** @type {number} */ (stray.deadline()) - now;
    now += wait;
    return wait;
  };
  assert.deepEqual(Array.from({ length: 9 }, strand), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
  now += 120;
  assert.equal(strand(), 60);
  now += 121;
  assert.equal(strand(), 0);
});

test('R12: who is stranded asks every two seconds until its time is over', () => {
  const { stay, stray, done } = stand();
  let now = 5000;
  stray.strand(null, now);
  assert.deepEqual([stay.phase, stray.isSeeking], ['stranded', false]);
  let asked = 0;
  while (!stray.tick(now)) {
    asked += done().needs;
    now = /** @type {number} */ (stray.deadline());
  }
  assert.deepEqual([now, asked], [5000 + LOST_S, LOST_S / NEED_S]);
  stray.stop();
  assert.equal(stray.deadline(), null);
});

test('R12: of a line that is known less is waited for', () => {
  const { stray } = stand();
  const line = { confirmedTranscriptHash: KEYS[0], treeHash: KEYS[0], confirmationTag: KEYS[0] };
  stray.leftBehind(line, 5000);
  assert.equal(stray.line, line);
  assert.deepEqual(
    [stray.tick(5000 + STRANDED_S - 0.1), stray.tick(5000 + STRANDED_S)],
    [false, true],
  );
  stray.resume(5010);
  assert.deepEqual([stray.tick(5014.9), stray.tick(5015)], [false, true]);
  stray.stop();
  assert.equal(stray.line, null);
});

test('R12: one commit after another is asked about after half a second', () => {
  const { stray, done } = stand();
  stray.leftBehind(null, 5000);
  stray.tick(5000);
  assert.equal(done().needs, 1);
  stray.strand(null, 5000);
  stray.tick(5000);
  assert.equal(done().needs, 0);
  assert.equal(stray.deadline(), 5000 + NEED_S / 4);
});

test('R12: a new connection gives the whole time again', () => {
  const { stray, done } = stand();
  stray.strand(null, 5000);
  stray.tick(5008);
  done();
  stray.resume(5009);
  stray.tick(5009);
  assert.equal(done().needs, 1);
  assert.deepEqual([stray.tick(5009 + LOST_S - 0.1), stray.tick(5009 + LOST_S)], [false, true]);
});

test('R13: a search lasts five seconds and is not begun twice', () => {
  const { stray, done } = stand();
  assert.equal(stray.foreign(TAGS[1], 5000), true);
  assert.equal(stray.foreign(TAGS[1], 5000), false);
  assert.equal(stray.tick(5000), false);
  assert.equal(done().needs, 1);
  assert.equal(stray.tick(5000 + SEEK_S), true);
  stray.stop();
  assert.equal(stray.isSeeking, false);
  // The next begins a second later, and so on.
  assert.equal(stray.foreign(TAGS[1], 5004.9), false);
  assert.equal(stray.foreign(TAGS[1], 5005), true);
  assert.equal(stray.deadline(), 5006);
});

test('R13: who is stranded does not look beside', () => {
  const { stay, stray } = stand();
  stay.phase = 'stranded';
  assert.equal(stray.foreign(TAGS[1], 5000), false);
  assert.equal(stray.deadline(), null);
});

test('R13: the own line is no choice for who stands on it', async () => {
  const { stay, stray, hear } = stand();
  assert.deepEqual(await stray.choices(info(higher)), []);
  hear();
  assert.deepEqual(await stray.choices(info(higher)), []);
  stay.phase = 'stranded';
  assert.equal((await stray.choices(info(higher))).length, 1);
});

test('R13: who hears nobody takes any other line, and who hears somebody the higher', async () => {
  const { stay, stray, hear } = stand(2);
  // As many there as here: one that we heard, and ourselves.
  stray.foreign(TAGS[2], 5000);
  const isBetter = async () => (await stray.choices(info(lower))).length === 1;
  assert.equal(await isBetter(), false);
  stay.now += SILENT_S;
  assert.equal(await isBetter(), true);
  hear();
  assert.equal(await isBetter(), true);
  const other = stand(1, lower.group);
  assert.equal((await other.stray.choices(info(higher))).length, 0);
  other.roster.away(TAGS[1]);
  // One there, and here ourselves: the order of the lines decides.
  other.roster.present(TAGS[2]);
  other.stray.foreign(TAGS[2], 5000);
  assert.equal((await other.stray.choices(info(higher))).length, 1);
});

test('R13: a line with more present seats is better, though its epoch is lower', async () => {
  const { roster, stray, hear, stay } = stand(3);
  const isBetter = async () => (await stray.choices(info(lower))).length === 1;
  stay.now -= 5;
  hear(3);
  stay.now += 5;
  stray.foreign(TAGS[1], stay.now);
  stray.foreign(TAGS[2], stay.now);
  // Two there and two here: the order of the lines decides.
  assert.equal(await isBetter(), false);
  // Whoever is away counts not on ours either.
  roster.away(TAGS[3]);
  assert.equal(await isBetter(), true);
  roster.present(TAGS[3]);
  assert.equal(await isBetter(), false);
  // What came last of the fourth was of the other line.
  hear(3);
  stray.foreign(TAGS[3], stay.now);
  assert.equal(await isBetter(), true);
  // Who is away counts nowhere, nor what was long ago, nor who was heard here since.
  roster.away(TAGS[1]);
  assert.equal(await isBetter(), true);
  stray.foreign(TAGS[2], stay.now - SILENT_S);
  assert.equal(await isBetter(), false);
  roster.present(TAGS[1]);
  assert.equal(await isBetter(), true);
  stray.foreign(TAGS[2], stay.now);
  stay.now++;
  hear(1);
  assert.equal(await isBetter(), false);
});

test('R13: the best first, by epoch, and last the line of who led us astray (R14)', async () => {
  const { stay, stray, hear } = stand();
  stay.phase = 'stranded';
  hear();
  const shown = info(equal, lower, higher);
  const signers = async () =>
    (await stray.choices(shown)).map((one) => hex(one.inspected.signer.signatureKey));
  const best = [higher, lower, equal].map(({ signer }) => hex(signer));
  stray.entered(null, 5000);
  assert.deepEqual(await signers(), best);
  stray.entered(higher.signer, 5000);
  assert.deepEqual(await signers(), [best[1], best[2], best[0]]);
  hear(1);
  assert.deepEqual(await signers(), best);
});

test('R25: a GroupInfo that is none, or of another line, is no choice', async () => {
  const { stay, stray } = stand();
  stay.phase = 'stranded';
  const spoiled = higher.entry.map((/** @type {number} */ byte, /** @type {number} */ i) =>
    i ? byte : byte ^ 1,
  );
  const shown = info({ entry: new Uint8Array(7) }, { entry: spoiled }, higher);
  assert.equal((await stray.choices(shown)).length, 1);
  stray.strand(
    { confirmedTranscriptHash: KEYS[0], treeHash: KEYS[0], confirmationTag: KEYS[0] },
    5000,
  );
  assert.deepEqual(await stray.choices(shown), []);
});

test('R14: who hears nobody for long looks for others, if there are any', () => {
  for (const others of [0, 1]) {
    const { stray, hear } = stand(others);
    hear(...(others ? [1] : []));
    stray.entered(null, 5000);
    assert.equal(stray.deadline(), 5000 + SILENT_S);
    stray.tick(5000 + SILENT_S);
    assert.equal(stray.isSeeking, others === 1);
    stray.stop();
    // Half of the time later again; so too after a new connection.
    assert.equal(stray.deadline(), 5000 + 1.5 * SILENT_S);
    stray.resume(5001 + SILENT_S);
    assert.equal(stray.deadline(), 5001 + 1.5 * SILENT_S);
    stray.resume(5000);
    assert.equal(stray.deadline(), 5001 + 1.5 * SILENT_S);
  }
});

test('R14: a founder waits for nobody, and who comes in is told once', () => {
  const { stray, hear, done } = stand();
  hear();
  stray.entered(null, 5000);
  stray.tick(5000 + CONFIRM_S);
  assert.equal(stray.isSeeking, false);
  stray.entered(KEYS[1], 5000);
  for (const at of [CONFIRM_S - 0.1, CONFIRM_S, 2 * CONFIRM_S, 3 * CONFIRM_S]) {
    stray.tick(5000 + at);
    assert.equal(stray.isSeeking, at >= CONFIRM_S);
  }
  const told = [{ type: 'unconfirmed', tags: [TAGS[1]] }];
  assert.deepEqual(done().events, told);
  // Whoever comes in again looks no more, and is told again.
  stray.entered(KEYS[1], 6000);
  assert.equal(stray.isSeeking, false);
  stray.tick(6000 + CONFIRM_S);
  assert.deepEqual(done().events, told);
  stray.stop();
  assert.equal(stray.deadline(), 6000 + 2 * CONFIRM_S);
});

test('R14: whoever is heard or alone by then is not told', () => {
  const { stray, roster, hear, done } = stand();
  stray.entered(KEYS[1], 5000);
  stray.tick(5000 + CONFIRM_S);
  assert.deepEqual([done(), stray.isSeeking], [{ events: [], needs: 0 }, false]);
  assert.equal(stray.deadline(), 5000 + SILENT_S);
  hear();
  stray.entered(KEYS[1], 5000);
  roster.away(TAGS[1]);
  stray.tick(5000 + CONFIRM_S);
  // Those who are away may come back: then they have five seconds.
  roster.present(TAGS[1]);
  stray.tick(5000 + 2 * CONFIRM_S - 0.1);
  assert.deepEqual(done(), { events: [], needs: 0 });
  stray.tick(5000 + 2 * CONFIRM_S);
  assert.deepEqual(done(), { events: [{ type: 'unconfirmed', tags: [TAGS[1]] }], needs: 1 });
});

test('R14: a new connection gives five seconds more', () => {
  const { stray, hear, done } = stand();
  hear();
  stray.entered(KEYS[1], 5000);
  stray.resume(5004);
  stray.tick(5000 + CONFIRM_S);
  assert.deepEqual(done().events, []);
  stray.tick(5004 + CONFIRM_S);
  assert.equal(done().events.length, 1);
});
