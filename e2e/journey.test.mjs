// A sale from beginning to end over the API alone, as another program than ours would do it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterFee, b64uDecode, format, newDeviceKey } from '../sdk/js/src/index.js';
import {
  MIB, balanceOf, buy, claimsOf, digestOf, download, fund, intake, look, makeOrder, newWallet, noise,
  openPacked, operate, packWork, publish, purchasesOf, putOnSale, upload,
} from './lib/actors.mjs';
import { clientOf } from './lib/http.mjs';
import { refused } from './lib/problem.mjs';
import { openStack } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

// A price whose fee is no whole number: the rounding shows.
const PRICE = 123_457;
const FEE = 6_172;
const FUNDED = 1_000_000;
// What docs promise after a takedown: no key later than this.
const LAST_KEY_MS = 45_000;
const WINDOWS = 12;

const stack = await openStack({ name: 'journey' });

/** Every answer of the whole stream work's life, to be searched for its key. */
const answers = [];
const watched = clientOf(stack, (answer) => answers.push(answer));
const creator = await newWallet(stack.client);
const song = await publish(creator, {
  bytes: noise(9 * MIB + 12_345), title: 'Nocturne', usd_micros: PRICE, origin: stack.walletOrigin,
});
const film = await publish({ ...creator, client: watched }, {
  bytes: noise(600_000), use: 'stream', windows: WINDOWS, usd_micros: PRICE,
});

async function verified(receipt) {
  const keys = createLocalJWKSet(await stack.client.jwks());
  const { origin: issuer } = stack;
  const options = { issuer, audience: issuer, algorithms: ['EdDSA'], typ: 'satchel-receipt+jws' };
  return jwtVerify(receipt, keys, options);
}

test('a published work has a record that names its file, its signer and its price', async () => {
  const record = await stack.client.record(song.work);
  assert.deepEqual(record, song.record);
  const { versions, ...rest } = record;
  assert.deepEqual(rest, {
    work: song.work,
    state: 'published',
    creator: creator.creator.jwk,
    title: 'Nocturne',
    media_type: 'application/octet-stream',
    terms: { pay_more: false, usd_micros: PRICE, use: 'download' },
    terms_digest: await format.termsDigest(song.terms),
    version: 1,
    ledger: 'test',
  });
  assert.deepEqual(versions, [{
    version: 1,
    manifest_digest: song.digest,
    size: song.packed.length,
    name: 'song.bin',
    media_type: 'application/octet-stream',
    use: 'download',
    url: `${stack.origin}/f/${song.work}/1.satchel`,
    signer: creator.creator.jkt,
  }]);
});

test('the packed file that anybody can fetch is the one that was sent, in two parts', async () => {
  assert.equal(digestOf(await download(song.record)), digestOf(song.packed));
});

test('a buyer gets the very bytes of the creator, pays the price once, and the creator the rest', async () => {
  const buyer = await newWallet(stack.client);
  assert.equal(await fund(buyer, FUNDED), FUNDED);
  const before = await look(creator);
  const frame = await newDeviceKey();
  const order = await makeOrder(buyer, song, { cnf: frame });
  assert.equal(order.quote.msat, PRICE, 'at the test rate a millionth of a dollar is a millisatoshi');
  assert.deepEqual(await stack.client.orderStatus(order.order, frame), { status: 'waiting' });

  const answer = await stack.client.order(order.jws);
  const { receipt, ...said } = answer;
  assert.deepEqual(said, { status: 'posted', replayed: false, owned: false, order: order.order });
  const picked = await stack.client.pollOrder(order.order, frame, { timeout: 5_000 });
  assert.deepEqual(claimsOf(picked), claimsOf(receipt));
  await refused('wrong_key', async () => stack.client.orderStatus(order.order, await newDeviceKey()));

  const key = await stack.client.contentKey(receipt, frame);
  assert.deepEqual(b64uDecode(key.content_key, 32), song.contentKey);
  const opened = await openPacked(await download(song.record), b64uDecode(key.content_key, 32));
  assert.equal(digestOf(opened), digestOf(song.bytes));

  assert.equal(await balanceOf(buyer), FUNDED - PRICE);
  assert.equal(afterFee(PRICE, 500), PRICE - FEE);
  const net = before.balance_msat + before.incoming_msat + PRICE - FEE;
  await until('the creator is paid', async () => (await balanceOf(creator)) === net);
  assert.equal((await look(creator)).incoming_msat, 0);
  const [purchase, ...others] = await purchasesOf(buyer);
  assert.equal(others.length, 0);
  const { time, handle, ...bought } = purchase;
  assert.deepEqual(bought, {
    order: order.order, work: song.work, version: 1, title: 'Nocturne', use: 'download', usd_micros: PRICE, msat: PRICE, refunded_msat: 0, active: true,
  });
  assert.match(handle, /^pur_[\w-]+$/);
  assert.ok(Math.abs(time - Date.now() / 1000) < 60);
});

