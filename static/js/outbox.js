// What `say` accepted and the relay has not ordered yet (R16, R22, R24); see client/outbox.py.

import { equal } from './bytes.js';
import { LimitError } from './errors.js';
import { earliest } from './ledger.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Counted } from './content.js'
 * @import { Key } from './ledger.js'
 */

export const MAX_TRIES = 8;
const WINDOW = 8;
export const ANSWER_S = 30;
const MAX_PENDING = 1024;
const GRACE_S = 3;
const EPSILON = 1e-9;

/** One content on its way: a text, else a bare nickname, else a void. */
export class Pending {
  exposed = false;
  /** @type {number | null} */
  counter = null;
  /** @type {number | null} of the last try while its answer is awaited */
  fence = null;
  tries = 0;
  triedAt = 0;
  data = new Uint8Array();
  /** @type {Set<Key> | null} who could read every try that may have been ordered (R32) */
  audience = null;
  isDoubtful = false;

  /**
   * @param {Bytes} reference @param {string | null} text @param {string | null} nick
   * @param {number} sentAt @param {boolean} [strict]
   */
  constructor(reference, text, nick, sentAt, strict = false) {
    this.reference = reference;
    this.text = text;
    this.nick = nick;
    this.sentAt = sentAt;
    this.strict = strict;
  }

  get isVoid() {
    return this.text === null && this.nick === null;
  }

  /** @param {number} counter @param {number} base @returns {Counted} */
  content(counter, base) {
    const { text, nick } = this;
    if (text !== null) return { type: 'text', counter, base, nick, text };
    return nick !== null ? { type: 'nick', counter, base, nick } : { type: 'void', counter, base };
  }

  /** @param {number} now */
  mustHold(now) {
    return this.strict && this.exposed && this.sentAt + GRACE_S <= now;
  }
}

/** The session's token bucket; rate 0: no limit. */
export class Budget {
  constructor(rate = 0, burst = 1, tokens = 1, at = 0) {
    this.rate = rate;
    this.burst = burst;
    this.tokens = tokens;
    this.at = at;
  }

  /** @param {number} now */
  #tokens(now) {
    return Math.min(this.burst, this.tokens + (now - this.at) * this.rate);
  }

  /** @param {number} now */
  take(now, least = 1) {
    if (this.rate === 0) return true;
    this.tokens = this.#tokens(now);
    this.at = now;
    if (this.tokens < Math.min(least, this.burst) - EPSILON) return false;
    this.tokens -= 1;
    return true;
  }

  /** @param {number} now @param {number} retryAt */
  refused(now, retryAt) {
    this.tokens = Math.min(this.tokens, 1 - (retryAt - now) * this.rate);
    this.at = now;
  }

  /** @param {number} now */
  readyAt(now, least = 1) {
    if (this.rate === 0) return now;
    const lacking = Math.min(least, this.burst) - this.#tokens(now);
    return lacking <= EPSILON ? now : now + lacking / this.rate;
  }
}

/** All pending contents of one stay, oldest first. */
export class Outbox {
  budget = new Budget();
  epochBase = 0;
  #ordered = 0;
  /** @type {Pending[]} */
  #queue = [];
  #counter = 0;
  #notBefore = 0;

  get base() {
    const first = earliest(...this.#queue.map((pending) => pending.counter));
    return first === null ? this.#ordered : first - 1;
  }

  /** @param {Pending} pending */
  add(pending) {
    if (this.#queue.length >= MAX_PENDING) {
      throw new LimitError('too many messages are waiting to be sent');
    }
    this.#queue.push(pending);
  }

  get texts() {
    return this.#queue.filter((pending) => pending.text !== null).length;
  }

  get #flying() {
    return this.#queue.filter((pending) => pending.fence !== null);
  }

  /** @param {number} now @returns {Pending | null} */
  next(now) {
    if (now < this.#notBefore) return null;
    let flying = 0;
    for (const pending of this.#queue) {
      if (pending.fence === null) {
        return flying < WINDOW && this.budget.take(now) ? pending : null;
      }
      flying++;
    }
    return null;
  }

  /** Return the counter. @param {Pending} pending @param {number} fence @param {number} now */
  sent(pending, fence, now) {
    pending.triedAt = now;
    pending.counter ??= ++this.#counter;
    pending.fence = fence;
    pending.tries++;
    return pending.counter;
  }

  /** @param {Pending} pending @param {Set<Key>} audience */
  readBy(pending, audience) {
    const before = pending.audience;
    pending.audience = before ? new Set([...before].filter((key) => audience.has(key))) : audience;
  }

  unansweredAt() {
    const first = earliest(...this.#flying.map((pending) => pending.triedAt));
    return first === null ? null : first + ANSWER_S;
  }

  /** @param {number} now */
  waitsAgain(now) {
    for (const pending of this.#queue) pending.triedAt = now;
  }

  /** @param {number} now */
  deadline(now) {
    const flying = this.#flying.length;
    if (flying === this.#queue.length || flying >= WINDOW) return null;
    return Math.max(this.#notBefore, this.budget.readyAt(now));
  }

  /** @param {Bytes} reference */
  accepted(reference) {
    const pending = this.find(reference);
    if (pending === null) return null;
    this.drop(pending);
    this.#ordered = Math.max(this.#ordered, pending.counter ?? 0);
    return pending;
  }

  /** @param {Bytes} reference @param {number} retryAt */
  refused(reference, retryAt) {
    this.#notBefore = Math.max(this.#notBefore, retryAt);
    const pending = this.find(reference);
    if (pending) pending.fence = null;
  }

  /** @param {Bytes} reference @param {number} fence the room's */
  stale(reference, fence) {
    const pending = this.find(reference);
    if (pending === null || pending.fence === null || pending.fence >= fence) return;
    pending.fence = null;
    if (!pending.isDoubtful) pending.audience = null;
  }

  fenceMoved() {
    for (const pending of this.#queue) {
      pending.fence = null;
      if (!pending.isDoubtful) pending.audience = null;
    }
  }

  lost() {
    this.#notBefore = 0;
    for (const pending of this.#queue) {
      pending.isDoubtful ||= pending.fence !== null;
      pending.fence = null;
      pending.tries = 0;
    }
  }

  caughtUp() {
    for (const pending of this.#queue) pending.isDoubtful = false;
  }

  newcomer() {
    for (const pending of this.#queue) pending.exposed = true;
  }

  /** Never send what it says; a void takes its counter, if it had one. @param {Pending} pending */
  giveUp(pending) {
    if (pending.counter === null) {
      this.drop(pending);
      return;
    }
    pending.text = pending.nick = pending.fence = null;
    pending.strict = false;
    pending.tries = 0;
  }

  /** @param {Pending} pending */
  drop(pending) {
    this.#queue = this.#queue.filter((one) => one !== pending);
  }

  /** @param {Bytes} reference */
  find(reference) {
    return this.#queue.find((pending) => equal(pending.reference, reference)) ?? null;
  }

  clear() {
    this.#queue = [];
  }
}
