// What pulses, asks and repairs of ours come to; whole stories are played by whole rooms (R31, R32).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, uint } from '../../static/js/bytes.js';
import { parse } from '../../static/js/content.js';
import { Kept } from '../../static/js/kept.js';
import { Ledger } from '../../static/js/ledger.js';
import { Budget, Outbox, Pending } from '../../static/js/outbox.js';
import { Roster } from '../../static/js/roster.js';
import { Upkeep } from '../../static/js/upkeep.js';

/** @typedef {any} Any */

const FLIGHT_S = 30;
const MAX_ERRANDS = 64;
const TAGS = ['0x1000', '0x1001', '0x1002'];
const KEYS = TAGS.map((_, i) => new Uint8Array(32).fill(i + 1));
const [, A, B] = KEYS.map(hex);
const FREE = new Budget();

/** Upkeep of leaf 0 in a room of three, without its cryptography. */
function stand() {
  let drawn = 0;
  const members = TAGS.map((tag, leaf) => ({ leaf, tag, signatureKey: KEYS[leaf] }));
  /** @type {{ reference: Any, said: Any }[]} */
  const posts = [];
  const sealRepair = async (
    /** @type {Any} */ leaf,
    /** @type {Any} */ key,
    /** @type {Any} */ n,
    /** @type {Any} */ data,
  ) => concat(new Uint8Array([leaf, key[0], n]), data);
  const stay = /** @type {Any} */ ({
    now: 0,
    identity: { signatureKey: KEYS[0] },
    group: { me: members[0], sealRepair },
    leaves: members,
    get others() {
      return this.leaves.slice(1);
    },
    reference: () => uint(++drawn, 8),
    fraction: () => 0,
    post: async (/** @type {Any} */ reference, /** @type {Any} */ data) => {
      assert.ok(data.length <= 4096 - 173, 'it fits the largest class');
      posts.push({ reference, said: parse(data) });
    },
  });
  const roster = new Roster();
  roster.seated(TAGS, []);
  const outbox = new Outbox();
  /** @type {Ledger<number>} */
  const ledger = new Ledger();
  const kept = new Kept();
  const upkeep = new Upkeep(stay, roster, outbox, ledger, kept);

  /** Count and keep one content of ours. @param {number} counter @param {string[]} audience */
  function keep(counter, audience, size = 1, now = 0) {
    kept.keep(counter, new Uint8Array(size).fill(counter), audience, ['life', counter], now, {
      isText: true,
    });
  }
  /** Let a sender's counter come. @param {string} key @param {number[]} counters */
  function hear(key, ...counters) {
    for (const n of counters) ledger.take(key, n, 0, `${n}`, n, 0);
    upkeep.note(key, 0);
    upkeep.clock.came(0, 3, 0);
  }
  const posted = () => posts.splice(0);
  /** Post all that is due. @param {number} now */
  async function flush(now) {
    stay.now = now;
    await upkeep.ask(now);
    for (let more = true; more; ) more = await upkeep.repair(now);
    await upkeep.pulse(now);
    return posted();
  }
  return { stay, roster, outbox, ledger, kept, upkeep, keep, hear, posted, flush };
}

/** @param {number} counter @param {[number, number, number][]} received */
const pulse = (counter, received) => ({ type: 'pulse', counter, base: 0, nick: null, received });
/** @param {number} first @param {number} last @returns {Any} */
const ask = (first, last) => ({ type: 'ask', counter: 0, base: 0, holes: [[0, first, last]] });
/** @param {Any[]} posts */
const said = (posts) => posts.map((one) => one.said);
/** The leaf and the counters of repairs. @param {Any[]} posts */
const repairs = (posts) =>
  said(posts).map(({ leaf, parts }) => [leaf, parts.map((/** @type {Any} */ [n]) => n)]);

test('an answer to what is not ours is left to others', () => {
  const { upkeep } = stand();
  assert.equal(upkeep.acknowledged(new Uint8Array(8), 0), false);
  assert.equal(upkeep.refused(new Uint8Array(8)), false);
  assert.equal(upkeep.deadline(0), null);
});

