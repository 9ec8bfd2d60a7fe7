// What the parts of a conversation share for one stay; the twin of client/stay.py.

import { encodeB64url, fromUint, zeros } from './bytes.js';
import { StateError } from './errors.js';
import { FORGOTTEN } from './link.js';
import * as mls from './mls/mls.js';
import { Kind, seal, sizeClass, unseal } from './seal.js';
import { REFERENCE_BYTES, serializePost } from './wire.js';

/**
 * @import { Bytes } from './bytes.js'
 * @import { ClientError } from './errors.js'
 * @import { Key } from './ledger.js'
 * @import { Keys } from './link.js'
 * @import { Frame } from './wire.js'
 * @typedef {{ type: string, [field: string]: any }} Event as in client/event.py
 * @typedef {{ type: 'send', data: string | Bytes }
 *   | { type: 'emit', event: Event }
 *   | { type: 'settle', reference: Bytes, outcome: number | ClientError }
 *   | { type: 'enter' }
 *   | { type: 'reconnect', afterS: number | null }
 *   | { type: 'finish', error: ClientError }} Effect
 */

const MAX_REPLAYS = 8;
export const SILENT_S = 150;

export const Phase = Object.freeze({
  OFFLINE: 'offline',
  GREETING: 'greeting',
  WAITING: 'waiting',
  ENTERING: 'entering',
  JOINED: 'joined',
  STRANDED: 'stranded',
  CLOSED: 'closed',
});

/** One person's stay in one room, across connections. */
export class Stay {
  phase = /** @type {string} */ (Phase.OFFLINE);
  life = zeros(0);
  seq = 0;
  fence = 0;
  tag = /** @type {string | null} */ (null);
  group = /** @type {mls.Group | null} */ (null);
  now = 0;
  replays = 0;
  ticket = /** @type {string | null} */ (null);
  mark = /** @type {string | null} */ (null);
  /** When each was heard. @type {Map<Key, number>} */
  heard = new Map();
  /** @type {Effect[]} */
  effects = [];

  /**
   * @param {string} host @param {Keys} keys @param {mls.Identity} identity
   * @param {(length: number) => Bytes} draw random bytes
   */
  constructor(host, keys, identity, draw) {
    this.host = host;
    this.keys = keys;
    this.identity = identity;
    this.draw = draw;
  }

  /** Whether we have had our seat. */
  get isInside() {
    return this.phase === Phase.JOINED || this.phase === Phase.STRANDED;
  }

  get lifeB64() {
    return encodeB64url(this.life);
  }

  get leaves() {
    return this.group?.members ?? [];
  }

  get others() {
    const me = this.group?.me.leaf;
    return this.leaves.filter(({ leaf }) => leaf !== me);
  }

  /** @param {Key} key */
  isSilent(key) {
    const at = this.heard.get(key);
    return at !== undefined && at + SILENT_S <= this.now;
  }

  forget() {
    this.group?.wipe();
    this.group = null;
    this.keys.psk.fill(0);
    this.keys = FORGOTTEN;
    this.identity = mls.Identity.forgotten();
    this.ticket = this.mark = null;
    this.heard.clear();
  }

  reference() {
    return this.draw(REFERENCE_BYTES);
  }

  fraction() {
    return fromUint(this.draw(4)) / 2 ** 32;
  }

  /** @param {Effect} effect */
  do(effect) {
    this.effects.push(effect);
  }

  /** @param {string | Bytes} data */
  send(data) {
    this.do({ type: 'send', data });
  }

  /** @param {number | null} [afterS] */
  reconnect(afterS = null) {
    this.do({ type: 'reconnect', afterS });
  }

  /** @param {ClientError} error */
  finish(error) {
    this.do({ type: 'finish', error });
  }

  /** @param {Event} event */
  emit(event) {
    this.do({ type: 'emit', event });
  }

  /** @param {string} code @param {string | null} [tag] */
  notice(code, tag = null) {
    this.emit({ type: 'notice', code, tag });
  }

  /** Take the next number of the order; say whether what bears it may be taken in. @param {number} seq */
  number(seq) {
    if (seq <= this.seq) {
      this.notice('relay_equivocates');
      this.replays++;
      if (this.replays >= MAX_REPLAYS) throw new StateError('only old numbers');
      return false;
    }
    this.replays = 0;
    if (seq > this.seq + 1) this.notice('relay_gap');
    this.seq = seq;
    return true;
  }

  /** @param {Bytes} reference @param {Bytes} data */
  async post(reference, data) {
    const { fence, keys } = this;
    const group = /** @type {mls.Group} */ (this.group);
    const size = sizeClass(data.length + mls.CONTENT_OVERHEAD);
    const message = await group.encrypt(data, fence, size);
    const sealed = await seal(keys.seal, keys.roomId, Kind.APPLICATION, fence, message);
    this.send(serializePost(reference, fence, sealed));
  }

  /** @param {Frame} frame */
  unseal({ kind, fence, sealed }) {
    return unseal(this.keys.seal, this.keys.roomId, kind, fence, sealed);
  }
}
