// RFC 9420 beyond the profile, on the page's own parts: what only the official vectors need, as
// tests/client/mls/rfc.py. Welcome, all proposals, references, private handshake messages, unmerged
// leaves. It follows a group and never speaks; it is not safe against more than the vectors hold.

import assert from 'node:assert/strict';
import { concat, equal, hex, zeros } from '../../../static/js/bytes.js';
import {
  after,
  opaque,
  optional,
  parse,
  Reader,
  raw,
  select,
  struct,
  u8,
  u16,
  u32,
  u64,
  vector,
} from '../../../static/js/mls/codec.js';
import { nextContext } from '../../../static/js/mls/epoch.js';
import * as framing from '../../../static/js/mls/framing.js';
import { GROUP_INFO } from '../../../static/js/mls/groupinfo.js';
import { CONTEXT, epochSecrets, pskSecret, VERSION } from '../../../static/js/mls/keyschedule.js';
import { nodeKeys, openPath } from '../../../static/js/mls/path.js';
import * as sealing from '../../../static/js/mls/private.js';
import { Ratchet, SecretTree } from '../../../static/js/mls/secrettree.js';
import * as suite from '../../../static/js/mls/suite.js';
import {
  COMMITTED,
  KEY_PACKAGE as FROM_KEY_PACKAGE,
  LEAF,
  parentHashOf,
  readTree,
  signedIn,
} from '../../../static/js/mls/tree.js';
import { directPath, isBelow, left, level, right } from '../../../static/js/mls/treemath.js';

/** @import { Bytes } from '../../../static/js/bytes.js' */
/** @import { Codec } from '../../../static/js/mls/codec.js' */
/** @import { EpochSecrets, GroupContext } from '../../../static/js/mls/keyschedule.js' */
/** @import { KeyPair, MessageKey } from '../../../static/js/mls/suite.js' */
/** @import { Leaf, Tree } from '../../../static/js/mls/tree.js' */
/** @typedef {any} Any what is told apart by numbers alone */

export const [WIRE_PUBLIC, WIRE_PRIVATE, WIRE_WELCOME, WIRE_GROUP_INFO, WIRE_KEY_PACKAGE] = [
  1, 2, 3, 4, 5,
];
const [MEMBER, EXTERNAL, NEW_MEMBER_PROPOSAL, NEW_MEMBER_COMMIT] = [1, 2, 3, 4];
export const [APPLICATION, PROPOSAL, COMMIT] = [1, 2, 3];
export const [ADD, UPDATE, REMOVE, PSK, REINIT, EXTERNAL_INIT, CONTEXT_EXTENSIONS] = [
  1, 2, 3, 4, 5, 6, 7,
];
const [EXTENSION_TREE, EXTENSION_EXTERNAL_SENDERS] = [2, 5];
const EMPTY = zeros(0);

// Keys from bytes, and what the key schedule has for others alone

/** Import an Ed25519 private key. @param {Bytes} seed */
export function signingKey(seed) {
  const head = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32);
  return crypto.subtle.importKey('pkcs8', concat(head, seed), 'Ed25519', false, ['sign']);
}

/** RefHash (5.2). @param {string} label @param {Bytes} value */
export const reference = (label, value) =>
  suite.hash(concat(opaque(new TextEncoder().encode(label)), opaque(value)));

/** @param {Bytes} init @param {Bytes} commitSecret @param {GroupContext} context */
export const joinerSecret = async (init, commitSecret, context) =>
  suite.derive(await suite.mac(init, commitSecret), 'joiner', CONTEXT(context));

/** MLS-Exporter (8.5). @param {EpochSecrets} secrets @param {string} label @param {Bytes} context @param {number} length */
export async function exported(secrets, label, context, length) {
  const secret = await suite.derive(secrets.exporter, label);
  return suite.derive(secret, 'exported', await suite.hash(context), length);
}

// Proposals

