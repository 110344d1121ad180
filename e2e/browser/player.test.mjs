// Streamed works as their buyers meet them: a film, a song, a document and a picture on the work page; and the film through players
// that know nothing of us. In Chromium, which has no HLS of its own: ffmpeg stands for native players in e2e/stream.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { bytesSource, planFixed } from '../../sdk/js/src/format.js';
import { planMp3, planMp4 } from '../../sdk/js/src/plan.js';
import { inRoot } from '../../tools/proc.mjs';
import { intake, newWallet, operate, packWork, putOnSale, register, upload } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, openBrowser, openWallet, press, shot } from './lib/browser.mjs';
import { makeCaptioned, makeCover, makeSong } from './lib/media.mjs';
import { makePdf } from './lib/pdf.mjs';
import { step } from './lib/steps.mjs';

const media = scratch('player-media');
after(media.remove);
const stack = await openStack({ name: 'player' });
const creator = await newWallet(stack.client);
const PRICE = 100_000;
const PAGES = 6;

async function sell(title, mediaType, name, bytes, plan, listing) {
  const work = await packWork(creator, { bytes, plan, use: 'stream', usd_micros: PRICE, title, name, mediaType });
  await register(creator, work, { listing });
  await upload(creator, work, { origin: stack.walletOrigin });
  await intake(creator, work);
  await putOnSale(creator, work, { listing });
  return work;
}

const filmBytes = readFileSync(makeCaptioned(media.dir));
const songBytes = readFileSync(makeSong(media.dir));
const pictureBytes = readFileSync(makeCover(media.dir));
const pdfBytes = makePdf(PAGES, 700_000);
const film = await sell('The Crossing', 'video/mp4', 'crossing.mp4', filmBytes, await planMp4(bytesSource(filmBytes)), { hls: true });
const song = await sell('Night Train', 'audio/mpeg', 'night.mp3', songBytes, await planMp3(bytesSource(songBytes)));
const book = await sell('A Book', 'application/pdf', 'book.pdf', pdfBytes, { segments: planFixed(pdfBytes.length) });
const photo = await sell('A Picture', 'image/png', 'picture.png', pictureBytes, { segments: planFixed(pictureBytes.length) });

const person = await openBrowser();
let fresh = true;

/** The work page, after buying there. */
async function owned({ work }) {
  const page = await person.context.newPage();
  await page.goto(`${stack.origin}/w/${work}`);
  const wallet = await openWallet(page, page);
  await approve(wallet, { fresh });
  fresh = false;
  return page;
}

const count = (page, pattern) => {
  const asked = [];
  page.on('request', (request) => pattern.test(request.url()) && asked.push(request));
  return asked;
};
const playing = (page, tag, after_ = 0.5) => until(`${tag} playing`, () => page.locator(tag).evaluate((element, least) => element.currentTime > least && !element.paused && element.readyState >= 3, after_));

step('a film plays with controls of ours; a seek is one window and one range; it goes on where it stopped', async () => {
  const page = await owned(film);
  await playing(page, 'video');
  await page.locator('media-controller.player media-time-range').waitFor();
  await page.getByText('Streamed, not for saving').waitFor();
  await shot(page, 'player-film', { fullPage: true });
  assert.equal(await page.locator('media-play-button').getAttribute('aria-label').then((label) => Boolean(label)), true);
  assert.equal(await page.evaluate(() => navigator.mediaSession.metadata?.title), film.title);
  // Keys, with the focus on the player.
  await page.locator('media-controller.player').focus();
  await page.keyboard.press('k');
  await until('paused', () => page.locator('video').evaluate((video) => video.paused));
  const windows = count(page, /\/windows\/\d+$/);
  const ranges = count(page, /\.satchel$/);
  await page.locator('video').evaluate((video) => { video.currentTime = 21; });
  await page.keyboard.press('k');
  await playing(page, 'video', 21.2);
  assert.ok(windows.length <= 1, `${windows.length} windows`);
  assert.ok(ranges.length <= 1, `${ranges.length} ranges`);
  await until('the end', () => page.locator('video').evaluate((video) => video.ended));
  assert.equal(await page.getByText('Save file').count(), 0);
  // Captions and chapters of its own file.
  await page.getByText('Chapters').click();
  await page.getByRole('button', { name: '0:08 Part 2' }).click();
  await playing(page, 'video', 8.2);
  await page.locator('media-controller.player').focus();
  await page.keyboard.press('c');
  await until('a caption', () => page.locator('video').evaluate(({ textTracks }) => [...textTracks].some((track) => track.mode === 'showing' && track.activeCues?.[0]?.text.startsWith('Line'))));
  await page.locator('media-play-button').hover();
  await shot(page, 'player-captions', { fullPage: true });
  // Another player, where the creator allows it, and what that means.
  await page.getByText('Play in another player').click();
  await page.getByText('see the content in passing').waitFor();
  const shown = page.locator('.other-player code');
  await shown.waitFor();
  film.url = await shown.textContent();
  assert.match(film.url, /\/hls\/[\w-]+\.[\w-]+\/index\.m3u8$/);
  await page.close();
});

