// What is said, where it goes wrong; the plain ways are played by whole rooms.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equal, hex, uint, utf8 } from '../../static/js/bytes.js';
import { parse, serialize } from '../../static/js/content.js';
import * as errors from '../../static/js/errors.js';
import { FORGOTTEN } from '../../static/js/link.js';
import { Identity } from '../../static/js/mls/mls.js';
import { Roster } from '../../static/js/roster.js';
import { Stay } from '../../static/js/stay.js';
import { Talk } from '../../static/js/talk.js';

/** @typedef {any} Any */

const { AuthenticationError, ForeignError, HeldError, LimitError, RefusedError, StateError } =
  errors;
const TAGS = ['0x1000', '0x1001', '0x1002'];
const KEYS = TAGS.map((_, i) => new Uint8Array(32).fill(i + 1));
const [, A, B] = KEYS.map(hex);

/** A room of three, without its cryptography: we are leaf 0, and sealed is what is said. */
function stand() {
  let drawn = 0;
  const draw = (/** @type {number} */ n) => (n === 4 ? new Uint8Array(4) : uint(++drawn, n));
  const stay = /** @type {Any} */ (new Stay('host', FORGOTTEN, Identity.forgotten(), draw));
  const members = TAGS.map((tag, leaf) => ({ leaf, tag, signatureKey: KEYS[leaf] }));
  /** @type {{ reference: Any, said: Any }[]} */
  const posts = [];
  const at = /** @type {Any} */ ({ leaf: 1, error: null, fault: null });
  const group = {
    members,
    me: members[0],
    decrypt: async (/** @type {Any} */ message) => {
      if (at.error) throw at.error;
      return { member: members[at.leaf], generation: 0, content: message };
    },
    openRepair: async (
      /** @type {Any} */ key,
      /** @type {number} */ counter,
      /** @type {Any} */ part,
    ) => {
      if (at.fault) throw at.fault;
      if (!equal(key, KEYS[at.leaf]) || part[0] !== counter) throw new AuthenticationError();
      return part.subarray(1);
    },
  };
  Object.assign(stay, {
    group,
    identity: { signatureKey: KEYS[0] },
    life: new Uint8Array(8),
    fence: 7,
    tag: TAGS[0],
    phase: 'joined',
    unseal: async (/** @type {Any} */ frame) => frame.sealed,
    post: async (/** @type {Any} */ reference, /** @type {Any} */ data) => {
      posts.push({ reference, said: parse(data) });
    },
  });
  const roster = new Roster();
  roster.seated(TAGS, []);
  const talk = new Talk(stay, roster);
  let seq = 100;

  /** Let a leaf say something, at once. @param {number} leaf @param {Any} said */
  async function hear(leaf, said, now = 0) {
    at.leaf = leaf;
    stay.now = now;
    const sealed = said instanceof Uint8Array ? said : serialize(said);
    await talk.heard(/** @type {Any} */ ({ tag: TAGS[leaf], seq: ++seq, fence: 7, sealed }), now);
    return events();
  }
  /** @returns {Any[]} */
  const effects = () => stay.effects.splice(0);
  const events = () => effects().flatMap(({ type, event }) => (type === 'emit' ? [event] : []));
  /** What was posted since. */
  const posted = () => posts.splice(0);
  /** Flush and let the relay order all of it. */
  async function order(now = 0) {
    stay.now = now;
    await talk.flush(now);
    const sent = posted();
    for (const { reference } of sent) {
      stay.seq = seq;
      talk.acknowledged({ type: 'ack', reference, seq: ++seq }, now);
    }
    return sent.map(({ said }) => said);
  }
  return { stay, roster, talk, at, hear, effects, events, posted, order, seq: () => seq };
}

/** @param {number} counter */
const text = (
  counter,
  words = `${counter}`,
  base = 0,
  nick = /** @type {string | null} */ (null),
) => ({
  type: 'text',
  counter,
  base,
  nick,
  text: words,
});