const LIST = vector(struct({ kind: u16, data: opaque }), 9999);
export const KEY_PACKAGE_TBS = struct({
  version: u16,
  suite: u16,
  initKey: opaque,
  leaf: LEAF,
  extensions: opaque,
});
/** @type {Codec<Any>} */
export const KEY_PACKAGE = struct({ signed: raw(KEY_PACKAGE_TBS), signature: opaque });
const RESUMPTION = struct({ usage: u8, groupId: opaque, epoch: u64 });
const PSK_NAME = select({ 1: struct({ id: opaque }), 2: RESUMPTION });
const PSK_ID = struct({ name: PSK_NAME, nonce: opaque });
const REINIT_BODY = struct({ groupId: opaque, version: u16, suite: u16, extensions: opaque });
const BODIES = {
  [ADD]: struct({ value: KEY_PACKAGE }),
  [UPDATE]: struct({ value: LEAF }),
  [REMOVE]: struct({ value: u32 }),
  [PSK]: struct({ value: PSK_ID }),
  [REINIT]: struct({ value: REINIT_BODY }),
  [EXTERNAL_INIT]: struct({ value: opaque }),
  [CONTEXT_EXTENSIONS]: struct({ value: opaque }),
};
/** @type {Codec<Any>} */
export const ANY_PROPOSAL = select(BODIES, u16);
const ENTRY = select({
  1: struct({ proposal: ANY_PROPOSAL }),
  2: struct({ reference: opaque }),
});
const ANY_COMMIT = struct({ proposals: vector(ENTRY, 9999), path: optional(framing.PATH) });

// Framing

const SENDER = select({
  [MEMBER]: struct({ index: u32 }),
  [EXTERNAL]: struct({ index: u32 }),
  [NEW_MEMBER_PROPOSAL]: struct({}),
  [NEW_MEMBER_COMMIT]: struct({}),
});
const BODY = select({
  [APPLICATION]: struct({ value: opaque }),
  [PROPOSAL]: struct({ value: ANY_PROPOSAL }),
  [COMMIT]: struct({ value: ANY_COMMIT }),
});
/** FramedContent of any kind. @type {Codec<Any>} */
const CONTENT = struct({
  groupId: opaque,
  epoch: u64,
  origin: SENDER,
  authenticatedData: opaque,
  body: BODY,
});

/**
 * AuthenticatedContent: `framed` is what the page's functions take, `auth` FramedContentAuthData.
 * @typedef {{ framed: Any, origin: Any, kind: number, body: Any, auth: Bytes }} Content
 */

/**
 * @param {Reader} reader @param {number} wireFormat @param {Any} [known] read, but for its auth
 * @returns {Content}
 */
export function readContent(reader, wireFormat, known) {
  const start = reader.at;
  const content = known ?? CONTENT.read(reader);
  const encoded = known ? CONTENT(known) : reader.since(start);
  const { origin, body, ...place } = content;
  const before = reader.at;
  const signature = opaque.read(reader);
  const confirmationTag = body.kind === COMMIT ? opaque.read(reader) : EMPTY;
  const auth = reader.since(before);
  const sender = origin.index ?? null;
  const framed = { ...place, sender, wireFormat, encoded, signature, confirmationTag };
  return { framed, origin, kind: body.kind, body: body.value, auth };
}

/** A PublicMessage, to its end. @param {Reader} reader */
export function readPublic(reader) {
  const content = readContent(reader, WIRE_PUBLIC);
  if (content.origin.kind === MEMBER) content.framed.membershipTag = opaque.read(reader);
  assert.equal(reader.at, reader.data.length);
  return content;
}

/** FramedContentTBS: outsiders that propose do not sign the context (6.1). @param {Content} content @param {GroupContext} context */
export function signed({ framed, origin }, context) {
  const inside = origin.kind === MEMBER || origin.kind === NEW_MEMBER_COMMIT;
  const bare = concat(VERSION, u16(framed.wireFormat), framed.encoded);
  return inside ? framing.signed(framed, context) : bare;
}

/** AuthenticatedContentTBM (6.2). @param {Content} content @param {GroupContext} context */
export const tagged = (content, context) => concat(signed(content, context), content.auth);

