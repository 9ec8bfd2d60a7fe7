// Who came, who went, who came back, each told once (R5, R6, R32); see client/comings.py.

import { earliest, keyOf } from './ledger.js';

/**
 * @import { Member } from './mls/mls.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 */

export const EXPECTED_S = 60;

/** @param {readonly Member[]} members @returns {Map<string, string>} tags by signature key, in hex */
const tagsOf = (members) => new Map(members.map((leaf) => [keyOf(leaf), leaf.tag]));

/** One stay's view; keys are signature keys in hex. */
export class Comings {
  #stay;
  #roster;
  /** @type {Set<string>} tags */
  #left = new Set();
  /** @type {Map<string, [tag: string, until: number]>} by key */
  #expected = new Map();

  /** @param {Stay} stay @param {Roster} roster */
  constructor(stay, roster) {
    this.#stay = stay;
    this.#roster = roster;
  }

  /** Keys of those who are on their way back. */
  get expected() {
    return new Set(this.#expected.keys());
  }

  /** @param {string} tag */
  seatLeft(tag) {
    this.#left.add(tag);
  }

  /**
   * Tell what an epoch changed; return the keys that are new and those that are gone.
   * @param {readonly Member[]} before @param {readonly Member[]} after @param {number} seq
   * @param {number | null} expectUntil set where our own entry changed everything
   */
  began(before, after, seq, expectUntil) {
    const [old, now] = [tagsOf(before), tagsOf(after)];
    /** @type {Set<string>[]} */
    const [come, gone] = [new Set(), new Set()];
    for (const [key, tag] of now) {
      const previous = this.#expected.get(key)?.[0] ?? old.get(key);
      this.#expected.delete(key);
      const place = { nick: this.#roster.nick(key), life: this.#stay.lifeB64, seq };
      if (previous === undefined) {
        come.add(key);
        this.#stay.emit({ type: 'joined', tag, ...place });
      } else if (previous !== tag) this.#stay.emit({ type: 'back', tag, previous, ...place });
    }
    for (const [key, tag] of old) {
      if (now.has(key)) continue;
      if (expectUntil !== null && !this.#left.has(tag)) this.#expected.set(key, [tag, expectUntil]);
      else {
        gone.add(key);
        this.#tellLeft(key, tag, seq);
      }
    }
    const tags = new Set(now.values());
    for (const tag of this.#left) if (!tags.has(tag)) this.#left.delete(tag);
    return [come, gone];
  }

  /** Return the keys of those who did not come back. @param {number} now */
  expire(now) {
    /** @type {Set<string>} */
    const late = new Set();
    for (const [key, [tag, until]] of this.#expected) {
      if (until > now) continue;
      late.add(key);
      this.#expected.delete(key);
      this.#tellLeft(key, tag, this.#stay.seq);
    }
    return late;
  }

  deadline() {
    return earliest(...[...this.#expected.values()].map(([, until]) => until));
  }

  /** @param {string} key @param {string} tag @param {number} seq */
  #tellLeft(key, tag, seq) {
    this.#stay.heard.delete(key);
    if (this.#left.has(tag)) return;
    const place = { nick: this.#roster.nick(key), life: this.#stay.lifeB64, seq };
    this.#stay.emit({ type: 'left', tag, ...place });
  }
}
