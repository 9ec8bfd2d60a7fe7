// The shell around a Room: a room, a socket and a clock by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, zeros } from '../../static/js/bytes.js';
import {
  HeldError,
  LinkError,
  RefusedError,
  StateError,
  TransportError,
  UsageError,
  VerificationError,
} from '../../static/js/errors.js';
import { Link, parseLink } from '../../static/js/link.js';
import { now, openRoom, RoomSession, WORLD } from '../../static/js/session.js';
import { settled, World } from './shell.js';

const ENTER = { type: 'enter' };
const MEMBERS = [{ tag: '0x0001' }];
const PING = '{"type":"ping"}';
const PONG = '{"type":"pong"}';

/** @param {unknown} data */
const send = (data) => ({ type: 'send', data });
/** @param {string} code */
const emit = (code) => ({ type: 'emit', event: { type: 'notice', code, tag: null } });

/** A Room that answers as the test says; `acts` is what it was told, in order. */
class FakeRoom {
  /** @type {any[]} */ acts = [];
  /** @type {Record<string, any>} */ answers = {};
  tag = '0x0001';
  life = 'bGlmZQ';
  first = true;
  members = MEMBERS;
  outstanding = 0;
  /** @type {number | null} */ due = null;
  references = 0;
  busy = false;

  /** @param {string} name @param {any[]} given */
  async #act(name, ...given) {
    assert.ok(!this.busy, 'an input came while another was awaited');
    this.busy = true;
    this.acts.push([name, ...given]);
    const answer = this.answers[name] ?? [];
    const effects = await (typeof answer === 'function' ? answer(...given) : answer);
    await null;
    this.busy = false;
    return effects;
  }

  /** @param {number} at */
  connected = (at) => this.#act('connected', at);
  /** @param {number} at */
  lost = (at) => this.#act('lost', at);
  /** @param {any} data @param {number} at */
  received = (data, at) => this.#act('received', data, at);
  /** @param {string} nick @param {number} at */
  rename = (nick, at) => this.#act('rename', nick, at);
  /** @param {number} at */
  tick = (at) => this.#act('tick', at);
  /** @param {number} at */
  leave = (at) => this.#act('leave', at);
  deadline = () => this.due;
  words = async () => ['otter'];
  /** @param {string} tag */
  memberWords = async (tag) => (tag === this.tag ? ['ember'] : null);

  /** @param {string} text @param {number} at @param {any} options */
  async say(text, at, options) {
    const effects = await this.#act('say', text, at, options);
    this.references++;
    return [zeros(8).fill(this.references), effects];
  }

  /** What it was told, without times and answers to nobody. */
  get names() {
    return this.acts.map(([name]) => name);
  }
}

const LINK = new Link('http', 'localhost', zeros(32).fill(7));

/** @param {any} [options] */
function shell(options = {}) {
  const world = new World();
  const room = new FakeRoom();
  /** @type {any[]} */
  const events = [];
  /** @type {any} */
  const made = {};
  const given = { onEvent: (/** @type {any} */ event) => events.push(event), ...options };
  const createRoom = async (/** @type {any[]} */ ...asked) => {
    Object.assign(made, { link: asked[0], draw: asked[1], ...asked[2] });
    return room;
  };
  const all = Object.assign(world, { createRoom });
  const session = new RoomSession(LINK, given, /** @type {any} */ (all));
  const codes = () => events.filter(({ type }) => type === 'notice').map(({ code }) => code);
  const states = () => events.flatMap((e) => (e.type === 'state' ? [e.state.status] : []));
  return { world, room, session, events, made, codes, states };
}

/** @param {any} [options] */
async function entered(options) {
  const all = shell(options);
  const { world, room, session } = all;
  room.answers.received = [ENTER];
  const entering = session.enter();
  await settled();
  world.socket.opened();
  await settled();
  world.socket.says('come in');
  await entering;
  room.answers.received = [];
  room.acts.length = 0;
  await settled();
  all.events.length = 0;
  return all;
}

/** Lose the connection and stand before the next one. @param {any} all */
async function lose({ world }, code = 1006) {
  world.socket.ended(code);
  await settled();
}

