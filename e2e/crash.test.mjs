// The power fails in the middle of sales: SIGKILL to the very process that serves, again and again.
// What a client was told stands, no order is charged twice, and sums are conserved to the millisatoshi.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { afterFee } from '../sdk/js/src/index.js';
import { freePort } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { balanceOf, claimsOf, fund, look, makeOrder, newWallet, publish, purchasesOf } from './lib/actors.mjs';
import { chooser } from './lib/random.mjs';
import { equip, scratch } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

const KILLS = process.env.SATCHEL_SOAK ? 100 : 10;
const BUYERS = 4;
const PRICE = 3_333;
const FUNDED = 1_000_000;
const FEE_BPS = 500;
// A sale reaches the seller so long after a restart at the latest.
const SETTLED_MS = 5_000;
const KILL_MS = 20_000;
const START_MS = 120_000;
// Kinds of rows in an account's journal (docs/LEDGER.md).
const [PURCHASE, FUND, FOLD] = [1, 3, 4];
const SEED = Number(process.env.SATCHEL_SEED ?? Date.now() % 2 ** 32);

const random = chooser(SEED);
console.log(`seed ${SEED}`);

const place = scratch('crash');
const bucket = await startBucket();
const port = await freePort();
let stack;
after(async () => {
  await stack?.stop();
  await bucket.stop();
  place.remove();
});

/** Starts on what was left, with the same bucket and address. */
const start = async () => {
  stack = equip(await startWorkerd({ dir: place.dir, port, bucket }));
};

const killAndStart = async () => {
  await stack.kill9();
  await start();
};

await start();
const { client } = stack;
const creator = await newWallet(client);
const works = [await publish(creator, { usd_micros: PRICE }), await publish(creator, { usd_micros: PRICE })];
/** Every order ever made: {wallet, jws, order, told: the issuer's answer, if one came}. */
const orders = [];
const wallets = new Set();

/** Buyers, each with orders for all works, signed and not sent. */
async function newOrders() {
  const made = [];
  for (let i = 0; i < BUYERS; i += 1) {
    const wallet = await newWallet(client);
    await fund(wallet, FUNDED);
    wallets.add(wallet);
    for (const work of works) made.push({ wallet, ...(await makeOrder(wallet, work)) });
  }
  orders.push(...made);
  return made;
}

/** Sends an order. Afterwards it is known to be posted, or its outcome is unknown; never "failed". */
async function sendOrder(order) {
  try {
    order.told = await client.order(order.jws);
  } catch (error) {
    assert.ok(error.code === 'network' || error.code === 'unavailable', `seed ${SEED}: refused: ${error.message}`);
  }
}

const net = () => orders.length * afterFee(PRICE, FEE_BPS);
const isPaid = async () => (await balanceOf(creator)) === net();

// When the power fails: after some of the answers, at any moment, or while sales are on their way to the seller.
const MOMENTS = [
  async (sent, fresh) => {
    const some = 1 + random.below(fresh.length - 1);
    await until('some answers', () => fresh.filter(({ told }) => told).length >= some, { every: 1 });
  },
  () => sleep(random.below(120)),
  async (sent) => {
    await Promise.all(sent);
    await sleep(random.below(1_500));
  },
];

test(`${KILLS} kills in the middle of concurrent sales lose nothing and charge nothing twice`, async () => {
  const counts = { told: 0, unknown: 0, posted: 0 };
  let slowest = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const fresh = await newOrders();
    const sent = fresh.map((order) => sleep(random.below(30)).then(() => sendOrder(order)));
    await MOMENTS[kill % MOMENTS.length](sent, fresh);
    await stack.kill9();
    await Promise.all(sent);
    await start();
    // And once more while it picks up what was left.
    if (random.chance(0.3)) {
      await sleep(random.below(300));
      await killAndStart();
    }
    const told = fresh.filter((order) => order.told);
    const unknown = fresh.filter((order) => !order.told);
    // What a client was told stands, word for word.
    for (const order of told) {
      const again = await client.order(order.jws);
      assert.deepEqual([again.replayed, again.owned], [true, false], `seed ${SEED}: an acknowledged sale is gone`);
      assert.deepEqual(claimsOf(again.receipt), claimsOf(order.told.receipt));
    }
    // What nobody was told of is sent again, now and then twice at once, and ends posted exactly once.
    for (const order of unknown) {
      const answers = await Promise.all(Array.from({ length: 1 + random.below(2) }, () => client.order(order.jws)));
      assert.ok(answers.filter(({ replayed }) => !replayed).length <= 1);
      assert.ok(answers.every(({ owned }) => !owned));
      if (answers.every(({ replayed }) => replayed)) counts.posted += 1;
      [order.told] = answers;
    }
    counts.told += told.length;
    counts.unknown += unknown.length;
    const from = Date.now();
    await until(`seed ${SEED}: the creator is paid for everything`, isPaid, { ms: SETTLED_MS });
    slowest = Math.max(slowest, Date.now() - from);
  }
  const { told, unknown, posted } = counts;
  console.log(`${orders.length} orders: ${told} acknowledged before a kill; ${unknown} unknown, ${posted} of them posted`);
  console.log(`settled in ${slowest} ms at most`);
  assert.ok(counts.told > 0 && counts.unknown > 0, 'the kills came too early or too late to test anything');
}, { timeout: START_MS + KILLS * KILL_MS });

