// The page's logic without a page: rows, order, counting, commands, addresses, frames, colours.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { HeldError, RefusedError, UsageError } from '../../static/js/errors.js';
import { T } from '../../static/js/text.js';
import { read } from '../../static/js/view/command.js';
import { MAX_BYTES, MAX_FRAMES, toSeen, Wire } from '../../static/js/view/frames.js';
import { bits, clean, cleanNick, linkify, points, tint } from '../../static/js/view/plain.js';
import { inOrder } from '../../static/js/view/roster.js';
import {
  already,
  condition,
  describe,
  everybody,
  explain,
  goesOn,
  Log,
  line,
  MAX_ROWS,
  progressOf,
  readers,
  said,
  toRow,
} from '../../static/js/view/rows.js';

const LIFE = 'qCoV22FdhPY';
const ADA = { tag: '0x2fab', nick: 'ada' };

/** @param {any} event @returns {any} */
const row = (event, at = 0) => toRow({ life: LIFE, seq: 1, nick: null, ...event }, at);
/** @param {any} found */
const words = (found) => found.parts.map((/** @type {any} */ part) => part.tag ?? part).join('');
const message = (seq = 1, text = 'hi') =>
  row({ type: 'message', sender: '0x978d', text, late: false, seq });
/** @param {any} more @returns {any} */
const member = (more) => ({
  tag: '0x978d',
  nick: null,
  presence: 'present',
  me: false,
  heard: true,
  silent: false,
  ...more,
});

test('events have the terminal’s lines', () => {
  const about = { tag: '0x978d', sender: '0x978d' };
  const lines = {
    '0x978d joined': { type: 'joined' },
    '0x978d left': { type: 'left' },
    '0x978d lost the connection; the seat is kept for a while': { type: 'away' },
    '0x978d is back': { type: 'back', previous: '0x978d' },
    '0x978d is back, was 0x0001': { type: 'back', previous: '0x0001' },
    '0x978d is now ada': { type: 'nick_changed', nick: 'ada' },
    '0x978d sent a message that did not arrive': { type: 'missing', count: 1 },
    '0x978d sent 2 messages that did not arrive': { type: 'missing', count: 2 },
    '0x978d: a message could not be authenticated; it was dropped': {
      type: 'notice',
      code: 'frame_refused',
    },
    '0x0001, 0x0002 have not been heard yet and may not be here at all': {
      type: 'unconfirmed',
      tags: ['0x0001', '0x0002'],
    },
    '0x0001 has not been heard yet and may not be here at all': {
      type: 'unconfirmed',
      tags: ['0x0001'],
    },
    '9 of those who should be here have not been heard yet and may not be here at all': {
      type: 'unconfirmed',
      tags: Array(9).fill('0x0001'),
    },
  };
  for (const [expected, event] of Object.entries(lines))
    assert.equal(words(row({ ...about, ...event })), expected);
  assert.equal(
    words(row({ type: 'notice', code: 'draining', tag: null })),
    'the relay is about to restart; reconnecting by itself',
  );
  assert.equal(words(row({ type: 'notice', code: 'unheard_of', tag: null })), 'unheard_of');
});

test('what has no line has no row', () => {
  for (const type of ['delivered', 'state', 'epoch_changed', 'of_the_future', 'me']) {
    if (type !== 'me') assert.equal(row({ type }), null);
  }
});

test('holes and lies are grave, comings and goings are not', () => {
  assert.equal(row({ type: 'missing', sender: '0x1', count: 1 }).grave, true);
  assert.equal(row({ type: 'joined', tag: '0x1' }).grave, false);
});

test('an own text stands last until it is ordered, then before what was ordered later', () => {
  const log = new Log();
  const own = log.say(ADA, 'mine', 0);
  log.add(message(4));
  log.add(line('connected again'));
  log.add(message(6));
  assert.deepEqual(log.waiting, [own]);
  log.ordered(own, { life: LIFE, seq: 5 }, 1);
  assert.deepEqual(
    log.rows.map(({ seq }) => seq),
    [4, 0, 5, 6],
  );
  assert.deepEqual(log.waiting, []);
});

