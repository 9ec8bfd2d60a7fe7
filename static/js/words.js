// Verification words (PROTOCOL 9.1): bits said aloud, typed, compared; the twin of client/words.py.

import { utf8 } from './bytes.js';
import { TransportError, UsageError } from './errors.js';

/** @import { Bytes } from './bytes.js' */

const WORD_COUNT = 6;
const DIGEST_BYTES = 8;
const LIST_WORDS = 1024;
const ROUNDS = 100_000;
const BETWEEN = /[\s,;.:/_+\-\u2010-\u2015]+/;

let list = /** @type {Promise<readonly string[]> | null} */ (null);

/** The 1,024 words, fetched once; raise TransportError. */
export function loadWords() {
  list ??= readList().catch((error) => {
    list = null;
    throw error;
  });
  return list;
}

async function readList() {
  const url = new URL('../words.txt', import.meta.url);
  // Tests run this from disk, where fetch does not reach.
  const text = url.protocol.startsWith('http')
    ? await fetch(url).then((answer) => answer.text(), String)
    : (await import('node:fs')).readFileSync(url, 'utf8');
  const words = text.trim().split('\n');
  if (words.length !== LIST_WORDS) throw new TransportError('the list of words cannot be read');
  return words;
}

/** An epoch's six words; slow on purpose. @param {Bytes} context GroupContext and confirmation tag */
export const verificationWords = async (context) =>
  toWords(await stretch(context, 'beacon words v1'));

/** The two words of a member; as slow. @param {Bytes} signatureKey */
export const memberWords = async (signatureKey) =>
  (await toWords(await stretch(signatureKey, 'beacon member words v1'))).slice(0, 2);

/** @param {Bytes} context @param {string} salt */
async function stretch(context, salt) {
  const { subtle } = crypto;
  const key = await subtle.importKey('raw', context, 'PBKDF2', false, ['deriveBits']);
  const given = { name: 'PBKDF2', hash: 'SHA-256', salt: utf8(salt), iterations: ROUNDS };
  return new Uint8Array(await subtle.deriveBits(given, key, 8 * DIGEST_BYTES));
}

/** Spell the first 60 bits; raise UsageError for fewer than 8 bytes. @param {Bytes} digest */
export async function toWords(digest) {
  if (digest.length < DIGEST_BYTES) throw new UsageError(`words of ${digest.length} bytes`);
  const words = await loadWords();
  // The ten bits from bit `at` are within two bytes: `at` is even.
  return [0, 10, 20, 30, 40, 50].map((at) => {
    const pair = (digest[at >> 3] << 8) | digest[(at >> 3) + 1];
    return words[(pair >> (6 - (at & 7))) & (LIST_WORDS - 1)];
  });
}

/** Six words as people type them; raise UsageError. @param {string} text */
export async function normalise(text) {
  const words = text.toLowerCase().split(BETWEEN).filter(Boolean);
  const known = await loadWords();
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) throw new UsageError(`'${unknown}' is not one of the words`);
  if (words.length === WORD_COUNT) return words;
  throw new UsageError(`verification takes ${WORD_COUNT} words, not ${words.length}`);
}
