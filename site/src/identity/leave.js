// Signing out, taking everything along, and leaving: this browser or for good.
import { b64uDecode } from '../../../sdk/js/src/bytes.js';
import { announce, copyRow, el } from '../shared/ui.js';
import { eraseBrowser, revokeKey, signOutEverywhere, wordsOnce } from '../shared/wallet-store.js';
import * as db from '../shared/db.js';
import { exactBits, worth } from '../wallet/money.js';
import { reissued } from '../wallet/receipts.js';
import { action, alertBox, notice, problemBox } from '../wallet/view.js';
import { confirmed, hint, row, section, text, tick } from './parts.js';
import { readNames } from './names.js';

/** @typedef {{client: object, wallet: import('../shared/wallet-store.js').Wallet, account: object}} Context */

const amount = (msat, rate) => (rate ? `${worth(msat, rate.usd_micros_per_btc)} (${exactBits(msat)})` : exactBits(msat));

/** Gives a file to the browser's downloads. */
export function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @param {Context} context @param {(message: HTMLElement) => unknown} onDone @returns {HTMLElement|null} */
export function signOutSection({ client, wallet, account }, onDone) {
  if (!wallet.root) return null;
  const problem = el('div');
  const end = (keepPasskeys, words) => async () => {
    try {
      await signOutEverywhere(wallet, client, account.epoch, { keepPasskeys });
      await onDone(notice(words, 'good'));
    } catch (error) {
      problem.replaceChildren(problemBox(error));
    }
  };
  const means = (more) => [el('div', { class: 'notice warn', role: 'alert' }, ...[...text.signOutMeans, more].filter(Boolean).map((words) => el('p', { textContent: words })))];
  const ask = (label, more, act) => confirmed({ label, sure: () => means(more), yes: text.signOutSure, no: text.signOutCancel, act });
  return section('sign-out', text.signOut, hint(text.signOutHint), ask(text.signOut, '', end(true, text.signedOut)), ask(text.onlyHere, text.onlyHereHint, end(false, text.signedOutOnly)), problem);
}

// ---------------------------------------------------------------- export

async function allPages(read) {
  const all = [];
  for (let after; ; ) {
    const { items, next } = await read(after);
    all.push(...items);
    if (next === undefined || next === null) return all;
    after = next;
  }
}

/** Everything there is about this person, as plain data. @param {Context} context */
export async function collect({ client, wallet, account }) {
  const purchases = await allPages(async (after) => {
    const { purchases: items, next } = await client.purchases(wallet.account, wallet.device, after);
    return { items, next };
  });
  const receipts = [];
  for (const purchase of purchases.filter(({ active }) => active !== false)) {
    // One that can't be had now (a work taken down) is left out; the purchase itself is in the list.
    const receipt = await reissued(client, wallet, purchase, wallet.device.jkt).catch(() => null);
    if (receipt) receipts.push({ work: purchase.work, key: wallet.device.jkt, receipt });
  }
  const words = await wordsOnce(wallet);
  return {
    made: new Date().toISOString(), issuer: client.issuer, ledger: account.ledger, account: wallet.account,
    keys: { root: wallet.root?.jwk ?? null, creator: wallet.creator?.jwk ?? null, device: wallet.device.jwk },
    ...(words && { recovery_words: words }),
    balance_msat: account.balance_msat, purchases, receipts,
    history: await client.statement(wallet.account, wallet.device, { format: 'json' }),
    permissions: (await client.keys(wallet.account, wallet.device)).keys,
    names: await readNames(wallet.account),
  };
}

function exporting(context) {
  const said = el('div');
  const go = async () => {
    said.replaceChildren(notice(text.exporting));
    try {
      const whole = await collect(context);
      const name = `satchel-wallet-${whole.made.slice(0, 10)}.json`;
      save(name, 'application/json', `${JSON.stringify(whole, null, 2)}\n`);
      said.replaceChildren(notice([text.exported(name), whole.recovery_words && text.exportSecret].filter(Boolean).join(' '), 'good'));
      announce(text.exported(name));
    } catch (error) {
      said.replaceChildren(problemBox(error));
    }
  };
  return [hint(text.exportHint), row(action(text.exportButton, go)), said];
}

// ---------------------------------------------------------------- erase

