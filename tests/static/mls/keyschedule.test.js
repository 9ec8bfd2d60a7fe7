// Derivations of an epoch's secrets (RFC 9420 8). Their values are checked by official vectors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, utf8, zeros } from '../../../static/js/bytes.js';
import { begun } from '../../../static/js/mls/epoch.js';
import { CONTEXT, EXTERNAL_PSK, pskSecret, secretsOf } from '../../../static/js/mls/keyschedule.js';
import { PSK_ID } from '../../../static/js/mls/policy.js';
import { deriveKeyPair, draw, hash } from '../../../static/js/mls/suite.js';

/** @import { Commit } from '../../../static/js/mls/framing.js' */
/** @import { GroupContext } from '../../../static/js/mls/keyschedule.js' */

/** @type {GroupContext} */
const AT = {
  suite: 1,
  groupId: utf8('id'),
  epoch: 7,
  treeHash: utf8('tree'),
  confirmedTranscriptHash: utf8('transcript'),
  extensions: Uint8Array.of(0, 1, 0),
};

test('a group context is spelt as in 8.1', () => {
  const text = (/** @type {string} */ data) => hex(utf8(data));
  const expected = `0001000102${text('id')}000000000000000704${text('tree')}0a${text('transcript')}03000100`;
  assert.equal(hex(CONTEXT(AT)), expected);
});

test('every secret of an epoch is another', async () => {
  const secrets = Object.values(await secretsOf(zeros(32)));
  assert.equal(secrets.length, 9);
  assert.equal(new Set(secrets.map(hex)).size, 9);
  assert(secrets.every((secret) => secret.length === 32));
});

test('each input changes every secret', async () => {
  /** @type {Commit} */
  const commit = {
    proposals: [{ kind: 1, proposal: { kind: 4, pskId: PSK_ID, nonce: draw(32) } }],
    path: null,
  };
  const room = { roomId: zeros(16), psk: draw(32), leafCap: 9 };
  const right = { context: AT, init: draw(32), secret: draw(32), commit, room };
  const derived = async (/** @type {typeof right} */ x) => {
    const next = await begun(x.context, x.init, x.secret, x.commit, x.room);
    return [...Object.values(next.secrets), next.outside.confirmationTag].map(hex);
  };
  const seen = new Set(await derived(right));
  assert.equal(seen.size, 10);
  for (const change of [
    { context: { ...AT, epoch: 8 } },
    { init: await hash(right.init) },
    { secret: await hash(right.secret) },
    { room: { ...room, psk: await hash(room.psk) } },
    { commit: { ...commit, proposals: [] } },
  ]) {
    const other = await derived({ ...right, ...change });
    assert(other.every((secret) => !seen.has(secret)));
  }
});

test('no PSK is the zero secret', async () => {
  assert.deepEqual(await pskSecret([]), zeros(32));
});

test('PSKs are bound to their ids, values, order and number', async () => {
  const psk = (/** @type {string} */ nonce, /** @type {string} */ value) => ({
    id: EXTERNAL_PSK({ pskId: utf8('id'), nonce: utf8(nonce) }),
    value: utf8(value),
  });
  const [one, other] = [psk('', 'one'), psk('n', 'two')];
  const lists = [[one], [other], [one, other], [other, one], [one, one], [psk('', 'two')]];
  const secrets = await Promise.all(lists.map(pskSecret));
  assert.equal(new Set(secrets.map(hex)).size, lists.length);
});

test('the id of an external PSK is spelt as in 8.4', () => {
  const id = EXTERNAL_PSK({ pskId: utf8('id'), nonce: utf8('nonce') });
  assert.deepEqual(id, utf8('\x01\x02id\x05nonce'));
});

test("the external key pair is the epoch's", async () => {
  const keys = await Promise.all(
    [0, 0, 1].map(async (n) => deriveKeyPair((await secretsOf(zeros(32).fill(n))).external)),
  );
  assert.deepEqual(keys[0].public, keys[1].public);
  assert.notDeepEqual(keys[0].public, keys[2].public);
});
