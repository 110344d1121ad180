// The widget on pages that make it hard: openers cut, popups refused, no JavaScript, no secure context, a sandbox.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { orderId } from '../../sdk/js/src/index.js';
import { newWallet, publish } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, frameOf, openBrowser, openWallet, press, shot } from './lib/browser.mjs';
import { makeSong } from './lib/media.mjs';
import { startSite } from './lib/site.mjs';

const INSECURE = 'fan.example';
const media = scratch('media');
after(media.remove);
const stack = await openStack({ name: 'pages' });
const creator = await newWallet(stack.client);
const bytes = readFileSync(makeSong(media.dir));
const offer = { bytes, name: 'song.mp3', mediaType: 'audio/mpeg', origin: stack.walletOrigin };
const [first, second] = [await publish(creator, { ...offer, title: 'One' }), await publish(creator, { ...offer, title: 'Two' })];
const workPage = ({ work }) => `${stack.origin}/w/${work}`;
const snippet = ({ work }) => `<script async src="${stack.origin}/widget.js" data-work="${work}"></script>`;

const site = await startSite();
after(site.stop);
const { visit } = site;

const playing = (place) =>
  until('the song playing', () => place.locator('audio').evaluate(({ currentTime, paused }) => currentTime > 0.3 && !paused));

/** Orders that were sent to the issuer. */
function countOrders({ context }) {
  const orders = new Set();
  context.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === '/v1/orders') orders.add(request.postDataJSON().order);
  });
  return orders;
}

let person;