/** What of some events a person reads. @param {Any[]} events */
const read = (events) =>
  events.map(({ type, text: words, late, count, code }) => {
    if (type === 'message') return late ? [words] : words;
    return type === 'missing' ? count : (code ?? type);
  });

test('R30: the same counter with another text is shown as equivocation', async () => {
  const { hear, seq } = stand();
  assert.deepEqual(read(await hear(1, text(1, 'yes'))), ['yes']);
  assert.deepEqual(await hear(1, text(1, 'yes')), []);
  const place = { nick: null, life: 'AAAAAAAAAAA' };
  assert.deepEqual(await hear(1, text(1, 'no')), [
    { type: 'equivocation', sender: TAGS[1], ...place, seq: seq() },
  ]);
});

test('voids and unknown types count and show nothing', async () => {
  const { hear } = stand();
  await hear(1, { type: 'void', counter: 1, base: 0 });
  const head = utf8('{"type":"of_tomorrow","counter":2,"base":0,"more":[1]}');
  assert.deepEqual(await hear(1, new Uint8Array([0, head.length, ...head, 1, 2])), []);
  assert.deepEqual(read(await hear(1, text(3, 'next'))), ['next']);
});

test('what cannot be opened is dropped, and shown for what it is', async () => {
  const { hear, at, stay } = stand();
  assert.deepEqual(await hear(1, utf8('\0\x02{}')), [
    { type: 'notice', code: 'frame_refused', tag: TAGS[1] },
  ]);
  const cases = /** @type {const} */ ([
    [new StateError(''), 'relay_mislabels'],
    [new AuthenticationError(), 'frame_refused'],
    [new errors.FrameError(''), 'frame_refused'],
  ]);
  for (const [error, code] of cases) {
    at.error = error;
    assert.deepEqual(read(await hear(1, text(1))), [code]);
  }
  for (const error of [new ForeignError(), new LimitError(''), new TypeError()]) {
    at.error = error;
    await assert.rejects(hear(1, text(1)), error);
  }
  assert.equal(stay.heard.size, 0);
});

test('R33: a hole holds back and is named after ten seconds', async () => {
  const { talk, hear, events, stay } = stand();
  assert.deepEqual(read(await hear(1, text(1))), ['1']);
  assert.deepEqual(await hear(1, text(4)), []);
  assert.equal(talk.deadline(0, { mayPost: false }), 10);
  await hear(1, text(6), 4);
  stay.now = 10;
  talk.tick(9.9);
  assert.deepEqual(events(), []);
  stay.seq = 50;
  talk.tick(10);
  const [missing, late] = events();
  const place = { nick: null, life: 'AAAAAAAAAAA' };
  assert.deepEqual(missing, { type: 'missing', sender: TAGS[1], count: 2, ...place, seq: 50 });
  const message = { sender: TAGS[1], text: '4', ...place, seq: 102, late: true };
  assert.deepEqual(late, { type: 'message', ...message });
});

test('R33: what comes late fills the hole', async () => {
  const { hear, talk } = stand();
  await hear(1, text(2));
  assert.deepEqual(read(await hear(1, text(1))), ['1', ['2']]);
  assert.equal(talk.deadline(0, { mayPost: false }), null);
});

test('R33: a hole of who is away, or expected, waits', async () => {
  for (const why of ['away', 'expected']) {
    const { hear, talk, roster, stay } = stand();
    await hear(1, { type: 'pulse', counter: 1, base: 0, nick: null, received: [] });
    assert.equal(talk.deadline(0, { mayPost: false }), 10);
    if (why === 'away') roster.away(TAGS[1]);
    else talk.went([], new Set([A]));
    assert.equal(talk.deadline(0, { mayPost: false }), null, why);
    talk.tick(10);
    assert.deepEqual(stay.effects, []);
  }
});