step('a song plays in the background with the lock screen’s keys', async () => {
  const page = await owned(song);
  await playing(page, 'audio');
  await page.locator('media-controller.player.audio media-play-button').waitFor();
  await shot(page, 'player-song', { fullPage: true });
  const other = await person.context.newPage();
  await other.bringToFront();
  const at = await page.locator('audio').evaluate((audio) => audio.currentTime);
  await until('it goes on behind another page', () => page.locator('audio').evaluate((audio, before) => audio.currentTime > before + 1 && !audio.paused, at));
  await other.close();
  await page.close();
});

step('a document is read page by page in a canvas, and only what is looked at is opened', async () => {
  const reading = await owned(book);
  await reading.getByText(`Page 1 of ${PAGES}`).waitFor();
  const inked = () => reading.locator('canvas.sheet').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let dark = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] < 100 && data[i + 3] > 200) dark += 1;
    return dark;
  });
  await until('ink on the page', async () => (await inked()) > 50);
  assert.match(await reading.locator('.reader .visually-hidden').textContent(), /This is page 1/);
  await shot(reading, 'player-document', { fullPage: true });
  await reading.locator('.reader').focus();
  await reading.keyboard.press('End');
  await reading.getByText(`Page ${PAGES} of ${PAGES}`).waitFor();
  await until('its words', async () => (await reading.locator('.reader .visually-hidden').textContent()).includes(`This is page ${PAGES}`));
  assert.equal(await reading.getByText('Save file').count(), 0);
  assert.equal(await reading.locator('a[download], iframe, embed, object').count(), 0);
  await reading.close();
});

step('a picture is drawn in a canvas, with the receipt’s short id', async () => {
  const page = await owned(photo);
  await page.locator('canvas.sheet').waitFor();
  assert.deepEqual(await page.locator('canvas.sheet').evaluate(({ width, height }) => [width, height]), [240, 240]);
  assert.equal(await page.locator('#stage img').count(), 0);
  await shot(page, 'player-picture', { fullPage: true });
  await page.close();
});

step('no page complained', async () => {
  // Being asked for patience is no fault: a document's pages may be wanted faster than they may be opened.
  person.excuse(/windows\/\d+: .*status of 429/);
  assert.deepEqual(person.complaints, []);
});

/** A page elsewhere with a player of somebody else's, which plays, seeks near the end, and ends. */
async function elsewhere(script, begin) {
  const page = await person.context.newPage();
  await page.goto(`${stack.fanOrigin}/`);
  await page.addScriptTag({ path: inRoot('node_modules', script) });
  await page.evaluate(() => {
    document.body.replaceChildren(Object.assign(document.createElement('video'), { muted: true, id: 'other' }));
    self.troubles = [];
  });
  await page.evaluate(begin, film.url);
  await playing(page, '#other', 0.5);
  await page.locator('#other').evaluate((video) => { video.currentTime = 21.5; });
  await until('its end', () => page.locator('#other').evaluate((video) => video.ended));
  const { duration, troubles } = await page.evaluate(() => ({ duration: document.querySelector('#other').duration, troubles: self.troubles }));
  assert.ok(Math.abs(duration - 24) < 0.5, `${duration} s`);
  assert.deepEqual(troubles, []);
  await page.close();
}

step('hls.js plays, seeks and ends cleanly from the playlist', () =>
  elsewhere('hls.js/dist/hls.min.js', (url) => {
    const video = document.querySelector('#other');
    const hls = new self.Hls();
    hls.on(self.Hls.Events.ERROR, (_, told) => told.fatal && self.troubles.push(told.details));
    hls.loadSource(url);
    hls.attachMedia(video);
    video.play();
  }));

step('shaka-player plays, seeks and ends cleanly from the playlist', () =>
  elsewhere('shaka-player/dist/shaka-player.compiled.js', async (url) => {
    const video = document.querySelector('#other');
    const player = new self.shaka.Player();
    await player.attach(video);
    player.addEventListener('error', ({ detail }) => self.troubles.push(`${detail.code}`));
    await player.load(url);
    video.play();
  }));

step('whoever opens a work that was taken down is told so in words, and nothing plays', async () => {
  await operate(stack, { cmd: 'take_down', work: photo.work });
  const page = await person.context.newPage();
  await page.goto(`${stack.origin}/w/${photo.work}`);
  const button = page.locator('#buy');
  // The page may be kept for half a minute: then it still has a button, once it is ready.
  await page.locator('#satchel[data-view="offer"]').or(page.getByText(/taken down/i)).first().waitFor();
  if (await button.isVisible()) await press(button);
  const words = () => page.locator('body').innerText();
  await until('words', async () => /taken down/i.test(await words()) || Promise.reject(new Error(await words())), { ms: 40_000 });
  assert.equal(await page.locator('canvas.sheet').count(), 0);
  await page.close();
});
