// Identity and the wallet: words that are checked, a passkey, a second device, sites that may spend, export and leaving.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { verifyJws } from '../../sdk/js/src/index.js';
import { newWallet, publish } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { inspect } from './lib/axe.mjs';
import { openBrowser, openWallet, press } from './lib/browser.mjs';
import { makeSong } from './lib/media.mjs';
import { step } from './lib/steps.mjs';

const WIDTHS = [320, 768, 1280];
const media = scratch('media');
after(media.remove);
const stack = await openStack({ name: 'self' });
const { client } = stack;
const creator = await newWallet(client);
const bytes = readFileSync(makeSong(media.dir));
const offer = { bytes, name: 'song.mp3', mediaType: 'audio/mpeg', usd_micros: 500_000, origin: stack.walletOrigin };
const songs = [];
for (const title of ['One', 'Two', 'Three', 'Four']) songs.push(await publish(creator, { ...offer, title }));
const WALLET = `${stack.walletOrigin}/wallet`;
const workPage = ({ work }) => `${stack.origin}/w/${work}`;

let person;
let page;
let words;

const button = (name, place = page) => place.getByRole('button', { name, exact: typeof name === 'string' });
const accountOf = (place) => place.getByRole('textbox', { name: 'account id' }).textContent();
/** In the page itself: what is announced to screen readers stands elsewhere. */
const says = (words, place = page) => place.locator('main').getByText(words).first().waitFor();
const heading = (place = page) => place.getByRole('heading', { level: 1, name: 'Your wallet' }).waitFor();
const playing = (place) => until('the song playing', () => place.locator('audio').evaluate(({ currentTime, paused }) => currentTime > 0.2 && !paused));

async function visit(address, { context } = person) {
  const tab = await context.newPage();
  await tab.goto(address);
  return tab;
}

/** The work's own page, once its button sells. */
async function toShop(place, song) {
  await place.goto(workPage(song));
  await place.locator('#satchel[data-view]').waitFor();
}

async function makeWallet(place) {
  await place.goto(WALLET);
  await button('Make a wallet', place).click();
  await button(/^Add .* of test money$/, place).click();
  await says('of test money added', place);
}

/** An authenticator that knows PRF, as phones and laptops have one. */
async function authenticator(place, options = {}) {
  const cdp = await place.context().newCDPSession(place);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, hasPrf: true, ...options },
  });
  return { cdp, credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials };
}

async function shownWords(place) {
  await place.locator('.words li').first().waitFor();
  return place.locator('.words li').allTextContents();
}

step('words are asked for once they were shown, and the warning stays until they are right', async () => {
  person = await openBrowser();
  page = await person.context.newPage();
  await page.goto(WALLET);
  await heading();
  await inspect('wallet-none', page, { widths: WIDTHS });
  await makeWallet(page);
  await says('Only this browser has your wallet', page);
  await button('Show recovery words').click();
  await button('Show them now').click();
  words = await shownWords(page);
  assert.equal(words.length, 12);
  await inspect('wallet-words', page);

  await button('I have written all twelve down').click();
  const asked = page.locator('#words input');
  assert.equal(await asked.count(), 3);
  await asked.first().fill('zoo');
  await button('Check, and remove them from this browser').click();
  await says('That is not what was shown', page);
  assert.equal(await asked.first().getAttribute('aria-invalid'), 'true');
  await inspect('wallet-words-check', page);
  await page.reload();
  await says('Only this browser has your wallet', page);

  // By keyboard alone this time.
  await button('Show recovery words').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await shownWords(page);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  for (let n = 0; n < 3; n += 1) {
    const label = await page.evaluate(() => document.activeElement.labels[0].textContent);
    await page.keyboard.type(`${words[Number(/\d+/.exec(label)[0]) - 1]} `.toUpperCase());
    await page.keyboard.press(n < 2 ? 'Tab' : 'Enter');
  }
  await says('so they can’t be shown again', page);
  assert.equal(await page.locator('#unsaved').count(), 0);
  await page.reload();
  await heading();
  assert.equal(await page.locator('#unsaved').count(), 0);
  assert.equal(await button('Show recovery words').count(), 0);
  assert.deepEqual(person.complaints, []);
});