test('R31: a pulse tells what came, once it is known to be told no more', async () => {
  const { upkeep, hear, flush } = stand();
  hear(B, 1, 2);
  hear(A, 1);
  assert.deepEqual([upkeep.deadline(0), await flush(1.9)], [2, []]);
  const [first] = await flush(2);
  assert.deepEqual(
    first.said,
    pulse(0, [
      [1, 1, 1],
      [2, 1, 2],
    ]),
  );
  upkeep.acknowledged(first.reference, 2);
  // The next heartbeat.
  assert.equal(upkeep.deadline(2), 47);
  assert.deepEqual(said(await flush(47)), [pulse(0, [])]);
  upkeep.probed(B);
  upkeep.lost();
  assert.deepEqual(said(await flush(48)), [pulse(0, [[2, 1, 2]])]);
});

test('R31: of whom nothing came that there could be, there is nothing to tell', async () => {
  const { ledger, upkeep, flush } = stand();
  ledger.begin(A, 0);
  ledger.begin(B, 4);
  upkeep.clock.greet(0, 0);
  assert.deepEqual(said(await flush(0)), [pulse(0, [[2, 5, 4]])]);
});

test('R31: a pulse that nobody answers is sent again after a while', async () => {
  const { upkeep, hear, flush } = stand();
  hear(A, 1);
  const [first] = await flush(2);
  assert.equal(upkeep.deadline(2), 2 + FLIGHT_S);
  hear(A, 2);
  assert.deepEqual(await flush(1 + FLIGHT_S), []);
  assert.deepEqual(said(await flush(2 + FLIGHT_S)), [pulse(0, [[1, 1, 2]])]);
  assert.equal(upkeep.acknowledged(first.reference, 40), false);
});

test('R31: a pulse that is refused, or lost with the epoch or connection, goes again whole', async () => {
  for (const how of ['refused', 'epoch', 'connection']) {
    const { upkeep, keep, outbox, hear, flush } = stand();
    keep(1, [A, B]);
    outbox.sent(new Pending(new Uint8Array(8), 'a', null, 0), 1, 0);
    upkeep.clock.said(0);
    hear(A, 1);
    // Five seconds after it was said not all have it: all are asked to tell again.
    const [{ reference, said: asks }] = await flush(5);
    assert.deepEqual(
      asks,
      pulse(0, [
        [0, 1, 0],
        [1, 1, 1],
      ]),
      how,
    );
    if (how === 'refused') assert.ok(upkeep.refused(reference));
    else if (how === 'epoch') upkeep.epochBegan([A, B]);
    else upkeep.lost();
    assert.deepEqual(said(await flush(5)), [asks], how);
  }
});

test('R31: a pulse leaves tokens to texts', async () => {
  const { upkeep, outbox, hear, flush } = stand();
  outbox.budget = new Budget(1, 10, 2, 2);
  hear(A, 1);
  assert.deepEqual([upkeep.deadline(2), await flush(3.9)], [4, []]);
  assert.equal((await flush(4)).length, 1);
});

test('R31: whoever goes tells what it has not told', async () => {
  const { upkeep, hear, posted } = stand();
  await upkeep.farewell(0);
  assert.deepEqual(posted(), []);
  hear(A, 1);
  await upkeep.farewell(0);
  assert.deepEqual(said(posted()), [pulse(0, [[1, 1, 1]])]);
});

test('R31: whoever goes tells how far it counted', async () => {
  const { upkeep, outbox, posted } = stand();
  const one = new Pending(new Uint8Array(8), 'a', null, 0);
  outbox.add(one);
  outbox.sent(one, 1, 0);
  outbox.accepted(one.reference);
  await upkeep.farewell(0);
  const [{ reference, said: told }] = posted();
  assert.deepEqual(told, pulse(1, []));
  upkeep.acknowledged(reference, 0);
  await upkeep.farewell(0);
  assert.deepEqual(posted(), []);
});

test('R32: an ask names rows, by leaf, of those who are there', async () => {
  const { roster, hear, flush } = stand();
  hear(B, 3, 7, 8);
  hear(A, 2);
  const [{ said: both }] = await flush(0);
  assert.deepEqual(both.holes, [
    [1, 1, 1],
    [2, 1, 2],
    [2, 4, 6],
  ]);
  roster.away(TAGS[1]);
  const [{ said: one }] = await flush(2);
  assert.deepEqual(one.holes, [
    [2, 1, 2],
    [2, 4, 6],
  ]);
});

