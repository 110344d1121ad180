// The form of one work: title, price and everything else buyers are offered.
import { afterFee, formatBits, formatUsd, usdToMsat } from '../../../../sdk/js/src/money.js';
import { el } from '../../shared/ui.js';
import { Clip } from './clip.js';
import { Cover } from './cover.js';
import { checkbox, field, fold, freshId, input, moneyField } from './fields.js';
import { cleanLine, cleanLines, hasUnfit } from './names.js';
import { MAX_DESCRIPTION, MAX_SUGGESTIONS, Wrong, readCount, readPrice } from './read.js';
import { Splits } from './splits.js';
import { here, t } from './words.js';

export class WorkForm {
  #title = field({ name: 'title', label: t.title, control: input({ maxLength: 200, required: true }) });
  #price = moneyField({ name: 'price', label: t.price, hint: t.priceAbout }, { placeholder: '0.50', required: true });
  #description = field({ name: 'description', label: t.description, control: el('textarea', { class: 'input', rows: 3 }), hint: t.descriptionHint });
  #payMore = checkbox({ name: 'pay-more', label: t.payMore });
  #suggest = Array.from({ length: MAX_SUGGESTIONS }, (_, i) => moneyField({ name: 'suggest', label: t.suggest(i + 1), hideLabel: true }));
  #giveaway = field({ name: 'giveaway', label: t.giveaway, control: input({ class: 'input numbers', inputMode: 'numeric', placeholder: t.none }), hint: t.giveawayHint });
  #limit = field({ name: 'limit', label: t.limit, control: input({ class: 'input numbers', inputMode: 'numeric', placeholder: t.noLimit }), hint: t.limitHint });
  #suggestions;
  #uses = {};
  #note = el('span', { class: 'hint stream-note', hidden: true });
  #money = { feeBps: 0 };