step('a passkey brings the wallet back, and ends with “this device only”', async () => {
  const { credentials } = await authenticator(page);
  const account = await accountOf(page);
  await button('Make a passkey').click();
  // The words are gone from this browser: what a passkey protects has to be typed.
  const typed = page.locator('#passkey textarea');
  await typed.fill(creator.words);
  await button('Make a passkey').click();
  await says('These words are of another wallet', page);
  await typed.fill(words.join(' '));
  await button('Make a passkey').click();
  await says('Your passkey is ready', page);
  const made = await credentials();
  assert.equal(made.length, 1);
  assert.equal(Buffer.from(made[0].userHandle, 'base64').toString('base64url'), account, 'the handle names the account');

  await button('Show my words with the passkey').click();
  assert.deepEqual(await shownWords(page), words);
  await button('Hide them').click();

  // Somebody else's browser, or this one after its data was cleared.
  const erase = async () => {
    await button('Erase from this browser').click();
    await page.getByLabel('I understand: erase it').check();
    await button('Erase everything here').click();
    await says('There is no wallet in this browser yet', page);
  };
  const open = () => page.locator('#open-passkey').getByRole('button').click();
  await erase();
  await open();
  await says('Your wallet is here.', page);
  assert.equal(await accountOf(page), account);
  await page.locator('#devices').getByText(/^Passkey \(/).waitFor();

  await button('Sign out everywhere').click();
  await button('Sign out everywhere now').click();
  await says('Only this browser is let in again', page);
  await erase();
  await open();
  await says('Your wallet is here.', page);

  await button('Use on this device only').click();
  await button('Sign out everywhere now').click();
  await says('your recovery words open the wallet now', page);
  await erase();
  await open();
  await says('This passkey can’t open a wallet', page);
  await page.locator('#restore summary').click();
  await page.locator('#restore-words').fill(words.join('\n'));
  await button('Restore this wallet').click();
  await says('Your wallet is here again', page);
  assert.equal(await accountOf(page), account);
  // The ledger's refusal of the passkey's key is in the console.
  person.excuse(/status of 403/);
  assert.deepEqual(person.complaints, []);
});

step('where authenticators have no PRF nothing is kept, and without the extension nothing is offered', async () => {
  const place = await visit(WALLET);
  await authenticator(place, { hasPrf: false });
  await button('Make a passkey', place).click();
  await place.locator('#passkey textarea').fill(words.join(' '));
  await button('Make a passkey', place).click();
  await says('This passkey can’t open a wallet', place);
  assert.equal(await place.locator('#devices').getByText(/^Passkey/).count(), 0);
  await place.addInitScript(() => {
    PublicKeyCredential.getClientCapabilities = async () => ({ 'extension:prf': false });
  });
  await place.reload();
  await heading(place);
  await place.locator('#devices').waitFor();
  assert.equal(await place.locator('#passkey').count(), 0);
  await place.close();
  assert.deepEqual(person.complaints, []);
});

step('a site is allowed to spend: one tap from then on, until the day’s sum is spent', async () => {
  const orders = [];
  person.context.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === '/v1/orders') orders.push(request.postDataJSON().order);
  });
  const work = await person.context.newPage();
  await toShop(work, songs[0]);
  const wallet = await openWallet(work, work);
  await button(/^Pay /, wallet).waitFor();
  await wallet.getByLabel('Let localhost', { exact: false }).check();
  await wallet.getByLabel('Up to, each time').selectOption({ label: '$0.50' });
  await wallet.getByLabel('Up to, a day').selectOption({ label: '$1.00' });
  await inspect('approve-allow', wallet, { widths: [320, 440] });
  const closed = wallet.waitForEvent('close');
  await press(button('Pay $0.50 and allow', wallet));
  await closed;
  await playing(work);

  // One tap each: the window opens, pays and closes by itself. A reload changes nothing.
  for (const song of songs.slice(1, 3)) {
    await toShop(work, song);
    const popup = work.waitForEvent('popup');
    await press(work.locator('#buy'));
    await (await popup).waitForEvent('close');
    await playing(work);
  }
  assert.equal(new Set(orders).size, 3);

  // A dollar of today is spent: the ledger refuses, and the buyer is asked.
  await toShop(work, songs[3]);
  const asking = await openWallet(work, work);
  await says('more than localhost', asking);
  await button(/^Pay /, asking).waitFor();
  await asking.close();
  person.excuse(/status of 403/);
  await page.reload();
  const site = page.locator('#sites .key');
  await site.waitFor();
  await page.locator('#purchases .purchase').nth(2).waitFor();
  assert.equal(await page.locator('#purchases .purchase').count(), 3);
  assert.match(await site.innerText(), /localhost.*\n.*\$0\.50 each, \$1\.00 a day · \$1\.00 today/);
  await inspect('wallet', page, { widths: WIDTHS });
  await button(/^Remove localhost/).click();
  await button('End it now').click();
  await page.locator('#sites').getByText('may do nothing more').waitFor();
  assert.equal(await site.count(), 0);
  const after = await person.context.newPage();
  await toShop(after, songs[3]);
  const asked = await openWallet(after, after);
  await button(/^Pay /, asked).waitFor();
  assert.equal(await asked.getByText('more than localhost').count(), 0);
  await asked.close();
  await after.close();
  await work.close();
  assert.deepEqual(person.complaints, []);
});

