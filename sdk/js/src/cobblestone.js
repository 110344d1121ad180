// Cobblestone-256: c2sp.org/chunked-encryption with AES-256-GCM and HKDF-Expand-SHA-512, on WebCrypto.
// message = salt (24) ‖ commitment (32) ‖ chunks of 16 KiB + 16-byte tag; the last one is always shorter.
import { concat, equal, randomBytes, utf8 } from './bytes.js';
import { SatchelError, check } from './errors.js';

/** Plaintext bytes of a full chunk. */
export const CHUNK = 16384;
/** Bytes before the first chunk: salt and commitment. */
export const PREFIX = 56;
const TAG = 16;
const LABEL = utf8('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0');
// WebCrypto calls under way at once. More costs memory for promises and gains nothing.
const PARALLEL = 64;

/** @param {number} length of the plaintext @returns {number} bytes of the message */
export const sealedLength = (length) => PREFIX + length + TAG * (Math.floor(length / CHUNK) + 1);

/**
 * @param {number} length of a message
 * @returns {number} bytes of its plaintext
 * @throws {SatchelError} `truncated` if no message has this length
 */
export function openedLength(length) {
  const chunks = Math.ceil((length - PREFIX) / (CHUNK + TAG));
  const last = length - PREFIX - (chunks - 1) * (CHUNK + TAG);
  // A message that ends with a full chunk has lost its end: the format always has a shorter one last.
  if (chunks < 1 || last < TAG || last === CHUNK + TAG) throw truncated();
  return length - PREFIX - TAG * chunks;
}

/** HKDF-Expand-SHA-512 (RFC 5869 §2.3), two blocks: enough for key, base nonce and commitment. */
async function derive(key, salt, context) {
  check(key.length === 32, 'a Cobblestone-256 key has 32 bytes');
  check(salt.length === 24, 'a Cobblestone-256 salt has 24 bytes');
  const info = concat(LABEL, salt, context);
  const prk = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-512' }, false, ['sign']);
  const hmac = async (...parts) => new Uint8Array(await crypto.subtle.sign('HMAC', prk, concat(...parts)));
  const first = await hmac(info, Uint8Array.of(1));
  const okm = concat(first, await hmac(first, info, Uint8Array.of(2)));
  const aes = await crypto.subtle.importKey('raw', okm.subarray(0, 32), 'AES-GCM', false, ['encrypt', 'decrypt']);
  return { aes, nonce: okm.slice(32, 44), commitment: okm.slice(44, 76) };
}

function chunkNonce(base, index) {
  const nonce = base.slice();
  let rest = index;
  for (let i = 11; i >= 7; i -= 1) {
    nonce[i] ^= rest % 256;
    rest = Math.floor(rest / 256);
  }
  return nonce;
}

/** Runs `one(i)` for i in [from, to), at most PARALLEL at once. */
async function each(from, to, one) {
  for (let at = from; at < to; at += PARALLEL) {
    const group = [];
    for (let i = at; i < Math.min(at + PARALLEL, to); i += 1) group.push(one(i));
    await Promise.all(group);
  }
}

/**
 * Seals into `out` from `at` on, so that a caller can leave room in front (e.g. for a hash prefix).
 * @param {Uint8Array} out with at least `sealedLength(plaintext.length)` bytes from `at`
 * @param {number} at
 * @param {Uint8Array} key 32 bytes @param {Uint8Array} context @param {Uint8Array} plaintext
 * @param {Uint8Array} [salt] 24 bytes; only tests pass one: it must never repeat under a key
 */
export async function sealInto(out, at, key, context, plaintext, salt = randomBytes(24)) {
  const { aes, nonce, commitment } = await derive(key, salt, context);
  out.set(salt, at);
  out.set(commitment, at + 24);
  const chunks = Math.floor(plaintext.length / CHUNK) + 1;
  await each(0, chunks, async (i) => {
    const plain = plaintext.subarray(i * CHUNK, Math.min((i + 1) * CHUNK, plaintext.length));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: chunkNonce(nonce, i) }, aes, plain);
    out.set(new Uint8Array(sealed), at + PREFIX + i * (CHUNK + TAG));
  });
}

/**
 * @param {Uint8Array} key 32 bytes @param {Uint8Array} context @param {Uint8Array} plaintext
 * @param {Uint8Array} [salt] 24 bytes, random
 * @returns {Promise<Uint8Array>} the message
 */
export async function seal(key, context, plaintext, salt) {
  const out = new Uint8Array(sealedLength(plaintext.length));
  await sealInto(out, 0, key, context, plaintext, salt);
  return out;
}

/**
 * Opens chunks of a message without having all of it. The commitment is checked first.
 * @param {Uint8Array} key @param {Uint8Array} context
 * @param {Uint8Array} prefix the message's first 56 bytes
 * @param {number} length of the whole message
 * @param {number} first chunk of `sealed`
 * @param {Uint8Array} sealed whole chunks, from byte `56 + first × 16400` of the message
 * @returns {Promise<Uint8Array>} plaintext of these chunks
 * @throws {SatchelError} `wrong_key`, `tampered`, `truncated`
 */
export async function openChunks(key, context, prefix, length, first, sealed) {
  const total = openedLength(length);
  if (prefix.length !== PREFIX) throw truncated();
  const lastChunk = Math.floor(total / CHUNK);
  const count = Math.ceil(sealed.length / (CHUNK + TAG));
  const last = first + count - 1;
  check(Number.isInteger(first) && first >= 0 && count > 0 && last <= lastChunk, 'chunk range outside the message');
  const end = last === lastChunk ? total : (last + 1) * CHUNK;
  const size = end - first * CHUNK;
  if (sealed.length !== size + TAG * count) throw truncated();
  const { aes, nonce, commitment } = await derive(key, prefix.subarray(0, 24), context);
  if (!equal(commitment, prefix.subarray(24, PREFIX))) {
    throw new SatchelError('wrong_key', 'This key does not open this file', { next: 'Ask the issuer for the key again.' });
  }
  const out = new Uint8Array(size);
  await each(0, count, async (i) => {
    const chunk = sealed.subarray(i * (CHUNK + TAG), Math.min((i + 1) * (CHUNK + TAG), sealed.length));
    let plain;
    try {
      plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: chunkNonce(nonce, first + i) }, aes, chunk);
    } catch (cause) {
      throw new SatchelError('tampered', 'Part of this file was changed or damaged', { next: 'Download the file again.', cause });
    }
    out.set(new Uint8Array(plain), i * CHUNK);
  });
  return out;
}

/**
 * @param {Uint8Array} key @param {Uint8Array} context @param {Uint8Array} message
 * @returns {Promise<Uint8Array>} plaintext
 * @throws {SatchelError} `wrong_key`, `tampered`, `truncated`
 */
export async function open(key, context, message) {
  openedLength(message.length);
  return openChunks(key, context, message.subarray(0, PREFIX), message.length, 0, message.subarray(PREFIX));
}

function truncated() {
  return new SatchelError('truncated', 'Part of this file is missing', { next: 'Download the file again.' });
}
