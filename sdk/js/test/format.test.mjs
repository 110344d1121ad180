import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { b64uDecode, b64uEncode, concat, u32be, utf8 } from '../src/bytes.js';
import * as format from '../src/format.js';
import { workId } from '../src/ids.js';
import { signJws } from '../src/jws.js';
import { generateKey, keyFromSeed } from '../src/keys.js';

const random = (n) => {
  const out = new Uint8Array(n);
  for (let at = 0; at < n; at += 65536) crypto.getRandomValues(out.subarray(at, at + 65536));
  return out;
};
const sha = (...parts) => createHash('sha256').update(concat(...parts)).digest();
const creatorKey = await generateKey();
const MIB = 1_048_576;

function memory() {
  const sink = { bytes: new Uint8Array(0), write(at, bytes) {
    if (at + bytes.length > sink.bytes.length) sink.bytes = concat(sink.bytes, new Uint8Array(at + bytes.length - sink.bytes.length));
    sink.bytes.set(bytes, at);
  } };
  return sink;
}
const reader = (bytes) => async (from, to) => bytes.slice(from, to);
const details = (more) => ({ creatorKey, nonce: random(16), issuer: 'http://localhost:8787', title: 'Night Train', name: 'night train.bin', mediaType: 'application/octet-stream', terms: { usd_micros: 500_000, use: 'download', pay_more: false }, ...more });
async function pack(plain, more) {
  const sink = memory();
  const made = await format.packTo(sink, format.bytesSource(plain), details(more));
  assert.equal(made.size, sink.bytes.length);
  return { ...made, bytes: sink.bytes };
}
async function unpack(bytes, key) {
  const satchel = await format.openHeader(reader(bytes), { size: bytes.length });
  const parts = [];
  for await (const part of satchel.openAll(reader(bytes), key)) parts.push(part);
  return concat(...parts);
}

for (const size of [0, 1, 16383, 16384, 16385, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]) {
  test(`a work of ${size} bytes comes back`, async () => {
    const plain = random(size);
    const { bytes, contentKey, manifest, digest } = await pack(plain);
    const satchel = await format.openHeader(reader(bytes), { size: bytes.length });
    assert.equal(satchel.manifest.size, size);
    assert.equal(satchel.jws, manifest);
    assert.equal(satchel.digest, digest);
    assert.equal(digest, sha(utf8(manifest)).toString('base64url'));
    assert.equal(satchel.headerLen, 16384);
    assert.equal(satchel.segments.length, Math.max(1, Math.ceil(size / MIB)));
    assert.deepEqual(await unpack(bytes, contentKey), plain);
  });
}

test('layout: fixed fields, padding, preview, window keys', async () => {
  const preview = random(1000);
  const plain = random(2 * MIB + 5);
  const { bytes, contentKey } = await pack(plain, { preview });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assert.equal(Buffer.from(bytes.subarray(0, 8)).toString(), 'SATCHEL1');
  assert.deepEqual([view.getUint32(8), view.getUint32(16), view.getUint32(20)], [16384, 144, 1000]);
  assert.deepEqual(bytes.subarray(16384, 17384), preview);
  const satchel = await format.openHeader(reader(bytes), { size: bytes.length });
  assert.deepEqual(await satchel.readPreview(reader(bytes)), preview);
  const changed = bytes.slice();
  changed[16384] ^= 1;
  await assert.rejects(satchel.readPreview(reader(changed)), { code: 'malformed' });
  const keyOf = await satchel.unlock(contentKey);
  const { from, to } = satchel.segmentRange(2);
  assert.equal(to, bytes.length);
  assert.deepEqual(await satchel.openSegment(2, bytes.subarray(from, to), await keyOf(2)), plain.subarray(2 * MIB));
  await assert.rejects(satchel.openSegment(2, bytes.subarray(from, to), await keyOf(1)), { code: 'wrong_key' });
  await assert.rejects(satchel.openSegment(1, bytes.subarray(from, to), await keyOf(1)), { code: 'truncated' });
  await assert.rejects(satchel.unlock(random(32)), { code: 'wrong_key' });
});

test('the same inputs give the same bytes; key schedule by an independent HKDF', async () => {
  const { hkdfSync } = await import('node:crypto');
  const fixed = { creatorKey: await keyFromSeed(new Uint8Array(32).fill(3)), nonce: new Uint8Array(16).fill(1), contentKey: new Uint8Array(32).fill(2), created: 1_700_000_000, salt: (i) => new Uint8Array(24).fill(i) };
  const one = await pack(utf8('hello'), fixed);
  const two = await pack(utf8('hello'), fixed);
  assert.deepEqual(one.bytes, two.bytes);
  const derive = (key, label, ...rest) => new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), concat(utf8(`satchel/v1 ${label}\0${one.work}`), ...rest), 32));
  const satchel = await format.openHeader(reader(one.bytes));
  assert.equal(satchel.manifest.key_commitment, b64uEncode(derive(fixed.contentKey, 'commitment')));
  const window = derive(derive(fixed.contentKey, 'window root'), 'window', u32be(0));
  assert.deepEqual(await (await satchel.unlock(fixed.contentKey))(0), window);
  assert.deepEqual(await format.segmentKey(window, one.work, 0), derive(window, 'segment', u32be(0)));
});

