// The official test vectors (mlswg/mls-implementations), suite 1, on the page's own parts. They are
// read from the folder that BEACON_MLS_VECTORS names, by default ../shared/mls-vectors seen from the
// project; they are no part of the project.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { concat, fromHex, hex, utf8, zeros } from '../../../static/js/bytes.js';
import { FrameError } from '../../../static/js/errors.js';
import { opaque, parse, Reader, u16 } from '../../../static/js/mls/codec.js';
import * as framing from '../../../static/js/mls/framing.js';
import { GROUP_INFO, GROUP_INFO_TBS } from '../../../static/js/mls/groupinfo.js';
import {
  CONTEXT,
  EXTERNAL_PSK,
  epochSecrets,
  pskSecret,
} from '../../../static/js/mls/keyschedule.js';
import { nodeKeys, openPath } from '../../../static/js/mls/path.js';
import { PRIVATE, sealPrivate } from '../../../static/js/mls/private.js';
import * as suite from '../../../static/js/mls/suite.js';
import { LEAF, readTree } from '../../../static/js/mls/tree.js';
import * as treemath from '../../../static/js/mls/treemath.js';
import * as rfc from './rfc.js';

/** @import { Tree } from '../../../static/js/mls/tree.js' */
/** @typedef {any} Vector as its file has it */

const NAMED = process.env.BEACON_MLS_VECTORS;
const FOLDER = NAMED || fileURLToPath(new URL('../../../../shared/mls-vectors', import.meta.url));
const isThere = existsSync(FOLDER) && statSync(FOLDER).isDirectory();
const h = fromHex;

/** The reader of an MLSMessage, behind version and wire format. @param {string} data */
function message(data) {
  const reader = new Reader(h(data));
  assert.equal(u16.read(reader), 1);
  u16.read(reader);
  return reader;
}

/** @param {Vector} v */
const contextOf = (v) => ({
  suite: suite.SUITE,
  groupId: h(v.group_id),
  epoch: v.epoch,
  treeHash: h(v.tree_hash),
  confirmedTranscriptHash: h(v.confirmed_transcript_hash),
  extensions: zeros(0),
});

/** @param {string} key @param {string} label @param {string | Uint8Array<ArrayBuffer>} content @param {string} signature */
const verifies = (key, label, content, signature) =>
  suite.verifies(h(key), label, typeof content === 'string' ? h(content) : content, h(signature));

