// Counters, holes and order, against a naive model (R30, R33).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { earliest, Gap, Ledger } from '../../static/js/ledger.js';

const KEY = 'aa';
const HOLD_S = 10;
const LOST_S = 240;
const MAX_ASKS = 3;
const MAX_HELD = 64;
const MAX_SENDERS = 512;
const MAX_WANTED = 64;
const nobody = () => false;
const everybody = () => true;
/** @param {number} count */
const gap = (count) => new Gap(count);
/** @param {number} first @param {number} last */
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
/** @returns {Ledger<number>} */
const empty = () => new Ledger();

/** @param {Ledger<number>} ledger @param {number} counter */
const take = (ledger, counter, base = 0, now = 0) =>
  ledger.take(KEY, counter, base, `digest ${counter}`, counter, now);

/** @param {Ledger<number>} ledger @param {number} counter */
const repair = (ledger, counter) =>
  ledger.repaired(KEY, counter, `digest ${counter}`, counter, 0).shown;

test('the first of some times, and null is never', () => {
  assert.deepEqual([earliest(), earliest(null, Infinity), earliest(null, 3, 0)], [null, null, 0]);
});

test('in order, each is shown at once', () => {
  const ledger = empty();
  assert.deepEqual(
    [1, 2, 3].map((n) => take(ledger, n).shown),
    [[1], [2], [3]],
  );
  assert.equal(ledger.deadline(nobody), null);
});

test('R30: a newcomer begins at the base of what it first gets', () => {
  const ledger = empty();
  assert.deepEqual(take(ledger, 8, 7), { shown: [8], equivocation: false });
  assert.deepEqual(take(ledger, 10, 7).shown, []);
  assert.deepEqual(take(ledger, 9, 7).shown, [9, 10]);
});

test('R30: a sender that was seen to come begins at one', () => {
  const ledger = empty();
  ledger.begin(KEY, 0);
  ledger.begin(KEY, 5);
  assert.deepEqual(take(ledger, 2, 1).shown, []);
  assert.deepEqual(ledger.expire(HOLD_S, nobody), [[KEY, [gap(1), 2]]]);
});

test('R33: a hole is held for while its sender mends', () => {
  const ledger = empty();
  ledger.mending(KEY, 0);
  take(ledger, 9);
  for (const moment of [8, 16, 24]) {
    ledger.mending(KEY, moment);
    assert.equal(ledger.deadline(nobody), Math.min(moment + HOLD_S, 30));
    assert.deepEqual(ledger.expire(moment + 1.9, nobody), []);
  }
  assert.deepEqual(ledger.expire(30, nobody), [[KEY, [gap(8), 9]]]);
});

/** Hear a sender first after having been away. @param {Ledger<number>} ledger @param {number} base */
const beginLate = (ledger, base) => ledger.begin(KEY, base, HOLD_S);

test('R33: what was said while we were away comes before what is said now', () => {
  const ledger = empty();
  beginLate(ledger, 3);
  assert.deepEqual(take(ledger, 4, 3).shown, []);
  assert.deepEqual(take(ledger, 5, 3).shown, []);
  assert.deepEqual(ledger.received(KEY, 0), [4, 3], 'its sender learns from where we count');
  assert.deepEqual(
    ledger.wanted().get(KEY),
    [1, 2, 3],
    'and is asked, who knows what of it is ours',
  );
  for (let asks = 0; asks < 3; asks++) ledger.asked(KEY, 1, 2);
  assert.deepEqual(ledger.wanted().get(KEY), [3]);
  assert.deepEqual([repair(ledger, 3), repair(ledger, 1)], [[], []]);
  assert.deepEqual(repair(ledger, 2), [1, 2, 3, 4, 5]);
  assert.deepEqual(ledger.received(KEY, 0), [1, 5]);
  assert.deepEqual(repair(ledger, 2), []);
  assert.deepEqual(take(ledger, 6, 3).shown, [6]);
  assert.equal(ledger.deadline(nobody), null);
});

test('R32: answers that a connection took along are asked for again', () => {
  for (const key of [KEY, null]) {
    const ledger = empty();
    take(ledger, 3, 0);
    for (let asks = 0; asks < 3; asks++) ledger.asked(KEY, 1, 2);
    ledger.resume(5, 'somebody else');
    assert.equal(ledger.wanted().get(KEY), undefined);
    ledger.resume(5, key);
    assert.deepEqual(ledger.wanted().get(KEY), [1, 2]);
  }
});

