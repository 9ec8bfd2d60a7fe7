// The client's half of the envelope, by the vectors that the relay's half reads too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, hex, utf8, zeros } from '../../static/js/bytes.js';
import { FrameError } from '../../static/js/errors.js';
import * as wire from '../../static/js/wire.js';

/** @type {any[]} */
const VECTORS = JSON.parse(
  readFileSync(new URL('../vectors/envelope.json', import.meta.url), 'utf8'),
);
const CLIENTS = new Map(VECTORS.filter((v) => v.from === 'client').map((v) => [v.name, v]));

/** @param {number} seed @returns {(below: number) => number} */
function chance(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Read a message as its first byte says what it is. @param {Uint8Array<ArrayBuffer>} data */
function parse(data) {
  const isText = data[0] === 0x7b || data[0] === 0x5b;
  return isText ? wire.parseText(new TextDecoder().decode(data)) : wire.parseBinary(data);
}

/** A frame's fields as the vectors spell them. @param {any} frame */
function shown({ type: _, ...fields }) {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      if (name === 'messageRate') return [['message_rate_milli', Math.round(value * 1000)]];
      if (name === 'messageBurst') return [['message_burst', value]];
      if (name === 'retryAfterS') return [['retry_after_ms', value === null ? null : value * 1000]];
      if (value instanceof Uint8Array) return [[name, hex(value)]];
      if (name === 'entries') return [[name, value.map(hex)]];
      return [[name, value]];
    }),
  );
}

for (const vector of VECTORS.filter((v) => v.from === 'relay')) {
  test(`vector of the relay: ${vector.name}`, () => {
    const data = fromHex(vector.hex);
    if (vector.error) {
      assert.throws(() => parse(data), { name: vector.error });
      return;
    }
    const frame = /** @type {any} */ (parse(data));
    assert.equal(frame.type, vector.type);
    const fields = shown(frame);
    if (frame.type === 'joined' && frame.seats === null) {
      assert.deepEqual([frame.away, frame.ticket], [null, null]);
      for (const name of ['seats', 'away', 'ticket']) delete fields[name];
    }
    assert.deepEqual(fields, vector.fields);
  });
}

/** @param {string} name */
function given(name) {
  const { hex: spelt, fields } = CLIENTS.get(name);
  const bytes = Object.entries(fields).map(([key, value]) => [
    key,
    typeof value === 'string' && !['ticket', 'mark'].includes(key) ? fromHex(value) : value,
  ]);
  return { spelt, fields: Object.fromEntries(bytes) };
}

test('vectors of the client: hello, resume, need, bye', () => {
  const hello = given('hello');
  const { room, access, signature } = hello.fields;
  assert.equal(hex(utf8(wire.serializeHello(room, access, signature))), hello.spelt);
  const { spelt, fields } = given('resume');
  const { ticket, mark, seq } = fields;
  const keys = [fields.room, fields.access, fields.signature];
  const resume = wire.serializeResume(keys[0], keys[1], keys[2], ticket, mark, seq);
  assert.equal(hex(utf8(resume)), spelt);
  assert.equal(hex(utf8(wire.NEED)), CLIENTS.get('need').hex);
  assert.equal(hex(utf8(wire.BYE)), CLIENTS.get('bye').hex);
});

for (const { name, type } of VECTORS.filter((v) => ['post', 'commit', 'offer'].includes(v.type))) {
  test(`vector of the client: ${name}`, () => {
    const { spelt, fields } = given(name);
    const { reference, fence, sealed, commit, group_info: info } = fields;
    const message = {
      post: () => wire.serializePost(reference, fence, sealed),
      commit: () => wire.serializeCommit(reference, fence, commit, info),
      offer: () => wire.serializeOffer(reference, fence, info),
    };
    assert.equal(hex(message[/** @type {'post'} */ (type)]()), spelt);
  });
}

