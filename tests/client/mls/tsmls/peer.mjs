// ts-mls members of a room, driven by test_tsmls.py: one JSON object in, one out, a line each.
//
// In: { op, who, ... }. Out: { ok } or { refused }. Bytes travel as hex.

import readline from "node:readline"
import {
  bytesToBase64,
  createApplicationMessage,
  createCommit,
  createGroup,
  decodeMlsMessage,
  encodeMlsMessage,
  generateKeyPackage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  makePskIndex,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
} from "ts-mls"
import { defaultClientConfig } from "ts-mls/clientConfig.js"
import { encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { BINDING, describe, extensionOf } from "./groupinfo.mjs"
import { joinWithPsk } from "./join.mjs"

const SUITE = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
const LEAF = {
  versions: ["mls10"],
  ciphersuites: [SUITE],
  extensions: [BINDING],
  proposals: [],
  credentials: ["basic"],
}
const LIFETIME = { notBefore: 0n, notAfter: 2n ** 64n - 1n }

const suite = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE))
const members = new Map()

const text = (string) => new TextEncoder().encode(string)
const hex = (bytes) => Buffer.from(bytes).toString("hex")
const unhex = (string) => new Uint8Array(Buffer.from(string, "hex"))

function encode(wireformat, name, value) {
  return hex(encodeMlsMessage({ version: "mls10", wireformat, [name]: value }))
}

function decode(data, wireformat) {
  const bytes = unhex(data)
  const [message, end] = decodeMlsMessage(bytes, 0) ?? []
  if (message?.wireformat !== wireformat || end !== bytes.length) throw new Error("not decoded")
  return message
}

// One stay: its signature key and PSK, and its state since it is in the group.
class Member {
  constructor({ tag, psk, pskId }) {
    this.tag = tag
    this.psk = { id: unhex(pskId), value: unhex(psk) }
  }

  async keyPackage() {
    const credential = { credentialType: "basic", identity: text(this.tag) }
    const made = this.signatureKeys
      ? await generateKeyPackageWithKey(credential, LEAF, LIFETIME, [], this.signatureKeys, suite)
      : await generateKeyPackage(credential, LEAF, LIFETIME, [], suite)
    this.signatureKeys = {
      signKey: made.privatePackage.signaturePrivateKey,
      publicKey: made.publicPackage.leafNode.signaturePublicKey,
    }
    return made
  }

  get psks() {
    return makePskIndex(this.state, { [bytesToBase64(this.psk.id)]: this.psk.value })
  }

  async commit(extraProposals, authenticatedData) {
    const made = await createCommit(
      { state: this.state, pskIndex: this.psks, cipherSuite: suite },
      { extraProposals, authenticatedData, wireAsPublicMessage: true },
    )
    this.state = made.newState
    return encode("mls_public_message", "publicMessage", made.commit.publicMessage)
  }
}

const ops = {
  // A room as PROTOCOL 8.2 founds it: the PSK by a commit that nobody sees, then an empty one.
  async found(member, { groupId, authenticatedData }) {
    const { publicPackage, privatePackage } = await member.keyPackage()
    member.state = await createGroup(unhex(groupId), publicPackage, privatePackage, [], suite)
    const pskNonce = suite.rng.randomBytes(suite.kdf.size)
    const preSharedKeyId = { psktype: "external", pskId: member.psk.id, pskNonce }
    await member.commit([{ proposalType: "psk", psk: { preSharedKeyId } }], new Uint8Array())
    return member.commit([], unhex(authenticatedData))
  },

  async join(member, { groupInfo, authenticatedData }) {
    const info = decode(groupInfo, "mls_group_info").groupInfo
    const keys = await member.keyPackage()
    const made = await joinWithPsk(
      info, keys, member.psk, unhex(authenticatedData), defaultClientConfig, suite,
    )
    member.state = made.state
    return {
      commit: encode("mls_public_message", "publicMessage", made.message),
      binding: hex(extensionOf(info, BINDING)),
    }
  },

  async commit(member, { removes, authenticatedData }) {
    const proposals = removes.map((removed) => ({ proposalType: "remove", remove: { removed } }))
    return member.commit(proposals, unhex(authenticatedData))
  },

  async follow(member, { commit }) {
    const { publicMessage } = decode(commit, "mls_public_message")
    const done = await processPublicMessage(member.state, publicMessage, member.psks, suite)
    member.state = done.newState
    return {
      authenticatedData: hex(publicMessage.content.authenticatedData),
      removed: member.state.groupActiveState.kind === "removedFromGroup",
    }
  },

  async groupInfo(member, { binding }) {
    const groupInfo = await describe(member.state, unhex(binding), suite)
    return encode("mls_group_info", "groupInfo", groupInfo)
  },

  // `padUntil` is the length of content, signature and padding together.
  async encrypt(member, { content, authenticatedData, padUntil }) {
    const paddingConfig = { kind: "padUntilLength", padUntilLength: padUntil }
    const clientConfig = { ...defaultClientConfig, paddingConfig }
    const made = await createApplicationMessage(
      { ...member.state, clientConfig }, unhex(content), suite, unhex(authenticatedData),
    )
    member.state = { ...made.newState, clientConfig: member.state.clientConfig }
    return encode("mls_private_message", "privateMessage", made.privateMessage)
  },

  async decrypt(member, { message }) {
    const { privateMessage } = decode(message, "mls_private_message")
    const done = await processPrivateMessage(member.state, privateMessage, member.psks, suite)
    if (done.kind !== "applicationMessage") throw new Error("not an application message")
    member.state = done.newState
    return {
      content: hex(done.message),
      authenticatedData: hex(privateMessage.authenticatedData),
    }
  },

  async leaf(member) {
    return member.state.privatePath.leafIndex
  },

  async view(member, { label, context, length }) {
    const { groupContext, keySchedule, ratchetTree } = member.state
    const { exporterSecret, epochAuthenticator } = keySchedule
    return {
      epoch: Number(groupContext.epoch),
      groupId: hex(groupContext.groupId),
      treeHash: hex(groupContext.treeHash),
      transcript: hex(groupContext.confirmedTranscriptHash),
      tree: hex(encodeRatchetTree(ratchetTree)),
      authenticator: hex(epochAuthenticator),
      exported: hex(await mlsExporter(exporterSecret, label, unhex(context), length, suite)),
    }
  },
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, who, ...given } = JSON.parse(line)
  try {
    if (op === "enter") members.set(who, new Member(given))
    const ok = op === "enter" ? null : await ops[op](members.get(who), given)
    console.log(JSON.stringify({ ok }))
  } catch (error) {
    console.log(JSON.stringify({ refused: `${error.name}: ${error.message}` }))
  }
}
