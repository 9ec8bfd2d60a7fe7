// Puts ts-mls 1.6.4 right where it departs from RFC 9420 12.4.1; load with `node --import`.
//
// The commit secret follows the last path secret of the UpdatePath: one "path" step, whatever is at
// the root. ts-mls walks up to the root and takes a step for it even where the root stays blank.
// With the last secret itself at a blank root, the step that ts-mls then takes is the only one.
// Its other departure (12.4.3.2, the length inside of external_pub) is met in groupinfo.mjs.

import { register } from "node:module"
import { isMainThread } from "node:worker_threads"

const FILE = "/ts-mls/dist/src/pathSecrets.js"
const STEP = 'await deriveSecret(pathSecrets[currentIndex], "path", kdf)'
const RIGHT = `tree[nextIndex] === undefined ? pathSecrets[currentIndex] : ${STEP}`

if (isMainThread) register(import.meta.url)

// Node calls this for every module that is loaded, in a thread of its own.
export async function load(url, context, next) {
  const loaded = await next(url, context)
  if (!url.endsWith(FILE)) return loaded
  const parts = String(loaded.source).split(STEP)
  if (parts.length !== 2) throw new Error("another ts-mls: does it still depart from 12.4.1?")
  return { ...loaded, source: parts.join(RIGHT) }
}