test('R33: after we slept, or got a seat again, every hole has its time anew', async () => {
  const { hear, talk } = stand();
  await hear(1, { type: 'pulse', counter: 1, base: 0, nick: null, received: [] });
  talk.slept(9);
  assert.equal(talk.deadline(9, { mayPost: false }), 19);
  talk.entered(12);
  assert.equal(talk.deadline(12, { mayPost: false }), 22);
});

test('a nickname in a message is told once, before it', async () => {
  const { hear } = stand();
  const events = [
    ...(await hear(1, text(1, 'a', 0, 'Ada'))),
    ...(await hear(1, text(2, 'b', 0, 'Ada'))),
    ...(await hear(1, { type: 'nick', counter: 3, base: 0, nick: 'Eve' })),
    ...(await hear(1, { type: 'pulse', counter: 3, base: 0, nick: 'Eva', received: [] })),
  ];
  assert.deepEqual(
    events.map(({ type, nick }) => [type, nick]),
    [
      ['nick_changed', 'Ada'],
      ['message', 'Ada'],
      ['message', 'Ada'],
      ['nick_changed', 'Eve'],
      ['nick_changed', 'Eva'],
    ],
  );
});

test('a nickname is told by itself, but by the first pulse if taken before entry', async () => {
  const { talk, order, stay } = stand();
  const { group } = stay;
  stay.group = null;
  talk.rename('Bob');
  stay.group = group;
  assert.deepEqual(await order(), []);
  talk.rename('Eve');
  assert.deepEqual(await order(), [{ type: 'nick', counter: 1, base: 0, nick: 'Eve' }]);
  assert.deepEqual(await order(), []);
  assert.throws(() => talk.rename(''), errors.UsageError);
  talk.entered(1);
  assert.deepEqual(await order(1), [
    { type: 'pulse', counter: 1, base: 0, nick: 'Eve', received: [] },
  ]);
});

test('R31: a text is outstanding until it is ordered and confirmed by all', async () => {
  const { talk, hear, effects, order } = stand();
  const reference = talk.say('a', 0, { strict: false });
  assert.equal(talk.outstanding, 1);
  assert.deepEqual(await order(), [text(1, 'a')]);
  assert.deepEqual(effects(), [{ type: 'settle', reference, outcome: 101 }]);
  const place = { type: 'delivered', life: 'AAAAAAAAAAA', seq: 101, of: 2 };
  for (const [leaf, count] of [
    [1, 1],
    [2, 2],
  ]) {
    assert.equal(talk.outstanding, 1);
    const said = { type: 'pulse', counter: 0, base: 0, nick: null, received: [[0, 1, 1]] };
    assert.deepEqual(await hear(leaf, said), [{ ...place, count }]);
  }
  assert.equal(talk.outstanding, 0);
  assert.deepEqual(await order(5), []);
  assert.equal(talk.deadline(5, { mayPost: true }), 45);
});

test('R31: who leaves is not waited for, and who is back is', async () => {
  const { talk, events, order } = stand();
  talk.say('a', 0, { strict: false });
  await order();
  events();
  const ofs = () => events().map(({ of }) => of);
  talk.left(TAGS[1]);
  talk.left(TAGS[2]);
  assert.deepEqual([ofs(), talk.outstanding], [[1, 0], 0]);
  // Their leaves are there still, but confirm nothing.
  talk.epochBegan(200, 0, { hasNewcomers: false });
  assert.equal(talk.outstanding, 0);
  talk.back(TAGS[1], 0);
  talk.epochBegan(201, 0, { hasNewcomers: false });
  assert.equal(talk.outstanding, 1);
  talk.went([A], new Set());
  assert.deepEqual([ofs(), talk.outstanding], [[0], 0]);
  talk.joined(B, 0, 0);
  assert.equal(talk.outstanding, 1);
});

