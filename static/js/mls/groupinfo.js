// Twin of client/mls/groupinfo.py.

import { opaque, struct, u16, u32, vector } from './codec.js';
import { message, WIRE_GROUP_INFO } from './framing.js';
import { CONTEXT } from './keyschedule.js';

/** @typedef {import('./codec.js').Value<typeof GROUP_INFO>} GroupInfo */

export const [TREE, EXTERNAL_PUB, BINDING] = [2, 4, 0xf0be];

const FIELDS = {
  context: CONTEXT,
  extensions: vector(struct({ kind: u16, data: opaque }), 8),
  confirmationTag: opaque,
  signer: u32,
};
export const GROUP_INFO_TBS = struct(FIELDS);
export const GROUP_INFO = message(WIRE_GROUP_INFO, struct({ ...FIELDS, signature: opaque }));
