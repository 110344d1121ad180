// The window in which a buyer approves a price: on the wallet host, at the top level, never in a frame.
import { fundingId } from '../../../sdk/js/src/ids.js';
import { usdToMsat } from '../../../sdk/js/src/money.js';
import { copiesLeft } from '../../../sdk/js/src/terms.js';
import { sleep } from '../../../sdk/js/src/client.js';
import { allowSite, forgetSite, siteGrant } from '../identity/sites.js';
import { loadConfig } from '../shared/config.js';
import { fill, languageSwitch, usd, words } from '../shared/i18n.js';
import { explain } from '../shared/problems.js';
import { $, el } from '../shared/ui.js';
import { createWallet, loadWallet, walletClient, wordsOnce } from '../shared/wallet-store.js';
import { owned as findOwned, readAccount } from '../wallet/account.js';
import { exactBits, worth } from '../wallet/money.js';
import { unpriced } from '../wallet/receipts.js';
import { action, alertBox, facts, notice, problemBox, show, testBadge } from '../wallet/view.js';
import { allowance } from './allow.js';
import { dropOrder, keepOrder, keptOrder } from './orders.js';
import { readRequest } from './request.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);

/** A press this soon after the window appeared was meant for the page below it. */
const CALM_MS = 500;
/** Test money added by one press. */
const TEST_USD = 5_000_000;
/** An offer that ends sooner than this is renewed before signing. */
const MARGIN_S = 5;
/** Pauses between sending the same order again; then the buyer is asked. */
const RETRIES_MS = [1000, 2000, 4000, 8000, 15_000];
/** Not offered any more: who owns the work may have it all the same. */
const GRANT_OVER = new Set(['cap_exceeded', 'delegation_expired', 'scope_missing', 'wrong_key']);
const NOT_OFFERED = new Set(['sold_out', 'work_unpublished']);

const root = $('#app');
fill(document, text);
languageSwitch();
const client = await walletClient();
const { issuer } = await loadConfig();
const request = self.top === self ? await readRequest(location.hash, { issuer, referrer: document.referrer }) : null;

/** What is known so far; `wallet` and `account` are null before there is a wallet. */
let offer = { quote: null, copies: null, wallet: null, account: null, owned: null, reminder: false, grant: null };
let shownAt = Infinity;
/** Something was signed in this window: after a refusal the next try is the buyer's. */
let signed = false;
/** Whether the site's permission pays; and what of a new one was not given, in words. */
let byGrant = false;
let trouble = '';

const calm = () => performance.now() - shownAt >= CALM_MS;
const price = (quote) => (quote.usd_micros === 0 ? text.free : text.pay(usd(quote.usd_micros)));
const amount = (msat, rate) => text.balanceValue(worth(msat, rate.usd_micros_per_btc), exactBits(msat));

function page(...nodes) {
  show(root, ...nodes);
  shownAt = document.visibilityState === 'visible' ? performance.now() : Infinity;
}
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') shownAt = performance.now();
});

const busy = (words) => show(root, el('div', { class: 'waiting', role: 'status' }, el('span', { class: 'spinner', 'aria-hidden': 'true' }), el('p', { textContent: words })));

// ---------------------------------------------------------------- leaving

/** In a tab of its own the buyer goes back to the work; a popup closes. */
function leave() {
  if (request?.returnTo) return location.replace(request.returnTo);
  self.close();
  // A browser that doesn't let a page close its window leaves it standing.
  setTimeout(() => notify(text.canClose), 400);
}

function notify(words) {
  root.querySelector('.leaving')?.replaceChildren(words);
}

async function finish(heading, testMoney) {
  const back = el('a', { class: 'button', href: request.returnTo || `${issuer}/w/${request.work}`, textContent: text.backTo(offer.quote?.title ?? '') });
  page(
    el('div', { class: 'done' },
      el('div', { class: 'tick', 'aria-hidden': 'true' }),
      el('h1', { textContent: heading }),
      testMoney && testBadge(text.testMoney, text.testMoneyHint),
      byGrant && el('p', { textContent: text.allowed(new URL(request.site).host) }),
      trouble && notice(text.allowFailed(trouble), 'warn'),
      el('p', { class: 'muted leaving', role: 'status', textContent: request.returnTo ? text.goingBack : text.closing }),
      // A popup has no way back to offer: the page that waits is still there.
      request.returnTo && offer.quote ? back : null),
  );
  // Long enough to be read.
  await sleep(trouble ? 5000 : 1100);
  leave();
}

