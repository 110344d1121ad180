// The operator's audit and the wallet's commands on a real ledger: in use, and to the millisatoshi at rest.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { balanceOf, buy, fund, newWallet, publish, purchasesOf } from './lib/actors.mjs';
import { buildCli, said } from './lib/cli.mjs';
import { openStack, scratch } from './lib/stack.mjs';
import { until } from './lib/until.mjs';

const place = scratch('audit');
after(place.remove);
const stack = await openStack({ name: 'audit' });
const { satchel, ops } = await buildCli(place.dir);
const issuer = ['--issuer', stack.origin];
const operator = (...words) => ops('--key', stack.operatorKeyFile, ...issuer, ...words);
const FUNDED = 10_000_000;

/** What an audit says; it must have found nothing wrong. */
async function audit(age) {
  const done = await operator('audit', '--json', '--age', age);
  assert.equal(done.code, 0, done.out + done.err);
  return said(done);
}

const creator = await newWallet(stack.client);
const buyers = await Promise.all(Array.from({ length: 4 }, () => newWallet(stack.client)));
await Promise.all(buyers.map((buyer) => fund(buyer, FUNDED)));
const works = await Promise.all([
  publish(creator, { title: 'Plain', usd_micros: 123_457 }),
  publish(creator, { title: 'First free', usd_micros: 250_001, giveaway: 2 }),
  publish(creator, { title: 'Rare', usd_micros: 99_999, limit: 3 }),
]);

test('an audit finds nothing wrong while the ledger is in use', async () => {
  let trading = true;
  const trade = async () => {
    for (const work of works) {
      await Promise.all(buyers.map((buyer) => buy(buyer, work).catch((error) => assert.equal(error.code, 'sold_out'))));
    }
    trading = false;
  };
  const traded = trade();
  while (trading) await audit(0);
  await traded;
  for (const buyer of buyers) assert.ok((await balanceOf(buyer)) < FUNDED);
});

test('at rest it is exact', async () => {
  const report = await until('everything come home', async () => {
    const now = await audit(0);
    return now.moved_msat === 0 && now.waiting_msat === 0 ? now : null;
  });
  assert.equal(report.issued_msat, FUNDED * buyers.length);
  assert.equal(report.balances_msat, report.issued_msat);
  assert.deepEqual([report.ok, report.outboxes_msat, report.sendings_msat], [true, 0, 0]);
});

test('refunds and corrections leave it exact', async () => {
  const [buyer] = buyers;
  const { handle, msat } = (await purchasesOf(buyer)).find(({ title }) => title === 'Plain');
  const { client, device, account } = creator;
  const refund = async (seq, amount) => client.refund(await client.makeRefund({ key: device, account, purchase: handle, seq, msat: amount, ledger: 'test' }));
  await refund(1, 1_001);
  assert.equal((await refund(1, 1_001)).replayed, true);
  await assert.rejects(refund(2, msat), ({ code, members }) => code === 'refund_exceeds' && members.left_msat === msat - 1_001);
  await refund(3, msat - 1_001);
  const [before, account2] = [await balanceOf(buyer), buyers[1].account];
  const correct = ['correct', '--from', buyer.account, '--to', account2, '--msat', 777, '--reason', 'for a test'];
  const done = await operator(...correct);
  assert.equal(done.code, 0, done.err);
  const again = await operator(...correct, '--id', done.err.trim().split(' ')[1]);
  assert.equal(again.code, 0, again.err);
  assert.equal(await balanceOf(buyer), before - 777);
  const report = await until('everything settled', async () => {
    const now = await audit(0);
    return now.moved_msat === 0 ? now : null;
  });
  assert.equal(report.balances_msat, FUNDED * buyers.length);
});

test('a wallet’s statement, refund and sign-out from a shell', async () => {
  const wallet = ['--wallet', 'seller.json'];
  assert.equal((await satchel('wallet', 'new', 'seller.json', ...issuer)).code, 0);
  const money = await satchel('wallet', 'test-money', '--usd', '1', ...wallet);
  assert.equal(money.code, 0, money.err);
  const { account } = said(await satchel('wallet', 'balance', '--json', ...wallet));
  const work = await publish(creator, { title: 'Regret', usd_micros: 400_000, payee: account });
  await buy(buyers[2], work);
  const { handle } = (await purchasesOf(buyers[2])).find(({ title }) => title === 'Regret');
  const part = await satchel('wallet', 'refund', handle, '0.10', '--json', ...wallet);
  assert.equal(part.code, 0, part.err);
  assert.equal(said(part).msat, 100_000);
  const rest = await satchel('wallet', 'refund', handle, '--all', '--seq', 2, '--json', ...wallet);
  assert.equal(rest.code, 0, rest.err);
  assert.equal(said(rest).msat, 300_000);
  const lines = await until('the sale come home', async () => {
    const { transfers } = said(await satchel('wallet', 'statement', '--json', ...wallet));
    return transfers.some(({ kind }) => kind === 'sales') ? transfers : null;
  });
  let balance = 0;
  for (const [i, line] of lines.entries()) {
    balance += line.credit_msat - line.debit_msat;
    assert.deepEqual([line.line, line.balance_msat], [i + 1, balance]);
  }
  const csv = await satchel('wallet', 'statement', '--csv', ...wallet);
  assert.equal(csv.out.trim().split('\r\n').length, lines.length + 1, csv.out);
  const table = await satchel('wallet', 'statement', ...wallet);
  assert.equal(table.out.trim().split('\n').length, lines.length + 1, table.out);

  assert.equal(said(await satchel('wallet', 'sign-out-everywhere', '--json', ...wallet)).epoch, 1);
  assert.equal((await satchel('wallet', 'balance', ...wallet)).code, 0, 'the file lets itself in again');
  await audit(0);
});
