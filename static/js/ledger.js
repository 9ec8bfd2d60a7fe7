// Completeness: what each sender's counter says of what arrived (R30, R33); see client/ledger.py.

import { hex } from './bytes.js';

/**
 * @typedef {string} Key a signature key in hex
 * @typedef {(key: Key) => boolean} IsAwaited
 */
/** @template T @typedef {{ shown: (T | Gap)[], equivocation: boolean }} Verdict */

export const HOLD_S = 10;
const MAX_HOLD_S = 30;
const MAX_HELD = 64;
const MAX_REMEMBERED = 64;
export const MAX_SENDERS = 512;
export const MAX_WANTED = 64;
const MAX_ASKS = 3;
const LOST_S = 240;

/** @param {{ signatureKey: Uint8Array }} member @returns {Key} */
export const keyOf = ({ signatureKey }) => hex(signatureKey);

/** The first of some times; null is never, as is Infinity. @param {...(number | null)} times */
export function earliest(...times) {
  const at = Math.min(...times.map((time) => time ?? Infinity));
  return at < Infinity ? at : null;
}

/** Drop the oldest. @param {Map<unknown, unknown>} map @param {number} most */
export function trim(map, most) {
  for (const key of map.keys()) {
    if (map.size <= most) break;
    map.delete(key);
  }
}

/** So many contents in a row that did not come, in their place. */
export class Gap {
  /** @param {number} count */
  constructor(count) {
    this.count = count;
  }
}

/** @template T */
class Sender {
  shown = 0;
  /** @type {Set<number>} */
  before = new Set();
  /** @type {[number, number][]} how far its own frames say that it counted, and since when */
  horizons = [];
  rumoured = 0;
  /** @type {Map<number, T>} */
  held = new Map();
  /** @type {Map<number, string>} */
  digests = new Map();
  /** @type {Map<number, number>} */
  asks = new Map();
  lost = { from: 0, until: -Infinity };
  /** @type {Map<number, T>} what it said to us before the first that we heard */
  early = new Map();
  /** When it last sent a repair, to whomever. */
  mended = -Infinity;

  /** @param {number} first @param {number | null} waits until when all waits for what is early */
  constructor(first, waits) {
    this.first = this.next = first;
    this.waits = waits;
  }

  /** How long a hole is held for. @param {number} since */
  until(since) {
    return Math.min(Math.max(since, this.mended) + HOLD_S, since + MAX_HOLD_S);
  }

  /** @param {number} last @param {number} now */
  attest(last, now) {
    const known = this.horizons.at(-1)?.[0] ?? this.next - 1;
    this.rumoured = Math.min(this.rumoured, last);
    if (last <= known) return;
    this.horizons.push([last, now]);
    for (const n of this.asks.keys()) if (known < n && n <= last) this.asks.delete(n);
    if (this.horizons.length > MAX_HELD) {
      const [[, at], [further]] = this.horizons;
      this.horizons.splice(0, 2, [further, at]);
    }
  }

  /** @param {number} counter @param {string} digest */
  remember(counter, digest) {
    this.digests.set(counter, digest);
    trim(this.digests, MAX_REMEMBERED);
  }

  /** @param {number} counter */
  #pop(counter) {
    const item = /** @type {T} */ (this.held.get(counter));
    this.held.delete(counter);
    this.shown = counter;
    this.next = counter + 1;
    return item;
  }

  drain() {
    /** @type {(T | Gap)[]} */
    const items = [];
    while (this.held.has(this.next)) items.push(this.#pop(this.next));
    while (this.horizons[0]?.[0] < this.next) this.horizons.shift();
    for (const n of this.asks.keys()) if (n < this.next) this.asks.delete(n);
    return items;
  }

  release() {
    this.waits = null;
    /** @type {(T | Gap)[]} */
    const items = [];
    for (const [n, item] of [...this.early].sort(([a], [b]) => a - b)) {
      items.push(item);
      this.#reached(n);
    }
    this.early.clear();
    return [...items, ...this.drain()];
  }

  /** @param {number} counter */
  #reached(counter) {
    this.shown = counter;
    this.before.add(counter);
    while (this.before.delete(this.first - 1)) this.first--;
  }

  /** @param {number} last @param {number} now */
  skip(last, now) {
    this.lost = { from: this.lost.until > now ? this.lost.from : this.next, until: now + LOST_S };
    /** @type {(T | Gap)[]} */
    const items = [];
    const held = [...this.held.keys()].filter((n) => n <= last).sort((a, b) => a - b);
    for (const n of held) {
      if (n > this.next) items.push(new Gap(n - this.next));
      items.push(this.#pop(n));
    }
    if (last >= this.next) {
      items.push(new Gap(last + 1 - this.next));
      this.next = last + 1;
    }
    return [...items, ...this.drain()];
  }

  wanted() {
    const last = Math.max(this.horizons.at(-1)?.[0] ?? 0, this.rumoured);
    /** @type {number[]} */
    const wanted = [];
    const isWanted = (/** @type {number} */ n) => (this.asks.get(n) ?? 0) < MAX_ASKS;
    for (let n = Math.max(1, this.first - MAX_WANTED); this.waits !== null && n < this.first; n++) {
      if (!this.early.has(n) && isWanted(n)) wanted.push(n);
    }
    for (let n = this.next; n <= Math.min(last, this.next + MAX_WANTED - 1); n++) {
      if (!this.held.has(n) && isWanted(n)) wanted.push(n);
    }
    return wanted;
  }

  /** @param {number} counter @param {string} digest @param {T} item */
  reachBack(counter, digest, item) {
    this.remember(counter, digest);
    if (this.waits !== null) {
      this.early.set(counter, item);
      const isAll = this.early.size === this.first - 1 || this.early.size > MAX_HELD;
      return isAll ? this.release() : [];
    }
    if (counter <= this.shown) return [new Gap(1)];
    this.#reached(counter);
    return [item];
  }

  /** @param {number} counter @param {string} digest @param {T} item @param {number} now @returns {Verdict<T>} */
  put(counter, digest, item, now) {
    const known = this.digests.get(counter);
    if (known !== undefined || counter < this.next) {
      const equivocation = !!known && !!digest && known !== digest;
      if (equivocation) this.digests.set(counter, '');
      return { shown: [], equivocation };
    }
    this.remember(counter, digest);
    this.held.set(counter, item);
    if (this.waits !== null) {
      return { shown: this.held.size > MAX_HELD ? this.release() : [], equivocation: false };
    }
    const isFull = counter > this.next && this.held.size > MAX_HELD;
    const shown = isFull ? this.skip(Math.min(...this.held.keys()), now) : this.drain();
    return { shown, equivocation: false };
  }
}