test('entering connects, tells the room, and ends when the room says so', async () => {
  const { world, room, session, events, made } = shell({ expectWords: ['a'] });
  let isIn = false;
  const entering = session.enter().then(() => {
    isIn = true;
  });
  assert.deepEqual(session.state, {
    status: 'connecting',
    nextRetryAt: null,
    transport: 'none',
    attempt: 0,
  });
  assert.deepEqual([session.tag, session.members, session.life], [null, [], '']);
  assert.deepEqual([session.first, session.error], [false, null]);
  const nobody = [session.words(), session.memberWords('0x0001')];
  assert.deepEqual(await Promise.all(nobody), [[], []]);
  await settled();
  assert.equal(made.draw(5).length, 5);
  assert.deepEqual(made.expectWords, ['a']);
  assert.equal(hex(made.link.secret), '07'.repeat(32));
  assert.equal(world.socket.url, 'ws://localhost/v1/connect');
  world.socket.opened();
  await settled();
  world.at += 2;
  world.socket.says('challenge');
  await settled();
  assert.deepEqual(room.acts, [
    ['connected', 1000],
    ['received', 'challenge', 1002],
  ]);
  assert.equal(isIn, false);
  room.answers.received = [ENTER];
  world.socket.says(Uint8Array.of(1).buffer);
  await entering;
  const state = { status: 'connected', nextRetryAt: null, transport: 'websocket', attempt: 0 };
  assert.deepEqual(session.state, state);
  assert.deepEqual(events, [{ type: 'state', state }]);
  assert.deepEqual(room.acts[2], ['received', Uint8Array.of(1), 1002]);
  assert.deepEqual([session.tag, session.members, session.life], ['0x0001', MEMBERS, 'bGlmZQ']);
  assert.equal(session.first, true);
  assert.deepEqual(await session.words(), ['otter']);
  assert.deepEqual(await session.memberWords('0x0001'), ['ember']);
  assert.deepEqual(await session.memberWords('0x0002'), []);
});

test('inputs go in one after another, and what one asks for is done before the next', async () => {
  const { world, room, session, codes } = await entered();
  /** @type {((effects: any[]) => void)[]} */
  const open = [];
  room.answers.received = () => new Promise((resolve) => open.push(resolve));
  room.answers.say = [send('said'), { ...emit('said') }];
  for (const data of ['one', 'two']) world.socket.says(data);
  const sending = session.send('hello');
  world.socket.says('three');
  await settled();
  assert.deepEqual(room.names, ['received']);
  open[0]([send(1), emit('a'), send(2)]);
  await settled();
  assert.deepEqual(room.names, ['received', 'received']);
  assert.deepEqual(world.socket.sent, [1, 2]);
  assert.deepEqual(codes(), ['a']);
  open[1]([send(3)]);
  await settled();
  assert.deepEqual(room.names, ['received', 'received', 'say', 'received']);
  assert.deepEqual(world.socket.sent, [1, 2, 3, 'said']);
  open[2]([{ type: 'settle', reference: zeros(8).fill(1), outcome: 5 }]);
  assert.deepEqual(await sending, { life: 'bGlmZQ', seq: 5 });
});

test('program that asks for something while it is told something disturbs nothing', async () => {
  const { world, room, session } = await entered({
    onEvent: (/** @type {any} */ event) => {
      if (event.code === 'a') session.setNick('ada');
    },
  });
  room.answers.received = [emit('a'), send(1), send(2)];
  world.socket.says('one');
  await settled();
  assert.deepEqual(world.socket.sent, [1, 2]);
  assert.deepEqual(room.names, ['received', 'rename']);
});

test('send passes on what it is asked, and fails as the room says', async () => {
  const { world, room, session } = await entered();
  room.answers.say = () => {
    throw new UsageError('too long');
  };
  const refused = session.send('x');
  await assert.rejects(refused, UsageError);
  room.busy = false;
  room.answers.say = [];
  const held = session.send('y', { strict: true });
  await settled();
  assert.deepEqual(room.acts.slice(1), [['say', 'y', 1000, { strict: true }]]);
  const outcome = new HeldError('somebody came');
  room.answers.received = [{ type: 'settle', reference: zeros(8).fill(1), outcome }];
  world.socket.says('one');
  await assert.rejects(held, HeldError);
  // Nobody waits for this one any more.
  world.socket.says('one');
  await settled();
  assert.equal(session.state.status, 'connected');
});

test('nickname is told to the room before anything else, and later', async () => {
  const { world, room, session } = shell({ nick: 'ada' });
  const entering = session.enter();
  await settled();
  world.socket.opened();
  await settled();
  assert.deepEqual(room.acts, [
    ['rename', 'ada', 1000],
    ['connected', 1000],
  ]);
  await session.setNick('bob');
  assert.deepEqual(room.acts[2], ['rename', 'bob', 1000]);
  const left = assert.rejects(entering, StateError);
  session.forget();
  await left;
});

