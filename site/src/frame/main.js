// The frame on a stranger's page (/embed/{work}) and, with the same code at the top level, the work page (/w/{work}).
// The server has rendered title, price, button and link; this makes the button work.
import { orderId, isOrderId } from '../../../sdk/js/src/ids.js';
import { SatchelClient } from '../../../sdk/js/src/client.js';
import { el } from '../shared/ui.js';
import { connect } from './channel.js';
import { explain } from './problems.js';
import { CALM_MS, approveAddress, awaitReceipt } from './purchase.js';
import { openStore } from './store.js';
import { text } from './text.js';

const main = document.getElementById('satchel');
const { work, issuer, wallet, state } = main.dataset;
const find = (selector) => main.querySelector(selector);
const button = find('#buy');
const stage = find('#stage');
const status = find('#status');
const link = find('#link');
const embedded = self.top !== self;
const host = new URL(issuer).host;
const channel = connect(main);
// The page around may be light in a dark system or the other way round; a frame of the other kind would be a block.
if (embedded) document.documentElement.style.colorScheme = channel.scheme;
const client = new SatchelClient({ issuer });

let store;
let entry = { work };
let waiting = null;
let visibleSince = Infinity;
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

function offer() {
  main.dataset.view = 'offer';
  button.hidden = false;
  button.disabled = false;
  if (entry.receipt || bySelf) button.textContent = text.open;
  // Whoever has a copy may have a new receipt for it; the wallet knows.
  else if (state === 'sold_out') button.textContent = text.openOwned;
  else if (state !== 'published') button.hidden = true;
  if (!entry.receipt && state !== 'published') say(text.notForSale[state] ?? '');
}

/** No key can be made here, or no wallet window opened: the work page can do everything. */
function linkOnly() {
  main.dataset.view = 'link';
  button.hidden = true;
  if (!embedded) return fail({ code: 'browser_too_old' });
  link.className = 'button primary';
  link.textContent = state === 'published' ? text.buyOn(host) : text.seeOn(host);
  if (state !== 'published') say(text.notForSale[state] ?? '');
}

// ---------------------------------------------------------------- buying

const askAddress = (returnTo) => {
  const site = embedded ? (document.referrer && new URL(document.referrer).origin) || '' : issuer;
  return approveAddress(wallet, { order: entry.order, work, jkt: store.key.jkt, site, returnTo });
};

/**
 * The way on without a popup. At the top level the wallet comes back to this page, whose key the order names. A
 * frame's key stays behind with the frame, so there the work page takes the order over with a key of its own.
 */
function sameTabAddress() {
  const page = `${issuer}/w/${work}`;
  return embedded ? `${page}#${new URLSearchParams({ order: entry.order })}` : askAddress(page);
}

function buy(event) {
  if (event.timeStamp - visibleSince < CALM_MS || !entry.order) return;
  // Nothing may come between the click and this call, or browsers call it an unasked popup. The order is known
  // already. `opener` is not used: pages with a strict opener policy cut it, although the window opened.
  self.open(askAddress(), '_blank', 'popup,width=440,height=760');
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

function watchVisibility() {
  new IntersectionObserver(
    (seen) => {
      const { isIntersecting, time } = seen[seen.length - 1];
      visibleSince = isIntersecting ? time : Infinity;
    },
    { threshold: 0.6 },
  ).observe(button);
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
  if (!store.lasting) button.title = text.boughtBefore;
  watchVisibility();
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
