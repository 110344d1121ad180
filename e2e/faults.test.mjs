// `satchel-ops audit` where something was lost: it is named, to the millisatoshi. And the correction that puts
// things right. In a soak also long under load, where all is well (e2e/audit.test.mjs does so shortly).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { afterFee } from '../sdk/js/src/index.js';
import { freePort } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { balanceOf, buy, claimsOf, fund, look, newWallet, publish } from './lib/actors.mjs';
import { ID_BYTES, breakObject, contents, fileOf, inboxOf, readAccount, withBook } from './lib/books.mjs';
import { buildCli, said } from './lib/cli.mjs';
import { chooser } from './lib/random.mjs';
import { equip, scratch } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

const SOAK = Boolean(process.env.SATCHEL_SOAK);
const AUDITS = 12;
// Each person is a new account every time: so that there are not more of them than an audit reads in a while.
const PAUSE_MS = 300;
const CUT_S = 2;
const PRICE = 3_333;
const NET = afterFee(PRICE, 500);
const FUNDED = 1_000_000;
const TEST_MS = SOAK ? 900_000 : 240_000;
const SEED = Number(process.env.SATCHEL_SEED ?? Date.now() % 2 ** 32);

const random = chooser(SEED);
console.log(`seed ${SEED}`);

const place = scratch('faults');
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
const sellers = [await newWallet(client), await newWallet(client)];
const works = [];
for (const seller of sellers) {
  await fund(seller, FUNDED);
  for (const more of [{}, { limit: 1_000 }, { giveaway: 1_000 }]) works.push({ seller, ...(await publish(seller, { usd_micros: PRICE, ...more })) });
}
let issued = sellers.length * FUNDED;

const newBuyer = async () => {
  const buyer = await newWallet(client);
  await fund(buyer, FUNDED);
  issued += FUNDED;
  return buyer;
};

/** The report, and the exit code that goes with it. */
async function audit(age = CUT_S) {
  const run = await ops('audit', '--age', age);
  const report = said(run);
  assert.equal(run.code, report.ok ? 0 : 1, run.err);
  return { ...report, err: run.err };
}

/** An audit that finds nothing although work goes on. */
async function isSound(what) {
  const report = await audit();
  assert.deepEqual([report.ok, report.findings], [true, []], `seed ${SEED}: ${what}: ${JSON.stringify(report)}`);
  return report;
}

const quiet = () => until('nothing is under way', async () => {
  const report = await audit(0);
  return report.moved_msat === 0 && report.outboxes_msat === 0 && report.waiting_msat === 0 && report.sendings_msat === 0 && report;
});

test(`${AUDITS} audits while people buy, pay back and are given copies find nothing, and tell what is under way`, { timeout: TEST_MS, skip: !SOAK && 'in a soak' }, async () => {
  let [stop, purchases, refunds] = [false, 0, 0];
  const person = async () => {
    while (!stop) {
      const buyer = await newBuyer();
      for (const work of works) {
        const bought = await buy(buyer, work);
        purchases += 1;
        await sleep(PAUSE_MS);
        const { msat, handle } = claimsOf(bought.receipt);
        if (!msat || !random.chance(0.4)) continue;
        const part = 1 + random.below(msat);
        const { account, device } = work.seller;
        await client.refund(await client.makeRefund({ key: device, account, purchase: handle, msat: part, ledger: 'test' }));
        refunds += 1;
      }
    }
  };
  const people = Array.from({ length: 3 }, person);
  const reports = [];
  for (let i = 0; i < AUDITS; i += 1) {
    await sleep(500);
    reports.push(await isSound(`audit ${i + 1}`));
  }
  stop = true;
  await Promise.all(people);
  console.log(`${purchases} purchases, ${refunds} refunds, ${reports.at(-1).accounts} accounts meanwhile`);
  assert.ok(reports.some(({ outboxes_msat: out, waiting_msat: waits }) => out + waits > 0), 'nothing was ever under way');
  const rest = await quiet();
  assert.deepEqual([rest.ok, rest.issued_msat, rest.balances_msat], [true, issued, issued]);
});

