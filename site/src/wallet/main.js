// The wallet: balance, purchases, recovery words. Everything of it that matters is in this browser's storage.
import { fundingId } from '../../../sdk/js/src/ids.js';
import { usdToMsat } from '../../../sdk/js/src/money.js';
import { loadConfig } from '../shared/config.js';
import { fill, languageSwitch, usd, words } from '../shared/i18n.js';
import { $, announce, copyRow, el } from '../shared/ui.js';
import { createWallet, forgetWords, loadWallet, restoreWallet, signOutEverywhere, walletClient, wordsOnce } from '../shared/wallet-store.js';
import { readAccount } from './account.js';
import { exactBits, worth } from './money.js';
import { refundForm } from './refund.js';
import { statement } from './statement.js';
import { action, alertBox, moment, notice, problemBox, show, testBadge } from './view.js';
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

/** A section with its heading. @returns {HTMLElement} */
const section = (id, heading, ...children) => el('section', { class: 'card stack', id, 'aria-labelledby': `${id}-heading` }, el('h2', { id: `${id}-heading`, textContent: heading }), ...children);

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
  const section = el('section', { class: 'card stack', 'aria-labelledby': 'balance-heading' },
    el('div', { class: 'row' }, el('h2', { id: 'balance-heading', textContent: text.balance }), account.ledger === 'test' && testBadge(text.testMoney, text.testMoneyHint)),
    el('p', { class: 'sum' }, el('span', { class: 'dollars', textContent: worth(account.balance_msat, rate.usd_micros_per_btc) }), el('span', { class: 'muted numbers', textContent: text.bits(exactBits(account.balance_msat)) })),
    account.incoming_msat > 0 && el('p', { textContent: text.incoming(amount(account.incoming_msat, rate)) }),
    account.pending_msat > 0 && el('p', { textContent: text.pending(amount(account.pending_msat, rate)) }),
    slot,
    account.test_money && el('div', { class: 'row' }, action(text.addTest(usd(TEST_USD)), addTest, 'primary')),
    el('p', { class: 'muted small' }, text.rate(worth(MSAT_PER_BIT, rate.usd_micros_per_btc)), account.ledger === 'test' && ` ${text.testMoneyHint}`));
  return section;
}

// ---------------------------------------------------------------- purchases

function purchaseRow({ work, title, use, usd_micros: price, msat, time, refunded_msat: refunded = 0, active = true, handle }) {
  let back = '';
  if (refunded > 0) back = refunded >= msat ? text.refundedAll : text.refundedPart(exactBits(refunded));
  return el('li', { class: 'purchase' },
    el('div', { class: 'what' }, el('strong', { textContent: title }),
      el('span', { class: 'muted small numbers' }, moment(time), ` · ${price === 0 ? text.free : usd(price)}`, back && ` · ${back}`),
      // What cost nothing can't be refunded.
      handle && msat > refunded && el('details', { class: 'handle' },
        el('summary', { class: 'small', 'aria-label': `${text.handle}: ${title}`, textContent: text.handle }),
        el('p', { class: 'muted small', textContent: text.handleHint }), copyRow(text.handleOf(title), handle))),
    active && el('a', { class: 'button compact', href: `${issuer}/w/${work}#owned`, 'aria-label': text.openTitle(title), textContent: text.play[use] ?? text.play.download }));
}

function purchasesSection(wallet) {
  const list = el('ul', { class: 'purchases' });
  const slot = el('div', { 'aria-busy': 'true' }, el('p', { class: 'muted', textContent: text.loading }));
  const load = async (after) => {
    try {
      const { purchases, next } = await client.purchases(wallet.account, wallet.device, after);
      list.append(...purchases.map(purchaseRow));
      const rest = next ? action(text.more, () => load(next)) : null;
      const none = list.children.length === 0 && el('p', { class: 'muted', textContent: text.noPurchases });
      slot.replaceChildren(...[none, rest].filter(Boolean));
    } catch (error) {
      slot.replaceChildren(problemBox(error, action(text.again, () => load(after))));
    }
    slot.removeAttribute('aria-busy');
  };
  load();
  return section('purchases', text.purchases, list, slot);
}

// ---------------------------------------------------------------- signing out

function signOutSection(wallet, account) {
  const slot = el('div', { class: 'stack' });
  const ask = () => {
    slot.replaceChildren(
      el('div', { class: 'notice warn', role: 'alert' }, ...text.signOutMeans.map((words) => el('p', { textContent: words }))),
      el('div', { class: 'row' }, action(text.signOutSure, signOut, 'primary'), action(text.signOutCancel, calm)));
  };
  const signOut = async () => {
    try {
      await signOutEverywhere(wallet, client, account.epoch);
      await start(notice(text.signedOut, 'good'));
    } catch (error) {
      slot.append(problemBox(error));
    }
  };
  const calm = () => slot.replaceChildren(el('div', { class: 'row' }, action(text.signOut, ask)));
  calm();
  return section('sign-out', text.signOut, el('p', { class: 'muted', textContent: text.signOutHint }), slot);
}

