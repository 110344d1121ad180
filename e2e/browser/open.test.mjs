// /open: a satchel from anywhere, looked into before anything is paid, bought and opened from the very file.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, createReadStream, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after } from 'node:test';
import { listen } from '../../tools/http.mjs';
import { digestOf, newWallet, packWork, publish } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, openBrowser, press, shot } from './lib/browser.mjs';
import { makeCover, makeFilm, makeSong } from './lib/media.mjs';
import { step } from './lib/steps.mjs';

const MIB = 1 << 20;
const LARGE = (process.env.SATCHEL_SOAK ? 2_560 : 256) * MIB;
/** What the page’s process may grow by, whatever the size of the file: 50 to 100 MiB, more where a busy machine collects garbage late. */
const GROWTH = 232 * MIB;

const media = scratch('media');
after(media.remove);
const at = (name) => join(media.dir, name);
const stack = await openStack({ name: 'open' });
const other = await openStack({ name: 'other-shop', runtime: 'workerd' });
const [creator, stranger] = [await newWallet(stack.client), await newWallet(other.client)];
const song = { bytes: readFileSync(makeSong(media.dir)), name: 'Night Train.mp3', mediaType: 'audio/mpeg', origin: stack.walletOrigin };
const preview = readFileSync(makeCover(media.dir));
const first = await publish(creator, { ...song, title: 'Night Train', preview });
const foreign = await publish(stranger, { ...song, title: 'Far Away', origin: other.walletOrigin });
writeFileSync(at('night.satchel'), first.packed);
writeFileSync(at('far.satchel'), foreign.packed);

/** Somebody's storage: files by name, in ranges or not, readable from other pages or not. */
const storage = await listen(createServer((request, response) => {
  const [, way, name] = request.url.split('/');
  const { size } = statSync(at(name));
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const cors = way === 'closed' ? {} : { 'access-control-allow-origin': '*' };
  if (way === 'whole' || from === undefined) {
    response.writeHead(200, cors);
    return createReadStream(at(name)).pipe(response);
  }
  const end = Math.min(Number(to), size - 1);
  response.writeHead(206, { ...cors, 'content-range': `bytes ${from}-${end}/${size}`, 'access-control-expose-headers': 'content-range' });
  return createReadStream(at(name), { start: Number(from), end }).pipe(response);
}));
after(storage.stop);
const linkTo = (way, name) => `http://127.0.0.1:${storage.port}/${way}/${name}`;

const person = await openBrowser();
const { context, complaints, excuse } = person;
/** Every request to a shop, by origin and path. */
const asked = [];
context.on('request', (request) => asked.push(request.url()));

async function visit(hash = '') {
  const page = await context.newPage();
  await page.goto(`${stack.origin}/open${hash}`);
  return page;
}

/** Lets go of a file over the page, as a person does with the mouse. */
const drop = (page, name) =>
  page.evaluate(([base64, filename]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], filename));
    document.querySelector('h1').dispatchEvent(new DragEvent('drop', { bubbles: true, dataTransfer }));
  }, [readFileSync(at(name)).toString('base64'), name]);

async function buyHere(page, options) {
  const popup = page.waitForEvent('popup');
  await press(page.locator('#buy'));
  await approve(await popup, options);
}

/** Saving to disk asks with a dialog of the system; what is chosen there is a file of the browser's own here. */
const chooseFile = (page) =>
  page.evaluate(() => {
    self.showSaveFilePicker = async () => (await navigator.storage.getDirectory()).getFileHandle('chosen', { create: true });
  });

const chosenDigest = async (page) => {
  const bytes = await page.evaluate(async () => {
    const file = await (await (await navigator.storage.getDirectory()).getFileHandle('chosen')).getFile();
    const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return [...new Uint8Array(digest)];
  });
  return Buffer.from(bytes).toString('hex');
};

const playing = (page, tag) =>
  until('it plays', () => page.locator(`#stage ${tag}`).evaluate(({ currentTime, paused }) => currentTime > 0.3 && !paused));

step('a dropped file says what it is, with its cover, the shop’s price and nothing paid', async () => {
  const page = await visit();
  await drop(page, 'night.satchel');
  await page.locator('#buy').waitFor();
  const text = await page.locator('main').innerText();
  for (const part of ['Night Train', 'signed by its creator', stack.origin, 'has this very file in its record', '$0.25', creator.creator.jkt]) {
    assert.ok(text.includes(part), `${part} in:\n${text}`);
  }
  const cover = page.getByAltText('Cover of Night Train');
  assert.equal(await cover.evaluate(({ naturalWidth }) => naturalWidth), 240);
  assert.equal(asked.filter((url) => url.includes('/f/')).length, 0, 'the shop’s copy was fetched');
  await shot(page, 'open-offer', { fullPage: true });
});

