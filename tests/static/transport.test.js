// Backoff, one connection on a socket by hand, and what tells that the machine slept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Awake } from '../../static/js/awake.js';
import { RefusedError, TransportError } from '../../static/js/errors.js';
import { Link } from '../../static/js/link.js';
import { Backoff, openConnection } from '../../static/js/transport.js';
import { settled, World } from './shell.js';

const LINK = new Link('https', 'relay.example', new Uint8Array(32));
const PING = '{"type":"ping"}';
const PONG = '{"type":"pong"}';

async function opened() {
  const world = new World();
  const opening = openConnection(LINK, world);
  world.socket.opened();
  const connection = await opening;
  /** @type {any[]} */
  const heard = [];
  connection.onMessage = (data) => heard.push(data);
  /** @type {{ error: any }} */
  const end = { error: null };
  connection.ended.then((error) => {
    end.error = error;
  });
  return { world, connection, socket: world.socket, heard, end };
}

test('backoff is 1, 2, 4, 7 and stays', () => {
  const backoff = new Backoff(() => 0.5);
  assert.deepEqual(
    Array.from({ length: 7 }, () => backoff.nextS()),
    [1, 2, 4, 7, 7, 7, 7],
  );
  assert.equal(backoff.attempt, 7);
  backoff.reset();
  assert.equal(backoff.nextS(), 1);
});

test('jitter is a fifth at most', () => {
  for (const [drawn, share] of [
    [0, 0.8],
    [0.25, 0.9],
    [1, 1.2],
  ]) {
    const backoff = new Backoff(() => drawn);
    for (const base of [1, 2, 4, 7]) assert.ok(Math.abs(backoff.nextS() - base * share) < 1e-9);
  }
});

test('attempt at once is granted once', () => {
  const backoff = new Backoff(() => 0.5);
  assert.deepEqual([backoff.nextS(0), backoff.nextS(0), backoff.nextS(0)], [0, 2, 4]);
  backoff.reset();
  assert.equal(backoff.nextS(0), 0);
});

test('time that the relay asks for is kept, and spread', () => {
  assert.equal(new Backoff(() => 0.5).nextS(30), 30.2);
  assert.ok(new Backoff(() => 0).nextS(30) > 30);
});

test('connection is made to the link’s relay, for bytes as they are', async () => {
  const { socket, connection, heard } = await opened();
  assert.equal(socket.url, 'wss://relay.example/v1/connect');
  assert.equal(socket.binaryType, 'arraybuffer');
  connection.send('text');
  connection.send(Uint8Array.of(1));
  assert.deepEqual(socket.sent, ['text', Uint8Array.of(1)]);
  socket.says('answer');
  socket.says(Uint8Array.of(2, 3).buffer);
  assert.deepEqual(heard, ['answer', Uint8Array.of(2, 3)]);
});

test('every message is shown with its direction and time', async () => {
  const { world, socket, connection } = await opened();
  /** @type {any[]} */
  const frames = [];
  connection.onFrame = (...frame) => frames.push(frame);
  connection.send('a');
  world.pass(2);
  socket.says('b');
  assert.deepEqual(frames, [
    ['out', 'a', 1000],
    ['in', 'b', 1002],
  ]);
});

test('relay that cannot be reached, or that takes too long, is a transport error', async () => {
  const world = new World();
  const refused = openConnection(LINK, world);
  world.socket.ended(1006);
  await assert.rejects(refused, TransportError);
  const slow = openConnection(LINK, world);
  world.pass(9.9);
  assert.equal(world.socket.closed, false);
  world.pass(0.2);
  await assert.rejects(slow, TransportError);
  assert.equal(world.socket.closed, true);
  world.WebSocket = /** @type {any} */ (
    class {
      constructor() {
        throw new DOMException('an insecure connection from a secure page', 'SecurityError');
      }
    }
  );
  await assert.rejects(openConnection(LINK, world), TransportError);
  assert.deepEqual(world.timers, []);
});

for (const [code, reason] of /** @type {[number, string | null][]} */ ([
  [1000, null],
  [1006, null],
  [1012, null],
  [4000, null],
  [4010, null],
  [4499, null],
  [4500, 'refusals'],
  [4502, 'proof'],
  [4503, 'full'],
  [4504, 'superseded'],
  [4999, 'closed'],
])) {
  test(`close code ${code} means: ${reason ?? 'come back'}`, async () => {
    const { world, socket, connection } = await opened();
    socket.ended(code);
    const error = await connection.ended;
    if (reason === null) assert.ok(error instanceof TransportError);
    else assert.ok(error instanceof RefusedError && error.reason === reason);
    assert.deepEqual(world.timers, []);
  });
}

test('one timer is enough for all', async () => {
  const { world, connection } = await opened();
  connection.probe();
  connection.probe();
  assert.equal(world.timers.length, 1);
});

test('who has stopped watching sees no sign', () => {
  const { world, calls, sign, awake } = watched();
  sign('online');
  world.pass(1);
  awake.stop();
  sign('online');
  world.pass(100);
  assert.deepEqual(calls, [1]);
});

