// Chromium as a stranger has it: a profile of its own, popups only after a click, and, unless a test
// asks for the contrary, third-party cookies blocked.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { inRoot } from '../../../tools/proc.mjs';

const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
];
/** The settings page's choice, said either way because builds differ in what they begin with. */
const BLOCKING = { cookie_controls_mode: 1, block_third_party_cookies: true };
const ALLOWING = { cookie_controls_mode: 0, block_third_party_cookies: false };
/** Blocks whatever the settings say. */
const BLOCKING_SWITCH = '--test-third-party-cookie-phaseout';
const PATIENCE_MS = Number(process.env.PLAY_MS ?? 90_000);
const ARTIFACTS = inRoot('e2e', 'artifacts');

/** Where this run's screenshots go. */
export function artifact(name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  return join(ARTIFACTS, name);
}

export const shot = (page, name, options) => page.screenshot({ path: artifact(`${name}.png`), ...options });

const open = new Set();
after(async () => {
  for (const browser of open) await browser.end();
});

/**
 * Starts a browser with a new profile: a person who has never been here. One runs at a time.
 * @param {{thirdPartyCookies?: boolean, args?: string[]}} [options] the rest is playwright's
 */
export async function openBrowser({ thirdPartyCookies = false, args = [], ...options } = {}) {
  for (const other of open) await other.end();
  const profile = mkdtempSync(join(tmpdir(), 'satchel-profile-'));
  const rest = thirdPartyCookies ? [] : [BLOCKING_SWITCH];
  mkdirSync(join(profile, 'Default'));
  const preferences = { profile: thirdPartyCookies ? ALLOWING : BLOCKING };
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: [...ARGS, ...rest, ...args],
    // Playwright would allow every popup; whether ours count as asked for is part of the test.
    ignoreDefaultArgs: ['--disable-popup-blocking'],
    // Tall enough for the fan page: a screenshot beyond the window would cut off frames of other sites.
    viewport: { width: 1000, height: 1080 },
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const browser = { context, ...watch(context) };
  browser.end = async () => {
    open.delete(browser);
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  open.add(browser);
  return browser;
}

/**
 * Everything a person with the developer tools open would see: complaints (errors, warnings, violated policies) and
 * all answers. Errors that a test provokes are taken from the list by `excuse`.
 */
function watch(context) {
  const complaints = [];
  const bodies = [];
  const note = (where, what) => complaints.push(`${where}: ${what}`);
  context.on('weberror', (error) => note(error.page()?.url(), error.error().stack));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) note(message.location().url || message.page()?.url(), message.text());
  });
  context.on('response', (response) => {
    const url = response.url();
    if (!/^https?:/.test(url)) return;
    const body = response.body().then(
      (bytes) => ({ url, status: response.status(), bytes }),
      // Gone with its page, or one without a body.
      () => ({ url, status: response.status(), bytes: null }),
    );
    bodies.push(body);
  });
  const excuse = (pattern) => {
    const kept = complaints.filter((text) => !pattern.test(text));
    complaints.splice(0, complaints.length, ...kept);
  };
  return { complaints, excuse, answers: () => Promise.all(bodies) };
}

/** The card of a work that widget.js has drawn. */
export const cardOf = (page, work) => page.locator(`satchel-buy[work="${work}"] [part="card"]`);

/** Waits for the frame of a work on a page, and for its button or link; reaches for its card where that comes first. */
export async function frameOf(page, work) {
  const holder = page.locator(`iframe[src*="/embed/${work}"]`);
  const button = cardOf(page, work).locator('button');
  await holder.or(button).first().waitFor();
  if (!(await holder.count())) await button.first().hover();
  await holder.waitFor();
  const frame = await (await holder.elementHandle()).contentFrame();
  await frame.locator('#satchel[data-view]').waitFor();
  return frame;
}

/** The button must have been in view for half a second before it counts. */
export async function press(locator) {
  await locator.scrollIntoViewIfNeeded();
  await locator.page().waitForTimeout(800);
  await locator.click();
}

/** Presses the button in a frame or work page; gives the wallet's window. */
export async function openWallet(page, frame) {
  const popup = page.waitForEvent('popup');
  await press(frame.locator('#buy'));
  return popup;
}

/** Approves what the wallet's window asks; makes a wallet and adds test money where there is none. */
export async function approve(wallet, { fresh = false } = {}) {
  if (fresh) {
    await press(wallet.getByRole('button', { name: 'Make a wallet and continue' }));
    await press(wallet.getByRole('button', { name: /^Add .* of test money$/ }));
  }
  const closed = wallet.waitForEvent('close');
  await press(wallet.getByRole('button', { name: /^Pay / }));
  await closed;
}
