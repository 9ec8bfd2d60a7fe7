// When a pulse is due (R14, R31).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANSWERING, Pulse } from '../../static/js/pulse.js';

const [A, B, C] = ['aa', 'bb', 'cc'];
const [RECEIPT, CONFIRM, RANK, GREETING, PROBE] = [2, 0.5, 0.3, 3, 5];

/** @param {Pulse} clock @param {number} now */
const isDue = (clock, now) => clock.isDue(now, { awaited: false });

test('nothing is due at first', () => {
  assert.equal(ANSWERING, 16);
  assert.equal(new Pulse().deadline(), null);
  assert.equal(isDue(new Pulse(), 1e9), false);
});

test('r31 one receipt answers all of two seconds', () => {
  const clock = new Pulse();
  clock.came(10, 2, 0.9);
  clock.came(11, 2, 0.9);
  assert.equal(clock.deadline(), 10 + RECEIPT);
  assert.equal(isDue(clock, 11.9), false);
  assert.equal(isDue(clock, 12), true);
  assert.equal(clock.took(), false);
  assert.equal(clock.deadline(), null);
});

test('r31 in a crowd some answer, each drawn once in two seconds', () => {
  const leaves = 4 * ANSWERING;
  const clock = new Pulse();
  clock.came(0, leaves, 0.25);
  assert.equal(clock.deadline(), null);
  clock.came(1.9, leaves, 0);
  assert.equal(clock.deadline(), null);
  clock.came(2, leaves, 0.24);
  assert.equal(clock.deadline(), 2 + RECEIPT);
  const small = new Pulse();
  small.came(0, ANSWERING, 0.999);
  assert.equal(small.deadline(), RECEIPT);
});

test('r31 receipt that is due is not put off by what comes later', () => {
  const clock = new Pulse();
  clock.came(0, 2, 0);
  clock.came(5, 2, 0);
  assert.equal(clock.deadline(), RECEIPT);
});

test('r31 heartbeat counts from the last frame and is spread', () => {
  const clock = new Pulse();
  clock.sent(0, 0);
  assert.equal(clock.deadline(), 45);
  clock.sent(7, 0.5);
  assert.equal(clock.deadline(), 67);
  assert.equal(isDue(clock, 66.9), false);
  assert.equal(isDue(clock, 67), true);
});

test('r14 confirmation waits for its rank and for nobody who comes later', () => {
  const clock = new Pulse();
  clock.joined(A, 0, 2);
  assert.equal(clock.deadline(), CONFIRM + 2 * RANK);
  clock.joined(B, 1, 0);
  assert.equal(clock.deadline(), CONFIRM + 2 * RANK);
  assert.equal(isDue(clock, 1.1), true);
});

test('r14 whoever stands by is quiet once another spoke, but not a newcomer', () => {
  const clock = new Pulse();
  clock.joined(A, 0, 1);
  clock.joined(B, 0, 1);
  clock.heard(A);
  clock.heard(B);
  assert.equal(clock.deadline(), CONFIRM + RANK);
  clock.heard(C);
  assert.equal(clock.deadline(), null);
  // Those two count as being here from then on.
  clock.joined(C, 5, 0);
  clock.heard(A);
  assert.equal(clock.deadline(), null);
});

test('r14 pulse that went out has confirmed all newcomers', () => {
  const clock = new Pulse();
  clock.joined(A, 0, 0);
  assert.equal(isDue(clock, CONFIRM), true);
  clock.took();
  clock.joined(B, 1, 0);
  clock.heard(A);
  assert.equal(clock.deadline(), null);
});

test('r14 greeting makes what is due earlier and never later', () => {
  const clock = new Pulse();
  clock.greet(0, 0.5);
  assert.equal(clock.deadline(), GREETING / 2);
  clock.greet(1, 0.9);
  assert.equal(clock.deadline(), GREETING / 2);
  clock.greet(1, 0);
  assert.equal(clock.deadline(), 1);
});

test('r31 probe is due once after the last content that not all confirmed', () => {
  const clock = new Pulse();
  clock.said(0);
  clock.said(3);
  assert.equal(clock.deadline(), 3 + PROBE);
  assert.equal(clock.isDue(7.9, { awaited: true }), false);
  assert.equal(clock.isDue(8, { awaited: true }), true);
  assert.equal(clock.took(), true);
  assert.equal(clock.deadline(), null);
  assert.equal(clock.took(), false);
});

test('r31 nobody is probed where all have confirmed', () => {
  const clock = new Pulse();
  clock.said(0);
  assert.equal(clock.isDue(PROBE, { awaited: false }), false);
  assert.equal(clock.isDue(PROBE + 1, { awaited: true }), false);
  assert.equal(clock.deadline(), null);
});

test('r31 pulse that came to nothing is due still and probes still', () => {
  const clock = new Pulse();
  clock.again(4, { probes: true });
  clock.again(5, { probes: false });
  assert.equal(isDue(clock, 5), true);
  assert.equal(clock.took(), true);
  clock.again(6, { probes: false });
  assert.equal(clock.deadline(), 6);
  assert.equal(clock.took(), false);
});
