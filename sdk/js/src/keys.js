// Ed25519 by WebCrypto. A key is a plain object so that IndexedDB can store it as it is:
// `{privateKey: CryptoKey, jwk: {kty,crv,x}, jkt: string}`.
import { b64uDecode, b64uEncode, concat, sha256, utf8 } from './bytes.js';
import { SatchelError, check } from './errors.js';
import { checkMembers } from './json.js';

/** @typedef {{kty: 'OKP', crv: 'Ed25519', x: string}} Jwk `x` is 32 bytes in base64url */
/** @typedef {{privateKey: CryptoKey, jwk: Jwk, jkt: string}} Key `jkt`: RFC 7638 thumbprint, 43 characters */

// RFC 8410: PrivateKeyInfo of an Ed25519 key up to its 32-byte seed.
const PKCS8 = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20);

const publicJwk = (jwk) => ({ kty: 'OKP', crv: 'Ed25519', x: jwk.x });

/** Why a browser can't take part, in words for its user. */
function unsupported(cause) {
  return new SatchelError('browser_too_old', 'This browser cannot make the keys Satchel needs', {
    detail: 'It has no Ed25519 signatures, or this page was not loaded over https.',
    next: 'Update the browser, or use a current Chrome, Edge, Firefox or Safari.',
    cause,
  });
}

/**
 * @param {{extractable?: boolean}} [options] keys that stay in the browser are not extractable
 * @returns {Promise<Key>}
 * @throws {SatchelError} `browser_too_old`
 */
export async function generateKey({ extractable = false } = {}) {
  try {
    const pair = await crypto.subtle.generateKey('Ed25519', extractable, ['sign', 'verify']);
    const jwk = publicJwk(await crypto.subtle.exportKey('jwk', pair.publicKey));
    return { privateKey: pair.privateKey, jwk, jkt: await thumbprint(jwk) };
  } catch (cause) {
    throw unsupported(cause);
  }
}

/**
 * @param {Uint8Array} seed 32 bytes (RFC 8032's private key)
 * @param {{extractable?: boolean}} [options]
 * @returns {Promise<Key>}
 */
export async function keyFromSeed(seed, { extractable = false } = {}) {
  check(seed.length === 32, 'an Ed25519 seed has 32 bytes');
  const pkcs8 = concat(PKCS8, seed);
  try {
    // WebCrypto gives a private key's public half by exporting only; the exportable copy dies here.
    const exportable = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
    const jwk = publicJwk(await crypto.subtle.exportKey('jwk', exportable));
    const privateKey = extractable ? exportable : await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']);
    return { privateKey, jwk, jkt: await thumbprint(jwk) };
  } catch (cause) {
    throw unsupported(cause);
  } finally {
    pkcs8.fill(0);
  }
}

// Points of small order, by their y in hexadecimal without the sign bit: 0, 1, p−1 and two of order 8.
// Under such a key a signature that anybody can make is valid for every message.
const SMALL_ORDER = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

// Whether y is written as a number below p = 2^255 − 19: a second spelling would give a key a second thumbprint.
const isCanonical = (y) => y[31] !== 0x7f || y[0] < 0xed || y.subarray(1, 31).some((byte) => byte !== 0xff);

function isUsable(x) {
  const y = x.slice();
  y[31] &= 0x7f;
  return isCanonical(y) && !SMALL_ORDER.has(Array.from(y, (byte) => byte.toString(16).padStart(2, '0')).join(''));
}

/** @param {unknown} jwk @returns {Jwk} @throws {SatchelError} `malformed` unless exactly `{kty,crv,x}` with a key that only one can sign under */
export function checkJwk(jwk) {
  checkMembers(jwk, ['kty', 'crv', 'x'], [], 'key');
  check(jwk.kty === 'OKP' && jwk.crv === 'Ed25519', 'key: not Ed25519');
  check(isUsable(b64uDecode(jwk.x, 32)), 'key: of small order, or not the only spelling of its point');
  return jwk;
}

/** @param {Jwk} jwk @returns {Promise<Uint8Array>} the RFC 7638 SHA-256 thumbprint, 32 bytes */
export async function thumbprintBytes(jwk) {
  checkJwk(jwk);
  return sha256(utf8(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`));
}

/** @param {Jwk} jwk @returns {Promise<string>} base64url, 43 characters */
export const thumbprint = async (jwk) => b64uEncode(await thumbprintBytes(jwk));

/** @param {Key} key @param {Uint8Array} bytes @returns {Promise<Uint8Array>} 64 bytes */
export const sign = async (key, bytes) => new Uint8Array(await crypto.subtle.sign('Ed25519', key.privateKey, bytes));

/** @param {Jwk} jwk @param {Uint8Array} signature @param {Uint8Array} bytes @returns {Promise<boolean>} */
export async function verify(jwk, signature, bytes) {
  checkJwk(jwk);
  // R, too, has one spelling and is not of small order: WebCrypto alone would take what other verifiers refuse.
  if (signature.length !== 64 || !isUsable(signature.subarray(0, 32))) return false;
  const key = await crypto.subtle.importKey('raw', b64uDecode(jwk.x, 32), 'Ed25519', false, ['verify']);
  return crypto.subtle.verify('Ed25519', key, signature, bytes);
}