test('a page that cuts openers sells as well', async () => {
  person = await openBrowser({ args: [`--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`] });
  const page = await visit(person, '/opener', { body: snippet(first), headers: { 'cross-origin-opener-policy': 'same-origin' } });
  await page.context().addInitScript(() => {
    const { open } = self;
    self.open = (...given) => (self.opened = open.apply(self, given));
  });
  await page.reload();
  const frame = await frameOf(page, first.work);
  const [wallet] = await Promise.all([person.context.waitForEvent('page'), press(frame.locator('#buy'))]);
  assert.equal(await frame.evaluate(() => self.opened), null, 'the opener is not cut: nothing is tested');
  assert.equal(await wallet.evaluate(() => self.opener), null);
  await approve(wallet, { fresh: true });
  await playing(frame);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('a double click on the button makes one order', async () => {
  const orders = countOrders(person);
  const windows = [];
  person.context.on('page', (opened) => windows.push(opened));
  const page = await visit(person, '/double', { body: snippet(second) });
  const frame = await frameOf(page, second.work);
  await frame.locator('#buy').scrollIntoViewIfNeeded();
  await page.waitForTimeout(800);
  const popup = page.waitForEvent('popup');
  await frame.locator('#buy').dblclick();
  const wallet = await popup;
  const pay = wallet.getByRole('button', { name: /^Pay / });
  await pay.waitFor();
  await wallet.waitForTimeout(800);
  const closed = wallet.waitForEvent('close');
  await pay.dblclick({ noWaitAfter: true }).catch(() => {});
  await closed;
  await playing(frame);
  assert.equal(orders.size, 1);
  assert.equal(windows.length, 2, 'the page and one wallet');
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('a stranger’s link to the wallet is asked about, though the work is owned', async () => {
  const orders = countOrders(person);
  const request = new URLSearchParams({ order: await orderId(first.work), work: first.work, jkt: creator.device.jkt, site: stack.origin });
  const page = await visit(person, '/link', { body: `<a href="${stack.walletOrigin}/approve#${request}" target="_blank" rel="opener">Free music</a>` });
  const popup = page.waitForEvent('popup');
  await page.getByRole('link').click();
  const wallet = await popup;
  await wallet.getByRole('button', { name: 'Open it' }).waitFor();
  await wallet.getByText('a page that calls itself').waitFor();
  await wallet.waitForTimeout(1_500);
  assert.equal(orders.size, 0, 'a receipt for a key that our frame did not make');
  await wallet.close();
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('in a sandbox there is a price and a link, and no error', async () => {
  const frame = `<iframe sandbox="allow-scripts" src="${stack.origin}/embed/${first.work}"></iframe>`;
  const page = await visit(person, '/sandbox', { body: frame });
  const inside = await frameOf(page, first.work);
  assert.equal(await inside.locator('#satchel').getAttribute('data-view'), 'link');
  assert.equal(await inside.locator('.price').textContent(), '$0.25 test money');
  assert.equal(await inside.locator('#buy').isVisible(), false);
  const link = inside.locator('#link');
  assert.equal(await link.isVisible(), true);
  assert.equal(await link.getAttribute('href'), workPage(first));
  assert.equal(await inside.evaluate(() => self.origin), 'null');
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('without a secure context the plain link remains, and a frame shows nothing but it', async () => {
  const body = `${snippet(first)}<iframe src="${stack.origin}/embed/${second.work}"></iframe>`;
  const page = await visit(person, '/insecure', { body }, INSECURE);
  assert.equal(await page.evaluate(() => isSecureContext), false);
  const link = page.locator('a.satchel');
  await link.waitFor();
  assert.equal(await link.getAttribute('href'), workPage(first));
  const inside = await frameOf(page, second.work);
  assert.equal(await inside.evaluate(() => typeof crypto.subtle), 'undefined');
  assert.equal(await inside.locator('#satchel').getAttribute('data-view'), 'link');
  assert.equal(await inside.locator('#link').getAttribute('href'), workPage(second));
  assert.equal(await page.locator('iframe').count(), 1, 'the snippet made no frame');
  assert.equal(await link.isVisible(), true);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('wallet, approval and studio refuse to be framed', async () => {
  const framed = ['/approve', '/wallet', '/studio'];
  const body = framed.map((path) => `<iframe src="${stack.walletOrigin}${path}"></iframe>`).join('');
  const page = await visit(person, '/framing', { body });
  await until('three refusals', () => person.complaints.filter((text) => /frame-ancestors/.test(text)).length === framed.length);
  // Chromium puts an error page in their place, a moment after it has complained.
  const inside = () => page.frames().slice(1).map((frame) => frame.url());
  await until('three error pages', () => inside().filter((url) => url === 'chrome-error://chromewebdata/').length === framed.length);
  person.excuse(/frame-ancestors/);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('where windows are refused, “Continue here” buys in the same tab and comes back', async () => {
  person = await openBrowser({ args: ['--block-new-web-contents'] });
  const orders = countOrders(person);
  const page = await visit(person, '/blocked', { body: snippet(first) });
  const frame = await frameOf(page, first.work);
  await press(frame.locator('#buy'));
  const onward = frame.getByRole('link', { name: 'Continue here' });
  await onward.waitFor();
  // When Chromium throws the refused window away is its own affair: what counts is that the one
  // order is made in this tab, and once.
  await shot(page, 'continue-here');
  await onward.click();
  await page.waitForURL(`${stack.walletOrigin}/approve#**`);
  await press(page.getByRole('button', { name: 'Make a wallet and continue' }));
  await press(page.getByRole('button', { name: /^Add .* of test money$/ }));
  await press(page.getByRole('button', { name: /^Pay / }));
  await page.waitForURL(workPage(first));
  await playing(page);
  await shot(page, 'work-page');
  assert.equal(orders.size, 1);

  // Here storage is first-party: the receipt is kept and the wallet is not asked again.
  await page.reload();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await playing(page);
  assert.equal(orders.size, 1);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('with partitioned storage a reload costs one tap and no wallet', async () => {
  // Playwright turns partitioning off; its list of features to turn off is replaced here.
  person = await openBrowser({ thirdPartyCookies: true, args: ['--disable-features=HttpsUpgrades'] });
  const page = await visit(person, '/partitioned', { body: snippet(first) });
  const own = await person.context.newPage();
  await own.goto(workPage(first));
  await own.evaluate(() => localStorage.setItem('probe', '1'));
  await own.close();
  const frame = await frameOf(page, first.work);
  assert.equal(await frame.evaluate(() => localStorage.getItem('probe')), null, 'storage is not partitioned: nothing is tested');
  await approve(await openWallet(page, frame), { fresh: true });
  await playing(frame);
  await page.reload();
  const again = await frameOf(page, first.work);
  const windows = person.context.pages().length;
  await again.getByRole('button', { name: 'Open', exact: true }).click();
  await playing(again);
  assert.equal(person.context.pages().length, windows);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('without JavaScript the link is there, and its page says title and price', async () => {
  person = await openBrowser({ javaScriptEnabled: false });
  const page = await person.context.newPage();
  await page.goto(`${stack.fanOrigin}/?work=${first.work}`);
  const link = page.locator(`noscript a[href="${workPage(first)}"]`);
  assert.equal(await link.isVisible(), true);
  await link.click();
  await page.waitForURL(workPage(first));
  const shown = await page.locator('#satchel').innerText();
  for (const part of ['One', '$0.25', 'packed file']) assert.ok(shown.includes(part), shown);
  assert.equal(await page.locator('#buy').isVisible(), false);
  await page.close();
  assert.deepEqual(person.complaints, []);
});