/** @type {Record<string, (v: Vector) => void | Promise<void>>} */
const RUNS = {
  async 'crypto-basics'(v) {
    let x = v.ref_hash;
    assert.equal(hex(await rfc.reference(x.label, h(x.value))), x.out);
    x = v.expand_with_label;
    const expanded = await suite.derive(h(x.secret), x.label, h(x.context), x.length);
    assert.equal(hex(expanded), x.out);
    x = v.derive_secret;
    assert.equal(hex(await suite.derive(h(x.secret), x.label)), x.out);
    x = v.derive_tree_secret;
    const generation = Uint8Array.of(0, 0, 0, 0);
    new DataView(generation.buffer).setUint32(0, x.generation);
    assert.equal(hex(await suite.derive(h(x.secret), x.label, generation, x.length)), x.out);
    x = v.sign_with_label;
    assert(await verifies(x.pub, x.label, x.content, x.signature));
    const key = await rfc.signingKey(h(x.priv));
    assert.equal(hex(await suite.sign(key, x.label, h(x.content))), x.signature);
    x = v.encrypt_with_label;
    const pair = await suite.keyPair(h(x.priv));
    assert.equal(hex(pair.public), x.pub);
    const context = h(x.context);
    const sealed = [h(x.kem_output), h(x.ciphertext)];
    const opened = await suite.decryptWithLabel(pair, x.label, context, sealed[0], sealed[1]);
    assert.equal(hex(opened), x.plaintext);
    const again = await suite.encryptWithLabel(pair.public, x.label, context, opened);
    const { output, ciphertext } = again;
    const reopened = await suite.decryptWithLabel(pair, x.label, context, output, ciphertext);
    assert.deepEqual(reopened, opened);
  },

  deserialization(v) {
    const head = h(v.vlbytes_header);
    if (v.length === null) return void assert.throws(() => parse(opaque, head), FrameError);
    if (v.length >= 1 << 20) {
      // A gigabyte proves no more; without it the length was read, and what it measures is missing.
      return void assert.throws(() => parse(opaque, head), { message: 'cut short' });
    }
    const encoded = opaque(zeros(v.length));
    assert.deepEqual(encoded.subarray(0, head.length), head);
    assert.equal(parse(opaque, concat(head, zeros(v.length))).length, v.length);
  },

  async 'key-schedule'(v) {
    let init = h(v.initial_init_secret);
    for (const [epoch, e] of v.epochs.entries()) {
      const context = contextOf({ ...e, group_id: v.group_id, epoch });
      assert.equal(hex(CONTEXT(context)), e.group_context);
      const joiner = await rfc.joinerSecret(init, h(e.commit_secret), context);
      assert.equal(hex(joiner), e.joiner_secret);
      const member = await suite.mac(joiner, h(e.psk_secret));
      assert.equal(hex(await suite.derive(member, 'welcome')), e.welcome_secret);
      const { secrets } = await epochSecrets(context, joiner, h(e.psk_secret));
      assert.deepEqual(Object.fromEntries(Object.entries(secrets).map(([n, s]) => [n, hex(s)])), {
        senderData: e.sender_data_secret,
        encryption: e.encryption_secret,
        exporter: e.exporter_secret,
        external: e.external_secret,
        confirmation: e.confirmation_key,
        membership: e.membership_key,
        resumption: e.resumption_psk,
        authenticator: e.epoch_authenticator,
        init: e.init_secret,
      });
      const external = await suite.deriveKeyPair(secrets.external);
      assert.equal(hex(external.public), e.external_pub);
      const x = e.exporter;
      const exported = await rfc.exported(secrets, x.label, h(x.context), x.length);
      assert.equal(hex(exported), x.secret);
      init = secrets.init;
    }
  },

  async 'message-protection'(v) {
    const context = contextOf(v);
    const keys = () => new rfc.Keys(2, h(v.encryption_secret));
    const secret = h(v.sender_data_secret);
    /** @param {import('./rfc.js').Content} content @param {string} body */
    async function verify(content, body) {
      const { framed } = content;
      assert.deepEqual(
        [hex(framed.groupId), framed.epoch, framed.sender],
        [v.group_id, v.epoch, 1],
      );
      assert(hex(framed.encoded).endsWith(body));
      const tbs = rfc.signed(content, context);
      assert(await verifies(v.signature_pub, 'FramedContentTBS', tbs, hex(framed.signature)));
    }
    for (const kind of ['proposal', 'commit']) {
      const content = rfc.readPublic(message(v[`${kind}_pub`]));
      await verify(content, v[kind]);
      const tag = await suite.mac(h(v.membership_key), rfc.tagged(content, context));
      assert.deepEqual(tag, content.framed.membershipTag);
      await verify(await rfc.openPrivate(h(v[`${kind}_priv`]), secret, keys()), v[kind]);
    }
    const content = await rfc.openPrivate(h(v.application_priv), secret, keys());
    await verify(content, hex(opaque(h(v.application))));
    assert.equal(hex(content.body), v.application);

    // Protect the same again, and open it.
    const { framed } = content;
    const key = await rfc.signingKey(h(v.signature_priv));
    const signature = await suite.sign(key, 'FramedContentTBS', framing.signed(framed, context));
    const plain = concat(opaque(content.body), opaque(signature), zeros(7));
    const head = { ...framed, contentType: framing.APPLICATION };
    const who = { leaf: 1, generation: 0, reuseGuard: utf8('abcd') };
    const once = await keys().key(1, 'application', 0);
    const again = await sealPrivate(secret, head, who, once, plain);
    await verify(await rfc.openPrivate(again, secret, keys()), hex(opaque(h(v.application))));
  },

  messages(v) {
    const spelt = {
      mls_welcome: rfc.MESSAGE,
      mls_group_info: rfc.MESSAGE,
      mls_key_package: rfc.MESSAGE,
      ratchet_tree: rfc.RATCHET_TREE,
      group_secrets: rfc.PLAIN_GROUP_SECRETS,
      add_proposal: rfc.PROPOSAL_BODIES[rfc.ADD],
      update_proposal: rfc.PROPOSAL_BODIES[rfc.UPDATE],
      remove_proposal: rfc.PROPOSAL_BODIES[rfc.REMOVE],
      pre_shared_key_proposal: rfc.PROPOSAL_BODIES[rfc.PSK],
      re_init_proposal: rfc.PROPOSAL_BODIES[rfc.REINIT],
      external_init_proposal: rfc.PROPOSAL_BODIES[rfc.EXTERNAL_INIT],
      group_context_extensions_proposal: rfc.PROPOSAL_BODIES[rfc.CONTEXT_EXTENSIONS],
      commit: rfc.PLAIN_COMMIT,
      public_message_application: rfc.MESSAGE,
      public_message_proposal: rfc.MESSAGE,
      public_message_commit: rfc.MESSAGE,
      private_message: rfc.MESSAGE,
    };
    assert.deepEqual(Object.keys(v).sort(), Object.keys(spelt).sort());
    for (const [name, codec] of Object.entries(spelt)) {
      assert.equal(hex(rfc.spelt(codec, h(v[name]))), v[name], name);
    }
    // The page's own codecs, on what they read. Some epochs here are beyond what a number can hold.
    assert.equal(hex(readTree(h(v.ratchet_tree)).encoded()), v.ratchet_tree);
    assert.equal(hex(LEAF(parse(LEAF, h(v.update_proposal)))), v.update_proposal);
    for (const [name, codec] of Object.entries({
      private_message: PRIVATE,
      mls_group_info: GROUP_INFO,
    })) {
      try {
        assert.equal(hex(rfc.spelt(codec, h(v[name]))), v[name], name);
      } catch (error) {
        assert(error instanceof FrameError && error.message === 'too large');
      }
    }
  },

  'passive-client-handling-commit': passive,
  'passive-client-random': passive,
  'passive-client-welcome': passive,

  async psk_secret(v) {
    const psks = v.psks.map((/** @type {Vector} */ psk) => ({
      id: EXTERNAL_PSK({ pskId: h(psk.psk_id), nonce: h(psk.psk_nonce) }),
      value: h(psk.psk),
    }));
    assert.equal(hex(await pskSecret(psks)), v.psk_secret);
  },

  async 'secret-tree'(v) {
    const x = v.sender_data;
    const sample = h(x.ciphertext).subarray(0, 32);
    const outer = await suite.messageKey(h(x.sender_data_secret), sample);
    assert.deepEqual([hex(outer.key), hex(outer.nonce)], [x.key, x.nonce]);
    const keys = new rfc.Keys(v.leaves.length, h(v.encryption_secret));
    for (const [leaf, generations] of v.leaves.entries()) {
      for (const g of generations) {
        for (const label of ['handshake', 'application']) {
          const { key, nonce } = await keys.key(leaf, label, g.generation);
          assert.deepEqual([hex(key), hex(nonce)], [g[`${label}_key`], g[`${label}_nonce`]]);
        }
      }
    }
  },

  async 'transcript-hashes'(v) {
    const reader = new Reader(h(v.authenticated_content));
    const { framed } = rfc.readContent(reader, u16.read(reader));
    assert.equal(reader.at, reader.data.length);
    const before = h(v.interim_transcript_hash_before);
    const confirmed = await suite.hash(concat(before, framing.confirmed(framed)));
    assert.equal(hex(confirmed), v.confirmed_transcript_hash_after);
    const tag = framed.confirmationTag;
    assert.deepEqual(await suite.mac(h(v.confirmation_key), confirmed), tag);
    const interim = await suite.hash(concat(confirmed, opaque(tag)));
    assert.equal(hex(interim), v.interim_transcript_hash_after);
  },

  'tree-math'(v) {
    const leaves = v.n_leaves;
    const root = leaves - 1;
    assert.deepEqual([v.n_nodes, v.root], [2 * leaves - 1, root]);
    for (let node = 0; node < v.n_nodes; node++) {
      const [inner, above] = [node & 1, node !== root];
      assert.equal(inner ? treemath.left(node) : null, v.left[node]);
      assert.equal(inner ? treemath.right(node) : null, v.right[node]);
      assert.equal(above ? treemath.parent(node) : null, v.parent[node]);
      assert.equal(above ? treemath.sibling(node) : null, v.sibling[node]);
    }
  },

  async 'tree-operations'(v) {
    let tree = readTree(h(v.tree_before));
    assert.equal(hex(await tree.hash()), v.tree_hash_before);
    const { kind, value } = parse(rfc.ANY_PROPOSAL, h(v.proposal));
    if (kind === rfc.ADD)
      tree = rfc.added(tree, parse(rfc.KEY_PACKAGE_TBS, value.signed).leaf).tree;
    else if (kind === rfc.UPDATE) tree = rfc.updated(tree, v.proposal_sender, value);
    else if (kind === rfc.REMOVE) tree = tree.without(value);
    else assert.fail('another proposal');
    assert.equal(hex(tree.encoded()), v.tree_after);
    assert.equal(hex(await tree.hash()), v.tree_hash_after);
    assert.equal(hex(await readTree(h(v.tree_after)).hash()), v.tree_hash_after);
  },

  async 'tree-validation'(v) {
    const tree = readTree(h(v.tree));
    assert.equal(v.tree_hashes.length, tree.nodes.length);
    const isProfile = tree.nodes.every(
      (node) => !node || !('unmerged' in node) || !node.unmerged.length,
    );
    for (const node of tree.nodes.keys()) {
      assert.equal(hex(await tree.hash(node)), v.tree_hashes[node]);
      assert.deepEqual(rfc.resolution(tree, node), v.resolutions[node]);
      if (isProfile) assert.deepEqual(tree.resolution(node), v.resolutions[node]);
    }
    await rfc.checkTree(tree, h(v.group_id));
    if (isProfile) assert(await tree.hasSoundParents());
    assert.equal(hex(tree.encoded()), v.tree);
    // Every parent hash matters: with any parent's key changed the tree is unsound.
    for (const [index, node] of tree.nodes.entries()) {
      if (!node || !('unmerged' in node)) continue;
      const other = tree.replaced([[index, { ...node, encryptionKey: zeros(32) }]]);
      assert(!(await rfc.hasSoundParents(other)));
      if (isProfile) assert(!(await other.hasSoundParents()));
    }
  },

  async treekem(v) {
    const tree = readTree(h(v.ratchet_tree));
    const privates = new Map();
    for (const { index, encryption_priv, path_secrets } of v.leaves_private) {
      const held = new Map([[2 * index, await suite.keyPair(h(encryption_priv))]]);
      privates.set(index, held);
      for (const { node, path_secret } of path_secrets) {
        const pair = await nodeKeys(h(path_secret));
        assert.deepEqual(pair.public, tree.keyOf(node));
        held.set(node, pair);
      }
    }
    for (const update of v.update_paths) await updatePath(v, tree, privates, update);
  },

  async welcome(v) {
    const mine = await rfc.mine(h(v.key_package), h(v.init_priv), null);
    const welcome = rfc.WELCOME.read(message(v.welcome));
    const noPsk = () => assert.fail('no PSK');
    const { joiner, psk, info } = await rfc.openWelcome(welcome, mine, noPsk);
    const tbs = GROUP_INFO_TBS(info);
    assert(await verifies(v.signer_pub, 'GroupInfoTBS', tbs, hex(info.signature)));
    const { confirmationTag } = await epochSecrets(info.context, joiner, psk);
    assert.deepEqual(confirmationTag, info.confirmationTag);
  },
};

