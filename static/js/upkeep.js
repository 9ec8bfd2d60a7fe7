// What keeps a talk whole: pulses, asks and repairs (R31, R32); see client/upkeep.py.

import { hex } from './bytes.js';
import { MAX_PARTS, serialize } from './content.js';
import { earliest, keyOf, MAX_WANTED } from './ledger.js';
import { CONTENT_OVERHEAD } from './mls/mls.js';
import { ANSWERING, Pulse as Clock } from './pulse.js';
import { CLASSES } from './seal.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Ask, Pulse, Repair, Row } from './content.js'
 * @import { Kept } from './kept.js'
 * @import { Key, Ledger } from './ledger.js'
 * @import { Group } from './mls/mls.js'
 * @import { Outbox } from './outbox.js'
 * @import { Roster } from './roster.js'
 * @import { Stay } from './stay.js'
 */

const ASK_S = 2;
const ASK_DELAY_S = 0.5;
const FLIGHT_S = 30;
const MAX_ERRANDS = 64;
const PULSE_TOKENS = 4;
const MAX_CONTENT_BYTES = CLASSES[CLASSES.length - 1] - CONTENT_OVERHEAD;
const PART_BYTES = 2 + 48 + 17;
const REPAIR_HEAD_BYTES = 120;
const MAX_ROWS = 128;
const MAX_HOLES = 64;

/** One stay's share in completeness, across connections. */
export class Upkeep {
  #stay;
  #roster;
  #outbox;
  #ledger;
  #kept;
  clock = new Clock();
  nick = /** @type {string | null} */ (null);
  /**
   * What is on its way, by reference in hex; `keys`: whose the rows are, or whom it is sent to.
   * @type {Map<string, { said: Pulse | Ask | Repair, keys: Key[], probes: boolean }>}
   */
  #errands = new Map();
  /** @type {Map<Key, string>} "first,last" */
  #told = new Map();
  #toldCounter = 0;
  #pulsedAt = /** @type {number | null} */ (null);
  #askAt = /** @type {number | null} */ (null);
  #askedAt = -ASK_S;
  /** @type {Map<Key, Set<number>>} */
  #answers = new Map();
  #repairedLast = false;

  /**
   * @param {Stay} stay @param {Roster} roster @param {Outbox} outbox
   * @param {Ledger<any>} ledger @param {Kept} kept
   */
  constructor(stay, roster, outbox, ledger, kept) {
    this.#stay = stay;
    this.#roster = roster;
    this.#outbox = outbox;
    this.#ledger = ledger;
    this.#kept = kept;
  }

  get #group() {
    return /** @type {Group} */ (this.#stay.group);
  }

  get #place() {
    return { counter: this.#outbox.base, base: this.#outbox.epochBase };
  }

  // What came

