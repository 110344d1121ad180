import { b64uEncode, randomBytes, sha256, utf8 } from './bytes.js';
import { signJws } from './jws.js';

/**
 * A DPoP proof (RFC 9449, docs/API.md §2) for one request.
 * @param {import('./keys.js').Key} key
 * @param {{issuer: string, method: string, path: string, token?: string, now?: number, jti?: string}} request
 *   `path` begins with `/` and has no query; `now` is Unix seconds
 * @returns {Promise<string>} value of the `DPoP` header
 */
export async function makeProof(key, { issuer, method, path, token, now = Math.floor(Date.now() / 1000), jti = b64uEncode(randomBytes(16)) }) {
  const payload = { jti, htm: method, htu: issuer + path.split('?')[0], iat: now };
  if (token !== undefined) payload.ath = b64uEncode(await sha256(utf8(token)));
  return signJws(key, { typ: 'dpop+jwt', jwk: key.jwk }, payload);
}