/** ProposalRef (5.2). @param {Content} content */
const referenceOf = ({ framed, auth }) =>
  reference('MLS 1.0 Proposal Reference', concat(u16(framed.wireFormat), framed.encoded, auth));

/** Both ratchets of every leaf, without bounds on how far they jump. */
export class Keys {
  /** @type {Map<string, Ratchet>} */
  #ratchets = new Map();
  /** @type {Map<string, MessageKey>} */
  #kept = new Map();

  /** @param {number} width @param {Bytes} encryptionSecret */
  constructor(width, encryptionSecret) {
    this.tree = new SecretTree(width, encryptionSecret.slice());
  }

  /** Take one generation's key. @param {number} leaf @param {string} label @param {number} generation */
  async key(leaf, label, generation) {
    const name = `${leaf} ${label}`;
    if (!this.#ratchets.has(name)) {
      const secret = await this.tree.take(2 * leaf);
      for (const one of ['handshake', 'application']) {
        this.#ratchets.set(`${leaf} ${one}`, new Ratchet(await suite.derive(secret, one)));
      }
    }
    for (;;) {
      const before = /** @type {Ratchet} */ (this.#ratchets.get(name));
      if (before.generation > generation) break;
      const { key, ratchet } = await before.advanced();
      this.#ratchets.set(name, ratchet);
      this.#kept.set(`${name} ${before.generation}`, key);
    }
    const key = /** @type {MessageKey} */ (this.#kept.get(`${name} ${generation}`));
    this.#kept.delete(`${name} ${generation}`);
    return key;
  }
}

/** Open a PrivateMessage of any content. @param {Bytes} data @param {Bytes} senderDataSecret @param {Keys} keys */
export async function openPrivate(data, senderDataSecret, keys) {
  const message = parse(sealing.PRIVATE, data);
  const who = await sealing.openSenderData(senderDataSecret, message);
  const { contentType: kind, groupId, epoch, authenticatedData } = message;
  const label = kind === APPLICATION ? 'application' : 'handshake';
  const key = await keys.key(who.leaf, label, who.generation);
  const origin = { kind: MEMBER, index: who.leaf };
  if (kind === APPLICATION) {
    const framed = await sealing.openPrivate(message, who, key);
    return { framed, origin, kind, body: framed.application, auth: opaque(framed.signature) };
  }
  const aad = concat(opaque(groupId), u64(epoch), u8(kind), opaque(authenticatedData));
  const nonce = key.nonce.map((byte, n) => byte ^ (who.reuseGuard[n] ?? 0));
  const plain = await suite.open({ key: key.key, nonce }, aad, message.ciphertext);
  const reader = new Reader(plain);
  const value = (kind === PROPOSAL ? ANY_PROPOSAL : ANY_COMMIT).read(reader);
  const known = { groupId, epoch, origin, authenticatedData, body: { kind, value } };
  const content = readContent(reader, WIRE_PRIVATE, known);
  assert(!plain.subarray(reader.at).some(Boolean), 'padding');
  return content;
}

// Trees with unmerged leaves

/** 4.1.1. @param {Tree} tree @param {number} node @returns {number[]} */
export function resolution(tree, node) {
  const value = tree.nodes[node];
  if (value) return [node, ...('unmerged' in value ? value.unmerged.map((u) => 2 * u) : [])];
  if (level(node) === 0) return [];
  return [...resolution(tree, left(node)), ...resolution(tree, right(node))];
}

/** The tree as if leaves had never been added (7.9). @param {Tree} tree @param {number[]} blank */
const asBefore = (tree, blank) =>
  tree.replaced(
    tree.nodes.map((node, index) => {
      if (!node) return [index, null];
      if (!('unmerged' in node)) return [index, blank.includes(index / 2) ? null : node];
      return [index, { ...node, unmerged: node.unmerged.filter((u) => !blank.includes(u)) }];
    }),
  );

/** Whether every parent is bound to a descendant by parent hash (7.9.2). @param {Tree} tree */
export async function hasSoundParents(tree) {
  for (const [index, node] of tree.nodes.entries()) {
    if (!node || !('unmerged' in node)) continue;
    const sides = [left(index), right(index)];
    let isBound = false;
    for (const [n, child] of sides.entries()) {
      const other = sides[1 - n];
      const under = (/** @type {number} */ side) =>
        node.unmerged.filter((u) => isBelow(2 * u, side));
      const mine = under(child).map((u) => 2 * u);
      const below = resolution(tree, child).filter((at) => !mine.includes(at));
      const holder = tree.nodes[below[0]];
      if (below.length !== 1 || !holder) continue;
      const expected = await asBefore(tree, under(other)).parentHash(node, other);
      isBound ||= equal(parentHashOf(holder), expected);
    }
    if (!isBound) return false;
  }
  return true;
}

/** Add (12.1.1): the leftmost blank leaf, unmerged all the way up. @param {Tree} before @param {Leaf} leaf */
export function added(before, leaf) {
  const index = before.freeLeaf();
  const tree = before.grown(index).withLeaf(index, leaf);
  const path = directPath(2 * index, tree.width).flatMap((at) => {
    const node = tree.nodes[at];
    if (!node || !('unmerged' in node)) return [];
    const unmerged = [...new Set([...node.unmerged, index])].sort((a, b) => a - b);
    return [/** @type {[number, Any]} */ ([at, { ...node, unmerged }])];
  });
  return { tree: tree.replaced(path), index };
}

/** Update (12.1.2): another leaf, its path blank. @param {Tree} tree @param {number} index @param {Leaf} leaf */
export const updated = (tree, index, leaf) =>
  tree.replaced(directPath(2 * index, tree.width).map((at) => [at, null])).withLeaf(index, leaf);

/** Leaf signatures and parent hashes of a whole tree. @param {Tree} tree @param {Bytes} groupId */
export async function checkTree(tree, groupId) {
  assert(await hasSoundParents(tree), 'parent hashes');
  for (const { index, leaf } of tree.leaves()) await checkLeaf(leaf, groupId, index);
  for (const [at, node] of tree.nodes.entries()) {
    if (!node || !('unmerged' in node)) continue;
    assert.deepEqual(
      node.unmerged,
      [...new Set(node.unmerged)].sort((a, b) => a - b),
    );
    assert(
      node.unmerged.every((u) => tree.leaf(u) && isBelow(2 * u, at)),
      'unmerged leaves',
    );
  }
}

/** @param {Leaf} leaf @param {Bytes} groupId @param {number} index */
export async function checkLeaf(leaf, groupId, index) {
  const tbs = signedIn(leaf, groupId, index);
  assert(await suite.verifies(leaf.signatureKey, 'LeafNodeTBS', tbs, leaf.signature), 'leaf');
}

// Welcome

const GROUP_SECRETS = struct({
  joiner: opaque,
  pathSecret: optional(opaque),
  psks: vector(PSK_ID, 99),
});
export const WELCOME = struct({
  suite: u16,
  secrets: vector(struct({ reference: opaque, output: opaque, sealed: opaque }), 9999),
  encrypted: opaque,
});
/** The private parts of a key package. @typedef {{ package: Any, leaf: Leaf, init: KeyPair, encryption: KeyPair | null }} Mine */

/** @param {Bytes} data @param {Bytes} init @param {Bytes | null} encryption @returns {Promise<Mine>} */
export async function mine(data, init, encryption) {
  const value = parse(after(concat(VERSION, u16(WIRE_KEY_PACKAGE)), KEY_PACKAGE), data);
  return {
    package: value,
    leaf: parse(KEY_PACKAGE_TBS, value.signed).leaf,
    init: await suite.keyPair(init),
    encryption: encryption && (await suite.keyPair(encryption)),
  };
}

/** @param {Any} welcome @param {Mine} own @param {(psk: Any) => Bytes} pskOf */
export async function openWelcome(welcome, own, pskOf) {
  const mark = await reference('MLS 1.0 KeyPackage Reference', KEY_PACKAGE(own.package));
  const entry = welcome.secrets.find((/** @type {Any} */ e) => equal(e.reference, mark));
  const { output, sealed } = entry;
  const plain = await suite.decryptWithLabel(
    own.init,
    'Welcome',
    welcome.encrypted,
    output,
    sealed,
  );
  const { joiner, pathSecret, psks } = parse(GROUP_SECRETS, plain);
  const psk = await pskSecret(psks.map((id) => ({ id: PSK_ID(id), value: pskOf(id) })));
  const secret = await suite.derive(await suite.mac(joiner, psk), 'welcome');
  const key = await suite.messageKey(secret, EMPTY);
  const inside = await suite.open(key, EMPTY, welcome.encrypted);
  const info = parse(GROUP_INFO, concat(VERSION, u16(WIRE_GROUP_INFO), inside));
  return { joiner, pathSecret, psk, info };
}

// A member that follows

/** @param {Any} name */
const nameOf = (name) => (name.kind === 1 ? hex(name.id) : `${hex(name.groupId)} ${name.epoch}`);

/** A group as a member sees it that says nothing. */
export class Passive {
  /** @type {Map<string, Content>} */
  pending = new Map();

  /**
   * @param {{ outside: Any, tree: Tree, me: number, privates: Map<number, KeyPair>,
   *   secrets: EpochSecrets, psks: Map<string, Bytes> }} state
   */
  constructor({ outside, tree, me, privates, secrets, psks }) {
    this.outside = outside;
    this.tree = tree;
    this.me = me;
    this.privates = privates;
    this.secrets = secrets;
    const { groupId, epoch } = outside.context;
    this.psks = new Map(psks).set(`${hex(groupId)} ${epoch}`, secrets.resumption);
    this.keys = new Keys(tree.width, secrets.encryption);
  }

  /** Open and authenticate any message of this epoch; keep proposals. @param {Bytes} message */
  async receive(message) {
    const reader = new Reader(message);
    assert.equal(u16.read(reader), 1);
    const wireFormat = u16.read(reader);
    assert([WIRE_PUBLIC, WIRE_PRIVATE].includes(wireFormat));
    const content =
      wireFormat === WIRE_PUBLIC
        ? readPublic(reader)
        : await openPrivate(message, this.secrets.senderData, this.keys);
    await this.#authenticate(content);
    if (content.kind === PROPOSAL) this.pending.set(hex(await referenceOf(content)), content);
    return content;
  }

  /** @param {Content} content */
  async #authenticate(content) {
    const { context } = this.outside;
    const { framed, origin } = content;
    assert(equal(framed.groupId, context.groupId) && framed.epoch === context.epoch, 'place');
    const key = this.#signatureKey(content);
    const tbs = signed(content, context);
    assert(await suite.verifies(key, 'FramedContentTBS', tbs, framed.signature), 'signature');
    if (origin.kind !== MEMBER || framed.wireFormat !== WIRE_PUBLIC) return;
    const expected = await suite.mac(this.secrets.membership, tagged(content, context));
    assert.deepEqual(framed.membershipTag, expected);
  }

  /** @param {Content} content @returns {Bytes} */
  #signatureKey({ origin, body }) {
    if (origin.kind === MEMBER)
      return /** @type {Leaf} */ (this.tree.leaf(origin.index)).signatureKey;
    if (origin.kind === EXTERNAL) return this.#externalSenders()[origin.index];
    if (origin.kind === NEW_MEMBER_COMMIT) return body.path.leaf.signatureKey;
    return parse(KEY_PACKAGE_TBS, body.value.signed).leaf.signatureKey;
  }