test('R31: who can read a message is who has a seat, or is expected', async () => {
  const pulse = { type: 'pulse', counter: 0, base: 0, nick: null, received: [[0, 1, 1]] };
  const cases = /** @type {[string, number, (at: ReturnType<typeof stand>) => void][]} */ ([
    ['all', 2, () => {}],
    ['one has left', 1, ({ talk }) => talk.left(TAGS[2])],
    [
      'and came in again',
      2,
      ({ talk }) => {
        talk.left(TAGS[2]);
        talk.joined(B, 0, 0);
      },
    ],
    [
      'and is a member again, after it was none',
      2,
      ({ talk, stay }) => {
        const { members } = stay.group;
        talk.left(TAGS[2]);
        stay.group.members = members.slice(0, 2);
        talk.epochBegan(1, 0, { hasNewcomers: false });
        stay.group.members = members;
      },
    ],
    ['one is expected', 3, ({ talk }) => talk.went([], new Set(['dd']))],
  ]);
  for (const [name, of, happen] of cases) {
    const room = stand();
    happen(room);
    room.talk.say('a', 0, { strict: false });
    await room.order();
    room.effects();
    assert.deepEqual(
      (await room.hear(1, pulse)).map((one) => one.of),
      [of],
      name,
    );
  }
});

test('R33: what a seat that is taken again said has its time anew, and is asked for', async () => {
  const { talk, hear, order } = stand();
  await hear(1, text(2));
  talk.lost();
  talk.back(TAGS[1], 8);
  assert.equal(talk.deadline(8, { mayPost: false }), 18);
  const [ask] = await order(8);
  assert.deepEqual(ask.holes, [[1, 1, 1]]);
});

test('what was on its way goes again, in the next epoch and on the next connection', async () => {
  for (const how of ['epoch', 'connection']) {
    const { talk, posted } = stand();
    talk.say('a', 0, { strict: false });
    talk.entered(0);
    await talk.flush(0);
    if (how === 'epoch') talk.epochBegan(1, 0, { hasNewcomers: false });
    else talk.lost();
    await talk.flush(0);
    const [one, pulse, again, ...rest] = posted();
    assert.deepEqual([one.said.type, pulse.said.type], ['text', 'pulse']);
    assert.deepEqual([again, rest.map(({ said }) => said)], [one, [pulse.said]], how);
  }
});

test('R31: what not all have is told once more after five seconds, in every epoch', async () => {
  const { talk, hear, order } = stand();
  talk.say('a', 0, { strict: false });
  await order();
  const [probe] = await order(5);
  assert.deepEqual(probe.received, [[0, 1, 1]]);
  assert.deepEqual(await order(10), []);
  talk.epochBegan(1, 20, { hasNewcomers: false });
  const [another] = await order(25);
  assert.deepEqual([another.base, another.received], [1, [[0, 1, 1]]]);
  const said = { type: 'pulse', counter: 0, base: 0, nick: null, received: [[0, 1, 1]] };
  for (const leaf of [1, 2]) await hear(leaf, said, 25);
  talk.epochBegan(2, 30, { hasNewcomers: false });
  assert.deepEqual(await order(35), []);
  assert.equal(talk.deadline(35, { mayPost: true }), 70);
});

test('the number of an answer is one of the order', () => {
  const { talk, stay, events } = stand();
  talk.acknowledged({ type: 'ack', reference: new Uint8Array(8), seq: 3 }, 0);
  assert.deepEqual([stay.seq, read(events())], [3, ['relay_gap']]);
});

test('R24: a strict message is held once somebody came, and its counter is not wasted', async () => {
  const { talk, effects, order } = stand();
  const long = 'a'.repeat(501);
  assert.throws(() => talk.say(long, 0, { strict: false }), errors.UsageError);
  const reference = talk.say('a', 0, { strict: true });
  talk.epochBegan(1, 0, { hasNewcomers: true });
  assert.deepEqual(await order(3), []);
  const [{ outcome, ...rest }] = effects();
  assert.deepEqual([rest, outcome.constructor], [{ type: 'settle', reference }, HeldError]);
  talk.say('b', 3, { strict: true });
  assert.deepEqual(await order(3), [text(1, 'b')]);
});

