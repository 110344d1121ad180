// Counted copies and the money behind them, as people see them: a giveaway, a limited edition that is sold out, a
// statement, a refund, and signing out everywhere. Screenshots of every run are in e2e/artifacts.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { makeSignOut } from '../../sdk/js/src/index.js';
import { buy, claimsOf, fund, look, newWallet, publish, purchasesOf } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, frameOf, openBrowser, openWallet, press, shot } from './lib/browser.mjs';
import { step } from './lib/steps.mjs';
import { sell } from './lib/studio.mjs';

const media = scratch('copies');
after(media.remove);
const stack = await openStack({ name: 'copies' });
const path = join(media.dir, 'Almanac.txt');
writeFileSync(path, 'The tide comes in twice a day.\n'.repeat(200));
const almanac = { path, title: 'Almanac', price: '0.25', use: 'download', giveaway: '1' };
const fanPage = ({ work }) => `${stack.fanOrigin}/?work=${work}`;
const DOLLAR = 1_000_000; // msat, at the fixed rate of the test ledger

step('a creator gives the first copy away', async () => {
  const { context, complaints } = await openBrowser();
  Object.assign(almanac, await sell(context, stack, {
    ...almanac,
    ready: async (page) => {
      const limit = page.getByLabel('Limited edition of N copies');
      for (const [written, problem] of [['1.5', /whole number/], ['0', /whole number/], ['2000000', /At most/]]) {
        await limit.fill(written);
        await page.getByRole('button', { name: 'Publish' }).click();
        assert.match(await page.locator('.limit-problem').textContent(), problem, written);
      }
      await shot(page, 'studio-copies', { fullPage: true });
      await limit.fill('');
    },
    done: async (page) => {
      assert.match(await page.locator('.done-text').textContent(), /is for sale for \$0\.25, the first copy is free/);
      await (await frameOf(page, (await page.locator('.done-rows .value').first().textContent()).split('/').pop())).getByRole('button', { name: 'Get it free' }).waitFor();
      await shot(page, 'studio-copies-published', { fullPage: true });
    },
  }));
  assert.deepEqual(complaints, []);
});

/** What the frame on the fan page says before anything is pressed. */
async function visit(context, work) {
  const page = await context.newPage();
  await page.goto(fanPage({ work }));
  const frame = await frameOf(page, work);
  return { page, frame, price: (await frame.locator('.price').allTextContents()).join('') };
}

step('the first buyer pays nothing', async () => {
  const { context, complaints } = await openBrowser();
  const { page, frame, price } = await visit(context, almanac.work);
  assert.equal(price, 'Free · 1 of 1 left');
  await shot(page, 'widget-free');
  const wallet = await openWallet(page, frame);
  await wallet.setViewportSize({ width: 440, height: 760 });
  await press(wallet.getByRole('button', { name: 'Make a wallet and continue' }));
  const free = wallet.getByRole('button', { name: 'Get it free' });
  await free.waitFor();
  const asks = await wallet.locator('#app').textContent();
  assert.ok(asks.includes('Free: 1 of 1 left, then $0.25.'), asks);
  await shot(wallet, 'wallet-free');
  const closed = wallet.waitForEvent('close');
  await press(free);
  await closed;
  await frame.getByText('Save file').waitFor();
  assert.deepEqual(complaints, []);
});

/** The one browser of a person who buys, is refunded, and signs out. */
const buyer = {};

