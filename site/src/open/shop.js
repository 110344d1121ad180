// The shop that sells a satchel: asked only once the visitor trusts it, believed only where its record agrees with
// the file, paid through its own wallet; then the file is opened with the key it gives.
import { SatchelClient } from '../../../sdk/js/src/client.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { orderId } from '../../../sdk/js/src/ids.js';
import { parseJws } from '../../../sdk/js/src/jws.js';
import { thumbprint } from '../../../sdk/js/src/keys.js';
import { formatUsd } from '../../../sdk/js/src/money.js';
import { copiesLeft } from '../../../sdk/js/src/terms.js';
import { explain } from '../frame/problems.js';
import { CALM_MS, approveAddress, awaitReceipt } from '../frame/purchase.js';
import { openStore } from '../frame/store.js';
import { text as frameCatalogue } from '../frame/text.js';
import { loadConfig } from '../shared/config.js';
import { el } from '../shared/ui.js';
import { action, alertBox, facts, notice, testBadge } from '../wallet/view.js';
import { text } from './text.js';
import { distrust, isTrusted, trust } from './trust.js';
import { words } from '../shared/i18n.js';

const frameText = words(frameCatalogue);

const price = (micros) => (micros === 0 ? text.free : formatUsd(micros));
/** One store for all files of this visit: its key is what receipts are for. */
let opened;
const storeOnce = () => (opened ??= openStore());

export class Shop {
  #signal;
  #place;
  #file;
  #whole;
  #issuer;
  #page;
  #host;
  #own;
  #client;
  #wallet = '';
  #testMoney = false;
  #store;
  #entry;
  #waiting = new AbortController();
  #head = el('div', { class: 'stack' });
  #buttons = el('p', { class: 'actions' });
  #status = el('p', { id: 'status', role: 'status' });
  #actions = el('p', { class: 'actions' });
  #stage = el('div', { id: 'stage', class: 'stack' });

  /** @param {{satchel: object, read: Function, place: HTMLElement, signal: AbortSignal, whole: boolean}} options `signal` ends it; `whole`: no part of the file is missing */
  constructor({ satchel, read, place, signal, whole }) {
    this.#signal = signal;
    this.#place = place;
    this.#file = { satchel, read: (from, to, inner) => read(from, to, inner ?? signal) };
    this.#whole = whole;
    const { issuer, work } = satchel.manifest;
    this.#issuer = issuer;
    this.#page = `${issuer}/w/${work}`;
    this.#host = new URL(issuer).host;
    signal.addEventListener('abort', () => {
      this.#waiting.abort();
      // What plays belongs to the file before.
      this.#stage.replaceChildren();
    });
  }