test('R22: a message is tried eight times, then a void takes its counter', async () => {
  const { talk, effects, posted } = stand();
  talk.say('a', 0, { strict: false });
  for (let i = 0; i < 8; i++) {
    await talk.flush(0);
    talk.epochBegan(i, 0, { hasNewcomers: false });
  }
  assert.equal(posted().length, 8);
  await talk.flush(0);
  assert.deepEqual(
    posted().map(({ said }) => said.type),
    ['void'],
  );
  assert.ok(effects()[0].outcome instanceof LimitError);
});

test('what the relay refuses for good is told, and a void that it refuses is dropped', async () => {
  const { talk, effects, posted } = stand();
  const reference = talk.say('a', 0, { strict: false });
  await talk.flush(0);
  const refused = (
    /** @type {string} */ reason,
    retryAfterS = /** @type {number | null} */ (null),
  ) => talk.refused({ type: 'refused', reason, reference, retryAfterS, fence: null }, 0);
  refused('stale');
  assert.equal(talk.outbox.find(reference)?.fence, 7);
  refused('rate', 2);
  assert.equal(talk.deadline(0, { mayPost: true }), 2);
  refused('pace', null);
  assert.deepEqual(effects(), []);
  await talk.flush(2);
  refused('size');
  const [{ outcome }] = effects();
  assert.deepEqual([outcome.constructor, outcome.reason], [RefusedError, 'size']);
  await talk.flush(2);
  refused('size');
  assert.deepEqual(effects(), []);
  assert.deepEqual(
    posted().map(({ said }) => said.type),
    ['text', 'text', 'void'],
  );
  assert.equal(talk.outbox.find(reference), null);
});

test('an answer about what is not known changes nothing', () => {
  const { talk, effects } = stand();
  const reference = new Uint8Array(8);
  for (const reason of ['stale', 'rate', 'size', 'state']) {
    talk.refused({ type: 'refused', reason, reference, retryAfterS: null, fence: null }, 0);
  }
  talk.acknowledged({ type: 'ack', reference, seq: 0 }, 0);
  assert.deepEqual(effects(), []);
});

test('R30: what was ordered before this epoch is in its base, though we learn it later', async () => {
  const { talk, stay, posted } = stand();
  talk.say('a', 0, { strict: false });
  await talk.flush(0);
  const [{ reference }] = posted();
  stay.seq = 12;
  talk.epochBegan(12, 0, { hasNewcomers: false });
  talk.acknowledged({ type: 'ack', reference, seq: 11 }, 0);
  talk.say('b', 0, { strict: false });
  await talk.flush(0);
  assert.deepEqual(
    posted().map(({ said }) => said),
    [text(2, 'b', 1)],
  );
});

test('a relay that does not answer is told, and left', async () => {
  const { talk, effects } = stand();
  talk.say('a', 0, { strict: false });
  await talk.flush(0);
  talk.tick(29.9);
  assert.deepEqual(effects(), []);
  assert.equal(talk.deadline(0, { mayPost: false }), 30);
  talk.tick(30);
  const [notice, reconnect] = effects();
  assert.deepEqual(reconnect, { type: 'reconnect', afterS: null });
  assert.equal(notice.event.code, 'relay_silent');
  talk.tick(31);
  assert.deepEqual(effects(), []);
});