test('R32: an ask waits for a token, and is counted when it is ordered, three times', async () => {
  const { upkeep, outbox, hear, flush, ledger } = stand();
  outbox.budget = new Budget(0.25, 1, 0, 0);
  hear(A, 2);
  assert.deepEqual([await flush(0), upkeep.deadline(0)], [[], 4]);
  const [{ reference }] = await flush(4);
  upkeep.refused(reference);
  outbox.budget = FREE;
  let asked = 0;
  for (let now = 6; now < 40; now += 2) {
    const [one] = (await flush(now)).filter((post) => post.said.type === 'ask');
    if (one && ++asked) assert.ok(upkeep.acknowledged(one.reference, now));
  }
  assert.deepEqual([asked, ledger.wants(A)], [3, false]);
});

test('R32: holes are looked for anew with every connection', async () => {
  const { upkeep, hear, flush, ledger } = stand();
  hear(A, 2);
  upkeep.lost();
  assert.deepEqual(await flush(0), []);
  upkeep.note(A, 0);
  assert.equal((await flush(0)).length, 1);
  upkeep.lost();
  assert.deepEqual(await flush(1), []);
  upkeep.resume(1);
  assert.equal(
    ledger.deadline(() => false),
    11,
  );
  // No more often than every two seconds.
  assert.deepEqual([upkeep.deadline(1), await flush(1.9)], [2, []]);
  const posts = await flush(2);
  assert.deepEqual(
    said(posts).map(({ type }) => type),
    ['ask', 'pulse'],
  );
  upkeep.acknowledged(posts[1].reference, 2);
  assert.equal(upkeep.deadline(2), 4);
});

test('R32: what everybody may have goes to all who ask, in one frame', async () => {
  const { upkeep, keep, flush, kept } = stand();
  for (const n of [1, 2, 3]) keep(n, [A, B]);
  upkeep.asked(A, ask(1, 2));
  upkeep.asked(B, ask(2, 9));
  const posts = await flush(0);
  assert.deepEqual(repairs(posts), [
    [null, [1, 2]],
    [null, [3]],
  ]);
  // What is on its way is not sent again.
  upkeep.asked(A, ask(1, 3));
  assert.deepEqual(repairs(await flush(0)), [[null, [3]]]);
  for (const { reference } of posts) upkeep.acknowledged(reference, 0);
  upkeep.asked(A, ask(1, 1));
  upkeep.asked(A, ask(1, 1));
  const [third] = await flush(0);
  assert.deepEqual(repairs([third]), [[null, [1]]]);
  upkeep.acknowledged(third.reference, 0);
  kept.repaired(A, 1);
  upkeep.asked(A, ask(1, 1));
  assert.deepEqual(await flush(0), []);
});

test('R32: a frame for all counts only for who asked for something in it', async () => {
  const { upkeep, keep, flush } = stand();
  for (const n of [1, 2]) keep(n, [A, B]);
  upkeep.asked(A, ask(1, 1));
  upkeep.asked(B, ask(2, 2));
  assert.deepEqual(repairs(await flush(0)), [
    [null, [1]],
    [null, [2]],
  ]);
  upkeep.asked(A, ask(1, 1));
  upkeep.asked(B, ask(1, 2));
  assert.deepEqual(repairs(await flush(0)), [[null, [1]]]);
});

test('R32: what only some may have is sealed to who asks', async () => {
  const { upkeep, keep, flush } = stand();
  keep(1, [A]);
  keep(2, [A, B]);
  upkeep.asked(A, ask(1, 1));
  upkeep.asked(B, ask(1, 1));
  const [{ said: one }, ...more] = await flush(0);
  assert.deepEqual([one.leaf, one.parts, more], [1, [[1, new Uint8Array([1, 1, 1, 1])]], []]);
  upkeep.lost();
  upkeep.asked(A, ask(1, 2));
  upkeep.asked(B, ask(2, 2));
  assert.deepEqual(repairs(await flush(0)), [
    [1, [1]],
    [null, [2]],
  ]);
  upkeep.lost();
  // Another leaf's counters are not ours to send.
  upkeep.asked(B, { type: 'ask', counter: 0, base: 0, holes: [[1, 2, 2]] });
  assert.deepEqual(await flush(0), []);
  upkeep.began(B, 3);
  assert.deepEqual(repairs(await flush(0)), [[null, [2]]]);
});

test('R32: a repair is no larger than a frame, and what is left goes with the next', async () => {
  const { upkeep, keep, flush } = stand();
  for (const n of [1, 2, 3, 4, 5]) keep(n, [A], 1300);
  upkeep.asked(A, ask(1, 5));
  assert.deepEqual(repairs(await flush(0)), [
    [1, [1, 2]],
    [1, [3, 4]],
    [1, [5]],
  ]);
});

