// The widget: its bytes beside lite-youtube-embed's, what a page full of it costs Chromium, and how long it takes from
// a tap to the first byte of what was bought.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { gzipSync } from 'node:zlib';
import esbuild from 'esbuild';
import { chromium } from 'playwright-core';
import { generateKey, makeDelegation, fundingId, randomBytes } from '../sdk/js/src/index.js';
import { listen } from '../tools/http.mjs';
import { inRoot, which } from '../tools/proc.mjs';
import { clientOf, sell } from './fixtures.mjs';
import { isNoisy, median } from './measure.mjs';

const CHROMIUM = process.env.CHROMIUM ?? ['chromium', 'chromium-browser'].map(which).find(Boolean);
const MANY = 50;
const SLOWER = 4;
const CALM_MS = 800;
const MEDIA_BYTES = 256 * 1024;
/** Published sizes of what others ask a page to load (gzip, KB), with where they stand (README.md). */
const PUBLISHED = { paypal_sdk_kb: 411, paypal_gate_kb: 75, gumroad_overlay_min_kb: 2.5, x402_evm_paywall_kb: 656 };

const gzipBytes = (bytes) => gzipSync(bytes, { level: 9 }).length;
const round = (value, digits = 2) => Number(value.toFixed(digits));

async function minified(path) {
  const loader = path.endsWith('.css') ? 'css' : 'js';
  const { code } = await esbuild.transform(readFileSync(path, 'utf8'), { minify: true, loader, legalComments: 'none' });
  return gzipBytes(code);
}

/** Bytes of the script against those of a well-known small embed, both as a visitor gets them. */
export async function bytes() {
  const theirs = inRoot('node_modules', 'lite-youtube-embed', 'src');
  const [js, css] = [await minified(`${theirs}/lite-yt-embed.js`), await minified(`${theirs}/lite-yt-embed.css`)];
  const ours = gzipBytes(readFileSync(inRoot('site', 'dist', 'widget.js')));
  const manifest = JSON.parse(readFileSync(inRoot('site', 'dist', 'manifest.json'), 'utf8'));
  const dist = (name) => readFileSync(inRoot('site', 'dist', manifest[name]));
  // What a frame loads before anything is pressed: its style, its script and what that imports at once.
  const seen = new Set();
  const weigh = (address) => {
    if (seen.has(address)) return 0;
    seen.add(address);
    const text = readFileSync(inRoot('site', 'dist', address), 'utf8');
    const imports = [...text.matchAll(/(?:^|[;}])\s*import(?:[^"'();]*from)?\s*["']\.\/([^"']+)["']/g)].map(([, name]) => weigh(`assets/${name}`));
    return imports.reduce((sum, size) => sum + size, gzipBytes(text));
  };
  const frame = weigh(manifest['frame.js'].slice(1)) + gzipBytes(dist('frame.css'));
  return {
    name: 'widget bytes', peer: 'lite-youtube-embed, js and css', gzip: ours, peer_gzip: js + css, ratio: round(ours / (js + css)), frame_gzip: frame, ...PUBLISHED,
  };
}

/** A stranger's site, for as long as `use` lasts. */
async function withSite(use) {
  const pages = new Map();
  const site = await listen(createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(pages.get(request.url) ?? '');
  }));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required', '--disable-features=HttpsUpgrades'], ignoreDefaultArgs: ['--disable-popup-blocking'] });
  const put = (path, body) => {
    pages.set(path, `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>A page</title><link rel="icon" href="data:,">${body}</html>`);
    return `http://127.0.0.1:${site.port}${path}`;
  };
  try {
    return await use({ browser, put });
  } finally {
    await browser.close();
    await site.stop();
  }
}

/** As docs/EMBEDDING.md says it where nothing may move. */
const element = (stack, work) => `<satchel-buy work="${work}" style="display:block;min-height:104px"><a href="${stack.issuer}/w/${work}">Listen</a></satchel-buy>`;
const script = (stack) => `<script async src="${stack.issuer}/widget.js"></script>`;