test('R32: what is missing is asked for, of the sender and of a rumour', async () => {
  const { hear, order } = stand();
  await hear(1, text(1));
  await hear(1, text(3));
  assert.deepEqual(
    (await order(0)).map((one) => one.holes),
    [[[1, 2, 2]]],
  );
  await hear(1, text(2));
  assert.deepEqual(await order(2), [
    { type: 'pulse', counter: 0, base: 0, nick: null, received: [[1, 1, 3]] },
  ]);
  // One that we never heard anything of is worth asking for, too.
  await hear(
    2,
    {
      ...{ type: 'pulse', counter: 0, base: 0, nick: null },
      received: [
        [1, 1, 5],
        [2, 1, 0],
      ],
    },
    3,
  );
  assert.deepEqual(
    (await order(3)).map((one) => one.holes),
    [[[1, 4, 5]]],
  );
});

test('R32: repairs fill holes, sealed to us or plain, and what is none of them is told', async () => {
  /** @param {number} counter @param {Any} said */
  const part = (counter, said) => [counter, serialize(said)];
  /** @param {number} counter @param {Any} said */
  const sealed = (counter, said) => [counter, new Uint8Array([counter, ...serialize(said)])];
  const pulse = { type: 'pulse', counter: 1, base: 0, nick: null, received: [] };
  const cases = /** @type {[string, number | null, Any[], Any[]][]} */ ([
    ['plain', null, [part(1, text(1)), part(2, text(2))], [['1'], ['2'], ['3']]],
    ['sealed to us', 0, [sealed(2, text(2)), sealed(1, text(1))], [['1'], ['2'], ['3']]],
    ['to another', 2, [sealed(1, text(1))], []],
    ['of another counter', null, [part(1, text(2)), part(2, text(2))], ['frame_refused']],
    ['not to be opened', 0, [part(1, text(1))], ['frame_refused']],
    ['no content', null, [[1, new Uint8Array(3)]], ['frame_refused']],
    ['no counted content', null, [part(1, pulse), part(2, text(2))], ['frame_refused']],
  ]);
  for (const [name, leaf, parts, shown] of cases) {
    const { hear } = stand();
    await hear(1, text(3));
    const events = await hear(1, {
      type: 'repair',
      counter: 3,
      base: 0,
      leaf,
      parts: parts.sort(),
    });
    assert.deepEqual(read(events), shown, name);
  }
});

test('what goes wrong here is no fault of a repair', async () => {
  const { hear, at } = stand();
  await hear(1, text(2));
  at.fault = new TypeError();
  await assert.rejects(
    hear(1, { type: 'repair', counter: 2, base: 0, leaf: 0, parts: [[1, utf8('')]] }),
    TypeError,
  );
});

test('R34: what comes too late to be in its place is one gap', async () => {
  const { hear } = stand();
  await hear(1, text(4, '4', 3));
  const parts = [1, 2, 3].map((n) => [n, serialize(/** @type {Any} */ (text(n)))]);
  const said = { type: 'repair', counter: 4, base: 0, leaf: null, parts };
  assert.deepEqual(read(await hear(1, said)), [3]);
});

test('R31: what came is confirmed after two seconds', async () => {
  const { hear, order, stay } = stand();
  await hear(1, text(1), 3);
  assert.deepEqual([...stay.heard], [[A, 3]]);
  assert.deepEqual(await order(4.9), []);
  assert.deepEqual(await order(5), [
    { type: 'pulse', counter: 0, base: 0, nick: null, received: [[1, 1, 1]] },
  ]);
});

test('R34: who is heard first with something before is told from where we count, once', async () => {
  const { talk, hear, order } = stand();
  /** @param {number} base */
  const pulse = (base, received = /** @type {Any[]} */ ([])) => ({
    ...{ type: 'pulse', counter: base, base, nick: null, received },
  });
  await hear(2, pulse(0));
  assert.equal(talk.deadline(0, { mayPost: true }), null);
  await hear(1, pulse(5));
  assert.deepEqual(await order(2), [pulse(0, [[1, 6, 5]])]);
  await hear(1, pulse(5), 3);
  assert.equal(talk.deadline(3, { mayPost: true }), 47);
  // It wants to hear that again.
  await hear(1, pulse(5, [[1, 1, 5]]), 4);
  assert.deepEqual(await order(6), [pulse(0, [[1, 6, 5]])]);
});