step('an answer that was lost is found when the wallet is opened again', async () => {
  const work = await person.context.newPage();
  await toShop(work, songs[3]);
  const sent = [];
  await person.context.route('**/v1/orders', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    const body = route.request().postDataJSON();
    // It arrives, and the answer is lost.
    await client.request('POST', '/v1/orders', { body });
    sent.push(body.order);
    return route.abort('connectionreset').catch(() => {});
  });
  const wallet = await openWallet(work, work);
  await press(button(/^Pay /, wallet));
  await until('the order on its way', () => sent.length > 0);
  await wallet.close();
  await work.close();
  await person.context.unroute('**/v1/orders');
  await page.reload();
  await page.locator('#unfinished').getByText('Bought for $0.50').waitFor();
  await page.reload();
  await page.locator('#purchases .purchase').nth(3).waitFor();
  assert.equal(await page.locator('#unfinished').count(), 0);
  assert.equal(await page.locator('#purchases .purchase').count(), 4, 'bought once');
  person.excuse(/ERR_CONNECTION_RESET|ERR_FAILED/);
  assert.deepEqual(person.complaints, []);
});

step('an export has receipts that verify; a receipt goes to another key', async () => {
  const saving = page.waitForEvent('download');
  await button('Export everything (JSON)').click();
  const whole = JSON.parse(readFileSync(await (await saving).path(), 'utf8'));
  assert.equal(whole.account, await accountOf(page));
  assert.equal(whole.recovery_words, undefined, 'they were checked and removed');
  assert.deepEqual([whole.purchases.length, whole.receipts.length], [4, 4]);
  assert.ok(whole.history.length >= 5);
  const jwks = await (await fetch(`${stack.origin}/.well-known/jwks.json`)).json();
  for (const { receipt, work } of whole.receipts) {
    const { kid } = JSON.parse(Buffer.from(receipt.split('.')[0], 'base64url'));
    const { kty, crv, x } = jwks.keys.find((key) => key.kid === kid);
    const claims = await verifyJws(receipt, { kty, crv, x }, 'satchel-receipt+jws', ['kid']);
    assert.deepEqual([claims.work, claims.cnf.jkt], [work, whole.receipts[0].key]);
  }
  const first = page.locator('#purchases .purchase').first();
  await first.locator('summary').click();
  await first.getByLabel('Thumbprint of its key').fill('nothing');
  await button('Issue it', first).click();
  await first.getByText('This is no thumbprint').waitFor();
  await first.getByLabel('Thumbprint of its key').fill(creator.device.jkt);
  await button('Issue it', first).click();
  const receipt = await first.getByRole('textbox', { name: /^receipt of/ }).textContent();
  const claims = JSON.parse(Buffer.from(receipt.split('.')[1], 'base64url'));
  assert.equal(claims.cnf.jkt, creator.device.jkt);
  assert.equal(JSON.stringify(claims).includes(whole.account), false);
  assert.deepEqual(person.complaints, []);
});

