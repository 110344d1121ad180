// What can happen to money after it was paid: retries, refunds, capped keys, journals; and meanwhile, so that
// it costs no time, partners that are down for longer than the runtime keeps retrying an alarm: nothing is
// lost, and all drains within a minute of their return. The outage is a real one: an object's database
// cannot be opened, so every use of it ends in an exception of the platform.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { afterFee, makeSignOut, newDeviceKey } from '../sdk/js/src/index.js';
import { freePort } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import {
  balanceOf, buy, claimsOf, delegate, fund, look, makeOrder, newKeyOf, newWallet, noise, publish, purchasesOf,
} from './lib/actors.mjs';
import { breakObject, contents, feeBack, feesOf, fileOf, inboxOf, readAccount } from './lib/books.mjs';
import { refused } from './lib/problem.mjs';
import { equip, scratch } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

// Seven tries of the runtime's own would be over after some four minutes; ours go on.
// Tries are due after some 4, 12 and 28 s: a short run has not to wait for long after the return.
const DOWN_MS = process.env.SATCHEL_SOAK ? 600_000 : 26_000;
// A promise of ours: all is paid so long after the partner's return.
const DRAINED_MS = 60_000;
const TEST_MS = DOWN_MS + 180_000;
// The runtime lets go of an object that nobody asked for ten seconds; orders know a work for twenty.
const IDLE_MS = 12_500;
const PRICE = 3_333;
const FUNDED = 100_000;
const FEE = PRICE - afterFee(PRICE, 500);

const place = scratch('outage');
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
const funded = async () => {
  const wallet = await newWallet(client);
  await fund(wallet, FUNDED);
  return wallet;
};
/** Sellers whose part for the operator goes to the account that will be down. */
const unlucky = await newWallet(client);
/** And all others: a batch that the operator has not got holds up the next one. */
async function newSeller() {
  for (;;) {
    const wallet = await newWallet(client);
    if (feesOf(wallet.account) !== feesOf(unlucky.account)) return wallet;
  }
}
const sold = async (options, wallet) => {
  wallet ??= await newSeller();
  return { wallet, work: await publish(wallet, { usd_micros: PRICE, ...options }) };
};
const buyers = [await funded(), await funded(), await funded()];
const inboxDown = await sold();
const homeDown = await sold();
const feesDown = await sold({}, unlucky);
const workDown = await sold({ limit: 3 });
const paying = [inboxDown, homeDown, feesDown];
const SALES = buyers.length + 1;
// One sale of each comes home while all is well.
const early = await funded();
for (const { work } of paying) await buy(early, work);
const earns = (sales) => async ({ wallet }) => (await balanceOf(wallet)) === sales * (PRICE - FEE);
for (const seller of paying) await until('the first sale comes home', () => earns(1)(seller));
const feesAccount = fileOf(stack, 'Account', feesOf(feesDown.wallet.account));
await until('and the operator’s part', () => readAccount(feesAccount)?.head.credits_posted >= FEE);

// The seller's inbox, another seller's own account, and a third one's part for the operator are gone.
await stack.stop();
const heals = [
  breakObject(fileOf(stack, 'Inbox', inboxOf(inboxDown.wallet.account))),
  breakObject(fileOf(stack, 'Account', homeDown.wallet.account)),
  breakObject(feesAccount),
];
await start();
const cut = Date.now();
for (const buyer of buyers) for (const { work } of paying) await buy(buyer, work);

const balance = (wallet) => look(wallet).then(({ balance_msat: posted, pending_msat: pending }) => [posted, pending]);

const accountFile = (name) => fileOf(stack, 'Account', name);

/** `action` is answered, and writes no row into any of these accounts. */
async function writesNothing(accounts, action) {
  const before = accounts.map((name) => contents(accountFile(name)));
  const answer = await action();
  assert.deepEqual(accounts.map((name) => contents(accountFile(name))), before, 'something was written');
  return answer;
}