  /** Asks our own shop and those the visitor trusts; of others it only says who they are. */
  async begin() {
    const { issuer } = await loadConfig();
    if (this.#signal.aborted) return;
    this.#own = issuer === this.#issuer;
    // This page's host serves every route of our own shop, whatever that shop is called.
    this.#client = new SatchelClient({ issuer: this.#issuer, base: this.#own ? location.origin : this.#issuer });
    this.#place.replaceChildren(this.#head, this.#buttons, this.#status, this.#actions, this.#stage);
    if (this.#own || isTrusted(this.#issuer)) await this.#ask();
    else this.#stranger();
  }

  #stranger() {
    const { manifest } = this.#file.satchel;
    this.#head.replaceChildren(
      el('section', { class: 'notice warn stranger', 'aria-labelledby': 'stranger' },
        el('h2', { id: 'stranger', textContent: text.stranger }),
        el('p', {}, text.strangerBefore, ' ', el('strong', { class: 'origin', textContent: this.#issuer }), text.strangerAfter)),
      facts([text.priceUnchecked, price(manifest.terms.usd_micros)]));
    const yes = action(text.trust(this.#host), async () => {
      trust(this.#issuer);
      await this.#ask();
    }, 'primary');
    this.#buttons.replaceChildren(yes, this.#link(text.goTo(this.#host)));
  }

  #link(words, kind = '') {
    return el('a', { class: `button ${kind}`, href: this.#page, target: '_blank', rel: 'noopener noreferrer nofollow', textContent: words });
  }

  #say(words, ...buttons) {
    this.#status.classList.remove('problem');
    this.#status.textContent = words;
    this.#actions.replaceChildren(...buttons);
  }

  #fail(error, retry) {
    if (this.#signal.aborted || error?.code === 'aborted') return;
    const { title, next } = explain(error);
    this.#say(`${title}. ${next}`, ...(retry ? [action(frameText.again, () => (this.#say(''), retry()), 'compact')] : []));
    this.#status.classList.add('problem');
  }

  // ------------------------------------------------------------ what the shop says

  /** The origin of the shop's wallet. */
  async #walletOf() {
    if (this.#own) return (await loadConfig()).wallet;
    const { issuer, wallet } = await this.#client.request('GET', '/v1/config', { signal: this.#signal });
    // A wallet is a window we open: only ever a page, never a script.
    const isPage = /^https?:\/\/[^/?#]+$/.test(wallet);
    if (issuer !== this.#issuer || !isPage) throw new SatchelError('wrong_shop', ...text.wrongShop);
    return wallet;
  }

  /** Digest and signer of this very file must be what the shop has on record, before any price of today is shown. */
  async #agrees(record) {
    const { manifest, digest } = this.#file.satchel;
    const known = record.versions.find(({ version }) => version === manifest.version);
    return known?.manifest_digest === digest && known.signer === (await thumbprint(manifest.creator));
  }

  async #ask() {
    this.#head.replaceChildren(el('p', { class: 'muted', role: 'status', textContent: text.checking(this.#host) }));
    this.#buttons.replaceChildren();
    try {
      const { manifest } = this.#file.satchel;
      const [wallet, record] = await Promise.all([this.#walletOf(), this.#client.record(manifest.work, { signal: this.#signal })]);
      this.#wallet = wallet;
      this.#testMoney = record.ledger === 'test';
      if (!(await this.#agrees(record))) {
        this.#head.replaceChildren(alertBox(text.mismatch));
        this.#buttons.replaceChildren(this.#link(text.see), ...this.#forget());
        return;
      }
      await this.#recall();
      if (!this.#signal.aborted) this.#offer(record);
    } catch (error) {
      if (this.#signal.aborted) return;
      const { title, next } = explain(error);
      this.#head.replaceChildren(alertBox({ title, next }, action(frameText.again, () => this.#ask())));
      this.#buttons.replaceChildren(...this.#forget());
    }
  }

  /** What this browser bought before. Works of other shops are kept apart: a shop may name any work as its own. */
  async #recall() {
    const { work } = this.#file.satchel.manifest;
    const slot = this.#own ? work : `${work}@${this.#issuer}`;
    this.#store = await storeOnce();
    this.#entry = await this.#store.get(slot).catch(() => ({ work: slot }));
    if (!this.#entry.order) await this.#remember({ order: await orderId(work), asked: false });
  }

  async #remember(changes) {
    this.#entry = { ...this.#entry, ...changes };
    // What can't be kept is still known until the page is left.
    await this.#store.put(this.#entry).catch(() => {});
  }

  #forget() {
    if (this.#own) return [];
    return [action(text.distrust, () => {
      distrust(this.#issuer);
      this.#say('');
      this.#stranger();
    })];
  }

  #offer(record) {
    const { manifest } = this.#file.satchel;
    const current = record.version === manifest.version;
    const words = current ? text.matches(this.#host) : text.older(this.#host);
    const badge = this.#testMoney && testBadge(text.testMoney, text.testMoneyHint);
    const { terms } = record;
    const { free, left } = copiesLeft(record);
    const due = free > 0 ? 0 : terms.usd_micros;
    const gone = left === 0;
    const now = [price(due), free > 0 && text.freeLeft(free, terms.giveaway, price(terms.usd_micros)), Number.isFinite(left) && text.left(left, terms.limit)].filter(Boolean).join(', ');
    this.#head.replaceChildren(
      notice(words, 'good'),
      facts([text.price, price(manifest.terms.usd_micros)], [text.priceNow, gone ? text.soldOut : el('span', {}, now, badge && ' ', badge)]));
    if (this.#entry.receipt) {
      this.#buttons.replaceChildren(action(frameText.open, () => this.#open(), 'primary large'), ...this.#forget());
      return;
    }
    if (record.state !== 'published') {
      this.#head.append(notice(text.notForSale[record.state] ?? '', 'warn'));
      this.#buttons.replaceChildren(this.#link(text.see), ...this.#forget());
      return;
    }
    if (!this.#whole) {
      this.#buttons.replaceChildren(this.#link(text.seeOn(this.#host)), ...this.#forget());
      return;
    }
    const shownAt = performance.now();
    // Whoever has a copy may have a new receipt for it; the wallet knows.
    const offer = gone ? frameText.openOwned : due === 0 ? text.getFree : text.buy(price(due));
    const buy = el('button', { type: 'button', id: 'buy', class: 'button primary large', textContent: offer });
    buy.addEventListener('click', (event) => {
      if (event.timeStamp - shownAt > CALM_MS) this.#buy(record);
    });
    this.#buttons.replaceChildren(buy, ...this.#forget());
  }

  // ------------------------------------------------------------ buying

  #address() {
    const { work } = this.#file.satchel.manifest;
    return approveAddress(this.#wallet, { order: this.#entry.order, work, jkt: this.#store.key.jkt, site: location.origin });
  }

  #buy(record) {
    // Nothing may come between the click and this call, or browsers call it an unasked popup.
    self.open(this.#address(), '_blank', 'popup,width=440,height=760');
    this.#remember({ asked: true });
    this.#wait(record);
  }

  async #wait(record) {
    this.#waiting.abort();
    this.#waiting = new AbortController();
    const { signal } = this.#waiting;
    this.#buttons.replaceChildren();
    const stop = () => {
      this.#waiting.abort();
      this.#say(frameText.cancelled);
      this.#offer(record);
    };
    // A tab of its own where no window opened; this page must stay, it holds the file.
    this.#say(frameText.waiting,
      el('a', { class: 'button compact', href: this.#address(), target: '_blank', rel: 'noopener', textContent: text.walletInTab }),
      action(frameText.cancel, stop, 'compact'));
    try {
      const receipt = await awaitReceipt(this.#client, this.#entry.order, this.#store.key, signal);
      if (!receipt) {
        this.#say(frameText.stillWaiting);
        return this.#offer(record);
      }
      await this.#remember({ receipt });
      await this.#open();
    } catch (error) {
      if (signal.aborted) return;
      if (error.code === 'wrong_key' || error.code === 'order_conflict') {
        await this.#remember({ order: await orderId(this.#file.satchel.manifest.work), asked: false });
        this.#say(frameText.otherWindow);
      } else this.#fail(error, () => this.#wait(record));
      this.#offer(record);
    }
  }

  // ------------------------------------------------------------ opening

  async #open() {
    this.#buttons.replaceChildren();
    this.#say(frameText.opening);
    try {
      const { receipt } = this.#entry;
      const { version, manifest_digest: digest } = parseJws(receipt, 'satchel-receipt+jws', ['kid']).payload;
      const same = digest === this.#file.satchel.digest;
      this.#head.replaceChildren(notice(same ? text.yours : text.yoursOther(version), same ? 'good' : 'warn'));
      const { openWork } = await import('../player/main.js');
      await openWork({
        stage: this.#stage, client: this.#client, key: this.#store.key, receipt, autoplay: true,
        file: this.#file,
        say: (words) => this.#say(words),
        emit: () => {},
        fail: (error, retry) => {
          if (['not_entitled', 'receipt_invalid', 'wrong_key'].includes(error?.code) && error.status) return void this.#lost(error);
          this.#fail(error, retry);
        },
      });
    } catch (error) {
      this.#fail(error, () => this.#open());
    }
  }

  /** A receipt the shop no longer honours: the work may be bought, or be issued again to its owner. */
  async #lost(error) {
    await this.#remember({ receipt: undefined, order: await orderId(this.#file.satchel.manifest.work), asked: false });
    this.#stage.replaceChildren();
    await this.#ask();
    this.#fail(error);
  }
}
