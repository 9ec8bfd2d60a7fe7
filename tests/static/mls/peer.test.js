// The process through which another language drives the page's MLS answers as it says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hex, utf8, zeros } from '../../../static/js/bytes.js';

const PEER = fileURLToPath(new URL('peer.js', import.meta.url));

/** Run a peer; `ask` sends one object and returns what is answered. */
function started() {
  const peer = spawn(process.execPath, [PEER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  const ask = async (/** @type {string} */ op, /** @type {string} */ who, given = {}) => {
    peer.stdin.write(`${JSON.stringify({ op, who, ...given })}\n`);
    return JSON.parse((await lines.next()).value);
  };
  return { ask, close: () => peer.stdin.end() };
}

test('two members of a peer found, join, talk, repair, remove and agree', async () => {
  const { ask, close } = started();
  const ok = async (/** @type {string} */ op, /** @type {string} */ who, given = {}) => {
    const answer = await ask(op, who, given);
    assert(!answer.refused, answer.refused);
    return answer.ok;
  };
  const agree = async () => assert.deepEqual(await ok('view', 'a'), await ok('view', 'b'));
  const room = { psk: hex(zeros(32)), roomId: hex(zeros(16)) };
  await ok('enter', 'a', { tag: '0x000a', ...room });
  await ok('enter', 'b', { tag: '0x000b', ...room });
  const { groupInfo } = await ok('found', 'a');
  const { commit } = await ok('join', 'b', { groupInfo, fence: 1 });
  const followed = await ok('follow', 'a', { commit, fence: 1 });
  assert.deepEqual(followed, { removed: false, committer: 1, joined: 1, gone: [] });
  await agree();
  assert.equal(await ok('words', 'a'), (await ok('view', 'b')).wordsContext);
  const offered = await ok('groupInfo', 'b', { fence: 2 });
  const inspected = await ok('inspect', 'a', { groupInfo: offered, fence: 2 });
  assert.deepEqual([inspected.epoch, inspected.tags], [3, ['0x000a', '0x000b']]);
  const said = { content: hex(utf8('hello')), fence: 2, size: 512 };
  const message = await ok('encrypt', 'b', said);
  const read = await ok('decrypt', 'a', { message, fence: 2, tag: '0x000b' });
  assert.deepEqual(read, { content: said.content, leaf: 1, generation: 0 });
  const twice = await ask('decrypt', 'a', { message, fence: 2 });
  assert.equal(twice.refused, 'AuthenticationError: authentication failed');
  const signatureKey = await ok('signatureKey', 'a');
  const asked = { signatureKey, counter: 7 };
  const sealed = await ok('sealRepair', 'a', { leaf: 1, ...asked, content: said.content });
  assert.equal(await ok('openRepair', 'b', { ...asked, sealed }), said.content);
  const empty = await ok('commit', 'b', { removes: [], fence: 2 });
  const wrong = await ask('follow', 'a', { commit: empty.commit, fence: 3 });
  assert.equal(wrong.check, 'binding');
  await ok('follow', 'a', { commit: empty.commit, fence: 2 });
  await agree();
  const last = await ok('commit', 'a', { removes: [1], fence: 3 });
  assert.equal((await ok('follow', 'b', { commit: last.commit, fence: 3 })).removed, true);
  assert.equal(await ok('leaf', 'a'), 0);
  close();
});