test('who forgets while it is being made does not come in', async () => {
  for (const nick of [null, 'ada']) {
    for (let turns = 0; turns < 12; turns++) {
      const { session, room, world } = shell({ nick });
      const entering = assert.rejects(session.enter(), StateError);
      for (let i = 0; i < turns; i++) await null;
      session.forget();
      await entering;
      assert.equal(session.state.status, 'closed');
      await settled();
      assert.ok(!room.names.includes('connected'));
      // Whatever was made is wiped.
      assert.ok(room.names.includes('leave'));
      assert.deepEqual(world.timers.length, world.sockets.length);
    }
  }
});

test('browser that cannot make a room says why', async () => {
  const { session, world } = shell();
  const fault = new DOMException('no such algorithm', 'NotSupportedError');
  Object.assign(world, { createRoom: () => Promise.reject(fault) });
  await assert.rejects(session.enter(), fault);
  assert.equal(session.state.status, 'closed');
});

test('bad arguments are refused before anything is made', async () => {
  assert.throws(() => openRoom(`http://example.org/#${'A'.repeat(43)}`), LinkError);
  const link = parseLink(`http://example.org/#${'A'.repeat(43)}`, { insecureRelay: true });
  for (const nick of ['', '\x1b[31m']) assert.throws(() => openRoom(link, { nick }), UsageError);
  const insecure = openRoom(link.toUrl(), { insecureRelay: true });
  await assert.rejects(insecure.send('before entering'), StateError);
  await assert.rejects(insecure.setNick('ada'), StateError);
  insecure.forget();
});

test('who cannot reach a relay is told at once', async () => {
  const { world, room, session, states } = shell();
  const entering = session.enter();
  await settled();
  world.socket.ended(1006);
  await assert.rejects(entering, TransportError);
  assert.deepEqual(states(), ['closed']);
  assert.ok(session.error instanceof TransportError);
  assert.ok(room.names.includes('leave'));
  await assert.rejects(session.send('x'), TransportError);
  world.pass(100);
  await settled();
  assert.equal(world.sockets.length, 1);
  assert.deepEqual(world.timers, []);
});

test('relay that cuts while we come in is tried again', async () => {
  const { world, room, session } = shell();
  const entering = session.enter();
  await settled();
  world.socket.opened();
  await settled();
  await lose({ world }, 4010);
  assert.equal(session.state.status, 'reconnecting');
  world.pass(2);
  await settled();
  room.answers.connected = [ENTER];
  world.socket.opened();
  await entering;
  assert.deepEqual(room.names, ['connected', 'lost', 'connected']);
});

test('lost connection comes back after 1, 2, 4 seconds, and the count begins anew', async () => {
  const all = await entered();
  const { world, room, session, states } = all;
  const sending = session.send('waits');
  await lose(all);
  assert.deepEqual(room.acts[0], ['say', 'waits', 1000, { strict: false }]);
  for (const [attempt, wait] of [
    [1, 1],
    [2, 2],
    [3, 4],
  ]) {
    const { status, nextRetryAt, transport } = session.state;
    assert.deepEqual([status, transport, session.state.attempt], ['reconnecting', 'none', attempt]);
    assert.ok(nextRetryAt !== null && Math.abs(nextRetryAt - world.at - wait) <= wait * 0.2);
    const { length } = world.sockets;
    world.pass(nextRetryAt - world.at - 0.01);
    await settled();
    assert.equal(world.sockets.length, length);
    world.pass(0.02);
    await settled();
    assert.equal(world.sockets.length, length + 1);
    if (attempt < 3) await lose(all);
  }
  room.answers.connected = [ENTER];
  world.socket.opened();
  await settled();
  assert.deepEqual(room.names, ['say', 'lost', 'connected']);
  assert.deepEqual(states(), ['reconnecting', 'reconnecting', 'reconnecting', 'connected']);
  room.answers.received = [{ type: 'settle', reference: zeros(8).fill(1), outcome: 9 }];
  world.socket.says('ack');
  assert.equal((await sending).seq, 9);
  await lose(all);
  assert.equal(session.state.attempt, 1);
});