/** A page's main thread, ms, with everything drawn; and what it asked for. */
async function load(browser, url, { cards, slow = 1 }) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  if (slow > 1) await session.send('Emulation.setCPUThrottlingRate', { rate: slow });
  const requests = [];
  page.on('request', (request) => {
    if (!request.url().startsWith('http://127.0.0.1')) requests.push(new URL(request.url()).pathname);
  });
  await page.addInitScript(() => {
    self.shift = 0;
    self.longest = 0;
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (self.shift += value))).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (self.longest = Math.max(self.longest, duration)))).observe({ type: 'longtask', buffered: true });
  });
  await page.goto(url, { waitUntil: 'load' });
  if (cards) await page.waitForFunction((count) => [...document.querySelectorAll('satchel-buy')].filter((box) => box.shadowRoot?.querySelector('b')).length >= count, cards, { polling: 100 });
  await page.waitForTimeout(600);
  const { metrics } = await session.send('Performance.getMetrics');
  const { shift, longest } = await page.evaluate(() => ({ shift: self.shift, longest: self.longest }));
  await context.close();
  return { ms: metrics.find(({ name }) => name === 'TaskDuration').value * 1000, shift, longest, requests };
}

/** Fifty cards in a page against fifty plain links. */
async function crowd(bench, stack, works) {
  const many = Array.from({ length: MANY }, (_, i) => works[i % works.length].work);
  return withSite(async ({ browser, put }) => {
    const boxes = many.map((work) => `<p>${element(stack, work)}</p>`).join('');
    const [plain, full] = [put('/plain', boxes), put('/full', script(stack) + boxes)];
    const rounds = bench.smoke ? 1 : Math.max(bench.rounds, 3);
    const extra = [];
    let requests = [];
    for (let i = 0; i < rounds; i += 1) {
      const without = await load(browser, plain, { cards: 0 });
      const having = await load(browser, full, { cards: MANY });
      extra.push(having.ms - without.ms);
      requests = having.requests;
    }
    const slow = await load(browser, full, { cards: MANY, slow: SLOWER });
    const load1 = loadavg()[0];
    const ms = median(extra);
    return [
      { name: 'widget page', peer: 'the same page with plain links', widgets: MANY, main_thread_ms: round(ms), per_widget_ms: round(ms / MANY, 3), allowed_ms: 5 + 0.5 * MANY, ratio: round(ms / (5 + 0.5 * MANY)), requests: requests.length, load1: round(load1), ...(isNoisy(load1) && { noisy: true }) },
      { name: `widget page, ${SLOWER}x slower`, peer: 'none', layout_shift: round(slow.shift, 4), longest_task_ms: round(slow.longest), requests: slow.requests.length, load1: round(load1), ...(isNoisy(load1) && { noisy: true }) },
    ];
  });
}

/** The frame's key, which a wallet allows to spend: what the approval page does, without its window. */
async function allow(stack, frame, wallet) {
  const x = await frame.evaluate(async () => {
    const done = (request) => new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = reject)));
    const database = await done(indexedDB.open('satchel-frame', 1));
    return (await done(database.transaction('keys').objectStore('keys').get('frame'))).jwk.x;
  });
  const now = Math.floor(Date.now() / 1000);
  const caps = { maxOrderMsat: 10_000_000, maxDayMsat: 100_000_000 };
  const delegation = await makeDelegation(wallet.root, { issuer: stack.issuer, key: { kty: 'OKP', crv: 'Ed25519', x }, scope: ['spend'], ...caps, now, exp: now + 86_400 });
  await clientOf(stack).delegate(wallet.root.jkt, delegation);
  const grant = { account: wallet.root.jkt, ...caps, expires: now + 86_400 };
  await frame.evaluate(async (given) => {
    const done = (request) => new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = reject)));
    const database = await done(indexedDB.open('satchel-frame', 1));
    const store = database.transaction('works', 'readwrite').objectStore('works');
    await done(store.put({ work: 'grant', grant: given }));
  }, grant);
}

const frameOf = async (page, work) => {
  await page.locator('satchel-buy [part="button"]').hover();
  const frame = await (await page.locator(`iframe[src*="/embed/${work}"]`).elementHandle()).contentFrame();
  await frame.locator('#satchel[data-view=offer]').waitFor();
  return frame;
};

