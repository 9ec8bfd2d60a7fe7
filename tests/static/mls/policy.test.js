// Forms of the profile, as bytes (R8, R11, PROTOCOL 8.1).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, fromHex, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { CommitRefusedError } from '../../../static/js/errors.js';
import * as policy from '../../../static/js/mls/policy.js';
import { draw, generateSignatureKey, sign } from '../../../static/js/mls/suite.js';
import { Tree } from '../../../static/js/mls/tree.js';
import { dice, leafOf, newKey, ROOM_ID, refuses, someBytes, world } from './forge.js';

/** @import { FramedCommit, Proposal } from '../../../static/js/mls/framing.js' */

const LEAF = leafOf((await world(1)).at(0).tree, 0);
const FOUR = (await world(4)).at(0).tree;

/** @param {() => unknown} attempt @param {...string} checks */
const refused = (attempt, ...checks) =>
  assert.throws(attempt, (error) => {
    assert(error instanceof CommitRefusedError && checks.includes(error.check), String(error));
    return true;
  });

test('R11: a binding has 27 bytes', () => {
  const binding = policy.binding(ROOM_ID, policy.KIND_COMMIT, 0x1020304050607);
  assert.equal(hex(binding), `0001${hex(ROOM_ID)}020001020304050607`);
  assert.equal(binding.length, 27);
});

test('R8: a leaf is fixed byte for byte', () => {
  assert.deepEqual(LEAF.credential, utf8('\0\x01\x060xa000'));
  assert.equal(hex(LEAF.capabilities), '02000102000102f0be00020001');
  assert.deepEqual([LEAF.source.kind, LEAF.extensions], [3, zeros(0)]);
  policy.checkLeaf(LEAF);
  assert.equal(policy.tagOf(LEAF), '0xa000');
});

test('R8: a tag is four lower case hex digits', () => {
  const roll = dice(31);
  const digits = '0123456789abcdefABCDEFxg\n';
  for (let n = 0; n < 400; n++) {
    const some = Array.from({ length: 4 }, () => digits[roll(digits.length)]).join('');
    const name = n % 2 ? utf8(`0x${some}`) : someBytes(roll, 12);
    const credential = concat(Uint8Array.of(0, 1, name.length), name);
    const leaf = { ...LEAF, credential };
    const text = String.fromCharCode(...name);
    if (text.length === 6 && /^0x[0-9a-f]*$/.test(text) && !text.includes('\n'))
      policy.checkLeaf(leaf);
    else refused(() => policy.checkLeaf(leaf), 'leaf credential', 'leaf tag');
  }
});

test('every tag has one credential', () => {
  for (const number of [0, 9, 0xabc, 0xffff]) {
    const name = `0x${number.toString(16).padStart(4, '0')}`;
    const leaf = { ...LEAF, credential: policy.credentialOf(name) };
    policy.checkLeaf(leaf);
    assert.equal(policy.tagOf(leaf), name);
  }
});

test('a failed check says which', () => {
  policy.need(true, 'of no matter');
  assert.throws(() => policy.need(false, 'the check'), {
    check: 'the check',
    message: 'commit refused: the check',
  });
});

const KEY = await newKey();
/** @type {Proposal & { kind: 4 }} */
const PSK = { kind: 4, pskId: policy.PSK_ID, nonce: zeros(32) };
/** @type {Proposal} */
const INIT = { kind: 6, kemOutput: KEY };
const remove = (/** @type {number} */ leaf) => /** @type {const} */ ({ kind: 3, leaf });
const REFERENCE = null;

/** @param {number | null} sender @param {(Proposal | null)[]} proposals */
function allowed(sender, ...proposals) {
  const tree = FOUR.withLeaf(0, LEAF);
  const entries = proposals.map((proposal) =>
    proposal
      ? { kind: /** @type {const} */ (1), proposal }
      : { kind: /** @type {const} */ (2), reference: zeros(32) },
  );
  /** @type {FramedCommit} */
  const framed = {
    sender,
    commit: { proposals: entries, path: { leaf: LEAF, nodes: [] } },
    wireFormat: 1,
    groupId: zeros(0),
    epoch: 0,
    authenticatedData: zeros(0),
    encoded: zeros(0),
    signature: zeros(0),
    confirmationTag: zeros(0),
    membershipTag: zeros(0),
  };
  return policy.checkProposals(framed, tree);
}

