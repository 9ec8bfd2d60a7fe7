// Commits and PublicMessages: bytes to values and back (RFC 9420 6, 12).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { FrameError } from '../../../static/js/errors.js';
import { opaque, parse, u8, u16, u32 } from '../../../static/js/mls/codec.js';
import * as framing from '../../../static/js/mls/framing.js';
import { CONTEXT, EXTERNAL_PSK } from '../../../static/js/mls/keyschedule.js';
import { dice, externalInit, psk, remove, someBytes, wholeOf, world } from './forge.js';
import { leaf } from './trees.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */

const { PUBLIC_COMMIT } = framing;
const room = await world(4);
const COMMITS = [(await room.at(1).commit([2], room.fence)).commit, (await room.joining(5)).commit];
const EMPTY = concat(opaque(zeros(0)), zeros(1));

/** @param {Bytes} commit @param {{ sender?: Bytes, kind?: number, version?: number, wire?: number }} [how] */
const framed = (
  commit,
  { sender = Uint8Array.of(1, 0, 0, 0, 0), kind = 3, version = 1, wire = 1 } = {},
) =>
  concat(
    ...[u16(version), u16(wire), opaque(utf8('group')), zeros(8), sender, opaque(utf8('aad'))],
    ...[u8(kind), commit, ...['s', 't', 'm'].map((text) => opaque(utf8(text)))],
  );
const byValue = (/** @type {Bytes[]} */ ...proposals) =>
  opaque(concat(...proposals.map((one) => concat(u8(1), one))));
const path = (/** @type {framing.UpdatePath['nodes']} */ nodes) =>
  concat(opaque(zeros(0)), u8(1), framing.PATH({ leaf: leaf(1), nodes }));

test('a commit comes back', () => {
  const roll = dice(7);
  for (let n = 0; n < 100; n++) {
    const value = someBytes(roll, 70);
    const all = /** @type {[Bytes, framing.Proposal][]} */ ([
      [remove(n), { kind: 3, leaf: n }],
      [externalInit(value), { kind: 6, kemOutput: value }],
      [psk(utf8('id'), value), { kind: 4, pskId: utf8('id'), nonce: value }],
    ]);
    const chosen = Array.from({ length: roll(5) }, () => all[roll(3)]);
    const nodes = Array.from({ length: roll(4) }, () => ({
      encryptionKey: someBytes(roll, 40),
      ciphertexts: Array.from({ length: roll(4) }, () => ({
        output: someBytes(roll, 40),
        ciphertext: someBytes(roll, 90),
      })),
    }));
    const update = { leaf: leaf(1, { kind: 3, parentHash: utf8('above') }), nodes };
    const body = concat(
      byValue(...chosen.map(([encoded]) => encoded)),
      u8(1),
      framing.PATH(update),
    );
    const sender = roll(2) ? roll(2 ** 32) : null;
    const place = { groupId: utf8('group'), epoch: n, sender, authenticatedData: utf8('aad') };
    const encoded = framing.encodeContent(place, framing.COMMITS, body);
    const tags = [opaque(utf8('signature')), opaque(utf8('tag'))];
    const member = sender === null ? [] : [opaque(utf8('member'))];
    const data = concat(u16(1), u16(1), encoded, ...tags, ...member);
    const read = parse(PUBLIC_COMMIT, data);
    assert.deepEqual(read, {
      wireFormat: 1,
      ...place,
      commit: { proposals: chosen.map(([, proposal]) => ({ kind: 1, proposal })), path: update },
      encoded,
      signature: utf8('signature'),
      confirmationTag: utf8('tag'),
      membershipTag: utf8(sender === null ? '' : 'member'),
    });
    assert.deepEqual(PUBLIC_COMMIT(read), data);
    assert.deepEqual(framing.COMMIT(read.commit), body);
  }
});

test('a commit without path, or by reference, is read for policy to refuse', () => {
  assert.deepEqual(parse(PUBLIC_COMMIT, framed(EMPTY)).commit, { proposals: [], path: null });
  const data = concat(opaque(concat(u8(2), opaque(zeros(32)))), zeros(1));
  const { commit } = parse(PUBLIC_COMMIT, framed(data));
  assert.deepEqual(commit.proposals, [{ kind: 2, reference: zeros(32) }]);
});

