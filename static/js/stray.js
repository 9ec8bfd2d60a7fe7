// Finding the way back: stranded, unheard, alone or divided (R12 to R14); see client/stray.py.

import { equal, hex } from './bytes.js';
import { candidates } from './entry.js';
import { earliest, keyOf, trim } from './ledger.js';
import { Phase, SILENT_S } from './stay.js';
import { NEED } from './wire.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Candidate, Line } from './entry.js'
 * @import { Group } from './mls/mls.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 * @import { Info } from './wire.js'
 */

const STRANDED_S = 5;
const LOST_S = 10;
export const NEED_S = 2;
const CONFIRM_S = 5;
const SEEK_S = 5;
const MAX_WAIT_S = 60;
const MAX_FOREIGN = 512;

/** 0, 1, 2, 4 .. 60 seconds between tries. */
class Backoff {
  #tries = 0;
  #last = 0;

  /** @param {number} now */
  nextS(now) {
    if (now - this.#last > 2 * MAX_WAIT_S) this.#tries = 0;
    const wait = this.#tries ? Math.min(2 ** (this.#tries - 1), MAX_WAIT_S) : 0;
    this.#tries++;
    this.#last = now + wait;
    return wait;
  }
}

/** Where this member stands towards the others. */
export class Stray {
  #stay;
  #roster;
  line = /** @type {Line | null} */ (null);
  // Infinity is never.
  #until = Infinity;
  #needAt = Infinity;
  #askedAt = 0;
  #rejoins = new Backoff();
  #seeks = new Backoff();
  #seekAfter = 0;
  /** @type {Map<string, number>} tags of which something of another line came, and when */
  #foreign = new Map();
  #confirmBy = Infinity;
  #cameAt = 0;
  #isTold = false;
  #signer = /** @type {Bytes | null} */ (null);

  /** @param {Stay} stay @param {Roster} roster */
  constructor(stay, roster) {
    this.#stay = stay;
    this.#roster = roster;
  }

  get isSeeking() {
    return this.#stay.phase === Phase.JOINED && this.#until < Infinity;
  }

  /** @param {Bytes | null} signer null: we founded the room @param {number} now */
  entered(signer, now) {
    this.stop();
    this.#signer = signer;
    this.#cameAt = now;
    this.#confirmBy = signer ? now + CONFIRM_S : Infinity;
    this.#isTold = false;
  }

  stop() {
    this.line = null;
    this.#until = this.#needAt = Infinity;
  }

  /** @param {Line | null} line @param {number} now */
  strand(line, now) {
    if (this.#stay.phase === Phase.STRANDED) this.leftBehind(line, now);
    else this.#waitFor(line, now + this.#rejoins.nextS(now));
  }

  /** A commit strands or removes us. @param {Line | null} line @param {number} now */
  leftBehind(line, now) {
    this.#waitFor(line, Math.max(now, this.#askedAt + NEED_S / 4));
  }

  /** @param {Line | null} line @param {number} at */
  #waitFor(line, at) {
    this.#stay.phase = Phase.STRANDED;
    this.line = line;
    this.#until = at + (line ? STRANDED_S : LOST_S);
    this.#needAt = at;
  }

