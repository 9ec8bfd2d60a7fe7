// The client's half of PROTOCOL 5 and 6: bytes to frames, frames to bytes; see client/wire.py.

import { concat, encodeB64url, fromUint, hex, uint } from './bytes.js';
import * as field from './field.js';
import { must } from './field.js';
import { isSealedLength, Kind } from './seal.js';

/** @import { Bytes } from './bytes.js' */
/** @import { Reader } from './field.js' */
/**
 * `messageRate` is per second, 0 for no limit; the nulls of `joined` are not for the joiner.
 * @typedef {{ life: Bytes, tag: string, seq: number, fence: number, messageRate: number,
 *   messageBurst: number, seats: number }} Place
 * @typedef {{ seq: number, tag: string }} Seat
 * @typedef {{ seq: number, fence: number }} Order
 * @typedef {{ type: 'challenge', nonce: Bytes }} Challenge
 * @typedef {{ type: 'welcome' } & Place} Welcome
 * @typedef {{ type: 'resumed', ticket: string } & Place} Resumed
 * @typedef {Seat & { type: 'joined', seats: string[] | null, away: string[] | null,
 *   ticket: string | null }} Joined
 * @typedef {Order & { type: 'gap', seats: string[], away: string[] }} Gap
 * @typedef {Seat & { type: 'away' }} Away
 * @typedef {Seat & { type: 'back' }} Back
 * @typedef {Seat & { type: 'left' }} Left
 * @typedef {{ type: 'refused', reason: string, reference: Bytes | null,
 *   retryAfterS: number | null, fence: number | null }} Refused
 * @typedef {Order & { type: 'reset', life: Bytes }} Reset
 * @typedef {Challenge | Welcome | Resumed | Joined | Gap | Away | Back | Left | Refused | Reset
 *   | { type: 'mark', mark: string } | { type: 'drain', retryAfterS: number }
 *   | { type: 'notice', code: string } | { type: 'need' } | { type: 'unknown' }} TextFrame
 * @typedef {Order & { type: 'frame', kind: number, tag: string, sealed: Bytes }} Frame
 * @typedef {{ type: 'info', fence: number, entries: Bytes[] }} Info
 * @typedef {{ type: 'ack', reference: Bytes, seq: number }} Ack
 * @typedef {Frame | Info | Ack} BinaryFrame
 */

const MAX_TEXT_BYTES = 4096;
export const REFERENCE_BYTES = 8;
/** A commit with its GroupInfo has at most 128 KiB; an info holds one GroupInfo, three offers. */
export const MAX_MESSAGE_BYTES = 4 * 128 * 1024 + 64;
const MAX_INFO_ENTRIES = 4;
const FRAME_BYTES = 20;
const INFO_BYTES = 10;
const ACK_BYTES = 17;

/** @type {Record<string, Reader>} */
const READERS = {
  away: field.readTags,
  code: field.readWord,
  fence: field.checkInt,
  life: field.readB64(8),
  limits: field.readLimits,
  mark: field.readToken,
  nonce: field.readB64(32),
  reason: field.readWord,
  reference: field.readReference,
  retry_after_ms: field.readSeconds,
  seats: field.readTags,
  seq: field.checkInt,
  tag: field.readTag,
  ticket: field.readToken,
  v: field.checkInt,
};
// The fields of each type in their order; ? where null is one.
const SHAPES = new Map(
  Object.entries({
    challenge: 'v nonce',
    welcome: 'life tag seq fence limits',
    joined: 'seq tag',
    mark: 'mark',
    resumed: 'life tag seq fence ticket limits',
    gap: 'seq fence seats away',
    away: 'seq tag',
    back: 'seq tag',
    left: 'seq tag',
    refused: 'reason reference? retry_after_ms? fence?',
    need: '',
    reset: 'life seq fence',
    drain: 'retry_after_ms',
    notice: 'code',
  }),
);
const JOINER = 'seq tag seats away ticket';

export const NEED = '{"type":"need"}';
export const BYE = '{"type":"bye"}';