step('the second buyer pays the price', async () => {
  Object.assign(buyer, await openBrowser());
  const { context, complaints } = buyer;
  const seen = await until('a page that knows', async () => {
    const visited = await visit(context, almanac.work);
    if (visited.price === '$0.25 test money') return visited;
    await visited.page.close();
    return null;
  });
  const wallet = await openWallet(seen.page, seen.frame);
  await wallet.setViewportSize({ width: 440, height: 760 });
  // The shop takes its time: the very same order is sent until it is decided.
  const sent = [];
  let undecided = true;
  await context.route('**/v1/orders', (route) => {
    const { order } = route.request().postDataJSON();
    sent.push(order);
    if (!undecided) return route.continue();
    const pending = { status: 'pending', order: claimsOf(order).order };
    return route.fulfill({ status: 202, json: pending });
  });
  await press(wallet.getByRole('button', { name: 'Make a wallet and continue' }));
  await press(wallet.getByRole('button', { name: /^Add .* of test money$/ }));
  await press(wallet.getByRole('button', { name: 'Pay $0.25' }));
  await wallet.getByText('Waiting for the shop; you will not be charged twice.').waitFor();
  await shot(wallet, 'wallet-pending');
  const closed = wallet.waitForEvent('close');
  undecided = false;
  await closed;
  await context.unroute('**/v1/orders');
  assert.ok(sent.length > 1 && new Set(sent).size === 1, `${sent.length} orders`);
  await seen.frame.getByText('Save file').waitFor();
  await seen.page.close();
  assert.deepEqual(complaints, []);
});

const creator = await newWallet(stack.client);
let print;

step('of a limited edition the last copy goes once, and the loser has paid nothing', async () => {
  const { context, complaints, excuse } = buyer;
  print = await publish(creator, { title: 'Print', limit: 1, usd_micros: 500_000, origin: stack.walletOrigin, bytes: readFileSync(path), name: 'print.txt', mediaType: 'text/plain' });
  const { page, frame, price } = await visit(context, print.work);
  assert.equal(price, '$0.50 test money · 1 left');
  const wallet = await openWallet(page, frame);
  await wallet.setViewportSize({ width: 440, height: 760 });
  const pay = wallet.getByRole('button', { name: 'Pay $0.50' });
  await pay.waitFor();
  assert.ok((await wallet.locator('#app').textContent()).includes('1 of 1 copies left.'));
  // Somebody is faster.
  const other = await newWallet(stack.client);
  await fund(other, DOLLAR);
  await buy(other, print);
  await press(pay);
  await wallet.getByText('Sold out', { exact: true }).waitFor();
  assert.ok((await wallet.locator('#app').textContent()).includes('Nothing was paid'));
  await shot(wallet, 'wallet-sold-out');
  await wallet.close();
  excuse(/409/);

  const sold = await context.newPage();
  await until('a page that knows', async () => {
    await sold.goto(`${stack.origin}/w/${print.work}`);
    return /Sold out/.test(await sold.locator('#status').textContent());
  });
  assert.equal(await sold.locator('.price').count(), 0);
  await sold.getByRole('button', { name: 'Already yours? Open it' }).waitFor();
  await shot(sold, 'work-sold-out');
  for (const one of [sold, page]) await one.close();
  assert.deepEqual(complaints, []);
});

step('who owns a copy of what is sold out opens it again on another page', async () => {
  const { context, complaints, excuse } = buyer;
  const rare = await publish(creator, { title: 'Rare', limit: 1, usd_micros: 100_000, origin: stack.walletOrigin, bytes: readFileSync(path), name: 'rare.txt', mediaType: 'text/plain' });
  const first = await visit(context, rare.work);
  await approve(await openWallet(first.page, first.frame));
  await first.frame.getByText('Save file').waitFor();
  await first.page.close();
  // The frame has no storage here: it can't know.
  const again = await until('a frame that says so', async () => {
    const visited = await visit(context, rare.work);
    if (await visited.frame.getByRole('button', { name: 'Already yours? Open it' }).count()) return visited;
    await visited.page.close();
    return null;
  });
  const wallet = await openWallet(again.page, again.frame);
  await wallet.waitForEvent('close');
  await again.frame.getByText('Save file').waitFor();
  await again.page.close();
  excuse(/409/);
  assert.deepEqual(complaints, []);
});

/** Follows a download to its text. */
async function saved(page, name) {
  const file = page.waitForEvent('download');
  await page.getByRole('button', { name }).click();
  return readFileSync(await (await file).path(), 'utf8');
}

