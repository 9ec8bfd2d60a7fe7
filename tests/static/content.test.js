// Contents: one spelling each, and what is none (PROTOCOL 9, R21).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, hex, uint, utf8 } from '../../static/js/bytes.js';
import { checkNick, checkText, digest, parse, serialize } from '../../static/js/content.js';
import { FrameError, UsageError } from '../../static/js/errors.js';

/** @import { Text } from '../../static/js/content.js' */

/** @type {any[]} */
const VECTORS = JSON.parse(
  readFileSync(new URL('../vectors/content.json', import.meta.url), 'utf8'),
);
// Of MLS around it.
const CONTENT_OVERHEAD = 173;

/** @param {number} seed @returns {(below: number) => number} */
function chance(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** @param {string} head @param {string} [raw] hex */
const spelt = (head, raw = '') => concat(uint(utf8(head).length, 2), utf8(head), fromHex(raw));

/** @param {Partial<Text>} [fields] @returns {Text} */
const text = (fields) => ({ type: 'text', counter: 1, base: 0, nick: null, text: '', ...fields });

for (const { name, hex: given, fields, error } of VECTORS) {
  test(`vector: ${name}`, () => {
    const data = fromHex(given);
    if (error) {
      assert.throws(() => parse(data), { name: error });
      return;
    }
    const parts = fields.parts?.map((/** @type {any} */ [counter, part]) => [
      counter,
      fromHex(part),
    ]);
    const content = parse(data);
    assert.deepEqual(content, parts ? { ...fields, parts } : fields);
    if (content.type !== 'other') assert.equal(hex(serialize(content)), given);
  });
}

test('what is said is read as it was said', () => {
  const draw = chance(4);
  for (let i = 0; i < 300; i++) {
    const points = Array.from({ length: draw(501) }, () => {
      const point = draw(draw(2) ? 0x110000 : 0x100);
      return point >= 0xd800 && point <= 0xdfff ? 0xe9 : point;
    });
    const base = draw(2 ** 40);
    const nick = [null, 'Ada', '\u00c5sa', '\u4e2d \u{1f600}'][draw(4)];
    const counter = base + 1 + draw(2 ** 40);
    const said = text({ counter, base, nick, text: String.fromCodePoint(...points) });
    assert.deepEqual(parse(serialize(said)), said);
  }
});

test('any bytes are a content or a frame error, and what is read has one spelling', () => {
  const draw = chance(5);
  const good = VECTORS.filter((v) => !v.error && v.hex.length < 1000).map((v) => fromHex(v.hex));
  let read = 0;
  for (let i = 0; i < 6000; i++) {
    const data = good[draw(good.length)].slice();
    for (let slips = draw(3); slips > 0; slips--) data[2 + draw(data.length - 2)] = draw(256);
    for (const each of [data, data.subarray(draw(4)), concat(uint(data.length, 2), data)]) {
      try {
        const content = parse(each);
        if (content.type !== 'other') assert.deepEqual(serialize(content), each);
        read++;
      } catch (error) {
        assert.ok(error instanceof FrameError, hex(each));
      }
    }
  }
  assert.ok(read > 1000);
});

test('r21 500 characters always fit one frame', () => {
  for (const char of ['\x01', '\x7f', '"', '\u00e4', '\u4e2d', '\u{1f600}']) {
    const counter = 2 ** 53 - 1;
    const nick = '\u{1f600}'.repeat(32);
    const said = text({ counter, base: counter - 1, nick, text: checkText(char.repeat(500)) });
    assert.ok(serialize(said).length + CONTENT_OVERHEAD <= 4096);
    assert.deepEqual(parse(serialize(said)), said);
  }
});

test('r21 what may not be sent', () => {
  for (const said of [
    'x'.repeat(501),
    '\u{1f600}'.repeat(501),
    '\ud800',
    'a\udfff',
    '\udc00\ud800',
  ]) {
    assert.throws(() => checkText(said), UsageError);
  }
});

test('r21 what may be sent is not touched', () => {
  for (const said of ['', ' ', 'x'.repeat(500), '\u{1f600}'.repeat(500), '\0\x1b[31m']) {
    assert.equal(checkText(said), said);
  }
});

test('nicknames that could deceive are refused', () => {
  const nicks = ['', ' a', 'a ', 'a\n', '\x1b', 'a\u202e', '\u200b', '\u2028', '\ud800'];
  nicks.push(
    'n'.repeat(33),
    '\x85a',
    'a\u00a0',
    '\u3000a',
    '\ufeffa',
    '\x1ca',
    'a\u2029b',
    '\u00ad',
  );
  for (const nick of nicks) {
    assert.throws(() => checkNick(nick), UsageError, JSON.stringify(nick));
    const said = text({ nick });
    assert.throws(() => parse(serialize(said)), FrameError, JSON.stringify(nick));
  }
});

test('nicknames of all scripts', () => {
  for (const nick of ['a', 'Ada Lovelace', '\u00c5sa', '\u4e2d\u6587', '\u{1f600}'.repeat(32)]) {
    assert.equal(checkNick(nick), nick);
  }
});

for (const head of [
  '\ufeff{"type":"void","counter":1,"base":0}',
  '{"type":"void","counter":1,"base":-0}',
  '{"type":"void","counter":1e0,"base":0}',
  '{"type":"void","counter":null,"base":0}',
  '{"type":"nick","counter":1,"base":0,"nick":null}',
  '{"type":"text","counter":1,"base":0,"nick":null,"text":""}',
  '{"type":"text","counter":1,"base":0,"nick":7,"text":""}',
  '{"type":"text","counter":1,"base":0}',
  '{"type":"text","counter":1,"base":0,"text":["a"]}',
  '{"type":"text","counter":1,"base":0,"text":"\u2028","__proto__":1}',
  '{"type":"text","counter":1,"base":0,"text":"\\u2028"}',
  '{"type":"text","counter":1,"base":0,"text":"\\/"}',
  '{"type":"pulse","counter":1,"base":1,"received":[[0,1,1.0]]}',
  '{"type":"pulse","counter":1,"base":1,"received":[[0,1,9007199254740992]]}',
  '{"type":"pulse","counter":1,"base":1,"received":{"length":0}}',
  '{"type":"ask","counter":1,"base":1,"holes":[[0,1,1],[0,1,1]]}',
  '{"type":"ask","counter":1,"base":1,"holes":[1]}',
  '{"type":"repair","counter":1,"base":1,"leaf":"0","counters":[]}',
  '{"type":"wave","counter":0,"base":0}',
  '{"type":"repair","counter":9,"base":1,"counters":[2,2]}',
  '{"type":"wave","counter":1}',
  'null',
  '"text"',
]) {
  test(`other spelling is refused: ${JSON.stringify(head)}`, () => {
    assert.throws(() => parse(spelt(head, '00000000')), FrameError);
    assert.throws(() => parse(spelt(head)), FrameError);
  });
}

test('lists are bounded', () => {
  const counters = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => i + 1);
  const repair = (/** @type {number} */ n) =>
    spelt(
      `{"type":"repair","counter":99,"base":1,"counters":${JSON.stringify(counters(n))}}`,
      '0000'.repeat(n),
    );
  assert.equal(parse(repair(64)).type, 'repair');
  assert.throws(() => parse(repair(65)), FrameError);
  const ask = (/** @type {number} */ n) =>
    serialize({ type: 'ask', counter: 1, base: 1, holes: counters(n).map((leaf) => [leaf, 1, 1]) });
  assert.equal(parse(ask(256)).type, 'ask');
  assert.throws(() => parse(ask(257)), FrameError);
});