/** A seller who has been paid for these works by this buyer. */
async function sale({ titles = ['A song'], ...options } = {}) {
  const [seller, buyer] = [await newSeller(), await funded()];
  const bought = [];
  for (const title of titles) {
    const work = await publish(seller, { usd_micros: PRICE, title, ...options });
    bought.push({ work, ...(await buy(buyer, work)) });
  }
  await until('the seller is paid', async () => (await balanceOf(seller)) === titles.length * (PRICE - FEE));
  await until('the operator too', () => readAccount(accountFile(feesOf(seller.account)))?.head.credits_posted >= titles.length * FEE);
  return { seller, buyer, bought };
}

const handleOf = ({ receipt }) => claimsOf(receipt).handle;

function signedRefund({ account, device }, purchase, msat, { seq = 1, key = device } = {}) {
  return client.makeRefund({ key, account, purchase: typeof purchase === 'string' ? purchase : handleOf(purchase), seq, msat, ledger: 'test' });
}

async function refund(seller, purchase, msat, options) {
  return client.refund(await signedRefund(seller, purchase, msat, options));
}

/** What happens while the partners are down. */
const MEANWHILE = {
  'a retry is answered as before and writes no row': async () => {
    const { seller, buyer, bought: [bought] } = await sale();
    const everybody = [seller.account, buyer.account, feesOf(seller.account)];
    const again = await writesNothing([seller.account, buyer.account], () => client.order(bought.jws));
    assert.deepEqual([again.replayed, claimsOf(again.receipt)], [true, claimsOf(bought.receipt)]);
    const money = { id: `fnd_${'a'.repeat(32)}`, msat: 5 };
    await client.testMoney(buyer.account, buyer.device, money);
    const twice = await writesNothing([buyer.account], () => client.testMoney(buyer.account, buyer.device, money));
    assert.deepEqual(twice, { balance_msat: FUNDED - PRICE + 5, replayed: true });
    const jws = await signedRefund(seller, bought, 1_000);
    const first = await client.refund(jws);
    await sleep(2_500);
    const books = everybody.slice(0, 2);
    assert.deepEqual(await writesNothing(books, () => client.refund(jws)), { ...first, replayed: true });
    // Signed anew, it is the same refund; with another amount, it is none.
    assert.deepEqual(await writesNothing(books, () => refund(seller, bought, 1_000)), { ...first, replayed: true });
    await writesNothing(books, () => refused('refund_conflict', () => refund(seller, bought, 1_001)));
    await writesNothing(books, () => refused('refund_exceeds', () => refund(seller, bought, PRICE + 1, { seq: 2 })));
  },

  'who is paid back in full no longer owns the work, and may buy it again': async () => {
    const { seller, buyer, bought: [bought] } = await sale();
    const { device } = buyer;
    await client.contentKey(bought.receipt, device);
    const reissued = await buy(buyer, bought.work, { cnf: await newDeviceKey() });
    assert.equal(reissued.owned, true);
    await fund(seller, PRICE);
    const fees = () => readAccount(accountFile(feesOf(seller.account))).transfers.filter(({ body }) => body.includes(bought.order)).map(({ msat }) => msat);
    const done = await refund(seller, bought, PRICE);
    assert.deepEqual([done.status, done.replayed, done.msat, done.fee_returned_msat], ['posted', false, PRICE, FEE]);
    assert.deepEqual(await balance(buyer), [FUNDED, 0]);
    assert.deepEqual(await balance(seller), [PRICE, 0]);
    assert.deepEqual(fees(), [FEE], 'from the operator’s account');
    await refused('not_entitled', () => client.contentKey(bought.receipt, device));
    const [shown] = await purchasesOf(buyer);
    assert.deepEqual([shown.refunded_msat, shown.active, shown.msat], [PRICE, false, PRICE]);
    assert.equal((await client.order(bought.jws)).replayed, true, 'the order stays what it was');
    const again = await buy(buyer, bought.work);
    assert.deepEqual([again.replayed, again.owned], [false, false]);
    assert.notEqual(handleOf(again), handleOf(bought));
    await client.contentKey(again.receipt, device);
    await refused('not_entitled', () => client.contentKey(bought.receipt, device), 'the old receipt opens nothing');
    assert.deepEqual((await purchasesOf(buyer)).map(({ active }) => active), [true, false]);
    assert.equal(await balanceOf(buyer), FUNDED - PRICE);
  },

  'a stream that was paid back ends': async () => {
    const { seller, buyer, bought: [bought] } = await sale({ use: 'stream', windows: 8, bytes: noise(40_000) });
    let { session, capability } = await client.session(bought.receipt, buyer.device);
    const window = async () => ({ capability } = await client.windowKey(session, 0, capability, buyer.device));
    await window();
    await fund(seller, PRICE);
    await refund(seller, bought, PRICE);
    await refused('not_entitled', () => client.session(bought.receipt, buyer.device));
    const from = Date.now();
    const ended = await until('the session ends', () => window().then(() => false, (error) => error), { ms: 45_000, every: 1_000 });
    assert.ok(['session_ended', 'not_entitled', 'capability_expired'].includes(ended.code), ended.code);
    console.log(`a window was last released ${Date.now() - from} ms after the refund (${ended.code})`);
  },

  'a purchase is paid back in parts, the fee in proportion, and never more than was paid': async () => {
    const { seller, buyer, bought: [bought] } = await sale();
    await fund(seller, FUNDED);
    const parts = [[1, 1_000], [2, 1_333]];
    let [left, feeLeft] = [PRICE, FEE];
    for (const [seq, msat] of parts) {
      const back = feeBack(msat, feeLeft, left);
      const done = await refund(seller, bought, msat, { seq });
      assert.deepEqual([done.msat, done.fee_returned_msat], [msat, back]);
      [left, feeLeft] = [left - msat, feeLeft - back];
      await client.contentKey(bought.receipt, buyer.device);
    }
    const exceeds = await refused('refund_exceeds', () => refund(seller, bought, left + 1, { seq: 3 }));
    assert.equal(exceeds.members.left_msat, left);
    const again = await refused('refund_exceeds', () => refund(seller, bought, left + 1, { seq: 3 }));
    assert.equal(again.members.left_msat, left, 'given up for good');
    assert.deepEqual(await balance(seller), [FUNDED + PRICE - FEE - (PRICE - left) + (FEE - feeLeft), 0]);
    const last = await refund(seller, bought, left, { seq: 4 });
    assert.equal(last.fee_returned_msat, feeLeft, 'all of the fee, whatever was rounded on the way');
    assert.deepEqual([await balanceOf(seller), await balanceOf(buyer)], [FUNDED, FUNDED]);
    await refused('not_entitled', () => client.contentKey(bought.receipt, buyer.device));
    const none = await refused('refund_exceeds', () => refund(seller, bought, 1, { seq: 5 }));
    assert.equal(none.members.left_msat, 0);
  },

  'a refund sent many times at once is one; two at once never pay back more than was paid': async () => {
    const { seller, buyer, bought: [bought] } = await sale();
    await fund(seller, FUNDED);
    const jws = await signedRefund(seller, bought, 500);
    const told = await Promise.all(Array.from({ length: 8 }, () => client.refund(jws)));
    assert.ok(told.every(({ refund: id, msat }) => id === told[0].refund && msat === 500));
    assert.equal(await balanceOf(buyer), FUNDED - PRICE + 500);
    const many = Array.from({ length: 6 }, (_, i) => refund(seller, bought, 1_000, { seq: 10 + i }).then(() => 1, (error) => {
      assert.equal(error.code, 'refund_exceeds');
      return 0;
    }));
    assert.equal((await Promise.all(many)).reduce((a, b) => a + b), 2);
    assert.equal(await balanceOf(buyer), FUNDED - PRICE + 2_500);
    let [left, feeLeft] = [PRICE, FEE];
    for (const msat of [500, 1_000, 1_000]) [left, feeLeft] = [left - msat, feeLeft - feeBack(msat, feeLeft, left)];
    assert.deepEqual(await balance(seller), [FUNDED + PRICE - FEE - 2_500 + (FEE - feeLeft), 0]);
  },

  'only who was paid pays back, with a key that may spend, and only what they have': async () => {
    const { seller, buyer, bought: [bought] } = await sale();
    const other = await funded();
    const unknown = (action) => writesNothing([other.account, seller.account, buyer.account], () => refused('unknown_sale', action));
    await unknown(() => refund(other, bought, 10));
    await unknown(() => refund(seller, 'pur_AAAA', 10));
    const live = client.makeRefund({ key: seller.device, account: seller.account, purchase: handleOf(bought), msat: 10, ledger: 'live' });
    await unknown(async () => client.refund(await live));
    const reissued = await buy(buyer, bought.work, { cnf: await newDeviceKey() });
    assert.equal(handleOf(reissued), handleOf(bought));
    const reader = await newKeyOf(seller, { scope: ['read'] });
    await refused('scope_missing', () => refund(seller, bought, 10, { key: reader }));
    await refused('scope_missing', async () => refund(seller, bought, 10, { key: await newKeyOf(seller, { maxTotalMsat: 10_000 }) }));
    await refused('cap_exceeded', async () => refund(seller, bought, 10, { key: await newKeyOf(seller, { maxOrderMsat: 9 }) }));
    await refused('wrong_key', async () => refund(seller, bought, 10, { key: await newDeviceKey() }));
    for (const bad of [{ seq: 0 }, { seq: 1_001 }]) await refused('malformed', () => refund(seller, bought, 10, bad));
    await refused('malformed', () => refund(seller, bought, 0));
    const unfunded = await writesNothing([seller.account, buyer.account], () => refused('refund_unfunded', () => refund(seller, bought, PRICE)));
    assert.deepEqual([unfunded.members.balance_msat, unfunded.members.needed_msat], [PRICE - FEE, PRICE]);
    await fund(seller, FEE);
    assert.equal((await refund(seller, bought, PRICE)).status, 'posted', 'the same refund, once there is enough');
    assert.deepEqual([await balanceOf(seller), await balanceOf(buyer)], [FEE, FUNDED]);
    const given = await sold({ giveaway: 3 });
    const free = await buy(buyer, given.work);
    await fund(given.wallet, 100);
    const none = await refused('refund_exceeds', () => refund(given.wallet, free, 1));
    assert.equal(none.members.left_msat, 0);
    assert.deepEqual(await balance(given.wallet), [100, 0]);
  },

  'a key with a total spends that and no more, however many orders it signs at once': async () => {
    const [seller, buyer] = [await newSeller(), await funded()];
    const works = [];
    for (let i = 0; i < 10; i += 1) works.push(await publish(seller, { usd_micros: PRICE }));
    const few = await publish(seller, { usd_micros: PRICE, limit: 1 });
    const capped = await newKeyOf(buyer, { maxTotalMsat: 6 * PRICE + 7 });
    const all = await Promise.all(works.map((work) => makeOrder(buyer, work, { key: capped })));
    const tooLate = await makeOrder(buyer, few, { key: capped });
    await buy(await funded(), few);
    // What was reserved for a copy that is gone was not spent.
    await refused('sold_out', () => client.order(tooLate.jws));
    const told = await Promise.all(all.map(({ jws }) => client.order(jws).then(() => 'posted', ({ code }) => code)));
    assert.equal(told.filter((one) => one === 'posted').length, 6);
    assert.equal(told.filter((one) => one === 'cap_exceeded').length, 4);
    assert.deepEqual(await balance(buyer), [FUNDED - 6 * PRICE, 0]);
    const accepted = all[told.indexOf('posted')];
    assert.equal((await client.order(accepted.jws)).replayed, true, 'a retry spends nothing');
    await delegate(buyer, capped, { maxTotalMsat: PRICE });
    const refusedOnes = all.filter((_, i) => told[i] !== 'posted');
    await client.order(refusedOnes[0].jws);
    await refused('cap_exceeded', () => client.order(refusedOnes[1].jws), 'a new grant, and that is spent too');
  },

  'signing out everywhere ends every key at once; the error says what a new one needs': async () => {
    const { seller, buyer, bought: [bought] } = await sale();
    const second = await newKeyOf(buyer);
    const next = await publish(seller, { usd_micros: PRICE });
    const waiting = await makeOrder(buyer, next, { key: second });
    const signOut = await makeSignOut(buyer.root, { issuer: client.issuer, epoch: 1 });
    await refused('delegation_expired', async () => client.signOut(buyer.account, await makeSignOut(buyer.root, { issuer: client.issuer, epoch: 2 })));
    await refused('wrong_key', () => client.signOut(seller.account, signOut));
    assert.deepEqual(await client.signOut(buyer.account, signOut), { account: buyer.account, epoch: 1 });
    assert.deepEqual(await writesNothing([buyer.account], () => client.signOut(buyer.account, signOut)), { account: buyer.account, epoch: 1 });
    for (const key of [buyer.device, second]) {
      const ended = await refused('delegation_expired', () => client.account(buyer.account, key));
      assert.equal(ended.members.epoch, 1);
    }
    const ended = await refused('delegation_expired', () => client.order(waiting.jws));
    assert.equal(ended.members.epoch, 1);
    assert.equal((await refused('delegation_expired', () => newKeyOf(buyer))).members.epoch, 1);
    const again = await client.order(bought.jws);
    assert.deepEqual([again.replayed, claimsOf(again.receipt)], [true, claimsOf(bought.receipt)], 'what was accepted stands');
    await client.contentKey(bought.receipt, buyer.device);
    await delegate(buyer, second, { epoch: 1 });
    assert.equal((await client.account(buyer.account, second)).epoch, 1);
    assert.equal((await client.order(waiting.jws)).replayed, false);
  },

  'a journal is read in pages and as a table, and adds up': async () => {
    const { seller, buyer, bought } = await sale({ titles: ['=1+1', 'Says "no", and more', 'Third'] });
    await refund(seller, bought[1], 1_000);
    await Promise.all(Array.from({ length: 135 }, (_, i) => fund(buyer, i + 1)));
    const { account, device } = buyer;
    const lines = await client.statement(account, device);
    assert.equal(lines.length, 1 + 3 + 1 + 135);
    assert.ok(lines.length > 128);
    let running = 0;
    for (const [i, line] of lines.entries()) {
      running += line.credit_msat - line.debit_msat;
      assert.deepEqual([line.line, line.balance_msat], [i + 1, running]);
    }
    assert.equal(running, await balanceOf(buyer));
    const kinds = lines.map(({ kind }) => kind);
    assert.deepEqual([...new Set(kinds)].sort(), ['purchase', 'refunded', 'test_money']);
    assert.deepEqual(lines.filter(({ kind }) => kind !== 'test_money').map(({ order }) => order).sort(), [...bought, bought[1]].map(({ order }) => order).sort());
    // Newest first, page after page; and from any line on.
    const backwards = [];
    for (let before; ; ) {
      const page = await client.transfers(account, device, { before });
      assert.ok(page.transfers.length <= 64);
      backwards.push(...page.transfers);
      if (!page.next) break;
      before = page.next;
    }
    assert.deepEqual(backwards.toReversed(), lines);
    for (const after of [0, 1, 63, 64, 65, 128, lines.length - 1, lines.length, 10_000]) {
      const { transfers } = await client.transfers(account, device, { after });
      assert.deepEqual(transfers, lines.slice(after, after + transfers.length), `after ${after}`);
      assert.equal(transfers.length > 0, after < lines.length);
    }
    for (const query of ['after=1&before=3', 'after=x', 'before=-1']) {
      await refused('malformed', () => client.request('GET', `/v1/accounts/${account}/transfers?${query}`, { key: device }), query);
    }
    const csv = await client.statement(account, device, { format: 'csv' });
    const [head, ...rows] = csv.trimEnd().split('\r\n');
    assert.deepEqual(head.split(','), ['line', 'time', 'kind', 'credit_msat', 'debit_msat', 'balance_msat', 'count', 'order', 'work', 'title']);
    const cells = rows.map((row) => row.split(','));
    assert.deepEqual(cells.map((row) => row.slice(0, 7)), lines.map((line) => [line.line, line.time, line.kind, line.credit_msat, line.debit_msat, line.balance_msat, line.count].map(String)));
    assert.match(csv, /,"'=1\+1"\r\n/);
    assert.match(csv, /,"Says ""no"", and/);
    const sellers = await client.statement(seller.account, seller.device);
    assert.deepEqual([...new Set(sellers.map(({ kind }) => kind))].sort(), ['fee_returned', 'refund', 'sales']);
    assert.equal(sellers.filter(({ kind }) => kind === 'sales').reduce((sum, { count }) => sum + count, 0), 3);
    assert.equal(sellers.at(-1).balance_msat, await balanceOf(seller));
    await refused('scope_missing', async () => client.statement(account, await newKeyOf(buyer, { scope: ['spend'] })));
  },
};

test('partners that were down lose nothing and have all of it within a minute of their return', { timeout: TEST_MS, concurrency: true }, async (context) => {
  const meanwhile = Object.entries(MEANWHILE).map(([name, run]) => context.test(name, run));
  const pendingOrders = context.test('an order whose work does not answer is pending: money is set aside and nothing is sold', async () => {
    const { work } = workDown;
    const [first, second, third] = [await funded(), await funded(), await funded()];
    const [retried, left] = [await makeOrder(first, work), await makeOrder(second, work)];
    // The ledger remembers the work, its object has gone to sleep: then it goes away.
    await buy(third, work);
    await sleep(IDLE_MS);
    const heal = breakObject(fileOf(stack, 'Work', work.work));
    const send = ({ jws }) => client.request('POST', '/v1/orders', { body: { order: jws } });
    for (const { jws, order } of [retried, left]) {
      assert.deepEqual(await send({ jws }), { status: 'pending', order });
      assert.deepEqual(await send({ jws }), { status: 'pending', order }, 'again, with nothing more set aside');
    }
    for (const wallet of [first, second]) assert.deepEqual(await balance(wallet), [FUNDED - PRICE, PRICE]);
    const error = await refused('order_pending', () => client.order(retried.jws, { timeout: 1 }));
    assert.match(error.next, /again/);
    assert.deepEqual(await purchasesOf(first), []);
    heal();
    const healed = Date.now();
    const told = await until('a retry posts it', async () => {
      const answer = await send(retried);
      return answer.status === 'posted' && answer;
    }, { ms: DRAINED_MS });
    assert.equal(claimsOf(told.receipt).msat, PRICE);
    console.log(`a retried order was posted ${Date.now() - healed} ms after the work's return`);
    assert.equal((await client.contentKey(told.receipt, first.device)).work, work.work);
    // The other one is posted although nobody sends it again.
    await until('posted by itself', async () => (await purchasesOf(second)).length === 1, { ms: DRAINED_MS });
    console.log(`the other one by itself after ${Date.now() - healed} ms`);
    const answer = await send(left);
    assert.deepEqual([answer.status, answer.replayed], ['posted', true]);
    for (const wallet of [first, second, third]) assert.deepEqual(await balance(wallet), [FUNDED - PRICE, 0]);
    assert.deepEqual((await client.record(work.work)).stock, { sold: 3, given: 0 });
    await until('the seller is paid', async () => (await balanceOf(workDown.wallet)) === 3 * (PRICE - FEE), { ms: DRAINED_MS });
  });
  await sleep(DOWN_MS - (Date.now() - cut));
  // Whoever is owed sees that something is wrong, not a smaller sum.
  await refused('unavailable', () => look(inboxDown.wallet));
  await refused('unavailable', () => look(homeDown.wallet));
  assert.ok(await earns(SALES)(feesDown), 'the operator’s part does not hold up the seller’s');
  const tried = stack.readLog().split('SQLITE_CANTOPEN').length - 1;
  console.log(`down for ${Math.round((Date.now() - cut) / 1_000)} s, ${tried} tries failed`);
  assert.ok(tried >= 8, 'too few tries failed to show anything');

  const healed = Date.now();
  for (const heal of heals) heal();
  const drained = (what, probe) => until(what, probe, { ms: DRAINED_MS, every: 100 }).then(() => Date.now() - healed);
  const took = await Promise.all([
    drained('the inbox has delivered', () => earns(SALES)(inboxDown)),
    drained('the seller has got it', () => earns(SALES)(homeDown)),
    drained('the operator has got it', () => readAccount(feesAccount)?.head.credits_posted === SALES * FEE),
  ]);
  console.log(`drained ${took.join(', ')} ms after the return`);
  for (const { wallet } of paying) assert.equal((await look(wallet)).incoming_msat, 0);
  for (const wallet of buyers) assert.equal(readAccount(fileOf(stack, 'Account', wallet.account)).outbox, 0);
  await Promise.all([pendingOrders, ...meanwhile]);
});