/** When what was asked for after the tap began and ended, ms since the tap. */
const readTimes = () => {
  const since = self.tapped;
  const all = performance.getEntriesByType('resource').filter(({ startTime }) => startTime >= since);
  const at = (path, nth = 0) => all.filter(({ name }) => new URL(name).pathname.startsWith(path))[nth];
  const packed = at('/f/', 1) ?? at('/f/');
  const key = at('/v1/keys');
  const span = (entry) => entry && [entry.startTime - since, entry.responseEnd - since];
  return { first: Math.max(packed.responseStart, key.responseEnd) - since, quote: span(at('/v1/quotes')), order: span(at('/v1/orders')), key: span(key), packed: span(packed) };
};

/** Tap on a button that may spend → first byte of the file's contents, in the frame on a stranger's page. */
async function tap(bench, stack, works) {
  const wallet = { root: await generateKey() };
  const device = await generateKey();
  const client = clientOf(stack);
  await client.delegate(wallet.root.jkt, await makeDelegation(wallet.root, { issuer: stack.issuer, key: device.jwk }));
  await client.testMoney(wallet.root.jkt, device, { id: fundingId(), msat: 100_000_000 });
  return withSite(async ({ browser, put }) => {
    const context = await browser.newContext();
    const times = [];
    const bare = [];
    for (const [i, { record }] of works.entries()) {
      const page = await context.newPage();
      await page.goto(put(`/tap${i}`, script(stack) + element(stack, record.work)));
      let frame = await frameOf(page, record.work);
      if (i === 0) {
        await allow(stack, frame, wallet);
        await page.reload();
        frame = await frameOf(page, record.work);
      }
      await frame.evaluate(() => addEventListener('click', ({ timeStamp }) => (self.tapped ??= timeStamp), true));
      await page.mouse.move(1, 1);
      await page.waitForTimeout(CALM_MS);
      await frame.locator('#buy').click();
      // Bytes can be heard once their key is there: the later of the two counts.
      await frame.waitForFunction(() => ['/f/', '/v1/keys'].every((path) => performance.getEntriesByType('resource').some(({ name, responseEnd }) => new URL(name).pathname.startsWith(path) && responseEnd > 0)), undefined, { polling: 50 });
      times.push(await frame.evaluate(readTimes));
      bare.push(await frame.evaluate(async (url) => {
        const began = performance.now();
        const answer = await fetch(`${url}?bare`, { headers: { range: 'bytes=0-65535' }, cache: 'no-store' });
        await answer.body.getReader().read();
        return performance.now() - began;
      }, record.versions[0].url));
      await page.close();
    }
    const middle = (pick) => {
      const known = times.map(pick).filter((value) => value !== undefined);
      return known.length ? round(median(known), 1) : undefined;
    };
    const load1 = loadavg()[0];
    return {
      name: 'tap', peer: 'a bare fetch of the same bytes', taps: times.length, first_byte_ms: middle(({ first }) => first), peer_ms: round(median(bare), 1),
      quote_done: middle(({ quote }) => quote?.[1]), order_from: middle(({ order }) => order[0]), order_done: middle(({ order }) => order[1]), packed_done: middle(({ packed }) => packed[1]), key_from: middle(({ key }) => key[0]), key_done: middle(({ key }) => key[1]),
      load1: round(load1), ...(isNoisy(load1) && { noisy: true }),
    };
  });
}

/** All rows of it; those that need a browser say so where there is none. */
export async function widget(bench) {
  const rows = [await bytes()];
  if (!CHROMIUM || !existsSync(CHROMIUM)) {
    console.error('  no Chromium: no rows of pages');
    return rows;
  }
  const stack = await bench.stack('memory');
  const [creator, payee] = [await generateKey(), (await generateKey()).jkt];
  const make = (i) => sell(stack, { creator, payee, title: `Song ${i}`, bytes: Buffer.concat(Array.from({ length: MEDIA_BYTES / 65_536 }, () => randomBytes(65_536))), mediaType: 'audio/mpeg' });
  const works = [];
  for (let i = 0; i < (bench.smoke ? 2 : bench.quick ? 5 : 15); i += 1) works.push(await make(i));
  rows.push(...(await crowd(bench, stack, works.map(({ record }) => record))));
  rows.push(await tap(bench, stack, works));
  return rows;
}