step('deleting the account says what it means and does it', async () => {
  // The creator's wallet, in a browser that has never seen its works: the shop knows them.
  page = await visit(WALLET);
  await page.locator('#restore summary').click();
  await page.locator('#restore-words').fill(creator.words);
  await page.getByLabel('Replace the wallet in this browser').check();
  await button('Restore this wallet').click();
  await says('Your wallet is here again', page);
  await button('Delete the account').click();
  const means = page.locator('#leave .means');
  await means.getByText('Your works are taken off sale').waitFor();
  await inspect('wallet-delete', page);
  await button('Delete the account for good').click();
  await says('Read what it means first', page);
  await page.getByLabel('I understand, and nobody can undo this').check();
  await button('Delete the account for good').click();
  await says('The account is deleted and this browser is empty', page);
  for (const { work } of songs) assert.equal((await client.record(work)).state, 'unpublished');
  await assert.rejects(client.account(creator.account, creator.device), { code: 'delegation_expired' });
  person.excuse(/status of 4/);
  assert.deepEqual(person.complaints, []);
});

step('a second device is let in by the first, buys, and is put out again', async () => {
  await person.end();
  // The works so far went off sale with their creator.
  const other = await newWallet(client);
  for (const i of [1, 2]) songs[i] = await publish(other, { ...offer, title: songs[i].title });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'] });
  try {
    const [laptop, phone] = [await browser.newContext({ viewport: { width: 1000, height: 900 } }), await browser.newContext({ viewport: { width: 390, height: 800 } })];
    for (const context of [laptop, phone]) context.setDefaultTimeout(90_000);
    const old = await laptop.newPage();
    await makeWallet(old);
    const account = await accountOf(old);

    const fresh = await phone.newPage();
    await fresh.goto(WALLET);
    await button('Show the code', fresh).click();
    const link = await fresh.getByRole('textbox', { name: 'link of this device' }).textContent();
    const number = await fresh.locator('.check-number strong').textContent();
    await fresh.locator('svg.qr').waitFor();
    await inspect('join', fresh, { widths: [320, 390] });

    // As a camera would open it; a nonsense code first.
    await old.getByLabel('Link or code of the new device').fill('https://example.com/#device=short');
    await button('Next', old).click();
    await says('This is no code of a device', old);
    await old.goto(link);
    assert.equal(await old.locator('#approve-device .check-number strong').textContent(), number, 'both show one number');
    await old.getByLabel('Name for your list').fill('Phone');
    await inspect('approve-device', old);
    await button('The numbers are the same: let it in', old).click();
    await says('Phone is in.', old);

    await says('This device is in', fresh);
    assert.equal(await accountOf(fresh), account);
    await says('has no recovery words', fresh);
    assert.equal(await button('Sign out everywhere', fresh).count(), 0);
    await fresh.locator('#devices .key').first().waitFor();
    await inspect('wallet-guest', fresh, { widths: [320, 390] });

    // It buys with the same money, but makes nothing.
    const shop = await phone.newPage();
    await toShop(shop, songs[1]);
    const wallet = await openWallet(shop, shop);
    await button(/^Pay /, wallet).waitFor();
    assert.equal(await wallet.getByLabel('spend without asking', { exact: false }).count(), 0, 'only the root key allows sites');
    const closed = wallet.waitForEvent('close');
    await press(button(/^Pay /, wallet));
    await closed;
    await playing(shop);
    const studio = await phone.newPage();
    await studio.goto(`${stack.walletOrigin}/studio`);
    await says('it has no creator key', studio);
    await inspect('studio-guest', studio);

    await old.reload();
    const row = old.locator('#devices .key', { hasText: 'Phone' });
    await row.waitFor();
    assert.match(await row.innerText(), /\$20\.00 a day, \$0\.50 spent today/);
    await button('Remove Phone', row).click();
    await button('End it now', row).click();
    await says('Phone may do nothing more', old);
    await toShop(shop, songs[2]);
    const refused = await openWallet(shop, shop);
    await says('This can’t be bought just now', refused);
    await fresh.reload();
    await says('This device may not', fresh);

    const own = await laptop.newPage();
    await own.goto(`${stack.walletOrigin}/studio#account`);
    await own.locator('#view-account #devices .key').first().waitFor();
    await inspect('studio-account', own, { widths: WIDTHS });
  } finally {
    await browser.close();
  }
});
