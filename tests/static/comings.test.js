// Who came, went and came back, each told once (R5, R6, R32).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../../static/js/bytes.js';
import { Comings } from '../../static/js/comings.js';
import { FORGOTTEN } from '../../static/js/link.js';
import { Identity } from '../../static/js/mls/mls.js';
import { Roster } from '../../static/js/roster.js';
import { Stay } from '../../static/js/stay.js';

/** @param {number} leaf @param {string} tag @param {number} key */
const member = (leaf, tag, key) => ({ leaf, tag, signatureKey: new Uint8Array(32).fill(key) });
const [A, B, B_AGAIN] = [member(0, '0x000a', 10), member(1, '0x000b', 11), member(1, '0x001b', 11)];
const [a, b] = [A, B].map((one) => hex(one.signatureKey));
const PLACE = { nick: null, life: 'AAAAAAAAAAA', seq: 5 };
const NOBODY = new Set();

/** Comings, and what they told. */
function told() {
  const stay = new Stay('host', FORGOTTEN, Identity.forgotten(), (n) => new Uint8Array(n));
  stay.life = new Uint8Array(8);
  stay.seq = 70;
  const roster = new Roster();
  const events = () =>
    stay.effects.splice(0).flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []));
  return { stay, roster, comings: new Comings(stay, roster), events };
}

test('R6: who is new has joined, and who is gone has left', () => {
  const { stay, roster, comings, events } = told();
  roster.rename(b, 'Bob');
  assert.deepEqual(comings.began([A], [A, B], 5, null), [new Set([b]), NOBODY]);
  assert.deepEqual(events(), [{ type: 'joined', tag: '0x000b', ...PLACE, nick: 'Bob' }]);
  stay.heard = new Map([a, b].map((key) => [key, 1]));
  assert.deepEqual(comings.began([A, B], [A], 6, null), [NOBODY, new Set([b])]);
  assert.deepEqual(events(), [{ type: 'left', tag: '0x000b', ...PLACE, nick: 'Bob', seq: 6 }]);
  assert.deepEqual([...stay.heard.keys()], [a]);
});

test('R5: a key under another tag is back, and neither came nor went', () => {
  const { comings, events } = told();
  assert.deepEqual(comings.began([A, B], [A, B_AGAIN], 5, null), [NOBODY, NOBODY]);
  assert.deepEqual(events(), [{ type: 'back', tag: '0x001b', previous: '0x000b', ...PLACE }]);
  const other = member(1, '0x000b', 12);
  const [come, gone] = comings.began([B], [other], 6, null);
  assert.deepEqual([come, gone], [new Set([hex(other.signatureKey)]), new Set([b])]);
});

test('R6: a seat that was told to be gone is not told again with its leaf', () => {
  const { comings, events } = told();
  comings.seatLeft('0x000b');
  assert.deepEqual(comings.began([A, B], [A, B], 4, null), [NOBODY, NOBODY]);
  assert.deepEqual(comings.began([A, B], [A], 5, null), [NOBODY, new Set([b])]);
  assert.deepEqual(events(), []);
  // A tag is not issued twice in a life, but after that it may be.
  comings.began([A], [A, B], 6, null);
  comings.began([A, B], [A], 7, null);
  assert.deepEqual(
    events().map((event) => event.type),
    ['joined', 'left'],
  );
});

test('R32: who is not in the group that we entered is expected back', () => {
  const { comings, events } = told();
  assert.deepEqual(comings.began([A, B], [], 5, 100), [NOBODY, NOBODY]);
  assert.deepEqual([comings.expected, comings.deadline()], [new Set([a, b]), 100]);
  assert.deepEqual(comings.began([], [B_AGAIN], 5, null), [NOBODY, NOBODY]);
  assert.deepEqual(events(), [{ type: 'back', tag: '0x001b', previous: '0x000b', ...PLACE }]);
  assert.deepEqual(comings.expected, new Set([a]));
  assert.deepEqual(comings.expire(99.9), NOBODY);
  assert.deepEqual(comings.expire(100), new Set([a]));
  assert.deepEqual(events(), [{ type: 'left', tag: '0x000a', ...PLACE, seq: 70 }]);
  assert.deepEqual([comings.expected, comings.deadline()], [NOBODY, null]);
  assert.deepEqual(comings.began([B_AGAIN], [A, B_AGAIN], 8, null), [new Set([a]), NOBODY]);
});

test('R32: who is back under the same tag is nothing to tell', () => {
  const { comings, events } = told();
  comings.began([A], [], 5, 60);
  assert.deepEqual(comings.began([], [A], 6, null), [NOBODY, NOBODY]);
  assert.deepEqual(events(), []);
});

test('R32: who said goodbye is not expected', () => {
  const { comings, events } = told();
  comings.seatLeft('0x000b');
  assert.deepEqual(comings.began([A, B], [], 5, 100), [NOBODY, new Set([b])]);
  assert.deepEqual(comings.expected, new Set([a]));
  assert.deepEqual(events(), []);
});
