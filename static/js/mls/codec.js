// Twin of client/mls/codec.py. A codec encodes when it is called, and `read` decodes: structures are
// tables of codecs. Readers raise FrameError alone.

import { concat, equal, fromUint, uint } from '../bytes.js';
import { FrameError } from '../errors.js';

/** @import { Bytes } from '../bytes.js' */
/** @template T @typedef {((value: T) => Bytes) & { read: (reader: Reader) => T }} Codec */
/** @template {Codec<any>} C @typedef {ReturnType<C['read']>} Value */

/** Raise FrameError unless. @param {unknown} condition @param {string} why */
export function sound(condition, why) {
  if (!condition) throw new FrameError(why);
}

/** A cursor over bytes from outside; what it returns are views. */
export class Reader {
  at = 0;

  /** @param {Bytes} data */
  constructor(data) {
    this.data = data;
  }

  /** @param {number} length */
  take(length) {
    const start = this.at;
    this.at += length;
    sound(this.at <= this.data.length, 'cut short');
    return this.since(start);
  }

  /** @param {number} start */
  since(start) {
    return this.data.subarray(start, this.at);
  }
}

/** Read a value that is all of `data`. @template T @param {Codec<T>} item @param {Bytes} data */
export function parse(item, data) {
  const reader = new Reader(data);
  const value = item.read(reader);
  sound(reader.at === data.length, 'bytes left over');
  return value;
}

/** @template T @param {(reader: Reader) => T} read @param {(value: T) => Bytes} write */
export const codec = (read, write) => Object.assign(write, { read });

/** @param {number} length */
const integer = (length) =>
  codec(
    (reader) => {
      const value = fromUint(reader.take(length));
      sound(value <= Number.MAX_SAFE_INTEGER, 'too large');
      return value;
    },
    (value) => uint(value, length),
  );

export const [u8, u16, u32, u64] = [1, 2, 4, 8].map(integer);

const length = codec(
  (reader) => {
    let value = u8.read(reader);
    const form = value >> 6;
    sound(form < 3, 'no such length form');
    value &= 0x3f;
    for (let more = (1 << form) - 1; more > 0; more--) value = value * 256 + u8.read(reader);
    sound(!form || value >> (8 * form - 2), 'length not in its shortest form');
    return value;
  },
  (value) => {
    if (value < 1 << 6) return u8(value);
    return value < 1 << 14 ? u16(value + 0x4000) : u32(value + 0x80000000);
  },
);

/** A vector of bytes. */
export const opaque = codec(
  (reader) => reader.take(length.read(reader)),
  (data) => concat(length(data.length), data),
);

/** What is kept as it was encoded. @param {Codec<any>[]} items */
export const raw = (...items) =>
  codec(
    (reader) => {
      const start = reader.at;
      for (const item of items) item.read(reader);
      return reader.since(start);
    },
    (data) => data,
  );

/** @template T @param {Codec<T>} item @param {number} limit */
export const vector = (item, limit) =>
  codec(
    (reader) => {
      const inner = new Reader(opaque.read(reader));
      const values = [];
      while (inner.at < inner.data.length) {
        sound(values.length < limit, 'too many entries');
        values.push(item.read(inner));
      }
      return values;
    },
    (values) => opaque(concat(...values.map((value) => item(value)))),
  );

/** @template T @param {Codec<T>} item */
export const optional = (item) =>
  codec(
    (reader) => {
      const present = u8.read(reader);
      sound(present < 2, 'neither absent nor present');
      return present ? item.read(reader) : null;
    },
    (value) => (value === null ? u8(0) : concat(u8(1), item(value))),
  );

/** Behind constant bytes. @template T @param {Bytes} head @param {Codec<T>} item */
export const after = (head, item) =>
  codec(
    (reader) => {
      sound(equal(reader.take(head.length), head), 'another kind');
      return item.read(reader);
    },
    (value) => concat(head, item(value)),
  );

/**
 * An object of the fields of a table, in its order.
 * @template {Record<string, Codec<any>>} F @param {F} fields
 * @returns {Codec<{ [K in keyof F]: Value<F[K]> }>}
 */
export const struct = (fields) =>
  codec(
    (reader) => {
      const entries = Object.entries(fields).map(([name, item]) => [name, item.read(reader)]);
      return Object.fromEntries(entries);
    },
    (value) => concat(...Object.entries(fields).map(([name, item]) => item(value[name]))),
  );

/**
 * One of several objects, told by its `kind`.
 * @template {{ [kind: number]: Codec<any> }} C @param {C} cases @param {Codec<number>} [tag]
 * @returns {Codec<{ [K in keyof C & number]: { kind: K } & Value<C[K]> }[keyof C & number]>}
 */
export const select = (cases, tag = u8) =>
  codec(
    (reader) => {
      const kind = tag.read(reader);
      sound(kind in cases, 'no such kind');
      return { kind, ...cases[kind].read(reader) };
    },
    (value) => concat(tag(value.kind), cases[value.kind](value)),
  );
