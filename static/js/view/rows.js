// What stands in the log, and in which order: pure. Words and order are those of client/cli/
// (render.py, order.py, receipt.py); what waits for the relay stands last, until it is ordered.

import { ClientError, RefusedError } from '../errors.js';
import { fill, LINES, NOTICES, REASONS, say, T } from '../text.js';
import { cleanNick } from './plain.js';

/** @import { Member } from '../roster.js' */
/** @import { State } from '../session.js' */
/**
 * A message has `who`, our own ones `progress`; any other row has `parts`.
 * @typedef {{ tag: string, nick: string | null }} Who
 * @typedef {string | number | Who} Part
 * @typedef {{ parts: Part[], grave: boolean, who: Who | null, text: string, late: boolean,
 *   at: number, life: string | null, seq: number, count: number, of: number, why: string,
 *   progress: null | 'pending' | 'ordered' | 'delivered' | 'failed' | 'held' }} Row
 */

// What the document holds at most; more than anybody scrolls back, and cheap to lay out.
export const MAX_ROWS = 500;
// Of more members than that, the number says enough.
const MAX_NAMED = 8;
// Receipts that came before their message was known to be ordered.
const MAX_EARLY = 64;
const TOGETHER_MS = 300_000;
const GRAVE = ['missing', 'equivocation', 'unconfirmed', 'superseded', 'notice'];
/** @type {Row} */
const BLANK = {
  ...{ parts: [], grave: false, who: null, text: '', late: false, at: 0 },
  ...{ life: null, seq: 0, count: 0, of: 0, why: '', progress: null },
};

/** Say an error in a sentence. @param {unknown} error */
export function explain(error) {
  if (error instanceof RefusedError) return REASONS[error.reason] ?? error.message;
  return error instanceof ClientError ? error.message : T.fault;
}

/** @param {string} template @param {Record<string, Part | Part[]>} [values] @returns {Row} */
export const line = (template, values = {}) => ({ ...BLANK, parts: fill(template, values).flat() });

/** Things in one line, with commas between. @param {Part[]} parts @returns {Part[]} */
const listed = (parts) => parts.flatMap((part, at) => (at ? [', ', part] : [part]));

/** Whom we find when we come. @param {Member[]} members */
export function already(members) {
  const others = members.filter(({ me }) => !me);
  const template = others.length > MAX_NAMED ? LINES.already_many : LINES.already;
  return others.length ? line(template, { who: listed(others), count: others.length }) : null;
}

/** `/who`. @param {Member[]} members */
export const everybody = (members) =>
  line(`${T.here}: {who}`, {
    count: members.length,
    who: members.flatMap((member, at) => {
      const beside = [member.me ? T.you : '', condition(member)].filter(Boolean).join(', ');
      return [at ? ', ' : '', member, beside && ` (${beside})`];
    }),
  });

/** @param {State} state @param {number} now */
export function describe({ status, nextRetryAt }, now) {
  const wait = status === 'reconnecting' && nextRetryAt !== null ? nextRetryAt - now : 0;
  if (wait >= 0.5) return say(T.reconnectingIn, { seconds: wait.toFixed() });
  return T[status];
}

/** What is to be said of a member's presence. @param {Member} member */
export function condition({ presence, me, heard, silent }) {
  if (presence !== 'present') return T.presence[presence];
  if (!me && !heard) return T.notHeard;
  return silent ? T.silent : '';
}

/** What is to be said of an own message. @param {Row} row */
export function progressOf({ progress, count, of, why }) {
  if (progress === 'ordered' && !of) return T.unread;
  if (progress === 'delivered' && count >= of) return T.deliveredAll;
  return progress ? say(T[progress], { count, of, why }) : '';
}

/** Others who can get what we say now. @param {Member[]} members */
export const readers = (members) =>
  members.filter(({ me, presence }) => !me && /present|away/.test(presence)).length;

/** @param {Who} who @param {string} text @param {number} at @returns {Row} */
export const said = (who, text, at) => ({ ...BLANK, who, text, at });

/** The row of an event, null if it has none. @param {any} event @param {number} at */
export function toRow(event, at) {
  const { type, tag, sender = tag, nick, life = null, seq = 0, tags = [], previous, count } = event;
  if (type === 'message')
    return { ...said({ tag: sender, nick }, event.text, at), life, seq, late: event.late };
  let form = type;
  let who = [{ tag: sender, nick: type === 'nick_changed' ? null : (nick ?? null) }];
  if (type === 'missing' && count === 1) form += '_one';
  if (type === 'back' && tag !== previous) form += '_other';
  if (type === 'notice' && tag !== null) form += '_of';
  if (type === 'unconfirmed') {
    who = tags.map((/** @type {string} */ each) => ({ tag: each, nick: null }));
    if (tags.length === 1) form += '_one';
    if (tags.length > MAX_NAMED) form += '_many';
  }
  const template = /** @type {Record<string, string>} */ (LINES)[form];
  if (!template) return null;
  const what = NOTICES[event.code] ?? event.code;
  const values = {
    who: listed(who),
    nick: cleanNick(nick),
    previous,
    count: count ?? tags.length,
    what,
  };
  return { ...line(template, values), grave: GRAVE.includes(type), life, seq };
}

/** Whether a message goes on under the head of the row before. @param {Row} row @param {Row | undefined} before */
export const goesOn = (row, before) =>
  row.who !== null &&
  row.who.tag === before?.who?.tag &&
  row.who.nick === before.who.nick &&
  row.at - before.at < TOGETHER_MS;

/** What has happened and what was said: ordered, then own texts that are not ordered yet. */
export class Log {
  /** @type {Row[]} */
  rows = [];
  /** @type {Row[]} */
  waiting = [];
  /** @type {Map<string, { count: number, of: number }>} */
  #early = new Map();

  /** @param {Row} row @param {number} [place] */
  add(row, place = this.rows.length) {
    this.rows.splice(place, 0, row);
    if (this.rows.length > MAX_ROWS) this.rows.shift();
  }

  /** @param {Who} who @param {string} text @param {number} at */
  say(who, text, at) {
    const row = said(who, text, at);
    row.progress = 'pending';
    this.waiting.push(row);
    return row;
  }

  /** @param {Row} row */
  drop(row) {
    this.waiting = this.waiting.filter((each) => each !== row);
  }

  /**
   * The relay gave a text of ours its place: before whatever was ordered later.
   * @param {Row} row @param {{ life: string, seq: number }} place @param {number} others
   */
  ordered(row, { life, seq }, others) {
    this.drop(row);
    Object.assign(row, { life, seq, progress: 'ordered', of: others });
    const at = this.rows.findIndex((each) => each.life === life && each.seq > seq);
    this.add(row, at < 0 ? undefined : at);
    const early = this.#early.get(`${life} ${seq}`);
    if (early) this.delivered({ life, seq, ...early });
  }

  /** @param {{ life: string, seq: number, count: number, of: number }} event */
  delivered({ life, seq, count, of }) {
    const row = this.rows.find((each) => each.progress && each.life === life && each.seq === seq);
    if (row) Object.assign(row, { progress: 'delivered', count, of });
    else this.#early.set(`${life} ${seq}`, { count, of });
    if (this.#early.size > MAX_EARLY) this.#early.delete([...this.#early.keys()][0]);
  }
}
