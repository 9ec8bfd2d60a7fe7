// What is said: posts out, application frames in (R4, R16, R24, R30); see client/talk.py.

import { hex } from './bytes.js';
import * as content from './content.js';
import { isRefusal } from './entry.js';
import { ForeignError, HeldError, LimitError, RefusedError, StateError } from './errors.js';
import { Kept } from './kept.js';
import { earliest, Gap, HOLD_S, keyOf, Ledger, MAX_SENDERS } from './ledger.js';
import { MAX_TRIES, Outbox, Pending } from './outbox.js';
import { ANSWERING } from './pulse.js';
import { Upkeep } from './upkeep.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Content, Counted, Other, Pulse, Repair } from './content.js'
 * @import { ClientError } from './errors.js'
 * @import { Receipt } from './kept.js'
 * @import { Key } from './ledger.js'
 * @import { Group } from './mls/mls.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 * @import { Ack, Frame, Refused } from './wire.js'
 * @typedef {{ tag: string, seq: number, said: Counted | Other }} Heard a content in its place
 */

/** @param {Content | Other} said @returns {said is Counted | Other} */
const isCounted = (said) => !['pulse', 'ask', 'repair'].includes(said.type);

/** Both directions of one stay. */
export class Talk {
  #stay;
  #roster;
  /** @type {Ledger<Heard>} */
  #ledger = new Ledger();
  kept = new Kept();
  outbox = new Outbox();
  nick = /** @type {string | null} */ (null);
  #mustTellNick = false;
  #hasEntered = false;
  /** Whether something was ordered since we came in that never came to us. */
  #hasMissed = false;
  #epochSeq = 0;
  /** @type {Map<Key, string>} under which tag a sender was heard last */
  #tags = new Map();
  /** @type {Set<Key>} members of a group that was lost with the log, on their way back (R32) */
  #expected = new Set();
  /** @type {Set<Key>} members whose seat is gone and whose leaf is not yet */
  #left = new Set();

