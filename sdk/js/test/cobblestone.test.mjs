import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as cobblestone from '../src/cobblestone.js';

const random = (n) => {
  const out = new Uint8Array(n);
  for (let at = 0; at < n; at += 65536) crypto.getRandomValues(out.subarray(at, at + 65536));
  return out;
};
const { CHUNK, PREFIX } = cobblestone;
const key = random(32);
const context = new TextEncoder().encode('satchel/v1');

for (const length of [0, 1, 16383, 16384, 16385, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 1, 70 * CHUNK + 5]) {
  test(`round trip of ${length} bytes`, async () => {
    const plain = random(length);
    const message = await cobblestone.seal(key, context, plain);
    assert.equal(message.length, 56 + length + 16 * (Math.floor(length / 16384) + 1));
    assert.equal(message.length, cobblestone.sealedLength(length));
    assert.equal(cobblestone.openedLength(message.length), length);
    assert.deepEqual(await cobblestone.open(key, context, message), plain);
    const again = await cobblestone.seal(key, context, plain);
    assert.notDeepEqual(again.subarray(0, 56), message.subarray(0, 56), 'a salt must not repeat');
  });
}

test('a fixed salt gives a fixed message', async () => {
  const salt = new Uint8Array(24).fill(7);
  const one = await cobblestone.seal(key, context, random(9), salt);
  assert.deepEqual(one.subarray(0, 24), salt);
});

test('any range of chunks opens alone', async () => {
  const plain = random(5 * CHUNK + 100);
  const message = await cobblestone.seal(key, context, plain);
  for (let first = 0; first < 6; first += 1) {
    for (let end = first + 1; end <= 6; end += 1) {
      const sealed = message.subarray(PREFIX + first * (CHUNK + 16), Math.min(PREFIX + end * (CHUNK + 16), message.length));
      const opened = await cobblestone.openChunks(key, context, message.subarray(0, PREFIX), message.length, first, sealed);
      assert.deepEqual(opened, plain.subarray(first * CHUNK, Math.min(end * CHUNK, plain.length)));
    }
  }
  const whole = message.subarray(PREFIX);
  await assert.rejects(cobblestone.openChunks(key, context, message.subarray(0, PREFIX), message.length, 1, whole), { code: 'malformed' });
  await assert.rejects(cobblestone.openChunks(key, context, message.subarray(0, PREFIX), message.length, 0, whole.subarray(0, 17)), { code: 'truncated' });
});

test('every damaged byte, truncation and swap is refused', async () => {
  const message = await cobblestone.seal(key, context, random(2 * CHUNK));
  for (let at = 0; at < message.length; at += at < 80 ? 1 : 997) {
    const changed = message.slice();
    changed[at] ^= 1 << (at % 8);
    await assert.rejects(cobblestone.open(key, context, changed), (error) => error.code === (at < 56 ? 'wrong_key' : 'tampered'), `byte ${at}`);
  }
  for (const cut of [0, 1, 55, 56, 71, 72, 56 + CHUNK + 15, 56 + CHUNK + 16, 56 + CHUNK + 17, 56 + 2 * (CHUNK + 16), message.length - 1]) {
    await assert.rejects(cobblestone.open(key, context, message.subarray(0, cut)), (error) => ['truncated', 'tampered'].includes(error.code), `cut at ${cut}`);
  }
  const swapped = message.slice();
  swapped.set(message.subarray(PREFIX + CHUNK + 16, PREFIX + 2 * (CHUNK + 16)), PREFIX);
  swapped.set(message.subarray(PREFIX, PREFIX + CHUNK + 16), PREFIX + CHUNK + 16);
  await assert.rejects(cobblestone.open(key, context, swapped), { code: 'tampered' });
});

test('another key or context is refused by the commitment', async () => {
  const message = await cobblestone.seal(key, context, random(10));
  await assert.rejects(cobblestone.open(random(32), context, message), { code: 'wrong_key' });
  await assert.rejects(cobblestone.open(key, new TextEncoder().encode('satchel/v2'), message), { code: 'wrong_key' });
  for (const length of [31, 33, 0]) await assert.rejects(cobblestone.open(random(length), context, message), { code: 'malformed' });
});