test('any bytes are a frame or a frame error', () => {
  const draw = chance(2);
  const heads = ['', '1101', '1102', '12', `12${'00'.repeat(8)}01`, '13'].map(fromHex);
  const sizes = [284, 1052, 8, 16, 400];
  const kinds = new Set();
  for (let i = 0; i < 5000; i++) {
    const size = draw(2) ? sizes[draw(sizes.length)] + (draw(3) ? 18 : 0) : draw(400);
    const data = Uint8Array.from({ length: size }, () => (draw(3) ? 0 : draw(256)));
    try {
      kinds.add(wire.parseBinary(concat(heads[draw(heads.length)], data)).type);
    } catch (error) {
      assert.ok(error instanceof FrameError, String(error));
    }
  }
  assert.deepEqual([...kinds].sort(), ['ack', 'frame', 'info']);
});

test('any text is a frame or a frame error, and what is read has one spelling', () => {
  const draw = chance(3);
  const texts = VECTORS.filter((v) => v.from === 'relay' && v.section === '5').map((v) =>
    new TextDecoder().decode(fromHex(v.hex)),
  );
  const letters = '{}[],:"0123456789.eE+-abtrunlsx_ \\u\u00e4\ud800\n';
  for (let i = 0; i < 5000; i++) {
    const text = texts[draw(texts.length)];
    const at = draw(text.length);
    const letter = letters[draw(letters.length)];
    const spoilt = text.slice(0, at) + (draw(2) ? letter : '') + text.slice(at + draw(3));
    try {
      const frame = wire.parseText(spoilt);
      if (frame.type !== 'unknown') assert.equal(JSON.stringify(JSON.parse(spoilt)), spoilt);
    } catch (error) {
      assert.ok(error instanceof FrameError, spoilt);
    }
  }
});

const EVENT = '{"type":"away","seq":1,"tag":"0x3f8a"}';
const REFUSED = '{"type":"refused","reason":"rate","reference":null,"retry_after_ms":1,"fence":2}';
const WELCOME =
  '{"type":"welcome","life":"AAAAAAAAAAA","tag":"0x3f8a","seq":0,"fence":0,' +
  '"limits":{"message_rate_milli":1000,"message_burst":10,"seats":128}}';