/** @param {Vector} v */
async function passive(v) {
  const mine = await rfc.mine(h(v.key_package), h(v.init_priv), h(v.encryption_priv));
  const psks = new Map(v.external_psks.map((/** @type {Vector} */ p) => [p.psk_id, h(p.psk)]));
  const tree = v.ratchet_tree ? h(v.ratchet_tree) : null;
  let group = await rfc.joinByWelcome(rfc.WELCOME.read(message(v.welcome)), mine, psks, tree);
  assert.equal(hex(group.secrets.authenticator), v.initial_epoch_authenticator);
  for (const epoch of v.epochs) {
    for (const proposal of epoch.proposals) await group.receive(h(proposal));
    group = await group.commit(h(epoch.commit));
    assert.equal(hex(group.secrets.authenticator), epoch.epoch_authenticator);
  }
}

/** @param {Vector} v @param {Tree} tree @param {Map<number, Map<number, any>>} privates @param {Vector} update */
async function updatePath(v, tree, privates, update) {
  const path = parse(framing.PATH, h(update.update_path));
  assert.equal(hex(framing.PATH(path)), update.update_path);
  const { sender } = update;
  const { tree: bare, parentHash } = await tree.merged(
    sender,
    path.nodes.map((node) => node.encryptionKey),
  );
  const { source } = path.leaf;
  assert('parentHash' in source);
  assert.deepEqual(parentHash, source.parentHash);
  await rfc.checkLeaf(path.leaf, h(v.group_id), sender);
  const merged = bare.withLeaf(sender, path.leaf);
  assert.equal(hex(await merged.hash()), update.tree_hash_after);
  const context = CONTEXT(contextOf({ ...v, tree_hash: update.tree_hash_after }));
  const steps = tree.filteredPath(sender).map((step) => ({
    ...step,
    resolution: rfc.resolution(tree, step.copath),
  }));
  for (const [member, expected] of update.path_secrets.entries()) {
    if (expected === null) continue;
    const held = /** @type {Map<number, any>} */ (privates.get(member));
    const opened = await openPath(steps, path, member, held, context);
    assert.equal(hex(opened.commitSecret), update.commit_secret);
    const first = steps.find(({ node }) => opened.privates.has(node));
    assert(first);
    const pair = await nodeKeys(h(expected));
    assert.deepEqual(opened.privates.get(first.node).public, pair.public);
  }
}

const names = isThere
  ? readdirSync(FOLDER).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []))
  : [];

test('the official vectors are there', (t) => {
  if (!isThere) {
    if (NAMED) assert.fail(`BEACON_MLS_VECTORS names no folder: ${NAMED}`);
    return t.skip('NO OFFICIAL MLS VECTORS: put them in ../shared/mls-vectors or name a folder');
  }
  assert(names.length, 'the folder holds no vectors');
  for (const name of names) assert(name in RUNS, `nothing here runs ${name}`);
});

for (const name of names) {
  test(`official vectors of suite 1: ${name}`, async (t) => {
    const all = [JSON.parse(readFileSync(`${FOLDER}/${name}.json`, 'utf8'))].flat();
    const ours = [...all.entries()].filter(([, v]) => (v.cipher_suite ?? 1) === suite.SUITE);
    assert(ours.length, 'no vector of suite 1');
    for (const [number, vector] of ours) {
      await t.test(`vector ${number}`, () => RUNS[name](vector));
    }
    t.diagnostic(`${ours.length} passed, ${all.length - ours.length} of other suites skipped`);
  });
}
