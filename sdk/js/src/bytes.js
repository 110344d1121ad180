// Bytes and the two text encodings of docs/FORMAT.md. Decoders accept one spelling per value only:
// two spellings of one id or signature would be two keys in somebody's cache or database.
import { check } from './errors.js';

const B64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const B32 = 'abcdefghijklmnopqrstuvwxyz234567';
const B64_VALUE = table(B64);
const B32_VALUE = table(B32);
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function table(alphabet) {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i += 1) values[alphabet.charCodeAt(i)] = i;
  return values;
}

function encode(bytes, alphabet, width) {
  let out = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= width) {
      bits -= width;
      out += alphabet[(held >> bits) & ((1 << width) - 1)];
    }
    held &= 0xff;
  }
  if (bits > 0) out += alphabet[(held << (width - bits)) & ((1 << width) - 1)];
  return out;
}

function decode(text, values, width, name, length) {
  check(typeof text === 'string', `${name}: not text`);
  const out = new Uint8Array(Math.floor((text.length * width) / 8));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? values[code] : -1;
    check(value >= 0, `${name}: character ${i} is not of its alphabet`);
    held = ((held << width) | value) & 0xffff;
    bits += width;
    if (bits >= 8) {
      bits -= 8;
      out[at] = (held >> bits) & 0xff;
      at += 1;
    }
  }
  // A whole unused character, or bits set in the part that is thrown away, would be a second spelling.
  check(bits < width && (held & ((1 << bits) - 1)) === 0, `${name}: not canonical`);
  check(length === undefined || out.length === length, `${name}: ${out.length} bytes, not ${length}`);
  return out;
}

/** @param {Uint8Array} bytes @returns {string} base64url without padding (RFC 4648 §5) */
export const b64uEncode = (bytes) => encode(bytes, B64, 6);

/**
 * @param {string} text base64url without padding
 * @param {number} [length] the number of bytes it must give
 * @returns {Uint8Array}
 * @throws {SatchelError} `malformed` on padding, stray bits, another alphabet or length
 */
export const b64uDecode = (text, length) => decode(text, B64_VALUE, 6, 'base64url', length);

/** @param {Uint8Array} bytes @returns {string} lower-case base32 without padding (RFC 4648 §6) */
export const b32Encode = (bytes) => encode(bytes, B32, 5);

/** As `b64uDecode`, for lower-case base32. @param {string} text @param {number} [length] @returns {Uint8Array} */
export const b32Decode = (text, length) => decode(text, B32_VALUE, 5, 'base32', length);

/** @param {string} text @returns {Uint8Array} */
export const utf8 = (text) => encoder.encode(text);

/** @param {Uint8Array} bytes @returns {string} @throws {SatchelError} `malformed` if not UTF-8 */
export function fromUtf8(bytes) {
  let text = null;
  try {
    text = decoder.decode(bytes);
  } catch { /* reported below */ }
  check(text !== null, 'text is not UTF-8');
  return text;
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** @param {number} value 0 … 2^32−1 @returns {Uint8Array} four bytes, big-endian */
export function u32be(value) {
  check(Number.isInteger(value) && value >= 0 && value <= 0xffffffff, 'not a 32-bit number');
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/** @param {Uint8Array} bytes @param {number} at @returns {number} the big-endian u32 there */
export function readU32(bytes, at) {
  check(at >= 0 && at + 4 <= bytes.length, 'data ends too early');
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Compares without an early end. @param {Uint8Array} a @param {Uint8Array} b @returns {boolean} */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** @param {number} length @returns {Uint8Array} */
export const randomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} SHA-256 */
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

/**
 * HKDF-SHA-256 with an empty salt and 32 bytes of output: every key derivation of docs/FORMAT.md §3.
 * @param {Uint8Array} key input key material
 * @param {Uint8Array} info
 * @returns {Promise<Uint8Array>}
 */
export async function hkdf(key, info) {
  const material = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }, material, 256);
  return new Uint8Array(bits);
}
