// A sale from the studio to a stranger's page, as people do it: in Chromium, with real media, on the real
// runtime, third-party cookies blocked. Screenshots of every run are in e2e/artifacts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, frameOf, openBrowser, openWallet, press, shot } from './lib/browser.mjs';
import { makeFilm, makeSong } from './lib/media.mjs';
import { step } from './lib/steps.mjs';
import { sell } from './lib/studio.mjs';

const media = scratch('media');
after(media.remove);
const stack = await openStack({ name: 'browser' });
const song = { path: makeSong(media.dir), title: 'Night Train', price: '0.25', use: 'download' };
const film = { path: makeFilm(media.dir), title: 'The Crossing', price: '0.10', use: 'stream' };
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const fanPage = ({ work }) => `${stack.fanOrigin}/?work=${work}`;

/** Whatever of a secret could be in an answer: its bytes, and how text would spell them. */
const spellings = (secret) => {
  const bytes = Buffer.from(secret, 'base64url');
  return [bytes, ...['base64url', 'base64', 'hex'].map((name) => Buffer.from(bytes.toString(name).replace(/=+$/, '')))];
};
const holding = (answers, secret) => {
  const sought = spellings(secret);
  return answers.filter(({ bytes }) => bytes && sought.some((spelling) => bytes.includes(spelling)));
};

/** Upload speed of this page, in bytes per second. */
async function pace(page, uploadThroughput) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
}

step('a creator sells a song and a film from the hosted page', async () => {
  const { context, complaints } = await openBrowser({ permissions: ['clipboard-read', 'clipboard-write'] });
  const sold = await sell(context, stack, {
    ...song,
    uploading: async (page, item) => {
      const percent = async () => parseInt(await item.locator('.sending .progress-percent').textContent(), 10);
      await until('an upload under way', async () => (await item.locator('.sending .progress-label').textContent()) === 'Uploading' && (await percent()) >= 30);
      await shot(page, 'studio', { fullPage: true });
      assert.ok((await percent()) < 100);
      await pace(page, -1);
    },
    ready: (page) => pace(page, 90_000),
    done: async (page, { work }, item) => {
      const preview = await frameOf(page, work);
      await preview.getByRole('button', { name: 'Buy $0.25' }).waitFor();
      await shot(page, 'studio-published', { fullPage: true });
      const row = item.locator('.done-rows .copy').nth(1);
      await row.getByRole('button').click();
      await row.getByText('Copied').waitFor();
      song.copied = await page.evaluate(() => navigator.clipboard.readText());
    },
  });
  Object.assign(song, sold);
  assert.equal(song.link, `${stack.origin}/w/${song.work}`);
  assert.equal(song.snippet, `<script async src="${stack.origin}/widget.js" data-work="${song.work}"></script>`);
  assert.equal(song.copied, song.snippet);
  Object.assign(film, await sell(context, stack, film));
  assert.deepEqual(complaints, []);
});

/** What a frame on the fan page knows of an earlier visit to the public host. */
async function visited({ context }) {
  const page = await context.newPage();
  await page.goto(`${stack.origin}/`);
  // Both kinds of cookie; only the second one would go to a frame at all.
  await page.evaluate(() => {
    document.cookie = 'probe_first=1; path=/';
    document.cookie = 'probe_third=1; path=/; SameSite=None; Secure';
    localStorage.setItem('probe', '1');
  });
  const own = await page.reload();
  const first = await own.request().allHeaders();
  const asked = page.waitForRequest((request) => new URL(request.url()).pathname === `/embed/${song.work}`);
  await page.goto(fanPage(song));
  const frame = await frameOf(page, song.work);
  const request = await asked;
  const storage = await frame.evaluate(() => {
    try {
      return localStorage.getItem('probe') ?? 'partitioned';
    } catch (error) {
      return error.name;
    }
  });
  const seen = { first, frame: await request.allHeaders(), storage, cookie: await frame.evaluate(() => document.cookie) };
  await page.close();
  return seen;
}

step('the fan page is another site, and its frame knows nothing of the visitor', async () => {
  const open = await openBrowser({ thirdPartyCookies: true });
  const without = await visited(open);
  assert.match(without.frame.cookie ?? '', /probe_third=1/, 'without blocking, the probe must arrive: else its absence says nothing');
  const blocked = await openBrowser();
  const { first, frame, storage, cookie } = await visited(blocked);
  assert.match(first.cookie, /probe_first=1/);
  assert.match(first.cookie, /probe_third=1/);
  assert.equal(frame['sec-fetch-site'], 'cross-site');
  assert.equal(frame['sec-fetch-dest'], 'iframe');
  assert.equal(frame.cookie, undefined);
  assert.equal(cookie, '');
  assert.equal(storage, 'SecurityError');
});

const buyer = {};

