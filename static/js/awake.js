// What the machine knows and a connection does not: it slept, its network is another, the page is
// shown again; see client/awake.py. A sign may be false: whoever is called only looks.

/** @import { World } from './transport.js' */

const TICK_S = 5;
const SLEPT_S = 3;
// Signs come in bursts: one call for all of one, and not more often than this.
const SETTLE_S = 1;
const CALM_S = 5;
const SIGNS = ['online', 'offline', 'pageshow', 'resume', 'visibilitychange'];

/** Calls `call` after a sleep or a change, from `start` until `stop`. */
export class Awake {
  #call;
  #world;
  #lookedAt = 0;
  #calledAt = -CALM_S;
  #tick = /** @type {any} */ (null);
  #pending = /** @type {any} */ (null);

  /** @param {() => void} call @param {World & { date: () => number, target: any }} world */
  constructor(call, world) {
    this.#call = call;
    this.#world = world;
  }

  start() {
    this.#wait();
    for (const name of SIGNS) this.#world.target.addEventListener?.(name, this.#sign);
  }

  stop() {
    for (const name of SIGNS) this.#world.target.removeEventListener?.(name, this.#sign);
    this.#world.clearTimeout(this.#tick);
    this.#world.clearTimeout(this.#pending);
  }

  #wait() {
    // Of the clocks only the wall's is sure to go on while the machine sleeps.
    this.#lookedAt = this.#world.date();
    this.#tick = this.#world.setTimeout(() => {
      if (this.#world.date() - this.#lookedAt >= TICK_S + SLEPT_S) this.#sign();
      this.#wait();
    }, TICK_S * 1000);
  }

  #sign = () => {
    const wait = Math.max(SETTLE_S, this.#calledAt + CALM_S - this.#world.now());
    this.#pending ??= this.#world.setTimeout(() => {
      this.#pending = null;
      this.#calledAt = this.#world.now();
      this.#call();
    }, wait * 1000);
  };
}