// ---------------------------------------------------------------- paying

async function approve(terms = null) {
  if (calm()) await sign({ terms });
}

/**
 * Signs what is shown, keeps it, then sends it.
 * @param {{terms?: object|null, key?: import('../../../sdk/js/src/keys.js').Key}} [options] `terms` of a permission for the site, given
 *   before the payment so that the page finds it with its receipt; `key` signs, else this device's
 */
async function sign({ terms = null, key = offer.wallet.device } = {}) {
  const { wallet } = offer;
  signed = true;
  busy(offer.quote.msat > 0 ? text.sending : text.getting);
  try {
    // Another window may have approved the same order meanwhile: two signatures under one id would contradict.
    const earlier = await keptOrder(request.order);
    if (earlier?.jkt === request.jkt) return await send(earlier);
    if (offer.quote.expires - Date.now() / 1000 < MARGIN_S && (await renew())) {
      return drawOffer(notice(text.changed, 'warn'));
    }
    const { quote } = offer;
    if (terms) trouble = await allow(terms);
    byGrant = key !== wallet.device;
    const { jws } = await client.makeOrder({ key, account: wallet.account, quote, cnf: request.jkt, order: request.order });
    const kept = { order: request.order, jws, jkt: request.jkt, state: 'sent', shown: { title: quote.title, work: quote.work, usd_micros: quote.usd_micros, msat: quote.msat, ledger: quote.ledger } };
    await keepOrder(kept);
    await send(kept);
  } catch (error) {
    drawOffer(problemBox(error));
  }
}

async function allow(terms) {
  try {
    await allowSite(offer.wallet, client, { site: request.site, x: request.x, ...terms });
    return '';
  } catch (error) {
    return explain(error).title;
  }
}

/** @returns {Promise<boolean>} whether the new offer differs in what matters */
async function renew() {
  const old = offer.quote;
  offer.quote = await client.quote(request.work, { usdMicros: request.usdMicros });
  return ['usd_micros', 'msat', 'version', 'terms_digest', 'ledger'].some((name) => old[name] !== offer.quote[name]);
}

/** Sends an order that was approved and kept, until there is an answer. No answer is not a "no". */
async function send(kept) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await client.order(kept.jws, { onPending: () => busy(text.pending) });
      await keepOrder({ ...kept, state: 'posted' });
      const { shown } = kept;
      let heading = text.paid(usd(shown.usd_micros));
      if (answer.owned || kept.state === 'posted') heading = text.ownedDone;
      else if (shown.usd_micros === 0) heading = text.gotFree;
      return await finish(heading, shown.ledger === 'test');
    } catch (error) {
      const pending = error.code === 'order_pending';
      const unknown = pending || error.code === 'network' || error.status === 429 || error.status >= 500;
      // A stale rate is found before anything is written: that is a "no".
      if (!unknown || error.code === 'rate_stale') return refused(error);
      if (pending || attempt >= RETRIES_MS.length) {
        const { title } = explain(error);
        return page(el('h1', { textContent: kept.shown.title }), alertBox({ title, next: text.unfinished }, action(text.again, () => (busy(text.resuming), send(kept)), 'primary')));
      }
      busy(text.retrying);
      await sleep(Math.max(RETRIES_MS[attempt], error.retryAfter * 1000));
    }
  }
}

/** The ledger said no, and nothing changed: the order's id is free for another approval. */
async function refused(error) {
  if (error.code === 'order_conflict') {
    return page(el('h1', { textContent: offer.quote?.title ?? text.brand }), problemBox(error, closeButton()));
  }
  await dropOrder(request.order);
  if (['quote_expired', 'order_expired', 'quote_invalid'].includes(error.code)) return load(() => notice(text.renewed, 'warn'));
  // Loading tells the ledger of this device anew.
  if (offer.grant && GRANT_OVER.has(error.code)) {
    // The permission has ended or is used up for today: the buyer decides.
    if (error.code !== 'cap_exceeded') await forgetSite(offer.wallet.account, request.site);
    return load(() => notice(text.overGrant(new URL(request.site).host), 'warn'));
  }
  if (error.code === 'delegation_expired') return load(() => notice(text.signedInAgain, 'warn'));
  return load(() => problemBox(error));
}