step('a buyer pays for the song in the wallet’s window, and it plays on the fan page', async () => {
  Object.assign(buyer, await openBrowser());
  const { context, complaints } = buyer;
  // What `open` was called from, and whether anything was awaited before.
  await context.addInitScript(() => {
    const { open } = self;
    self.open = (...given) => {
      self.openedBy = self.event?.type;
      return open.apply(self, given);
    };
  });
  const page = await context.newPage();
  await page.goto(fanPage(song));
  await page.evaluate(() => addEventListener('satchel:purchased', ({ detail }) => (self.purchased = detail)));
  const frame = await frameOf(page, song.work);
  assert.equal(await frame.locator('.title').textContent(), song.title);
  assert.equal(await frame.locator('.price').textContent(), '$0.25 test money');
  assert.match(await frame.locator('#buy').textContent(), /Buy \$0\.25/);
  await shot(page, 'widget');

  const wallet = await openWallet(page, frame);
  assert.ok(wallet.url().startsWith(`${stack.walletOrigin}/approve#`), wallet.url());
  assert.equal(await frame.evaluate(() => self.openedBy), 'click');
  await frame.getByText('Waiting for the wallet').waitFor();
  await wallet.setViewportSize({ width: 440, height: 760 });
  await press(wallet.getByRole('button', { name: 'Make a wallet and continue' }));
  await wallet.getByText('Test money', { exact: true }).first().waitFor();
  await press(wallet.getByRole('button', { name: /^Add \$5\.00 of test money$/ }));
  await wallet.getByText('$5.00 of test money added.').waitFor();
  const asks = await wallet.locator('#app').textContent();
  for (const part of ['Buy “Night Train”?', '$0.25', 'exactly 2.5 Bits', 'Test money', 'Not real dollars', new URL(stack.fanOrigin).host]) {
    assert.ok(asks.includes(part), `${part} is not in: ${asks}`);
  }
  assert.ok(!asks.includes('calls itself'), asks);
  await shot(wallet, 'wallet');
  const closed = wallet.waitForEvent('close');
  await press(wallet.getByRole('button', { name: 'Pay $0.25' }));
  await closed;

  const audio = frame.locator('audio');
  await frame.locator('media-controller').waitFor();
  await until('the song playing', () => audio.evaluate((element) => element.currentTime > 0.5 && !element.paused));
  await shot(page, 'playing-song');
  assert.equal(await audio.evaluate((element) => Math.round(element.duration)), 8);
  const saved = page.waitForEvent('download');
  await frame.getByText('Save file').click();
  const file = await saved;
  assert.equal(file.suggestedFilename(), 'Night Train.mp3');
  assert.equal(sha256(readFileSync(await file.path())), sha256(readFileSync(song.path)));

  const { work, receipt } = await until('the event', () => page.evaluate(() => self.purchased));
  assert.equal(work, song.work);
  const keys = createLocalJWKSet(await stack.client.jwks());
  const { payload } = await jwtVerify(receipt, keys, { issuer: stack.origin, audience: stack.origin, algorithms: ['EdDSA'], typ: 'satchel-receipt+jws' });
  assert.deepEqual([payload.work, payload.usd_micros, payload.msat, payload.ledger], [song.work, 250_000, 250_000, 'test']);
  await page.close();
  assert.deepEqual(complaints, []);
});

const balance = async () => {
  const page = await buyer.context.newPage();
  await page.goto(`${stack.walletOrigin}/wallet`);
  const sum = page.locator('.sum');
  await sum.waitFor();
  const text = await sum.innerText();
  const purchases = page.locator('.purchase');
  await purchases.first().waitFor();
  const count = await purchases.count();
  await shot(page, 'wallet-page', { fullPage: true });
  await page.close();
  return { text: text.replace(/\s+/g, ' '), count };
};

step('the balance is smaller by the price and nothing else', async () => {
  const { text, count } = await balance();
  assert.equal(text, '$4.75 exactly 47.5 Bits');
  assert.equal(count, 1);
});

/** The film plays in a frame, and from a place far ahead. */
async function watchFilm(page, frame, name) {
  const video = frame.locator('video');
  await video.waitFor();
  await until('the film playing', () => video.evaluate(({ currentTime, videoWidth }) => currentTime > 2 && videoWidth > 0));
  assert.match(await video.evaluate((element) => element.currentSrc), /^blob:/);
  await shot(page, name);
  await video.evaluate((element) => (element.currentTime = 20));
  await until('the film playing at 20 s', () => video.evaluate(({ currentTime, seeking, readyState }) => currentTime > 20.5 && !seeking && readyState >= 2));
  assert.equal(await frame.getByText('Save file').count(), 0);
  assert.deepEqual(await video.evaluate(({ error, videoWidth }) => [error, videoWidth]), [null, 320]);
}

step('a streamed film plays from window keys and its content key stays with the issuer', async () => {
  const { context, complaints, answers } = buyer;
  const page = await context.newPage();
  await page.goto(fanPage(film));
  const frame = await frameOf(page, film.work);
  const wallet = await openWallet(page, frame);
  await wallet.getByText('To stream, not to save').waitFor();
  await approve(wallet);
  await watchFilm(page, frame, 'playing');

  await page.reload();
  const again = await frameOf(page, film.work);
  assert.match(await again.locator('#buy').textContent(), /\$0\.10/, 'no storage: the frame cannot know the buyer');
  const reopened = await openWallet(page, again);
  await reopened.getByText('You own this, no charge').first().waitFor();
  await shot(reopened, 'wallet-owned');
  await reopened.waitForEvent('close');
  await again.locator('video').waitFor();
  await until('the film playing again', () => again.locator('video').evaluate(({ currentTime }) => currentTime > 1));
  await page.close();

  const { text, count } = await balance();
  assert.equal(text, '$4.65 exactly 46.5 Bits');
  assert.equal(count, 2);
  const all = await answers();
  const windows = all.filter(({ url, bytes }) => bytes && /\/v1\/sessions\/[^/]+\/windows\//.test(url));
  assert.ok(windows.length >= 3, `${windows.length} window keys`);
  // The search finds what is there: a download's key is released, to the buyer and once.
  const released = holding(all, song.contentKey);
  assert.deepEqual([...new Set(released.map(({ url }) => new URL(url).pathname))], ['/v1/keys']);
  assert.deepEqual(holding(all, film.contentKey).map(({ url }) => url), []);
  assert.deepEqual(complaints, []);
});
