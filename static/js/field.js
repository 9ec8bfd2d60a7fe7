// The values in text messages of the relay (PROTOCOL 5), each in one spelling; see client/field.py.
// What is none raises FrameError, where Python has three classes.

import { decodeB64url, fromHex, fromUtf8 } from './bytes.js';
import { FrameError } from './errors.js';

/** @import { Bytes } from './bytes.js' */
/** @typedef {(value: unknown) => any} Reader */

/** @param {unknown} holds @returns {asserts holds} */
export function must(holds) {
  if (!holds) throw new FrameError('a message of another spelling');
}

/** An object with a type; whoever reads it spells it anew to compare. @param {string | Bytes} data */
export function readObject(data) {
  let fields;
  try {
    fields = JSON.parse(typeof data === 'string' ? data : fromUtf8(data));
  } catch {}
  must(typeof fields?.type === 'string');
  return fields;
}

/** @template T @param {T[]} list @param {(a: T, b: T) => boolean} isBefore */
export const ascends = (list, isBefore) =>
  list.every((item, i) => i === 0 || isBefore(list[i - 1], item));

/** Whether this is from 0 to 2^53 - 1. @param {any} value @returns {value is number} */
export const isInt = (value) => Number.isSafeInteger(value) && value >= 0;

/** @param {unknown} value */
export function checkInt(value) {
  must(isInt(value));
  return value;
}

/** @param {RegExp} spelling @returns {(value: unknown) => string} */
const matching = (spelling) => (value) => {
  must(typeof value === 'string' && spelling.test(value));
  return value;
};

export const readTag = matching(/^0x[0-9a-f]{4}$/);
/** A reason or a code. */
export const readWord = matching(/^[a-z_]{1,32}$/);
/** A ticket or a mark. */
export const readToken = matching(/^[A-Za-z0-9_-]{1,256}$/);
const readHex = matching(/^[0-9a-f]{16}$/);
/** @type {Reader} */
export const readReference = (value) => fromHex(readHex(value));
/** Milliseconds as seconds. @type {Reader} */
export const readSeconds = (value) => checkInt(value) / 1000;

/** Tags, ascending, each once. @type {Reader} */
export function readTags(value) {
  must(Array.isArray(value) && ascends(value.map(readTag), (a, b) => a < b));
  return value;
}

/** @param {number} length @returns {Reader} */
export const readB64 = (length) => (value) => {
  try {
    return decodeB64url(readToken(value), length);
  } catch {
    must(false);
  }
};

/** Messages per second, burst, seats. @type {Reader} */
export function readLimits(value) {
  must(value instanceof Object);
  must(Object.keys(value).join() === 'message_rate_milli,message_burst,seats');
  const [rate, messageBurst, seats] = Object.values(value).map(checkInt);
  return { messageRate: rate / 1000, messageBurst, seats };
}
