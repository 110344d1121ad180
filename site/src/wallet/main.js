// The wallet: balance, library, permissions, recovery. Everything of it that matters is in this browser's storage.
import { fundingId } from '../../../sdk/js/src/ids.js';
import { usdToMsat } from '../../../sdk/js/src/money.js';
import { devicesSection, joinSection, scannedDevice, sitesSection } from '../identity/devices.js';
import { accountSection, leaveSection, signOutSection } from '../identity/leave.js';
import { section, text as identityText } from '../identity/parts.js';
import { passkeyDoor, passkeySection } from '../identity/passkeys.js';
import { restoreSection, unsavedNotice, wordsSection } from '../identity/words.js';
import { loadConfig } from '../shared/config.js';
import { fill, languageSwitch, usd, words } from '../shared/i18n.js';
import { $, el } from '../shared/ui.js';
import { createWallet, loadWallet, walletClient, wordsOnce } from '../shared/wallet-store.js';
import { readAccount } from './account.js';
import { librarySection } from './library.js';
import { exactBits, worth } from './money.js';
import { refundForm } from './refund.js';
import { statement } from './statement.js';
import { unfinishedSection } from './unfinished.js';
import { action, notice, problemBox, show, testBadge } from './view.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);
const TEST_USD = 5_000_000;
const MSAT_PER_BIT = 100_000;

const root = $('#app');
fill(document, text);
languageSwitch();
const client = await walletClient();
const { issuer } = await loadConfig();

const busy = (words) => show(root, el('div', { class: 'waiting', role: 'status' }, el('span', { class: 'spinner', 'aria-hidden': 'true' }), el('p', { textContent: words })));
const amount = (msat, rate) => `${worth(msat, rate.usd_micros_per_btc)} (${exactBits(msat)})`;

// ---------------------------------------------------------------- balance

function balanceSection(wallet, account, message) {
  const { rate } = account;
  let funding = null;
  const addTest = async () => {
    // One id for all tries: an answer that was lost must not add the money twice.
    funding ??= fundingId();
    try {
      await client.testMoney(wallet.account, wallet.device, { id: funding, msat: usdToMsat(TEST_USD, rate.usd_micros_per_btc) });
      const fresh = await readAccount(client, wallet);
      section.replaceWith(balanceSection(wallet, fresh.account, notice(text.added(usd(TEST_USD)), 'good')));
    } catch (error) {
      slot.replaceChildren(problemBox(error));
    }
  };
  const slot = el('div', {}, message);
  const section = el('section', { class: 'card stack', id: 'balance', tabIndex: -1, 'aria-labelledby': 'balance-heading' },
    el('div', { class: 'row' }, el('h2', { id: 'balance-heading', textContent: text.balance }), account.ledger === 'test' && testBadge(text.testMoney, text.testMoneyHint)),
    el('p', { class: 'sum' }, el('span', { class: 'dollars', textContent: worth(account.balance_msat, rate.usd_micros_per_btc) }), el('span', { class: 'muted numbers', textContent: text.bits(exactBits(account.balance_msat)) })),
    account.incoming_msat > 0 && el('p', { textContent: text.incoming(amount(account.incoming_msat, rate)) }),
    account.pending_msat > 0 && el('p', { textContent: text.pending(amount(account.pending_msat, rate)) }),
    slot,
    account.test_money && el('div', { class: 'row' }, action(text.addTest(usd(TEST_USD)), addTest, 'primary')),
    el('p', { class: 'muted small' }, text.rate(worth(MSAT_PER_BIT, rate.usd_micros_per_btc)), account.ledger === 'test' && ` ${text.testMoneyHint}`));
  return section;
}

// ---------------------------------------------------------------- the page

/** Links to the parts that are there. @param {HTMLElement[]} sections */
function inside(sections) {
  const there = new Set(sections.filter(Boolean).map(({ id }) => id));
  const links = Object.entries(text.parts).filter(([id]) => there.has(id));
  return el('nav', { class: 'inside', 'aria-label': text.inside }, ...links.map(([id, label]) => el('a', { href: `#${id}`, textContent: label })));
}

async function drawNone(problem) {
  const make = async () => {
    busy(text.making);
    try {
      await createWallet();
      await start();
    } catch (error) {
      await drawNone(problemBox(error));
    }
  };
  const here = (words) => () => start(notice(words, 'good'));
  const deleted = location.hash === '#deleted' && notice(identityText.deleted, 'good');
  show(root, el('h1', { textContent: text.heading }), deleted,
    section('none', text.noneHeading, el('p', { textContent: text.noneHint }), problem, el('div', { class: 'row' }, action(text.make, make, 'primary large'))),
    await passkeyDoor(client, here(identityText.passkeyOpened)),
    joinSection(client, here(identityText.joined)),
    restoreSection(false, here(text.restored)));
}

async function start(message = null) {
  busy(text.loading);
  try {
    let wallet = await loadWallet();
    if (!wallet) return await drawNone();
    const recovery = await wordsOnce(wallet);
    const again = (note) => start(note);
    // The words must be within reach when the ledger is not.
    let first;
    let rest = [];
    try {
      const known = await readAccount(client, wallet);
      wallet = known.wallet;
      const { account } = known;
      const context = { client, wallet, account };
      first = [
        await scannedDevice(context, again), await unfinishedSection(client, issuer), balanceSection(wallet, account), librarySection(client, wallet, issuer),
        sitesSection(context), section('statement', text.statement, ...statement(client, wallet, account)),
      ];
      rest = [
        await passkeySection(wallet, client, recovery), devicesSection(context), signOutSection(context, again),
        section('refund', text.refund, ...refundForm(client, wallet, account, (said) => start(notice(said, 'good')))), leaveSection(context, recovery),
      ];
    } catch (error) {
      first = [problemBox(error, action(text.again, () => start(), 'primary'))];
    }
    const parts = [...first, wordsSection(wallet, recovery), ...rest];
    show(root, el('h1', { textContent: text.heading }), message, unsavedNotice(recovery !== null), inside(parts), ...parts,
      restoreSection(true, () => start(notice(text.restored, 'good'))), accountSection(wallet));
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    show(root, el('h1', { textContent: text.heading }), problemBox(error, action(text.again, () => start(), 'primary')));
  }
}

await start();
// A code scanned while the wallet is open changes the address only.
addEventListener('hashchange', () => location.hash.startsWith('#device=') && start());
