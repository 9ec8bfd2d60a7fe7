// How a client gets into a group: choose a GroupInfo, stage the commit; the twin of client/entry.py.

import { equal } from './bytes.js';
import { AuthenticationError, CommitRefusedError, FrameError } from './errors.js';
import * as mls from './mls/mls.js';
import { Kind, seal, unseal } from './seal.js';
import { serializeCommit } from './wire.js';
import { verificationWords } from './words.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { Keys } from './link.js'
 * @import { Info } from './wire.js'
 * @typedef {{ reference: Bytes, fence: number, sealed: Bytes, message: Bytes, group: mls.Group }}
 *   StagedCommit
 * @typedef {{ confirmedTranscriptHash: Uint8Array, treeHash: Uint8Array,
 *   confirmationTag: Uint8Array }} Line
 */

/** A GroupInfo that opened and stood every check. */
export class Candidate {
  /** @param {mls.Inspected} inspected */
  constructor(inspected) {
    this.inspected = inspected;
  }

  words() {
    return verificationWords(this.inspected.wordsContext);
  }
}

/** Whether a check of what others made failed. @param {unknown} error */
export const isRefusal = (error) =>
  error instanceof AuthenticationError ||
  error instanceof CommitRefusedError ||
  error instanceof FrameError;

/**
 * The usable ones of `info`, in its order; with `line` only those of that very epoch.
 * @param {Keys} keys @param {Info} info @param {Line | null} [line]
 */
export async function candidates(keys, info, line = null) {
  const found = await Promise.all(info.entries.map((entry) => inspect(keys, info.fence, entry)));
  return found.flatMap((one) =>
    one !== null &&
    (line === null ||
      (equal(one.confirmedTranscriptHash, line.confirmedTranscriptHash) &&
        equal(one.treeHash, line.treeHash) &&
        equal(one.outside.confirmationTag, line.confirmationTag)))
      ? [new Candidate(one)]
      : [],
  );
}

/** @param {Keys} keys @param {number} fence @param {Bytes} entry */
async function inspect({ seal: key, roomId }, fence, entry) {
  try {
    const plain = await unseal(key, roomId, Kind.GROUP_INFO, fence, entry);
    return await mls.inspect(plain, roomId, fence);
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

/** @param {Keys} keys @param {mls.Identity} identity @param {string} tag @param {Bytes} reference */
export async function stageFounding(keys, identity, tag, reference) {
  return stage(keys, await mls.found(identity, tag, keys.psk, keys.roomId), 0, reference);
}

/**
 * Join, or rejoin in place of our own old leaf; raise StateError for a tag in use (R4).
 * @param {Keys} keys @param {mls.Identity} identity @param {string} tag
 * @param {Candidate} chosen @param {Bytes} reference
 */
export async function stageJoin(keys, identity, tag, { inspected }, reference) {
  const staged = await mls.join(inspected, identity, tag, keys.psk);
  return stage(keys, staged, inspected.binding.fence, reference);
}

/**
 * @param {Keys} keys @param {mls.Group} group @param {number[]} removes
 * @param {number} fence @param {Bytes} reference
 */
export async function stageCommit(keys, group, removes, fence, reference) {
  return stage(keys, await group.commit(removes, fence), fence, reference);
}

/** @param {Keys} keys @param {mls.Group} group @param {number} fence */
export async function sealGroupInfo({ seal: key, roomId }, group, fence) {
  return seal(key, roomId, Kind.GROUP_INFO, fence, await group.groupInfo(fence));
}

/**
 * @param {Keys} keys @param {mls.Staged} staged @param {number} fence @param {Bytes} reference
 * @returns {Promise<StagedCommit>}
 */
async function stage({ seal: key, roomId }, { commit, groupInfo, group }, fence, reference) {
  const [sealed, info] = await Promise.all([
    seal(key, roomId, Kind.COMMIT, fence, commit),
    seal(key, roomId, Kind.GROUP_INFO, fence + 1, groupInfo),
  ]);
  const message = serializeCommit(reference, fence, sealed, info);
  return { reference, fence, sealed, message, group };
}
