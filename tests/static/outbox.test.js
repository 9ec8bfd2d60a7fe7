// What waits to be ordered: order, retries, pace (R16, R22, R24, R30).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uint } from '../../static/js/bytes.js';
import { LimitError } from '../../static/js/errors.js';
import { Budget, Outbox, Pending } from '../../static/js/outbox.js';

const WINDOW = 8;
const MAX_PENDING = 1024;
const GRACE_S = 3;
const ANSWER_S = 30;
let drawn = 0;

const pending = (strict = false) => new Pending(uint(++drawn, 8), 'x', null, 0, strict);

/** @param {number} count @returns {[Outbox, Pending[]]} */
function filled(count) {
  const outbox = new Outbox();
  const all = Array.from({ length: count }, () => pending());
  for (const one of all) outbox.add(one);
  return [outbox, all];
}

/** @param {Outbox} outbox @param {number} fence */
function sendAll(outbox, fence, now = 0) {
  const sent = [];
  for (let one = outbox.next(now); one !== null; one = outbox.next(now)) {
    outbox.sent(one, fence, now);
    sent.push(one);
  }
  return sent;
}

test('the oldest goes first, and no more than the window at once', () => {
  const [outbox, all] = filled(WINDOW + 3);
  assert.deepEqual(sendAll(outbox, 1), all.slice(0, WINDOW));
  assert.equal(outbox.deadline(0), null);
  outbox.accepted(all[0].reference);
  assert.deepEqual(sendAll(outbox, 1), [all[WINDOW]]);
  assert.equal(outbox.texts, WINDOW + 2);
});

test('R30: counters are given at the first try and kept', () => {
  const [outbox, all] = filled(3);
  assert.deepEqual(
    all.map((one) => one.counter),
    [null, null, null],
  );
  sendAll(outbox, 0);
  outbox.fenceMoved();
  sendAll(outbox, 2);
  assert.deepEqual(
    all.map((one) => one.counter),
    [1, 2, 3],
  );
  assert.deepEqual(
    all.map((one) => one.tries),
    [2, 2, 2],
  );
});

test('R30: the base is what is ordered without a hole', () => {
  const [outbox, [one, two, three]] = filled(3);
  const bases = [outbox.base];
  sendAll(outbox, 1);
  for (const { reference } of [two, one, three]) {
    outbox.accepted(reference);
    bases.push(outbox.base);
  }
  assert.deepEqual(bases, [0, 0, 2, 3]);
  assert.equal(outbox.accepted(three.reference), null);
});

test('a refused one goes again before what is behind it', () => {
  const [outbox, [one, two]] = filled(3);
  sendAll(outbox, 1);
  outbox.refused(one.reference, 2);
  assert.equal(outbox.next(1.9), null);
  assert.equal(outbox.deadline(1), 2);
  assert.equal(outbox.next(2), one);
  outbox.refused(two.reference, 1);
  assert.equal(outbox.deadline(1), 2);
});

test('R22: a late stale answer of an older try changes nothing', () => {
  const [outbox, [one]] = filled(1);
  sendAll(outbox, 1);
  outbox.fenceMoved();
  sendAll(outbox, 2);
  outbox.stale(one.reference, 2);
  assert.equal(one.fence, 2);
  outbox.stale(one.reference, 3);
  assert.equal(one.fence, null);
  outbox.stale(one.reference, 4);
  outbox.stale(new Uint8Array(8), 4);
  assert.equal(one.fence, null);
});

test('a lost connection tries everything again under its reference', () => {
  const [outbox, all] = filled(2);
  sendAll(outbox, 1);
  outbox.refused(all[0].reference, 100);
  outbox.lost();
  assert.deepEqual(
    all.map((one) => one.tries),
    [0, 0],
  );
  assert.deepEqual(sendAll(outbox, 9), all);
});

test('given up before a try it is gone, after one a void takes its counter', () => {
  const [outbox, [one, two]] = filled(2);
  outbox.giveUp(two);
  sendAll(outbox, 1);
  assert.equal(two.counter, null);
  outbox.giveUp(one);
  assert.ok(one.isVoid);
  assert.equal(outbox.texts, 0);
  assert.equal(outbox.next(0), one);
  assert.equal(outbox.sent(one, 2, 0), 1);
  outbox.drop(one);
  assert.equal(outbox.find(one.reference), null);
});

test('R24: a strict message is held if somebody came and it is old', () => {
  const outbox = new Outbox();
  const [strict, loose] = [pending(true), new Pending(uint(++drawn, 8), null, 'Ada', 0)];
  assert.equal(loose.isVoid, false);
  outbox.add(strict);
  outbox.add(loose);
  assert.equal(strict.mustHold(10), false);
  outbox.newcomer();
  assert.deepEqual([strict.mustHold(GRACE_S - 0.1), strict.mustHold(GRACE_S)], [false, true]);
  assert.equal(loose.mustHold(10), false);
  // A void of it says nothing to anybody.
  outbox.sent(strict, 1, 0);
  outbox.giveUp(strict);
  assert.equal(strict.mustHold(10), false);
});

