// Getting the seat back, and what was missed meanwhile; the twin of client/resumption.py.

import { equal } from './bytes.js';
import { StateError } from './errors.js';
import { Phase } from './stay.js';
import { serializeHello, serializeResume } from './wire.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Membership } from './membership.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 * @import { Talk } from './talk.js'
 * @import { Gap, Resumed } from './wire.js'
 */

/** One stay's way back to its seat. */
export class Resumption {
  #stay;
  #roster;
  #talk;
  #membership;
  // Where we were when the connection was lost, and, resumed, how far the replay goes.
  #was = /** @type {string} */ (Phase.OFFLINE);
  #behind = /** @type {number | null} */ (null);
  #fence = 0;
  #mustSkip = false;
  #isWhole = false;

  /** @param {Stay} stay @param {Roster} roster @param {Talk} talk @param {Membership} membership */
  constructor(stay, roster, talk, membership) {
    this.#stay = stay;
    this.#roster = roster;
    this.#talk = talk;
    this.#membership = membership;
  }

  get isCatchingUp() {
    return this.#behind !== null;
  }

  lost() {
    if (this.#stay.isInside) this.#was = this.#stay.phase;
    this.#behind = null;
  }

  /** @param {Bytes} nonce */
  async greet(nonce) {
    const stay = this.#stay;
    const { access, roomId } = stay.keys;
    const signature = await access.signHello(stay.host, roomId, nonce);
    let data;
    if (stay.ticket === null || stay.mark === null) {
      stay.ticket = null;
      data = serializeHello(roomId, access.key, signature);
    } else {
      data = serializeResume(roomId, access.key, signature, stay.ticket, stay.mark, stay.seq);
    }
    stay.send(data);
  }

  /** @param {Resumed} resumed @param {number} now */
  resumed({ life, tag, seq, fence, ticket, messageRate, messageBurst }, now) {
    const stay = this.#stay;
    const isSame = equal(life, stay.life);
    if (fence < stay.fence || (isSame && seq < stay.seq)) {
      stay.notice('relay_equivocates');
      throw new StateError('numbers that go back');
    }
    stay.phase = this.#was;
    stay.tag = tag;
    stay.ticket = ticket;
    const { budget } = this.#talk.outbox;
    budget.rate = messageRate;
    budget.burst = Math.max(1, messageBurst);
    if (!isSame) {
      stay.life = life;
      stay.seq = 0;
      budget.tokens = budget.burst;
      budget.at = now;
      this.#membership.forgetStaged();
    }
    this.#mustSkip = !isSame;
    this.#isWhole = isSame;
    this.#behind = seq;
    this.#fence = fence;
    stay.do({ type: 'enter' });
  }

  /** @param {Gap} gap @param {number} now */
  skipped({ seq, fence, seats, away }, now) {
    if (seq !== this.#behind) throw new StateError('a gap that ends elsewhere');
    this.#mustSkip = this.#isWhole = false;
    this.#stay.seq = seq;
    this.#fence = fence;
    this.#roster.seated(seats, away);
    this.#membership.skipped(fence, now);
    this.#talk.entered(now);
  }

  /** Go on where we were, once everything is here; say whether that is now. @param {number} now */
  advance(now) {
    if (this.#behind === null || this.#mustSkip || this.#stay.seq < this.#behind) return false;
    this.#behind = null;
    if (this.#stay.fence !== this.#fence) throw new StateError('commits were left out');
    if (this.#isWhole) this.#talk.outbox.caughtUp();
    this.#membership.caughtUp(now);
    return true;
  }
}
