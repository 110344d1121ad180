// The frame on a stranger's page (/embed/{work}) and, with the same code at the top level, the work page (/w/{work}).
// The server has rendered title, price, button and link; this makes the button work.
import { orderId, isOrderId } from '../../../sdk/js/src/ids.js';
import { SatchelClient } from '../../../sdk/js/src/client.js';
import { afterRefusal, covers, fetchGrant, spendGrant } from '../shared/grant.js';
import { usd, words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { connect } from './channel.js';
import { wear } from './look.js';
import { explain } from './problems.js';
import { approveAddress, awaitReceipt } from './purchase.js';
import { openStore } from './store.js';
import { text as catalogue } from './text.js';
import { watchButton, whenSeen } from './visible.js';

const text = words(catalogue);

const main = document.getElementById('satchel');
const { work, issuer, wallet, state } = main.dataset;
const find = (selector) => main.querySelector(selector);
const button = find('#buy');
const stage = find('#stage');
const status = find('#status');
const link = find('#link');
const embedded = self.top !== self;
const host = new URL(issuer).host;
const channel = connect(main, {
  look: wear,
  // Who came by keyboard or pressed the card goes on here.
  focus: () => focusFirst(),
  // A page may say this as often as it likes: it shows what is owned already, and pays for nothing.
  press: () => (entry.receipt && main.dataset.view === 'offer' ? open() : focusFirst()),
});
// The page around may be light in a dark system or the other way round; a frame of the other kind would be a block.
if (embedded && channel.scheme) document.documentElement.style.colorScheme = channel.scheme;
const client = new SatchelClient({ issuer });

let store;
let entry = { work };
let waiting = null;
let watched = null;
// The wallet's list of purchases leads here: the wallet will not charge again, so the button should not say so.
const bySelf = !embedded && location.hash === '#owned';

const actions = el('p', { class: 'actions', hidden: true });
status.after(actions);

/** Says one thing, with whatever can be done about it. */
function say(message, ...buttons) {
  status.classList.remove('problem');
  status.textContent = message;
  actions.replaceChildren(...buttons);
  actions.hidden = buttons.length === 0;
}

const focusFirst = () => [button, link, ...actions.children].find((one) => !one.hidden && one.checkVisibility())?.focus();

function fail(error, retry) {
  if (error?.code === 'aborted') return;
  const { code, title, next } = explain(error);
  say(`${title}. ${next}`, ...(retry ? [el('button', { type: 'button', class: 'button compact', textContent: text.again, onclick: () => (say(''), retry()) })] : []));
  status.classList.add('problem');
  channel.send('error', { code, title, next });
}

const remember = (changes) => {
  entry = { ...entry, ...changes };
  // What can't be kept is still known until the page is left.
  return store.put(entry).catch(() => {});
};

// ---------------------------------------------------------------- what is on the button

/** Where more than the price may be paid: the form with the amounts. */
const amounts = find('#amount');
const chosen = () => Number(amounts?.elements.amount.value ?? 0);

function offer() {
  main.dataset.view = 'offer';
  button.hidden = false;
  button.disabled = false;
  if (entry.receipt || bySelf) button.textContent = text.open;
  // Whoever has a copy may have a new receipt for it; the wallet knows.
  else if (['sold_out', 'unpublished'].includes(state)) button.textContent = text.openOwned;
  else if (state !== 'published') button.hidden = true;
  else if (amounts) button.textContent = chosen() > 0 ? text.buyFor(usd(chosen())) : text.getFree;
  if (amounts) amounts.hidden = Boolean(entry.receipt) || bySelf;
  if (!entry.receipt && state !== 'published') say(text.notForSale[state] ?? '');
}

/** No key can be made here, or no wallet window opened: the work page can do everything. */
function linkOnly() {
  main.dataset.view = 'link';
  button.hidden = true;
  if (!embedded) return fail({ code: 'browser_too_old' });
  find('.line').after(link);
  link.className = 'button primary';
  link.textContent = state === 'published' ? text.buyOn(host) : text.seeOn(host);
  // WordPress follows the link for us; another page that gives a frame no windows gives it no way out at all.
  link.addEventListener('click', (event) => {
    if (self.origin !== 'null') return;
    event.preventDefault();
    if (!channel.follow(link.href)) say(text.noWindows(link.href));
  });
  if (state !== 'published') say(text.notForSale[state] ?? '');
}

// ---------------------------------------------------------------- buying

const askAddress = (returnTo, ask) => {
  const site = embedded ? (document.referrer && new URL(document.referrer).origin) || '' : issuer;
  // Only a key that outlasts this page is worth a permission; the wallet keeps one for the site otherwise.
  const x = store.lasting && embedded ? store.key.jwk.x : '';
  return approveAddress(wallet, { order: entry.order, work, jkt: store.key.jkt, site, returnTo, x, usd: chosen(), ask });
};

/**
 * The way on without a popup. At the top level the wallet comes back to this page, whose key the order names. A
 * frame's key stays behind with the frame, so there the work page takes the order over with a key of its own.
 */
function sameTabAddress() {
  const page = `${issuer}/w/${work}`;
  return embedded ? `${page}#${new URLSearchParams({ order: entry.order })}` : askAddress(page);
}

/** What this site may spend here without asking, as the wallet has allowed it to this frame's key. */
const GRANT = { work: 'grant' };
let grant = null;
let quoting = null;
/** The permission did not go far enough: the next press asks the wallet. */
let askNext = false;

/** Asked for as soon as somebody comes near the button: a price is held for some minutes. */
function prepare() {
  if (!grant || quoting) return;
  const asked = client.quote(work, { usdMicros: chosen() || undefined });
  quoting = { asked, quote: null };
  asked.then((quote) => (quoting.quote = quote), () => (quoting = null));
}

async function spend() {
  main.dataset.view = 'waiting';
  button.hidden = true;
  say(text.buying);
  // The id is kept before it is sent: whatever is lost on the way, the work is owned and charged once.
  await remember({ asked: true });
  try {
    prepare();
    const quote = await quoting.asked;
    if (!covers(grant, quote.msat)) return sendToWallet();
    const { receipt } = await spendGrant(client, { key: store.key, grant, quote, order: entry.order, onPending: () => say(text.pending) });
    await bought(receipt);
  } catch (error) {
    quoting = null;
    // An earlier try came through after all: under another id the same work is not charged again.
    if (error.code === 'order_conflict') {
      await remember({ order: await orderId(work) });
      return spend();
    }
    const what = afterRefusal(error);
    if (what === 'over') await keepGrant(null);
    if (what !== 'fail') return sendToWallet();
    offer();
    fail(error, spend);
  }
}

/** A window needs a press of its own. */
async function sendToWallet() {
  askNext = true;
  await remember({ order: await orderId(work), asked: false });
  offer();
  say(text.beyondGrant);
  button.focus({ preventScroll: true });
}

async function keepGrant(given) {
  grant = given;
  await store.put({ ...GRANT, grant }).catch(() => {});
}

/** After a purchase in the wallet: it may have allowed the site more. */
async function findGrant() {
  if (!store.lasting || !embedded) return;
  const given = await fetchGrant(client, store.key).catch(() => null);
  if (given) await keepGrant(given);
}

function buy(event) {
  if (!watched.calm(event) || !entry.order) return;
  const enough = grant && !askNext && (!quoting?.quote || covers(grant, quoting.quote.msat));
  if (enough && watched.sure(event)) return void spend();
  // Nothing may come between the click and this call, or browsers call it an unasked popup. The order is known
  // already. `opener` is not used: pages with a strict opener policy cut it, although the window opened.
  self.open(askAddress('', !watched.sure(event)), '_blank', 'popup,width=440,height=760');
  remember({ asked: true });
  channel.send('open', { work });
  wait();
}

async function wait() {
  waiting?.abort();
  const mine = new AbortController();
  waiting = mine;
  main.dataset.view = 'waiting';
  button.hidden = true;
  const stop = () => {
    mine.abort();
    say(text.cancelled);
    offer();
    button.focus({ preventScroll: true });
    channel.send('close', { work });
  };
  say(
    text.waiting,
    el('a', { class: 'button compact', href: sameTabAddress(), target: '_top', textContent: text.continueHere }),
    el('button', { type: 'button', class: 'button compact', textContent: text.cancel, onclick: stop }),
  );
  // The pressed button is gone; whoever uses the keyboard goes on from here.
  actions.firstChild.focus({ preventScroll: true });
  try {
    const receipt = await awaitReceipt(client, entry.order, store.key, mine.signal, {
      onPending: () => (status.textContent = text.pending),
    });
    if (receipt) await bought(receipt);
    else {
      say(text.stillWaiting);
      offer();
    }
  } catch (error) {
    if (mine.signal.aborted) return;
    await refused(error);
  }
}

/** The order belongs to another key: it was finished in another window. A new order costs nothing: the work is owned. */
async function refused(error) {
  if (error.code === 'wrong_key' || error.code === 'order_conflict') {
    await remember({ order: await orderId(work), asked: false });
    say(text.otherWindow);
  } else {
    fail(error, wait);
  }
  offer();
}

async function bought(receipt) {
  await remember({ receipt });
  channel.send('purchased', { work, receipt });
  if (!grant) findGrant();
  say(text.paid);
  await open();
}

// ---------------------------------------------------------------- opening

async function open() {
  main.dataset.view = 'open';
  button.hidden = true;
  say(text.opening);
  try {
    const { openWork } = await import('../player/main.js');
    await openWork({
      stage, client, key: store.key, receipt: entry.receipt, autoplay: true, say, emit: (type) => channel.send(type, { work }),
      shown: { version: Number(main.dataset.version), url: main.dataset.url, digest: main.dataset.manifestDigest },
      fail: (error, retry) => {
        if (['not_entitled', 'receipt_invalid', 'wrong_key'].includes(error?.code) && error.status) return void forget(error);
        fail(error, retry);
      },
    });
  } catch (error) {
    fail(error, open);
  }
}

/** A receipt the issuer no longer honours: it may be issued again to an owner, or be bought again. */
async function forget(error) {
  entry = { work };
  await remember({ order: await orderId(work) });
  stage.replaceChildren();
  offer();
  fail(error);
}

// ---------------------------------------------------------------- start

/** The piece that everybody may see. */
function offerPreview() {
  const place = main.dataset.preview;
  const trigger = find('#preview');
  if (!place || !trigger) return;
  trigger.hidden = false;
  trigger.addEventListener('click', async () => {
    trigger.disabled = true;
    try {
      const { showPreview } = await import('./preview.js');
      const { url, previewType: type } = main.dataset;
      stage.replaceChildren(await showPreview({ url: new URL(url, issuer).href, place, type, label: text.previewLabel(find('.title').textContent) }));
      trigger.hidden = true;
    } catch (error) {
      trigger.disabled = false;
      fail(error);
    }
  });
}

/** One view of the work for its creator's statistics; it says nothing of who it was. */
function countView() {
  if (state !== 'published') return;
  whenSeen(main, () => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}', keepalive: true };
    fetch(`${issuer}/v1/works/${work}/view`, init).catch(() => {});
  });
}

