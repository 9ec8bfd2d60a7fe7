// What we said lately: who was there, who has it, and who may have it again; see client/kept.py.

import { trim } from './ledger.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Key } from './ledger.js'
 * @typedef {{ life: string, seq: number, count: number, of: number }} Receipt
 * @typedef {{ data: Bytes, audience: Set<Key>, life: string, seq: number, until: number,
 *   isText: boolean, confirmed: Set<Key>, gone: Set<Key>, repairs: Map<Key, number> }} Content
 */

const MAX_KEPT = 64;
const KEEP_S = 120;
const MAX_REPAIRS = 3;

/** @param {Content} content @param {Key} key */
const awaits = ({ audience, confirmed, gone }, key) =>
  audience.has(key) && !confirmed.has(key) && !gone.has(key);

/** @param {Content} content */
const isAwaited = (content) => [...content.audience].some((key) => awaits(content, key));

/** @param {Content} content @returns {Receipt} */
function receipt({ audience, confirmed, gone, life, seq }) {
  const of = [...audience].filter((key) => confirmed.has(key) || !gone.has(key)).length;
  return { life, seq, count: confirmed.size, of };
}

/** The last contents of ours that were ordered, by counter. */
export class Kept {
  /** @type {Map<number, Content>} */
  #contents = new Map();

  /** How many texts are awaited by somebody. */
  get outstanding() {
    return [...this.#contents.values()].filter((one) => one.isText && isAwaited(one)).length;
  }

  get isAwaited() {
    return [...this.#contents.values()].some(isAwaited);
  }

  /**
   * @param {number} counter @param {Bytes} data @param {Iterable<Key>} audience
   * @param {[string, number]} place @param {number} now @param {{ isText: boolean }} options
   */
  keep(counter, data, audience, [life, seq], now, { isText }) {
    const sets = { audience: new Set(audience), confirmed: new Set(), gone: new Set() };
    const content = { data, life, seq, until: now + KEEP_S, isText, ...sets, repairs: new Map() };
    this.#contents.set(counter, content);
    trim(this.#contents, MAX_KEPT);
  }

  /** @param {Key} key @param {number} first @param {number} last */
  confirmed(key, first, last) {
    const receipts = [];
    for (const [counter, one] of this.#contents) {
      if (first <= counter && counter <= last && one.audience.has(key) && !one.confirmed.has(key)) {
        one.confirmed.add(key);
        if (one.isText) receipts.push(receipt(one));
      }
    }
    return receipts;
  }

  /** What a member should have, but began to count too late. @param {Key} key @param {number} first */
  lacking(key, first) {
    return [...this.#contents]
      .filter(([n, one]) => n < first && awaits(one, key) && this.mayHave(key, n))
      .map(([n]) => n);
  }

  /** @param {Key} key */
  left(key) {
    const receipts = [];
    for (const one of this.#contents.values()) {
      const isNews = one.isText && awaits(one, key);
      one.gone.add(key);
      if (isNews) receipts.push(receipt(one));
    }
    return receipts;
  }

  /** @param {Key} key */
  back(key) {
    for (const { gone } of this.#contents.values()) gone.delete(key);
  }

  /** @param {Key} key @param {number} counter */
  mayHave(key, counter) {
    const content = this.#contents.get(counter);
    return !!content?.audience.has(key) && (content.repairs.get(key) ?? 0) < MAX_REPAIRS;
  }

  /** @param {Iterable<Key>} keys @param {number} counter */
  isOpenTo(keys, counter) {
    const audience = this.#contents.get(counter)?.audience;
    return !!audience && [...keys].every((key) => audience.has(key));
  }

  /** For an asker that may have it. @param {number} counter */
  content(counter) {
    return /** @type {Content} */ (this.#contents.get(counter)).data;
  }

  /** @param {Key} key @param {number} counter */
  repaired(key, counter) {
    const repairs = this.#contents.get(counter)?.repairs;
    repairs?.set(key, (repairs.get(key) ?? 0) + 1);
  }

  /** @param {number} now */
  expire(now) {
    for (const [counter, { until }] of this.#contents) {
      if (until > now) break;
      this.#contents.delete(counter);
    }
  }

  deadline() {
    const [oldest] = this.#contents.values();
    return oldest?.until ?? null;
  }

  clear() {
    this.#contents.clear();
  }
}
