// Compact JWS (RFC 7515) as docs/API.md §2 narrows it: EdDSA only, exact protected headers.
import { b64uDecode, b64uEncode, fromUtf8, utf8 } from './bytes.js';
import { SatchelError, check } from './errors.js';
import { checkMembers, parseJson } from './json.js';
import { sign, verify } from './keys.js';

/**
 * @param {import('./keys.js').Key} key
 * @param {{typ: string, kid?: string, jwk?: object}} header members beside `alg`, in the order to write them
 * @param {object} payload
 * @returns {Promise<string>} compact JWS
 */
export async function signJws(key, header, payload) {
  const input = `${b64uEncode(utf8(JSON.stringify({ alg: 'EdDSA', ...header })))}.${b64uEncode(utf8(JSON.stringify(payload)))}`;
  return `${input}.${b64uEncode(await sign(key, utf8(input)))}`;
}

/**
 * Parses without verifying: for reading which key should have signed.
 * @param {string} text
 * @param {string} typ the only `typ` accepted
 * @param {string[]} [members] header members besides `alg` and `typ`, all of them required
 * @returns {{header: object, payload: object, input: Uint8Array, signature: Uint8Array}}
 * @throws {SatchelError} `malformed`; `bad_signature` for another algorithm or type
 */
export function parseJws(text, typ, members = []) {
  check(typeof text === 'string' && text.length <= 131072, 'JWS: not text, or too long');
  const parts = text.split('.');
  check(parts.length === 3, 'JWS: not three parts');
  const header = parseJson(fromUtf8(b64uDecode(parts[0])));
  checkMembers(header, ['alg', 'typ', ...members], [], 'JWS header');
  if (header.alg !== 'EdDSA' || header.typ !== typ) throw badSignature('another algorithm or type');
  const payload = parseJson(fromUtf8(b64uDecode(parts[1])));
  check(payload !== null && typeof payload === 'object' && !Array.isArray(payload), 'JWS: payload is not an object');
  return { header, payload, input: utf8(`${parts[0]}.${parts[1]}`), signature: b64uDecode(parts[2], 64) };
}

/**
 * @param {string} text @param {import('./keys.js').Jwk} jwk the signer
 * @param {string} typ @param {string[]} [members] as in `parseJws`
 * @returns {Promise<object>} the payload
 * @throws {SatchelError} `malformed`, `bad_signature`
 */
export async function verifyJws(text, jwk, typ, members = []) {
  const { payload, input, signature } = parseJws(text, typ, members);
  if (!(await verify(jwk, signature, input))) throw badSignature('not signed by this key');
  return payload;
}

function badSignature(detail) {
  return new SatchelError('bad_signature', 'The signature is not valid', { detail, next: 'Do not trust this document; get it again from its source.' });
}
