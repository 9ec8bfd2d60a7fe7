// What members do for the room: offers, removals, fresh keys, by turns; the twin of client/duty.py.

import { RANK_S } from './roster.js';
import { Phase } from './stay.js';

/**
 * @import { Group } from './mls/mls.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 */

const MAX_OFFERERS = 3;
const REFRESH_S = 15 * 60;
const REFRESH_PER_LEAF_S = 30;
const REFRESH_SPREAD = 0.2;
const REFRESH_GAP_S = 10;

/** One member's share. */
export class Duties {
  #stay;
  #roster;
  // Infinity: never.
  #offerAt = Infinity;
  #healAt = Infinity;
  #refreshAt = Infinity;
  #renewAt = Infinity;
  #beganAt = 0;
  #lastCommitAt = 0;

  /** @param {Stay} stay @param {Roster} roster */
  constructor(stay, roster) {
    this.#stay = stay;
    this.#roster = roster;
  }

  get rank() {
    const group = /** @type {Group} */ (this.#stay.group);
    return this.#roster.rank(group.members, group.me.leaf);
  }

  /** @param {number} now */
  committed(now) {
    this.#offerAt = this.#healAt = Infinity;
    this.#lastCommitAt = now;
  }

  /** @param {number} now */
  began(now) {
    this.#renewAt = Infinity;
    this.#beganAt = now;
  }

  /** @param {number} leaves @param {number} now */
  renewed(leaves, now) {
    const jitter = 1 + REFRESH_SPREAD * (2 * this.#stay.fraction() - 1);
    this.#refreshAt = now + Math.max(REFRESH_S, REFRESH_PER_LEAF_S * leaves) * jitter;
  }

  /** @param {number} now */
  othersRenewed(now) {
    this.#refreshAt = Math.max(this.#refreshAt, now + REFRESH_GAP_S);
  }

  /** @param {number} now */
  needed(now) {
    if (this.#stay.phase === Phase.JOINED && this.#offerAt === Infinity) this.planOffer(now);
  }

  /** @param {number} now */
  planOffer(now) {
    const rank = this.rank;
    if (rank < MAX_OFFERERS) this.#offerAt = now + rank * RANK_S;
  }

  /** @param {number} now */
  heal(now) {
    this.#healAt = now + this.rank * RANK_S;
  }

  /** @param {number} now */
  renew(now) {
    if (this.#renewAt < Infinity) return;
    this.#renewAt = Math.max(now + this.rank * RANK_S, this.#beganAt + REFRESH_GAP_S);
  }

  /** Say whether to offer now; asked once. @param {number} now */
  takesOffer(now) {
    if (now < this.#offerAt) return false;
    this.#offerAt = Infinity;
    return true;
  }

  /** The leaves to remove by a commit that is due now, null for no commit. @param {number} now */
  takesCommit(now) {
    const waitS = this.rank * RANK_S;
    const isQuiet = this.#lastCommitAt + waitS <= now;
    const due = isQuiet ? this.#roster.due(this.#stay.others, now, { waitS }) : [];
    const at = Math.min(this.#refreshAt, this.#renewAt, this.#healAt);
    if (!due.length && now < at) return null;
    this.#healAt = Infinity;
    return due;
  }

  stop() {
    this.#offerAt = this.#healAt = this.#renewAt = Infinity;
  }

  deadline() {
    const removeAt = Math.max(this.#roster.deadline(), this.#lastCommitAt) + this.rank * RANK_S;
    return Math.min(this.#offerAt, this.#healAt, this.#refreshAt, this.#renewAt, removeAt);
  }
}