test('R34: who counts us from later on gets what it should have of before', async () => {
  const { talk, hear, order } = stand();
  talk.say('a', 0, { strict: false });
  await order();
  await hear(1, { type: 'pulse', counter: 0, base: 0, nick: null, received: [[0, 2, 1]] });
  const [{ type, parts }] = await order();
  assert.deepEqual([type, parts.map((/** @type {Any} */ [n]) => n)], ['repair', [1]]);
});

test('R14: whoever comes in is told by one: another that was here will do', async () => {
  const { talk, hear, stay } = stand();
  const tag = TAGS[0];
  const members = Array.from({ length: 17 }, (_, i) => ({
    leaf: i,
    tag,
    signatureKey: uint(i, 32),
  }));
  stay.group.members.push(...members.slice(3));
  talk.joined(A, 1, 0);
  const pulse = { type: 'pulse', counter: 0, base: 0, nick: null, received: [] };
  await hear(1, pulse);
  assert.equal(talk.deadline(0, { mayPost: true }), 0.8);
  await hear(2, pulse);
  assert.equal(talk.deadline(0, { mayPost: true }), null);
});

test('the rate of the relay is believed, whatever it refused', async () => {
  for (const [reason, at] of /** @type {const} */ ([
    ['rate', 6],
    ['pace', 0],
  ])) {
    const { talk, posted } = stand();
    Object.assign(talk.outbox.budget, { rate: 1, burst: 10, tokens: 10, at: 0 });
    talk.entered(0);
    await talk.flush(0);
    const [{ reference }] = posted();
    talk.refused({ type: 'refused', reason, reference, retryAfterS: 3, fence: null }, 0);
    // Three seconds to the next token, and three more to the fourth.
    assert.equal(talk.deadline(0, { mayPost: true }), at);
  }
});

test('R30: whoever was seen to come counts from one', async () => {
  const { talk, hear, events } = stand();
  talk.met(A);
  await hear(1, text(2, '2', 1));
  talk.tick(10);
  assert.deepEqual(read(events()), [1, ['2']]);
});

test('R31: whoever comes in is greeted by all in a small room, by one in a large one', async () => {
  const cases = [
    [16, 0],
    [17, 0.8],
  ];
  for (const [size, at] of cases) {
    const { talk, stay, order } = stand();
    const tag = TAGS[0];
    const others = Array.from({ length: size - 1 }, (_, i) => {
      return { leaf: i + 1, tag, signatureKey: uint(i, 32) };
    });
    stay.group.members = [stay.group.me, ...others];
    talk.joined(A, 1, 0);
    assert.equal(talk.deadline(0, { mayPost: true }), at);
    assert.equal((await order(at)).length, 1);
  }
});

test('of too many senders the one that is forgotten is shown no more, the others are', async () => {
  const { talk, hear, stay, events } = stand();
  const [me] = stay.group.members;
  for (let i = 0; i < 513; i++) {
    const others = { leaf: 1, tag: TAGS[1], signatureKey: uint(i + 9, 32) };
    stay.group.members.splice(0, 3, me, others);
    await hear(1, text(2));
  }
  talk.tick(10);
  const senders = events().map(({ sender }) => sender);
  assert.deepEqual(senders, new Array(2 * 512).fill(TAGS[1]));
});

test('R18: to forget is to drop all that waits', async () => {
  const { talk, hear, order, effects } = stand();
  talk.say('a', 0, { strict: false });
  await order();
  talk.say('b', 0, { strict: false });
  await hear(1, text(2));
  talk.forget();
  effects();
  assert.equal(talk.outstanding, 0);
  talk.tick(30);
  assert.deepEqual(effects(), []);
});