step('a statement shows every movement with the balance after it, and can be kept', async () => {
  const { context, complaints } = buyer;
  const page = await context.newPage();
  await page.goto(`${stack.walletOrigin}/wallet`);
  const rows = page.locator('.statement tbody tr');
  await until('three lines', async () => (await rows.count()) === 3);
  const cells = await rows.evaluateAll((all) => all.map((row) => [row.querySelector('th span').textContent, ...[...row.querySelectorAll('td')].map((cell) => cell.textContent)]));
  assert.deepEqual(cells, [
    ['Bought “Rare”', '−1 Bit', '46.5 Bits'],
    ['Bought “Almanac”', '−2.5 Bits', '47.5 Bits'],
    ['Test money added', '+50 Bits', '50 Bits'],
  ]);
  const csv = (await saved(page, 'Download statement (CSV)')).trim().split('\r\n');
  assert.equal(csv.length, 4, csv.join('\n'));
  const { transfers, ledger } = JSON.parse(await saved(page, 'Download statement (JSON)'));
  assert.deepEqual([ledger, ...transfers.map(({ balance_msat: balance }) => balance)], ['test', 5_000_000, 4_750_000, 4_650_000]);
  await shot(page, 'wallet-statement', { fullPage: true });
  const handle = page.locator('.handle').last();
  await handle.locator('summary').click();
  buyer.handle = await handle.locator('.value').textContent();
  assert.match(buyer.handle, /^pur_/);
  await page.close();
  assert.deepEqual(complaints, []);
});

step('a seller pays back what a buyer asks for by its name, and signs out everywhere', async () => {
  // Somebody with a sale of their own to refund.
  const other = await newWallet(stack.client);
  await fund(other, DOLLAR);
  const sold = await publish(creator, { title: 'Regret', usd_micros: 400_000, origin: stack.walletOrigin });
  await buy(other, sold);
  await fund(creator, DOLLAR);
  const { handle } = (await purchasesOf(other))[0];

  const { context, complaints } = await openBrowser();
  const page = await context.newPage();
  await page.goto(`${stack.walletOrigin}/wallet#restore`);
  await page.getByLabel('Recovery words').fill(creator.words);
  await page.getByRole('button', { name: 'Restore this wallet' }).click();
  await page.getByLabel('Name of the purchase').fill(handle);
  await page.getByLabel('Amount in dollars').fill('0.10');
  await page.getByRole('button', { name: 'Refund', exact: true }).click();
  await page.getByText(/^1 Bit \(\$0\.10\) went back to the buyer/).waitFor();
  await page.getByLabel('Name of the purchase').fill(handle);
  await page.getByLabel('Which refund of this purchase is it?').fill('2');
  await page.getByLabel('Refund all that is left').check();
  await page.getByRole('button', { name: 'Refund', exact: true }).click();
  await page.getByText(/^3 Bits went back to the buyer/).waitFor();
  await shot(page, 'wallet-refund', { fullPage: true });
  const [refunded] = await purchasesOf(other);
  assert.deepEqual([refunded.refunded_msat, refunded.active], [400_000, false]);
  await until('the money back', async () => (await look(other)).balance_msat === DOLLAR);

  await page.getByRole('button', { name: 'Sign out everywhere', exact: true }).click();
  await page.getByText('loses that permission at once').waitFor();
  await shot(page, 'wallet-sign-out', { fullPage: true });
  await page.getByRole('button', { name: 'Sign out everywhere now' }).click();
  await page.getByText('Signed out everywhere.').waitFor();
  await assert.rejects(look(creator), { code: 'delegation_expired' });
  await page.locator('.sum').waitFor();

  // From elsewhere, with the words: this browser holds the key and lets itself in again.
  const signOut = await makeSignOut(creator.root, { issuer: stack.client.issuer, epoch: 2 });
  assert.equal((await stack.client.signOut(creator.account, signOut)).epoch, 2);
  await page.reload();
  await page.locator('.sum').waitFor();
  assert.ok(complaints.every((text) => /40[39]/.test(text)), complaints.join('\n'));
});
