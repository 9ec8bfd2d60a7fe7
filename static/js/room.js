// One conversation: a state machine of data and `now` in, effects out; the twin of client/room.py,
// where its phases are drawn. One input at a time: nothing may come while another is awaited.

import { equal, hex } from './bytes.js';
import { ForeignError, FrameError, LimitError, RefusedError, StateError } from './errors.js';
import { keyOf, trim } from './ledger.js';
import { Membership } from './membership.js';
import * as mls from './mls/mls.js';
import { Resumption } from './resumption.js';
import { Roster } from './roster.js';
import { Kind } from './seal.js';
import { Phase, Stay } from './stay.js';
import { Talk } from './talk.js';
import { BYE, parseBinary, parseText } from './wire.js';
import { memberWords, verificationWords } from './words.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Link } from './link.js'
 * @import { Member } from './roster.js'
 * @import { Effect } from './stay.js'
 * @import * as wire from './wire.js'
 */

const GREETING_S = 10;
const ENTERING_S = 20;
const CATCHING_UP_S = 30;
const SLEPT_S = 2;
// As many members as there can be, and an epoch.
const MAX_WORDS = 257;
const FINAL = ['full', 'proof', 'version'];

const { OFFLINE, GREETING, WAITING, ENTERING, JOINED, CLOSED } = Phase;

/** One stay in one room, across as many connections as it takes. */
export class Room {
  #stay;
  #roster = new Roster();
  #talk;
  #membership;
  #resumption;
  #giveUpAt = Infinity;
  // What `deadline` said last, if nothing has come since.
  #awaited = Infinity;
  /** @type {Map<string, Promise<readonly string[]>>} */
  #words = new Map();

  /** Use `create`. @param {Stay} stay @param {readonly string[] | null} expectWords */
  constructor(stay, expectWords) {
    this.#stay = stay;
    this.#talk = new Talk(stay, this.#roster);
    this.#membership = new Membership(stay, this.#roster, this.#talk, expectWords);
    this.#resumption = new Resumption(stay, this.#roster, this.#talk, this.#membership);
  }

  /**
   * @param {Link} link @param {(length: number) => Bytes} draw random bytes
   * @param {{ expectWords?: readonly string[] | null }} [options]
   */
  static async create(link, draw, { expectWords = null } = {}) {
    const [keys, identity] = await Promise.all([link.keys(), mls.Identity.generate()]);
    return new Room(new Stay(link.host, keys, identity, draw), expectWords);
  }

  // What a program may ask

  get phase() {
    return this.#stay.phase;
  }

  get tag() {
    return this.#stay.tag;
  }

  get life() {
    return this.#stay.lifeB64;
  }

  /** Whether we founded the room at our last entry. */
  get first() {
    return this.#membership.first;
  }

  get fence() {
    return this.#stay.fence;
  }

  get group() {
    return this.#stay.group;
  }

  get outstanding() {
    return this.#talk.outstanding;
  }

  /** By leaf, then seats without a leaf. @returns {Member[]} */
  get members() {
    const stay = this.#stay;
    const me = stay.group?.me.leaf;
    const inside = stay.leaves.map((leaf) => {
      if (leaf.leaf === me) return this.#roster.me(leaf, this.#talk.nick);
      const key = keyOf(leaf);
      return this.#roster.member(leaf, { heard: stay.heard.has(key), silent: stay.isSilent(key) });
    });
    const seen = { nick: null, me: false, heard: false, silent: false };
    const outside = this.#roster.connecting(stay.leaves);
    return [
      ...inside,
      ...outside.map((tag) => ({ ...seen, tag, presence: /** @type {const} */ ('connecting') })),
    ];
  }

  /** The six words of the present epoch, empty before entry. */
  async words() {
    const { group } = this.#stay;
    return group ? this.#wordsOf(group.wordsContext, verificationWords) : [];
  }

  /** The words of one member's key, null for a tag that is nobody's. @param {string} tag */
  async memberWords(tag) {
    const leaf = this.#stay.leaves.find((one) => one.tag === tag);
    return leaf ? this.#wordsOf(leaf.signatureKey, memberWords) : null;
  }