  #externalSenders() {
    const extensions = parse(LIST, opaque(this.outside.context.extensions));
    const senders = extensions.find(({ kind }) => kind === EXTENSION_EXTERNAL_SENDERS);
    assert(senders);
    const sender = struct({ key: opaque, credential: u16, identity: opaque });
    return parse(vector(sender, 99), senders.data).map(({ key }) => key);
  }

  /** Follow a commit; a new member of the next epoch. @param {Bytes} message */
  async commit(message) {
    const { kind, framed, body } = await this.receive(message);
    assert.equal(kind, COMMIT);
    const proposals = body.proposals.map((/** @type {Any} */ entry) => {
      if (entry.kind === 1) return { sender: framed.sender, ...entry.proposal };
      const known = this.pending.get(hex(entry.reference));
      assert(known, 'a reference to nothing');
      return { sender: known.framed.sender, ...known.body };
    });
    return new Step(this, framed, body.path, proposals).run();
  }
}

class Step {
  /** @type {number[]} leaves that are new, who are told nothing by the path */
  fresh = [];

  /** @param {Passive} group @param {Any} framed @param {Any} path @param {Any[]} proposals */
  constructor(group, framed, path, proposals) {
    this.group = group;
    this.framed = framed;
    this.path = path;
    this.proposals = proposals;
    this.groupId = group.outside.context.groupId;
  }

