// Every page of ours before axe-core, light and dark, and a purchase by keyboard alone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { inRoot } from '../../tools/proc.mjs';
import { newWallet, publish } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, frameOf, openBrowser, openWallet, shot } from './lib/browser.mjs';
import { makeSong } from './lib/media.mjs';
import { step } from './lib/steps.mjs';
import { encrypted, itemOf } from './lib/studio.mjs';

const AXE = readFileSync(inRoot('node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const SCHEMES = ['light', 'dark'];
const media = scratch('media');
after(media.remove);
const stack = await openStack({ name: 'a11y' });
const creator = await newWallet(stack.client);
const path = makeSong(media.dir);
const offer = { bytes: readFileSync(path), name: 'song.mp3', mediaType: 'audio/mpeg', origin: stack.walletOrigin };
const [first, second] = [await publish(creator, { ...offer, title: 'One' }), await publish(creator, { ...offer, title: 'Two' })];
let { context, complaints } = await openBrowser();

/** Serious and critical findings in what is shown now, in both colour schemes. */
async function inspect(name, page, place = page) {
  const found = [];
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // By the debugger, which no content policy holds up.
    await place.evaluate(AXE);
    const { violations, passes } = await place.evaluate(() => self.axe.run(document, { iframes: false, resultTypes: ['violations'] }));
    assert.ok(passes.length > 5, `${name}: axe looked at nothing`);
    for (const { id, impact, nodes } of violations) {
      if (['serious', 'critical'].includes(impact)) found.push(`${name}, ${colorScheme}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
    }
    await shot(page, `${name}-${colorScheme}`, { fullPage: true });
  }
  assert.deepEqual(found, []);
}

async function visit(address) {
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

step('front page and the page for satchels from elsewhere', async () => {
  for (const name of ['', 'open']) {
    const page = await visit(`${stack.origin}/${name}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await inspect(name || 'home', page);
    if (name) {
      await page.locator('#file').setInputFiles({ name: 'song.satchel', mimeType: 'application/vnd.satchel', buffer: Buffer.from(first.packed) });
      await page.locator('#buy').waitFor();
      await inspect('open-offer', page);
    }
    await page.close();
  }
});

step('studio, before and after a file is chosen', async () => {
  const page = await visit(`${stack.walletOrigin}/studio`);
  await inspect('studio-empty', page);
  await page.locator('#file').setInputFiles(path);
  await encrypted(itemOf(page));
  await page.getByLabel('Price', { exact: true }).fill('nothing');
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.locator('.price-problem').waitFor();
  await inspect('studio-form', page);
  await page.close();
});

/** Presses Tab until the keyboard is on it. */
async function tabTo(page, locator) {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab');
    if (await locator.evaluate((element) => element === document.activeElement && document.hasFocus())) return;
  }
  assert.fail(`no way to ${locator} by keyboard`);
}

step('a purchase by keyboard alone', async () => {
  assert.deepEqual(complaints, []);
  // Somebody else: the studio has made a wallet in this browser.
  ({ context, complaints } = await openBrowser());
  const page = await visit(`${stack.fanOrigin}/?work=${first.work}`);
  const frame = await frameOf(page, first.work);
  await inspect('embed', page, frame);
  await page.waitForTimeout(800);
  await tabTo(page, frame.locator('#buy'));
  const opened = page.waitForEvent('popup');
  await page.keyboard.press('Enter');
  const wallet = await opened;
  const presses = [['new', 'Make a wallet and continue'], ['short', /^Add .* of test money$/], ['ready', /^Pay /]];
  for (const [label, name] of presses) {
    const button = wallet.getByRole('button', { name });
    await button.waitFor();
    await inspect(`approve-${label}`, wallet);
    // A press right after something new came on screen was meant for what was there before.
    await wallet.waitForTimeout(800);
    await tabTo(wallet, button);
    await wallet.keyboard.press('Enter').catch(() => {});
  }
  await until('the wallet closing', () => wallet.isClosed());
  const audio = frame.locator('audio');
  await until('the song playing', () => audio.evaluate(({ currentTime }) => currentTime > 0.3));
  await inspect('embed-playing', page, frame);
  await page.close();
});

step('wallet, with a purchase and with its words shown', async () => {
  const page = await visit(`${stack.walletOrigin}/wallet`);
  await page.locator('.purchase').waitFor();
  await inspect('wallet-page', page);
  await page.getByRole('button', { name: 'Show recovery words' }).click();
  await page.getByRole('button', { name: 'Show them now' }).click();
  assert.equal(await page.locator('.words li').count(), 12);
  await page.locator('#restore summary').click();
  await inspect('wallet-words', page);
  await page.close();
});

step('work page, for sale and bought', async () => {
  const page = await visit(`${stack.origin}/w/${second.work}`);
  await page.getByRole('button', { name: /^Buy / }).waitFor();
  await inspect('work', page);
  await approve(await openWallet(page, page));
  await page.locator('audio').waitFor({ state: 'attached' });
  await inspect('work-bought', page);
  await page.close();
  assert.deepEqual(complaints, []);
});
