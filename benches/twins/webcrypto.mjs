// Both sides of the rows `webcrypto …`, in workerd and in a page: our SDK and bare crypto.subtle on buffers of
// the same size. The bare side does nothing with what a call gives: no key is derived, nothing put together.
import * as cobblestone from '../../sdk/js/src/cobblestone.js';
import * as format from '../../sdk/js/src/format.js';
import { generateKey, randomBytes } from '../../sdk/js/src/index.js';

const { CHUNK } = cobblestone;
const TAG = 16;
const MIB = 1_048_576;
// As many as our side has under way.
const PARALLEL = 64;
// WebCrypto gives no more random bytes at once.
const RANDOM = 65_536;
const CONTEXT = new TextEncoder().encode('bench');
const WORK = {
  issuer: 'http://localhost:8787',
  title: 'Bench',
  name: 'bench.bin',
  mediaType: 'application/octet-stream',
  terms: { usd_micros: 500_000, use: 'download', pay_more: false },
};

let held;

function random(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += RANDOM) bytes.set(randomBytes(Math.min(RANDOM, length - at)), at);
  return bytes;
}

async function packed(plain) {
  let file = new Uint8Array(0);
  const write = (at, bytes) => {
    if (file.length < at + bytes.length) {
      const longer = new Uint8Array(Math.max(at + bytes.length, plain.length + 4 * MIB));
      longer.set(file);
      file = longer;
    }
    file.set(bytes, at);
  };
  const options = { ...WORK, creatorKey: await generateKey(), nonce: randomBytes(16) };
  const { contentKey, work } = await format.packTo({ write }, format.bytesSource(plain), options);
  const read = async (from, to) => file.slice(from, to);
  return { contentKey, work, read, satchel: await format.openHeader(read) };
}

/** Makes the buffers that all runs share. */
async function prepare(length) {
  const key = randomBytes(32);
  const plain = random(length);
  const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);
  const sealed = new Uint8Array(cobblestone.sealedLength(length));
  await cobblestone.sealInto(sealed, 0, key, CONTEXT, plain);
  held = { key, plain, aes, message: sealed.slice(), sealed, calls: new Map(), ...(await packed(plain)) };
}

function nonceOf(index) {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(8, index);
  return nonce;
}

async function each(count, one) {
  for (let at = 0; at < count; at += PARALLEL) {
    await Promise.all(Array.from({ length: Math.min(PARALLEL, count - at) }, (_, i) => one(at + i)));
  }
}

const bareSeal = (size) => {
  const { aes, plain } = held;
  return each(plain.length / size, (i) =>
    crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonceOf(i) }, aes, plain.subarray(i * size, (i + 1) * size)),
  );
};

/** What the bare side opens, sealed once. */
async function bareMessage(size) {
  const { aes, plain, calls } = held;
  if (calls.has(size)) return calls.get(size);
  const out = new Uint8Array((plain.length / size) * (size + TAG));
  for (let i = 0; i * size < plain.length; i += 1) {
    const part = plain.subarray(i * size, (i + 1) * size);
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonceOf(i) }, aes, part);
    out.set(new Uint8Array(sealed), i * (size + TAG));
  }
  calls.set(size, out);
  return out;
}

async function bareOpen(size) {
  const { aes, plain } = held;
  const sealed = await bareMessage(size);
  await each(plain.length / size, (i) => {
    const part = sealed.subarray(i * (size + TAG), (i + 1) * (size + TAG));
    return crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonceOf(i) }, aes, part);
  });
}

/** What a body's hashes cost: one call for each segment. */
const bareHash = (bytes) => each(bytes.length / MIB, (i) => crypto.subtle.digest('SHA-256', bytes.subarray(i * MIB, (i + 1) * MIB)));

async function barePack(size) {
  await bareSeal(size);
  await bareHash(held.plain);
}

async function bareUnpack(size) {
  await bareHash(held.plain);
  await bareOpen(size);
}

async function pack() {
  const { plain, work, contentKey } = held;
  const segments = format.planFixed(plain.length);
  await format.packBody({ work, contentKey, segments, source: format.bytesSource(plain), write: () => {} });
}

async function unpack() {
  const { satchel, read, contentKey } = held;
  let length = 0;
  for await (const part of satchel.openAll(read, contentKey)) length += part.length;
  if (length !== held.plain.length) throw new Error(`${length} bytes came out`);
}

const OURS = {
  seal: () => cobblestone.sealInto(held.sealed, 0, held.key, CONTEXT, held.plain),
  open: () => cobblestone.open(held.key, CONTEXT, held.message),
  pack,
  unpack,
};
const BARE = { seal: bareSeal, open: bareOpen, pack: barePack, unpack: bareUnpack };
const SIZES = { chunk: () => CHUNK, mib: () => MIB, whole: () => held.plain.length };

/** One run: `what` is seal, open, pack or unpack; `who` is ours, or the size of the bare side's calls. */
const run = (what, who) => (who === 'ours' ? OURS[what]() : BARE[what](SIZES[who]()));

export default {
  prepare,
  run,
  async fetch(request) {
    const [, what, who] = new URL(request.url).pathname.split('/');
    await (what === 'prepare' ? prepare(Number(who)) : run(what, who));
    return new Response('done');
  },
};