function erasing(wallet, unsaved) {
  const problem = el('div');
  const { box, node } = tick(text.eraseTick);
  const erase = async () => {
    if (!box.checked) return problem.replaceChildren(alertBox(text.deleteTickFirst));
    try {
      await eraseBrowser();
      location.replace('/wallet');
    } catch (error) {
      problem.replaceChildren(problemBox(error));
    }
  };
  const sure = () => [unsaved && el('p', { class: 'notice bad', role: 'alert', textContent: text.eraseUnsaved }), node];
  return [el('h3', { textContent: text.erase }), hint(text.eraseHint), confirmed({ label: text.erase, sure, yes: text.eraseButton, act: erase }), problem];
}

// ---------------------------------------------------------------- delete

/** Takes off sale what the creator key has published: as the shop knows it, and as this browser does. */
async function withdrawWorks({ client, wallet }) {
  const known = new Map((await db.getAll('works')).filter(({ nonce }) => nonce).map(({ work, nonce }) => [work, { work, nonce }]));
  const shelves = await allPages(async (after) => {
    const { works, next } = await client.shop(wallet.creator, { after });
    return { items: works, next };
  });
  // One whose nonce the shop never saw can be withdrawn only by the browser that made it.
  for (const { work, work_nonce: nonce } of shelves) if (nonce) known.set(work, { work, nonce: b64uDecode(nonce, 16) });
  const problems = [];
  for (const work of known.values()) {
    try {
      await client.setState(wallet.creator, work, 'unpublished');
    } catch (error) {
      // A draft, or one that an operator has taken down, is not for sale.
      if (!['not_published', 'unknown_work', 'work_taken_down'].includes(error.code)) problems.push(error);
    }
  }
  if (problems.length > 0) throw problems[0];
}

/** @param {Context} context in an order in which a failure leaves nothing half gone: it can be asked for again */
export async function deleteAccount({ client, wallet, account }) {
  await withdrawWorks({ client, wallet });
  // What passkeys can read is overwritten before the permission to read it ends.
  const { keys } = await client.keys(wallet.account, wallet.device);
  for (const key of keys.filter(({ allows }) => allows.backup !== undefined && allows.epoch === account.epoch)) await revokeKey(wallet, client, key);
  await signOutEverywhere(wallet, client, account.epoch, { keepPasskeys: false, forGood: true });
  await eraseBrowser();
}

function deleting(context) {
  const { wallet, account } = context;
  if (!wallet.root) return [el('h3', { textContent: text.deleteAccount }), hint(text.deleteNeedsRoot)];
  const { rate, balance_msat: balance, incoming_msat: incoming } = account;
  const problem = el('div');
  const { box, node } = tick(text.deleteTick);
  const means = text.deleteMeans;
  const lines = [balance > 0 ? means.money(amount(balance, rate)) : means.noMoney, incoming > 0 && means.incoming(amount(incoming, rate)), means.works, means.purchases, means.keys, means.journal, means.words];
  const go = async () => {
    if (!box.checked) return problem.replaceChildren(alertBox(text.deleteTickFirst));
    problem.replaceChildren(notice(text.deleting));
    try {
      await deleteAccount(context);
      // Only a fragment of this very page would not load it again.
      history.replaceState(null, '', '/wallet#deleted');
      location.reload();
    } catch (error) {
      problem.replaceChildren(problemBox(error));
    }
  };
  const sure = () => [el('div', { class: 'notice bad', role: 'alert' }, el('ul', { class: 'means' }, ...lines.filter(Boolean).map((words) => el('li', { textContent: words })))), node];
  return [el('h3', { textContent: text.deleteAccount }), hint(text.deleteHint), confirmed({ label: text.deleteAccount, sure, yes: text.deleteButton, act: go }), problem];
}

/** @param {Context} context @param {string|null} words @returns {HTMLElement} */
export const leaveSection = (context, words) =>
  section('leave', text.leave, ...exporting(context), ...erasing(context.wallet, words !== null), ...deleting(context));

/** @param {import('../shared/wallet-store.js').Wallet} wallet @returns {HTMLElement} */
export const accountSection = (wallet) => section('account', text.account, hint(text.accountHint), copyRow(text.accountLabel, wallet.account));