test('R32: a repair that is refused goes again, unless its asker is gone', async () => {
  const { stay, upkeep, keep, flush } = stand();
  keep(1, [A, B]);
  upkeep.asked(A, ask(1, 1));
  const [{ reference }] = await flush(0);
  assert.ok(upkeep.refused(reference));
  assert.equal((await flush(0)).length, 1);
  stay.leaves = stay.leaves.slice(0, 1);
  upkeep.epochBegan([]);
  assert.deepEqual(await flush(0), []);
  // Nobody there has that key any more.
  upkeep.asked(A, ask(1, 1));
  assert.deepEqual([await flush(0), upkeep.deadline(0)], [[], null]);
});

test('R32: no more than the next 64 are answered, and nobody who is gone', async () => {
  const { stay, upkeep, keep, flush } = stand();
  for (let n = 2; n <= 65; n++) keep(n, [A, B]);
  upkeep.asked(A, ask(1, 99));
  const sent = repairs(await flush(0)).flatMap(([, counters]) => counters);
  assert.deepEqual([sent[0], sent.at(-1)], [2, 64]);
  upkeep.asked(B, ask(65, 65));
  stay.leaves = stay.leaves.slice(0, 2);
  upkeep.epochBegan([A]);
  stay.leaves = [...stay.leaves, { leaf: 2, tag: TAGS[2], signatureKey: KEYS[2] }];
  const again = repairs(await flush(0)).flatMap(([, counters]) => counters);
  assert.deepEqual([again[0], again.at(-1)], [2, 64]);
});

test('R32: a repair that is answered after it was forgotten counts nothing', async () => {
  const { upkeep, kept, keep, flush } = stand();
  keep(1, [A]);
  upkeep.asked(A, ask(1, 1));
  const [{ reference }] = await flush(0);
  kept.expire(120);
  assert.ok(upkeep.acknowledged(reference, 120));
  upkeep.asked(A, ask(1, 1));
  assert.deepEqual(await flush(120), []);
});

test('R32: a repair waits for a token, and while texts wait every second frame is one', async () => {
  const { outbox, upkeep, keep, flush } = stand();
  outbox.budget = new Budget(0.5, 6, 0, 0);
  keep(1, [A]);
  keep(2, [B]);
  upkeep.asked(A, ask(1, 1));
  upkeep.asked(B, ask(2, 2));
  assert.equal(upkeep.deadline(0), 2);
  assert.deepEqual(repairs(await flush(2)), [[1, [1]]]);
  assert.equal(upkeep.deadline(2), 4);
  outbox.add(new Pending(new Uint8Array(8), 'a', null, 0));
  // Half of the burst, three tokens, unless a text went out before.
  assert.equal(upkeep.deadline(2), 8);
  assert.deepEqual(await flush(4), []);
  upkeep.posted();
  assert.deepEqual(repairs(await flush(4)), [[2, [2]]]);
  upkeep.lost();
  upkeep.asked(B, ask(2, 2));
  assert.equal(upkeep.deadline(4), 6);
});

test('errands that nobody answers are bounded, the oldest is given up', async () => {
  const { upkeep, ledger, flush } = stand();
  ledger.attest(A, 1, 0, 0);
  upkeep.note(A, 0);
  const references = [];
  for (let i = 0; i <= MAX_ERRANDS; i++) {
    const [{ reference }] = await flush(2 * i);
    references.push(reference);
  }
  const [first, second] = references;
  assert.deepEqual([upkeep.refused(first), upkeep.refused(second)], [false, true]);
});

test('R31: in a crowded room nobody is asked to tell again, and a pulse has so many rows', async () => {
  const cases = [
    [16, 16],
    [17, 16],
    [130, 128],
  ];
  for (const [size, rows] of cases) {
    const { stay, upkeep, keep, hear, flush } = stand();
    const [me] = stay.leaves;
    stay.leaves = [me];
    keep(1, [A]);
    for (let leaf = 1; leaf < size; leaf++) {
      const signatureKey = uint(leaf, 32);
      stay.leaves.push({ leaf, tag: TAGS[1], signatureKey });
      hear(hex(signatureKey), 1);
    }
    upkeep.clock.took();
    upkeep.clock.said(0);
    const [{ said: asks }] = await flush(5);
    assert.deepEqual([asks.received.length, asks.received[0][0]], [rows, size > 16 ? 1 : 0]);
  }
});