test('who is in a hurry does not wait, but only this once', async () => {
  const all = await entered();
  const { world, session } = all;
  session.retryNow();
  world.socket.ended(1012);
  await settled();
  assert.equal(world.sockets.length, 2);
  await lose(all);
  assert.equal(world.sockets.length, 2);
  session.retryNow();
  await settled();
  assert.equal(world.sockets.length, 3);
  // What was asked for on the way to a connection is old when that ends.
  session.retryNow();
  world.socket.opened();
  await settled();
  await lose(all);
  assert.equal(world.sockets.length, 3);
});

test('room that wants another connection gets it, when it says', async () => {
  const all = await entered();
  const { world, room, session } = all;
  for (const [afterS, least, most] of [
    [30, 30, 30.3],
    [0, 0, 0],
  ]) {
    room.answers.received = [{ type: 'reconnect', afterS }, send('last')];
    room.answers.connected = [ENTER];
    world.socket.says('drain');
    await settled();
    assert.equal(world.socket.closed, true);
    world.socket.ended(1000);
    await settled();
    const wait = /** @type {number} */ (session.state.nextRetryAt) - world.at;
    assert.ok(afterS === 0 || (wait >= least && wait <= most), `${wait}`);
    world.pass(most);
    await settled();
    world.socket.opened();
    await settled();
    assert.equal(session.state.status, 'connected');
  }
});

test('connection that the relay does not close is cut a second after', async () => {
  const { world, room, session } = await entered();
  room.answers.received = [{ type: 'reconnect', afterS: null }];
  world.socket.says('nonsense');
  await settled();
  assert.deepEqual(room.names, ['received']);
  world.pass(1);
  await settled();
  assert.deepEqual(room.names, ['received', 'lost']);
  assert.equal(session.state.status, 'reconnecting');
});

test('what ends the stay counts more than what ends the connection', async () => {
  const all = await entered();
  const { world, room, session, states } = all;
  const sending = session.send('never');
  await settled();
  const error = new RefusedError('full');
  room.answers.received = [
    { type: 'reconnect', afterS: 0 },
    { type: 'finish', error },
    { type: 'reconnect', afterS: 0 },
  ];
  world.socket.says('refused');
  // The close comes while the room is at it still.
  world.socket.ended(4502);
  await assert.rejects(sending, error);
  assert.equal(session.error, error);
  assert.deepEqual(states(), ['closed']);
  assert.deepEqual(room.names, ['say', 'received', 'lost']);
  await assert.rejects(session.send('later'), error);
  await assert.rejects(session.delivered(1), error);
  await assert.rejects(session.setNick('ada'), error);
});

test('entering fails with what the room finds', async () => {
  const { world, room, session } = shell({ expectWords: ['a'] });
  const error = new VerificationError('other words');
  room.answers.received = [{ type: 'finish', error }];
  const entering = session.enter();
  await settled();
  world.socket.opened();
  await settled();
  world.socket.says('info');
  await settled();
  world.socket.ended(1000);
  await assert.rejects(entering, error);
});

for (const [code, reason] of /** @type {[number, string][]} */ ([
  [4500, 'refusals'],
  [4502, 'proof'],
  [4503, 'full'],
  [4999, 'closed'],
])) {
  test(`final close code ${code} ends the stay`, async () => {
    const all = await entered();
    await lose(all, code);
    const { session, world, states } = all;
    assert.equal(session.error?.constructor, RefusedError);
    assert.equal(/** @type {any} */ (session.error).reason, reason);
    assert.deepEqual(states(), ['closed']);
    assert.deepEqual(world.timers, []);
  });
}

test('r27 seat that was resumed elsewhere ends the stay, and that is told', async () => {
  const all = await entered();
  await lose(all, 4504);
  const { events, session } = all;
  assert.deepEqual(
    events.map(({ type }) => type),
    ['superseded', 'state'],
  );
  assert.equal(/** @type {any} */ (session.error).reason, 'superseded');
});

test('room is woken when it wants to be, once', async () => {
  const { world, room, session } = await entered();
  room.due = 1030;
  await session.setNick('ada');
  await settled();
  world.pass(29);
  await settled();
  assert.deepEqual(room.names, ['rename']);
  room.answers.tick = () => {
    room.due = 1050;
    return [send('tick')];
  };
  world.pass(1.5);
  await settled();
  assert.deepEqual(room.acts[1], ['tick', 1030.5]);
  assert.deepEqual(world.socket.sent, [PING, 'tick']);
  world.socket.says(PONG);
  world.pass(19);
  await settled();
  assert.equal(room.acts.length, 2);
  world.pass(0.5);
  await settled();
  assert.deepEqual(room.acts[2], ['tick', 1050]);
});