/** Every sender's account. @template T */
export class Ledger {
  /** @type {Map<Key, Sender<T>>} */
  #senders = new Map();

  /** Return the account. @param {Key} key @param {number} base @param {number | null} [until] */
  begin(key, base, until = null) {
    const sender = this.#senders.get(key) ?? new Sender(base + 1, base ? until : null);
    this.#senders.delete(key);
    this.#senders.set(key, sender);
    trim(this.#senders, MAX_SENDERS);
    return sender;
  }

  /**
   * @param {Key} key @param {number} counter @param {number} base below `counter`
   * @param {string} digest '' contradicts nothing @param {T} item @param {number} now
   */
  take(key, counter, base, digest, item, now) {
    const sender = this.begin(key, base);
    sender.attest(counter, now);
    return sender.put(counter, digest, item, now);
  }

  /**
   * @param {Key} key @param {number} counter @param {string} digest @param {T} item
   * @param {number} now @returns {Verdict<T>}
   */
  repaired(key, counter, digest, item, now) {
    const sender = this.#senders.get(key);
    if (!sender || counter >= sender.next + MAX_WANTED) return { shown: [], equivocation: false };
    if (counter >= sender.first || sender.digests.has(counter)) {
      return sender.put(counter, digest, item, now);
    }
    return { shown: sender.reachBack(counter, digest, item), equivocation: false };
  }

  /** @param {Key} key @param {number} last @param {number} base @param {number} now */
  attest(key, last, base, now) {
    this.begin(key, base).attest(last, now);
  }

  /** A sender sends again what some lack. @param {Key} key @param {number} now */
  mending(key, now) {
    const sender = this.#senders.get(key);
    if (sender) sender.mended = now;
  }

  /** @param {Key} key @param {number} last */
  rumour(key, last) {
    const sender = this.#senders.get(key);
    if (sender) sender.rumoured = Math.max(sender.rumoured, last);
  }

  /** @param {Key} key */
  knows(key) {
    return this.#senders.has(key);
  }

  /** @param {Key} key @param {number} now @returns {[number, number] | null} */
  received(key, now) {
    const sender = this.#senders.get(key);
    if (!sender) return null;
    const { first, next, lost } = sender;
    return [first, (now < lost.until ? Math.max(lost.from, first) : next) - 1];
  }

  /** @param {Key} key */
  wants(key) {
    return !!this.#senders.get(key)?.wanted().length;
  }

  wanted() {
    /** @type {Map<Key, number[]>} */
    const wanted = new Map();
    for (const [key, sender] of this.#senders) {
      const counters = sender.wanted();
      if (counters.length) wanted.set(key, counters);
    }
    return wanted;
  }

  /** @param {Key} key @param {number} first @param {number} last */
  asked(key, first, last) {
    const sender = this.#senders.get(key);
    if (!sender) return;
    const { asks, next, waits } = sender;
    for (let n = Math.max(first, waits === null ? next : 1); n <= last; n++)
      asks.set(n, (asks.get(n) ?? 0) + 1);
  }

  /** @param {IsAwaited} isAwaited */
  deadline(isAwaited) {
    const times = [];
    for (const [key, sender] of this.#senders) {
      const { horizons, held, waits } = sender;
      if (waits !== null) times.push(sender.until(waits - HOLD_S));
      else if (horizons.length && (held.size || !isAwaited(key)))
        times.push(sender.until(horizons[0][1]));
    }
    return earliest(...times);
  }

  /** @param {number} now @param {IsAwaited} isAwaited */
  expire(now, isAwaited) {
    /** @type {[Key, (T | Gap)[]][]} */
    const expired = [];
    for (const [key, sender] of this.#senders) {
      if (sender.waits !== null && sender.until(sender.waits - HOLD_S) > now) continue;
      const items = sender.waits === null ? [] : sender.release();
      const due = sender.horizons.filter(([, since]) => sender.until(since) <= now).at(-1);
      if (due && (sender.held.size || !isAwaited(key))) items.push(...sender.skip(due[0], now));
      if (items.length) expired.push([key, items]);
    }
    return expired;
  }

  clear() {
    this.#senders.clear();
  }

  /** @param {number} now @param {Key | null} [key] */
  resume(now, key = null) {
    for (const [owner, sender] of this.#senders) {
      if (key !== null && key !== owner) continue;
      sender.asks.clear();
      sender.horizons = sender.horizons.map(([n]) => [n, now]);
      if (sender.waits !== null) sender.waits = now + HOLD_S;
    }
  }
}
