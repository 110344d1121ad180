// What touches a segment's bytes. A segment is one Cobblestone-256 message (docs/FORMAT.md §3): salt (24) ‖ commitment
// (32) ‖ chunks of 16 KiB + 16-byte tag, each decrypted and sent on as it arrives.

const CHUNK = 16_384;
const SEALED = CHUNK + 16;
const PREFIX = 56;
/** Chunks read at once after the first: the first byte goes out early, the rest in few steps. */
const BATCH = 8;
const LABEL = new TextEncoder().encode('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0');

export const line = (request) => `${request.method} ${request.url}`;

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// As of every answer of the API: any page may read it, without credentials.
const OPEN_TO_ALL = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'accept-ranges, content-length, content-range, etag, retry-after',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
};

const headers = (type, length) => ({ ...OPEN_TO_ALL, 'content-type': type, 'content-length': String(length), 'cache-control': 'private, max-age=20' });

/** Where the bytes should be, they are not, or their worker does not answer. */
function unavailable(what) {
  console.warn(JSON.stringify({ level: 'warn', bytes: String(what) }));
  const problem = { type: 'urn:satchel:problem:unavailable', title: 'A part of the service is not answering.', status: 503, code: 'unavailable', next: 'Try again; nothing was lost.' };
  return new Response(JSON.stringify(problem), { status: 503, headers: { ...OPEN_TO_ALL, 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'retry-after': '2' } });
}

/** The part of a packed file, or what came in its place. */
async function read(env, path, range) {
  try {
    const answer = await env.FILES.fetch(`https://files${path}`, { headers: { range } });
    if (answer.status === 206) return { answer };
    await answer.body?.cancel();
    return { failed: unavailable(answer.status) };
  } catch (error) {
    return { failed: unavailable(error) };
  }
}

/** The segment as it is stored: the gate without decryption. */
export async function sealed(env, path, range, head) {
  const { answer, failed } = await read(env, path, range);
  if (failed) return failed;
  const own = headers('application/octet-stream', answer.headers.get('content-length'));
  return new Response(head ? null : answer.body, { headers: own });
}

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** HKDF-Expand-SHA-512 (RFC 5869 §2.3), two blocks: key, base nonce and commitment. */
async function derive(key, salt, context) {
  const info = concat(LABEL, salt, context);
  const prk = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-512' }, false, ['sign']);
  const hmac = async (...parts) => new Uint8Array(await crypto.subtle.sign('HMAC', prk, concat(...parts)));
  const first = await hmac(info, Uint8Array.of(1));
  const okm = concat(first, await hmac(first, info, Uint8Array.of(2)));
  const aes = await crypto.subtle.importKey('raw', okm.subarray(0, 32), 'AES-GCM', false, ['decrypt']);
  return { aes, nonce: okm.subarray(32, 44), commitment: okm.subarray(44, 76) };
}

const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

function nonceOf(base, index) {
  const nonce = base.slice();
  for (let i = 11, rest = index; rest > 0; i -= 1, rest = Math.floor(rest / 256)) nonce[i] ^= rest % 256;
  return nonce;
}

/**
 * Decrypts `body` into `out`. A chunk goes out only after its tag was verified, the last ones only after the hash of the whole
 * was: a player never gets a complete segment that is not the creator's.
 */
async function pump(body, out, secret, length) {
  const [key, leaf, context] = [secret.subarray(0, 32), secret.subarray(32, 64), secret.subarray(64)];
  const reader = body.getReader({ mode: 'byob' });
  const hash = new crypto.DigestStream('SHA-256');
  const hashing = hash.getWriter();
  try {
    const prefix = (await reader.readAtLeast(PREFIX, new Uint8Array(PREFIX))).value;
    hashing.write(concat(Uint8Array.of(0), prefix));
    const { aes, nonce, commitment } = await derive(key, prefix.subarray(0, 24), context);
    if (!same(commitment, prefix.subarray(24))) throw new Error('another key');
    const total = length + 16 * (Math.floor(length / CHUNK) + 1);
    let held = [];
    for (let at = 0, index = 0, batch = 1; at < total; batch = BATCH) {
      const wanted = Math.min(batch * SEALED, total - at);
      const { value } = await reader.readAtLeast(wanted, new Uint8Array(wanted));
      if (value?.length !== wanted) throw new Error('cut short');
      const hashed = hashing.write(value);
      const opening = [];
      for (let from = 0; from < wanted; from += SEALED, index += 1) {
        opening.push(crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonceOf(nonce, index) }, aes, value.subarray(from, from + SEALED)));
      }
      for (const piece of held) await out.write(piece);
      held = (await Promise.all(opening)).map((plain) => new Uint8Array(plain));
      await hashed;
      at += wanted;
      // All but the last go on at once.
      if (at < total) {
        for (const piece of held) await out.write(piece);
        held = [];
      }
    }
    await hashing.close();
    if (!same(new Uint8Array(await hash.digest), leaf)) throw new Error('not what the creator signed');
    for (const piece of held) if (piece.length > 0) await out.write(piece);
    await out.close();
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    await out.abort(error).catch(() => {});
    await hashing.abort(error).catch(() => {});
  }
}

/** The segment's plaintext, as it comes. */
export async function opened(env, path, range, secret, length, type, head) {
  const own = headers(type, length);
  if (head || length === 0) return new Response(null, { headers: own });
  const { answer, failed } = await read(env, path, range);
  if (failed) return failed;
  const { readable, writable } = new FixedLengthStream(length);
  // Nobody waits for it: an error ends the answer, whose length the client knows.
  void pump(answer.body, writable.getWriter(), secret, length);
  return new Response(readable, { headers: own });
}
