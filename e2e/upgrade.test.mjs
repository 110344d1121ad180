// Objects as the version before left them: what they hold is brought up to date when they are next used,
// and everything goes on: balances, journals, retries, deliveries that were under way, new purchases.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { afterFee, newDeviceKey } from '../sdk/js/src/index.js';
import { freePort } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { balanceOf, buy, claimsOf, fund, look, makeOrder, newWallet, operate, publish, purchasesOf, unix } from './lib/actors.mjs';
import { STATE, breakObject, feesOf, fileOf, inboxOf, readAccount } from './lib/books.mjs';
import { buildCli, said } from './lib/cli.mjs';
import { OLD_FEES, makeOld, oldInboxOf } from './lib/old.mjs';
import { equip, scratch } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

const PRICE = 3_333;
const NET = afterFee(PRICE, 500);
const FUNDED = 100_000;
const SETTLED_MS = 5_000;
const START_MS = 120_000;

const place = scratch('upgrade');
const bucket = await startBucket();
const port = await freePort();
let stack;
after(async () => {
  await stack?.stop();
  await bucket.stop();
  place.remove();
});
const start = async () => {
  stack = equip(await startWorkerd({ dir: place.dir, port, bucket }));
};

// Before the first test: a file whose tests have all ended is over, whatever it still waits for.
const programs = await buildCli(place.dir);
await start();
const { client } = stack;
const ops = (...words) => programs.ops('--issuer', client.issuer, '--key', stack.operatorKeyFile, '--json', ...words);
// As the fixed one of a test ledger, so that a dollar's millionth is a millisatoshi.
const rate = { usd_micros_per_btc: 100_000_000_000, time: unix(), source: 'an exchange', max_age_s: 86_400 };
await operate(stack, { cmd: 'set_rate', ...rate });
const [seller, reader, late] = [await newWallet(client), await newWallet(client), await newWallet(client)];
const works = [];
for (const use of ['download', 'download', 'download', 'stream']) works.push(await publish(seller, { usd_micros: PRICE, use, windows: 2 }));
const [first, second, third, fourth] = works;
await Promise.all(Array.from({ length: 70 }, (_, i) => fund(reader, i + 1)));
await fund(reader, FUNDED);
await fund(late, FUNDED);
const bought = [await buy(reader, first), await buy(reader, second)];
await until('the seller is paid', async () => (await balanceOf(seller)) === 2 * NET);
await buy(reader, fourth);
await until('the seller is paid again', async () => (await balanceOf(seller)) === 3 * NET);
await until('and the operator', () => readAccount(fileOf(stack, 'Account', feesOf(seller.account)))?.head.credits_posted === 3 * (PRICE - NET));
const otherKey = await newDeviceKey();
const reissued = await buy(reader, first, { cnf: otherKey });
await fund(reader, 5);
// One sale is not delivered when the version changes.
await stack.stop();
const heal = breakObject(fileOf(stack, 'Inbox', inboxOf(seller.account)));
await start();
const underWay = await buy(late, first);
await stack.stop();
heal();
await start();
const known = { balance: await balanceOf(reader), purchases: await purchasesOf(reader), lines: await client.statement(reader.account, reader.device) };
await stack.kill9();
// The sale went out meanwhile, if it was quick: make it wait once more.
const made = makeOld(stack, { seller: seller.account, undelivered: [[late.account, underWay.order]] });
console.log(`made old: ${JSON.stringify(made)}`);
await start();

test('a delivery that the version before left reaches the seller, and its last batch is not credited twice', { timeout: START_MS }, async () => {
  // Nobody asks: what was armed then goes off now.
  await sleep(SETTLED_MS);
  const { balance_msat: balance, incoming_msat: incoming } = await look(seller);
  assert.deepEqual([balance, incoming], [4 * NET, 0]);
  const operators = [OLD_FEES, feesOf(seller.account)].map((name) => readAccount(fileOf(stack, 'Account', name)));
  const fees = operators.reduce((sum, account) => sum + (account?.head.credits_posted ?? 0), 0);
  assert.equal(fees, 4 * (PRICE - NET));
});

test('balances, purchases, journal and rate are what they were', { timeout: START_MS }, async () => {
  const { balance_msat: balance, rate: shown } = await look(reader);
  assert.equal(balance, known.balance);
  assert.deepEqual([shown.source, shown.time, shown.usd_micros_per_btc], [rate.source, rate.time, rate.usd_micros_per_btc]);
  assert.deepEqual(await purchasesOf(reader), known.purchases);
  const lines = await client.statement(reader.account, reader.device);
  assert.deepEqual(lines, known.lines);
  assert.ok(lines.length > 64);
  const sellers = await client.statement(seller.account, seller.device);
  assert.deepEqual([...new Set(sellers.map(({ kind }) => kind))], ['sales']);
  assert.equal(sellers.reduce((sum, { count }) => sum + count, 0), 4);
  assert.equal(sellers.at(-1).balance_msat, 4 * NET);
});

test('orders of before are replayed, what is owned stays owned, and keys open it', { timeout: START_MS }, async () => {
  for (const order of [...bought, reissued, underWay]) {
    const again = await client.order(order.jws);
    assert.deepEqual([again.replayed, claimsOf(again.receipt)], [true, claimsOf(order.receipt)]);
  }
  await client.contentKey(bought[0].receipt, reader.device);
  await client.contentKey(reissued.receipt, otherKey);
  const once = await buy(reader, second, { cnf: await newDeviceKey() });
  assert.equal(once.owned, true);
  assert.equal(await balanceOf(reader), known.balance);
});

test('new purchases, new works and refunds of old purchases work', { timeout: START_MS }, async () => {
  await buy(reader, third);
  const limited = await publish(seller, { usd_micros: PRICE, limit: 1 });
  await buy(late, limited);
  await until('the seller is paid', async () => (await balanceOf(seller)) === 6 * NET);
  const { handle } = claimsOf(bought[0].receipt);
  const { account, device } = seller;
  const refund = await client.refund(await client.makeRefund({ key: device, account, purchase: handle, msat: PRICE, ledger: 'test' }));
  assert.equal(refund.status, 'posted');
  assert.equal(await balanceOf(reader), known.balance);
  const again = await makeOrder(reader, first);
  assert.equal((await client.order(again.jws)).owned, false, 'it may be bought again');
  const rows = readAccount(fileOf(stack, 'Account', reader.account)).transfers;
  assert.equal(rows.filter(({ state }) => state === STATE.ENDED).length, 1);
  await until('the seller is paid', async () => (await balanceOf(seller)) === 7 * NET - PRICE + refund.fee_returned_msat);
});

test('an audit of what was brought up to date finds nothing', { timeout: START_MS }, async () => {
  await sleep(2_000);
  const run = await ops('audit', '--age', 1);
  const report = said(run);
  assert.deepEqual([report.findings, report.ok, run.code], [[], true, 0]);
  assert.ok(report.inboxes >= 2, oldInboxOf(seller.account));
});