test('message longer than any of the protocol cuts the connection', async () => {
  const { socket, connection, heard } = await opened();
  socket.says(new ArrayBuffer(4 * 128 * 1024 + 64));
  assert.equal(heard.length, 1);
  socket.says(new ArrayBuffer(4 * 128 * 1024 + 65));
  assert.ok((await connection.ended) instanceof TransportError);
  assert.equal(socket.closed, true);
  socket.says('too late');
  assert.equal(heard.length, 1);
});

test('finishing closes, and cuts after a second', async () => {
  const { world, socket, connection, end } = await opened();
  connection.send('bye');
  connection.finish();
  assert.equal(socket.closed, true);
  connection.send('later');
  assert.deepEqual(socket.sent, ['bye']);
  world.pass(0.9);
  await settled();
  assert.ok(!end.error);
  world.pass(0.1);
  await settled();
  assert.ok(end.error instanceof TransportError);
});

test('quiet connection is asked for a sign of life, and lives by it', async () => {
  const { world, socket, heard, end } = await opened();
  for (let round = 1; round <= 3; round++) {
    world.pass(19.9);
    assert.equal(socket.sent.length, round - 1);
    world.pass(0.2);
    assert.equal(socket.sent.length, round);
    world.pass(24);
    socket.says(PONG);
  }
  await settled();
  assert.ok(!end.error);
  // The room has nothing to do with it.
  assert.deepEqual(heard, []);
  assert.deepEqual(socket.sent, [PING, PING, PING]);
});

test('connection on which something comes is not asked', async () => {
  const { world, socket, heard } = await opened();
  for (let i = 0; i < 10; i++) {
    world.pass(15);
    socket.says(PONG);
  }
  assert.deepEqual(socket.sent, []);
  // Nobody asked: then it is the room's.
  assert.equal(heard.length, 10);
});

test('quiet connection without an answer is cut', async () => {
  const { world, socket, end } = await opened();
  world.pass(20);
  assert.deepEqual(socket.sent, [PING]);
  world.pass(24.9);
  socket.says('something that lay about');
  await settled();
  assert.ok(!end.error);
  world.pass(0.2);
  await settled();
  assert.ok(end.error instanceof TransportError);
  assert.equal(socket.closed, true);
  assert.deepEqual(socket.sent, [PING]);
  assert.deepEqual(world.timers, []);
});

test('probe is answered within five seconds or cuts', async () => {
  const { world, socket, connection, end } = await opened();
  connection.probe();
  world.pass(4.9);
  socket.says(PONG);
  world.pass(10);
  await settled();
  assert.ok(!end.error);
  connection.probe();
  world.pass(4.9);
  socket.says(
    '{"type":"refused","reason":"rate","reference":null,"retry_after_ms":null,"fence":null}',
  );
  world.pass(0.2);
  await settled();
  assert.ok(end.error instanceof TransportError);
});

test('answer that lay here while we slept does not count for what was asked later', async () => {
  const { world, socket, connection, end } = await opened();
  world.pass(20);
  world.pass(10);
  connection.probe();
  assert.deepEqual(socket.sent, [PING, PING]);
  socket.says(PONG);
  world.pass(5);
  await settled();
  assert.ok(end.error instanceof TransportError);
});

test('who slept over the answer asks once more', async () => {
  const { world, socket, connection, end } = await opened();
  connection.probe();
  world.sleep(3600);
  await settled();
  assert.ok(!end.error);
  assert.deepEqual(socket.sent, [PING, PING]);
  socket.says(PONG);
  socket.says(PONG);
  world.pass(10);
  await settled();
  assert.ok(!end.error);
});

function watched() {
  const world = new World();
  /** @type {number[]} */
  const calls = [];
  const awake = new Awake(() => calls.push(world.at - 1000), world);
  awake.start();
  const sign = (/** @type {string} */ name) => world.target.dispatchEvent(new Event(name));
  return { world, calls, awake, sign };
}

test('machine that is awake is left alone', () => {
  const { world, calls } = watched();
  world.pass(3600);
  assert.deepEqual(calls, []);
});

test('clock that went on without us is a sleep, a short delay is none', () => {
  const { world, calls } = watched();
  world.pass(1);
  world.wall += 2.9;
  world.pass(10);
  assert.deepEqual(calls, []);
  world.wall += 3.1;
  world.pass(20);
  assert.deepEqual(calls, [16]);
});

test('burst of signs is one call, and the next comes when it is calm', () => {
  const { world, calls, sign } = watched();
  for (const name of ['offline', 'online', 'pageshow', 'resume', 'visibilitychange']) {
    sign(name);
    world.pass(0.1);
  }
  world.pass(1);
  assert.deepEqual(calls, [1]);
  sign('online');
  world.pass(4.4);
  assert.deepEqual(calls, [1]);
  world.pass(0.2);
  assert.deepEqual(calls, [1, 6]);
});

for (const name of ['online', 'offline', 'pageshow', 'resume', 'visibilitychange']) {
  test(`sign: ${name}`, () => {
    const { world, calls, sign, awake } = watched();
    sign(name);
    world.pass(1);
    assert.equal(calls.length, 1);
    sign(name);
    awake.stop();
    world.wall += 100;
    world.pass(100);
    assert.equal(calls.length, 1);
    assert.deepEqual(world.timers, []);
  });
}