  /** @param {number} kind */
  of(kind) {
    return this.proposals.filter((proposal) => proposal.kind === kind);
  }

  async run() {
    const { group, framed, path } = this;
    const { me, psks } = group;
    const changed = await this.#changed();
    const sender = framed.sender ?? changed.freeLeaf();
    const before = changed.grown(sender);
    const tree = await this.#merged(before, sender);
    const old = group.outside.context;
    const extensions = this.of(CONTEXT_EXTENSIONS)[0]?.value ?? old.extensions;
    const context = { ...(await nextContext(group.outside, framed, tree)), extensions };
    const { confirmedTranscriptHash } = old;
    let commitSecret = zeros(32);
    let privates = new Map(
      [...group.privates].filter(([index, pair]) => {
        const node = before.nodes[index];
        return node && equal(node.encryptionKey, pair.public);
      }),
    );
    if (path) {
      const steps = before.filteredPath(sender).map((step) => ({
        ...step,
        resolution: resolution(before, step.copath).filter(
          (at) => at & 1 || !this.fresh.includes(at / 2),
        ),
      }));
      const provisional = CONTEXT({ ...context, confirmedTranscriptHash });
      const opened = await openPath(steps, path, me, privates, provisional);
      commitSecret = opened.commitSecret;
      const kept = [...privates].filter(([index]) => tree.nodes[index] === before.nodes[index]);
      privates = new Map([...kept, ...opened.privates]);
    }
    const { secrets, confirmationTag } = await this.#secrets(context, commitSecret);
    assert.deepEqual(confirmationTag, framed.confirmationTag);
    const outside = { context, confirmationTag };
    return new Passive({ outside, tree, me, privates, secrets, psks });
  }