// ---------------------------------------------------------------- what is on screen

const closeButton = () => action(text.close, leave);
const cancelButton = () => action(text.cancel, leave);

function siteName() {
  if (!request.site) return text.unknownSite;
  return request.believed ? new URL(request.site).host : text.unsureSite(new URL(request.site).host);
}

function top(quote) {
  return el('div', { class: 'stack tight' },
    el('h1', { textContent: quote.msat === 0 ? text.headingFree(quote.title) : text.heading(quote.title) }),
    el('p', { class: 'sum' }, el('span', { class: 'dollars', textContent: quote.usd_micros === 0 ? text.freePrice : usd(quote.usd_micros) }), el('span', { class: 'muted', textContent: text.exactly(exactBits(quote.msat)) })),
    left(quote) && el('p', { class: 'muted copies', textContent: left(quote) }),
    quote.ledger === 'test' && el('p', {}, testBadge(text.testMoney, text.testMoneyHint), ' ', el('span', { class: 'muted small', textContent: text.testMoneyHint })));
}

/** What the shop says now of counted copies. */
function left({ terms, usd_micros: due }) {
  const { copies } = offer;
  if (!copies) return '';
  const free = due === 0 && copies.free > 0 && text.freeLeft(copies.free, terms.giveaway, usd(terms.usd_micros));
  return [free, Number.isFinite(copies.left) && text.left(copies.left, terms.limit)].filter(Boolean).join(' ');
}

const about = (quote) => [
  [text.useLabel, text.use[quote.terms.use] ?? ''],
  [text.shop, new URL(issuer).host],
  [text.site, siteName()],
  [text.total, text.totalValue(usd(quote.usd_micros))],
];

function drawNoWallet(message) {
  const { quote } = offer;
  page(
    top(quote), message, facts(...about(quote)),
    el('section', { class: 'notice', 'aria-labelledby': 'make' }, el('h2', { id: 'make', textContent: text.makeHeading }), el('p', { textContent: text.makeHint })),
    el('div', { class: 'buttons' }, action(text.make, make, 'primary large full'), cancelButton()),
    el('p', { class: 'center small' }, el('a', { href: '/wallet', target: '_blank', rel: 'noopener', textContent: text.restore })),
  );
}

function drawOwned(message) {
  page(
    el('h1', { textContent: text.headingOwned(offer.quote.title) }), message,
    el('p', { textContent: text.ownedHint }),
    facts(...about(offer.quote).slice(0, 3)),
    el('div', { class: 'buttons' }, action(text.open, () => approve(), 'primary large full'), cancelButton()),
  );
}

function drawOffer(message) {
  const { quote, wallet, account, owned, reminder } = offer;
  if (!wallet) return drawNoWallet(message);
  if (owned) return drawOwned(message);
  const { balance_msat: balance, rate } = account;
  const missing = quote.msat - balance;
  const add = account.test_money
    ? action(text.addTest(usd(TEST_USD)), addTestMoney, missing > 0 ? 'primary large full' : '')
    : el('a', { class: 'button full', href: '/wallet', target: '_blank', rel: 'noopener', textContent: text.addReal });
  // Only the root key can let a site spend, and only a site that our own page has named.
  const mayAllow = wallet.root && request.believed && request.site && !offer.grant && quote.msat > 0 && missing <= 0;
  const pay = action(price(quote), () => approve(allowed?.terms()), 'primary large full');
  const allowed = mayAllow ? allowance(request.site, quote, (on) => (pay.textContent = on ? text.payAllow(usd(quote.usd_micros)) : price(quote))) : null;
  page(
    top(quote), message,
    facts(...about(quote), quote.msat > 0 && [text.balance, amount(balance, rate)], quote.msat > 0 && missing <= 0 && [text.after, amount(-missing, rate)]),
    missing > 0 && notice(text.short(text.balanceValue(worth(missing, rate.usd_micros_per_btc, { up: true }), exactBits(missing))), 'warn'),
    allowed?.node,
    el('div', { class: 'buttons' }, missing > 0 ? add : pay, cancelButton()),
    reminder && el('p', { class: 'muted small center' }, text.remind, el('a', { href: '/wallet#words', target: '_blank', rel: 'noopener', textContent: text.remindLink }), '.'),
  );
}

