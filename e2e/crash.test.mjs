// The power fails in the middle of sales, of copies that are counted and of refunds: SIGKILL to the very
// process that serves, again and again. What a client was told stands, nothing is charged or paid back
// twice, and sums are conserved to the millisatoshi.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { afterFee } from '../sdk/js/src/index.js';
import { freePort } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { balanceOf, claimsOf, fund, look, makeOrder, newWallet, publish, purchasesOf } from './lib/actors.mjs';
import { DEBITS, KIND, STATE, feeBack, feesOf, fileOf, readAccount, readAccounts } from './lib/books.mjs';
import { refused } from './lib/problem.mjs';
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
// So many copies are there of one of the works: the last ones are wanted by more buyers than there are.
const COPIES = KILLS * 2 + 2;
// A part of a purchase that is paid back, so that its fee is no whole number.
const PART = 1_000;
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
const works = [
  await publish(creator, { usd_micros: PRICE }),
  await publish(creator, { usd_micros: PRICE }),
  await publish(creator, { usd_micros: PRICE, limit: COPIES }),
  await publish(creator, { usd_micros: PRICE, giveaway: 1_000_000 }),
];
const [, , limited, given] = works;
/** Every order ever made: {wallet, work, jws, told: the issuer's answer, if one came; or `soldOut`}. */
const orders = [];
/** Every refund ever made: {of: order, msat, jws, told}. */
const refunds = [];
const wallets = new Set();
const known = ({ told, soldOut }) => Boolean(told || soldOut);
const isPosted = ({ told }) => Boolean(told);
const priceOf = ({ work }) => (work === given ? 0 : PRICE);
const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);

/** Buyers, each with orders for all works, signed and not sent. */
async function newOrders() {
  const made = [];
  for (let i = 0; i < BUYERS; i += 1) {
    const wallet = await newWallet(client);
    await fund(wallet, FUNDED);
    wallets.add(wallet);
    for (const work of works) {
      if (work === limited && orders.some(({ soldOut }) => soldOut)) await refused('sold_out', () => makeOrder(wallet, work));
      else made.push({ wallet, work, ...(await makeOrder(wallet, work)) });
    }
  }
  orders.push(...made);
  return made;
}

/** Pays two purchases of before back, one of them in part. */
async function newRefunds() {
  const free = orders.filter((order) => isPosted(order) && priceOf(order) && !order.refunded);
  const made = [];
  for (const msat of [PRICE, PART].slice(0, free.length)) {
    const order = random.pick(free.filter(({ refunded }) => !refunded));
    order.refunded = msat;
    const purchase = claimsOf(order.told.receipt).handle;
    const jws = await client.makeRefund({ key: creator.device, account: creator.account, purchase, msat, ledger: 'test' });
    made.push({ of: order, msat, jws });
  }
  refunds.push(...made);
  return made;
}

/** What was sent is decided afterwards, or its outcome is unknown; never "failed". */
async function send(one) {
  try {
    one.told = await (one.of ? client.refund(one.jws) : client.order(one.jws));
  } catch (error) {
    if (error.code === 'sold_out' && one.work === limited) one.soldOut = true;
    else assert.ok(error.code === 'network' || error.code === 'unavailable', `seed ${SEED}: refused: ${error.message}`);
  }
}

const FEE = PRICE - afterFee(PRICE, FEE_BPS);
const feeOf = ({ msat }) => feeBack(msat, FEE, PRICE);
const net = () => sum(orders.filter(isPosted), (order) => afterFee(priceOf(order), FEE_BPS)) - sum(refunds, (refund) => refund.msat - feeOf(refund));
const isPaid = async () => (await balanceOf(creator)) === net();

// When the power fails: after some of the answers, at any moment, or while sales are on their way to the seller.
const MOMENTS = [
  async (sent, fresh) => {
    const some = 1 + random.below(fresh.length - 1);
    await until('some answers', () => fresh.filter(known).length >= some, { every: 1 });
  },
  () => sleep(random.below(120)),
  async (sent) => {
    await Promise.all(sent);
    await sleep(random.below(1_500));
  },
];

/** What a client was told stands, word for word. */
async function stands(one) {
  if (one.soldOut) return refused('sold_out', () => client.order(one.jws), `seed ${SEED}: a copy came back`);
  if (one.of) {
    const again = await client.refund(one.jws);
    return assert.deepEqual(again, { ...one.told, replayed: true }, `seed ${SEED}: an acknowledged refund is gone`);
  }
  const again = await client.order(one.jws);
  assert.deepEqual([again.replayed, again.owned], [true, false], `seed ${SEED}: an acknowledged sale is gone`);
  return assert.deepEqual(claimsOf(again.receipt), claimsOf(one.told.receipt));
}

