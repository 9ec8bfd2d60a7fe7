// The link: how it is spelt, and what is derived from it (R1, R2).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, encodeB64url, fromHex, hex, utf8, zeros } from '../../static/js/bytes.js';
import { LinkError, StateError, UsageError } from '../../static/js/errors.js';
import { createLink, deriveKeys, FORGOTTEN, Link, parseLink } from '../../static/js/link.js';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/link.json', import.meta.url), 'utf8'));
const SECRET = encodeB64url(Uint8Array.from({ length: 32 }, (_, i) => i));

/** @param {number} seed @returns {() => number} from 0 up to 1 */
function chance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Whether the key opens what the bytes seal. @param {CryptoKey} key @param {string} bytes */
async function isKey(key, bytes) {
  const raw = await crypto.subtle.importKey('raw', fromHex(bytes), 'AES-GCM', false, ['encrypt']);
  const cipher = { name: 'AES-GCM', iv: zeros(12) };
  const [one, two] = await Promise.all(
    [key, raw].map((each) => crypto.subtle.encrypt(cipher, each, zeros(3))),
  );
  return hex(new Uint8Array(one)) === hex(new Uint8Array(two));
}

for (const vector of VECTORS.good) {
  test(`r01 keys come from the secret as the vectors say: ${vector.host}`, async () => {
    const link = parseLink(vector.url);
    assert.equal(link.host, vector.host);
    assert.equal(hex(link.secret), vector.secret);
    assert.equal(link.toUrl(), vector.url);
    const keys = await link.keys();
    assert.equal(hex(keys.access.key), vector.access_key);
    assert.equal(hex(keys.psk), vector.psk);
    assert.equal(hex(keys.roomId), vector.room_id);
    assert.ok(keys.seal !== null && (await isKey(keys.seal, vector.seal)));
    const signature = await keys.access.signHello(link.host, keys.roomId, fromHex(vector.nonce));
    assert.equal(hex(signature), vector.hello_signature);
  });
}

for (const { name, url, error } of VECTORS.bad) {
  test(`bad link is refused and never quoted: ${name}`, () => {
    assert.throws(
      () => parseLink(url),
      (/** @type {any} */ caught) =>
        caught.name === error && !caught.message.includes(SECRET.slice(0, 20)),
    );
  });
}

test('any text is a link or a link error, and a link is spelt in one way', () => {
  const draw = chance(1);
  const parts = [
    'https://',
    'http://',
    'localhost',
    'a.b',
    '8000',
    'LOCALHOST',
    ':',
    '443',
    '/',
    '?',
    '#',
    SECRET,
  ];
  parts.push('@', '[::1]', '%41', '\\', ' ', '\u00e4', '\ud800', '0x7f.1', '.', '[', ']', 'xn--a');
  let links = 0;
  for (let i = 0; i < 4000; i++) {
    const length = 1 + Math.floor(draw() * 6);
    const text = Array.from({ length }, () => parts[Math.floor(draw() * parts.length)]).join('');
    for (const spelt of [text, `https://${text}#${SECRET}`, `http://${text}/#${SECRET}`]) {
      try {
        const link = parseLink(spelt);
        assert.deepEqual(parseLink(link.toUrl()), link);
        links++;
      } catch (error) {
        assert.ok(error instanceof LinkError, spelt);
      }
    }
  }
  assert.ok(links > 100);
});

for (const host of ['localhost', '127.0.0.1:8000', '127.9.9.9', '[::1]:1', 'a.localhost']) {
  test(`plain http stays on this machine: ${host}`, () => {
    const link = parseLink(`http://${host}/#${SECRET}`);
    assert.equal(link.websocket, `ws://${host}/v1/connect`);
  });
}

for (const host of [
  'example.org',
  '10.0.0.1',
  'localhost.example',
  '127.0.0.1.nip',
  '127.1',
  '127.0.0.01',
  '0x7f.0.0.1',
  '2130706433',
  'notlocalhost',
  '[::2]',
]) {
  test(`plain http elsewhere, or so spelt, needs insistence: ${host}`, () => {
    assert.throws(() => parseLink(`http://${host}/#${SECRET}`), /plain http|cannot be read/);
  });
}

test('who insists gets plain http elsewhere', () => {
  const link = parseLink(`http://example.org/#${SECRET}`, { insecureRelay: true });
  assert.equal(link.websocket, 'ws://example.org/v1/connect');
  assert.equal(createLink('http://example.org', { insecureRelay: true }).scheme, 'http');
});

for (const [url, host] of [
  ['https://EXAMPLE.org:443/', 'example.org'],
  ['HTTPS://example.org:0443', 'example.org'],
  ['http://localhost:80', 'localhost'],
  ['https://example.org:80', 'example.org:80'],
  ['https://example.org?', 'example.org'],
  ['https://a', 'a'],
  ['https://example.org/?#ignored', 'example.org'],
  ['https://[2001:DB8:0::1]:443', '[2001:db8::1]'],
  ['http://[0:0::1]', '[::1]'],
]) {
  test(`host is signed in the one spelling that a browser sends: ${url}`, () => {
    assert.equal(createLink(url).host, host);
  });
}

