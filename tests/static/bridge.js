// JavaScript rooms for tests in Python: orders in JSON lines on stdin, one answer each on stdout.
//
// {"room": id, "do": "create" | "connected" | "received" | ... | "get" | "set" | "call" | ...}
// Whatever names a room is answered with its effects, what it posted, and how it stands. Tests
// reach into rooms, in Python and here: what is private in the page's modules, `#name`, is `_name`
// in this process, and nothing else of them is changed. The other side is tests/node_room.py.

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { register } from 'node:module';
import { createInterface } from 'node:readline';

/** @import { Room as RoomType } from '../../static/js/room.js' */
/** @typedef {any} Any tests look at everything */

const OPEN_PRIVATES = `
  export async function load(url, context, next) {
    const module = await next(url, context);
    if (!url.includes('/static/js/')) return module;
    return { ...module, source: String(module.source).replace(/(?<=[.\\s])#(?=[a-z])/g, '_') };
  }`;
register(`data:text/javascript,${encodeURIComponent(OPEN_PRIVATES)}`);

const { fromHex, hex } = await import('../../static/js/bytes.js');
const errors = await import('../../static/js/errors.js');
const { Link } = await import('../../static/js/link.js');
const { Room } = await import('../../static/js/room.js');

/** One room and whatever of it a test has in its hands. */
class Held {
  /** @type {Any[]} what became of it since the last answer: plain contents that it posted */
  posts = [];
  /** @type {Any[]} accounts of senders that were begun: key and base */
  begun = [];
  /** @type {Map<number, Any>} */
  things = new Map();

  /** @param {RoomType} room */
  constructor(room) {
    this.room = /** @type {Any} */ (room);
    const { _stay: stay, _talk: talk } = this.room;
    const { post } = stay;
    stay.post = (/** @type {Any} */ reference, /** @type {Any} */ data) => {
      this.posts.push([reference, data]);
      return post.call(stay, reference, data);
    };
    const ledger = talk._ledger;
    const { begin } = ledger;
    ledger.begin = (/** @type {Any} */ key, /** @type {Any} */ base, /** @type {Any} */ until) => {
      if (!ledger._senders.has(key)) this.begun.push([key, base]);
      return begin.call(ledger, key, base, until);
    };
  }
}

/** @type {Map<number, Held>} */
const rooms = new Map();
/** @type {WeakMap<object, number>} */
const numbers = new WeakMap();
let lastNumber = 0;

/** @param {Held} held @param {Any} thing what Python shall be able to name */
function nameOf(held, thing) {
  let number = numbers.get(thing);
  if (number === undefined) {
    number = ++lastNumber;
    numbers.set(thing, number);
  }
  held.things.set(number, thing);
  return number;
}

/** @param {Held} held @param {Any} value @returns {Any} */
function encode(held, value) {
  if (value === undefined || value === null) return null;
  if (value === Infinity) return { $: 'infinity' };
  if (typeof value === 'function') return { $: 'function' };
  if (typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return { $: 'bytes', hex: hex(value) };
  if (value instanceof Error) return encodeError(value);
  const inside = (/** @type {Any} */ one) => encode(held, one);
  if (Array.isArray(value)) return value.map(inside);
  if (value instanceof Map || value instanceof Set) {
    const kind = value instanceof Map ? 'map' : 'set';
    return { $: kind, name: nameOf(held, value), items: [...value].map(inside) };
  }
  if (value.constructor === Object) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inside(one)]));
  }
  return { $: 'thing', name: nameOf(held, value), class: value.constructor.name };
}

/** @param {Any} error */
function encodeError(error) {
  const isOurs = error instanceof errors.ClientError;
  const { message, stack, ...fields } = error;
  return {
    $: 'error',
    class: isOurs ? error.constructor.name : null,
    message: isOurs ? error.message : String(error.stack),
    fields: Object.fromEntries(
      Object.entries(fields).map(([key, one]) => [key, one instanceof Uint8Array ? hex(one) : one]),
    ),
  };
}

/** @param {Held | undefined} held @param {Any} value @returns {Any} */
function decode(held, value) {
  if (Array.isArray(value)) return value.map((one) => decode(held, one));
  if (value === null || typeof value !== 'object') return value;
  if (value.$ === 'bytes') return fromHex(value.hex);
  if (value.$ === 'method') {
    const thing = held?.things.get(value.name);
    return thing[value.method].bind(thing);
  }
  if (value.$ === 'thing') return held?.things.get(value.name);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decode(held, one)]));
}

