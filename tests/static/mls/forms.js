// Leaves of another form than PROTOCOL 8.1 has, by the check that each fails (R7, R8).

import { concat, utf8, zeros } from '../../../static/js/bytes.js';
import { opaque, u16 } from '../../../static/js/mls/codec.js';

/** @param {number} kind @param {string} name */
const credential = (kind, name) => concat(u16(kind), opaque(utf8(name)));
const OTHER_SUITES = concat(
  ...[u16(1), Uint8Array.of(0, 1, 0, 2), u16(0xf0be), zeros(0), u16(1)].map((data) => opaque(data)),
);

/** Of anybody. @type {[string, object[]][]} */
export const FAT = [
  ['leaf source', [{ source: { kind: 1, lifetime: zeros(16) } }, { source: { kind: 2 } }]],
  ['leaf capabilities', [{ capabilities: zeros(5) }, { capabilities: OTHER_SUITES }]],
  [
    'leaf extensions',
    [{ extensions: concat(u16(0xf0be), opaque(zeros(0))) }, { extensions: utf8('x') }],
  ],
  [
    'encryption key',
    [zeros(32), zeros(31), new Uint8Array(32).fill(255)].map((key) => ({ encryptionKey: key })),
  ],
  ['signature', [{ signature: zeros(64) }, { signature: zeros(0) }]],
  ['parent hash', [zeros(32), zeros(0)].map((parentHash) => ({ source: { kind: 3, parentHash } }))],
];
/** Of a newcomer: a member's would be another identity. @type {[string, object[]][]} */
export const FAT_NEWCOMER = [
  [
    'leaf credential',
    [credential(1, '0xffff0'), credential(2, '0xffff'), credential(1, '')].map((other) => ({
      credential: other,
    })),
  ],
  [
    'leaf tag',
    ['0xFFFF', '1xffff', '0xfff\n'].map((name) => ({ credential: credential(1, name) })),
  ],
  [
    'signature key',
    [Uint8Array.of(1, ...zeros(31)), zeros(31)].map((key) => ({ signatureKey: key })),
  ],
];
