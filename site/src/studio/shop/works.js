// The works of a shop: what each is, what it has earned, and what its creator can do with it.
import { b64uDecode } from '../../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { copiesLeft } from '../../../../sdk/js/src/terms.js';
import { announce, el } from '../../shared/ui.js';
import { action, notice, problemBox } from '../../wallet/view.js';
import { readWork } from '../make/works.js';
import { earned } from './figures.js';
import { money, number, usd } from './money.js';
import { share } from './share.js';
import { t } from './words.js';

const TONES = { published: 'good', taken_down: 'bad' };

/** A button that says for which work it is. */
function of(label, title, act, kind = '') {
  const node = action(label, act, `compact ${kind}`);
  node.setAttribute('aria-label', t.about(label, title));
  return node;
}

/** Something folded away that is filled when it is first opened. */
function fold(name, summary, fill) {
  const place = el('div', { class: 'stack inner' });
  const node = el('details', { class: `more ${name}` }, el('summary', { textContent: summary }), place);
  let filled = false;
  node.addEventListener('toggle', async () => {
    if (!node.open || filled) return;
    filled = true;
    place.replaceChildren(el('p', { class: 'muted', textContent: t.loading }));
    try {
      place.replaceChildren(...(await fill()));
    } catch (error) {
      filled = false;
      // A slip of ours is told as one; what it was is for whoever can mend it.
      if (typeof error?.code !== 'string') console.error(error);
      place.replaceChildren(problemBox(error));
    }
  });
  return node;
}

/** @param {object} record @returns {string} price, copies and use in a line */
function offered({ terms, stock }) {
  const { free, left } = copiesLeft({ terms, stock });
  return [
    terms.pay_more ? t.least(usd(terms.usd_micros)) : usd(terms.usd_micros),
    terms.giveaway && stock && free > 0 && t.freeLeft(free),
    terms.limit && stock && (left === 0 ? t.soldOut : t.copiesLeft(left)),
    terms.use === 'stream' && t.streaming,
  ].filter(Boolean).join(' · ');
}

function cover(record) {
  const { cover: picture } = record?.listing ?? {};
  if (picture) return el('img', { class: 'shop-cover', src: picture.url, alt: t.coverOf(record.title), loading: 'lazy', width: 72, height: 72 });
  const ending = record?.versions?.at(-1)?.name.split('.').pop() ?? '';
  return el('span', { class: 'shop-cover none', 'aria-hidden': 'true', textContent: ending.slice(0, 4).toUpperCase() || '–' });
}

export class WorkCard {
  #figures = el('dl', { class: 'shop-figures numbers' });
  #said = el('div', { class: 'said' });

  /** @param {object} shown as the shop shows it @param {object} shop what all cards share: `context`, `money()`, `changed()`, `gone(card)` */
  constructor(shown, shop) {
    this.shown = shown;
    this.shop = shop;
    this.element = el('li', { class: 'card stack shop-work' });
    this.element.dataset.work = shown.work;
    this.draw();
  }

  get title() {
    return this.shown.record?.title ?? t.untitled;
  }

  /** Sums have changed. @param {object} totals */
  count(totals) {
    this.shown.totals = totals;
    this.figures();
  }

  figures() {
    const { totals } = this.shown;
    const { rate } = this.shop.money();
    const figure = (value, label) => el('div', {}, el('dt', { textContent: label }), el('dd', { textContent: value }));
    this.#figures.setAttribute('aria-label', t.statsOf(this.title));
    this.#figures.replaceChildren(figure(number(totals.sold), t.soldShort), ...(totals.given ? [figure(number(totals.given), t.givenShort)] : []), figure(money(earned(totals), rate), t.earnedShort), figure(number(totals.views), t.viewsShort), ...(totals.plays ? [figure(number(totals.plays), t.playsShort)] : []));
  }