/** Bytes that are the same in every run. @param {string} seed */
function drawing(seed) {
  let count = 0;
  return (/** @type {number} */ outputLength) => {
    const hash = createHash('shake256', { outputLength }).update(`${seed} ${count++}`);
    return new Uint8Array(hash.digest());
  };
}

/** Roughly the bytes of everything that is reached from an object, code aside. @param {Any} root */
function sizeOf(root) {
  const seen = new Set();
  const stack = [root];
  let total = 0;
  while (stack.length) {
    const thing = stack.pop();
    if (typeof thing === 'string') total += 2 * thing.length;
    if (thing === null || typeof thing !== 'object' || seen.has(thing)) continue;
    seen.add(thing);
    total += 64;
    if (thing instanceof Uint8Array) total += thing.length;
    else if (thing instanceof Map) stack.push(...thing.keys(), ...thing.values());
    else if (thing instanceof Set) stack.push(...thing);
    else stack.push(...Object.values(thing));
  }
  return total;
}

/** @param {Held} held */
function standing({ room }) {
  const { phase, tag, life, first, fence, outstanding } = room;
  return { phase, tag, life, first, fence, outstanding };
}

/** @type {Record<string, (held: Held, order: Any, args: Any[]) => Any>} */
const ORDERS = {
  drop: (_, { room }) => {
    rooms.delete(room);
  },
  get: async (held, { name, of }) => {
    const thing = held.things.get(of);
    if (!(name in thing)) throw new TypeError(`${thing.constructor.name} has no ${name}`);
    return thing[name];
  },
  set: (held, { name, of }, [value]) => {
    const thing = held.things.get(of);
    if (!(name in thing)) throw new TypeError(`${thing.constructor.name} has no ${name}`);
    thing[name] = value;
  },
  call: (held, { name, of }, args) => held.things.get(of)[name](...args),
  // As tests.hostile.checks.counts_of.
  counts: ({ room: { _talk: talk, _membership: membership } }) => {
    const senders = [...talk._ledger._senders.values()];
    const most = (/** @type {string} */ name) =>
      Math.max(0, ...senders.map((one) => one[name].size ?? one[name].length));
    return {
      outbox: talk.outbox._queue.length,
      kept: talk.kept._contents.size,
      senders: senders.length,
      held: most('held'),
      horizons: most('horizons'),
      digests: most('digests'),
      asks: most('asks'),
      errands: talk.upkeep._errands.size,
      foreign: membership.stray._foreign.size,
    };
  },
  authenticator: (held, { of }) => held.things.get(of)._epoch.secrets.authenticator,
  size: ({ room }) => sizeOf(room),
  // From now on, or until `mend`, this group cannot be followed any further.
  strand: (held, { of }) => {
    const line = [120, 121, 122].map((byte) => new Uint8Array(32).fill(byte));
    held.things.get(of).follow = async () => {
      throw new errors.StrandedError(line[0], line[1], line[2]);
    };
  },
  mend: (held, { of }) => {
    delete held.things.get(of).follow;
  },
};

/** @param {Any} order */
async function obey(order) {
  if (order.do === 'seed') {
    const draw = drawing(order.seed);
    crypto.getRandomValues = (/** @type {Any} */ array) => {
      array.set(draw(array.length));
      return array;
    };
    return {};
  }
  if (order.do === 'create') {
    const { scheme, host, secret, seed, expectWords } = order;
    const link = new Link(scheme, host, fromHex(secret));
    rooms.set(order.room, new Held(await Room.create(link, drawing(seed), { expectWords })));
  }
  const held = rooms.get(order.room);
  if (!held) throw new TypeError(`there is no room ${order.room}`);
  const args = decode(held, order.args ?? []);
  let value = null;
  let effects = null;
  let error = null;
  try {
    if (order.do in ORDERS) value = await ORDERS[order.do](held, order, args);
    else if (order.do === 'create') value = held.room;
    else if (order.do === 'say') [value, effects] = await held.room.say(...args);
    else if (['members', 'group'].includes(order.do)) value = held.room[order.do];
    else if (['words', 'deadline', 'memberWords'].includes(order.do)) {
      value = await held.room[order.do](...args);
    } else effects = await held.room[order.do](...args);
  } catch (thrown) {
    error = encodeError(thrown);
  }
  const answer = {
    error,
    value: encode(held, value),
    effects: encode(held, effects),
    posts: encode(held, held.posts),
    begun: held.begun,
    group: encode(held, held.room.group),
    state: standing(held),
  };
  held.posts = [];
  held.begun = [];
  return answer;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await obey(JSON.parse(line));
  } catch (error) {
    answer = { error: encodeError(error) };
  }
  writeSync(1, `${JSON.stringify(answer)}\n`);
}
