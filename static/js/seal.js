// Sealing: the outer layer that hides MLS from the relay (PROTOCOL 3); the twin of client/seal.py.

import { concat, exactly, fromUint, uint, utf8, zeros } from './bytes.js';
import { AuthenticationError, StateError, UsageError } from './errors.js';
import { ROOM_ID_BYTES } from './link.js';

/** @import { Bytes } from './bytes.js' */

const NONCE_BYTES = 12;
const OVERHEAD = NONCE_BYTES + 16;
export const CLASSES = Object.freeze([256, 512, 1024, 2048, 4096]);
const BLOCK = 1024;
const LENGTH_BYTES = 4;
const LABEL = utf8('beacon seal v1\0\x01');

/** What a sealed message holds (R19). */
export const Kind = Object.freeze({ APPLICATION: 1, COMMIT: 2, GROUP_INFO: 3 });

/** The smallest class that holds so many bytes; raise UsageError. @param {number} length */
export function sizeClass(length) {
  const size = CLASSES.find((one) => length <= one);
  if (size === undefined) throw new UsageError(`${length} bytes do not fit the largest class`);
  return size;
}

/**
 * Encrypt one message; an application message comes padded, others are padded here (R20).
 * @param {CryptoKey | null} key @param {Bytes} roomId @param {number} kind
 * @param {number} fence @param {Bytes} plaintext
 */
export async function seal(key, roomId, kind, fence, plaintext) {
  let padded = plaintext;
  if (kind !== Kind.APPLICATION) {
    padded = zeros(Math.ceil((LENGTH_BYTES + plaintext.length) / BLOCK) * BLOCK);
    padded.set(uint(plaintext.length, LENGTH_BYTES));
    padded.set(plaintext, LENGTH_BYTES);
  } else if (!CLASSES.includes(plaintext.length)) {
    throw new UsageError('an application message is padded to a class before sealing');
  }
  const nonce = crypto.getRandomValues(zeros(NONCE_BYTES));
  const cipher = toCipher(nonce, roomId, kind, fence);
  return concat(nonce, new Uint8Array(await crypto.subtle.encrypt(cipher, held(key), padded)));
}

/**
 * Decrypt what `seal` made for the same room, kind and fence; raise AuthenticationError.
 * @param {CryptoKey | null} key @param {Bytes} roomId @param {number} kind
 * @param {number} fence @param {Bytes} sealed
 */
export async function unseal(key, roomId, kind, fence, sealed) {
  if (!isSealedLength(kind, sealed.length)) throw new AuthenticationError();
  const cipher = toCipher(sealed.subarray(0, NONCE_BYTES), roomId, kind, fence);
  const opened = crypto.subtle.decrypt(cipher, held(key), sealed.subarray(NONCE_BYTES));
  const padded = new Uint8Array(
    await opened.catch(() => {
      throw new AuthenticationError();
    }),
  );
  if (kind === Kind.APPLICATION) return padded;
  // One spelling: as little padding as the block allows, and only zeros.
  const end = LENGTH_BYTES + fromUint(padded.subarray(0, LENGTH_BYTES));
  const isLeast = end <= padded.length && padded.length < end + BLOCK;
  if (!isLeast || padded.subarray(end).some(Boolean)) throw new AuthenticationError();
  return padded.slice(LENGTH_BYTES, end);
}

/** Whether a sealed message may be so long (R20). @param {number} kind @param {number} length */
export function isSealedLength(kind, length) {
  const inner = length - OVERHEAD;
  return kind === Kind.APPLICATION ? CLASSES.includes(inner) : inner > 0 && inner % BLOCK === 0;
}

/** @param {CryptoKey | null} key */
function held(key) {
  if (key === null) throw new StateError('the keys were forgotten');
  return key;
}

/** @param {Bytes} iv @param {Bytes} roomId @param {number} kind @param {number} fence */
function toCipher(iv, roomId, kind, fence) {
  exactly('roomId', roomId, ROOM_ID_BYTES);
  const additionalData = concat(LABEL, roomId, uint(kind, 1), uint(fence, 8));
  return { name: 'AES-GCM', iv, additionalData };
}