  /** Apply the proposals in the order of RFC 9420 12.3. */
  async #changed() {
    let { tree } = this.group;
    for (const { sender, value } of this.of(UPDATE)) {
      await checkLeaf(value, this.groupId, sender);
      tree = updated(tree, sender, value);
    }
    for (const { value } of this.of(REMOVE)) {
      assert(tree.leaf(value), 'removes nobody');
      tree = tree.without(value);
    }
    for (const { value } of this.of(ADD)) {
      const { leaf } = parse(KEY_PACKAGE_TBS, value.signed);
      assert.equal(leaf.source.kind, FROM_KEY_PACKAGE);
      await checkLeaf(leaf, EMPTY, 0);
      const { signatureKey } = leaf;
      const { signed: tbs, signature } = value;
      assert(await suite.verifies(signatureKey, 'KeyPackageTBS', tbs, signature), 'package');
      const done = added(tree, leaf);
      tree = done.tree;
      this.fresh.push(done.index);
    }
    return tree;
  }

  /** @param {Tree} before @param {number} sender */
  async #merged(before, sender) {
    if (!this.path) return before;
    const { leaf, nodes } = this.path;
    assert.equal(leaf.source.kind, COMMITTED);
    const keys = nodes.map((/** @type {Any} */ node) => node.encryptionKey);
    const { tree, parentHash } = await before.merged(sender, keys);
    assert.deepEqual(parentHash, leaf.source.parentHash);
    await checkLeaf(leaf, this.groupId, sender);
    return tree.withLeaf(sender, leaf);
  }

  /** @param {Any} context @param {Bytes} commitSecret */
  async #secrets(context, commitSecret) {
    let { init } = this.group.secrets;
    for (const { value } of this.of(EXTERNAL_INIT)) {
      init = await suite.exportFrom(await suite.deriveKeyPair(this.group.secrets.external), value);
    }
    const psks = this.of(PSK).map(({ value }) => {
      const known = this.group.psks.get(nameOf(value.name));
      assert(known, 'an unknown PSK');
      return { id: PSK_ID(value), value: known };
    });
    const joiner = await joinerSecret(init, commitSecret, context);
    return epochSecrets(context, joiner, await pskSecret(psks));
  }
}