  /** Say whether we begin to look. @param {string} tag @param {number} now */
  foreign(tag, now) {
    this.#foreign.delete(tag);
    trim(this.#foreign.set(tag, now), MAX_FOREIGN);
    const wasSeeking = this.isSeeking;
    this.seek(now);
    return this.isSeeking && !wasSeeking;
  }

  /** @param {number} now */
  seek(now) {
    if (this.#stay.phase !== Phase.JOINED || this.isSeeking || now < this.#seekAfter) return;
    this.#needAt = now + this.#seeks.nextS(now);
    this.#until = this.#seekAfter = this.#needAt + SEEK_S;
  }

  /** @param {number} now */
  resume(now) {
    if (this.#until < Infinity) {
      this.#needAt = now;
      this.#until = now + (this.line ? STRANDED_S : LOST_S);
    }
    if (this.#confirmBy < Infinity) this.#confirmBy = now + CONFIRM_S;
    this.#cameAt = Math.max(this.#cameAt, now - SILENT_S / 2);
  }

  /** What is worth joining by, the best first. @param {Info} info */
  async choices(info) {
    const usable = await candidates(this.#stay.keys, info, this.line);
    const isJoined = this.#stay.phase === Phase.JOINED;
    const chosen = isJoined ? usable.filter((one) => this.#isBetter(one)) : usable;
    const astray = this.#hearsOthers ? null : this.#signer;
    /** @param {Candidate} one */
    const isLast = (one) => Number(!!astray && equal(one.inspected.signer.signatureKey, astray));
    return chosen.sort((a, b) => isLast(a) - isLast(b) || order(a.inspected, b.inspected));
  }

  get #hearsOthers() {
    const since = this.#stay.now - SILENT_S;
    return [...this.#stay.heard.values()].some((at) => at > since);
  }

  /** @param {Candidate} other */
  #isBetter({ inspected }) {
    const group = /** @type {Group} */ (this.#stay.group);
    if (equal(inspected.confirmedTranscriptHash, group.confirmedTranscriptHash)) return false;
    return !this.#hearsOthers || (this.#lead() || order(inspected, group)) < 0;
  }

  /** Present seats on ours less those on other lines, by what was heard of them last. */
  #lead() {
    const stay = this.#stay;
    const present = new Set(this.#roster.presentOthers(stay.tag));
    const since = stay.now - SILENT_S;
    const foreign = new Map(
      [...this.#foreign].filter(([tag, at]) => at > since && present.has(tag)),
    );
    let here = 1;
    for (const leaf of stay.others) {
      const at = stay.heard.get(keyOf(leaf)) ?? since;
      if (at <= (foreign.get(leaf.tag) ?? since)) continue;
      foreign.delete(leaf.tag);
      if (present.has(leaf.tag)) here++;
    }
    return here - foreign.size;
  }

  /** Say whether it is time to stop waiting. @param {number} now */
  tick(now) {
    if (this.#stay.phase === Phase.JOINED) this.#lookAround(now);
    if (now >= this.#until) return true;
    if (now >= this.#needAt) {
      this.#needAt = now + NEED_S;
      this.#askedAt = now;
      this.#stay.do({ type: 'send', data: NEED });
    }
    return false;
  }

  /** @param {number} now */
  #lookAround(now) {
    const { heard, others, tag } = this.#stay;
    const present = this.#roster.presentOthers(tag);
    if (this.#confirmBy < Infinity) {
      const unheard = others.filter(
        (leaf) => !heard.has(keyOf(leaf)) && present.includes(leaf.tag),
      );
      if (heard.size || !unheard.length) {
        this.#confirmBy = heard.size || !others.length ? Infinity : now + CONFIRM_S;
      } else if (now >= this.#confirmBy) {
        this.#confirmBy = now + CONFIRM_S;
        const tags = unheard.map((leaf) => leaf.tag);
        if (!this.#isTold) this.#stay.emit({ type: 'unconfirmed', tags });
        this.#isTold = true;
        this.seek(now);
      }
    }
    if (now >= this.#aloneAt) {
      if (present.length) this.seek(now);
      this.#cameAt = now - SILENT_S / 2;
    }
  }

  get #aloneAt() {
    return Math.max(this.#cameAt, ...this.#stay.heard.values(), 0) + SILENT_S;
  }

  deadline() {
    const isJoined = this.#stay.phase === Phase.JOINED;
    const around = isJoined ? [this.#confirmBy, this.#aloneAt] : [];
    return earliest(this.#until, this.#needAt, ...around);
  }
}

/**
 * Highest epoch first, then lowest hash (R13).
 * @typedef {{ epoch: number, confirmedTranscriptHash: Bytes }} Epoch
 * @param {Epoch} a @param {Epoch} b
 */
function order(a, b) {
  const [left, right] = [hex(a.confirmedTranscriptHash), hex(b.confirmedTranscriptHash)];
  return b.epoch - a.epoch || Number(left > right) - Number(left < right);
}
