// Names of docs/API.md §1. Clients make them before sending, so a retry carries the same one.
import { b32Decode, b32Encode, concat, randomBytes, sha256, utf8 } from './bytes.js';
import { check } from './errors.js';
import { thumbprintBytes } from './keys.js';

/**
 * @param {import('./keys.js').Jwk} creator @param {Uint8Array} nonce 16 bytes
 * @returns {Promise<string>} `wrk_…`: only this key can register it
 */
export async function workId(creator, nonce) {
  check(nonce.length === 16, 'a work nonce has 16 bytes');
  return `wrk_${b32Encode(await sha256(concat(await thumbprintBytes(creator), nonce)))}`;
}

/**
 * @param {string} work @param {Uint8Array} [random] 12 bytes
 * @returns {Promise<string>} `ord_…`; its first 8 bytes say which work, so that any worker can route it
 */
export async function orderId(work, random = randomBytes(12)) {
  check(isWorkId(work) && random.length === 12, 'order id: needs a work id and 12 bytes');
  return `ord_${b32Encode(concat((await sha256(utf8(work))).subarray(0, 8), random))}`;
}

/** @param {Uint8Array} [random] 20 bytes @returns {string} `fnd_…` */
export const fundingId = (random = randomBytes(20)) => `fnd_${b32Encode(random)}`;

function isId(text, prefix, bytes) {
  if (typeof text !== 'string' || !text.startsWith(prefix)) return false;
  try {
    b32Decode(text.slice(prefix.length), bytes);
    return true;
  } catch {
    return false;
  }
}

/** @param {unknown} text @returns {boolean} */
export const isWorkId = (text) => isId(text, 'wrk_', 32);

/** @param {unknown} text @returns {boolean} */
export const isOrderId = (text) => isId(text, 'ord_', 20);
