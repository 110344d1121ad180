// Documents that no honest client makes: any header, any payload, any signature.
import { createHash, createHmac, sign as nodeSign, createPrivateKey } from 'node:crypto';

const b64u = (bytes) => Buffer.from(bytes).toString('base64url');
const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** A compact JWS of any header and payload (objects, or JSON as written); `signer` gives its last part. */
export async function forge(header, payload, signer = () => new Uint8Array(64)) {
  const input = `${b64u(text(header))}.${b64u(text(payload))}`;
  return `${input}.${b64u(await signer(Buffer.from(input)))}`;
}

/** Signs with one of the sdk's keys. */
export const by = (key) => async (input) => new Uint8Array(await crypto.subtle.sign('Ed25519', key.privateKey, input));

/** Signs with an Ed25519 seed, e.g. one of the stack's own. */
export function bySeed(seed) {
  const front = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = createPrivateKey({ key: Buffer.concat([front, seed]), format: 'der', type: 'pkcs8' });
  return (input) => nodeSign(null, input, key);
}

/** HMAC-SHA-256 as HS256 does it. */
export const byHmac = (secret) => (input) => createHmac('sha256', secret).update(input).digest();

/** Header and payload of a JWS, unverified. */
export function takeApart(jws) {
  const [header, payload, signature] = jws.split('.');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: read(header), payload: read(payload), parts: [header, payload, signature] };
}

export const tokenHash = (token) => createHash('sha256').update(token).digest('base64url');

/** A `DPoP` proof; `header` and `payload` replace or (with undefined) remove members. */
export function proof(key, { issuer, method = 'POST', path, token }, { header, payload, signer = by(key) } = {}) {
  const claims = { jti: b64u(crypto.getRandomValues(new Uint8Array(12))), htm: method, htu: issuer + path };
  claims.iat = Math.floor(Date.now() / 1000);
  if (token !== undefined) claims.ath = tokenHash(token);
  const head = { alg: 'EdDSA', typ: 'dpop+jwt', jwk: key.jwk, ...header };
  return forge(head, typeof payload === 'string' ? payload : { ...claims, ...payload }, signer);
}

/** A token of the kind that quotes and capabilities are: `b64u(JSON).b64u(HMAC(key, purpose ‖ JSON))`. */
export function macToken(key, purpose, body) {
  const json = Buffer.from(text(body));
  const tag = createHmac('sha256', Buffer.from(key, 'base64url')).update(`satchel/v1 ${purpose}\0`).update(json).digest();
  return `${b64u(json)}.${b64u(tag)}`;
}

/** What such a token says. */
export const readToken = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString());

/** The first versioned secret of a list `1:SECRET,2:…`: its version and bytes. */
export function firstOf(secrets) {
  const [version, secret] = secrets.split(',')[0].split(':');
  return { version, bytes: Buffer.from(secret, 'base64url') };
}