test('R33: who was away waits ten seconds for what was said to it', () => {
  const ledger = empty();
  beginLate(ledger, 3);
  repair(ledger, 2);
  take(ledger, 5, 3, 2);
  take(ledger, 4, 3, 2);
  assert.equal(ledger.deadline(everybody), HOLD_S);
  assert.deepEqual(ledger.expire(HOLD_S - 0.1, nobody), []);
  assert.deepEqual(ledger.expire(HOLD_S, nobody), [[KEY, [2, 4, 5]]]);
  assert.deepEqual(ledger.received(KEY, HOLD_S), [4, 5]);
  assert.deepEqual(repair(ledger, 3), [gap(1)], 'it could only stand behind what is newer');
});

test('R33: who was away waits while the sender mends', () => {
  const ledger = empty();
  beginLate(ledger, 3);
  take(ledger, 4, 3);
  ledger.mending(KEY, 9);
  assert.equal(ledger.deadline(nobody), 9 + HOLD_S);
  assert.deepEqual(ledger.expire(HOLD_S + 5, nobody), []);
  assert.deepEqual(
    [1, 2, 3].map((n) => repair(ledger, n)),
    [[], [], [1, 2, 3, 4]],
  );
});

test('R33: a hole of one that is waited for is told in its place', () => {
  const ledger = empty();
  beginLate(ledger, 1);
  take(ledger, 4, 1);
  repair(ledger, 1);
  assert.deepEqual(ledger.expire(HOLD_S, nobody), [[KEY, [gap(2), 4]]]);
});

test('R33: time without a seat does not count for who was away', () => {
  const ledger = empty();
  beginLate(ledger, 3);
  take(ledger, 4, 3);
  ledger.resume(5);
  assert.equal(ledger.deadline(nobody), 5 + HOLD_S);
  assert.deepEqual(ledger.expire(HOLD_S, nobody), []);
});

test('R33: waiting holds back no more than any hole', () => {
  const ledger = empty();
  beginLate(ledger, 1);
  const shown = range(2, MAX_HELD + 2).map((n) => take(ledger, n, 1).shown);
  assert.deepEqual(shown.slice(0, -1).flat(), []);
  assert.deepEqual(shown.at(-1), range(2, MAX_HELD + 2));
  const other = empty();
  beginLate(other, 1000);
  assert.deepEqual(
    range(1, MAX_HELD + 1)
      .map((n) => repair(other, n))
      .at(-1),
    range(1, MAX_HELD + 1),
  );
});

test('R33: a hole is given up after ten seconds and counted', () => {
  const ledger = empty();
  take(ledger, 1);
  take(ledger, 4, 0, 1);
  take(ledger, 6, 0, 2);
  assert.equal(ledger.deadline(nobody), 11);
  assert.deepEqual(ledger.expire(10.9, nobody), []);
  assert.deepEqual(ledger.expire(11, nobody), [[KEY, [gap(2), 4]]]);
  assert.equal(ledger.deadline(nobody), 12);
  assert.deepEqual(ledger.expire(12, nobody), [[KEY, [gap(1), 6]]]);
  assert.equal(ledger.deadline(nobody), null);
  assert.deepEqual(take(ledger, 2), { shown: [], equivocation: false });
});

test('R33: several holes that are due stand each in its place', () => {
  const ledger = empty();
  for (const n of [1, 3, 10, 7, 6]) take(ledger, n);
  ledger.attest(KEY, 12, 0, 0);
  const shown = [gap(1), 3, gap(2), 6, 7, gap(2), 10, gap(2)];
  assert.deepEqual(ledger.expire(HOLD_S, nobody), [[KEY, shown]]);
});

test('R33: the last one may be the hole', () => {
  const ledger = empty();
  take(ledger, 1);
  ledger.attest(KEY, 2, 0, 0);
  assert.deepEqual(ledger.expire(HOLD_S, nobody), [[KEY, [gap(1)]]]);
  assert.deepEqual(take(ledger, 3).shown, [3]);
});

test('R31: a sender that counted on makes a hole, one that did not makes none', () => {
  const ledger = empty();
  ledger.attest(KEY, 4, 2, 0);
  assert.deepEqual(ledger.received(KEY, 0), [3, 2]);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [3, 4]]]));
  take(ledger, 3);
  take(ledger, 4);
  ledger.attest(KEY, 4, 2, 5);
  assert.deepEqual(ledger.wanted(), new Map());
  assert.equal(ledger.deadline(nobody), null);
});

test('R33: a hole of who is away waits, unless something is held behind it', () => {
  const ledger = empty();
  take(ledger, 1);
  ledger.attest(KEY, 2, 0, 0);
  assert.equal(ledger.deadline(everybody), null);
  assert.deepEqual(ledger.expire(HOLD_S, everybody), []);
  take(ledger, 3);
  assert.equal(ledger.deadline(everybody), HOLD_S);
  assert.deepEqual(ledger.expire(HOLD_S, everybody), [[KEY, [gap(1), 3]]]);
});

