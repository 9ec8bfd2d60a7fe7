// What stands inside an application message (PROTOCOL 9); the twin of client/content.py.

import { concat, equal, fromUint, uint, utf8, zeros } from './bytes.js';
import { UsageError } from './errors.js';
import { ascends, isInt, must, readObject } from './field.js';

/** @import { Bytes } from './bytes.js' */
/**
 * @typedef {{ counter: number, base: number }} Place
 * @typedef {[leaf: number, first: number, last: number]} Row
 * @typedef {Place & { type: 'text', nick: string | null, text: string }} Text
 * @typedef {Place & { type: 'nick', nick: string }} Nick
 * @typedef {Place & { type: 'void' }} Blank
 * @typedef {Place & { type: 'pulse', nick: string | null, received: Row[] }} Pulse
 * @typedef {Place & { type: 'ask', holes: Row[] }} Ask
 * @typedef {Place & { type: 'repair', leaf: number | null, parts: [number, Bytes][] }} Repair
 * @typedef {Place & { type: 'other' }} Other
 * @typedef {Text | Nick | Blank} Counted
 * @typedef {Counted | Pulse | Ask | Repair} Content
 */

export const MAX_TEXT_CHARS = 500;
export const MAX_NICK_CHARS = 32;
const MAX_ENTRIES = 256;
export const MAX_PARTS = 64;
const LENGTH_BYTES = 2;
const UNCOUNTED = ['pulse', 'ask', 'repair'];
const NAMED = ['text', 'nick', 'pulse'];
const SURROGATE = /\p{Cs}/u;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Name what a content says, to tell a second one under its counter (R30). @param {Counted | Other} said */
export async function digest(said) {
  if (said.type !== 'text' && said.type !== 'nick') return zeros(0);
  const spelt = JSON.stringify([said.type, said.nick, said.type === 'text' ? said.text : '']);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(spelt)));
}

/** Length in code points. @param {string} text */
const count = (text) => [...text].length;

/** Return what may be sent (R21); raise UsageError. @param {string} text */
export function checkText(text) {
  const length = count(text);
  if (length > MAX_TEXT_CHARS) {
    throw new UsageError(`${length} characters; a message has at most ${MAX_TEXT_CHARS}`);
  }
  if (SURROGATE.test(text)) throw new UsageError('a message holds no lone surrogates');
  return text;
}

/** Return what may be used; raise UsageError. @param {string} nick */
export function checkNick(nick) {
  if (isNick(nick)) return nick;
  throw new UsageError(
    `a nickname has 1 to ${MAX_NICK_CHARS} characters, none of them for control,` +
      ' and does not begin or end with a space',
  );
}

/** @param {Content} content */
export function serialize(content) {
  const { type, counter, base } = content;
  /** @type {Record<string, unknown>} */
  const fields = { type, counter, base };
  /** @type {Bytes[]} */
  let raw = [];
  if ('nick' in content && content.nick !== null) fields.nick = content.nick;
  if (type === 'text') fields.text = content.text;
  else if (type === 'pulse') fields.received = content.received;
  else if (type === 'ask') fields.holes = content.holes;
  else if (type === 'repair') {
    if (content.leaf !== null) fields.leaf = content.leaf;
    fields.counters = content.parts.map(([number]) => number);
    raw = content.parts.map(([, sealed]) => sized(sealed));
  }
  return concat(sized(utf8(JSON.stringify(fields))), ...raw);
}

/** @param {Bytes} data */
const sized = (data) => concat(uint(data.length, LENGTH_BYTES), data);

/** Read a content; raise FrameError for any but the one spelling. @param {Bytes} data @returns {Content | Other} */
export function parse(data) {
  const [head, raw] = take(data);
  const content = read(readObject(head), raw);
  must(content.type === 'other' || equal(serialize(content), data));
  return content;
}

/** Split off what its length stands before. @param {Bytes} data */
function take(data) {
  const end = LENGTH_BYTES + fromUint(data.subarray(0, LENGTH_BYTES));
  must(data.length >= end);
  return [data.subarray(LENGTH_BYTES, end), data.subarray(end)];
}

/** @param {any} fields @param {Bytes} raw @returns {Content | Other} */
function read({ type, counter, base, nick = null, text, leaf = null, ...lists }, raw) {
  must(isInt(counter) && isInt(base));
  must(base < counter || (base === counter && UNCOUNTED.includes(type)));
  if (NAMED.includes(type)) must(nick === null || (typeof nick === 'string' && isNick(nick)));
  switch (type) {
    case 'void':
      return { type, counter, base };
    case 'nick':
      must(nick !== null);
      return { type, counter, base, nick };
    case 'text':
      must(typeof text === 'string' && count(text) <= MAX_TEXT_CHARS && !SURROGATE.test(text));
      return { type, counter, base, nick, text };
    case 'pulse': {
      const received = readRows(lists.received);
      must(ascends(received, ([a], [b]) => a < b));
      must(received.every(([, first, last]) => 1 <= first && first <= last + 1));
      return { type, counter, base, nick, received };
    }
    case 'ask': {
      const holes = readRows(lists.holes);
      must(holes.every(([, first, last]) => 1 <= first && first <= last));
      must(ascends(holes, (a, b) => a[0] < b[0] || (a[0] === b[0] && a[2] < b[1])));
      return { type, counter, base, holes };
    }
    case 'repair':
      must(leaf === null || isInt(leaf));
      return { type, counter, base, leaf, parts: readParts(lists.counters, raw) };
    default:
      return { type: 'other', counter, base };
  }
}

/** @param {unknown} rows @returns {Row[]} */
function readRows(rows) {
  must(Array.isArray(rows) && rows.length <= MAX_ENTRIES);
  must(rows.every((row) => Array.isArray(row) && row.length === 3 && row.every(isInt)));
  return rows;
}

/** @param {unknown} counters @param {Bytes} raw @returns {[number, Bytes][]} */
function readParts(counters, raw) {
  must(Array.isArray(counters) && counters.length <= MAX_PARTS && counters.every(isInt));
  must(ascends(counters, (a, b) => a < b));
  let rest = raw;
  return counters.map((counter) => {
    const [part, behind] = take(rest);
    rest = behind;
    return [counter, part];
  });
}

/** @param {string} nick */
const isNick = (nick) =>
  nick !== '' && count(nick) <= MAX_NICK_CHARS && nick.trim() === nick && !HIDDEN.test(nick);
