// Expected words, where there is nobody; conversations are in test_rooms.py.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zeros } from '../../static/js/bytes.js';
import { VerificationError } from '../../static/js/errors.js';
import { Link } from '../../static/js/link.js';
import * as mls from '../../static/js/mls/mls.js';
import { Newcomer } from '../../static/js/newcomer.js';
import { Stay } from '../../static/js/stay.js';

/** @type {import('../../static/js/wire.js').Info} */
const EMPTY_ROOM = { type: 'info', fence: 0, entries: [] };

async function makeNewcomer() {
  const link = new Link('http', '127.0.0.1:8000', zeros(32));
  const stay = new Stay(link.host, await link.keys(), await mls.Identity.generate(), zeros);
  stay.tag = '0x1000';
  return { stay, newcomer: new Newcomer(stay, ['able']) };
}

test('whoever expects words founds no room', async () => {
  const { stay, newcomer } = await makeNewcomer();
  assert.equal(await newcomer.enter(EMPTY_ROOM, 0), null);
  const [effect] = stay.effects;
  assert.ok(effect.type === 'finish' && effect.error instanceof VerificationError);
});

test('words are expected of the room that is entered first', async () => {
  const { stay, newcomer } = await makeNewcomer();
  newcomer.entered();
  assert.equal((await newcomer.enter(EMPTY_ROOM, 0))?.fence, 0);
  assert.deepEqual(stay.effects, []);
});
