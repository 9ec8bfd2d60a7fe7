// Bytes: how they are joined, compared and spelt. Knows no protocol.

import { UsageError } from './errors.js';

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const UTF8 = new TextEncoder();
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param {...Uint8Array} parts @returns {Bytes} */
export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * Compare in a time that depends on the lengths alone, as far as JavaScript can promise that.
 * @param {Uint8Array} a @param {Uint8Array} b
 */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** @param {string} text @returns {Bytes} */
export const utf8 = (text) => UTF8.encode(text);

/** Raise TypeError for what is not UTF-8. @param {Uint8Array} data */
export const fromUtf8 = (data) => STRICT.decode(data);

/** Also how bytes become the key of a Map. @param {Uint8Array} data */
export function hex(data) {
  let out = '';
  for (const byte of data) out += HEX[byte];
  return out;
}

/** @param {string} text @returns {Bytes} */
export function fromHex(text) {
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** base64url without padding (RFC 4648 section 5). @param {Uint8Array} data */
export function encodeB64url(data) {
  let binary = '';
  for (const byte of data) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Return exactly `length` bytes; raise RangeError for any other spelling or length.
 * @param {string} text @param {number} length @returns {Bytes}
 */
export function decodeB64url(text, length) {
  let binary = '';
  try {
    binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new RangeError('not base64url');
  }
  const data = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  // Unused bits make several spellings of the same bytes: only one is accepted.
  if (data.length !== length || encodeB64url(data) !== text) {
    throw new RangeError('not base64url of that length');
  }
  return data;
}

/**
 * An unsigned integer in `length` bytes, big endian.
 * @param {number} value below 2^53 @param {number} length @returns {Bytes}
 */
export function uint(value, length) {
  const out = new Uint8Array(length);
  let rest = value;
  for (let i = length - 1; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

/** What `uint` spelt, as a number; not safe from 2^53 on. @param {Uint8Array} data */
export const fromUint = (data) => data.reduce((value, byte) => value * 256 + byte, 0);

/** @param {number} length @returns {Bytes} */
export const zeros = (length) => new Uint8Array(length);

/** Raise UsageError unless these are so many bytes. @param {string} name @param {Uint8Array} data @param {number} length */
export function exactly(name, data, length) {
  if (!(data instanceof Uint8Array) || data.length !== length) {
    throw new UsageError(`${name} has ${length} bytes, not ${data?.length}`);
  }
}
