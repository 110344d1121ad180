// Keys are rotated in two steps while receipts and wrapped keys of before go on working.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { b64uDecode } from '../sdk/js/src/index.js';
import { rotateDev, rotated } from '../tools/rotate.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { buy, fund, newWallet, noise, openPacked, publish } from './lib/actors.mjs';
import { equip, scratch } from './lib/stack.mjs';

const RINGS = ['RECEIPT_KEYS', 'WRAPPING_KEYS', 'STREAM_WRAPPING_KEYS'];
const place = scratch('rotate');
let stack;
after(async () => {
  await stack?.stop();
  place.remove();
});

async function start(port) {
  await stack?.stop();
  stack = equip(await startWorkerd({ dir: place.dir, ...(port && { port }) }));
  return stack.client;
}

test('a ring goes from announced to used, and nothing is ever dropped', () => {
  const key = (n) => Buffer.alloc(32, n).toString('base64url');
  const announced = rotated(`1:${key(1)}\n`, 'announce', () => key(2));
  assert.equal(announced, `+2:${key(2)},1:${key(1)}`);
  assert.equal(rotated(announced, 'promote'), `2:${key(2)},1:${key(1)}`);
  assert.throws(() => rotated(announced, 'announce'), /promote it first/);
  assert.throws(() => rotated(`1:${key(1)}`, 'promote'), /no key is announced/);
  for (const bad of ['', '1', `1:${key(1)},1:${key(2)}`, `1:${key(1).slice(1)}`]) {
    assert.throws(() => rotated(bad, 'announce'), (error) => !error.message.includes(key(1)));
  }
});

test('receipts and works of before a rotation are as good as those after it', { timeout: 240_000 }, async () => {
  let client = await start();
  const { port } = stack;
  const creator = await newWallet(client);
  const buyer = await newWallet(client);
  await fund(buyer, 1_000_000);
  const kid = (receipt) => JSON.parse(Buffer.from(receipt.split('.')[0], 'base64url')).kid;
  const issuer = client.issuer;
  const verify = async (receipt) => jwtVerify(receipt, createLocalJWKSet(await client.jwks()), { issuer, audience: issuer, algorithms: ['EdDSA'] });
  const works = [];
  const receipts = [];
  const sell = async (use) => {
    const work = await publish({ ...creator, client }, { bytes: noise(30_000), use, windows: 2, usd_micros: 50_000 });
    works.push(work);
    receipts.push((await buy({ ...buyer, client }, work)).receipt);
  };
  const allGood = async () => {
    for (const [i, receipt] of receipts.entries()) {
      await verify(receipt);
      if (works[i].terms.use === 'stream') {
        const { session, capability } = await client.session(receipt, buyer.device);
        assert.ok((await client.windowKey(session, 0, capability, buyer.device)).key);
      } else {
        const { content_key } = await client.contentKey(receipt, buyer.device);
        assert.deepEqual(await openPacked(works[i].packed, b64uDecode(content_key, 32)), Buffer.from(works[i].bytes));
      }
    }
  };
  await sell('download');
  await sell('stream');
  for (const name of RINGS) rotateDev(name, 'announce', place.dir);
  client = await start(port);
  assert.deepEqual((await client.jwks()).keys.map((key) => key.kid).sort(), ['1', '2'], 'the new key is published');
  await sell('download');
  assert.equal(kid(receipts.at(-1)), '1', 'and not used yet');
  await allGood();
  for (const name of RINGS) rotateDev(name, 'promote', place.dir);
  client = await start(port);
  await sell('download');
  await sell('stream');
  assert.equal(kid(receipts.at(-1)), '2');
  await allGood();
});