test("R9: a member's removals are told in their order", () => {
  assert.deepEqual(allowed(1, remove(3), remove(0)), { removes: [3, 0], kemOutput: null });
  assert.deepEqual(allowed(1), { removes: [], kemOutput: null });
});

test('R9: a newcomer brings the PSK and an init, and removes its own leaf at most', () => {
  assert.deepEqual(allowed(null, PSK, INIT), { removes: [], kemOutput: KEY });
  assert.deepEqual(allowed(null, INIT, PSK, remove(0)), { removes: [0], kemOutput: KEY });
});

test('R9: a newcomer may do nothing else', () => {
  for (const [check, ...proposals] of /** @type {[string, ...(Proposal | null)[]][]} */ ([
    ['pre-shared key', INIT],
    ['pre-shared key', PSK, PSK, INIT],
    ['pre-shared key', { ...PSK, pskId: utf8('another') }, INIT],
    ['pre-shared key', { ...PSK, nonce: zeros(31) }, INIT],
    ['external init', PSK],
    ['external init', PSK, INIT, INIT],
    ['encryption key', PSK, { kind: 6, kemOutput: zeros(32) }],
    ['proposal', PSK, INIT, REFERENCE],
    ['removes more than its own leaf', PSK, INIT, remove(0), remove(1)],
    ['removes nobody', PSK, INIT, remove(4)],
    ['removes somebody else while joining', PSK, INIT, remove(1)],
  ])) {
    refused(() => allowed(null, ...proposals), check);
  }
});

test('R9: a member may do nothing but remove others', () => {
  for (const [check, ...proposals] of /** @type {[string, ...(Proposal | null)[]][]} */ ([
    ['proposal', PSK],
    ['proposal', INIT],
    ['proposal', REFERENCE],
    ['removes itself', remove(1)],
    ['removes twice', remove(2), remove(2)],
    ['removes nobody', remove(4)],
  ])) {
    refused(() => allowed(1, ...proposals), check);
  }
});

test('R7: keys and signatures are refused by name', async () => {
  const pair = await generateSignatureKey();
  const signature = await sign(pair.private, 'label', utf8('content'));
  const signer = { ...LEAF, signatureKey: pair.public };
  await policy.checkSignature(signer, 'label', utf8('content'), signature);
  await refuses(policy.checkSignature(signer, 'l', zeros(0), signature), 'signature');
  policy.checkKeys([KEY, concat(draw(31), fromHex('10'))]);
  refused(() => policy.checkKeys([KEY, zeros(32)]), 'encryption key');
  const short = { ...LEAF, signatureKey: KEY.subarray(1) };
  refused(() => policy.checkLeaf(short), 'signature key');
});

test('R9: a tree wider than twice its cap is refused before anything else', async () => {
  const tree = new Tree(Array(2047).fill(null)).withLeaf(0, LEAF);
  await refuses(policy.checkTree(tree, zeros(16), 256), 'leaf cap');
});

test('of several leaves that fail it is the first that names the check', async () => {
  const source = /** @type {const} */ ({ kind: 2 });
  const good = FOUR.leaf(3);
  assert(good);
  const bare = new Tree(Array(7).fill(null));
  const unsigned = { ...LEAF, signature: zeros(64) };
  const other = { ...leafOf(FOUR, 1), source };
  const tree = bare.withLeaf(0, unsigned).withLeaf(1, other);
  await refuses(policy.checkTree(tree, zeros(16), 256), 'signature');
  const turned = bare.withLeaf(1, unsigned).withLeaf(0, other);
  await refuses(policy.checkTree(turned, zeros(16), 256), 'leaf source');
});