  /** @param {Bytes} source @param {(source: Bytes) => Promise<readonly string[]>} make some 50 ms */
  #wordsOf(source, make) {
    const key = hex(source);
    const words = this.#words.get(key) ?? make(source);
    this.#words.set(key, words);
    trim(this.#words, MAX_WORDS);
    // The list of words that could not be fetched may be there the next time.
    words.catch(() => this.#words.delete(key));
    return words;
  }

  // Inputs; each returns effects

  /** @param {number} now */
  async connected(now) {
    this.#begin(now);
    if (this.#stay.phase === CLOSED) return [];
    this.#stay.phase = GREETING;
    this.#giveUpAt = now + GREETING_S;
    return this.#finish(now);
  }

  /** @param {number} now */
  async lost(now) {
    const stay = this.#stay;
    this.#begin(now);
    this.#resumption.lost();
    if (stay.phase !== CLOSED) stay.phase = OFFLINE;
    this.#giveUpAt = Infinity;
    this.#membership.lost();
    this.#talk.lost();
    return this.#finish(now);
  }

  /** @param {string | Bytes} data @param {number} now */
  async received(data, now) {
    const stay = this.#stay;
    this.#begin(now);
    if (stay.phase === OFFLINE || stay.phase === CLOSED) return [];
    try {
      if (typeof data === 'string') await this.#onText(parseText(data), now);
      else await this.#onBinary(parseBinary(data), now);
      if (this.#resumption.advance(now)) this.#giveUpAt = Infinity;
    } catch (error) {
      if (!(error instanceof FrameError || error instanceof StateError)) throw error;
      // Not by the ticket: the replay would bring the same again.
      stay.ticket = null;
      stay.reconnect();
    }
    return this.#finish(now);
  }

  /**
   * Return the text's reference, which a settle will bear, and effects.
   * @param {string} text @param {number} now @param {{ strict?: boolean }} [options]
   * @returns {Promise<[Bytes, Effect[]]>}
   */
  async say(text, now, { strict = false } = {}) {
    this.#begin(now);
    const reference = this.#talk.say(text, now, { strict });
    return [reference, await this.#finish(now)];
  }

  /** @param {string} nick @param {number} now */
  async rename(nick, now) {
    this.#begin(now);
    this.#talk.rename(nick);
    return this.#finish(now);
  }

  /** @param {number} now */
  async tick(now) {
    this.#begin(now);
    if (this.#stay.phase === CLOSED) return [];
    if (now >= this.#giveUpAt) {
      this.#giveUpAt = Infinity;
      this.#stay.reconnect();
    }
    if (this.#isSeated) await this.#membership.tick(now);
    this.#talk.kept.expire(now);
    if (this.#stands) this.#talk.tick(now);
    return this.#finish(now);
  }

  /** Say goodbye and forget every key (R18). @param {number} now */
  async leave(now) {
    const stay = this.#stay;
    stay.now = now;
    if (this.#mayPost) await this.#talk.farewell(now);
    if (this.#isSeated) stay.send(BYE);
    stay.phase = CLOSED;
    stay.forget();
    this.#talk.forget();
    return stay.effects.splice(0);
  }

  /** When `tick` wants to be called, null for never. @param {number} now */
  deadline(now) {
    if (this.#stay.phase === CLOSED) return null;
    const times = [this.#giveUpAt, this.#talk.kept.deadline() ?? Infinity];
    if (this.#isSeated) times.push(this.#membership.deadline());
    const mayPost = this.#mayPost;
    if (this.#stands) times.push(this.#talk.deadline(now, { mayPost }) ?? Infinity);
    this.#awaited = Math.min(...times);
    return this.#awaited < Infinity ? this.#awaited : null;
  }

  // Inside

  /** Whoever is called so much later than it wanted to be has slept (R33). @param {number} now */
  #begin(now) {
    this.#stay.now = now;
    if (now - this.#awaited > SLEPT_S) this.#talk.slept(now);
    this.#awaited = Infinity;
  }

  /** Whether the relay knows us on this connection. */
  get #isSeated() {
    return ![OFFLINE, GREETING, CLOSED].includes(/** @type {any} */ (this.#stay.phase));
  }

  /** Whether we are in the group, as far as the relay has got. */
  get #stands() {
    return this.#stay.phase === JOINED && !this.#resumption.isCatchingUp;
  }

  get #mayPost() {
    return this.#stands && this.#membership.settled;
  }

  /** Send what may go after this input; hand out the effects in their order. @param {number} now */
  async #finish(now) {
    if (this.#mayPost) await this.#talk.flush(now);
    const effects = this.#stay.effects.splice(0);
    if (effects.some(({ type }) => type === 'finish')) this.#stay.phase = CLOSED;
    return effects;
  }

  /** @param {wire.TextFrame} frame @param {number} now */
  async #onText(frame, now) {
    const stay = this.#stay;
    const { phase, isInside } = stay;
    if (frame.type === 'challenge' && phase === GREETING) {
      await this.#resumption.greet(frame.nonce);
    } else if (frame.type === 'welcome' && phase === GREETING) this.#onWelcome(frame, now);
    else if (frame.type === 'resumed' && phase === GREETING && stay.ticket !== null) {
      this.#resumption.resumed(frame, now);
      this.#giveUpAt = now + CATCHING_UP_S;
    } else if (frame.type === 'gap' && isInside && this.#resumption.isCatchingUp) {
      this.#resumption.skipped(frame, now);
    } else if (frame.type === 'mark' && (isInside || phase === ENTERING)) stay.mark = frame.mark;
    else if (
      frame.type === 'joined' &&
      phase === ENTERING &&
      frame.tag === stay.tag &&
      this.#membership.entered
    ) {
      this.#giveUpAt = Infinity;
      stay.number(frame.seq);
      stay.ticket = frame.ticket;
      this.#membership.admitted(frame, now);
    } else if (frame.type === 'joined' && isInside) {
      if (stay.number(frame.seq)) this.#roster.present(frame.tag);
    } else if (
      isInside &&
      (frame.type === 'away' || frame.type === 'back' || frame.type === 'left')
    )
      this.#onSeat(frame, now);
    else if (frame.type === 'reset' && (phase === WAITING || phase === ENTERING)) {
      const { life, seq, fence } = frame;
      this.#membership.reset();
      Object.assign(stay, { phase: WAITING, life, seq, fence });
    } else if (frame.type === 'reset' && isInside) {
      if (equal(frame.life, stay.life)) this.#onRaised(frame, now);
      else {
        stay.notice('reset');
        stay.reconnect(0);
      }
    } else if (frame.type === 'refused') this.#onRefused(frame, now);
    else if (frame.type === 'need') this.#membership.duties.needed(now);
    else if (frame.type === 'drain') {
      stay.notice('draining');
      stay.reconnect(frame.retryAfterS);
    } else if (frame.type === 'notice') {
      stay.notice(frame.code === 'degraded' ? 'degraded' : 'relay_notice');
    } else if (frame.type !== 'unknown') throw new StateError('a message that has no place here');
  }

  /** @param {wire.Welcome} welcome @param {number} now */
  #onWelcome({ life, tag, seq, fence, messageRate, messageBurst }, now) {
    const stay = this.#stay;
    this.#giveUpAt = Infinity;
    stay.ticket = stay.mark = null;
    this.#membership.reset();
    Object.assign(stay, { phase: WAITING, life, tag, seq, fence });
    const burst = Math.max(1, messageBurst);
    Object.assign(this.#talk.outbox.budget, { rate: messageRate, burst, tokens: burst, at: now });
  }

  /** Somebody has followed a restored room further than we (R28). @param {wire.Reset} reset @param {number} now */
  #onRaised({ fence }, now) {
    if (fence < this.#stay.fence) this.#stay.notice('relay_equivocates');
    else if (fence > this.#stay.fence) this.#membership.skipped(fence, now);
  }

  /** @param {wire.Away | wire.Back | wire.Left} event @param {number} now */
  #onSeat(event, now) {
    const stay = this.#stay;
    const { type, seq, tag } = event;
    if (!stay.number(seq)) return;
    this.#membership.seatChanged(event, now);
    const leaf = stay.others.find((one) => one.tag === tag);
    if (!leaf) return;
    const place = { nick: this.#roster.nick(keyOf(leaf)), life: stay.lifeB64, seq };
    stay.emit(type === 'back' ? { type, tag, previous: tag, ...place } : { type, tag, ...place });
  }

  /** @param {wire.Refused} refused @param {number} now */
  #onRefused(refused, now) {
    const stay = this.#stay;
    const { fence, reason, reference, retryAfterS } = refused;
    if (stay.isInside && fence !== null && fence !== stay.fence) {
      // Whatever moved the fence stands before this in the order.
      stay.notice('relay_equivocates');
      throw new StateError('a fence that we were not led to');
    }
    if (reference !== null) {
      if (!this.#membership.refused(refused, now)) this.#talk.refused(refused, now);
    } else if (FINAL.includes(reason)) {
      stay.finish(new RefusedError(reason));
    } else if (reason === 'busy') stay.reconnect(retryAfterS);
  }

  /** @param {wire.BinaryFrame} frame @param {number} now */
  async #onBinary(frame, now) {
    const stay = this.#stay;
    const { phase, isInside } = stay;
    if (frame.type === 'info' && phase !== GREETING) {
      await this.#membership.informed(frame, now);
      if (stay.phase === ENTERING) this.#giveUpAt = now + ENTERING_S;
    } else if (frame.type === 'ack' && (isInside || phase === ENTERING)) {
      this.#talk.acknowledged(frame, now);
    } else if (frame.type === 'frame' && isInside) {
      if (frame.kind === Kind.APPLICATION && phase === JOINED) {
        await this.#onApplication(frame, now);
      } else if (stay.number(frame.seq) && frame.kind === Kind.COMMIT) {
        await this.#membership.committed(frame, now);
      }
    } else if (frame.type === 'frame' && frame.kind === Kind.COMMIT && phase === ENTERING) {
      if (!this.#membership.isOwn(frame)) throw new StateError('a commit of others');
      stay.seq = frame.seq;
      await this.#membership.committed(frame, now);
    } else throw new StateError('a message that has no place here');
  }

  /** @param {wire.Frame} frame @param {number} now */
  async #onApplication(frame, now) {
    const stay = this.#stay;
    if (!stay.number(frame.seq)) return;
    if (frame.fence !== stay.fence) {
      stay.notice('relay_equivocates');
      if (frame.fence > stay.fence) throw new StateError('a fence that we were not led to');
      return;
    }
    try {
      await this.#talk.heard(frame, now);
    } catch (error) {
      if (error instanceof ForeignError) this.#membership.divided(frame.tag, now);
      else if (error instanceof LimitError) this.#membership.tooFar(frame.tag, now);
      else throw error;
    }
  }
}