test('sales under way when the power failed reach the seller although nobody asks', async () => {
  const fresh = await newOrders();
  await Promise.all(fresh.map(sendOrder));
  assert.ok(fresh.every(({ told }) => told));
  await killAndStart();
  // Asking would wake the objects: they have to wake by themselves.
  await sleep(SETTLED_MS);
  const { balance_msat: balance, incoming_msat: incoming } = await look(creator);
  assert.deepEqual([balance, incoming], [net(), 0]);
}, { timeout: START_MS });

test('after all kills every account holds what its sales say, and the sums are those that were put in', async () => {
  const handles = new Set(orders.map(({ told }) => claimsOf(told.receipt).handle));
  assert.equal(handles.size, orders.length, 'one purchase for each order');
  let left = 0;
  for (const wallet of wallets) {
    const { balance_msat: balance, pending_msat: pending } = await look(wallet);
    assert.deepEqual([balance, pending], [FUNDED - works.length * PRICE, 0]);
    assert.equal((await purchasesOf(wallet)).length, works.length);
    left += balance;
  }
  const { balance_msat: paid, incoming_msat: incoming } = await look(creator);
  assert.equal(incoming, 0);
  const fees = orders.length * (PRICE - afterFee(PRICE, FEE_BPS));
  assert.equal(left + paid + fees, wallets.size * FUNDED);
}, { timeout: START_MS });

test('the books at rest say the same: every credit has its debit, and nothing is under way', async () => {
  await stack.stop();
  const books = readBooks(join(stack.state, 'ledger-Account'));
  const sum = (list, of) => list.reduce((total, one) => total + BigInt(of(one)), 0n);
  const bodies = (kind) => books.flatMap(({ transfers }) => transfers.filter((row) => row.kind === kind));
  for (const { account, transfers } of books) {
    const of = (...kinds) => sum(transfers.filter(({ kind }) => kinds.includes(kind)), ({ msat }) => msat);
    assert.equal(BigInt(account.debits_posted), of(PURCHASE));
    assert.equal(BigInt(account.credits_posted), of(FUND, FOLD));
    assert.deepEqual([account.debits_pending, account.credits_pending, account.outbox.length], [0, 0, 0]);
  }
  assert.equal(bodies(PURCHASE).length, orders.length);
  const folded = sum(bodies(FOLD), ({ msat }) => msat);
  assert.equal(folded, BigInt(orders.length * PRICE), 'all that was paid has reached seller and operator');
  const fees = books.filter(({ account, transfers }) => account.debits_posted === 0 && transfers.every(({ kind }) => kind === FOLD));
  const shares = fees.map(({ account }) => account.credits_posted).sort((a, b) => a - b);
  assert.deepEqual(shares, [orders.length * (PRICE - afterFee(PRICE, FEE_BPS)), net()], 'the operator’s account and the creator’s');
});

/** Every account in a directory of the runtime's databases. */
function readBooks(dir) {
  const files = readdirSync(dir).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
  return files.flatMap((name) => {
    const db = new DatabaseSync(join(dir, name));
    try {
      const [account] = db.prepare('SELECT * FROM account').all();
      return account ? [{ account, transfers: db.prepare('SELECT kind, msat FROM transfers').all() }] : [];
    } finally {
      db.close();
    }
  });
}