for (const url of [
  '  https://example.org  ',
  'https:example.org',
  'https:\\\\example.org',
  'https://\\example.org',
  'https://example.org\\room',
  'https://exam\tple.org',
  'https://me:secret@example.org',
  'https://@example.org',
  'https://a:b:c',
  'https://[127.0.0.1]',
  'https://[::1]x',
  'https://256.0.0.1',
  'https://example.org//',
  'https://example.org/;a',
  '//example.org',
  'https://example.org:',
  'https://one.example[v1.another.example]',
  'https://[::1]one.example',
  'https://one.example[::1]:8000',
  'https://one.ex)ample',
  'https://one.example\\.another.example',
  'https://[fe80::1%eth0]',
  'https://ex%61mple.org',
  'https://example.org#\u00e4',
  '',
]) {
  test(`relay that a browser would mend is refused: ${JSON.stringify(url)}`, () => {
    assert.throws(() => createLink(url), LinkError);
  });
}

test('pasted white space around a link does not matter', () => {
  assert.equal(encodeB64url(parseLink(`\n https://example.org/#${SECRET} \n`).secret), SECRET);
});

test('fresh links differ and tls is used where it is', () => {
  const [one, two] = [createLink('https://example.org'), createLink('https://example.org')];
  assert.notDeepEqual(one.secret, two.secret);
  assert.equal(one.secret.length, 32);
  assert.equal(one.websocket, 'wss://example.org/v1/connect');
});

test('r01 secret of another length is refused', async () => {
  for (const length of [0, 31, 33]) {
    await assert.rejects(deriveKeys(zeros(length)), UsageError);
  }
  await assert.rejects(deriveKeys(/** @type {any} */ (SECRET)), UsageError);
});

test('r02 hello binds host, room and nonce', async () => {
  const { access, roomId } = await deriveKeys(zeros(32));
  const signature = await access.signHello('Example.ORG', roomId, zeros(32));
  const message = concat(utf8('beacon hello v1example.org'), roomId, zeros(32));
  const key = await crypto.subtle.importKey('raw', access.key, 'Ed25519', true, ['verify']);
  assert.ok(await crypto.subtle.verify('Ed25519', key, signature, message));
});

test('private keys cannot be taken out, and no secret shows', async () => {
  const link = new Link(
    'https',
    'example.org',
    Uint8Array.from({ length: 32 }, (_, i) => i),
  );
  const { access, seal } = await link.keys();
  assert.equal(seal?.extractable, false);
  assert.deepEqual(Object.keys(access), ['key']);
});

test('what the keys were made of is overwritten', async (t) => {
  /** @type {Uint8Array[]} */
  const made = [];
  for (const name of /** @type {('importKey' | 'deriveBits')[]} */ (['importKey', 'deriveBits'])) {
    const inner = /** @type {Function} */ (crypto.subtle[name]);
    t.mock.method(crypto.subtle, name, async (/** @type {any[]} */ ...given) => {
      const result = await Reflect.apply(inner, crypto.subtle, given);
      if (given[0] === 'pkcs8') made.push(given[1]);
      if (hex(given[0].info ?? zeros(0)) === hex(utf8('access'))) made.push(new Uint8Array(result));
      return result;
    });
  }
  await deriveKeys(zeros(32));
  assert.deepEqual(
    made.map((bytes) => hex(bytes)),
    [32, 48, 48].map((length) => hex(zeros(length))),
  );
});

test('person is told what is wrong with a link', () => {
  assert.throws(() => parseLink(`https://${'a'.repeat(400)}/#${SECRET}`), /too long/);
  assert.throws(() => parseLink('https://example.org/'), /no secret/);
  assert.throws(() => parseLink(`https://example.org/#${SECRET}#`), /damaged/);
  assert.throws(() => parseLink(`example.org/#${SECRET}`), /a relay is https/);
});

test('only the key that is kept closed is kept', async (t) => {
  /** @type {CryptoKey[]} */
  const signers = [];
  const { sign } = crypto.subtle;
  t.mock.method(crypto.subtle, 'sign', (/** @type {any[]} */ ...given) => {
    signers.push(given[1]);
    return Reflect.apply(sign, crypto.subtle, given);
  });
  const { access, roomId } = await deriveKeys(zeros(32));
  await access.signHello('example.org', roomId, zeros(32));
  assert.deepEqual(
    signers.map(({ extractable }) => extractable),
    [false],
  );
});

test('nothing is signed with forgotten keys', async () => {
  const { access, roomId, psk, seal } = FORGOTTEN;
  assert.equal(seal, null);
  assert.deepEqual([psk.length, roomId.length, access.key.length], [0, 0, 0]);
  await assert.rejects(access.signHello('example.org', roomId, zeros(32)), StateError);
});