test('a correction moves money once, and both journals say why', { timeout: TEST_MS }, async () => {
  const [from, to] = [await newBuyer(), await newWallet(client)];
  const id = `cor_${'a'.repeat(32)}`;
  const correct = (msat, account = from.account) => ops('correct', '--from', account, '--to', to.account, '--msat', msat, '--reason', 'booked twice', '--id', id);
  assert.equal((await correct(1_234)).code, 0);
  const books = () => [from, to].map(({ account }) => contents(fileOf(stack, 'Account', account)));
  // The alarm that would have finished it finds nothing to do.
  await sleep(2_500);
  const written = books();
  assert.equal((await correct(1_234)).code, 0, 'again is harmless');
  const changed = await correct(1_235);
  assert.notEqual(changed.code, 0);
  assert.match(changed.err + changed.out, /refund_conflict/);
  assert.deepEqual(books(), written, 'and writes nothing');
  assert.deepEqual([await balanceOf(from), await balanceOf(to)], [FUNDED - 1_234, 1_234]);
  const lines = await Promise.all([from, to].map(({ account, device }) => client.transfers(account, device)));
  const shown = lines.map(({ transfers: [{ kind, title, credit_msat: credit, debit_msat: debit }] }) => [kind, title, credit, debit]);
  assert.deepEqual(shown, [['correction', 'booked twice', 0, 1_234], ['correction', 'booked twice', 1_234, 0]]);
  const poor = await ops('correct', '--from', to.account, '--to', from.account, '--msat', 1_235, '--reason', 'too much');
  assert.match(poor.err + poor.out, /refund_unfunded/);
  assert.ok((await quiet()).ok);
});

test('a purchase struck off an outbox before it was delivered is named to the millisatoshi', { timeout: TEST_MS }, async () => {
  const seller = await newWallet(client);
  const work = await publish(seller, { usd_micros: PRICE });
  const buyer = await newBuyer();
  const name = inboxOf(seller.account);
  await stack.stop();
  const heal = breakObject(fileOf(stack, 'Inbox', name));
  await start();
  await buy(buyer, work);
  await stack.stop();
  heal();
  const file = fileOf(stack, 'Account', buyer.account);
  const { head } = readAccount(file);
  assert.equal(head.todo.length, ID_BYTES);
  withBook(file, (db) => db.exec("UPDATE head SET todo = x''"), { write: true });
  await start();
  await sleep(2_000);
  const report = await audit(1);
  assert.equal(report.ok, false);
  assert.deepEqual(report.findings.map(({ at, msat }) => [at, msat]), [[name, -PRICE], ['ledger', -PRICE]]);
  assert.match(report.err, /books_wrong|books are wrong/);
  assert.equal((await look(seller)).balance_msat, 0);
  // Put back, it is delivered as if nothing had happened.
  await stack.stop();
  withBook(file, (db) => db.prepare('UPDATE head SET todo = ?').run(head.todo), { write: true });
  await start();
  await buy(buyer, works[0]);
  await until('the seller is paid', async () => (await balanceOf(seller)) === NET);
  assert.ok((await quiet()).ok);
});

test('a credit that vanished from an inbox, its sums made to fit, is named to the millisatoshi', { timeout: TEST_MS }, async () => {
  await stack.stop();
  const [seller] = sellers;
  const name = inboxOf(seller.account);
  const file = fileOf(stack, 'Inbox', name);
  const lost = withBook(file, (db) => {
    const [credit] = db.prepare('SELECT key, gross, fee FROM credits WHERE gross > 0 LIMIT 1').all();
    const held = JSON.parse(db.prepare('SELECT body FROM held').get().body);
    held.folded.net -= credit.gross - credit.fee;
    held.folded.fee -= credit.fee;
    held.folded.count -= 1;
    db.prepare('DELETE FROM credits WHERE key = ?').run(credit.key);
    db.prepare('UPDATE held SET body = ?').run(JSON.stringify(held));
    return credit;
  }, { write: true });
  await start();
  const report = await audit(1);
  assert.equal(report.ok, false);
  const at = report.findings.filter((finding) => finding.at === name).map(({ msat }) => msat);
  // Missing from what buyers paid; and more has come home than was folded, net and fee.
  assert.deepEqual(at, [-lost.gross, lost.gross - lost.fee, lost.fee]);
  assert.deepEqual(report.findings.map((finding) => finding.at).filter((one) => one !== name), [], 'and nothing else');
});