test('state is told when it is another', async () => {
  const { world, room, events } = await entered();
  room.answers.received = [ENTER];
  world.socket.says('rejoined');
  await settled();
  assert.deepEqual(events, []);
});

test('room that is late is not woken for every message that stands before', async () => {
  const { world, room } = await entered();
  room.due = 1000;
  room.answers.tick = () => {
    room.due = null;
    return [];
  };
  for (let i = 0; i < 5; i++) world.socket.says(`${i}`);
  for (let i = 0; i < 200; i++) {
    world.pass(0);
    await null;
  }
  await settled();
  assert.deepEqual(room.names.filter((name) => name === 'tick').length, 1);
});

test('r34 delivered waits until everybody has it, or as long as asked', async () => {
  const { world, room, session } = await entered();
  assert.equal(await session.delivered(0), true);
  room.outstanding = 1;
  assert.equal(await session.delivered(0), false);
  const [short, long] = [session.delivered(5), session.delivered(50)];
  world.pass(6);
  assert.equal(await short, false);
  world.socket.says('something else');
  await settled();
  room.outstanding = 0;
  world.socket.says('pulse');
  assert.equal(await long, true);
});

test('waiting for delivery ends with the stay', async () => {
  const all = await entered();
  all.room.outstanding = 1;
  const waiting = all.session.delivered(50);
  await settled();
  all.world.socket.ended(4504);
  await assert.rejects(waiting, RefusedError);
});

test('leaving says goodbye, closes, and fails whoever waits', async () => {
  const { world, room, session, states, made } = await entered();
  const sending = session.send('never ordered');
  room.answers.leave = [send('pulse'), send('bye')];
  const leaving = session.leave();
  await assert.rejects(sending, StateError);
  await settled();
  assert.deepEqual(world.socket.sent, ['pulse', 'bye']);
  assert.equal(world.socket.closed, true);
  world.socket.ended(1000);
  await leaving;
  assert.deepEqual(states(), ['closed']);
  assert.equal(session.error, null);
  assert.deepEqual(made.link.secret, zeros(32));
  assert.deepEqual(LINK.secret, zeros(32).fill(7));
  assert.deepEqual([session.tag, session.members], [null, []]);
  await assert.rejects(session.send('late'), StateError);
  await session.leave();
  session.retryNow();
  world.pass(100);
  await settled();
  assert.equal(world.sockets.length, 1);
  assert.deepEqual(world.timers, []);
  assert.deepEqual(world.socket.sent, ['pulse', 'bye']);
  assert.deepEqual(room.names.slice(0, 3), ['say', 'leave', 'lost']);
});

test('who leaves waits for a relay that does not answer, but not for long', async () => {
  const { world, session } = await entered();
  let isOut = false;
  session.leave().then(() => {
    isOut = true;
  });
  await settled();
  assert.equal(isOut, false);
  world.pass(1);
  await settled();
  assert.equal(isOut, true);
});

test('leaving while the relay is waited for does not wait for it', async () => {
  const { world, session } = shell();
  const entering = assert.rejects(session.enter(), StateError);
  await settled();
  await session.leave();
  await entering;
  world.socket.opened();
  await settled();
  assert.equal(world.socket.closed, true);
});

test('leaving before the room is made, or while nothing is tried, is leaving', async () => {
  const one = shell();
  const entering = assert.rejects(one.session.enter(), StateError);
  one.session.forget();
  await entering;
  assert.deepEqual(one.world.sockets, []);
  const two = await entered();
  await lose(two);
  await two.session.leave();
  assert.equal(two.session.state.status, 'closed');
  assert.equal(two.world.sockets.length, 1);
  const three = await entered();
  await lose(three);
  three.session.forget();
  await settled();
  assert.deepEqual(three.world.timers, []);
});

test('fault of ours while no connection stands ends the stay as well', async () => {
  const all = await entered();
  const { world, room, session } = all;
  room.answers.tick = () => {
    throw new TypeError('ours');
  };
  room.due = 1000.1;
  await lose(all);
  world.pass(0.1);
  await settled();
  assert.equal(session.state.status, 'closed');
  assert.deepEqual(world.timers, []);
});

