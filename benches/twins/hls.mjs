// Twin of workers/hls, written by hand for the platform: the same path capability by WebCrypto, the same memory of window keys for
// 20 s, the same origin. `/bare/` decrypts without a gate, hash or key derivation: the least that opening a segment can cost.
import { OPEN, answering, fromB64u, problem, Refusal, bytesOf } from './common.mjs';

const CHUNK = 16_384;
const SEALED = CHUNK + 16;
const BATCH = 8;
const PURPOSE = bytesOf('satchel/v1 hls capability\0');
const keys = new Map();
let hmac;
/** What the bench has packed: where segments lie follows from their number. */
let plan;

async function verify(token, env) {
  const [json, tag] = token.split('.');
  hmac ??= await crypto.subtle.importKey('raw', fromB64u(env.HLS_KEY), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  let says;
  try {
    const bytes = fromB64u(json);
    const message = new Uint8Array(PURPOSE.length + bytes.length);
    message.set(PURPOSE);
    message.set(bytes, PURPOSE.length);
    if (!(await crypto.subtle.verify('HMAC', hmac, fromB64u(tag), message))) throw new Refusal(401, 'capability_invalid');
    says = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Refusal(401, 'capability_invalid');
  }
  if (says.aud !== env.ISSUER) throw new Refusal(403, 'capability_elsewhere');
  if (Date.now() / 1000 >= says.exp) throw new Refusal(401, 'capability_expired');
  return says;
}

/** The window's key, asked for where it is not remembered. */
async function window(says, number, env) {
  const name = `${says.session}/${number}`;
  const known = keys.get(name);
  if (known && Date.now() - known.at < 20_000) return known.key;
  const body = JSON.stringify({ session: says.session, handle: says.handle, window: number });
  const answer = await env.STREAM.fetch('https://stream/internal/windows', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const told = await answer.json();
  if (!answer.ok) throw new Refusal(answer.status, told.code);
  keys.set(name, { key: told.key, at: Date.now() });
  return told.key;
}

const OWN = { ...OPEN, 'cache-control': 'private, max-age=20', 'x-content-type-options': 'nosniff' };

async function bytes(says, { from, to }, env) {
  const answer = await env.FILES.fetch(`https://files/f/${says.work}/${says.version}.satchel`, { headers: { range: `bytes=${from}-${to - 1}` } });
  if (answer.status !== 206) throw new Refusal(503, 'unavailable');
  return answer;
}

// Segments of one length, as the bench packs them: where each lies follows from its number.
const placeOf = (n, { first, sealed }) => ({ from: first + n * sealed, to: first + (n + 1) * sealed });

async function decrypt(body, out, { plain, sealed }) {
  const reader = body.getReader({ mode: 'byob' });
  await reader.readAtLeast(56, new Uint8Array(56));
  const aes = await crypto.subtle.importKey('raw', new Uint8Array(32), 'AES-GCM', false, ['encrypt', 'decrypt']);
  const iv = new Uint8Array(12);
  const total = sealed - 56;
  for (let at = 0; at < total; ) {
    const wanted = Math.min(BATCH * SEALED, total - at);
    const { value } = await reader.readAtLeast(wanted, new Uint8Array(wanted));
    const opening = [];
    // The same work as opening (AES-GCM over the same bytes), without having their key.
    for (let from = 0; from < wanted; from += SEALED) opening.push(crypto.subtle.encrypt({ name: 'AES-GCM', iv }, aes, value.subarray(from, Math.min(from + SEALED, wanted) - 16)));
    for (const piece of await Promise.all(opening)) if (piece.byteLength > 16) await out.write(new Uint8Array(piece, 0, piece.byteLength - 16));
    at += wanted;
  }
  await out.close();
}

export default {
  fetch: (request, env) => answering(async () => {
    const { pathname } = new URL(request.url);
    if (request.method === 'PUT') return new Response(String(Object.keys((plan = await request.json()))));
    const [, kind, token, name] = pathname.split('/');
    const n = Number(/^(\d+)\.(?:bin|m4s)$/.exec(name)?.[1] ?? NaN);
    if (!(n >= 0)) return problem(404, 'not_found', OPEN);
    const says = kind === 'bare' ? { work: token, version: 1 } : await verify(token, env);
    const length = plan[says.work];
    if (kind === 'bare') {
      const answer = await bytes(says, placeOf(n, length), env);
      const { readable, writable } = new FixedLengthStream(length.plain);
      void decrypt(answer.body, writable.getWriter(), length);
      return new Response(readable, { headers: { ...OWN, 'content-type': 'video/mp4' } });
    }
    await window(says, Math.floor(n / length.perWindow), env);
    const answer = await bytes(says, placeOf(n, length), env);
    return new Response(answer.body, { headers: { ...OWN, 'content-type': 'application/octet-stream', 'content-length': answer.headers.get('content-length') } });
  }, OPEN),
};
