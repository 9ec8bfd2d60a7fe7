// The API that the page uses, and the shell of one Room: clock, randomness, connection; the twin of
// client/session.py. The room is async here: its inputs stand in a queue, one after another.

import { Awake } from './awake.js';
import { hex } from './bytes.js';
import { checkNick } from './content.js';
import { ClientError, RefusedError, StateError } from './errors.js';
import { Link, parseLink } from './link.js';
import { draw } from './mls/suite.js';
import { Room } from './room.js';
import { Backoff, openConnection } from './transport.js';
import { BYE } from './wire.js';

/** @import { Effect, Event } from './stay.js' */
/** @import { Connection, Data } from './transport.js' */
/**
 * @typedef {{ status: 'connecting' | 'connected' | 'reconnecting' | 'closed',
 *   nextRetryAt: number | null, transport: 'none' | 'websocket', attempt: number }} State
 * @typedef {{ life: string, seq: number }} Sent
 * @typedef {{ nick?: string | null, expectWords?: readonly string[] | null,
 *   insecureRelay?: boolean, onEvent?: (event: Event) => void,
 *   onFrame?: ((direction: 'in' | 'out', data: Data, now: number) => void) | null }} Options
 * @typedef {{ resolve: (value?: any) => void, reject: (error: Error) => void }} Answer
 * @typedef {(room: Room, now: number) => Promise<Effect[]>} Input
 */

const STOP_S = 3;
/** @type {State} */
const CONNECTING = { status: 'connecting', nextRetryAt: null, transport: 'none', attempt: 0 };

/** Seconds that go on evenly. */
export const now = () => performance.now() / 1000;

/** The browser, as far as the shell needs it. */
export const WORLD = {
  now,
  date: () => Date.now() / 1000,
  /** @param {() => void} call @param {number} ms */
  setTimeout: (call, ms) => setTimeout(call, ms),
  /** @param {any} timer */
  clearTimeout: (timer) => clearTimeout(timer),
  get WebSocket() {
    return WebSocket;
  },
  target: globalThis,
  createRoom: Room.create,
};

/** One stay in a room, made by `openRoom`. */
export class RoomSession {
  #link;
  #options;
  #world;
  #awake;
  #room = /** @type {Room | null} */ (null);
  #state = CONNECTING;
  #backoff = new Backoff(() => draw(1)[0] / 256);
  #connection = /** @type {Connection | null} */ (null);
  #queue = /** @type {Promise<unknown>} */ (Promise.resolve());
  #runner = /** @type {Promise<void> | null} */ (null);
  #entered = /** @type {Answer | null} */ (null);
  #hasEntered = false;
  #isClosed = false;
  #order = /** @type {Effect | null} */ (null);
  #timer = /** @type {any} */ (null);
  #isTicking = false;
  #isHurried = false;
  // Whom `retryNow` wakes, and whoever waits for the room to have done something.
  #wake = () => {};
  #stirred = /** @type {Set<() => void>} */ (new Set());
  // By reference, in hex.
  #sends = /** @type {Map<string, Answer>} */ (new Map());
  /** What ended the stay. @type {ClientError | null} */
  error = null;

  /** @param {Link} link @param {Options} [options] */
  constructor(link, options = {}, world = WORLD) {
    this.#link = new Link(link.scheme, link.host, link.secret.slice());
    this.#options = options;
    this.#world = world;
    this.#awake = new Awake(() => this.#lookUp(), world);
    const { nick = null } = options;
    if (nick !== null) checkNick(nick);
  }

  /** Null before the first welcome. */
  get tag() {
    return this.#room?.tag ?? null;
  }

  get members() {
    return this.#room?.members ?? [];
  }

  get state() {
    return this.#state;
  }

  get life() {
    return this.#room?.life ?? '';
  }

  /** Whether nobody was here when we came. */
  get first() {
    return this.#room?.first ?? false;
  }