/** @param {Bytes} roomId @param {Bytes} access @param {Bytes} signature */
export const serializeHello = (roomId, access, signature) =>
  JSON.stringify({ type: 'hello', ...proof(roomId, access, signature) });

/**
 * @param {Bytes} roomId @param {Bytes} access @param {Bytes} signature
 * @param {string} ticket @param {string} mark @param {number} seq the last number seen
 */
export const serializeResume = (roomId, access, signature, ticket, mark, seq) =>
  JSON.stringify({ type: 'resume', ...proof(roomId, access, signature), ticket, mark, seq });

/** @param {Bytes[]} keys */
function proof(...keys) {
  const [room, access, signature] = keys.map(encodeB64url);
  return { v: 1, room, access, signature };
}

/** @param {number} kind @param {Bytes} reference @param {number} fence @param {Bytes[]} rest */
const spell = (kind, reference, fence, ...rest) =>
  concat(uint(kind, 1), reference, uint(fence, 8), ...rest);

/** @param {Bytes} reference @param {number} fence @param {Bytes} sealed */
export const serializePost = (reference, fence, sealed) => spell(1, reference, fence, sealed);

/** @param {Bytes} reference @param {number} fence @param {Bytes} commit sealed @param {Bytes} info sealed */
export const serializeCommit = (reference, fence, commit, info) =>
  spell(2, reference, fence, uint(commit.length, 4), commit, info);

/** @param {Bytes} reference @param {number} fence @param {Bytes} info sealed */
export const serializeOffer = (reference, fence, info) => spell(3, reference, fence, info);

/** Read a binary message of the relay; raise FrameError. @param {Bytes} data @returns {BinaryFrame} */
export function parseBinary(data) {
  const number = (/** @type {number} */ at) => field.checkInt(fromUint(data.subarray(at, at + 8)));
  const [type, kind] = data;
  if (type === 0x11) {
    const sealed = data.subarray(FRAME_BYTES);
    must(kind === Kind.APPLICATION || kind === Kind.COMMIT);
    must(isSealedLength(kind, sealed.length));
    const tag = `0x${hex(data.subarray(2, 4))}`;
    return { type: 'frame', kind, tag, seq: number(4), fence: number(12), sealed };
  }
  if (type === 0x12) {
    must(data.length >= INFO_BYTES && data[9] <= MAX_INFO_ENTRIES);
    return { type: 'info', fence: number(1), entries: readEntries(data) };
  }
  must(type === 0x13 && data.length === ACK_BYTES);
  return { type: 'ack', reference: data.subarray(1, 9), seq: number(9) };
}

/** @param {Bytes} data */
function readEntries(data) {
  const entries = [];
  let at = INFO_BYTES;
  while (entries.length < data[9]) {
    const start = at + 4;
    at = start + fromUint(data.subarray(at, start));
    must(at <= data.length && isSealedLength(Kind.GROUP_INFO, at - start));
    entries.push(data.subarray(start, at));
  }
  must(at === data.length);
  return entries;
}

/** Read a text message of the relay; raise FrameError. @param {string} text @returns {TextFrame} */
export function parseText(text) {
  must(text.length <= MAX_TEXT_BYTES && /^[\t\n\r -\x7f]*$/.test(text));
  const fields = field.readObject(text);
  const { type } = fields;
  const isJoiner = type === 'joined' && 'seats' in fields;
  const shape = isJoiner ? JOINER : SHAPES.get(type);
  if (shape === undefined) return { type: 'unknown' };
  const names = shape.match(/\w+/g) ?? [];
  must(Object.keys(fields).join() === ['type', ...names].join());
  /** @type {any} */
  const frame = type === 'joined' ? { type, seats: null, away: null, ticket: null } : { type };
  for (const name of names) {
    const isNull = fields[name] === null && shape.includes(`${name}?`);
    const value = isNull ? null : READERS[name](fields[name]);
    if (name === 'limits') Object.assign(frame, value);
    else frame[name === 'retry_after_ms' ? 'retryAfterS' : name] = value;
  }
  must(type !== 'challenge' || frame.v === 1);
  // A key twice, a space, a number of another spelling: none survives being spelt anew.
  must(JSON.stringify(fields) === text);
  return frame;
}
