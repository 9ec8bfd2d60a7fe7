// Twin of client/mls/keyschedule.py.

import { concat, zeros } from '../bytes.js';
import { after, opaque, struct, u8, u16, u64 } from './codec.js';
import { derive, mac } from './suite.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Value } from './codec.js'
 * @typedef {Value<typeof CONTEXT>} GroupContext
 * @typedef {Record<keyof typeof LABELS, Bytes>} EpochSecrets
 * @typedef {{ id: Bytes, value: Bytes }} Psk `id` is a PreSharedKeyID, encoded
 */

export const VERSION = u16(1);
export const CONTEXT = after(
  VERSION,
  struct({
    suite: u16,
    groupId: opaque,
    epoch: u64,
    treeHash: opaque,
    confirmedTranscriptHash: opaque,
    extensions: opaque,
  }),
);
export const EXTERNAL_PSK = after(u8(1), struct({ pskId: opaque, nonce: opaque }));

const LABELS = {
  senderData: 'sender data',
  encryption: 'encryption',
  exporter: 'exporter',
  external: 'external',
  confirmation: 'confirm',
  membership: 'membership',
  resumption: 'resumption',
  authenticator: 'authentication',
  init: 'init',
};

/** @param {Psk[]} psks */
export async function pskSecret(psks) {
  let secret = zeros(32);
  for (const [index, { id, value }] of psks.entries()) {
    const label = concat(id, u16(index), u16(psks.length));
    secret = await mac(await derive(await mac(zeros(32), value), 'derived psk', label), secret);
  }
  return secret;
}

/** @param {Bytes} epoch @returns {Promise<EpochSecrets>} */
export async function secretsOf(epoch) {
  const derived = Object.entries(LABELS).map(async ([name, label]) => [
    name,
    await derive(epoch, label),
  ]);
  return Object.fromEntries(await Promise.all(derived));
}

/** Also the confirmation tag. @param {GroupContext} context @param {Bytes} joiner @param {Bytes} psk */
export async function epochSecrets(context, joiner, psk) {
  const secrets = await secretsOf(await derive(await mac(joiner, psk), 'epoch', CONTEXT(context)));
  const confirmationTag = await mac(secrets.confirmation, context.confirmedTranscriptHash);
  return { secrets, confirmationTag };
}