test('R32: of tries that may all have been ordered, only who could read every one may', () => {
  const [outbox, [one]] = filled(1);
  const readers = () => [...(one.audience ?? [])];
  sendAll(outbox, 1);
  outbox.readBy(one, new Set(['aa', 'bb']));
  outbox.fenceMoved();
  outbox.readBy(one, new Set(['bb', 'cc']));
  assert.deepEqual(readers(), ['bb', 'cc']);
  sendAll(outbox, 2);
  outbox.lost();
  sendAll(outbox, 2);
  outbox.fenceMoved();
  outbox.readBy(one, new Set(['cc', 'dd']));
  assert.deepEqual(readers(), ['cc']);
  outbox.caughtUp();
  sendAll(outbox, 3);
  outbox.stale(one.reference, 4);
  assert.equal(one.audience, null);
});

test('a try that has no answer is told after its time, once in that time', () => {
  const [outbox, [one]] = filled(1);
  assert.equal(outbox.unansweredAt(), null);
  sendAll(outbox, 1, 5);
  assert.equal(outbox.unansweredAt(), 5 + ANSWER_S);
  outbox.waitsAgain(40);
  assert.equal(outbox.unansweredAt(), 40 + ANSWER_S);
  outbox.accepted(one.reference);
  assert.equal(outbox.unansweredAt(), null);
});

test('the queue is bounded and can be cleared', () => {
  const [outbox] = filled(MAX_PENDING);
  assert.throws(() => outbox.add(pending()), LimitError);
  outbox.clear();
  assert.deepEqual([outbox.texts, outbox.deadline(0)], [0, null]);
});

test('the budget gives what the relay allows', () => {
  const budget = new Budget(2, 3, 3, 0);
  const steps = /** @type {const} */ ([
    [0, true, 'burst'],
    [0, true, 'burst'],
    [0, true, 'burst'],
    [0, false, 'empty'],
    [0.4, false, 'not a whole token yet'],
    [0.5, true, 'one came back'],
    [0.5, false, 'empty again'],
    [100, true, 'full again'],
    [100, true, 'but not above'],
    [100, true, 'the burst'],
    [100, false, 'empty'],
  ]);
  for (const [now, allowed, why] of steps) assert.equal(budget.take(now), allowed, why);
  assert.deepEqual([budget.readyAt(100), budget.readyAt(101)], [100.5, 101]);
  assert.deepEqual([budget.readyAt(100, 2), budget.readyAt(100, 9)], [101, 101.5]);
  assert.deepEqual([budget.take(100.5, 2), budget.take(101, 2)], [false, true]);
  // The relay counts otherwise, and is believed.
  budget.refused(200, 202);
  assert.equal(budget.readyAt(200), 202);
  const free = new Budget();
  for (let i = 0; i < 100; i++) assert.ok(free.take(0));
  assert.equal(new Budget(0, 1, 0).readyAt(7), 7);
});

test('the deadline is when a token comes', () => {
  const [outbox] = filled(2);
  outbox.budget = new Budget(1, 1, 1, 0);
  sendAll(outbox, 1);
  assert.equal(outbox.deadline(0), 1);
});

test('what is ordered is ordered in the order of saying, whatever the relay does', () => {
  let state = 5;
  const draw = (/** @type {number} */ below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 300; round++) {
    const [outbox, all] = filled(6);
    let fence = 1;
    /** @type {[Pending, number][]} */
    let wire = [];
    /** @type {Pending[]} */
    const log = [];
    const script = Array.from({ length: draw(60) }, () => draw(5));
    for (const step of [...script, ...Array.from({ length: 20 }, (_, i) => i % 2)]) {
      if (step === 0)
        wire.push(
          .../** @type {[Pending, number][]} */ (sendAll(outbox, fence).map((one) => [one, fence])),
        );
      else if (step === 1 && wire.length) {
        const [[one, at]] = wire.splice(0, 1);
        if (at === fence && !log.includes(one)) log.push(one);
        if (log.includes(one)) outbox.accepted(one.reference);
        else outbox.stale(one.reference, fence);
      } else if (step === 3) {
        fence++;
        outbox.fenceMoved();
      } else if (step === 4) {
        wire = [];
        outbox.lost();
      }
    }
    assert.deepEqual(log, all.slice(0, log.length));
    assert.deepEqual(
      log.map((one) => one.counter),
      log.map((_, i) => i + 1),
    );
  }
});