  /** Ask for what is missing of a sender. @param {Key} key @param {number} now */
  note(key, now) {
    if (this.#askAt !== null || !this.#ledger.wants(key)) return;
    this.#askAt = Math.max(now + ASK_DELAY_S * this.#stay.fraction(), this.#askedAt + ASK_S);
  }

  /** @param {Key} key @param {Ask} ask */
  asked(key, { holes }) {
    for (const [leaf, first, last] of holes) {
      if (leaf !== this.#group.me.leaf) continue;
      for (let n = first; n <= Math.min(last, first + MAX_WANTED - 1); n++) {
        if (this.#kept.mayHave(key, n) && !this.#isFlying(key, n)) this.#owe(key, n);
      }
    }
  }

  /** A member counts us from `first` on. @param {Key} key @param {number} first */
  began(key, first) {
    for (const n of this.#kept.lacking(key, first)) if (!this.#isFlying(key, n)) this.#owe(key, n);
  }

  /** @param {Key} key @param {number} counter */
  #isFlying(key, counter) {
    return [...this.#errands.values()].some(
      ({ said, keys }) =>
        said.type === 'repair' && keys.includes(key) && said.parts.some(([n]) => n === counter),
    );
  }

  /** @param {Key} key @param {number} counter */
  #owe(key, counter) {
    this.#answers.set(key, (this.#answers.get(key) ?? new Set()).add(counter));
  }

  posted() {
    this.#repairedLast = false;
  }

  /** A member wants to hear again what we have of it. @param {Key} key */
  probed(key) {
    this.#told.delete(key);
  }

  // What becomes of ours

  /** Say whether it was one of these frames. @param {Bytes} reference @param {number} now */
  acknowledged(reference, now) {
    const errand = this.#errands.get(hex(reference));
    if (!errand) return false;
    this.#errands.delete(hex(reference));
    const { said, keys } = errand;
    if (said.type === 'pulse') {
      this.#pulsedAt = null;
      for (const [i, [, ...span]] of said.received.entries()) this.#told.set(keys[i], `${span}`);
      this.#toldCounter = said.counter;
    } else if (said.type === 'ask') {
      for (const [i, [, first, last]] of said.holes.entries()) {
        this.#ledger.asked(keys[i], first, last);
      }
    } else {
      for (const key of keys) for (const [n] of said.parts) this.#kept.repaired(key, n);
    }
    this.clock.sent(now, this.#stay.fraction());
    return true;
  }

  /** Say whether it was one of these frames. @param {Bytes} reference */
  refused(reference) {
    return this.#refused(hex(reference));
  }

  /** @param {string} id */
  #refused(id) {
    const errand = this.#errands.get(id);
    if (!errand) return false;
    this.#errands.delete(id);
    const { said, keys, probes } = errand;
    if (said.type === 'pulse') {
      this.#pulsedAt = null;
      this.clock.again(this.#stay.now, { probes });
    } else if (said.type === 'repair') {
      for (const key of keys) for (const [n] of said.parts) this.#owe(key, n);
    }
    return true;
  }

  /** @param {Key[]} keys the members now */
  epochBegan(keys) {
    for (const id of this.#errands.keys()) this.#refused(id);
    for (const key of this.#answers.keys()) if (!keys.includes(key)) this.#answers.delete(key);
  }

  lost() {
    for (const id of this.#errands.keys()) this.#refused(id);
    this.#answers.clear();
    this.#askAt = this.#pulsedAt = null;
    this.#repairedLast = false;
  }

  /** We have a seat again. @param {number} now */
  resume(now) {
    this.#ledger.resume(now);
    for (const key of this.#ledger.wanted().keys()) this.note(key, now);
  }

  // What goes out

  /** @param {number} now */
  async ask(now) {
    if (this.#askAt === null || now < this.#askAt) return;
    const wanted = this.#ledger.wanted();
    /** @type {Row[]} */
    const holes = [];
    /** @type {Key[]} */
    const keys = [];
    // Whoever is away cannot answer.
    for (const { leaf, tag, signatureKey } of this.#stay.others) {
      const key = hex(signatureKey);
      if (this.#roster.presence(tag) !== 'present') continue;
      for (const n of wanted.get(key) ?? []) {
        const row = holes.at(-1);
        if (row && keys.at(-1) === key && row[2] === n - 1) row[2] = n;
        else if (keys.push(key)) holes.push([leaf, n, n]);
      }
    }
    if (!holes.length) this.#askAt = null;
    else if (this.#outbox.budget.take(now)) {
      this.#askAt = now + ASK_S;
      this.#askedAt = now;
      await this.#post({ type: 'ask', ...this.#place, holes: holes.slice(0, MAX_HOLES) }, keys);
    }
  }

  /** @param {number} now */
  async pulse(now) {
    if (this.#pulsedAt !== null && now >= this.#pulsedAt + FLIGHT_S) {
      for (const [id, { said }] of this.#errands) if (said.type === 'pulse') this.#refused(id);
    }
    const isFlying = this.#pulsedAt !== null;
    const isDue = this.clock.isDue(now, { awaited: this.#kept.isAwaited });
    if (isDue && !isFlying && this.#outbox.budget.take(now, PULSE_TOKENS)) await this.#pulse(now);
  }

  /** Say whether one was sent. @param {number} now */
  async repair(now) {
    if (!this.#answers.size) return false;
    const leaves = new Map(this.#stay.others.map((member) => [keyOf(member), member.leaf]));
    /** @type {Map<Key, number[]>} */
    const due = new Map();
    for (const [key, owed] of this.#answers) {
      const counters = [...owed].filter((n) => this.#kept.mayHave(key, n)).sort((a, b) => a - b);
      if (leaves.has(key) && counters.length) due.set(key, counters);
      else this.#answers.delete(key);
    }
    if (!due.size || !this.#outbox.budget.take(now, this.#repairTokens)) return false;
    for (const [key, counters] of due) {
      // What not all may have is older, and goes first (R32).
      const sealed = counters.filter((n) => !this.#kept.isOpenTo(leaves.keys(), n));
      if (sealed.length) {
        await this.#answer(key, /** @type {number} */ (leaves.get(key)), sealed);
        return true;
      }
    }
    await this.#answerAll([...due.values()][0]);
    return true;
  }

  get #repairTokens() {
    const isNext = this.#repairedLast && this.#outbox.texts > 0;
    return isNext ? Math.floor((this.#outbox.budget.burst + 1) / 2) : 1;
  }

  /** @param {number} now */
  async farewell(now) {
    if (this.#outbox.base > this.#toldCounter || this.#untold(now).size) await this.#pulse(now);
  }

  /** @param {number} now */
  deadline(now) {
    const { budget } = this.#outbox;
    const askAt = this.#askAt === null ? null : Math.max(this.#askAt, budget.readyAt(now));
    let pulseAt = this.clock.deadline();
    if (this.#pulsedAt !== null) pulseAt = this.#pulsedAt + FLIGHT_S;
    else if (pulseAt !== null) pulseAt = Math.max(pulseAt, budget.readyAt(now, PULSE_TOKENS));
    const repairAt = this.#answers.size ? budget.readyAt(now, this.#repairTokens) : null;
    return earliest(askAt, pulseAt, repairAt);
  }

  /** @param {Pulse | Ask | Repair} said @param {Key[]} keys @param {boolean} [probes] */
  async #post(said, keys, probes = false) {
    const reference = this.#stay.reference();
    this.#errands.set(hex(reference), { said, keys, probes });
    if (this.#errands.size > MAX_ERRANDS) this.#refused([...this.#errands.keys()][0]);
    this.#repairedLast = said.type === 'repair';
    await this.#stay.post(reference, serialize(said));
  }

  /** @param {number} now */
  async #pulse(now) {
    const { leaves } = this.#stay;
    const { counter, base } = this.#place;
    const spans = this.#untold(now);
    const probes = this.clock.took();
    const mine = keyOf(this.#stay.identity);
    if (probes && leaves.length <= ANSWERING) spans.set(mine, [1, counter]);
    /** @type {Row[]} */
    const received = [];
    const keys = [];
    for (const { leaf, signatureKey } of leaves) {
      const key = hex(signatureKey);
      const span = spans.get(key);
      if (span && keys.push(key)) received.push([leaf, ...span]);
    }
    this.#pulsedAt = now;
    await this.#post({ type: 'pulse', counter, base, nick: this.nick, received }, keys, probes);
  }

  /** What we have of the others' contents, where they do not know it. @param {number} now */
  #untold(now) {
    /** @type {Map<Key, [number, number]>} */
    const spans = new Map();
    for (const key of this.#stay.others.map(keyOf)) {
      const span = this.#ledger.received(key, now);
      // Of whom nothing came that there could be, there is nothing to tell.
      const isNews = `${span}` !== '1,0' && `${span}` !== this.#told.get(key);
      if (span && isNews && spans.size < MAX_ROWS) spans.set(key, span);
    }
    return spans;
  }

  /** @param {Key} key @param {number} leaf @param {number[]} counters */
  async #answer(key, leaf, counters) {
    const mine = this.#stay.identity.signatureKey;
    const parts = this.#fitting(counters).map(async ([counter, data]) => {
      const sealed = await this.#group.sealRepair(leaf, mine, counter, data);
      return /** @type {[number, Bytes]} */ ([counter, sealed]);
    });
    await this.#repair(leaf, await Promise.all(parts), [key]);
  }

  /** One frame for all who ask for what everybody may have. @param {number[]} counters */
  async #answerAll(counters) {
    const parts = this.#fitting(counters);
    const askers = [...this.#answers].filter(([key, owed]) =>
      parts.some(([n]) => owed.has(n) && this.#kept.mayHave(key, n)),
    );
    await this.#repair(
      null,
      parts,
      askers.map(([key]) => key),
    );
  }

  /** The first contents that fit into one frame, sealed or not. @param {number[]} counters */
  #fitting(counters) {
    let size = REPAIR_HEAD_BYTES;
    /** @type {[number, Bytes][]} */
    const parts = [];
    for (const counter of counters.slice(0, MAX_PARTS)) {
      const data = this.#kept.content(counter);
      size += PART_BYTES + data.length;
      if (parts.length && size > MAX_CONTENT_BYTES) break;
      parts.push([counter, data]);
    }
    return parts;
  }

  /** @param {number | null} leaf @param {[number, Bytes][]} parts @param {Key[]} keys */
  async #repair(leaf, parts, keys) {
    for (const key of keys) for (const [n] of parts) this.#answers.get(key)?.delete(n);
    await this.#post({ type: 'repair', ...this.#place, leaf, parts }, keys);
  }
}