test('a receipt is verified by the published keys alone and says what was bought', async () => {
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const frame = await newDeviceKey();
  const { receipt } = await buy(buyer, song, { cnf: frame });
  const { payload, protectedHeader } = await verified(receipt);
  const { jwk } = await stack.client.jwks().then(({ keys }) => ({ jwk: keys.find(({ kid }) => kid === protectedHeader.kid) }));
  assert.deepEqual(Object.keys(jwk).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'], 'public parts only');
  const { iat, handle, jti, rate, ...claims } = payload;
  assert.deepEqual(claims, {
    iss: stack.origin, aud: stack.origin, sub: frame.jkt, work: song.work, version: 1, manifest_digest: song.digest,
    rights: 'download', usd_micros: PRICE, msat: PRICE, ledger: 'test', cnf: { jkt: frame.jkt },
  });
  assert.ok(Math.abs(iat - Date.now() / 1000) < 60);
  assert.match(handle, /^pur_[\w-]+$/);
  assert.match(jti, /^rcp_[a-z2-7]{32}$/);
  assert.equal(rate.usd_micros_per_btc, 100_000_000_000);
  const flat = `${receipt} ${JSON.stringify(payload)}`;
  assert.ok(!flat.includes(buyer.account), 'the account is in no receipt');
  await assert.rejects(verified(receipt.slice(0, -4) + (receipt.endsWith('AAAA') ? 'BBBB' : 'AAAA')));
});

test('an order sent again is answered with the same claims and charged once', async () => {
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const first = await buy(buyer, song);
  const again = await Promise.all(Array.from({ length: 5 }, () => stack.client.order(first.jws)));
  for (const answer of again) {
    assert.equal(answer.replayed, true);
    assert.equal(answer.owned, false);
    assert.deepEqual(claimsOf(answer.receipt), claimsOf(first.receipt));
  }
  assert.equal(await balanceOf(buyer), FUNDED - PRICE);
  assert.equal((await purchasesOf(buyer)).length, 1);
});

test('one order sent many times at once is posted once', async () => {
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const { jws } = await makeOrder(buyer, song);
  const all = await Promise.all(Array.from({ length: 10 }, () => stack.client.order(jws)));
  assert.equal(all.filter(({ replayed }) => !replayed).length, 1);
  assert.equal(new Set(all.map(({ receipt }) => JSON.stringify(claimsOf(receipt)))).size, 1);
  assert.equal(await balanceOf(buyer), FUNDED - PRICE);
});

test('many orders for one work at once are charged once; the others are re-issues', async () => {
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const orders = await Promise.all(Array.from({ length: 6 }, () => makeOrder(buyer, song)));
  const all = await Promise.all(orders.map(({ jws }) => stack.client.order(jws)));
  assert.equal(all.filter(({ owned }) => !owned).length, 1);
  assert.equal(await balanceOf(buyer), FUNDED - PRICE);
  assert.equal((await purchasesOf(buyer)).length, 1);
});

test('an owner who buys again is told so, is charged nothing, and the new key opens the work', async () => {
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const first = await buy(buyer, song);
  const phone = await newDeviceKey();
  const again = await buy(buyer, song, { cnf: phone });
  assert.equal(again.owned, true);
  assert.equal(again.replayed, false);
  assert.equal(await balanceOf(buyer), FUNDED - PRICE);
  assert.equal((await purchasesOf(buyer)).length, 1);
  const { payload } = await verified(again.receipt);
  assert.deepEqual([payload.sub, payload.msat, payload.handle], [phone.jkt, PRICE, claimsOf(first.receipt).handle]);
  for (const [receipt, key] of [[again.receipt, phone], [first.receipt, buyer.device]]) {
    const { content_key: contentKey } = await stack.client.contentKey(receipt, key);
    assert.deepEqual(b64uDecode(contentKey, 32), song.contentKey);
  }
  await refused('wrong_key', () => stack.client.contentKey(again.receipt, buyer.device));
  const replay = await stack.client.order(again.jws);
  assert.deepEqual([replay.replayed, replay.owned], [true, true]);
});

test('one account’s orders for many works, and deposits, all at once, all count', async () => {
  const seller = await newWallet(stack.client);
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const orders = [];
  for (let i = 0; i < 8; i += 1) orders.push(await makeOrder(buyer, await publish(seller, { usd_micros: 1_000 + i })));
  const deposits = Array.from({ length: 8 }, () => fund(buyer, 100));
  const [answers] = await Promise.all([Promise.all(orders.map(({ jws }) => stack.client.order(jws))), ...deposits]);
  assert.ok(answers.every(({ replayed, owned }) => !replayed && !owned));
  const spent = 8 * 1_000 + 28;
  assert.equal(await balanceOf(buyer), FUNDED + 800 - spent);
  assert.equal((await purchasesOf(buyer)).length, 8);
  const earned = orders.reduce((sum, { quote }) => sum + afterFee(quote.msat, 500), 0);
  await until('the seller is paid', async () => (await balanceOf(seller)) === earned);
});

test('a buyer may pay more where the terms say so, and the creator gets it', async () => {
  const seller = await newWallet(stack.client);
  const work = await publish(seller, { pay_more: true, usd_micros: 1_000 });
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const { quote } = await buy(buyer, work, { usdMicros: 5_000 });
  assert.equal(quote.msat, 5_000);
  assert.equal(await balanceOf(buyer), FUNDED - 5_000);
  await until('the seller is paid', async () => (await balanceOf(seller)) === 4_750);
});

test('money that was given goes to the payee the work names', async () => {
  const artist = await newWallet(stack.client);
  const charity = await newWallet(stack.client);
  const work = await publish(artist, { usd_micros: 10_000, payee: charity.account });
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  await buy(buyer, work);
  await until('the payee is paid', async () => (await balanceOf(charity)) === 9_500);
  assert.equal(await balanceOf(artist), 0);
});

test('a new version is sold to new buyers, and the first buyer keeps the version bought', async () => {
  const seller = await newWallet(stack.client);
  const first = await publish(seller, { usd_micros: 1_000, title: 'First edition' });
  const early = await newWallet(stack.client);
  await fund(early, FUNDED);
  const old = await buy(early, first);
  const second = await packWork(seller, { nonce: first.nonce, version: 2, usd_micros: 2_000, title: 'Second edition' });
  await upload(seller, second);
  await intake(seller, second);
  const record = await putOnSale(seller, second);
  assert.deepEqual([record.version, record.versions.length, record.title], [2, 2, 'Second edition']);
  const late = await newWallet(stack.client);
  await fund(late, FUNDED);
  const bought = await buy(late, second);
  for (const [wallet, { receipt }, work] of [[early, old, first], [late, bought, second]]) {
    const key = await stack.client.contentKey(receipt, wallet.device);
    assert.equal(key.version, work.version);
    assert.deepEqual(b64uDecode(key.content_key, 32), work.contentKey);
  }
  assert.deepEqual(await balanceOf(late), FUNDED - 2_000);
});

test('purchases come in pages, newest first, each once', async () => {
  const seller = await newWallet(stack.client);
  const buyer = await newWallet(stack.client);
  await fund(buyer, FUNDED);
  const works = [];
  for (let i = 0; i < 4; i += 1) works.push(await publish(seller, { usd_micros: 100, title: `Part ${i}` }));
  for (const work of works) await buy(buyer, work);
  const titles = (await purchasesOf(buyer)).map(({ title }) => title);
  assert.deepEqual(titles, ['Part 3', 'Part 2', 'Part 1', 'Part 0']);
});

test('a stream work plays window by window and each key opens its segments and no others', async () => {
  const client = watched;
  const buyer = await newWallet(client);
  await fund(buyer, FUNDED);
  const { receipt } = await buy(buyer, film);
  assert.equal(claimsOf(receipt).rights, 'stream');
  const opened = await client.session(receipt, buyer.device);
  // At most as many: the issuer knows the length, not the table.
  assert.ok(opened.windows >= WINDOWS && opened.windows <= WINDOWS + 1, `${opened.windows} windows`);
  assert.equal(opened.window_ms, 10_000);
  assert.deepEqual([opened.allowance.released, opened.allowance.limit], [0, 3]);
  const packed = await download(film.record);
  const read = async (from, to) => packed.slice(from, to);
  const satchel = await format.openHeader(read, { size: packed.length });
  let { capability } = opened;
  const at = new Map([...satchel.segments.entries()].map(([i]) => [i, satchel.segments.slice(0, i).reduce((sum, s) => sum + s.plain_len, 0)]));
  for (const window of [0, 1, 7]) {
    const answer = await client.windowKey(opened.session, window, capability, buyer.device);
    capability = answer.capability;
    const key = b64uDecode(answer.key, 32);
    const { first, last } = satchel.windowSegments(window);
    for (let i = first; i <= last; i += 1) {
      const { from, to } = satchel.segmentRange(i);
      const plain = await satchel.openSegment(i, packed.slice(from, to), key);
      assert.equal(digestOf(plain), digestOf(film.bytes.subarray(at.get(i), at.get(i) + plain.length)));
    }
    const other = satchel.segmentRange((last + 1) % satchel.segments.length);
    await assert.rejects(satchel.openSegment((last + 1) % satchel.segments.length, packed.slice(other.from, other.to), key), { code: 'wrong_key' });
  }
  // The fourth at once is too far ahead; one released already stays free.
  const limit = await refused('window_limit', () => client.windowKey(opened.session, 2, capability, buyer.device));
  assert.ok(limit.retryAfter >= 1 && limit.retryAfter <= 5, `Retry-After: ${limit.retryAfter}`);
  const free = await client.windowKey(opened.session, 1, capability, buyer.device);
  assert.equal(free.allowance.released, 3);
  // Waiting as long as was said opens the next one.
  await sleep(limit.retryAfter * 1000);
  const next = await client.windowKey(opened.session, 2, free.capability, buyer.device);
  assert.equal(next.allowance.released, 4);
});

test('all sessions and receipts of a purchase share one allowance', async () => {
  const buyer = await newWallet(watched);
  await fund(buyer, FUNDED);
  const first = await buy(buyer, film);
  const phone = await newDeviceKey();
  const again = await buy(buyer, film, { cnf: phone });
  const sessions = [
    { key: buyer.device, ...(await watched.session(first.receipt, buyer.device)) },
    { key: phone, ...(await watched.session(again.receipt, phone)) },
  ];
  const one = await watched.windowKey(sessions[0].session, 0, sessions[0].capability, buyer.device);
  const two = await watched.windowKey(sessions[1].session, 1, sessions[1].capability, phone);
  const three = await watched.windowKey(sessions[0].session, 2, one.capability, buyer.device);
  assert.equal(three.allowance.released, 3);
  await refused('window_limit', () => watched.windowKey(sessions[1].session, 3, two.capability, phone));
});

test('the whole key of a stream work is never given out', async () => {
  const buyer = await newWallet(watched);
  await fund(buyer, FUNDED);
  const { receipt } = await buy(buyer, film);
  await refused('streaming_only', () => watched.contentKey(receipt, buyer.device));
  const bought = await buy(buyer, song);
  await refused('not_streaming', () => stack.client.session(bought.receipt, buyer.device));
});

test('a takedown stops quotes, orders, keys and sessions; no window key comes later than promised; reinstating restores', async () => {
  const seller = await newWallet(stack.client);
  const text = await publish(seller, { usd_micros: 1_000 });
  const clip = await publish(seller, { usd_micros: 1_000, use: 'stream', windows: 3, bytes: noise(50_000) });
  const owner = await newWallet(stack.client);
  await fund(owner, FUNDED);
  const receipts = [(await buy(owner, text)).receipt, (await buy(owner, clip)).receipt];
  const stranger = await newWallet(stack.client);
  await fund(stranger, FUNDED);
  const pending = await makeOrder(stranger, text);
  const opened = await stack.client.session(receipts[1], owner.device);
  let { capability } = await stack.client.windowKey(opened.session, 0, opened.capability, owner.device);

  for (const { work } of [text, clip]) await operate(stack, { cmd: 'take_down', work });
  const acknowledged = Date.now();
  const code = 'work_taken_down';
  assert.equal((await stack.client.record(text.work)).state, 'taken_down');
  await refused(code, () => stack.client.quote(text.work));
  await refused(code, () => stack.client.order(pending.jws));
  await refused(code, () => stack.client.contentKey(receipts[0], owner.device));
  await refused(code, () => stack.client.session(receipts[1], owner.device));
  // Nor is a receipt for another key to be had, on a quote from before.
  const { account, device: key } = owner;
  const again = await stack.client.makeOrder({ key, account, quote: pending.quote, cnf: key.jkt });
  await refused(code, () => stack.client.order(again.jws));
  let lastKey = 0;
  await until('the session is refused its keys', async () => {
    try {
      ({ capability } = await stack.client.windowKey(opened.session, 0, capability, owner.device));
      lastKey = Date.now();
    } catch (error) {
      assert.equal(error.code, code);
      return true;
    }
    return false;
  }, { ms: LAST_KEY_MS + 5_000, every: 500 });
  assert.ok(lastKey - acknowledged <= LAST_KEY_MS, `a key ${lastKey - acknowledged} ms after the takedown`);
  // What was bought before stays bought, and is not charged again.
  assert.equal(await balanceOf(owner), FUNDED - 2_000);

  for (const { work } of [text, clip]) await operate(stack, { cmd: 'reinstate', work });
  assert.equal((await stack.client.record(text.work)).state, 'published');
  const { content_key: contentKey } = await stack.client.contentKey(receipts[0], owner.device);
  assert.deepEqual(b64uDecode(contentKey, 32), text.contentKey);
  const restored = await stack.client.session(receipts[1], owner.device);
  await stack.client.windowKey(restored.session, 0, restored.capability, owner.device);
  const posted = await stack.client.order(pending.jws);
  assert.deepEqual([posted.replayed, posted.owned], [false, false]);
});

// The last tests: they search what all the others left.

test('no answer in the life of a stream work holds its content key', () => {
  assert.ok(answers.length > 30, `${answers.length} answers were seen`);
  const found = (needle) => answers.filter(({ bytes }) => bytes.includes(needle)).map(({ url }) => url);
  for (const [how, needle] of spellings(film.contentKey)) assert.deepEqual(found(needle), [], how);
  // The search itself finds what is there.
  assert.ok(found(Buffer.from(film.work)).length > 0);
});

test('no content key lies in the ledger or anywhere else at rest', async () => {
  // Ended first: while it runs, files come and go.
  await stack.stop();
  const files = readdirSync(stack.state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const contents = files.map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  contents.push(readFileSync(stack.log));
  const holds = (needle) => contents.some((bytes) => bytes.includes(needle));
  assert.ok(holds(Buffer.from('Nocturne')) && holds(Buffer.from(film.work)), 'the state is where it is looked for');
  for (const { contentKey } of [song, film]) {
    for (const [how, needle] of spellings(contentKey)) assert.ok(!holds(needle), `${how} of a content key is at rest`);
  }
});

/** A key in every spelling that a careless worker would write it in. */
function spellings(key) {
  const bytes = Buffer.from(key);
  return [
    ['the bytes', bytes],
    ['base64url', Buffer.from(bytes.toString('base64url'))],
    ['base64', Buffer.from(bytes.toString('base64').replace(/=+$/, ''))],
    ['hexadecimal', Buffer.from(bytes.toString('hex'))],
    ['HEXADECIMAL', Buffer.from(bytes.toString('hex').toUpperCase())],
    ['numbers', Buffer.from([...bytes].join(','))],
  ];
}
