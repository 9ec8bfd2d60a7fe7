// What a client without a seat does with the GroupInfos it is shown; the twin of client/newcomer.py.

import { candidates, stageFounding, stageJoin } from './entry.js';
import {
  AuthenticationError,
  CommitRefusedError,
  RefusedError,
  StateError,
  VerificationError,
} from './errors.js';
import { NEED_S } from './stray.js';
import { NEED } from './wire.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Candidate } from './entry.js'
 * @import { Stay } from './stay.js'
 * @import { Info } from './wire.js'
 */

const UNUSABLE_S = 10;

/** One stay's way in, across as many tries as it takes. */
export class Newcomer {
  #stay;
  #expect;
  #reference = /** @type {Bytes | null} */ (null);
  // Infinity: never.
  #unusableAt = Infinity;
  #needAt = Infinity;
  /** By whose GroupInfo we go in; null: we found the room. */
  signer = /** @type {Bytes | null} */ (null);

  /** @param {Stay} stay @param {readonly string[] | null} expectWords */
  constructor(stay, expectWords) {
    this.#stay = stay;
    this.#expect = expectWords?.join(' ') ?? null;
  }

  lost() {
    this.#unusableAt = this.#needAt = Infinity;
    this.#reference = null;
  }

  entered() {
    this.#expect = this.#reference = null;
  }

  /**
   * Make the commit that lets us in, if this can be; null if not, or not yet.
   * @param {Info} info @param {number} now
   */
  async enter(info, now) {
    const { keys, identity } = this.#stay;
    const tag = /** @type {string} */ (this.#stay.tag);
    this.#reference ??= this.#stay.reference();
    if (info.fence === 0) {
      if (this.#expect !== null) return this.#mistrust('the room is empty: nobody has any words');
      this.signer = null;
      return stageFounding(keys, identity, tag, this.#reference);
    }
    const usable = await candidates(keys, info);
    if (!usable.length) return this.#ask(now);
    const chosen = await this.#choose(usable);
    if (chosen === null) return this.#mistrust("the room's words are not those expected");
    let staged;
    try {
      staged = await stageJoin(keys, identity, tag, chosen, this.#reference);
    } catch (error) {
      if (error instanceof StateError) {
        this.#stay.reconnect(0);
        return null;
      }
      if (error instanceof AuthenticationError || error instanceof CommitRefusedError) {
        return this.#ask(now);
      }
      throw error;
    }
    this.signer = chosen.inspected.signer.signatureKey;
    this.#unusableAt = this.#needAt = Infinity;
    return staged;
  }

  /** @param {string} message */
  #mistrust(message) {
    this.#stay.finish(new VerificationError(message));
    return null;
  }

  /** @param {Candidate[]} usable */
  async #choose(usable) {
    let fitting = usable;
    if (this.#expect !== null) {
      const words = await Promise.all(usable.map((one) => one.words()));
      fitting = usable.filter((_, i) => words[i].join(' ') === this.#expect);
    }
    return fitting.length ? fitting[Math.floor(this.#stay.fraction() * fitting.length)] : null;
  }

  /** @param {number} now */
  #ask(now) {
    if (this.#unusableAt === Infinity) {
      this.#unusableAt = now + UNUSABLE_S;
      this.#stay.notice('unusable');
    }
    if (this.#needAt === Infinity) this.#needAt = now;
    return null;
  }

  /** @param {number} now */
  tick(now) {
    if (now >= this.#unusableAt) {
      this.#stay.finish(new RefusedError('unusable'));
    } else if (now >= this.#needAt) {
      this.#needAt = now + NEED_S;
      this.#stay.send(NEED);
    }
  }

  deadline() {
    return Math.min(this.#unusableAt, this.#needAt);
  }
}
