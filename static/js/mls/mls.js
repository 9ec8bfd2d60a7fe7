// MLS (RFC 9420) in the restricted profile of PROTOCOL 8.

/**
 * @typedef {import('./epoch.js').Member} Member
 * @typedef {import('./group.js').Followed} Followed
 * @typedef {import('./group.js').Opened} Opened
 * @typedef {import('./group.js').Staged} Staged
 * @typedef {import('./inspection.js').Inspected} Inspected
 */

export { Identity } from './epoch.js';
export { CONTENT_OVERHEAD, found, Group, join } from './group.js';
export { inspect } from './inspection.js';