  async words() {
    return (await this.#room?.words()) ?? [];
  }

  /** @param {string} tag */
  async memberWords(tag) {
    return (await this.#room?.memberWords(tag)) ?? [];
  }

  /** Wait until joined; raise TransportError, RefusedError or VerificationError. */
  async enter() {
    const { nick = null, expectWords = null } = this.#options;
    try {
      this.#room = await this.#world.createRoom(this.#link, draw, { expectWords });
      if (nick !== null) await this.setNick(nick);
      this.#checkOpen();
      await new Promise((resolve, reject) => {
        this.#entered = { resolve, reject };
        this.#runner = this.#run();
      });
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  /**
   * Say `text`; return when the relay has ordered it, through reconnections. With `strict`, raise
   * HeldError instead of telling somebody who came after the call (R24).
   * @param {string} text @param {{ strict?: boolean }} [options] @returns {Promise<Sent>}
   */
  async send(text, { strict = false } = {}) {
    this.#checkOpen();
    let answer = /** @type {Promise<Sent> | null} */ (null);
    await this.#input(async (room, at) => {
      const [reference, effects] = await room.say(text, at, { strict });
      answer = new Promise((resolve, reject) => {
        this.#sends.set(hex(reference), { resolve, reject });
      });
      return effects;
    });
    return answer ?? this.#refuse();
  }

  /** Wait until everybody who should have what we sent has it; say whether they have. @param {number} timeoutS */
  async delivered(timeoutS) {
    const until = this.#world.now() + timeoutS;
    while (!this.#isClosed && this.#room?.outstanding && this.#world.now() < until) {
      await this.#pass(until - this.#world.now(), (stir) => this.#stirred.add(stir));
    }
    this.#checkOpen();
    return !this.#room?.outstanding;
  }

  /** Take a nickname; raise UsageError. @param {string} nick */
  async setNick(nick) {
    this.#checkOpen();
    await this.#input((room, at) => room.rename(nick, at));
  }

  /** Do not wait for the next attempt to connect. */
  retryNow() {
    this.#isHurried = true;
    this.#wake();
  }

  /** Say goodbye, close, and forget the keys. */
  async leave() {
    await this.#input((room, at) => room.leave(at)).catch(() => {});
    this.#end(null);
    this.#connection?.finish();
    if (this.#connection) await Promise.race([this.#runner, this.#pass(STOP_S)]);
    this.forget();
  }

  /** Close and forget at once; the room wipes what it holds when it has done what it is at. */
  forget() {
    const room = this.#room;
    this.#room = null;
    this.#queue = this.#queue.then(() => room?.leave(this.#world.now())).catch(() => {});
    this.#link.secret.fill(0);
    this.#connection?.send(BYE);
    this.#end(null);
    this.#connection?.cut();
    this.retryNow();
  }

  #stir() {
    for (const stir of this.#stirred) stir();
    this.#stirred.clear();
  }

  #checkOpen() {
    if (this.#isClosed || this.#room === null) this.#refuse();
  }

  /** @returns {never} */
  #refuse() {
    throw this.error ?? new StateError('the room was left');
  }

  /** Wait so long, or until what `tell` is given is called. @param {number} seconds @param {(wake: () => void) => void} [tell] */
  async #pass(seconds, tell) {
    let timer;
    await new Promise((/** @type {(value?: any) => void} */ resolve) => {
      timer = this.#world.setTimeout(resolve, seconds * 1000);
      tell?.(resolve);
    });
    this.#world.clearTimeout(timer);
  }

  // The runner: one connection after another

  async #run() {
    try {
      this.#awake.start();
      while (!this.#isClosed) await this.#pause(await this.#once());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Connect and converse; return how long the relay or the room wants us to wait. */
  async #once() {
    this.#order = null;
    this.#isHurried = false;
    let connection;
    try {
      connection = await openConnection(this.#link, this.#world);
    } catch (error) {
      // Who never came in is told at once that there is no relay.
      if (!this.#hasEntered) throw error;
      return null;
    }
    this.#isHurried = false;
    this.#connection = connection;
    connection.onFrame = (...frame) => queueMicrotask(() => this.#options.onFrame?.(...frame));
    connection.onMessage = (data) => this.#spur((room, at) => room.received(data, at));
    if (this.#isClosed) connection.cut();
    this.#spur((room, at) => room.connected(at));
    const error = await connection.ended;
    this.#connection = null;
    await this.#input((room, at) => room.lost(at));
    const order = /** @type {Effect | null} */ (this.#order);
    if (order?.type === 'finish') throw order.error;
    if (order === null && error instanceof RefusedError) {
      if (error.reason === 'superseded') this.#emit({ type: 'superseded' });
      throw error;
    }
    return order?.type === 'reconnect' ? order.afterS : null;
  }

  /** @param {number | null} afterS */
  async #pause(afterS) {
    if (this.#isClosed) return;
    const wait = this.#backoff.nextS(afterS);
    const nextRetryAt = this.#world.now() + wait;
    const { attempt } = this.#backoff;
    this.#setState({ status: 'reconnecting', nextRetryAt, transport: 'none', attempt });
    if (!this.#isHurried) {
      await this.#pass(wait, (wake) => {
        this.#wake = wake;
      });
    }
  }

  /** The machine slept or its network changed: the way to the relay may be another. */
  #lookUp() {
    if (this.#connection === null) this.retryNow();
    // On the way in the room has its own patience, and no message may come before the first answer.
    else if (this.#state.status === 'connected') this.#connection.probe();
  }

  // Inputs and effects

  /** Give the room an input once all that the last one asked for is done. @param {Input} act @returns {Promise<void>} */
  #input(act) {
    const done = this.#queue.then(async () => {
      const room = this.#room;
      const effects = await (room && act(room, this.#world.now()));
      if (effects && this.#room === room) this.#perform(effects);
    });
    this.#queue = done.catch(() => {});
    return done;
  }

  /** The same for what nobody waits for. @param {Input} act */
  #spur(act) {
    this.#input(act).catch((error) => this.#fail(error));
  }

  /** @param {Effect[]} effects */
  #perform(effects) {
    for (const effect of effects) {
      if (effect.type === 'send') this.#connection?.send(effect.data);
      else if (effect.type === 'emit') this.#emit(effect.event);
      else if (effect.type === 'settle') this.#settle(hex(effect.reference), effect.outcome);
      else if (effect.type === 'enter') this.#enter();
      else {
        // What ends the stay counts more than what ends the connection.
        if (this.#order === null || effect.type === 'finish') this.#order = effect;
        this.#connection?.finish();
      }
    }
    this.#stir();
    this.#arm();
  }

  /** Wake the room when it next wants it, unless that stands in the queue already. */
  #arm() {
    const world = this.#world;
    world.clearTimeout(this.#timer);
    const deadline = this.#isClosed ? null : (this.#room?.deadline(world.now()) ?? null);
    if (deadline === null || this.#isTicking) return;
    const tick = () => {
      this.#isTicking = true;
      this.#spur((room, at) => {
        this.#isTicking = false;
        return room.tick(at);
      });
    };
    this.#timer = world.setTimeout(tick, Math.max(0, deadline - world.now()) * 1000);
  }

  #enter() {
    this.#backoff.reset();
    this.#setState({ ...CONNECTING, status: 'connected', transport: 'websocket' });
    this.#hasEntered = true;
    this.#entered?.resolve();
  }

  /** @param {string} key @param {number | ClientError} outcome */
  #settle(key, outcome) {
    const answer = this.#sends.get(key);
    this.#sends.delete(key);
    if (typeof outcome === 'number') answer?.resolve({ life: this.life, seq: outcome });
    else answer?.reject(outcome);
  }

  /** @param {State} state */
  #setState(state) {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = Object.freeze(state);
    this.#emit({ type: 'state', state });
  }

  /** Not now: what the program makes of it must not come between effects. @param {Event} event */
  #emit(event) {
    queueMicrotask(() => this.#options.onEvent?.(event));
  }

  /** An error that may be a fault of ours: nobody may wait for a stay that does not go on. @param {unknown} error */
  #fail(error) {
    const fault = Object.assign(new StateError('the client failed'), { cause: error });
    this.#end(error instanceof ClientError ? error : fault);
    this.#connection?.cut();
    this.retryNow();
  }

  /** The stay is over: whoever waits learns why. @param {ClientError | null} error */
  #end(error) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.error = error;
    this.#awake.stop();
    this.#world.clearTimeout(this.#timer);
    const reason = error ?? new StateError('the room was left');
    for (const answer of [this.#entered, ...this.#sends.values()]) answer?.reject(reason);
    this.#sends.clear();
    this.#setState({ ...CONNECTING, status: 'closed' });
    this.#stir();
  }
}

/**
 * Make a session for the room of `link`; raise LinkError, or UsageError for the nickname.
 * @param {Link | string} link @param {Options} [options]
 */
export function openRoom(link, options = {}) {
  return new RoomSession(typeof link === 'string' ? parseLink(link, options) : link, options);
}
