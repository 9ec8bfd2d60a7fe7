// What goes over the wire, as the relay reads it (PROTOCOL 5 and 6): pure.

import { fromUint } from '../bytes.js';

/**
 * @typedef {{ direction: 'in' | 'out', at: number, kind: string, tag: string | null,
 *   seq: number | null, fence: number | null, size: number, text: string | null,
 *   bytes: Uint8Array | null, open: number }} Seen `open`: so many bytes the relay can read
 */

export const MAX_FRAMES = 200;
// Of each frame so much is kept and drawn; the rest looks alike.
export const MAX_BYTES = 1024;
const INNER = ['', 'application', 'commit'];
/** By kind: name, bytes before what is sealed. @type {Record<number, [string, number]>} */
const HEADS = {
  1: ['post', 17],
  2: ['commit', 21],
  3: ['offer', 17],
  17: ['frame', 20],
  18: ['info', 10],
  19: ['ack', 17],
};

/**
 * @param {'in' | 'out'} direction @param {string | Uint8Array} data @param {number} at
 * @returns {Seen}
 */
export function toSeen(direction, data, at) {
  const seen = { direction, at, tag: null, seq: null, fence: null, text: null, bytes: null };
  if (typeof data === 'string') {
    const kind = /^\{"type":"(\w+)"/.exec(data)?.[1] ?? '?';
    return { ...seen, kind, size: data.length, text: data.slice(0, 4096), open: data.length };
  }
  const [kind, open] = HEADS[data[0]] ?? ['?', 1];
  const bytes = data.slice(0, MAX_BYTES);
  const number = (/** @type {number} */ from, length = 8) =>
    fromUint(data.subarray(from, from + length));
  const binary = { ...seen, kind, size: data.length, bytes, open };
  switch (data[0]) {
    case 0x11: {
      const tag = `0x${number(2, 2).toString(16).padStart(4, '0')}`;
      return { ...binary, kind: INNER[data[1]] ?? kind, tag, seq: number(4), fence: number(12) };
    }
    case 0x12:
      return { ...binary, fence: number(1) };
    case 0x13:
      return { ...binary, seq: number(9) };
    default:
      return data[0] < 4 ? { ...binary, fence: number(9) } : binary;
  }
}

/** The newest frames, and how many there were. */
export class Wire {
  /** @type {Seen[]} */
  frames = [];
  count = 0;
  size = 0;

  /** @param {Seen} seen */
  add(seen) {
    this.count++;
    this.size += seen.size;
    this.frames.push(seen);
    if (this.frames.length > MAX_FRAMES) this.frames.shift();
  }
}