test('R33: time without a seat does not count', () => {
  const ledger = empty();
  take(ledger, 2);
  ledger.take('bb', 2, 0, '', 2, 0);
  ledger.resume(50, KEY);
  assert.deepEqual(ledger.expire(HOLD_S, nobody), [['bb', [gap(1), 2]]]);
  ledger.take('bb', 4, 0, '', 4, 0);
  assert.equal(ledger.deadline(nobody), HOLD_S);
  ledger.resume(50);
  assert.equal(ledger.deadline(nobody), 50 + HOLD_S);
});

test('R32: what was asked three times is not asked again', () => {
  const ledger = empty();
  take(ledger, 2);
  for (let i = 0; i < MAX_ASKS; i++) {
    assert.ok(ledger.wants(KEY));
    ledger.asked(KEY, 1, 1);
  }
  assert.deepEqual([ledger.wants(KEY), ledger.wants('nobody')], [false, false]);
  take(ledger, 4);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [3]]]));
  take(ledger, 1);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [3]]]));
});

test('R32: an ask about what is not known, or came meanwhile, counts nothing', () => {
  const ledger = empty();
  ledger.asked('nobody', 1, 9);
  ledger.attest(KEY, 2, 0, 0);
  take(ledger, 1);
  for (let i = 0; i < MAX_ASKS; i++) ledger.asked(KEY, 1, 1);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [2]]]));
});

test('R32: only the next ones are asked for', () => {
  const ledger = empty();
  ledger.attest(KEY, 10 ** 12, 0, 0);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, range(1, MAX_WANTED)]]));
  const nothing = { shown: [], equivocation: false };
  assert.deepEqual(ledger.repaired(KEY, MAX_WANTED + 1, '', 0, 0), nothing);
  assert.equal(ledger.deadline(everybody), null, 'nothing is held');
  assert.deepEqual(ledger.repaired('nobody', 1, '', 0, 0), nothing);
  assert.deepEqual(repair(ledger, 1), [1]);
  assert.deepEqual(ledger.received(KEY, 0), [1, 1]);
});

test('the largest counters make no endless row', () => {
  const ledger = empty();
  const last = Number.MAX_SAFE_INTEGER;
  ledger.attest(KEY, last, last - 2, 0);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [last - 1, last]]]));
  ledger.asked(KEY, last - 1, last);
  assert.deepEqual(take(ledger, last - 1, last - 2).shown, [last - 1]);
  assert.deepEqual(take(ledger, last, last - 2).shown, [last]);
  assert.deepEqual(ledger.wanted(), new Map());
});

test('R31: a rumour is asked for and proves nothing', () => {
  const ledger = empty();
  ledger.rumour('nobody', 5);
  take(ledger, 1);
  ledger.rumour(KEY, 3);
  ledger.rumour(KEY, 2);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [2, 3]]]));
  assert.equal(ledger.deadline(nobody), null);
  for (let i = 0; i < MAX_ASKS; i++) ledger.asked(KEY, 2, 3);
  assert.equal(ledger.wants(KEY), false);
  // Once the sender itself says that it exists, it is worth asking for again.
  ledger.attest(KEY, 2, 0, 1);
  assert.deepEqual(ledger.wanted(), new Map([[KEY, [2]]]));
});

test('R31: the sender contradicts a rumour', () => {
  const ledger = empty();
  take(ledger, 1);
  ledger.rumour(KEY, 9);
  ledger.attest(KEY, 1, 0, 0);
  assert.equal(ledger.wants(KEY), false);
});

test('R33: nothing behind a lost one is confirmed for a while', () => {
  const ledger = empty();
  assert.equal(ledger.received(KEY, 0), null);
  take(ledger, 1);
  take(ledger, 3);
  ledger.expire(HOLD_S, nobody);
  assert.deepEqual(ledger.received(KEY, HOLD_S), [1, 1]);
  take(ledger, 5, 0, 50);
  ledger.expire(60, nobody);
  assert.deepEqual(ledger.received(KEY, 61), [1, 1]);
  assert.deepEqual(ledger.received(KEY, 60 + LOST_S), [1, 5]);
  take(ledger, 7, 0, 300);
  ledger.expire(310, nobody);
  assert.deepEqual(ledger.received(KEY, 310), [1, 5]);
});

test('R30: duplicates and equivocation', () => {
  const ledger = empty();
  take(ledger, 1);
  take(ledger, 3);
  const cases = /** @type {const} */ ([
    [1, 'digest 1', false],
    [1, 'other', true],
    [1, 'other', false],
    [1, '', false],
    [3, '', false],
    [3, 'other', true],
  ]);
  for (const [counter, digest, equivocation] of cases) {
    assert.deepEqual(ledger.take(KEY, counter, 0, digest, 9, 0), { shown: [], equivocation });
  }
});

