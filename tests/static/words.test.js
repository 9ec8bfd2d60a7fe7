// The list of words, how bits become words, and typed text words again (PROTOCOL 9.1).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { test } from 'node:test';
import { fromHex } from '../../static/js/bytes.js';
import { UsageError } from '../../static/js/errors.js';
import {
  loadWords,
  memberWords,
  normalise,
  toWords,
  verificationWords,
} from '../../static/js/words.js';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/words.json', import.meta.url), 'utf8'));
const SIX = ['otter', 'ember', 'canoe', 'maple', 'quilt', 'zebra'];

test('the list is the file, 1,024 words, read once', async () => {
  const words = await loadWords();
  const text = readFileSync(new URL('../../static/words.txt', import.meta.url), 'utf8');
  assert.equal(words.map((word) => `${word}\n`).join(''), text);
  assert.equal(words.length, 1024);
  assert.equal(loadWords(), loadWords());
});

test('digests become the words of the vectors', async () => {
  for (const { digest, words } of VECTORS.digests) {
    assert.deepEqual(await toWords(fromHex(digest)), words, digest);
  }
});

test('epochs have the words of the vectors', async () => {
  for (const { context, words } of VECTORS.contexts) {
    assert.deepEqual(await verificationWords(fromHex(context)), words);
  }
});

test('members have the two words of the vectors', async () => {
  for (const { signature_key, words } of VECTORS.members) {
    assert.deepEqual(await memberWords(fromHex(signature_key)), words);
  }
});

test('every bit of the first sixty counts, and no later one', async () => {
  const none = (await toWords(new Uint8Array(8))).join();
  for (let bit = 0; bit < 64; bit++) {
    const digest = new Uint8Array(8);
    digest[bit >> 3] = 128 >> (bit & 7);
    assert.equal((await toWords(digest)).join() === none, bit >= 60, `bit ${bit}`);
  }
});

test('too short a digest is refused', () => assert.rejects(toWords(new Uint8Array(7)), UsageError));

test('typed words are read whatever stands between', async () => {
  for (const typed of [
    SIX.join(' '),
    '  Otter, EMBER, canoe;\tmaple\n quilt zebra. ',
    SIX.join('-'),
    'otter_ember/canoe:maple+quilt\u2013zebra',
  ]) {
    assert.deepEqual(await normalise(typed), SIX, typed);
  }
});

test('an unknown word is named', () =>
  assert.rejects(normalise('oter ember canoe maple quilt zebra'), {
    name: 'UsageError',
    message: "'oter' is not one of the words",
  }));

test('another count is refused', async () => {
  for (const typed of ['', 'otter', [...SIX, 'otter'].join(' ')]) {
    await assert.rejects(normalise(typed), { name: 'UsageError', message: /6 words/ });
  }
});

// As a page has it: modules from a server, and a list to be fetched.
const PAGE = 'http://page.example/';
const STATIC = new URL('../../static/', import.meta.url).href;
register(
  `data:text/javascript,${encodeURIComponent(`
    import { readFile } from 'node:fs/promises';
    export async function resolve(name, context, next) {
      const url = new URL(name, context.parentURL).href;
      return url.startsWith('${PAGE}') ? { url, shortCircuit: true } : next(name, context);
    }
    export async function load(url, context, next) {
      if (!url.startsWith('${PAGE}')) return next(url, context);
      const source = await readFile(new URL(url.slice(${PAGE.length}), '${STATIC}'));
      return { format: 'module', source, shortCircuit: true };
    }`)}`,
);

test('page fetches the list from where it came, once, and again if that failed', async (t) => {
  const page = await import(`${PAGE}js/words.js`);
  const whole = readFileSync(new URL('words.txt', STATIC), 'utf8');
  /** @type {(string | null)[]} */
  const answers = [null, 'not found\n', whole.slice(0, -9), whole];
  const fetched = t.mock.method(globalThis, 'fetch', async () => {
    const answer = answers.shift() ?? null;
    if (answer === null) throw new TypeError('fetch failed');
    return { text: async () => answer };
  });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(page.loadWords(), { name: 'TransportError' });
  }
  assert.deepEqual(await page.normalise(SIX.join(' ')), SIX);
  assert.deepEqual(await page.toWords(new Uint8Array(8)), Array(6).fill('abacus'));
  assert.equal(fetched.mock.callCount(), 4);
  assert.equal(String(fetched.mock.calls[0].arguments[0]), `${PAGE}words.txt`);
});