step('it is bought in the wallet’s window and plays from the dropped file', async () => {
  const page = context.pages().find((one) => one.url().includes('/open'));
  await buyHere(page, { fresh: true });
  await playing(page, 'audio');
  assert.equal(asked.filter((url) => url.includes('/f/')).length, 0, 'the shop’s copy was fetched');
  await shot(page, 'open-playing', { fullPage: true });
  await page.close();
});

step('what was bought opens again without the wallet, and is saved byte for byte', async () => {
  const page = await visit();
  await page.locator('#file').setInputFiles(at('night.satchel'));
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.locator('#stage media-controller').waitFor();
  const saved = page.waitForEvent('download');
  await page.getByText('Save file').click();
  assert.equal(digestOf(readFileSync(await (await saved).path())), digestOf(song.bytes));
  await page.close();
});

step('a link to somebody’s storage works where it lets other pages read, in ranges', async () => {
  const page = await visit(`#url=${encodeURIComponent(linkTo('open', 'night.satchel'))}`);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await playing(page, 'audio');
  for (const [way, words] of [['whole', 'sends it whole only'], ['closed', 'can’t be read from here']]) {
    await page.locator('#link').fill(linkTo(way, 'night.satchel'));
    await page.getByRole('button', { name: 'Read it' }).click();
    await page.getByText(words).waitFor();
    assert.equal(await page.locator('#stage audio').count(), 0, 'the file before still plays');
  }
  await page.locator('#link').fill('javascript://%0aalert(1)');
  await page.getByRole('button', { name: 'Read it' }).click();
  await page.getByText('This is not the address of a file').waitFor();
  excuse(/CORS policy|Failed to load resource/);
  await page.close();
});

step('a shop nobody trusted yet is asked nothing, is named, and is dealt with once trusted', async () => {
  const page = await visit();
  asked.length = 0;
  await page.locator('#file').setInputFiles(at('far.satchel'));
  await page.getByText('Do you know this shop?').waitFor();
  assert.ok((await page.locator('#shop').innerText()).includes(other.origin));
  assert.deepEqual(asked.filter((url) => url.startsWith(other.origin)), []);
  assert.equal(await page.locator('#buy').count(), 0);
  await shot(page, 'open-stranger', { fullPage: true });
  await page.getByRole('button', { name: `Trust ${new URL(other.origin).host}` }).click();
  await page.locator('#buy').waitFor();
  await page.getByText('has this very file in its record').waitFor();
  await buyHere(page, { fresh: true });
  await playing(page, 'audio');
  assert.ok(asked.some((url) => url === `${other.origin}/v1/keys`), 'the key came from elsewhere');
  assert.ok(!asked.some((url) => url === `${stack.origin}/v1/keys`), 'our own shop heard of it');
  await page.reload();
  await page.locator('#file').setInputFiles(at('far.satchel'));
  await page.getByRole('button', { name: 'Open', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Don’t trust this shop any more' }).click();
  await page.getByText('Do you know this shop?').waitFor();
  await page.close();
});

step('a file that differs from the shop’s record, is damaged or cut short, can’t be bought', async () => {
  const unsold = await packWork(creator, { ...song, nonce: first.nonce, title: 'Night Train', usd_micros: 100 });
  writeFileSync(at('unsold.satchel'), unsold.packed);
  const damaged = Buffer.from(first.packed);
  damaged[200] ^= 1;
  writeFileSync(at('damaged.satchel'), damaged);
  writeFileSync(at('short.satchel'), first.packed.subarray(0, first.packed.length - 1000));
  writeFileSync(at('long.satchel'), Buffer.concat([first.packed, Buffer.alloc(9)]));
  writeFileSync(at('other.satchel'), 'A letter.');
  const cases = [
    ['unsold', 'This file is not the one the shop sells'], ['damaged', 'was changed or damaged'],
    ['long', 'bytes after its end'], ['other', 'not a .satchel file'],
  ];
  const page = await visit();
  for (const [name, words] of cases) {
    await page.locator('#file').setInputFiles(at(`${name}.satchel`));
    await page.getByText(words).first().waitFor();
    assert.equal(await page.locator('#buy').count(), 0, name);
  }
  // This one is owned: it may be opened as far as it goes, so another person looks.
  await page.close();
  assert.deepEqual(complaints, []);
});

step('a copy that ends early says what is missing and is not sold', async () => {
  const fresh = await openBrowser();
  const page = await fresh.context.newPage();
  await page.goto(`${stack.origin}/open`);
  await page.locator('#file').setInputFiles(at('short.satchel'));
  await page.getByText('This copy is not complete: the last 1 KB are missing (0 of 1 parts are whole)').waitFor();
  await page.getByText('has this very file in its record').waitFor();
  assert.equal(await page.locator('#buy').count(), 0);
  await shot(page, 'open-short', { fullPage: true });
});

step('a streamed film plays from the file on disk, by keys that are released window by window', async () => {
  const { context: viewer, complaints: heard } = await openBrowser();
  const path = makeFilm(media.dir);
  const { planMp4 } = await import('../../sdk/js/src/plan.js');
  const { bytesSource } = await import('../../sdk/js/src/format.js');
  const bytes = readFileSync(path);
  const plan = await planMp4(bytesSource(bytes));
  const film = await publish(creator, { bytes, plan, use: 'stream', title: 'The Crossing', name: 'crossing.mp4', mediaType: 'video/mp4', origin: stack.walletOrigin });
  writeFileSync(at('film.satchel'), film.packed);
  const page = await viewer.newPage();
  await page.goto(`${stack.origin}/open`);
  await page.locator('#file').setInputFiles(at('film.satchel'));
  await buyHere(page, { fresh: true });
  await playing(page, 'video');
  assert.equal(await page.getByText('Save file').count(), 0);
  assert.deepEqual(heard, []);
});

/** Memory of the largest of the browser's page processes, bytes. */
function largestPage() {
  let largest = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')) continue;
      const [, kib] = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      largest = Math.max(largest, Number(kib) * 1024);
    } catch { /* it has just ended */ }
  }
  return largest;
}

