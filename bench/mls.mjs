// What MLS costs a client in JavaScript, by group size: the page's own beside ts-mls, in Node.
//
//     node bench/mls.mjs [--runs 9] [--sizes 2,16,64,128]
//
// Times are milliseconds, median (least..most), as in bench/mls.py. Every operation is from bytes to
// bytes; a join and a commit make the GroupInfo that belongs to them. The group grew one by one; whoever
// follows is nearest in the tree, and so has most to derive. ts-mls works as it comes, without our
// profile: its joins have no PSK, its messages no binding.

import { parseArgs } from 'node:util';
import {
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPubAndRatchetTree,
  decodeMlsMessage,
  defaultCapabilities,
  defaultLifetime,
  emptyPskIndex,
  encodeMlsMessage,
  generateKeyPackage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroupExternal,
  processPrivateMessage,
  processPublicMessage,
} from 'ts-mls';
import { found, Identity, inspect, join } from '../static/js/mls/mls.js';

const SUITE = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519';
const ROOM_ID = new Uint8Array(16);
const PSK = new Uint8Array(32);
const CONTENT = new Uint8Array(200).fill(0x78);
const CLASS = 512;
const MESSAGES = 200;
const LABEL = 18;
const CELL = 23;

// Both with one shape. A state is a member's; `made` is { state, commit, groupInfo }.
const ours = {
  name: 'Beacon',
  found: async () => made(await found(await Identity.generate(), '0x0000', PSK, ROOM_ID)),
  async join(groupInfo, fence) {
    const chosen = await inspect(groupInfo, ROOM_ID, fence);
    const tag = `0x${fence.toString(16).padStart(4, '0')}`;
    return made(await join(chosen, await Identity.generate(), tag, PSK));
  },
  commit: async (state, fence) => made(await state.commit([], fence)),
  follow: async (state, commit, fence) => (await state.follow(commit, fence)).group,
  encrypt: async (state, fence) => ({ state, message: await state.encrypt(CONTENT, fence, CLASS) }),
  async decrypt(state, message, fence) {
    await state.decrypt(message, fence);
    return state;
  },
};

function made({ group, commit, groupInfo }) {
  return { state: group, commit, groupInfo };
}

const suite = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE));

function encoded(wireformat, name, value) {
  return encodeMlsMessage({ version: 'mls10', wireformat, [name]: value });
}

const decoded = (bytes) => decodeMlsMessage(bytes, 0)[0];

async function keyPackage() {
  const identity = crypto.getRandomValues(new Uint8Array(6));
  const credential = { credentialType: 'basic', identity };
  return generateKeyPackage(credential, defaultCapabilities(), defaultLifetime, [], suite);
}

async function described(state, publicMessage) {
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state, [], suite);
  return {
    state,
    commit: publicMessage && encoded('mls_public_message', 'publicMessage', publicMessage),
    groupInfo: encoded('mls_group_info', 'groupInfo', groupInfo),
  };
}

const theirs = {
  name: 'ts-mls',
  async found() {
    const { publicPackage, privatePackage } = await keyPackage();
    return described(await createGroup(ROOM_ID, publicPackage, privatePackage, [], suite));
  },
  async join(groupInfo) {
    const { publicPackage, privatePackage } = await keyPackage();
    const info = decoded(groupInfo).groupInfo;
    const joined = await joinGroupExternal(info, publicPackage, privatePackage, false, suite);
    return described(joined.newState, joined.publicMessage);
  },
  async commit(state) {
    const done = await createCommit({ state, cipherSuite: suite }, { wireAsPublicMessage: true });
    return described(done.newState, done.commit.publicMessage);
  },
  async follow(state, commit) {
    const { publicMessage } = decoded(commit);
    return (await processPublicMessage(state, publicMessage, emptyPskIndex, suite)).newState;
  },
  async encrypt(state) {
    const done = await createApplicationMessage(state, CONTENT, suite);
    const message = encoded('mls_private_message', 'privateMessage', done.privateMessage);
    return { state: done.newState, message };
  },
  async decrypt(state, message) {
    const { privateMessage } = decoded(message);
    return (await processPrivateMessage(state, privateMessage, emptyPskIndex, suite)).newState;
  },
};

function cell(took) {
  const sorted = took.toSorted((a, b) => a - b);
  const middle = sorted[sorted.length >> 1];
  const spell = (value) => value.toFixed(middle < 10 ? 2 : 1);
  return `${spell(middle)} (${spell(sorted[0])}..${spell(sorted.at(-1))})`;
}

async function timed(runs, act) {
  const took = [];
  for (let run = -1; run < runs; run++) {
    const start = performance.now();
    await act();
    if (run >= 0) took.push(performance.now() - start);
  }
  return cell(took);
}

// The first two members and the last, as the group grows; at each size, what a step to it costs.
async function measure(mls, sizes, runs) {
  const rows = new Map();
  const note = (label, text) => rows.set(label, [...(rows.get(label) ?? []), text]);
  let last = await mls.found();
  let held = [last.state];
  for (let size = 2; size <= sizes.at(-1); size++) {
    const fence = size - 1;
    const before = last;
    last = await mls.join(before.groupInfo, fence);
    if (sizes.includes(size)) {
      const beside = held.at(-1);
      note('join', await timed(runs, () => mls.join(before.groupInfo, fence)));
      note('follow a join', await timed(runs, () => mls.follow(beside, last.commit, fence)));
    }
    const kept = held.slice(0, 2);
    held = await Promise.all(kept.map((state) => mls.follow(state, last.commit, fence)));
    held.push(last.state);
    if (!sizes.includes(size)) continue;
    const renewed = await mls.commit(held[0], size);
    note('commit', await timed(runs, () => mls.commit(held[0], size)));
    note('follow a commit', await timed(runs, () => mls.follow(held[1], renewed.commit, size)));
    let [sender, reader] = held;
    const messages = [];
    const encrypt = async () => {
      const { state, message } = await mls.encrypt(sender, size);
      sender = state;
      messages.push(message);
    };
    note('encrypt', await timed(MESSAGES, encrypt));
    const decrypt = async () => {
      reader = await mls.decrypt(reader, messages.shift(), size);
    };
    note('decrypt', await timed(MESSAGES, decrypt));
  }
  return rows;
}

const { values: given } = parseArgs({
  options: {
    runs: { type: 'string', default: '9' },
    sizes: { type: 'string', default: '2,16,64,128' },
  },
});
const sizes = given.sizes
  .split(',')
  .map(Number)
  .sort((a, b) => a - b);
const line = (label, cells) =>
  console.log(label.padEnd(LABEL) + cells.map((text) => String(text).padStart(CELL)).join(''));
for (const mls of [ours, theirs]) {
  line(`${mls.name}, members`, sizes);
  for (const [label, cells] of await measure(mls, sizes, Number(given.runs))) line(label, cells);
  console.log();
}
