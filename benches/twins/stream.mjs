// Twin of workers/stream's windows: the same capability and proof by WebCrypto, one object with the same state in one row, the window
// root unwrapped, the key derived. Sessions begin when their first window is asked for.
import { OPEN, Refusal, answering, b64u, bytesOf, fromB64u, json, readPart, sha256 } from './common.mjs';

const PATH = /^\/v1\/sessions\/(ses_[a-z2-7]{32})\/windows\/(\d+)$/;
const PURPOSE = bytesOf('satchel/v1 capability\0');
const hmac = {};
const concat = (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
const key = async (env) => (hmac.key ??= await crypto.subtle.importKey('raw', fromB64u(env.CAPABILITY_KEY), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']));

async function capability(token, session, env) {
  const [said, tag] = token.split('.');
  const bytes = fromB64u(said);
  if (!(await crypto.subtle.verify('HMAC', await key(env), fromB64u(tag), concat(PURPOSE, bytes)))) throw new Refusal(401, 'capability_invalid');
  const says = JSON.parse(new TextDecoder().decode(bytes));
  if (says.aud !== env.ISSUER || says.session !== session) throw new Refusal(403, 'capability_elsewhere');
  if (Date.now() / 1000 >= says.exp) throw new Refusal(401, 'capability_expired');
  return says;
}

async function proven(dpop, url, token, jkt) {
  const [head, payload, signature] = dpop.split('.');
  const { typ, alg, jwk } = readPart(head);
  const claims = readPart(payload);
  if (typ !== 'dpop+jwt' || alg !== 'EdDSA') throw new Refusal(401, 'proof_invalid');
  const thumb = b64u(await sha256(bytesOf(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`)));
  const verifier = await crypto.subtle.importKey('raw', fromB64u(jwk.x), 'Ed25519', false, ['verify']);
  const sound = await crypto.subtle.verify('Ed25519', verifier, fromB64u(signature), bytesOf(`${head}.${payload}`));
  if (!sound || claims.htm !== 'POST' || claims.htu !== url || claims.ath !== b64u(await sha256(bytesOf(token)))) throw new Refusal(401, 'proof_invalid');
  if (Math.abs(claims.iat - Date.now() / 1000) > 300) throw new Refusal(401, 'proof_invalid');
  if (thumb !== jkt) throw new Refusal(403, 'wrong_key');
  return claims.jti;
}

const hkdf = async (secret, info) => {
  const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }, base, 256));
};

async function windowKey({ wrapped_root: wrapped, work, version }, window, env) {
  const [id, rest] = wrapped.split('.');
  const sealed = fromB64u(rest);
  const ring = await crypto.subtle.importKey('raw', fromB64u(env.STREAM_WRAPPING_KEYS.split(':')[1]), 'AES-GCM', false, ['decrypt']);
  const u32 = (n) => Uint8Array.of(n >> 24, n >> 16, n >> 8, n);
  const additionalData = concat(bytesOf(`satchel/v1 wrap\0root\0${work}`), u32(version));
  const root = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: sealed.subarray(0, 12), additionalData }, ring, sealed.subarray(12));
  return id && hkdf(new Uint8Array(root), concat(bytesOf(`satchel/v1 window\0${work}`), u32(window)));
}

export class Playback {
  constructor(ctx) {
    this.sql = ctx.storage.sql;
    this.sql.exec('CREATE TABLE IF NOT EXISTS playback (id INTEGER PRIMARY KEY, head TEXT NOT NULL, seen BLOB NOT NULL)');
  }

  async fetch(request) {
    const { session, window, jti, fresh, jkt } = await request.json();
    return answering(async () => {
      const now = Date.now();
      const row = this.sql.exec('SELECT head, seen FROM playback WHERE id = 1').toArray()[0];
      const head = row ? JSON.parse(row.head) : { sessions: [], released: [], source: null, first: now };
      if (fresh) head.source = fresh;
      if (!head.source || now - head.source.read_ms > 20_000) return json(null);
      let own = head.sessions.find(({ id }) => id === session);
      if (!own) head.sessions = [...head.sessions, (own = { id: session, key: jkt, used: now })].slice(-3);
      if (own.key !== jkt) throw new Refusal(403, 'wrong_key');
      own.used = now;
      const digest = (await sha256(bytesOf(`${jkt}\0${jti}`))).subarray(0, 8);
      const seen = new Uint8Array(row?.seen ?? []);
      for (let at = 0; at < seen.length; at += 12) {
        if (seen.subarray(at, at + 8).every((byte, i) => byte === digest[i])) throw new Refusal(409, 'proof_replayed');
      }
      if (!head.released.includes(window)) {
        if (head.released.length >= 3 + Math.floor((2 * (now - head.first)) / 10_000)) throw new Refusal(429, 'window_limit');
        head.released.push(window);
      }
      const stamp = new Uint8Array(4);
      new DataView(stamp.buffer).setUint32(0, now / 1000);
      this.sql.exec('INSERT OR REPLACE INTO playback VALUES (1, ?, ?)', JSON.stringify(head), concat(seen, digest, stamp));
      return json({ source: head.source, released: head.released.length });
    });
  }
}

async function entitlement(handle, env) {
  const read_ms = Date.now();
  const answer = await env.LEDGER.fetch(`https://ledger/internal/entitlements/${handle}`);
  const told = await answer.json();
  if (!answer.ok) throw new Refusal(answer.status, told.code);
  return { work: told.work, version: told.version, wrapped_root: told.keys.wrapped_root, windows: told.keys.windows, window_ms: told.keys.window_ms, read_ms };
}

export default {
  fetch: (request, env) => answering(async () => {
    const { pathname } = new URL(request.url);
    const [, session, number] = PATH.exec(pathname) ?? [];
    if (!session) throw new Refusal(404, 'not_found');
    await request.json();
    const token = request.headers.get('authorization').replace(/^DPoP /, '');
    const says = await capability(token, session, env);
    const jti = await proven(request.headers.get('dpop'), env.ISSUER + pathname, token, says.jkt);
    const window = Number(number);
    const object = env.PLAYBACK.get(env.PLAYBACK.idFromName(says.handle));
    const ask = async (fresh) => {
      const body = JSON.stringify({ session, window, jti, fresh, jkt: says.jkt });
      const answer = await object.fetch('https://object/ask', { method: 'POST', body });
      const told = await answer.json();
      if (!answer.ok) throw new Refusal(answer.status, told.code);
      return told;
    };
    const released = (await ask()) ?? (await ask(await entitlement(says.handle, env)));
    const opened = await windowKey(released.source, window, env);
    const expires = Math.floor(Date.now() / 1000) + 20;
    const said = bytesOf(JSON.stringify({ ...says, read_ms: released.source.read_ms, exp: expires }));
    const tag = await crypto.subtle.sign('HMAC', await key(env), concat(PURPOSE, said));
    return json({ window, key: b64u(opened), capability: `${b64u(said)}.${b64u(tag)}`, expires, allowance: { released: released.released } }, OPEN);
  }, OPEN),
};