test('Merkle tree hash as RFC 9162 defines it', async () => {
  const naive = (leaves) => {
    if (leaves.length === 1) return sha(Uint8Array.of(0), leaves[0]);
    const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
    return sha(Uint8Array.of(1), naive(leaves.slice(0, k)), naive(leaves.slice(k)));
  };
  for (let n = 1; n <= 33; n += 1) {
    const leaves = Array.from({ length: n }, (_, i) => u32be(i));
    const tree = new format.MerkleTree();
    for (const leaf of leaves) await tree.push(await format.leafHash(leaf));
    assert.equal(b64uEncode(await tree.root()), naive(leaves).toString('base64url'), `${n} leaves`);
  }
});

test('plans: step grows with size, limits hold', () => {
  assert.deepEqual(format.planFixed(0), [{ plain_len: 0, window: 0, start_ms: 0, flags: 0 }]);
  assert.equal(format.planFixed(MIB).length, 1);
  assert.equal(format.planFixed(16_000 * MIB).length, 16_000);
  assert.equal(format.planFixed(16_000 * MIB + 1)[0].plain_len, 2 * MIB);
  const huge = format.planFixed(4 * 2 ** 40);
  assert.ok(huge.length <= 16_384);
  assert.equal(huge.reduce((sum, one) => sum + one.plain_len, 0), 4 * 2 ** 40);
  const one = { plain_len: 1, window: 0, start_ms: 0, flags: 0 };
  assert.throws(() => format.encodeTable(Array(16_385).fill(one)), { code: 'too_many_segments' });
  for (const bad of [[], [{ ...one, window: 1 }], [one, { ...one, window: 2 }], [{ ...one, window: 0, start_ms: 5 }, one], [{ ...one, flags: 2 }], [one, { ...one, plain_len: 0 }], [{ ...one, plain_len: 2 ** 30 + 1 }]]) {
    assert.throws(() => format.encodeTable(bad), { code: 'malformed' });
  }
  const packed = [{ ...one, leaf: new Uint8Array(32).fill(1) }, { ...one, window: 1, start_ms: 9, leaf: new Uint8Array(32).fill(2) }];
  assert.deepEqual(format.parseTable(format.encodeTable(packed)), packed);
});

test('a long table makes a longer header, always the smallest that holds it', async () => {
  const segments = Array.from({ length: 500 }, (_, i) => ({ plain_len: 2, window: i, start_ms: 0, flags: 0 }));
  const { bytes, contentKey } = await pack(random(1000), { segments });
  const satchel = await format.openHeader(reader(bytes), { size: bytes.length });
  assert.equal(satchel.headerLen, 32768);
  assert.equal((await unpack(bytes, contentKey)).length, 1000);
});

test('what another key holder sealed behind the same manifest does not come out', async () => {
  const fixed = { nonce: random(16), contentKey: random(32), created: 1_800_000_000 };
  const genuine = await pack(new Uint8Array(2 * MIB + 7).fill(1), fixed);
  const forged = await pack(new Uint8Array(2 * MIB + 7).fill(2), fixed);
  const satchel = await format.openHeader(reader(genuine.bytes));
  const front = genuine.bytes.subarray(0, satchel.segmentRange(0).from);
  const mixed = concat(front, forged.bytes.subarray(front.length));
  assert.equal(mixed.length, genuine.bytes.length);
  const keyOf = await satchel.unlock(fixed.contentKey);
  for (let i = 0; i < satchel.segments.length; i += 1) {
    const { from, to } = satchel.segmentRange(i);
    await assert.rejects(satchel.openSegment(i, mixed.subarray(from, to), await keyOf(i)), { code: 'tampered' });
  }
  await assert.rejects(unpack(mixed, fixed.contentKey), { code: 'tampered' });
});

test('nothing is read beyond a segment at a time', async () => {
  let largest = 0;
  const size = 20 * MIB;
  const source = { size, read: async (from, to) => { largest = Math.max(largest, to - from); return new Uint8Array(to - from); } };
  let written = 0;
  let last = null;
  await format.packTo({ write: (at, bytes) => { written += bytes.length; last = at; } }, source, details());
  assert.equal(largest, MIB);
  assert.equal(last, 0, 'the header is written last');
  assert.ok(written > size);
});