test('length beyond the end is refused, of whatever type', () => {
  const head = utf8('{"type":"wave","counter":1,"base":0}');
  assert.equal(parse(concat(uint(head.length, 2), head)).type, 'other');
  assert.throws(() => parse(concat(uint(head.length + 1, 2), head)), FrameError);
});

test('a type of tomorrow has its place, and what it is called does not matter', () => {
  for (const type of ['wave', 'constructor', '__proto__', '']) {
    const head = JSON.stringify({ more: { type }, base: 1, counter: 3, type });
    assert.deepEqual(parse(spelt(head, 'abcd')), { type: 'other', counter: 3, base: 1 });
  }
});

test('r30 a second content under a counter is told apart, not the same one with another base', async () => {
  const [one, same, nick, empty, other] = (
    await Promise.all([
      digest(text({ text: 'a', nick: 'b' })),
      digest(text({ text: 'a', nick: 'b', counter: 9, base: 3 })),
      digest({ type: 'nick', counter: 1, base: 0, nick: 'b' }),
      digest(text({ nick: 'b' })),
      digest(text({ text: 'b', nick: 'a' })),
    ])
  ).map(hex);
  assert.equal(one, same);
  assert.equal(new Set([one, nick, empty, other]).size, 4);
  assert.equal((await digest({ type: 'void', counter: 1, base: 0 })).length, 0);
  assert.equal((await digest({ type: 'other', counter: 1, base: 0 })).length, 0);
});
