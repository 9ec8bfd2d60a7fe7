// GroupInfo as the profile has it (PROTOCOL 8.1): three extensions, ascending.

import { decodeVarLenData, varLenDataEncoder } from "ts-mls/codec/variableLength.js"
import { encode } from "ts-mls/codec/tlsEncoder.js"
import { createGroupInfo } from "ts-mls/createCommit.js"
import { encodeRatchetTree } from "ts-mls/ratchetTree.js"

export const BINDING = 0xf0be

// ts-mls puts the bare key into external_pub; RFC 9420 12.4.3.2 puts an HPKEPublicKey there, which
// has a length of its own.
export async function describe(state, binding, suite) {
  const pair = await suite.hpke.deriveKeyPair(state.keySchedule.externalSecret)
  const externalPub = await suite.hpke.exportPublicKey(pair.publicKey)
  const extensions = [
    { extensionType: "ratchet_tree", extensionData: encodeRatchetTree(state.ratchetTree) },
    { extensionType: "external_pub", extensionData: encode(varLenDataEncoder)(externalPub) },
    { extensionType: BINDING, extensionData: binding },
  ]
  return createGroupInfo(state.groupContext, state.confirmationTag, state, extensions, suite)
}

export function extensionOf(groupInfo, type) {
  const found = groupInfo.extensions.filter((extension) => extension.extensionType === type)
  if (found.length !== 1) throw new Error(`extension ${type} stands ${found.length} times`)
  return found[0].extensionData
}

export function externalPubOf(groupInfo) {
  const data = extensionOf(groupInfo, "external_pub")
  const [key, end] = decodeVarLenData(data, 0)
  if (end !== data.length) throw new Error("external_pub without the length of its own")
  return key
}
