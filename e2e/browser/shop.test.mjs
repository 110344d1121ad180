// A creator runs their shop: sales as they happen, figures, terms changed, a work taken away and brought back, a
// refund, a webhook. Everything at three widths, light and dark, and before axe.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { freePort, inRoot } from '../../tools/proc.mjs';
import { b64uEncode, randomBytes } from '../../sdk/js/src/index.js';
import { buy, fund, newWallet, noise, publish } from '../lib/actors.mjs';
import { receiver } from '../lib/hooks.mjs';
import { openStack } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { openBrowser, shot } from './lib/browser.mjs';
import { step } from './lib/steps.mjs';

const AXE = readFileSync(inRoot('node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const WIDTHS = [320, 768, 1280];
const DAY = 86_400;
const inside = await freePort();
const stack = await openStack({ name: 'shop-page', runtime: 'workerd', sockets: { upload: inside } });
const creator = await newWallet(stack.client);
const hook = await receiver();
after(hook.stop);
const { context, complaints } = await openBrowser();
let page;
let works;

const id = (prefix) => `${prefix}_${[...randomBytes(32)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('')}`;
const unix = () => Math.floor(Date.now() / 1000);
const saleOf = ({ work }, more = {}) => ({
  order: id('ord'), handle: `pur_${b64uEncode(randomBytes(24))}`, work, version: 1, usd_micros: 500_000, msat: 500_000, fee_msat: 25_000, time: unix(), free: false, ...more,
});
let number = 0;
/** What the ledger tells the shop. */
async function feed(sales, refunds = []) {
  for (let at = 0; at === 0 || at < sales.length; at += 500) {
    number += 1;
    const body = JSON.stringify({ source: 'test', number, sales: sales.slice(at, at + 500), refunds: at === 0 ? refunds : [] });
    const answer = await fetch(`http://127.0.0.1:${inside}/internal/shops/${creator.creator.jkt}/sales`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    assert.equal(answer.status, 200, await answer.text());
  }
}

/** Serious and critical findings, and pictures at each width, in both colour schemes. */
async function inspect(name, { widths = WIDTHS } = {}) {
  const found = [];
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) found.push(`${name} at ${width}: ${wide} pixels too wide`);
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => self.axe.run(document, { iframes: false, resultTypes: ['violations'] }));
      assert.ok(passes.length > 5, `${name}: axe looked at nothing`);
      for (const { id: rule, impact, nodes } of violations) {
        if (['serious', 'critical'].includes(impact)) found.push(`${name} at ${width}, ${colorScheme}: ${rule} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
      }
      await shot(page, `shop-${name}-${width}-${colorScheme}`, { fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1000, height: 1080 });
  assert.deepEqual(found, []);
}

const card = (title) => page.locator('.shop-work', { has: page.getByRole('heading', { name: title, exact: true }) });
const view = () => page.locator('#view-shop');

/** Presses Tab until the keyboard is on it. */
async function tabTo(locator, most = 60) {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press('Tab');
    if (await locator.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`no way to ${locator} by keyboard`);
}

step('a shop without works says how it begins', async () => {
  page = await context.newPage();
  await page.goto(`${stack.walletOrigin}/wallet`);
  await page.getByText('Restore from words').first().click();
  await page.getByLabel('Recovery words').fill(creator.words);
  await page.getByRole('button', { name: 'Restore this wallet' }).click();
  await page.getByText('Your wallet is here again').waitFor();
  await page.goto(`${stack.walletOrigin}/studio#shop`);
  await view().getByRole('heading', { name: 'Your shop opens with your first work' }).waitFor();
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
  await inspect('empty');
});

step('works, figures and sales are there', async () => {
  works = [];
  for (const [title, name, more] of [['Night Train', 'night.mp3', { pay_more: true }], ['The Crossing', 'film.mp4', {}], ['A Field Guide to Small Hours', 'guide.pdf', { limit: 40 }]]) {
    works.push(await publish(creator, { bytes: noise(20_000), usd_micros: 500_000, title, name, origin: stack.walletOrigin, ...more }));
  }
  const sales = [];
  for (let day = 90; day >= 0; day -= 1) {
    for (let i = 0; i < (day * 7919) % 5; i += 1) sales.push(saleOf(works[(day + i) % 3], { time: unix() - day * DAY }));
    if (day % 9 === 0) sales.push(saleOf(works[0], { free: true, usd_micros: 0, msat: 0, fee_msat: 0, time: unix() - day * DAY }));
  }
  await feed(sales);
  await page.reload();
  await card('Night Train').waitFor();
  const tile = (name) => page.locator('.shop-tile', { hasText: name });
  const paid = sales.filter(({ free }) => !free).length;
  await tile('Sold').getByText(String(paid), { exact: true }).waitFor();
  assert.match(await card('Night Train').textContent(), /\$0\.50 or more/);
  assert.match(await card('A Field Guide to Small Hours').textContent(), /40 copies left/);
  assert.equal(await page.locator('.shop-sale:visible').count(), 8);
  // The picture says in words what it shows, and a table has the figures.
  assert.match(await page.locator('svg.chart').getAttribute('aria-label'), /^Income by day: \$/);
  await page.getByText('Show as a table').click();
  assert.ok(await page.locator('.figures tbody tr').count() > 20);
  await inspect('full');
  await page.locator('.shop-side').getByRole('button', { name: 'Show more' }).click();
  assert.equal(await page.locator('.shop-sale:visible').count(), 50);
  await page.getByLabel('Period').selectOption('365');
  await page.getByLabel('Show', { exact: true }).selectOption('sales');
  await until('the year', async () => /^Copies by day/.test(await page.locator('svg.chart').getAttribute('aria-label')));
  await page.getByLabel('Work', { exact: true }).selectOption(works[0].work);
  await inspect('year', { widths: [768] });
});

step('a sale appears while the page is open, and is said', async () => {
  await page.getByText('Live: new sales appear by themselves').waitFor();
  const before = Date.now();
  await feed([saleOf(works[1])]);
  await page.locator('.shop-sale.fresh', { hasText: 'The Crossing' }).waitFor();
  assert.ok(Date.now() - before < 5_000, `${Date.now() - before} ms`);
  await page.locator('#live', { hasText: 'Sold: The Crossing, $0.50' }).waitFor({ state: 'attached' });
});

step('price and words are changed by keyboard, and nothing is uploaded', async () => {
  const puts = [];
  page.on('request', (request) => request.method() === 'PUT' && puts.push(request.url()));
  const edit = card('Night Train').locator('.edit > summary');
  await edit.focus();
  await page.keyboard.press('Enter');
  await card('Night Train').getByText('Copies that were bought are never touched').waitFor();
  const price = card('Night Train').getByLabel('Price', { exact: true });
  await tabTo(price);
  await price.fill('0.75');
  const description = card('Night Train').getByLabel('Description');
  await tabTo(description);
  await page.keyboard.type('Recorded in one take, in a station at night.');
  await inspect('edit', { widths: [320, 1280] });
  await tabTo(card('Night Train').getByRole('button', { name: 'Save the changes' }));
  await page.keyboard.press('Enter');
  await card('Night Train').getByText('“Night Train” was changed.').waitFor();
  assert.match(await card('Night Train').textContent(), /\$0\.75 or more/);
  const record = await stack.client.record(works[0].work);
  assert.equal(record.terms.usd_micros, 750_000);
  assert.equal(record.listing.description, 'Recorded in one take, in a station at night.');
  assert.deepEqual(puts, []);
});

step('link, snippet, badge and oEmbed address are there with what visitors see', async () => {
  await card('The Crossing').locator('.share > summary').click();
  await card('The Crossing').locator('.value').nth(3).waitFor();
  const values = await card('The Crossing').locator('.value').allTextContents();
  const { work } = works[1];
  assert.deepEqual(values.slice(0, 2), [`${stack.origin}/w/${work}`, `<script async src="${stack.origin}/widget.js" data-work="${work}"></script>`]);
  assert.equal(values[2], `[![Buy “The Crossing”](${stack.origin}/badge/${work}.svg)](${stack.origin}/w/${work})`);
  assert.equal(values[3], `${stack.origin}/oembed?url=${encodeURIComponent(`${stack.origin}/w/${work}`)}`);
  for (const scheme of ['light', 'dark']) {
    const frame = card('The Crossing').locator(`.shop-preview.${scheme} iframe`);
    await frame.scrollIntoViewIfNeeded();
    assert.equal(new URL(await frame.getAttribute('src')).searchParams.get('theme'), scheme);
    await frame.contentFrame().locator('#satchel').waitFor();
  }
  await inspect('share', { widths: [320, 1280] });
  await card('The Crossing').locator('.share > summary').click();
});

step('a work is taken off sale and put back; deleted, and brought back at once and later', async () => {
  const title = 'A Field Guide to Small Hours';
  const { work } = works[2];
  const state = async () => (await stack.client.record(work)).state;
  await card(title).getByRole('button', { name: /^Take/ }).click();
  await card(title).getByText('is not for sale any more').waitFor();
  assert.equal(await state(), 'unpublished');
  await card(title).getByRole('button', { name: /^Put/ }).click();
  await card(title).getByText('is for sale again').waitFor();
  assert.equal(await state(), 'published');
  await card(title).getByRole('button', { name: /^Delete/ }).click();
  const undo = page.getByRole('button', { name: `Undo: ${title}` });
  await undo.waitFor();
  assert.equal(await state(), 'unpublished');
  await inspect('deleted', { widths: [768] });
  await undo.click();
  await card(title).getByText('is back').waitFor();
  assert.equal(await state(), 'published');
  await card(title).getByRole('button', { name: /^Delete/ }).click();
  await undo.waitFor();
  await page.reload();
  await page.getByText('1 deleted work').click();
  await page.getByRole('button', { name: `Bring it back: ${title}` }).click();
  await card(title).getByText('is back').waitFor();
  assert.equal(await state(), 'unpublished');
  assert.equal(await page.getByText('1 deleted work').isVisible(), false);
});

step('a refund is asked for twice and says what it means; one the ledger does not know is told in plain words', async () => {
  const button = page.locator('.shop-sale').first().getByRole('button');
  await button.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await dialog.getByText('A part').click();
  await dialog.getByLabel('Amount in dollars').fill('9');
  await dialog.getByRole('button', { name: 'Pay it back now' }).click();
  await dialog.getByText('not more than is left').waitFor();
  await inspect('refund', { widths: [320, 1280] });
  await dialog.getByText('All that is left').click();
  // This sale was made up: the ledger has the last word.
  await dialog.getByRole('button', { name: 'Pay it back now' }).click();
  await dialog.getByRole('alert').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await button.evaluate((element) => element === document.activeElement), true, 'the focus comes back');
  for (const at of complaints.keys()) if (/\/v1\/refunds/.test(complaints[at])) complaints.splice(at, 1);
});

step('a real sale is paid back from the page', async () => {
  const buyer = await newWallet(stack.client);
  await fund(buyer, 10_000_000);
  await buy(buyer, works[1], { pickup: false });
  const sale = page.locator('.shop-sale.fresh').first();
  await sale.waitFor();
  await until('the money to pay it back from', async () => (await stack.client.account(creator.account, creator.device)).balance_msat >= 500_000 * 0.95);
  // A part first: the seller has no more than what is left after the fee.
  await sale.getByRole('button').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('A part').click();
  await dialog.getByLabel('Amount in dollars').fill('0.20');
  await dialog.getByRole('button', { name: 'Pay it back now' }).click();
  await dialog.getByText('2 Bits went back to the buyer.').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await page.locator('.shop-sale', { hasText: '$0.20 paid back' }).waitFor();
  await page.locator('.shop-tile', { hasText: 'Balance' }).getByText(/^\$0\.2\d$/).waitFor();
});

step('a webhook is made, tested and read in its log', async () => {
  await page.locator('.shop-hooks-panel > summary').click();
  await page.getByRole('button', { name: 'Add a webhook' }).click();
  await page.getByLabel('Address').fill('https://10.0.0.1/');
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.locator('#hook-problem', { hasText: 'public host' }).waitFor();
  await page.getByLabel('Address').fill(hook.url);
  await page.keyboard.press('Enter');
  await page.getByText('Its secret, shown this once').waitFor();
  assert.match(await page.locator('.shop-hooks-panel .value').textContent(), /^whsec_/);
  await page.getByRole('button', { name: /^Send a test/ }).click();
  await page.locator('.log .badge', { hasText: 'delivered' }).waitFor();
  assert.equal(hook.got.length, 1);
  await inspect('hooks');
  await page.getByRole('button', { name: /^Delete: http/ }).click();
  await page.getByText('Delete the webhook to').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('The webhook was deleted.').waitFor();
});

step('the shop speaks German', async () => {
  await page.goto(`${stack.walletOrigin}/studio?lang=de#shop`);
  await view().getByRole('heading', { name: 'Laden', exact: true }).waitFor();
  await page.locator('.shop-work').first().waitFor();
  await inspect('german', { widths: [320, 1280] });
});

step('nothing was complained of', () => {
  // A refused address and a made-up sale are answered as errors, which a browser reports.
  assert.deepEqual(complaints.filter((text) => !/\/v1\/(refunds|shops\/[^/]+\/webhooks)/.test(text)), []);
});