for (const text of [
  EVENT.replace('1', '-1'),
  EVENT.replace('1', '-0'),
  EVENT.replace('1', '1.0'),
  EVENT.replace('1', '1e0'),
  EVENT.replace('1', '01'),
  EVENT.replace('1', '9007199254740993'),
  EVENT.replace('1', 'true'),
  EVENT.replace('1', 'null'),
  EVENT.replace('"0x3f8a"', '7'),
  EVENT.replace('0x3f8a', '0x3F8A'),
  EVENT.replace('0x3f8a', '0x3f8'),
  EVENT.replace('0x', '\\u0030x'),
  EVENT.replace('"tag"', '"__proto__"'),
  `${EVENT} `,
  ` ${EVENT}`,
  EVENT.replace('"seq":1', '"seq":1,"seq":1'),
  EVENT.replace('"seq":1', '"seq":2,"seq":1'),
  EVENT.replace('}', ',"x":1}'),
  EVENT.replace('"type":"away",', '').replace('}', ',"type":"away"}'),
  '{'.repeat(3000),
  '{"type":7}',
  '{"type":"need","x":NaN}',
  '{"type":"drain","retry_after_ms":Infinity}',
  '{"type":"drain","retry_after_ms":1e400}',
  '{}',
  'null',
  '"away"',
  '["away"]',
  '\u00e4',
  'x'.repeat(5000),
  `{"type":"wave","x":"${'x'.repeat(4096)}"}`,
  '{"type":"wave\u00e4"}',
  '{"type":"joined","seq":1,"tag":"0x3f8a","seats":7,"away":[]}',
  '{"type":"joined","seq":1,"tag":"0x3f8a","seats":["0x3f8a","0x3f8a"],"away":[]}',
  '{"type":"joined","seq":1,"tag":"0x3f8a","seats":["0x3f8a"]}',
  `{"type":"challenge","v":2,"nonce":"${'A'.repeat(43)}"}`,
  '{"type":"challenge","v":1,"nonce":7}',
  '{"type":"notice","code":"No Word"}',
  '{"type":"notice","code":7}',
  REFUSED.replace('"reference":null', '"reference":"0"'),
  REFUSED.replace('"reference":null', '"reference":7'),
  REFUSED.replace('2}', '"2"}'),
  '{"type":"drain","retry_after_ms":null}',
  WELCOME.replace('seats', 'chairs'),
  WELCOME.replace(/{"message_.*}}/, '7}'),
  WELCOME.replace('128', '"128"'),
  WELCOME.replace('128', '1,"seats":128'),
]) {
  test(`other spelling is refused: ${text.slice(0, 90)}`, () => {
    assert.throws(() => wire.parseText(text), FrameError);
  });
}

test('what is nested however deep is refused', () => {
  for (let depth = 1; depth < 2000; depth += 13) {
    const list = '['.repeat(depth) + ']'.repeat(depth);
    assert.throws(() => wire.parseText(`{"type":"need","x":${list}}`), FrameError);
    const gap = `{"type":"gap","seq":1,"fence":1,"seats":${list},"away":[]}`;
    if (depth > 1) assert.throws(() => wire.parseText(gap), FrameError);
  }
});

test('types of tomorrow are unknown, whatever JavaScript knows of their names', () => {
  for (const type of ['wave', 'constructor', '__proto__', 'toString', 'hello', '']) {
    assert.deepEqual(wire.parseText(JSON.stringify({ type, x: [1.5] })), { type: 'unknown' });
  }
});

test('welcome and refused are read in seconds', () => {
  const welcome = wire.parseText(WELCOME);
  assert.ok(welcome.type === 'welcome');
  assert.deepEqual([welcome.messageRate, welcome.messageBurst, welcome.seats], [1, 10, 128]);
  const refused = wire.parseText(REFUSED);
  assert.ok(refused.type === 'refused');
  assert.deepEqual([refused.reference, refused.retryAfterS, refused.fence], [null, 0.001, 2]);
});

for (const [name, data] of /** @type {[string, string][]} */ ([
  ['five entries', `12${'00'.repeat(8)}05${'0000041c'.padEnd(2112, '0').repeat(5)}`],
  ['entry cut within its length', `12${'00'.repeat(8)}010000`],
  ['entry of a length that is none', `12${'00'.repeat(8)}010000041b${'00'.repeat(1051)}`],
  ['entry longer than the message', `12${'00'.repeat(8)}01ffffffff`],
  ['info with a fence above 2^53', `12${'ff'.repeat(8)}00`],
  ['info cut within its header', '12'],
  ['ack with a number above 2^53', `13${'00'.repeat(8)}0020000000000000`],
  ['frame with a number above 2^53', `11010000${'ff'.repeat(8)}${'00'.repeat(8 + 284)}`],
  [
    'frame with a fence above 2^53',
    `11010000${'00'.repeat(8)}${'ff'.repeat(8)}${'00'.repeat(284)}`,
  ],
])) {
  test(`binary message that lies is refused: ${name}`, () => {
    assert.throws(() => wire.parseBinary(fromHex(data)), FrameError);
  });
}

test('longest text and fullest info are read', () => {
  const text = (/** @type {number} */ length) => `{"type":"wave","x":"${'x'.repeat(length - 22)}"}`;
  assert.equal(text(4096).length, 4096);
  assert.deepEqual(wire.parseText(text(4096)), { type: 'unknown' });
  assert.throws(() => wire.parseText(text(4097)), FrameError);
  const entry = concat(fromHex('0000041c'), zeros(1052));
  const info = wire.parseBinary(
    concat(fromHex(`12${'00'.repeat(8)}04`), entry, entry, entry, entry),
  );
  assert.ok(info.type === 'info');
  assert.deepEqual(info.entries, Array(4).fill(zeros(1052)));
  assert.equal(wire.REFERENCE_BYTES, 8);
});

test('the highest number is read as it is', () => {
  const data = concat(fromHex('13'), zeros(8), fromHex('001fffffffffffff'));
  assert.deepEqual(wire.parseBinary(data), { type: 'ack', reference: zeros(8), seq: 2 ** 53 - 1 });
});