test('what is no public commit is refused', () => {
  const whole = framed(EMPTY);
  const senders = [0, 2, 3, 5].map((kind) => framed(EMPTY, { sender: u8(kind) }).subarray(0, -2));
  const kinds = [0, 1, 2, 5, 7, 0xf000].map((kind) => framed(concat(byValue(u16(kind)), zeros(1))));
  const id = EXTERNAL_PSK({ pskId: utf8('id'), nonce: utf8('nonce') });
  for (const data of [
    concat(whole, utf8('x')),
    whole.subarray(0, -1),
    framed(EMPTY, { version: 2 }),
    framed(EMPTY, { wire: 2 }),
    framed(EMPTY, { kind: 1 }),
    framed(EMPTY, { kind: 2 }),
    framed(EMPTY, { sender: Uint8Array.of(2, 0, 0, 0, 0) }),
    ...senders,
    ...kinds,
    framed(concat(opaque(zeros(0)), u8(2))),
    framed(concat(opaque(concat(u8(0), remove(1))), zeros(1))),
    framed(concat(opaque(concat(u8(3), remove(1))), zeros(1))),
    framed(concat(byValue(concat(u16(4), u8(2), id.subarray(1))), zeros(1))),
  ]) {
    assert.throws(() => parse(PUBLIC_COMMIT, data), FrameError);
  }
});

test('lists are bounded', () => {
  const node = { encryptionKey: zeros(0), ciphertexts: [] };
  const sealed = { output: zeros(0), ciphertext: zeros(0) };
  for (const [most, make] of /** @type {[number, (n: number) => Bytes][]} */ ([
    [2048, (n) => concat(byValue(...Array(n).fill(remove(1))), zeros(1))],
    [32, (n) => path(Array(n).fill(node))],
    [2048, (n) => path([{ ...node, ciphertexts: Array(n).fill(sealed) }])],
  ])) {
    parse(PUBLIC_COMMIT, framed(make(most)));
    assert.throws(() => parse(PUBLIC_COMMIT, framed(make(most + 1))), FrameError);
  }
});

test('any bytes are a commit of one spelling or refused', () => {
  const roll = dice(8);
  for (let n = 0; n < 600; n++) {
    const [whole, tail] = [COMMITS[n % 2], someBytes(roll, 200)];
    const head = whole.subarray(0, roll(whole.length));
    const rest = whole.subarray(head.length + tail.length);
    for (const data of [tail, concat(head, tail), concat(head, tail, rest)]) {
      try {
        assert.deepEqual(PUBLIC_COMMIT(parse(PUBLIC_COMMIT, data)), data);
      } catch (error) {
        assert(error instanceof FrameError);
      }
    }
  }
});

test('what is signed, tagged and confirmed is as in 6.1, 6.2 and 8.2', () => {
  const one = parse(PUBLIC_COMMIT, COMMITS[0]);
  const { context } = wholeOf(room.at(1)).outside;
  const head = concat(u16(1), u16(1));
  assert.deepEqual(one.encoded.subarray(17 + 8, 17 + 8 + 5), concat(u8(1), u32(1)));
  const signed = concat(head, one.encoded, CONTEXT(context));
  assert.equal(hex(framing.signed(one, context)), hex(signed));
  const auth = concat(opaque(one.signature), opaque(one.confirmationTag));
  assert.equal(hex(framing.tagged(one, context)), hex(concat(signed, auth)));
  const confirmed = concat(u16(1), one.encoded, opaque(one.signature));
  assert.equal(hex(framing.confirmed(one)), hex(confirmed));
});

test('a message of another wire format is refused', () => {
  const item = framing.message(2, u8);
  assert.equal(parse(item, Uint8Array.of(0, 1, 0, 2, 7)), 7);
  for (const data of [[0, 1, 0, 1, 7], [0, 2, 0, 2, 7], [0, 1, 0], []]) {
    assert.throws(() => parse(item, Uint8Array.from(data)), FrameError);
  }
});