test('forgetting takes effect before it returns', async () => {
  const { world, room, session, made, codes } = await entered();
  /** @type {(effects: any[]) => void} */
  let finish = () => {};
  room.answers.received = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  world.socket.says('one');
  world.socket.says('two');
  await settled();
  const sending = assert.rejects(session.send('never'), StateError);
  session.forget();
  assert.deepEqual(world.socket.sent, ['{"type":"bye"}']);
  assert.equal(world.socket.closed, true);
  assert.equal(session.state.status, 'closed');
  assert.deepEqual([session.tag, session.members, session.life], [null, [], '']);
  assert.deepEqual(made.link.secret, zeros(32));
  finish([send('after'), emit('after')]);
  await sending;
  await settled();
  // What it was at is finished, nothing else is begun but to wipe what it holds.
  assert.deepEqual(room.names, ['received', 'leave']);
  assert.deepEqual(world.socket.sent, ['{"type":"bye"}']);
  assert.deepEqual(codes(), []);
  assert.deepEqual(world.timers, []);
  session.forget();
});

for (const input of ['received', 'tick', 'connected', 'lost']) {
  test(`fault of ours in ${input} ends the stay instead of hanging`, async () => {
    const all = await entered();
    const { world, room, session, states } = all;
    const fault = new TypeError('ours');
    room.answers[input] = () => {
      room.busy = false;
      throw fault;
    };
    room.due = 1001;
    const sending = assert.rejects(session.send('x'), { name: 'StateError', cause: fault });
    await settled();
    if (input === 'received') world.socket.says('one');
    else if (input === 'tick') world.pass(1);
    else {
      world.socket.ended(1006);
      await settled();
      session.retryNow();
      await settled();
      if (input === 'connected') world.socket.opened();
    }
    await sending;
    await settled();
    assert.equal(session.error?.constructor, StateError);
    assert.equal(states().pop(), 'closed');
    assert.equal(world.socket.closed, input !== 'lost');
    assert.deepEqual(world.timers, []);
  });
}

test('every message on the connection is shown', async () => {
  /** @type {any[]} */
  const frames = [];
  const { world, room } = await entered({
    onFrame: (/** @type {any[]} */ ...frame) => frames.push(frame),
  });
  room.answers.received = [send('answer')];
  world.at += 1;
  world.socket.says(Uint8Array.of(1).buffer);
  await settled();
  assert.deepEqual(frames, [
    ['in', 'come in', 1000],
    ['in', Uint8Array.of(1), 1001],
    ['out', 'answer', 1001],
  ]);
});

test('who wakes up tries at once, and keeps a connection that answers', async () => {
  const all = await entered();
  const { world, session, room } = all;
  const wakes = async () => {
    world.target.dispatchEvent(new Event('online'));
    world.pass(5);
    await settled();
  };
  await wakes();
  assert.deepEqual(world.socket.sent, [PING]);
  world.socket.says(PONG);
  world.pass(4);
  await settled();
  assert.equal(session.state.status, 'connected');
  assert.deepEqual(room.names, []);
  await lose(all);
  world.timers = world.timers.filter(({ due }) => due > world.at + 60 || due - world.at > 2);
  await wakes();
  assert.equal(world.sockets.length, 2);
  // On the way in it is left alone.
  world.socket.opened();
  await settled();
  await wakes();
  assert.deepEqual(world.socket.sent, []);
});

test('half-open connection is cut by the probe, and another one made', async () => {
  const { world, session } = await entered();
  world.target.dispatchEvent(new Event('resume'));
  world.pass(1);
  assert.deepEqual(world.socket.sent, [PING]);
  world.pass(5);
  await settled();
  assert.equal(session.state.status, 'reconnecting');
});

test('signs are not watched for longer than the stay', async () => {
  const { world, session } = await entered();
  session.forget();
  await settled();
  world.target.dispatchEvent(new Event('online'));
  assert.deepEqual(world.timers, []);
});

test('browser’s clock goes on in seconds', async () => {
  const before = now();
  await new Promise(
    (resolve) => WORLD.clearTimeout(WORLD.setTimeout(() => {}, 0)) ?? resolve(null),
  );
  await new Promise((resolve) => WORLD.setTimeout(() => resolve(null), 2));
  assert.ok(now() - before >= 0.001 && now() - before < 10);
  assert.ok(Math.abs(WORLD.date() - Date.now() / 1000) < 10);
});
