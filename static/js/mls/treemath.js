// Twin of client/mls/treemath.py: leaf i is node 2i.

/** @param {number} node */
export const level = (node) => 31 - Math.clz32(node ^ (node + 1));

/** @param {number} node */
export const left = (node) => node ^ (1 << (level(node) - 1));

/** @param {number} node */
export const right = (node) => node ^ (3 << (level(node) - 1));

/** @param {number} node */
export const parent = (node) => (node | (1 << level(node))) & ~(2 << level(node));

/** @param {number} node */
export const sibling = (node) => node ^ (2 << level(node));

/** Nearest first. @param {number} node @param {number} leaves */
export function directPath(node, leaves) {
  const path = [];
  for (let at = node; at !== leaves - 1; path.push(at)) at = parent(at);
  return path;
}

/** Or the same. @param {number} node @param {number} ancestor */
export const isBelow = (node, ancestor) => Math.abs(node - ancestor) < 1 << level(ancestor);