/**
 * Join a group by a Welcome (12.4.3.1).
 * @param {Any} welcome @param {Mine} own @param {Map<string, Bytes>} psks by id, hex
 * @param {Bytes | null} encodedTree
 */
export async function joinByWelcome(welcome, own, psks, encodedTree) {
  const pskOf = (/** @type {Any} */ id) => /** @type {Bytes} */ (psks.get(nameOf(id.name)));
  const opened = await openWelcome(welcome, own, pskOf);
  const { context, extensions, signer, signature, confirmationTag } = opened.info;
  const inside = extensions.find(({ kind }) => kind === EXTENSION_TREE)?.data;
  const tree = readTree(/** @type {Bytes} */ (encodedTree ?? inside));
  assert.deepEqual(await tree.hash(), context.treeHash);
  await checkTree(tree, context.groupId);
  const { signatureKey } = /** @type {Leaf} */ (tree.leaf(signer));
  const tbs = GROUP_INFO(opened.info).subarray(4, -opaque(signature).length);
  assert(await suite.verifies(signatureKey, 'GroupInfoTBS', tbs, signature), 'signer');
  const me = tree.leaves().findIndex(({ leaf }) => equal(LEAF(leaf), LEAF(own.leaf)));
  const { index } = tree.leaves()[me];
  const privates = new Map([[2 * index, /** @type {KeyPair} */ (own.encryption)]]);
  let { pathSecret } = opened;
  for (const { node } of pathSecret ? tree.filteredPath(signer) : []) {
    if (!isBelow(2 * index, node)) continue;
    const pair = await nodeKeys(/** @type {Bytes} */ (pathSecret));
    assert.deepEqual(pair.public, tree.keyOf(node));
    privates.set(node, pair);
    pathSecret = await suite.derive(/** @type {Bytes} */ (pathSecret), 'path');
  }
  const begun = await epochSecrets(context, opened.joiner, opened.psk);
  assert.deepEqual(begun.confirmationTag, confirmationTag);
  const outside = { context, confirmationTag };
  return new Passive({ outside, tree, me: index, privates, secrets: begun.secrets, psks });
}

// A second, plain spelling of everything, to see that bytes come back (messages.json)