  /** @param {Stay} stay @param {Roster} roster */
  constructor(stay, roster) {
    this.#stay = stay;
    this.#roster = roster;
    this.upkeep = new Upkeep(stay, roster, this.outbox, this.#ledger, this.kept);
  }

  /** How many texts are not ordered, or not confirmed by everybody who should have them. */
  get outstanding() {
    return this.outbox.texts + this.kept.outstanding;
  }

  forget() {
    this.outbox.clear();
    this.kept.clear();
    this.#ledger.clear();
  }

  /** Return the reference. @param {string} text @param {number} now @param {{ strict: boolean }} how */
  say(text, now, { strict }) {
    content.checkText(text);
    const reference = this.#stay.reference();
    this.outbox.add(new Pending(reference, text, this.nick, now, strict));
    return reference;
  }

  /** @param {string} nick */
  rename(nick) {
    this.nick = this.upkeep.nick = content.checkNick(nick);
    this.#mustTellNick = this.#stay.group !== null;
  }

  /** @param {Iterable<Key>} gone @param {Set<Key>} expected count as being here */
  went(gone, expected) {
    for (const key of gone) this.#tell(this.kept.left(key));
    this.#expected = expected;
  }

  /** We saw a newcomer enter, not somebody who comes back. @param {Key} key */
  met(key) {
    this.#ledger.begin(key, 0);
  }

  /** @param {number} seq @param {number} now @param {{ hasNewcomers: boolean }} options */
  epochBegan(seq, now, { hasNewcomers }) {
    this.#epochSeq = seq;
    this.outbox.fenceMoved();
    this.outbox.epochBase = this.outbox.base;
    this.upkeep.epochBegan(this.#stay.leaves.map(keyOf));
    const others = new Set(this.#stay.others.map(keyOf));
    for (const key of this.#left) if (!others.has(key)) this.#left.delete(key);
    for (const key of others) if (!this.#left.has(key)) this.kept.back(key);
    if (hasNewcomers) this.outbox.newcomer();
    if (this.kept.isAwaited) this.upkeep.clock.said(now);
  }

  /** @param {Key} key @param {number} rank @param {number} now */
  joined(key, rank, now) {
    this.#left.delete(key);
    this.kept.back(key);
    this.upkeep.clock.joined(key, now, rank);
    if (this.#stay.leaves.length <= ANSWERING) this.upkeep.clock.greet(now, this.#stay.fraction());
  }

  /** A seat is taken again. @param {string} tag @param {number} now */
  back(tag, now) {
    for (const key of this.#keysUnder(tag)) {
      this.#left.delete(key);
      this.#ledger.resume(now, key);
      this.upkeep.note(key, now);
    }
  }

  /** A seat is free. @param {string} tag */
  left(tag) {
    for (const key of this.#keysUnder(tag)) {
      this.#left.add(key);
      this.#tell(this.kept.left(key));
    }
  }

  /** @param {string} tag */
  #keysUnder(tag) {
    return this.#stay.others.filter((leaf) => leaf.tag === tag).map(keyOf);
  }

  /** @param {Key} key whether its owner is away, and may come back */
  #isAwaited = (key) =>
    this.#expected.has(key) ||
    this.#stay.others.some(
      (leaf) => this.#roster.presence(leaf.tag) !== 'present' && keyOf(leaf) === key,
    );

  /** This machine slept: what came meanwhile is still to be read. @param {number} now */
  slept(now) {
    this.upkeep.resume(now);
  }

  /** @param {number} now */
  entered(now) {
    this.#hasMissed = this.#hasEntered;
    this.#hasEntered = true;
    this.upkeep.resume(now);
    this.upkeep.clock.greet(now, this.#stay.fraction());
  }

  lost() {
    this.outbox.lost();
    this.upkeep.lost();
  }

  /** The caller has made sure that the group is in step. @param {number} now */
  async flush(now) {
    if (this.#mustTellNick) {
      this.#mustTellNick = false;
      this.outbox.add(new Pending(this.#stay.reference(), null, this.nick, now));
    }
    await this.upkeep.ask(now);
    while ((await this.upkeep.repair(now)) || (await this.#postNext(now)));
    await this.upkeep.pulse(now);
  }

  /** @param {number} now */
  farewell(now) {
    return this.upkeep.farewell(now);
  }

  /** @param {number} now */
  async #postNext(now) {
    const pending = this.outbox.next(now);
    if (pending === null) return false;
    if (pending.mustHold(now)) {
      this.#fail(pending, new HeldError('somebody joined before this was sent'));
    } else if (pending.tries >= MAX_TRIES && !pending.isVoid) {
      this.#fail(pending, new LimitError('not sent: the group changed too often'));
    } else await this.#post(pending);
    return true;
  }

  /** @param {Pending} pending @param {ClientError} outcome */
  #fail(pending, outcome) {
    this.outbox.giveUp(pending);
    this.#stay.do({ type: 'settle', reference: pending.reference, outcome });
  }

  /** @param {Pending} pending */
  async #post(pending) {
    const { fence, now, others } = this.#stay;
    const counter = this.outbox.sent(pending, fence, now);
    pending.data = content.serialize(pending.content(counter, this.outbox.epochBase));
    const present = others.map(keyOf).filter((key) => !this.#left.has(key));
    this.outbox.readBy(pending, new Set([...present, ...this.#expected]));
    await this.#stay.post(pending.reference, pending.data);
    this.upkeep.posted();
  }

  /** @param {Ack} ack @param {number} now */
  acknowledged({ reference, seq }, now) {
    const stay = this.#stay;
    if (seq > stay.seq) stay.number(seq);
    if (this.upkeep.acknowledged(reference, now)) return;
    const pending = this.outbox.accepted(reference);
    if (pending === null) return;
    const counter = /** @type {number} */ (pending.counter);
    if (seq < this.#epochSeq) this.outbox.epochBase = Math.max(this.outbox.epochBase, counter);
    const { data, audience, text } = pending;
    const [place, isText] = [/** @type {[string, number]} */ ([stay.lifeB64, seq]), text !== null];
    this.kept.keep(counter, data, audience ?? [], place, now, { isText });
    this.upkeep.clock.said(now);
    this.upkeep.clock.sent(now, stay.fraction());
    if (!pending.isVoid) stay.do({ type: 'settle', reference, outcome: seq });
  }

  /** @param {Refused} refused of a post @param {number} now */
  refused({ reason, reference: ours, retryAfterS, fence }, now) {
    const reference = /** @type {Bytes} */ (ours);
    const retryAt = now + (retryAfterS ?? 1);
    if (this.upkeep.refused(reference)) {
      if (reason === 'rate') this.outbox.budget.refused(now, retryAt);
    } else if (reason === 'stale') this.outbox.stale(reference, fence ?? 0);
    else if (reason === 'rate' || reason === 'pace') this.outbox.refused(reference, retryAt);
    else {
      const pending = this.outbox.find(reference);
      if (pending?.isVoid) this.outbox.drop(pending);
      else if (pending) this.#fail(pending, new RefusedError(reason));
    }
  }

  /** Raise LimitError (R16) or ForeignError (R13). @param {Frame} frame @param {number} now */
  async heard(frame, now) {
    const stay = this.#stay;
    const group = /** @type {Group} */ (stay.group);
    let opened, said;
    try {
      opened = await group.decrypt(await stay.unseal(frame), frame.fence, frame.tag);
      said = content.parse(opened.content);
    } catch (error) {
      const isRefused = isRefusal(error) && !(error instanceof ForeignError);
      if (!isRefused && !(error instanceof StateError)) throw error;
      stay.notice(isRefused ? 'frame_refused' : 'relay_mislabels', frame.tag);
      return;
    }
    const key = keyOf(opened.member);
    stay.heard.set(key, now);
    const isNew = !this.#ledger.knows(key);
    // What somebody said before the first that we hear may have been said while we were away.
    this.#ledger.begin(key, said.base, this.#hasMissed ? now + HOLD_S : null);
    this.#tags.delete(key);
    this.#tags.set(key, frame.tag);
    if (isCounted(said)) {
      const item = { tag: frame.tag, seq: frame.seq, said };
      this.#show(key, (await this.#take(key, item, now, false)).shown, item);
    } else {
      this.#ledger.attest(key, said.counter, said.base, now);
      if (said.type === 'pulse') this.#onPulse(key, said, frame);
      else if (said.type === 'ask') this.upkeep.asked(key, said);
      else await this.#onRepair(opened.member.signatureKey, said, frame, now);
    }
    this.upkeep.note(key, now);
    if (isNew && said.base) this.#came(now);
    if (this.#tags.size > MAX_SENDERS) {
      const stale = [...this.#tags.keys()].find((one) => !this.#ledger.knows(one));
      this.#tags.delete(/** @type {Key} */ (stale));
    }
  }

  /** @param {number} now */
  #came(now) {
    this.upkeep.clock.came(now, this.#stay.leaves.length, this.#stay.fraction());
  }

  /** @param {Key} key @param {Heard} item @param {number} now @param {boolean} isRepair */
  async #take(key, item, now, isRepair) {
    const { tag, seq, said } = item;
    const digest = hex(await content.digest(said));
    const taken = isRepair
      ? this.#ledger.repaired(key, said.counter, digest, item, now)
      : this.#ledger.take(key, said.counter, said.base, digest, item, now);
    if (taken.equivocation) {
      const place = { nick: this.#roster.nick(key), life: this.#stay.lifeB64, seq };
      this.#stay.emit({ type: 'equivocation', sender: tag, ...place });
    }
    this.#came(now);
    return taken;
  }

  /** @param {Key} key @param {Pulse} pulse @param {Frame} frame */
  #onPulse(key, pulse, { tag, seq }) {
    const stay = this.#stay;
    this.#rename(key, pulse.nick, tag, seq);
    const keys = new Map(stay.leaves.map((leaf) => [leaf.leaf, keyOf(leaf)]));
    const mine = keyOf(stay.identity);
    for (const [leaf, first, last] of pulse.received) {
      const whose = keys.get(leaf);
      if (whose === mine) {
        this.#tell(this.kept.confirmed(key, first, last));
        this.upkeep.began(key, first);
      } else if (whose === key) {
        this.upkeep.probed(key);
        this.#came(stay.now);
      } else if (whose !== undefined) {
        this.#ledger.rumour(whose, last);
        this.upkeep.note(whose, stay.now);
      }
    }
    this.upkeep.clock.heard(key);
  }

  /** @param {Receipt[]} receipts */
  #tell(receipts) {
    for (const receipt of receipts) this.#stay.emit({ type: 'delivered', ...receipt });
  }

  /** @param {Bytes} signatureKey @param {Repair} repair @param {Frame} frame @param {number} now */
  async #onRepair(signatureKey, { leaf, parts }, { tag, seq }, now) {
    const group = /** @type {Group} */ (this.#stay.group);
    const key = hex(signatureKey);
    this.#ledger.mending(key, now);
    if (leaf !== null && leaf !== group.me.leaf) return;
    let isSound = true;
    /** @type {(Heard | Gap)[]} */
    const shown = [];
    for (const [counter, part] of parts) {
      let said = null;
      try {
        const isSealed = leaf !== null;
        said = content.parse(isSealed ? await group.openRepair(signatureKey, counter, part) : part);
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      if (said === null || !isCounted(said) || said.counter !== counter) {
        isSound = false;
        continue;
      }
      const taken = await this.#take(key, { tag, seq, said }, now, true);
      for (const item of taken.shown) {
        const last = shown.at(-1);
        if (item instanceof Gap && last instanceof Gap) last.count += item.count;
        else shown.push(item);
      }
    }
    this.#show(key, shown, null);
    if (!isSound) this.#stay.notice('frame_refused', tag);
  }

  /** @param {number} now */
  tick(now) {
    const unansweredAt = this.outbox.unansweredAt();
    if (unansweredAt !== null && now >= unansweredAt) {
      this.outbox.waitsAgain(now);
      this.#stay.notice('relay_silent');
      this.#stay.do({ type: 'reconnect', afterS: null });
    }
    for (const [key, items] of this.#ledger.expire(now, this.#isAwaited)) {
      this.#show(key, items, null);
    }
  }

  /** @param {number} now @param {{ mayPost: boolean }} options */
  deadline(now, { mayPost }) {
    const times = [this.#ledger.deadline(this.#isAwaited), this.outbox.unansweredAt()];
    if (mayPost) times.push(this.outbox.deadline(now), this.upkeep.deadline(now));
    return earliest(...times);
  }

  /** @param {Key} key @param {(Heard | Gap)[]} items @param {Heard | null} current in its place */
  #show(key, items, current) {
    const stay = this.#stay;
    const [life, nick] = [stay.lifeB64, this.#roster.nick(key)];
    for (const item of items) {
      if (item instanceof Gap) {
        const sender = this.#tags.get(key);
        stay.emit({ type: 'missing', sender, nick, count: item.count, life, seq: stay.seq });
        continue;
      }
      const { tag, seq, said } = item;
      if (said.type !== 'text' && said.type !== 'nick') continue;
      this.#rename(key, said.nick, tag, seq);
      if (said.type === 'nick') continue;
      const message = { sender: tag, nick: said.nick, text: said.text, life, seq };
      stay.emit({ type: 'message', ...message, late: item !== current });
    }
  }

  /** @param {Key} key @param {string | null} nick @param {string} tag @param {number} seq */
  #rename(key, nick, tag, seq) {
    if (nick === null || !this.#roster.rename(key, nick)) return;
    this.#stay.emit({ type: 'nick_changed', tag, nick, life: this.#stay.lifeB64, seq });
  }
}