// ---------------------------------------------------------------- recovery words

function wordsSection(wallet, words) {
  const slot = el('div', { class: 'stack' });
  const hidden = () => slot.replaceChildren(el('div', { class: 'row' }, action(text.showWords, warn), el('span', { class: 'badge warn', textContent: text.wordsUnsaved })));
  const warn = () => slot.replaceChildren(el('p', { class: 'notice warn', role: 'alert', textContent: text.wordsWarning }), el('div', { class: 'row' }, action(text.reallyShow, reveal, 'primary'), action(text.hideWords, hidden)));
  const reveal = () => {
    const list = el('ol', { class: 'words', tabIndex: -1 }, ...words.split(' ').map((word) => el('li', { textContent: word })));
    slot.replaceChildren(list, el('div', { class: 'row' }, action(text.hideWords, hidden, 'primary'), action(text.wordsDone, confirm)));
    list.focus();
  };
  const confirm = async () => {
    try {
      await forgetWords(wallet);
      gone();
      announce(text.wordsGone);
    } catch (error) {
      slot.append(problemBox(error));
    }
  };
  const gone = () => slot.replaceChildren(el('p', { class: 'muted', textContent: text.wordsGone }));
  if (words === null) gone();
  else hidden();
  return section('words', text.words, el('p', { class: 'muted', textContent: text.wordsHint }), slot);
}

function restoreSection(existing) {
  const slot = el('div', { id: 'restore-problem' });
  const input = el('textarea', { id: 'restore-words', rows: 3, spellcheck: false, autocapitalize: 'none', autocomplete: 'off', 'aria-describedby': 'restore-hint restore-problem' });
  const box = el('input', { type: 'checkbox', id: 'restore-replace' });
  const restore = async () => {
    input.removeAttribute('aria-invalid');
    if (existing && !box.checked) return slot.replaceChildren(alertBox(text.tickFirst));
    try {
      await restoreWallet(input.value);
      await start(notice(text.restored, 'good'));
    } catch (error) {
      const wrong = error.code === 'malformed';
      if (wrong) input.setAttribute('aria-invalid', 'true');
      slot.replaceChildren(wrong ? alertBox(text.badWords) : problemBox(error));
    }
  };
  return el('details', { class: 'card', id: 'restore', open: location.hash === '#restore' },
    el('summary', {}, el('h2', { textContent: text.restore })),
    el('div', { class: 'stack' },
      el('div', { class: 'field' }, el('label', { htmlFor: 'restore-words', textContent: text.restoreLabel }), el('p', { class: 'hint', id: 'restore-hint', textContent: text.restoreHint }), input),
      existing && el('label', { class: 'check' }, box, el('span', { textContent: text.restoreReplace })),
      slot,
      el('div', { class: 'row' }, action(text.restoreButton, restore))));
}

// ---------------------------------------------------------------- the page

function drawNone(problem) {
  const make = async () => {
    busy(text.making);
    try {
      await createWallet();
      await start();
    } catch (error) {
      drawNone(problemBox(error));
    }
  };
  show(root, el('h1', { textContent: text.heading }),
    section('none', text.noneHeading, el('p', { textContent: text.noneHint }), problem, el('div', { class: 'row' }, action(text.make, make, 'primary large'))),
    restoreSection(false));
}

async function start(message = null) {
  busy(text.loading);
  let wallet = null;
  try {
    wallet = await loadWallet();
    if (!wallet) return drawNone();
    const words = await wordsOnce(wallet);
    // The words must be within reach when the ledger is not.
    let balance;
    let rest = [];
    try {
      const known = await readAccount(client, wallet);
      wallet = known.wallet;
      const { account } = known;
      balance = [balanceSection(wallet, account), purchasesSection(wallet), section('statement', text.statement, ...statement(client, wallet, account))];
      rest = [section('refund', text.refund, ...refundForm(client, wallet, account, (words) => start(notice(words, 'good')))), signOutSection(wallet, account)];
    } catch (error) {
      balance = [problemBox(error, action(text.again, () => start(), 'primary'))];
    }
    show(root, el('h1', { textContent: text.heading }), message, ...balance, wordsSection(wallet, words), ...rest, restoreSection(true),
      section('account', text.account, el('p', { class: 'muted', textContent: text.accountHint }), copyRow(text.accountLabel, wallet.account)));
    if (['#words', '#restore'].includes(location.hash)) root.querySelector(location.hash).scrollIntoView();
  } catch (error) {
    show(root, el('h1', { textContent: text.heading }), problemBox(error, action(text.again, () => start(), 'primary')));
  }
}

await start();