  /**
   * @param {{payee: string, onInput: () => void, onUse: () => void, onSubmit: () => void, submit: string, fixedTerms?: boolean}} options
   */
  constructor({ payee, onInput, onUse, onSubmit, submit }) {
    this.cover = new Cover({ onInput });
    this.clip = new Clip({ onInput });
    this.splits = new Splits({ payee, onInput });
    this.#suggestions = el('div', { class: 'suggestions', hidden: true }, ...this.#suggest.map(({ element }) => element));
    const payMore = el('div', { class: 'field' }, this.#payMore.element, el('span', { class: 'hint', textContent: t.payMoreHint }), this.#suggestions);
    const group = freshId('use');
    const choice = (value, name, about) => {
      const control = el('input', { type: 'radio', name: group, value, class: `use-${value}`, checked: value === 'download', disabled: value === 'stream' });
      control.addEventListener('change', onUse);
      this.#uses[value] = control;
      return el('label', { class: 'choice' }, control, el('span', { class: 'name', textContent: name }), el('span', { class: 'about', textContent: about }));
    };
    const uses = el('fieldset', { class: 'field' }, el('legend', { textContent: t.use }),
      el('div', { class: 'choices' }, choice('download', t.download, t.downloadAbout), choice('stream', t.stream, t.streamAbout)), this.#note);
    this.copies = fold('copies', t.copies, el('div', { class: 'counts' }, this.#giveaway.element, this.#limit.element));
    this.submit = el('button', { class: 'button primary large full publish', textContent: submit });
    this.note = el('p', { class: 'muted small center', role: 'status' });
    this.fields = el('fieldset', { class: 'stack roomy' }, el('legend', { class: 'visually-hidden', textContent: `${t.title}, ${t.price}` }),
      el('div', { class: 'front' }, this.cover.element, el('div', { class: 'stack' }, this.#title.element, this.#price.element)),
      this.#description.element, uses, payMore, this.clip.element, this.copies, this.splits.element);
    this.element = el('form', { class: 'stack roomy', noValidate: true }, this.fields, el('div', { class: 'stack tight' }, this.submit, this.note));
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      onSubmit();
    });
    this.#listen(onInput);
  }

  #listen(onInput) {
    this.element.addEventListener('input', onInput);
    this.#price.control.addEventListener('input', () => this.#showPrice());
    this.#price.control.addEventListener('blur', () => this.#price.control.value.trim() && this.#try(this.#price, () => readPrice(this.#price.control.value, t, here)));
    this.#payMore.control.addEventListener('change', () => (this.#suggestions.hidden = !this.#payMore.control.checked));
    this.#description.control.addEventListener('input', () => this.#countDescription());
    for (const counted of [this.#giveaway, this.#limit]) counted.control.addEventListener('blur', () => this.#readCopies());
  }

  /** Does `act`; what is wrong is said beside the field. @returns {any} undefined if it was */
  #try({ say }, act) {
    try {
      const value = act();
      say('');
      return value;
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      say(error.message);
      return undefined;
    }
  }

  /** @param {{rate?: number, feeBps: number, test: boolean}} money what prices are shown with */
  money(money) {
    this.#money = money;
    this.#showPrice();
  }

  #micros() {
    try {
      return readPrice(this.#price.control.value, t, here);
    } catch {
      return null;
    }
  }

  /** What the price is in Bits at this moment, and what is left of it after the fee. */
  #showPrice() {
    const { rate, feeBps, test } = this.#money;
    const micros = this.#micros();
    this.splits.priced({ micros, rate, feeBps });
    if (micros === null) {
      this.#price.hint.textContent = t.priceAbout;
      return;
    }
    const usd = (amount) => formatUsd(amount, here);
    const percent = new Intl.NumberFormat(here, { style: 'percent', maximumFractionDigits: 2 }).format(feeBps / 10_000);
    this.#price.hint.textContent = [
      rate && t.priceBits(usd(micros), formatBits(usdToMsat(micros, rate), here)),
      t.keep(usd(afterFee(micros, feeBps)), percent),
      test && t.testMoney,
    ].filter(Boolean).join(' ');
  }

  #countDescription() {
    const left = MAX_DESCRIPTION - [...this.#description.control.value].length;
    this.#description.hint.textContent = left < 200 ? t.descriptionLeft(Math.max(0, left).toLocaleString(here)) : t.descriptionHint;
  }

  /** Says whether and how it can be streamed. @param {{enabled: boolean, why?: string, note?: string}} offer */
  offerStream({ enabled, why = '', note = '' }) {
    this.#uses.stream.disabled = !enabled;
    if (!enabled && this.#uses.stream.checked) this.#uses.download.checked = true;
    const text = why ? `${t.notStreamable} ${why}` : note;
    this.#note.textContent = text;
    this.#note.hidden = text === '';
  }

  /** Only the use it was packed for. @param {'download'|'stream'} use @param {string} note */
  fixUse(use, note) {
    for (const [value, control] of Object.entries(this.#uses)) {
      control.disabled = value !== use;
      control.checked = value === use;
    }
    this.#note.textContent = note;
    this.#note.hidden = false;
  }

  /** @returns {'download'|'stream'} */
  get use() {
    return this.#uses.stream.checked ? 'stream' : 'download';
  }

  set use(value) {
    if (!this.#uses[value].disabled) this.#uses[value].checked = true;
  }

  /** What is typed, for another visit. */
  values() {
    const text = ({ control }) => control.value;
    return {
      title: text(this.#title), price: text(this.#price), description: text(this.#description), use: this.use, payMore: this.#payMore.control.checked,
      suggest: this.#suggest.map(text), giveaway: text(this.#giveaway), limit: text(this.#limit), splits: this.splits.values(), clip: this.clip.values(), cover: this.cover.value,
    };
  }

  /** @param {object} values as `values` gave them, or some of them */
  fill(values) {
    const put = ({ control }, value = '') => (control.value = value);
    put(this.#title, values.title);
    put(this.#price, values.price);
    put(this.#description, values.description);
    this.#payMore.control.checked = Boolean(values.payMore);
    this.#suggestions.hidden = !values.payMore;
    this.#suggest.forEach((one, i) => put(one, values.suggest?.[i]));
    put(this.#giveaway, values.giveaway);
    put(this.#limit, values.limit);
    this.copies.open = Boolean(values.giveaway || values.limit);
    this.splits.fill(values.splits);
    this.clip.fill(values.clip);
    if (values.cover) this.cover.show(values.cover);
    this.#countDescription();
    this.#showPrice();
  }

  /** @returns {{giveaway?: number, limit?: number}} */
  #readCopies() {
    const counts = {};
    for (const [name, counted] of [['giveaway', this.#giveaway], ['limit', this.#limit]]) {
      const count = this.#try(counted, () => readCount(counted.control.value, t, here));
      if (count !== undefined) counts[name] = count;
    }
    if (counts.giveaway > counts.limit) this.#giveaway.say(t.giveawayMany(counts.limit.toLocaleString(here)));
    return counts;
  }

  #readSuggestions(least) {
    if (!this.#payMore.control.checked) {
      for (const { say } of this.#suggest) say('');
      return [];
    }
    const found = this.#suggest.map((one) => (one.control.value.trim() === '' ? undefined : this.#try(one, () => {
      const micros = readPrice(one.control.value, t, here);
      if (micros < least) throw new Wrong(t.suggestLow(formatUsd(least, here)));
      return micros;
    })));
    return [...new Set(found.filter((micros) => micros !== undefined))].sort((a, b) => a - b);
  }

  /**
   * @returns {Promise<{title: string, terms: object, splits?: object[], listing?: object, preview?: Uint8Array, cover: object|null}|null>}
   *   null where something is wrong: it is said beside its field, and the first of them has the focus
   */
  async read() {
    const title = this.#try(this.#title, () => {
      if (hasUnfit(this.#title.control.value)) throw new Wrong(t.unfit);
      const text = cleanLine(this.#title.control.value);
      if (!text) throw new Wrong(t.titleMissing);
      return text;
    });
    const price = this.#try(this.#price, () => readPrice(this.#price.control.value, t, here));
    const description = this.#try(this.#description, () => {
      const text = cleanLines(this.#description.control.value);
      if (hasUnfit(text.replaceAll('\n', ' '))) throw new Wrong(t.unfit);
      const over = [...text].length - MAX_DESCRIPTION;
      if (over > 0) throw new Wrong(t.descriptionLong(over.toLocaleString(here)));
      return text;
    });
    const suggest = this.#readSuggestions(price ?? 0);
    const counts = this.#readCopies();
    const splits = this.splits.read();
    const wrong = () => this.element.querySelector('[aria-invalid="true"]');
    let preview;
    if (!wrong()) preview = await this.clip.read().catch(() => null);
    const first = wrong() ?? (preview === null ? this.clip.element.querySelector('summary') : null);
    if (first) {
      const folded = first.closest('details');
      if (folded) folded.open = true;
      first.focus();
      return null;
    }
    const listing = { ...(description && { description }), ...(suggest.length > 0 && { suggest }) };
    return {
      title, terms: { usd_micros: price, use: this.use, pay_more: this.#payMore.control.checked, ...counts },
      splits, listing: Object.keys(listing).length > 0 ? listing : undefined, preview, cover: this.cover.value,
    };
  }

  /** @param {boolean} locked nothing may be changed any more @param {string} [note] why */
  lock(locked, note = '') {
    this.fields.disabled = locked;
    this.submit.disabled = locked;
    this.note.textContent = note;
  }

  focusTitle() {
    this.#title.control.focus({ preventScroll: true });
    this.#title.control.select();
  }
}