const EXTENSIONS = vector(struct({ kind: u16, data: opaque }), 9999);
const U16S = vector(u16, 9999);
const PLAIN_LEAF = struct({
  encryptionKey: opaque,
  signatureKey: opaque,
  credential: select(
    { 1: struct({ identity: opaque }), 2: struct({ chain: vector(opaque, 9) }) },
    u16,
  ),
  capabilities: struct({ a: U16S, b: U16S, c: U16S, d: U16S, e: U16S }),
  source: select({
    1: struct({ notBefore: raw(u32, u32), notAfter: raw(u32, u32) }),
    2: struct({}),
    3: struct({ parentHash: opaque }),
  }),
  extensions: EXTENSIONS,
  signature: opaque,
});
const PLAIN_PARENT = struct({ key: opaque, parentHash: opaque, unmerged: vector(u32, 9999) });
export const RATCHET_TREE = vector(optional(select({ 1: PLAIN_LEAF, 2: PLAIN_PARENT })), 9999);
const PLAIN_PACKAGE = struct({
  version: u16,
  suite: u16,
  initKey: opaque,
  leaf: PLAIN_LEAF,
  extensions: EXTENSIONS,
  signature: opaque,
});
const PLAIN_REINIT = struct({ groupId: opaque, version: u16, suite: u16, extensions: EXTENSIONS });
/** @type {Record<number, Codec<Any>>} */
export const PROPOSAL_BODIES = {
  [ADD]: struct({ value: PLAIN_PACKAGE }),
  [UPDATE]: struct({ value: PLAIN_LEAF }),
  [REMOVE]: struct({ value: u32 }),
  [PSK]: struct({ value: PSK_ID }),
  [REINIT]: struct({ value: PLAIN_REINIT }),
  [EXTERNAL_INIT]: struct({ value: opaque }),
  [CONTEXT_EXTENSIONS]: struct({ value: EXTENSIONS }),
};
const PLAIN_PROPOSAL = select(PROPOSAL_BODIES, u16);
const SEALED = struct({ output: opaque, ciphertext: opaque });
const PLAIN_PATH = struct({
  leaf: PLAIN_LEAF,
  nodes: vector(struct({ key: opaque, sealed: vector(SEALED, 9999) }), 9999),
});
const PLAIN_ENTRY = select({
  1: struct({ proposal: PLAIN_PROPOSAL }),
  2: struct({ reference: opaque }),
});
export const PLAIN_COMMIT = struct({
  proposals: vector(PLAIN_ENTRY, 9999),
  path: optional(PLAIN_PATH),
});
const PLAIN_CONTEXT = struct({
  version: u16,
  suite: u16,
  groupId: opaque,
  epoch: raw(u32, u32),
  treeHash: opaque,
  transcript: opaque,
  extensions: EXTENSIONS,
});
const PLAIN_GROUP_INFO = struct({
  context: PLAIN_CONTEXT,
  extensions: EXTENSIONS,
  tag: opaque,
  signer: u32,
  signature: opaque,
});
export const PLAIN_GROUP_SECRETS = GROUP_SECRETS;
/** What follows the content depends on it, and on its sender: two of each. */
const tags = (/** @type {string[]} */ ...names) =>
  struct(Object.fromEntries(names.map((name) => [name, opaque])));
const content = (/** @type {Codec<Any>} */ value, /** @type {string[]} */ ...names) =>
  struct({ value, ...{ tags: tags(...names) } });
const from = (/** @type {string[]} */ ...membership) =>
  struct({
    aad: opaque,
    body: select({
      [APPLICATION]: content(opaque, 'signature', ...membership),
      [PROPOSAL]: content(PLAIN_PROPOSAL, 'signature', ...membership),
      [COMMIT]: content(PLAIN_COMMIT, 'signature', 'confirmation', ...membership),
    }),
  });
const PLAIN_PUBLIC = struct({
  groupId: opaque,
  epoch: raw(u32, u32),
  rest: select({
    [MEMBER]: struct({ index: u32, rest: from('membership') }),
    [EXTERNAL]: struct({ index: u32, rest: from() }),
    [NEW_MEMBER_PROPOSAL]: struct({ rest: from() }),
    [NEW_MEMBER_COMMIT]: struct({ rest: from() }),
  }),
});
const PLAIN_PRIVATE = struct({
  groupId: opaque,
  epoch: raw(u32, u32),
  kind: u8,
  aad: opaque,
  senderData: opaque,
  ciphertext: opaque,
});
export const MESSAGE = after(
  VERSION,
  select(
    {
      [WIRE_PUBLIC]: PLAIN_PUBLIC,
      [WIRE_PRIVATE]: struct({ message: PLAIN_PRIVATE }),
      [WIRE_WELCOME]: WELCOME,
      [WIRE_GROUP_INFO]: PLAIN_GROUP_INFO,
      [WIRE_KEY_PACKAGE]: PLAIN_PACKAGE,
    },
    u16,
  ),
);

/** Read a value to its end and write it again. @param {Codec<Any>} codec @param {Bytes} data */
export const spelt = (codec, data) => codec(parse(codec, data));
