// The link, and every key that is derived from it (PROTOCOL 2, R1); the twin of client/link.py.

import { concat, decodeB64url, encodeB64url, exactly, fromHex, utf8, zeros } from './bytes.js';
import { LinkError, StateError } from './errors.js';

/** @import { Bytes } from './bytes.js' */
/**
 * What R1 derives from a secret; `seal` is null once forgotten.
 * @typedef {{ roomId: Bytes, access: Access, psk: Bytes, seal: CryptoKey | null }} Keys
 * @typedef {{ insecureRelay?: boolean }} RelayOptions
 */

const SECRET_BYTES = 32;
export const ROOM_ID_BYTES = 16;
const HKDF = { name: 'HKDF', hash: 'SHA-256', salt: utf8('beacon link v1') };
const ROOM_LABEL = utf8('beacon room id v1');
const HELLO_LABEL = utf8('beacon hello v1');
// What stands before the seed in PKCS #8 (RFC 8410 7).
const PKCS8 = fromHex('302e020100300506032b657004220420');
const MAX_LINK_CHARS = 400;
// One spelling of a host: a URL takes many, and mends what is none.
const RELAY =
  /^(https?):\/\/((?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?)\/?\??(?:#[!-~]*)?$/i;
const LOOPBACK = /^(127(\.(0|[1-9]\d*)){3}|(.*\.)?localhost|\[::1\])$/;

/** The Ed25519 key pair that proves the link to the relay. */
export class Access {
  #closed;

  /** @param {Bytes} key @param {CryptoKey | null} closed the private key */
  constructor(key, closed) {
    this.key = key;
    this.#closed = closed;
  }

  /**
   * The signature of PROTOCOL 4.1; raise StateError once the keys are forgotten.
   * @param {string} host as in the Host header @param {Bytes} roomId @param {Bytes} nonce
   */
  async signHello(host, roomId, nonce) {
    if (this.#closed === null) throw new StateError('the keys were forgotten');
    const hello = concat(HELLO_LABEL, utf8(host.toLowerCase()), roomId, nonce);
    return new Uint8Array(await crypto.subtle.sign('Ed25519', this.#closed, hello));
  }
}

/** What stands in the place of keys that were wiped (R18). @type {Keys} */
export const FORGOTTEN = Object.freeze({
  roomId: zeros(0),
  access: new Access(zeros(0), null),
  psk: zeros(0),
  seal: null,
});

/** A relay's address and a room's secret; whoever holds it can enter the room. */
export class Link {
  /** @param {string} scheme @param {string} host @param {Bytes} secret */
  constructor(scheme, host, secret) {
    this.scheme = scheme;
    this.host = host;
    this.secret = secret;
  }

  get relay() {
    return `${this.scheme}://${this.host}`;
  }

  get websocket() {
    return `${this.relay.replace('http', 'ws')}/v1/connect`;
  }

  /** Secret included: what people share. */
  toUrl() {
    return `${this.relay}/#${encodeB64url(this.secret)}`;
  }

  keys() {
    return deriveKeys(this.secret);
  }
}

/** @param {Bytes} secret @returns {Promise<Keys>} */
export async function deriveKeys(secret) {
  exactly('secret', secret, SECRET_BYTES);
  const { subtle } = crypto;
  const prk = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits', 'deriveKey']);
  const bits = (/** @type {string} */ label) =>
    subtle.deriveBits({ ...HKDF, info: utf8(label) }, prk, 256);
  const aes = { name: 'AES-GCM', length: 256 };
  const [seed, psk, seal] = await Promise.all([
    bits('access'),
    bits('psk'),
    subtle.deriveKey({ ...HKDF, info: utf8('seal') }, prk, aes, false, ['encrypt', 'decrypt']),
  ]);
  const access = await toAccess(new Uint8Array(seed));
  const room = await subtle.digest('SHA-256', concat(ROOM_LABEL, access.key));
  return { roomId: new Uint8Array(room, 0, ROOM_ID_BYTES), access, psk: new Uint8Array(psk), seal };
}

/** @param {Bytes} seed overwritten */
async function toAccess(seed) {
  const { subtle } = crypto;
  const pkcs8 = concat(PKCS8, seed);
  const imported = (/** @type {boolean} */ extractable) =>
    subtle.importKey('pkcs8', pkcs8, 'Ed25519', extractable, ['sign']);
  // WebCrypto tells a public key only by exporting the private one; what is kept is not that one.
  const [open, closed] = await Promise.all([imported(true), imported(false)]);
  pkcs8.fill(0);
  seed.fill(0);
  const { x } = await subtle.exportKey('jwk', open);
  return new Access(decodeB64url(/** @type {string} */ (x), 32), closed);
}

/** Make a link with a fresh secret; raise LinkError. @param {string} relay @param {RelayOptions} [options] */
export function createLink(relay, options) {
  const { scheme, host } = parseRelay(relay, options);
  return new Link(scheme, host, crypto.getRandomValues(zeros(SECRET_BYTES)));
}

/** Read a link as people paste it; raise LinkError, which never quotes it. @param {string} text @param {RelayOptions} [options] */
export function parseLink(text, options) {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LINK_CHARS) throw new LinkError('this is too long to be a link');
  const [relay, ...secret] = trimmed.split('#');
  if (!secret.length) throw new LinkError('the link has no secret: the part from # on is missing');
  const { scheme, host } = parseRelay(relay, options);
  try {
    return new Link(scheme, host, decodeB64url(secret.join('#'), SECRET_BYTES));
  } catch {
    throw new LinkError("the link's secret is damaged: was it copied whole?");
  }
}

/** @param {string} url @param {RelayOptions} [options] */
function parseRelay(url, { insecureRelay = false } = {}) {
  const [, scheme = '', given = ''] = RELAY.exec(url)?.map((part) => part.toLowerCase()) ?? [];
  let read;
  try {
    read = new URL(`${scheme}://${given}`);
  } catch {
    throw new LinkError('a relay is https:// (or http:// on this machine), host and port alone');
  }
  // 127.1 and its like are no addresses to Python; of IPv6 there are too many spellings to tell.
  const name = given.startsWith('[') ? read.hostname : given.replace(/:\d+$/, '');
  if (scheme === 'http' && !insecureRelay && !LOOPBACK.test(name)) {
    throw new LinkError('plain http beyond this machine is refused');
  }
  // As the browser will send it, for that is what is signed.
  return { scheme, host: read.host };
}