test('numbers of another life do not compare', () => {
  const log = new Log();
  log.add(message(90));
  const own = log.say(ADA, 'mine', 0);
  log.ordered(own, { life: 'another', seq: 2 }, 1);
  assert.equal(log.rows.at(-1), own);
});

test('an own text says how far it has come', () => {
  const log = new Log();
  const own = log.say(ADA, 'mine', 0);
  assert.equal(progressOf(own), T.pending);
  log.ordered(own, { life: LIFE, seq: 5 }, 2);
  assert.equal(progressOf(own), T.ordered);
  log.delivered({ life: LIFE, seq: 5, count: 1, of: 2 });
  assert.equal(progressOf(own), 'delivered 1 of 2');
  log.delivered({ life: LIFE, seq: 5, count: 1, of: 1 });
  assert.equal(progressOf(own), T.deliveredAll);
  assert.equal(progressOf({ ...own, progress: 'failed', why: 'so' }), 'not sent: so');
  assert.equal(progressOf({ ...own, progress: 'held' }), T.held);
  const alone = log.say(ADA, 'anybody?', 0);
  log.ordered(alone, { life: LIFE, seq: 6 }, 0);
  assert.equal(progressOf(alone), T.unread);
});

test('a receipt that comes before its order is kept for it', () => {
  const log = new Log();
  const own = log.say(ADA, 'mine', 0);
  log.delivered({ life: LIFE, seq: 5, count: 1, of: 1 });
  log.ordered(own, { life: LIFE, seq: 5 }, 1);
  assert.equal(progressOf(own), T.deliveredAll);
});

test('a receipt of another life or of nobody’s message changes nothing', () => {
  const log = new Log();
  const own = log.say(ADA, 'mine', 0);
  log.ordered(own, { life: LIFE, seq: 5 }, 1);
  log.delivered({ life: 'another', seq: 5, count: 1, of: 1 });
  log.delivered({ life: LIFE, seq: 6, count: 1, of: 1 });
  assert.equal(own.progress, 'ordered');
});

test('a flood grows nothing', () => {
  const log = new Log();
  const wire = new Wire();
  for (let seq = 1; seq <= 10_000; seq++) {
    log.add(message(seq));
    log.delivered({ life: LIFE, seq: -seq, count: 1, of: 1 });
    wire.add(toSeen('in', new Uint8Array(300), 0));
  }
  assert.equal(log.rows.length, MAX_ROWS);
  assert.equal(log.rows.at(-1)?.seq, 10_000);
  assert.deepEqual([wire.frames.length, wire.count, wire.size], [MAX_FRAMES, 10_000, 3_000_000]);
});

test('a message goes on under one head for its sender, for some minutes', () => {
  const first = { ...said(ADA, 'a', 0) };
  assert.equal(goesOn(said(ADA, 'b', 1000), first), true);
  assert.equal(goesOn(said(ADA, 'b', 400_000), first), false);
  assert.equal(goesOn(said({ ...ADA, nick: 'eve' }, 'b', 0), first), false);
  assert.equal(goesOn(said(ADA, 'b', 0), line('x')), false);
  assert.equal(goesOn(line('x'), line('x')), false);
});

test('members are named, counted and described as in the terminal', () => {
  const me = member({ tag: '0x2fab', nick: 'ada', me: true, heard: false });
  const members = [
    me,
    member({}),
    member({ tag: '0x1', presence: 'away' }),
    member({ tag: '0x2', heard: false }),
  ];
  assert.equal(readers(members), 3);
  assert.equal(readers([...members, member({ presence: 'connecting' })]), 3);
  assert.equal(words(already(members)), 'here already: 0x978d, 0x1, 0x2');
  assert.equal(already([me]), null);
  assert.equal(words(already(Array(9).fill(member({})))), '9 others are here: /who');
  assert.equal(
    words(everybody(members)),
    '4 here: 0x2fab (you), 0x978d, 0x1 (away), 0x2 (not heard yet)',
  );
  assert.equal(condition(member({ silent: true })), 'silent');
  assert.equal(condition(me), '');
});