test('every changed byte of the header, and of the body on the way, is refused', async () => {
  const { bytes, contentKey } = await pack(random(40_000), { preview: random(10) });
  const used = 24 + new DataView(bytes.buffer).getUint32(12) + 16;
  const places = [...Array(used).keys(), used, used + 1, 16383, 16384, ...Array.from({ length: 20 }, (_, i) => 16394 + i * 1999)];
  for (const at of places) {
    const changed = bytes.slice();
    changed[at] ^= 1 << (at % 7);
    await assert.rejects(async () => {
      const satchel = await format.openHeader(reader(changed), { size: changed.length });
      await satchel.readPreview(reader(changed));
      for await (const _ of satchel.openAll(reader(changed), contentKey));
    }, (error) => typeof error.code === 'string', `byte ${at}`);
  }
  for (const cut of [0, 7, 23, 24, 16383, 16384, 16393, 16394, bytes.length - 1]) await assert.rejects(unpack(bytes.subarray(0, cut), contentKey), { name: 'SatchelError' }, `cut at ${cut}`);
  await assert.rejects(unpack(concat(bytes, Uint8Array.of(0)), contentKey), { code: 'malformed' });
  await assert.rejects(unpack(bytes, random(32)), { code: 'wrong_key' });
});

test('segments swapped or taken from another packing are refused', async () => {
  const contentKey = random(32);
  const nonce = random(16);
  const one = await pack(random(2 * MIB), { contentKey, nonce });
  const two = await pack(random(2 * MIB), { contentKey, nonce });
  const satchel = await format.openHeader(reader(one.bytes));
  const [a, b] = [0, 1].map((i) => satchel.segmentRange(i));
  const swapped = one.bytes.slice();
  swapped.set(one.bytes.subarray(b.from, b.to), a.from);
  swapped.set(one.bytes.subarray(a.from, a.to), b.from);
  await assert.rejects(unpack(swapped, contentKey), { code: 'tampered' });
  // Same keys, other bytes: only the hash in the table tells.
  const foreign = one.bytes.slice();
  foreign.set(two.bytes.subarray(a.from, a.to), a.from);
  await assert.rejects(unpack(foreign, contentKey), { code: 'tampered' });
});

test('a manifest signed by somebody else, or saying more or less, is refused', async () => {
  const { manifest } = await pack(utf8('x'));
  const payload = JSON.parse(Buffer.from(manifest.split('.')[1], 'base64url'));
  const header = { typ: 'satchel-manifest+jws' };
  const resign = (change, key = creatorKey) => signJws(key, header, { ...payload, ...change });
  await format.verifyManifest(await resign({}));
  const other = await generateKey();
  await assert.rejects(format.verifyManifest(await resign({}, other)), { code: 'bad_signature' });
  await assert.rejects(format.verifyManifest(await resign({ creator: other.jwk }, other)), { code: 'malformed' });
  const bad = [{ v: 2 }, { extra: 1 }, { title: '' }, { title: 'x'.repeat(201) }, { title: 'a\nb' }, { title: '\ud800' }, { name: 'a/b' }, { name: '..' }, { name: 'é'.repeat(128) }, { issuer: 'https://a.example/' }, { issuer: 'javascript:x' },
    { size: -1 }, { size: 1.5 }, { size: '1' }, { version: 0 }, { segments: 0 }, { terms: { ...payload.terms, use: 'rent' } }, { terms: { ...payload.terms, usd_micros: 0.5 } }, { terms: { usd_micros: 1, use: 'stream' } }, { table_digest: 'AA' },
    { creator: { ...payload.creator, d: 'x' } }, { work: payload.work.toUpperCase() }, { work_nonce: b64uEncode(random(16)) }, { created: null }];
  for (const change of bad) await assert.rejects(format.verifyManifest(await resign(change)), { code: 'malformed' }, JSON.stringify(change));
  const { title: _, ...less } = payload;
  await assert.rejects(format.verifyManifest(await signJws(creatorKey, header, less)), { code: 'malformed' });
  await format.verifyManifest(await resign({ title: '🎷'.repeat(200) }));
  assert.equal(await workId(creatorKey.jwk, b64uDecode(payload.work_nonce)), payload.work);
});

test('terms digest is SHA-256 of the JCS text', async () => {
  assert.equal(await format.termsDigest({ usd_micros: 500000, use: 'stream', pay_more: true }), sha(utf8('{"pay_more":true,"usd_micros":500000,"use":"stream"}')).toString('base64url'));
});

test('not a satchel', async () => {
  await assert.rejects(format.openHeader(reader(random(100_000))), { code: 'not_a_satchel' });
  await assert.rejects(format.openHeader(reader(new Uint8Array(0))), { code: 'truncated' });
  await assert.rejects(format.openHeader(reader(utf8('SATCHEL'))), { code: 'truncated' });
  await assert.rejects(format.openHeader(reader(utf8('A letter.'))), { code: 'not_a_satchel' });
  await assert.rejects(format.openHeader(reader(concat(format.MAGIC, new Uint8Array(16)))), { code: 'malformed' });
  await assert.rejects(format.openHeader(reader(concat(format.MAGIC, u32be(0xffffffff), u32be(0xffffffff), u32be(0xfffffff0), u32be(0xffffffff)))), { code: 'malformed' });
});
