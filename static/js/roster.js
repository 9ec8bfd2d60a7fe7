// The people of a room: leaves first, seats as decoration, whose leaf is due; see client/roster.py.

import { keyOf } from './ledger.js';

/**
 * @import { Key } from './ledger.js'
 * @import { Member as Leaf } from './mls/mls.js'
 * @typedef {'present' | 'away' | 'connecting' | 'gone'} Presence
 * @typedef {{ tag: string, nick: string | null, presence: Presence, me: boolean, heard: boolean,
 *   silent: boolean }} Member
 */

const UNSEATED_S = 60;
const LEFT_S = 2;
export const RANK_S = 0.3;
const MAX_NICKS = 1024;
const MAX_SEATS = 256;

/** Seats and nicknames; leaves are handed in. */
export class Roster {
  /** @type {Map<string, boolean>} */
  #away = new Map();
  /** @type {Map<string, number>} */
  #due = new Map();
  /** @type {Map<Key, string>} */
  #nicks = new Map();

  /** @param {string[]} seats @param {string[]} away */
  seated(seats, away) {
    this.#due.clear();
    this.#away = new Map(seats.map((tag) => [tag, away.includes(tag)]));
  }

  clearSeats() {
    this.#away.clear();
    this.#due.clear();
  }

  /** @param {string} tag */
  present(tag) {
    this.#note(tag, false);
    this.#due.delete(tag);
  }

  /** @param {string} tag */
  away(tag) {
    this.#note(tag, true);
  }

  /** @param {string} tag @param {boolean} away */
  #note(tag, away) {
    if (this.#away.has(tag) || this.#away.size < MAX_SEATS) this.#away.set(tag, away);
  }

  /** @param {string} tag @param {number} now */
  left(tag, now) {
    this.#away.delete(tag);
    this.#due.set(tag, now + LEFT_S);
  }

  /** @param {string} tag @returns {Presence} */
  presence(tag) {
    const away = this.#away.get(tag);
    if (away === undefined) return 'gone';
    return away ? 'away' : 'present';
  }

  /** @param {Key} key */
  nick(key) {
    return this.#nicks.get(key) ?? null;
  }

  /** Remember a nickname; say whether it is a new one. @param {Key} key @param {string} nick */
  rename(key, nick) {
    if (this.#nicks.get(key) === nick) return false;
    this.#nicks.delete(key);
    this.#nicks.set(key, nick);
    for (const oldest of this.#nicks.keys()) {
      if (this.#nicks.size <= MAX_NICKS) break;
      this.#nicks.delete(oldest);
    }
    return true;
  }

  /** Start the time of leaves without a seat. @param {readonly Leaf[]} leaves @param {number} now */
  watch(leaves, now) {
    const tags = new Set(leaves.map(({ tag }) => tag));
    for (const tag of tags) {
      if (!this.#away.has(tag) && !this.#due.has(tag)) this.#due.set(tag, now + UNSEATED_S);
    }
    for (const tag of this.#due.keys()) if (!tags.has(tag)) this.#due.delete(tag);
  }

  /** @param {readonly Leaf[]} leaves @param {number} now @param {{ waitS?: number }} [options] */
  due(leaves, now, { waitS = 0 } = {}) {
    return leaves
      .filter(({ tag }) => (this.#due.get(tag) ?? Infinity) + waitS <= now)
      .map(({ leaf }) => leaf);
  }

  /** Infinity for never. */
  deadline() {
    return Math.min(...this.#due.values());
  }

  /** How many present members come before leaf `me`. @param {readonly Leaf[]} leaves @param {number} me */
  rank(leaves, me) {
    return leaves.filter(({ leaf, tag }) => leaf < me && this.presence(tag) === 'present').length;
  }

  /** @param {string | null} me */
  presentOthers(me) {
    return [...this.#away].flatMap(([tag, away]) => (away || tag === me ? [] : [tag]));
  }

  /** Present seats without a leaf. @param {readonly Leaf[]} leaves */
  connecting(leaves) {
    const tags = new Set(leaves.map(({ tag }) => tag));
    return this.presentOthers(null)
      .filter((tag) => !tags.has(tag))
      .sort();
  }

  /** @param {Leaf} leaf @param {{ heard: boolean, silent: boolean }} said @returns {Member} */
  member(leaf, { heard, silent }) {
    const { tag } = leaf;
    const nick = this.nick(keyOf(leaf));
    return { tag, nick, presence: this.presence(tag), me: false, heard, silent };
  }

  /** @param {Leaf} leaf @param {string | null} nick @returns {Member} */
  me({ tag }, nick) {
    return { tag, nick, presence: this.presence(tag), me: true, heard: true, silent: false };
  }
}