test('members stand in order of their tags, we ourselves before them', () => {
  const given = ['0x0a10', '0x978d', '0x00ff'].map((tag) => member({ tag }));
  const me = member({ tag: '0x2fab', me: true });
  const tags = inOrder([...given, me]).map(({ tag }) => tag);
  assert.deepEqual(tags, ['0x2fab', '0x00ff', '0x0a10', '0x978d']);
  assert.equal(given[0].tag, '0x0a10');
});

test('the connection is described with its countdown', () => {
  const state = {
    transport: /** @type {'none'} */ ('none'),
    attempt: 1,
    nextRetryAt: /** @type {number | null} */ (13),
  };
  assert.equal(describe({ ...state, status: 'reconnecting' }, 10), 'Reconnecting in 3 s');
  assert.equal(describe({ ...state, status: 'reconnecting' }, 12.7), 'Reconnecting');
  assert.equal(
    describe({ ...state, status: 'reconnecting', nextRetryAt: null }, 0),
    'Reconnecting',
  );
  assert.equal(describe({ ...state, status: 'connected' }, 0), 'Connected');
});

test('errors are explained in sentences, and faults of ours quote nothing', () => {
  assert.equal(explain(new RefusedError('full')), 'the room is full');
  assert.equal(explain(new HeldError('so')), 'so');
  assert.equal(explain(new TypeError('secret')), T.fault);
});

test('commands are read as in the terminal', () => {
  assert.equal(read('  \n '), null);
  assert.deepEqual(read('hello '), { type: 'say', text: 'hello ' });
  assert.deepEqual(read('/who '), { type: 'who' });
  assert.deepEqual(read('/nick  ada '), { type: 'nick', nick: 'ada' });
  assert.deepEqual(read('//who'), { type: 'say', text: '/who' });
  assert.deepEqual(read('/who\n/leave'), { type: 'say', text: '/who\n/leave' });
  assert.deepEqual([read('/leave'), read('/quit')], [{ type: 'leave' }, { type: 'leave' }]);
  for (const typed of [
    '/whom',
    '/who me',
    '/ who',
    '/nick',
    '/constructor',
    `/nick ${'x'.repeat(33)}`,
  ]) {
    assert.throws(() => read(typed), UsageError, typed);
  }
});

test('500 code points may be said, 501 not', () => {
  assert.ok(read('😀'.repeat(500)));
  assert.throws(() => read('😀'.repeat(501)), UsageError);
  assert.equal(points('a😀e\u0301'), 4);
});

test('addresses of http stay apart, without what ends a sentence', () => {
  assert.deepEqual(linkify('see https://a.example/x?y=1, (or http://b.example/z).'), [
    'see ',
    { url: 'https://a.example/x?y=1' },
    ', (or ',
    { url: 'http://b.example/z' },
    ').',
  ]);
  assert.deepEqual(linkify('https://a.example/x_(y)'), [{ url: 'https://a.example/x_(y)' }]);
  for (const text of [
    'javascript:alert(1)',
    'ftp://a.example',
    'www.a.example',
    'https://',
    'http://[',
    'data:text/html,x',
  ]) {
    assert.deepEqual(linkify(text), [text]);
  }
  assert.deepEqual(linkify(''), []);
});

test('nothing that people write turns the direction or hides', () => {
  assert.equal(clean('a\u202eb\u2066c\u200bd\ufeffe\x1b[0m\x00'), 'abcde[0m');
  assert.equal(clean('a\r\nb\u2028c\td'), 'a\nb\nc d');
  assert.equal(clean('\ud800x'), 'x');
  assert.equal(clean('👩\u200d👩\u200d👧 می\u200cخواهم'), '👩\u200d👩\u200d👧 می\u200cخواهم');
  assert.equal(clean('pay\u200dpal'), 'paypal');
  assert.equal(cleanNick(' a\nb '), 'a b');
  assert.equal(cleanNick(null), '');
});

