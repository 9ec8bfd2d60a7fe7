// Makes the keys that a process draws the same in every run: for bench/member.py alone, by
// NODE_OPTIONS. (Everything else that is drawn can be seeded; keys come from WebCrypto.)

import { createHash } from 'node:crypto';

// RFC 8410: an unencrypted private key of 32 bytes in PKCS #8, up to those bytes.
const HEADS = {
  Ed25519: '302e020100300506032b657004220420',
  X25519: '302e020100300506032b656e04220420',
};
const { subtle } = globalThis.crypto;
const { prototype } = subtle.constructor;
let count = 0;

prototype.generateKey = async (name, extractable, usages) => {
  const seed = createHash('sha256').update(`${name} ${count++}`).digest();
  const encoded = Buffer.concat([Buffer.from(HEADS[name], 'hex'), seed]);
  const open = await subtle.importKey('pkcs8', encoded, name, true, usages.slice(0, 1));
  const { x } = await subtle.exportKey('jwk', open);
  const raw = Buffer.from(x, 'base64url');
  return {
    privateKey: await subtle.importKey('pkcs8', encoded, name, extractable, usages.slice(0, 1)),
    publicKey: await subtle.importKey('raw', raw, name, true, usages.slice(1)),
  };
};
