// Copies that are counted: as many as there are go out, however many people want one at the same moment,
// and whoever gets none keeps their money. Runs on bare workerd, which is also killed meanwhile.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { afterFee } from '../sdk/js/src/index.js';
import { freePort } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { balanceOf, claimsOf, fund, look, newWallet, publish } from './lib/actors.mjs';
import { chooser } from './lib/random.mjs';
import { equip, scratch } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

const SOAK = Boolean(process.env.SATCHEL_SOAK);
const [CLAIMS, COPIES] = SOAK ? [1_000, 100] : [120, 20];
const TIMES = SOAK ? { limit: 50, giveaway: 50 } : { limit: 1, giveaway: 2 };
const KILLS = SOAK ? 20 : 2;
const PRICE = 1_000;
const FUNDED = 1_000_000;
const TEST_MS = (SOAK ? 60 : 6) * 60_000;
const SEED = Number(process.env.SATCHEL_SEED ?? Date.now() % 2 ** 32);

const random = chooser(SEED);
console.log(`seed ${SEED}: ${CLAIMS} claims on ${COPIES} copies, limited ${TIMES.limit} times, given away ${TIMES.giveaway} times; ${KILLS} times with a kill`);

const place = scratch('stock');
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

await start();
const { client } = stack;
const seller = await newWallet(client);
const people = [];
while (people.length < CLAIMS) {
  const some = Array.from({ length: Math.min(20, CLAIMS - people.length) }, () => newWallet(client));
  people.push(...(await Promise.all(some)).map((wallet) => ({ wallet, spent: 0 })));
}
await inGroups(people, ({ wallet }) => fund(wallet, FUNDED));
let earned = 0;

/** Everybody, but not all at once: only claims are to be concurrent. */
async function inGroups(list, act) {
  const waiting = [...list];
  const worker = async () => {
    for (let one = waiting.pop(); one; one = waiting.pop()) await act(one);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

/** One claim for each person on a work of which there are few copies, made while there are some. */
async function claimsOn(kind) {
  const work = await publish(seller, { usd_micros: PRICE, [kind]: COPIES });
  const quote = await client.quote(work.work);
  assert.equal(quote.msat, kind === 'giveaway' ? 0 : PRICE);
  const claim = async (person) => {
    const { account, device } = person.wallet;
    return { person, kind, ...(await client.makeOrder({ key: device, account, quote, cnf: device.jkt })) };
  };
  return { work, msat: quote.msat, claims: await Promise.all(people.map(claim)) };
}

/** Sends a claim; it gets a copy, is told that there are none left, or its outcome is unknown. */
async function send(claim) {
  try {
    const told = await client.order(claim.jws);
    if (claim.told) assert.deepEqual([told.replayed, claimsOf(told.receipt)], [true, claimsOf(claim.told.receipt)]);
    assert.ok(!claim.soldOut, `seed ${SEED}: refused for good, then sold`);
    claim.told = told;
  } catch (error) {
    if (error.code === 'sold_out') {
      assert.ok(!claim.told, `seed ${SEED}: sold, then refused`);
      assert.equal(error.members.of, claim.kind);
      claim.soldOut = true;
    } else if (error.code !== 'network' && error.code !== 'unavailable') throw error;
  }
}

/**
 * Exactly as many as there are copies have one, have paid for it, and the seller has got the money. Looks at
 * the balances of some of those who got nothing, or of all people.
 */
async function exact({ work, msat, claims }, { all = false } = {}) {
  const sold = claims.filter(({ told }) => told);
  assert.equal(sold.length, COPIES, `seed ${SEED}`);
  assert.equal(claims.filter(({ soldOut }) => soldOut).length, CLAIMS - COPIES, 'everybody else is told so');
  for (const { person } of sold) person.spent += msat;
  earned += COPIES * afterFee(msat, 500);
  const asked = all ? people : claims.filter(({ told }, i) => told || i % 10 === 0).map(({ person }) => person);
  await inGroups(asked, async ({ wallet, spent }) => {
    const { balance_msat: balance, pending_msat: pending } = await look(wallet);
    assert.deepEqual([balance, pending], [FUNDED - spent, 0], `seed ${SEED}: balance of ${wallet.account}`);
  });
  const { stock } = await client.record(work.work);
  assert.deepEqual(stock, { sold: COPIES, given: msat ? 0 : COPIES });
  await until('the seller is paid', async () => (await balanceOf(seller)) === earned);
}

for (const [kind, times] of Object.entries(TIMES)) {
  test(`${CLAIMS} people at once get ${COPIES} copies (${kind}), ${times} times over`, { timeout: TEST_MS }, async () => {
    for (let i = 0; i < times; i += 1) {
      const sale = await claimsOn(kind);
      await Promise.all(sale.claims.map(send));
      await exact(sale, { all: i === times - 1 });
    }
  });
}

test('a copy given away is followed by copies for money, up to the limit', { timeout: TEST_MS }, async () => {
  const few = people.slice(0, 5);
  const work = await publish(seller, { usd_micros: PRICE, giveaway: 2, limit: 4 });
  const prices = [];
  for (const person of few.slice(0, 4)) {
    const { wallet } = person;
    const quote = await client.quote(work.work);
    prices.push(quote.msat);
    person.spent += quote.msat;
    const { jws } = await client.makeOrder({ key: wallet.device, account: wallet.account, quote, cnf: wallet.device.jkt });
    await client.order(jws);
  }
  assert.deepEqual(prices, [0, 0, PRICE, PRICE]);
  earned += 2 * afterFee(PRICE, 500);
  await assert.rejects(client.quote(work.work), (error) => error.code === 'sold_out' && error.members.of === 'limit');
  assert.deepEqual((await client.record(work.work)).stock, { sold: 4, given: 2 });
});

test(`the power fails in the middle, ${KILLS} times; all claims are sent again, and copies are still exact`, { timeout: TEST_MS }, async () => {
  let [unknown, before] = [0, 0];
  for (let i = 0; i < KILLS; i += 1) {
    const sale = await claimsOn(i % 2 ? 'giveaway' : 'limit');
    const sent = sale.claims.map(send);
    // By the clock: what waits together is written together, and with the first answer most have theirs.
    await sleep(20 + random.below(200));
    await stack.kill9();
    await Promise.all(sent);
    unknown += sale.claims.filter(({ told, soldOut }) => !told && !soldOut).length;
    before += sale.claims.filter(({ told }) => told).length;
    await start();
    await Promise.all(sale.claims.map(send));
    await exact(sale, { all: true });
  }
  console.log(`${before} copies were sold before a kill, ${unknown} claims unknown after it`);
  assert.ok(unknown > 0, 'the kills came too late to test anything');
});