test('no more is held back than 64, and the rest is shown behind its hole', () => {
  const ledger = empty();
  take(ledger, 1);
  const shown = range(3, 3 + MAX_HELD).map((n) => take(ledger, n).shown);
  assert.deepEqual(shown.at(-1), [gap(1), ...range(3, 3 + MAX_HELD)]);
  assert.ok(shown.slice(0, -1).every((one) => one.length === 0));
  ledger.begin('bb', 0);
  const odd = range(1, MAX_HELD + 1).map((n) => ledger.take('bb', 2 * n, 0, '', n, 0).shown);
  assert.deepEqual(odd.at(-1), [gap(1), 1]);
  // As many are remembered: an older one is a duplicate, whatever it says.
  const [old, known] = [3, 4].map((n) => ledger.take(KEY, n, 0, 'other', n, 0).equivocation);
  assert.deepEqual([old, known], [false, true]);
});

test('senders are forgotten when there are too many, the one that was heard least lately first', () => {
  const ledger = empty();
  take(ledger, 1);
  ledger.begin('bb', 0);
  take(ledger, 2);
  for (let i = 0; i < MAX_SENDERS - 1; i++) ledger.begin(`${i}`, 0);
  assert.deepEqual([ledger.knows(KEY), ledger.knows('bb')], [true, false]);
  ledger.clear();
  assert.equal(ledger.knows(KEY), false);
});

test('of too many steps two are one, with the older time', () => {
  const ledger = empty();
  for (const n of range(1, 199)) ledger.attest(KEY, n, 0, n);
  // 64 steps are left: the first ends at 136, and is as old as the second one was.
  assert.equal(ledger.deadline(nobody), 1 + HOLD_S);
  assert.deepEqual(ledger.expire(1 + HOLD_S, nobody), [[KEY, [gap(136)]]]);
  assert.equal(ledger.deadline(nobody), 137 + HOLD_S);
});

test('R34: what was said before we heard its sender is shown in order, or missed', () => {
  const ledger = empty();
  ledger.attest(KEY, 3, 3, 0);
  assert.deepEqual(ledger.received(KEY, 0), [4, 3]);
  assert.deepEqual(
    [1, 2].map((n) => repair(ledger, n)),
    [[1], [2]],
  );
  assert.deepEqual(ledger.received(KEY, 0), [4, 3]);
  assert.deepEqual(take(ledger, 4, 3).shown, [4]);
  assert.deepEqual(repair(ledger, 3), [gap(1)]);
  assert.deepEqual(ledger.received(KEY, 0), [4, 4]);
  assert.deepEqual(repair(ledger, 3), []);
});

test('R34: what was said before, without a hole up to us, makes the account longer', () => {
  const ledger = empty();
  ledger.attest(KEY, 3, 3, 0);
  assert.deepEqual(
    [2, 3].map((n) => repair(ledger, n)),
    [[2], [3]],
  );
  assert.deepEqual(ledger.received(KEY, 0), [2, 3]);
  const late = ledger.repaired(KEY, 1, '', 1, 0);
  assert.deepEqual(late, { shown: [gap(1)], equivocation: false });
  ledger.attest(KEY, 4, 3, 0);
  assert.deepEqual(repair(ledger, 4), [4]);
  assert.deepEqual(ledger.received(KEY, 0), [2, 4]);
});

test('R34: in any order with losses, all that came is shown in order once', () => {
  let state = 7;
  const draw = (/** @type {number} */ below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 500; round++) {
    const ledger = empty();
    ledger.begin(KEY, 0);
    const order = range(1, 12).map((n) => ({ n, at: draw(1000), isLost: draw(4) === 0 }));
    order.sort((a, b) => a.at - b.at);
    const arrived = order.filter(({ isLost }) => !isLost).map(({ n }) => n);
    /** @type {(number | Gap)[]} */
    const shown = [];
    for (const n of arrived) {
      shown.push(...take(ledger, n).shown);
      if (round % 2) assert.deepEqual(take(ledger, n), { shown: [], equivocation: false });
    }
    for (let at = ledger.deadline(nobody); at !== null; at = ledger.deadline(nobody)) {
      for (const [, items] of ledger.expire(at, nobody)) shown.push(...items);
    }
    const expected = arrived.sort((a, b) => a - b);
    assert.deepEqual(
      shown.filter((item) => !(item instanceof Gap)),
      expected,
    );
    const missing = shown.reduce(
      (/** @type {number} */ sum, item) => sum + (item instanceof Gap ? item.count : 0),
      0,
    );
    assert.equal(missing, (expected.at(-1) ?? 0) - expected.length);
  }
});
