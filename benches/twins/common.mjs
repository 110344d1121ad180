// What the twins share: answers with the same headers as ours, encodings, documents.
const URL64 = { alphabet: 'base64url' };
const B32 = 'abcdefghijklmnopqrstuvwxyz234567';
const utf8 = new TextEncoder();
const text = new TextDecoder();

export const b64u = (bytes) => new Uint8Array(bytes).toBase64({ ...URL64, omitPadding: true });
export const fromB64u = (encoded) => Uint8Array.fromBase64(encoded, URL64);
export const bytesOf = (string) => utf8.encode(string);
export const readPart = (encoded) => JSON.parse(text.decode(fromB64u(encoded)));
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

export function b32(bytes) {
  let out = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) out += B32[(held >> (bits - 5)) & 31];
    held &= 0xff;
  }
  return bits ? out + B32[(held << (5 - bits)) & 31] : out;
}

export function fromB32(encoded) {
  const out = [];
  let held = 0;
  let bits = 0;
  for (const letter of encoded) {
    held = ((held << 5) | B32.indexOf(letter)) & 0xfff;
    if ((bits += 5) >= 8) out.push((held >> (bits -= 8)) & 0xff);
  }
  return Uint8Array.from(out);
}

/** What every answer of the API lets other pages do. */
export const OPEN = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'accept-ranges, content-length, content-range, crawler-price, etag, link, payment-receipt, payment-required, payment-response, retry-after, www-authenticate, x-payment-response',
  'cross-origin-resource-policy': 'cross-origin',
};
const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

export const json = (value, more) =>
  new Response(JSON.stringify(value), { headers: { ...JSON_HEADERS, ...more } });

/** A refusal, thrown where it is found and answered by `answering`. */
export class Refusal extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
  }
}

export function problem(status, code, more) {
  const body = { type: `urn:satchel:problem:${code}`, title: code, status, code };
  const headers = { ...JSON_HEADERS, 'content-type': 'application/problem+json', ...more };
  return new Response(JSON.stringify(body), { status, headers });
}

export async function answering(body, more) {
  try {
    return await body();
  } catch (error) {
    if (error instanceof Refusal) return problem(error.status, error.message, more);
    throw error;
  }
}

/** Asks another worker or object, JSON both ways; its refusals go through. */
export async function ask(remote, path, body) {
  const init = body && { method: 'POST', headers: JSON_HEADERS, body: JSON.stringify(body) };
  const answer = await remote.fetch(`https://internal${path}`, init);
  const value = await answer.json();
  if (!answer.ok) throw new Refusal(answer.status, value.code);
  return value;
}