async function make() {
  busy(text.making);
  try {
    offer.wallet = await createWallet();
    await readBalance();
    drawOffer();
  } catch (error) {
    offer.wallet = null;
    drawOffer(problemBox(error));
  }
}

async function addTestMoney() {
  const { wallet, account } = offer;
  // One id for all tries: an answer that was lost must not add the money twice.
  addTestMoney.id ??= fundingId();
  try {
    await client.testMoney(wallet.account, wallet.device, { id: addTestMoney.id, msat: usdToMsat(TEST_USD, account.rate.usd_micros_per_btc) });
    addTestMoney.id = null;
    await readBalance();
    drawOffer(notice(text.added(usd(TEST_USD)), 'good'));
  } catch (error) {
    drawOffer(problemBox(error));
  }
}

async function readBalance() {
  const known = await readAccount(client, offer.wallet);
  const [owned, words] = await Promise.all([
    // Only for the words on screen: whether something is charged is the ledger's decision.
    findOwned(client, known.wallet, request.work).catch(() => null),
    wordsOnce(known.wallet).catch(() => null),
  ]);
  offer = { ...offer, ...known, owned, reminder: words !== null };
}

async function load(message = () => null) {
  busy(text.loading);
  try {
    const [asked, wallet] = await Promise.all([client.quote(request.work, { usdMicros: request.usdMicros }).catch((error) => error), loadWallet()]);
    const gone = asked instanceof Error;
    if (gone && !(wallet && NOT_OFFERED.has(asked.code))) throw asked;
    offer = { ...offer, quote: gone ? null : asked, copies: null, wallet };
    if (wallet) await readBalance();
    if (gone) {
      if (!offer.owned) throw asked;
      offer.quote = unpriced(await client.record(request.work), offer.owned);
    }
    const { quote } = offer;
    if (!offer.owned && (quote.terms.giveaway ?? quote.terms.limit) !== undefined) {
      offer.copies = await client.record(request.work).then(copiesLeft, () => null);
    }
    document.title = `${text.heading(quote.title)} – ${text.brand}`;
    // The tap was made in our own frame, for that frame's key, and what is owned is not charged again: no second tap.
    if (offer.owned && request.believed && !signed) return await sign();
    // Nor for what the site may spend; the ledger has the last word on how much that is today.
    offer.grant = wallet && !offer.owned && request.believed && request.site && !request.x && !request.ask ? await siteGrant(offer.wallet.account, request.site) : null;
    if (offer.grant && !signed && offer.account.balance_msat >= quote.msat) {
      if (quote.msat <= offer.grant.maxOrderMsat) return await sign({ key: offer.grant.key });
      return drawOffer(notice(text.overGrant(new URL(request.site).host), 'warn'));
    }
    drawOffer(message());
  } catch (error) {
    page(el('h1', { textContent: text.stateHeading }), problemBox(error, action(text.again, () => load(), 'primary'), cancelButton()));
  }
}

// A wallet that was made or restored in another window meanwhile.
addEventListener('focus', async () => {
  if (!offer.quote || offer.wallet || root.querySelector('.waiting')) return;
  if (await loadWallet().catch(() => null)) load();
});

async function begin() {
  if (self.top !== self) return page(el('h1', { textContent: text.brand }), alertBox(text.framed));
  if (!request) return page(el('h1', { textContent: text.brand }), alertBox(text.badLink, closeButton()));
  const kept = await keptOrder(request.order).catch(() => null);
  if (!kept) return load();
  offer.quote = kept.shown;
  // Approved before in this browser: the window was closed, or the answer lost. The same order is sent, not a new one.
  busy(text.resuming);
  if (kept.jkt === request.jkt) return send(kept);
  return page(el('h1', { textContent: kept.shown.title }), problemBox({ code: 'order_conflict' }, closeButton()));
}

await begin();