test(`${KILLS} kills in the middle of sales and refunds lose nothing and charge nothing twice`, async () => {
  const counts = { told: 0, unknown: 0, posted: 0 };
  let slowest = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Refunds of what an earlier round sold.
    const paidBack = await newRefunds();
    const fresh = [...(await newOrders()), ...paidBack];
    const sent = fresh.map((one) => sleep(random.below(30)).then(() => send(one)));
    await MOMENTS[kill % MOMENTS.length](sent, fresh);
    await stack.kill9();
    await Promise.all(sent);
    await start();
    // And once more while it picks up what was left.
    if (random.chance(0.3)) {
      await sleep(random.below(300));
      await killAndStart();
    }
    const told = fresh.filter(known);
    const unknown = fresh.filter((one) => !known(one));
    for (const one of told) await stands(one);
    // What nobody was told of is sent again, now and then twice at once, and ends posted exactly once.
    for (const one of unknown) {
      const twins = Array.from({ length: 1 + random.below(2) }, () => ({ ...one }));
      await Promise.all(twins.map(send));
      assert.ok(twins.every(known), `seed ${SEED}: not decided by a running process`);
      assert.ok(twins.every((twin) => isPosted(twin) === isPosted(twins[0])), `seed ${SEED}: decided in two ways`);
      const first = twins.filter(({ told: answer }) => answer && !answer.replayed);
      // Whatever waited for its copy may end in the answer of either.
      if (one.work !== limited && one.work !== given && !one.of) assert.ok(first.length <= 1);
      if (isPosted(twins[0]) && !first.length) counts.posted += 1;
      Object.assign(one, twins[0]);
    }
    counts.told += told.length;
    counts.unknown += unknown.length;
    const from = Date.now();
    await until(`seed ${SEED}: the creator is paid for everything`, isPaid, { ms: SETTLED_MS });
    slowest = Math.max(slowest, Date.now() - from);
  }
  const { told, unknown, posted } = counts;
  const soldOut = orders.filter((order) => order.soldOut).length;
  console.log(`${KILLS} kills, ${orders.length} orders, ${refunds.length} refunds: ${told} acknowledged before a kill; ${unknown} unknown, ${posted} of them posted; ${soldOut} sold out`);
  console.log(`settled in ${slowest} ms at most`);
  assert.ok(counts.told > 0 && counts.unknown > 0, 'the kills came too early or too late to test anything');
  assert.equal(orders.filter((order) => order.work === limited && isPosted(order)).length, COPIES);
  const stock = async ({ work }) => (await client.record(work)).stock;
  assert.deepEqual(await stock(limited), { sold: COPIES, given: 0 });
  assert.deepEqual(await stock(given), { sold: KILLS * BUYERS, given: KILLS * BUYERS });
}, { timeout: START_MS + KILLS * KILL_MS });

test('what was under way when the power failed comes to its end although nobody asks', async () => {
  const fresh = [...(await newRefunds()), ...(await newOrders())];
  await Promise.all(fresh.map(send));
  assert.ok(fresh.every(known));
  await killAndStart();
  // Asking would wake the objects: they have to wake by themselves.
  await sleep(SETTLED_MS);
  await stack.kill9();
  assert.deepEqual(readAccounts(stack).filter(({ outbox }) => outbox).map(({ file }) => file), []);
  await start();
  const { balance_msat: balance, incoming_msat: incoming } = await look(creator);
  assert.deepEqual([balance, incoming], [net(), 0]);
}, { timeout: START_MS });

test('after all kills every account holds what its sales say, and the sums are those that were put in', async () => {
  const posted = orders.filter(isPosted);
  const handles = new Set(posted.map(({ told }) => claimsOf(told.receipt).handle));
  assert.equal(handles.size, posted.length, 'one purchase for each order');
  let left = 0;
  for (const wallet of wallets) {
    const own = posted.filter((order) => order.wallet === wallet);
    const paid = sum(own, (order) => priceOf(order) - (order.refunded ?? 0));
    const { balance_msat: balance, pending_msat: pending } = await look(wallet);
    assert.deepEqual([balance, pending], [FUNDED - paid, 0]);
    const shown = await purchasesOf(wallet);
    assert.equal(shown.length, own.length);
    assert.equal(shown.filter(({ active }) => !active).length, own.filter(({ refunded }) => refunded === PRICE).length);
    left += balance;
  }
  const { balance_msat: paid, incoming_msat: incoming } = await look(creator);
  assert.equal(incoming, 0);
  const fees = sum(posted.filter(priceOf), () => FEE) - sum(refunds, feeOf);
  assert.equal(left + paid + fees, wallets.size * FUNDED);
}, { timeout: START_MS });

test('the books at rest say the same: every credit has its debit, and nothing is under way', async () => {
  await stack.stop();
  const books = readAccounts(stack);
  const big = (list, of) => list.reduce((total, one) => total + BigInt(of(one)), 0n);
  const all = (...kinds) => books.flatMap(({ transfers }) => transfers.filter((row) => kinds.includes(row.kind) && row.state !== STATE.VOID));
  const total = (...kinds) => big(all(...kinds), ({ msat }) => msat);
  for (const { head, transfers, outbox } of books) {
    const moved = transfers.filter(({ state }) => state !== STATE.VOID);
    assert.ok(moved.every(({ state }) => state !== STATE.PENDING));
    const [debits, credits] = [true, false].map((out) => big(moved.filter(({ kind }) => DEBITS.includes(kind) === out), ({ msat }) => msat));
    assert.deepEqual([BigInt(head.debits_posted), BigInt(head.credits_posted)], [debits, credits]);
    assert.deepEqual([head.debits_pending, head.credits_pending, outbox], [0, 0, 0]);
  }
  const posted = orders.filter(isPosted);
  assert.equal(all(KIND.PURCHASE).length, posted.length);
  assert.equal(all(KIND.REFUND).length, refunds.length);
  assert.equal(total(KIND.FOLD), total(KIND.PURCHASE), 'all that was paid has reached seller and operator');
  assert.equal(total(KIND.FUND), BigInt(wallets.size * FUNDED));
  for (const [from, to] of [[KIND.REFUND, KIND.REFUNDED], [KIND.FEE_OUT, KIND.FEE_IN]]) assert.equal(total(from), total(to));
  const balance = (name) => {
    const { head } = readAccount(fileOf(stack, 'Account', name));
    return head.credits_posted - head.debits_posted;
  };
  const fees = sum(posted.filter(priceOf), () => FEE) - sum(refunds, feeOf);
  assert.deepEqual([balance(creator.account), balance(feesOf(creator.account))], [net(), fees]);
});