step(`a file of ${LARGE / MIB} MiB is bought and saved in bounded memory, to disk or to the browser’s own files`, async () => {
  const bytes = Buffer.alloc(LARGE);
  const noise = randomBytes(MIB);
  for (let i = 0; i < LARGE; i += MIB) {
    noise.writeUInt32BE(i / MIB);
    noise.copy(bytes, i);
  }
  const large = await publish(creator, { bytes, title: 'Everything', name: 'all.bin', origin: stack.walletOrigin });
  // Piece by piece: one call writes 2 GiB at most.
  for (let i = 0; i < large.packed.length; i += 64 * MIB) appendFileSync(at('large.satchel'), large.packed.subarray(i, i + 64 * MIB));
  const digest = createHash('sha256');
  for (let i = 0; i < LARGE; i += MIB) digest.update(bytes.subarray(i, i + MIB));
  const wanted = digest.digest('hex');
  const { context: buyer, complaints: heard } = await openBrowser();
  const page = await buyer.newPage();
  await page.goto(`${stack.origin}/open`);
  await chooseFile(page);
  await page.locator('#file').setInputFiles(at('large.satchel'));
  await buyHere(page, { fresh: true });
  await page.getByRole('button', { name: 'Save file' }).waitFor();
  for (const way of ['disk', 'own files']) {
    const before = largestPage();
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, largestPage())), 50);
    const began = Date.now();
    if (way === 'disk') {
      await page.getByRole('button', { name: 'Save file' }).click();
      await page.getByText('Saved “all.bin”.').waitFor({ timeout: 300_000 });
    } else {
      await page.reload();
      await page.evaluate(() => delete self.showSaveFilePicker);
      await page.locator('#file').setInputFiles(at('large.satchel'));
      await page.getByRole('button', { name: 'Open', exact: true }).click();
      const saved = page.waitForEvent('download', { timeout: 300_000 });
      await page.getByRole('button', { name: 'Save file' }).click();
      const path = await (await saved).path();
      const hash = createHash('sha256');
      for await (const part of createReadStream(path)) hash.update(part);
      assert.equal(hash.digest('hex'), wanted);
    }
    clearInterval(watch);
    const seconds = (Date.now() - began) / 1000;
    console.log(`${way}: ${(LARGE / 1e6 / seconds).toFixed(0)} MB/s, page grew by ${((peak - before) / MIB).toFixed(0)} MiB`);
    assert.ok(peak - before < GROWTH, `${way}: grew by ${peak - before} bytes`);
    if (way === 'disk' && !process.env.SATCHEL_SOAK) assert.equal(await chosenDigest(page), wanted);
  }
  assert.deepEqual(heard, []);
});