/** An order handed over by a frame in this tab (see `sameTabAddress`). Taken from the address at once. */
function handedOver(fresh) {
  if (embedded || !location.hash) return '';
  const given = new URLSearchParams(location.hash.slice(1)).get('order') ?? '';
  history.replaceState(null, '', location.pathname + location.search);
  // The first eight bytes of an order's id say which work it is for: 12 characters and a bit.
  return isOrderId(given) && given.slice(0, 16) === fresh.slice(0, 16) ? given : '';
}

/** @returns {Promise<boolean>} whether the button can sell */
async function begin() {
  // An opaque origin (a sandboxed frame) has neither storage nor, mostly, popups; without a secure context no key.
  if (self.origin === 'null' || !self.crypto?.subtle || !wallet) return false;
  try {
    store = await openStore();
  } catch {
    return false;
  }
  entry = await store.get(work).catch(() => ({ work }));
  button.addEventListener('click', (event) => (entry.receipt ? open() : buy(event)));
  grant = store.lasting ? ((await store.get(GRANT.work).catch(() => null))?.grant ?? null) : null;
  for (const type of ['pointerenter', 'focus', 'touchstart']) button.addEventListener(type, prepare, { passive: true });
  amounts?.addEventListener('change', () => ((quoting = null), offer()));
  amounts?.addEventListener('submit', (event) => event.preventDefault());
  if (!store.lasting) button.title = text.boughtBefore;
  watched = watchButton(button);
  return true;
}

/** What became of an order the wallet was asked about before this page was loaded. */
async function resume(given) {
  if (entry.receipt || !entry.order || !(given || entry.asked)) return;
  try {
    const answer = await client.orderStatus(entry.order, store.key);
    if (answer.status === 'posted' && answer.receipt) return void (await bought(answer.receipt));
  } catch (error) {
    if (error.code === 'wrong_key') await remember({ order: await orderId(work), asked: false });
  }
  if (!given) return;
  await remember({ asked: true });
  location.assign(askAddress(`${issuer}/w/${work}`));
}

countView();
offerPreview();
if (await begin()) {
  const fresh = await orderId(work);
  const given = entry.receipt ? '' : handedOver(fresh);
  if (given) await remember({ order: given, asked: false });
  else if (!entry.order) await remember({ order: fresh, asked: false });
  offer();
  channel.send('ready');
  await resume(given);
} else {
  linkOnly();
  channel.send('ready');
}
