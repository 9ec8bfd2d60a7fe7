// Twin of client/mls/private.py.

import { concat, zeros } from '../bytes.js';
import { AuthenticationError, UsageError } from '../errors.js';
import { opaque, parse, Reader, raw, sound, struct, u8, u32, u64 } from './codec.js';
import { APPLICATION, encodeContent, message, WIRE_PRIVATE } from './framing.js';
import { messageKey, open, seal } from './suite.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Value } from './codec.js'
 * @import { MessageKey } from './suite.js'
 * @typedef {Value<typeof PRIVATE>} Private
 * @typedef {Value<typeof AAD>} Head
 * @typedef {Value<typeof SENDER_DATA>} SenderData
 */

const FIELDS = { groupId: opaque, epoch: u64, contentType: u8 };
const SENDER_DATA_AAD = struct(FIELDS);
const AAD = struct({ ...FIELDS, authenticatedData: opaque });
const SENDER_DATA = struct({ leaf: u32, generation: u32, reuseGuard: raw(u32) });
export const PRIVATE = message(
  WIRE_PRIVATE,
  struct({ ...FIELDS, authenticatedData: opaque, senderData: opaque, ciphertext: opaque }),
);

/** @param {MessageKey} key @param {SenderData} who */
const guarded = ({ key, nonce }, { reuseGuard }) => ({
  key,
  nonce: nonce.map((byte, n) => byte ^ (reuseGuard[n] ?? 0)),
});

/** @param {Bytes} secret @param {Bytes} ciphertext */
const senderDataKey = (secret, ciphertext) => messageKey(secret, ciphertext.subarray(0, 32));

/** @param {Bytes} secret @param {Private} sealed */
export async function openSenderData(secret, sealed) {
  const key = await senderDataKey(secret, sealed.ciphertext);
  const plain = await open(key, SENDER_DATA_AAD(sealed), sealed.senderData);
  if (plain.length !== 12) throw new AuthenticationError();
  return parse(SENDER_DATA, plain);
}

/** @param {Bytes} secret @param {Head} head @param {SenderData} who @param {MessageKey} key @param {Bytes} plaintext */
export async function sealPrivate(secret, head, who, key, plaintext) {
  const ciphertext = await seal(guarded(key, who), AAD(head), plaintext);
  const outer = await senderDataKey(secret, ciphertext);
  const senderData = await seal(outer, SENDER_DATA_AAD(head), SENDER_DATA(who));
  return PRIVATE({ ...head, senderData, ciphertext });
}

/** Its signature is still to be verified. @param {Private} sealed @param {SenderData} who @param {MessageKey} key */
export async function openPrivate(sealed, who, key) {
  const plain = await open(guarded(key, who), AAD(sealed), sealed.ciphertext);
  const reader = new Reader(plain);
  const [application, signature] = [opaque.read(reader), opaque.read(reader)];
  sound(!plain.subarray(reader.at).some(Boolean), 'padding that is not zero');
  const place = { ...sealed, sender: who.leaf, wireFormat: WIRE_PRIVATE };
  const encoded = encodeContent(place, APPLICATION, opaque(application));
  return { ...place, encoded, signature, application };
}

/** @param {Bytes} plaintext @param {number} overhead @param {number} size */
export function pad(plaintext, overhead, size) {
  const missing = size - overhead - plaintext.length;
  if (missing < 0) throw new UsageError('the content does not fit this size');
  return concat(plaintext, zeros(missing));
}