test('a tag has sixteen bits, and a sign of all of them', () => {
  assert.equal(bits('0xbeac').join(''), '1011111010101100');
});

test('tags are told apart on either ground at 4.5 to 1', () => {
  const css = readFileSync(new URL('../../static/style.css', import.meta.url), 'utf8');
  const of = (/** @type {string} */ name) =>
    [...css.matchAll(new RegExp(`--${name}: ([^;]+);`, 'g'))].map(([, value]) => value);
  const seen = new Set();
  for (const theme of [0, 1]) {
    const light = Number(of('light')[theme]);
    for (const name of ['ground', 'raised']) {
      const ground = luminance(rgbOf(of(name)[theme]));
      for (let index = 0; index < 16; index++) {
        const { hue, chroma } = tint(`0x${index.toString(16).padStart(4, '0')}`);
        seen.add(`${hue} ${chroma}`);
        const ratio = contrast(ground, luminance(fromOklch(light, chroma, hue)));
        assert.ok(ratio >= 4.5, `${name} ${theme}, tag ${index}: ${ratio.toFixed(2)}`);
      }
      for (const ink of ['ink', 'soft', 'accent', 'bad']) {
        const ratio = contrast(ground, luminance(rgbOf(of(ink)[theme])));
        assert.ok(ratio >= 4.5, `${ink} on ${name} ${theme}: ${ratio.toFixed(2)}`);
      }
    }
  }
  assert.equal(seen.size, 16);
});

/** @param {string} hex linear red, green, blue */
const rgbOf = (hex) =>
  [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
const luminance = (/** @type {number[]} */ [r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
const contrast = (a = 0, b = 0) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);

function fromOklch(l = 0, chroma = 0, hue = 0) {
  const [a, b] = [Math.cos, Math.sin].map((turn) => chroma * turn((hue * Math.PI) / 180));
  const [x, y, z] = [
    l + 0.3963377774 * a + 0.2158037573 * b,
    l - 0.1055613458 * a - 0.0638541728 * b,
    l - 0.0894841775 * a - 1.291485548 * b,
  ].map((each) => each ** 3);
  return [
    4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z,
    -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z,
    -0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z,
  ].map((each) => Math.min(1, Math.max(0, each)));
}

test('frames are read as the relay reads them', () => {
  const frame = Uint8Array.of(
    0x11,
    1,
    0x97,
    0x8d,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    2,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    7,
    99,
    98,
  );
  const seen = toSeen('in', frame, 5);
  assert.deepEqual(
    { ...seen, bytes: null },
    {
      direction: 'in',
      at: 5,
      kind: 'application',
      tag: '0x978d',
      seq: 258,
      fence: 7,
      size: 22,
      text: null,
      bytes: null,
      open: 20,
    },
  );
  const post = new Uint8Array(301).fill(1);
  post[0] = 1;
  post.fill(0, 9, 16);
  post[16] = 4;
  assert.deepEqual(
    [toSeen('out', post, 0).kind, toSeen('out', post, 0).fence, toSeen('out', post, 0).open],
    ['post', 4, 17],
  );
  assert.equal(
    toSeen('in', Uint8Array.of(0x13, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9), 0).seq,
    9,
  );
  assert.equal(toSeen('in', Uint8Array.of(0x12, 0, 0, 0, 0, 0, 0, 0, 3, 1), 0).fence, 3);
  assert.equal(toSeen('in', Uint8Array.of(0x7f), 0).kind, '?');
  assert.equal(toSeen('in', new Uint8Array(0), 0).kind, '?');
});

test('text frames are kept as they are, long ones cut, and large binary ones too', () => {
  const text = '{"type":"away","seq":7,"tag":"0x978d"}';
  assert.deepEqual([toSeen('in', text, 0).kind, toSeen('in', text, 0).text], ['away', text]);
  const big = new Uint8Array(100_000);
  const seen = toSeen('in', big, 0);
  assert.equal(seen.bytes?.length, MAX_BYTES);
  assert.equal(seen.bytes?.buffer.byteLength, MAX_BYTES);
  assert.equal(seen.size, 100_000);
});
