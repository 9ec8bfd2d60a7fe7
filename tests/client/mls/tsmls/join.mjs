// An external commit with a PSK (RFC 9420 12.4.3.2), from parts of ts-mls: its own
// joinGroupExternal can bring no PSK.

import { exportSecret, nextEpochContext, validateRatchetTree } from "ts-mls/clientState.js"
import { createConfirmationTag, createContentCommitSignature } from "ts-mls/framedContent.js"
import { ratchetTreeFromExtension, verifyGroupInfoSignature } from "ts-mls/groupInfo.js"
import { initializeEpoch } from "ts-mls/keySchedule.js"
import { protectPublicMessage } from "ts-mls/messageProtectionPublic.js"
import { getCommitSecret, pathToPathSecrets } from "ts-mls/pathSecrets.js"
import { computePskSecret } from "ts-mls/presharedkey.js"
import { toPrivateKeyPath, updateLeafKey } from "ts-mls/privateKeyPath.js"
import {
  addLeafNode,
  getSignaturePublicKeyFromLeafIndex,
  removeLeafNode,
} from "ts-mls/ratchetTree.js"
import { createSecretTree } from "ts-mls/secretTree.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { leafWidth, nodeToLeafIndex } from "ts-mls/treemath.js"
import { createUpdatePath } from "ts-mls/updatePath.js"
import { externalPubOf } from "./groupinfo.mjs"

const WIRE = "mls_public_message"

// Join by a GroupInfo with the keys of a key package. A leaf with the same signature key is our own
// old one, and is removed by the same commit. `psk` is { id, value }. Returns the state and the
// PublicMessage.
export async function joinWithPsk(groupInfo, keyPackage, psk, authenticatedData, config, suite) {
  const { publicPackage, privatePackage } = keyPackage
  const signKey = privatePackage.signaturePrivateKey
  const before = groupInfo.groupContext
  const tree = await checkedTree(groupInfo, config, suite)

  const old = ownLeaf(tree, publicPackage.leafNode.signaturePublicKey)
  const without = old === undefined ? tree : removeLeafNode(tree, old)
  const [withUs, ourNode] = addLeafNode(without, publicPackage.leafNode)
  const us = nodeToLeafIndex(ourNode)
  const [after, path, secrets, leafKey] = await createUpdatePath(withUs, us, before, signKey, suite)
  const last = secrets.at(-1)
  const commitSecret = await getCommitSecret(after, last.nodeIndex, last.secret, suite.kdf)

  const init = await exportSecret(externalPubOf(groupInfo), suite)
  const pskNonce = suite.rng.randomBytes(suite.kdf.size)
  const preSharedKeyId = { psktype: "external", pskId: psk.id, pskNonce }
  // Not the order in which our own commits have them: any order is good.
  const proposals = [
    { proposalType: "external_init", externalInit: { kemOutput: init.enc } },
    { proposalType: "psk", psk: { preSharedKeyId } },
    ...(old === undefined ? [] : [{ proposalType: "remove", remove: { removed: old } }]),
  ].map((proposal) => ({ proposalOrRefType: "proposal", proposal }))

  const sender = { senderType: "new_member_commit" }
  const commit = { proposals, path }
  const { signature, framedContent } = await createContentCommitSignature(
    before, WIRE, commit, sender, authenticatedData, signKey, suite.signature,
  )
  const groupContext = await nextEpochContext(
    before, WIRE, framedContent, signature, await treeHashRoot(after, suite.hash),
    groupInfo.confirmationTag, suite.hash,
  )
  const pskSecret = await computePskSecret([[preSharedKeyId, psk.value]], suite)
  const { keySchedule, encryptionSecret } = await initializeEpoch(
    init.secret, commitSecret, groupContext, pskSecret, suite.kdf,
  )
  const confirmationTag = await createConfirmationTag(
    keySchedule.confirmationKey, groupContext.confirmedTranscriptHash, suite.hash,
  )
  const privateKeys = await toPrivateKeyPath(pathToPathSecrets(secrets), us, suite)
  const state = {
    ratchetTree: after,
    groupContext,
    secretTree: await createSecretTree(leafWidth(after.length), encryptionSecret, suite.kdf),
    privatePath: updateLeafKey(privateKeys, await suite.hpke.exportPrivateKey(leafKey)),
    confirmationTag,
    historicalReceiverData: new Map(),
    signaturePrivateKey: signKey,
    keySchedule,
    unappliedProposals: {},
    groupActiveState: { kind: "active" },
    clientConfig: config,
  }
  const auth = { contentType: "commit", signature, confirmationTag }
  const content = { content: framedContent, auth, wireformat: WIRE }
  const message = await protectPublicMessage(
    keySchedule.membershipKey, groupContext, content, suite,
  )
  return { state, message }
}

async function checkedTree(groupInfo, config, suite) {
  const { groupContext, signer } = groupInfo
  const tree = ratchetTreeFromExtension(groupInfo)
  const { lifetimeConfig, authService } = config
  const wrong = await validateRatchetTree(
    tree, groupContext, lifetimeConfig, authService, groupContext.treeHash, suite,
  )
  if (wrong !== undefined) throw wrong
  const key = getSignaturePublicKeyFromLeafIndex(tree, signer)
  if (!(await verifyGroupInfoSignature(groupInfo, key, suite.signature)))
    throw new Error("GroupInfo signature")
  return tree
}

function ownLeaf(tree, signatureKey) {
  const same = (key) => Buffer.compare(key, signatureKey) === 0
  const own = (node) => node?.nodeType === "leaf" && same(node.leaf.signaturePublicKey)
  const index = tree.findIndex(own)
  return index < 0 ? undefined : nodeToLeafIndex(index)
}
