// Twin of client/mls/framing.py.

import { concat, zeros } from '../bytes.js';
import {
  after,
  codec,
  opaque,
  optional,
  select,
  sound,
  struct,
  u8,
  u16,
  u32,
  u64,
  vector,
} from './codec.js';
import { CONTEXT, EXTERNAL_PSK, VERSION } from './keyschedule.js';
import { LEAF } from './tree.js';

/**
 * @import { Bytes } from '../bytes.js'
 * @import { Codec, Value } from './codec.js'
 * @import { GroupContext } from './keyschedule.js'
 * @typedef {Value<typeof PROPOSAL>} Proposal
 * @typedef {Value<typeof PATH>} UpdatePath
 * @typedef {Value<typeof COMMIT>} Commit
 * @typedef {Value<typeof PLACE>} Place `sender` is null for a newcomer
 * @typedef {Place & { wireFormat: number, encoded: Bytes, signature: Bytes }} Framed
 * @typedef {Framed & { commit: Commit, confirmationTag: Bytes, membershipTag: Bytes }} FramedCommit
 */

export const [WIRE_PUBLIC, WIRE_PRIVATE, WIRE_GROUP_INFO] = [1, 2, 4];
export const [APPLICATION, COMMITS] = [1, 3];
export const [REMOVE, PSK, EXTERNAL_INIT] = /** @type {const} */ ([3, 4, 6]);
export const [BY_VALUE, BY_REFERENCE] = /** @type {const} */ ([1, 2]);

const PROPOSALS = {
  [REMOVE]: struct({ leaf: u32 }),
  [PSK]: EXTERNAL_PSK,
  [EXTERNAL_INIT]: struct({ kemOutput: opaque }),
};
const PROPOSAL = select(PROPOSALS, u16);
const ENTRY = select({
  [BY_VALUE]: struct({ proposal: PROPOSAL }),
  [BY_REFERENCE]: struct({ reference: opaque }),
});
const CIPHERTEXTS = vector(struct({ output: opaque, ciphertext: opaque }), 2048);
const PATH_NODES = vector(struct({ encryptionKey: opaque, ciphertexts: CIPHERTEXTS }), 32);
export const PATH = struct({ leaf: LEAF, nodes: PATH_NODES });
export const COMMIT = struct({ proposals: vector(ENTRY, 2048), path: optional(PATH) });
/** @type {Codec<number | null>} */
const SENDER = codec(
  (reader) => {
    const kind = u8.read(reader);
    sound(kind === 1 || kind === 4, 'no such sender');
    return kind === 1 ? u32.read(reader) : null;
  },
  (leaf) => (leaf === null ? u8(4) : concat(u8(1), u32(leaf))),
);
const PLACE = struct({ groupId: opaque, epoch: u64, sender: SENDER, authenticatedData: opaque });

/** MLSMessage. @template T @param {number} wireFormat @param {Codec<T>} item */
export const message = (wireFormat, item) => after(concat(VERSION, u16(wireFormat)), item);

/** @param {Place} place @param {number} kind @param {Bytes} body */
export const encodeContent = (place, kind, body) => concat(PLACE(place), u8(kind), body);

/** @param {Framed} framed @param {GroupContext} context */
export const signed = ({ wireFormat, encoded }, context) =>
  concat(VERSION, u16(wireFormat), encoded, CONTEXT(context));

/** @param {FramedCommit} framed */
const authentication = ({ signature, confirmationTag }) =>
  concat(opaque(signature), opaque(confirmationTag));

/** @param {FramedCommit} framed @param {GroupContext} context */
export const tagged = (framed, context) => concat(signed(framed, context), authentication(framed));

/** @param {Framed} framed */
export const confirmed = ({ wireFormat, encoded, signature }) =>
  concat(u16(wireFormat), encoded, opaque(signature));

/** @type {Codec<FramedCommit>} */
export const PUBLIC_COMMIT = message(
  WIRE_PUBLIC,
  codec(
    (reader) => {
      const start = reader.at;
      const place = PLACE.read(reader);
      sound(u8.read(reader) === COMMITS, 'a public message holds a commit');
      return {
        wireFormat: WIRE_PUBLIC,
        ...place,
        commit: COMMIT.read(reader),
        encoded: reader.since(start),
        signature: opaque.read(reader),
        confirmationTag: opaque.read(reader),
        membershipTag: place.sender === null ? zeros(0) : opaque.read(reader),
      };
    },
    (framed) => {
      const tag = framed.sender === null ? zeros(0) : opaque(framed.membershipTag);
      return concat(framed.encoded, authentication(framed), tag);
    },
  ),
);
