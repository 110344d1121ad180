import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { canonicalTerms, checkTerms, copiesLeft, termsDigest } from '../src/terms.js';

const digest = (text) => createHash('sha256').update(text).digest('base64url');
const plain = { use: 'download', usd_micros: 250000, pay_more: false };

test('the digest is that of the canonical form, with counted copies only where there are any', async () => {
  assert.equal(await termsDigest(plain), digest('{"pay_more":false,"usd_micros":250000,"use":"download"}'));
  assert.equal(await termsDigest({ ...plain, limit: 100, giveaway: 10 }), digest('{"giveaway":10,"limit":100,"pay_more":false,"usd_micros":250000,"use":"download"}'));
  assert.deepEqual(Object.keys(canonicalTerms({ ...plain, giveaway: undefined, limit: 1, other: 1 })), ['limit', 'pay_more', 'usd_micros', 'use']);
});

test('copies are counted from one to a million, and not in manifests', async () => {
  for (const copies of [1, 1_000_000]) await termsDigest({ ...plain, limit: copies, giveaway: copies });
  for (const copies of [0, -1, 1.5, 1_000_001, '1', null]) {
    await assert.rejects(termsDigest({ ...plain, limit: copies }), { code: 'malformed' });
    await assert.rejects(termsDigest({ ...plain, giveaway: copies }), { code: 'malformed' });
  }
  assert.throws(() => checkTerms({ ...plain, giveaway: 1 }), { code: 'malformed' });
});

test('what is left', () => {
  const left = (giveaway, limit, sold, given) => copiesLeft({ terms: { giveaway, limit }, stock: { sold, given } });
  assert.deepEqual(copiesLeft({ terms: plain }), { free: 0, left: Infinity });
  assert.deepEqual(left(10, undefined, 9, 7), { free: 3, left: Infinity });
  assert.deepEqual(left(10, 12, 11, 7), { free: 1, left: 1 });
  assert.deepEqual(left(10, 12, 12, 7), { free: 0, left: 0 });
  assert.deepEqual(copiesLeft({ terms: { limit: 5 } }), { free: 0, left: 5 });
});
