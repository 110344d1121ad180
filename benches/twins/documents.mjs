// The documents an account reads and makes: orders, quotes, handles.
import { Refusal, b64u, bytesOf, fromB32, fromB64u, readPart, sha256 } from './common.mjs';

const MAX_LIFE_S = 3600;
const HKDF = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array() };
const HMAC = { name: 'HMAC', hash: 'SHA-256' };
let keys;

const derive = async (secret, label) => {
  const info = { ...HKDF, info: bytesOf(`satchel/v1 handle ${label}`) };
  const raw = await crypto.subtle.deriveBits(info, secret, 256);
  return crypto.subtle.importKey('raw', raw, HMAC, false, ['sign']);
};

async function readKeys(env) {
  const secret = await crypto.subtle.importKey('raw', fromB64u(env.HANDLE_KEY), 'HKDF', false, ['deriveBits']);
  return {
    nonce: await derive(secret, 'nonce'),
    body: await derive(secret, 'body'),
    quote: await crypto.subtle.importKey('raw', fromB64u(env.QUOTE_KEY), HMAC, false, ['verify']),
  };
}

export const workTag = async (work) => (await sha256(bytesOf(work))).subarray(0, 8);

/** The name of a purchase that only the ledger can read. */
export async function sealHandle(env, account, order) {
  keys ??= await readKeys(env);
  const plain = new Uint8Array([...fromB64u(account), ...order]);
  const tag = new Uint8Array(await crypto.subtle.sign('HMAC', keys.nonce, plain)).slice(0, 16);
  const mask = [];
  for (let block = 0; mask.length < plain.length; block += 1) {
    mask.push(...new Uint8Array(await crypto.subtle.sign('HMAC', keys.body, new Uint8Array([...tag, block]))));
  }
  return `pur_${b64u([...tag, ...plain.map((byte, i) => byte ^ mask[i])])}`;
}

async function readQuote(token, env) {
  const [body, tag] = token.split('.');
  keys ??= await readKeys(env);
  const message = new Uint8Array([...bytesOf('satchel/v1 quote\0'), ...fromB64u(body)]);
  if (!(await crypto.subtle.verify('HMAC', keys.quote, fromB64u(tag), message))) throw new Refusal(400, 'quote_invalid');
  return readPart(body);
}

/** A verified order with its quote. `keyOf` gives the public key behind a thumbprint. */
export async function readOrder(jws, env, now, keyOf) {
  const [head, payload, signature] = jws.split('.');
  const { alg, typ, kid } = readPart(head);
  if (alg !== 'EdDSA' || typ !== 'satchel-order+jws') throw new Refusal(401, 'bad_signature');
  const key = await crypto.subtle.importKey('raw', keyOf(kid), 'Ed25519', false, ['verify']);
  const signed = bytesOf(`${head}.${payload}`);
  const good = await crypto.subtle.verify('Ed25519', key, fromB64u(signature), signed);
  const order = readPart(payload);
  if (!good || order.aud !== env.ISSUER) throw new Refusal(401, 'bad_signature');
  if (order.exp - order.iat > MAX_LIFE_S || order.iat > now + 300) throw new Refusal(400, 'malformed');
  const quote = await readQuote(order.quote, env);
  const { account, work, version, terms_digest, usd_micros, msat, ledger } = order;
  const terms = { work, version, terms_digest, usd_micros, msat, ledger };
  if (Object.keys(terms).some((name) => quote[name] !== terms[name])) throw new Refusal(400, 'quote_invalid');
  const agreement = { order: order.order, account, ...terms, cnf: order.cnf.jkt };
  const expires = Math.min(quote.exp, order.exp);
  return { agreement, quote, expires, key: new Uint8Array([1, ...fromB32(order.order.slice(4))]) };
}