  draw() {
    const { record, splits } = this.shown;
    const state = record?.state ?? 'unknown';
    const heading = el('h3', { textContent: this.title });
    const about = record && el('p', { class: 'muted small numbers', textContent: [offered(record), splits?.length && t.shared(splits.length)].filter(Boolean).join(' · ') });
    const head = el('div', { class: 'shop-head' }, cover(record),
      el('div', { class: 'shop-name' }, heading, about), el('span', { class: `badge ${TONES[state] ?? ''}`, textContent: t.states[state] }));
    this.figures();
    const parts = [head, this.#figures];
    if (state === 'taken_down') parts.push(el('p', { class: 'notice bad', textContent: t.takenDown }));
    if (record?.version > 0 && state !== 'taken_down') {
      this.share = fold('share', t.share, async () => share({ issuer: this.shop.context.config.issuer, work: this.shown.work, title: this.title }, state === 'published'));
      parts.push(this.share, fold('edit', t.edit, () => this.#edit()));
    }
    parts.push(this.#said, el('div', { class: 'row shop-actions' }, ...this.#actions(state)));
    this.element.replaceChildren(...parts);
  }

  #actions(state) {
    const { title } = this;
    const buttons = [];
    if (['published', 'unpublished'].includes(state)) {
      buttons.push(of(t.replace, title, () => this.shop.context.replace(this.shown.work)));
      buttons.push(state === 'published' ? of(t.unpublish, title, () => this.#offer('unpublished')) : of(t.publish, title, () => this.#offer('published')));
    }
    if (state !== 'unknown') buttons.push(of(t.remove, title, () => this.#remove(), 'danger'));
    return buttons;
  }

  /** What commands about this work are signed with. */
  async #id() {
    const { work, work_nonce: nonce } = this.shown;
    const known = nonce ? b64uDecode(nonce, 16) : (await readWork(work))?.nonce;
    if (!known) throw new SatchelError('no_nonce', t.noNonce, { next: t.noNonceNext });
    return { work, nonce: known };
  }

  async #edit() {
    const { edit } = await import('./edit.js');
    const { context } = this.shop;
    const onSaved = (record, splits) => {
      this.shown = { ...this.shown, record, splits };
      this.draw();
      this.say(t.saved(record.title), 'good');
      this.element.querySelector('.edit > summary').focus();
      this.shop.changed(this);
    };
    return edit({ shown: this.shown, id: await this.#id(), context, money: this.shop.money(), onSaved });
  }

  say(words, tone = '') {
    this.#said.replaceChildren(notice(words, tone));
  }

  /** Tries something; what went wrong is said here. @returns {Promise<boolean>} */
  async #try(act) {
    this.#said.replaceChildren();
    try {
      await act();
      return true;
    } catch (error) {
      this.#said.replaceChildren(problemBox(error));
      return false;
    }
  }

  async #offer(state) {
    const { client, wallet } = this.shop.context;
    const done = await this.#try(async () => {
      this.shown.record = await client.setState(wallet.creator, await this.#id(), state);
    });
    if (!done) return;
    this.draw();
    this.say(state === 'published' ? t.published(this.title) : t.unpublished(this.title), 'good');
    this.element.querySelector('.shop-actions button')?.focus();
    this.shop.changed(this);
  }

  async #remove() {
    const { client, wallet } = this.shop.context;
    const was = this.shown.record.state;
    const done = await this.#try(async () => {
      if (was === 'published') this.shown.record = await client.setState(wallet.creator, await this.#id(), 'unpublished');
      await client.hideWork(wallet.creator, this.shown.work, true);
    });
    if (!done) return;
    this.shown.hidden = true;
    const undo = of(t.undo, this.title, () => this.back(was === 'published'));
    this.#said.replaceChildren();
    this.element.replaceChildren(el('div', { class: 'notice row spread', role: 'status' }, el('span', { textContent: t.removed(this.title) }), undo), this.#said);
    undo.focus();
    this.shop.changed(this);
  }

  /** A deleted work comes back. @param {boolean} onSale as it was */
  async back(onSale) {
    const { client, wallet } = this.shop.context;
    const done = await this.#try(async () => {
      await client.hideWork(wallet.creator, this.shown.work, false);
      if (onSale) this.shown.record = await client.setState(wallet.creator, await this.#id(), 'published');
    });
    if (!done) return;
    this.shown.hidden = false;
    this.draw();
    this.say(t.undone(this.title), 'good');
    announce(t.undone(this.title));
    this.element.querySelector('.shop-actions button')?.focus();
    this.shop.changed(this);
  }
}

/** A work that only this browser knows. @param {import('../make/works.js').Work} work @param {import('../main.js').Context} context */
export function draftCard(work, context) {
  const title = work.title || work.source?.name || t.untitled;
  const go = of(t.draftGo, title, () => context.go('#make'), 'primary');
  return el('li', { class: 'card stack shop-work draft' }, el('div', { class: 'shop-head' }, el('span', { class: 'shop-cover none', 'aria-hidden': 'true', textContent: '…' }),
    el('div', { class: 'shop-name' }, el('h3', { textContent: title }), el('p', { class: 'muted small', textContent: t.draftHint })), el('span', { class: 'badge warn', textContent: t.states.draft })), el('div', { class: 'row' }, go));
}
