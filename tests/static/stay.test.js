// What a stay keeps and forgets, and the order of numbers; conversations are in test_rooms.py.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zeros } from '../../static/js/bytes.js';
import { StateError } from '../../static/js/errors.js';
import { Link } from '../../static/js/link.js';
import * as mls from '../../static/js/mls/mls.js';
import { Stay } from '../../static/js/stay.js';

async function makeStay() {
  const link = new Link('http', '127.0.0.1:8000', zeros(32));
  return new Stay(link.host, await link.keys(), await mls.Identity.generate(), zeros);
}

test('r18: whoever forgets has no key, ticket or name left, and can prove nothing', async () => {
  const stay = await makeStay();
  const { keys, identity } = stay;
  const { group } = await mls.found(identity, '0x1000', keys.psk, keys.roomId);
  Object.assign(stay, { group, ticket: 'ticket', mark: 'mark' });
  stay.heard.set('00', 1);
  stay.forget();
  assert.deepEqual([stay.group, stay.ticket, stay.mark, stay.heard.size], [null, null, null, 0]);
  assert.deepEqual(keys.psk, zeros(32));
  await assert.rejects(group.encrypt(zeros(1), 1, 256), StateError);
  await assert.rejects(stay.keys.access.signHello(stay.host, keys.roomId, zeros(32)), StateError);
  assert.equal(stay.identity.signatureKey.length, 0);
});

test('an old number is dropped and shown, a jump is followed and shown', async () => {
  const stay = await makeStay();
  assert.deepEqual(
    [1, 1, 5, 4].map((seq) => stay.number(seq)),
    [true, false, true, false],
  );
  const codes = stay.effects.map((effect) => effect.type === 'emit' && effect.event.code);
  assert.deepEqual(codes, ['relay_equivocates', 'relay_gap', 'relay_equivocates']);
});

test('only old numbers end a connection, one that is new begins the count anew', async () => {
  const stay = await makeStay();
  for (let i = 0; i < 7; i++) stay.number(0);
  assert.equal(stay.number(1), true);
  for (let i = 0; i < 7; i++) stay.number(1);
  assert.throws(() => stay.number(1), StateError);
});
