// The way to the relay: one WebSocket at a time, and when to try the next; see client/transport.py.
// A browser shows neither the relay's pings nor its status in HTTP: every failure to connect is a
// TransportError, and life is asked for by a message that is none of the protocol's.

import { RefusedError, TransportError } from './errors.js';
import { MAX_MESSAGE_BYTES } from './wire.js';

/** @import { Bytes } from './bytes.js' */
/** @import { ClientError } from './errors.js' */
/** @import { Link } from './link.js' */
/**
 * What the shell needs of the browser; `now` in seconds.
 * @typedef {{ now: () => number, setTimeout: (call: () => void, ms: number) => any,
 *   clearTimeout: (timer: any) => void, WebSocket: new (url: string) => WebSocket }} World
 * @typedef {string | Bytes} Data
 */

const BACKOFF_S = [1, 2, 4, 7];
const JITTER = 0.2;
const CONNECT_S = 10;
const CLOSE_S = 1;
const QUIET_S = 20;
const PONG_S = 25;
const PROBE_S = 5;
const LATE_S = 3;
const FINAL_CODE = 4500;
/** @type {Record<number, string>} */
const FINAL_REASON = { 4500: 'refusals', 4502: 'proof', 4503: 'full', 4504: 'superseded' };
const PING = '{"type":"ping"}';
const PONG = '{"type":"pong"}';
const OPEN = 1;

/** 1, 2, 4, 7, 7, ... seconds, each up to a fifth more or less; `draw` gives 0 to 1. */
export class Backoff {
  attempt = 0;
  #draw;

  /** @param {() => number} draw */
  constructor(draw) {
    this.#draw = draw;
  }

  /** How long to wait now; 0, for at once, is granted to the first attempt. @param {number | null} [atLeastS] */
  nextS(atLeastS = null) {
    const base = BACKOFF_S[this.attempt++] ?? BACKOFF_S[BACKOFF_S.length - 1];
    const wait = base * (1 + JITTER * (2 * this.#draw() - 1));
    if (atLeastS === 0) return this.attempt === 1 ? 0 : wait;
    return atLeastS === null ? wait : atLeastS + wait * JITTER;
  }

  reset() {
    this.attempt = 0;
  }
}

/** One open WebSocket. */
export class Connection {
  #socket;
  #world;
  #timer = /** @type {any} */ (null);
  #heardAt;
  #pings = 0;
  #cutAt = Infinity;
  #settle = /** @type {(error: ClientError) => void} */ (() => {});
  /** Why it ended: TransportError when coming back may help, else RefusedError. @type {Promise<ClientError>} */
  ended = new Promise((resolve) => {
    this.#settle = resolve;
  });
  /** @type {(data: Data) => void} */
  onMessage = () => {};
  /** @type {(direction: 'in' | 'out', data: Data, now: number) => void} */
  onFrame = () => {};

  /** @param {WebSocket} socket @param {World} world */
  constructor(socket, world) {
    this.#socket = socket;
    this.#world = world;
    this.#heardAt = world.now();
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code }) => {
      const reason = FINAL_REASON[code] ?? 'closed';
      this.#end(code < FINAL_CODE ? undefined : new RefusedError(reason));
    };
    this.#watch();
  }

  /** @param {Data} data */
  send(data) {
    if (this.#socket.readyState !== OPEN) return;
    this.#socket.send(data);
    this.onFrame('out', data, this.#world.now());
  }

  /** Close when all that was sent is out, or after a second. */
  finish() {
    this.#socket.close();
    this.#world.setTimeout(() => this.cut(), CLOSE_S * 1000);
  }

  /** Close at once; what was sent goes out if it can. */
  cut() {
    this.#socket.close();
    this.#end();
  }

  /** Cut the connection unless the relay answers soon. */
  probe(withinS = PROBE_S) {
    this.#pings++;
    this.#cutAt = Math.min(this.#cutAt, this.#world.now() + withinS);
    this.send(PING);
    this.#watch();
  }

  /** @param {string | ArrayBuffer} given */
  #take(given) {
    const data = typeof given === 'string' ? given : new Uint8Array(given);
    if (data.length > MAX_MESSAGE_BYTES) return this.cut();
    this.#heardAt = this.#world.now();
    this.onFrame('in', data, this.#heardAt);
    if (this.#pings === 0 || typeof data !== 'string' || data !== PONG) {
      this.onMessage(data);
      // What comes before the last answer may have lain here while we slept.
    } else if (--this.#pings === 0) this.#cutAt = Infinity;
  }

  #watch() {
    const at = this.#pings > 0 ? this.#cutAt : this.#heardAt + QUIET_S;
    const wait = at - this.#world.now();
    this.#world.clearTimeout(this.#timer);
    this.#timer = this.#world.setTimeout(() => this.#look(), Math.max(0, wait) * 1000);
  }

  #look() {
    const now = this.#world.now();
    if (now >= this.#cutAt + LATE_S) {
      // We did not run: the answer may be the next that we read.
      this.#cutAt = Infinity;
      this.probe();
    } else if (now >= this.#cutAt) this.cut();
    else if (this.#pings === 0 && now >= this.#heardAt + QUIET_S) this.probe(PONG_S);
    else this.#watch();
  }

  #end(error = /** @type {ClientError} */ (new TransportError('the connection ended'))) {
    this.#world.clearTimeout(this.#timer);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#settle(error);
  }
}

/** Connect to the link's relay; raise TransportError. @param {Link} link @param {World} world @returns {Promise<Connection>} */
export async function openConnection(link, world) {
  let timer;
  /** @type {WebSocket | undefined} */
  let socket;
  try {
    socket = new world.WebSocket(link.websocket);
    const opening = socket;
    opening.binaryType = 'arraybuffer';
    await new Promise((resolve, reject) => {
      timer = world.setTimeout(reject, CONNECT_S * 1000);
      opening.onopen = resolve;
      opening.onclose = reject;
    });
    return new Connection(opening, world);
  } catch {
    socket?.close();
    throw new TransportError('the relay cannot be reached');
  } finally {
    world.clearTimeout(timer);
  }
}
