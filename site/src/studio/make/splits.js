// Rows of collaborators with their percentages, and what each gets of a sale, live.
import { afterFee, formatBits, formatUsd, msatToUsd, usdToMsat } from '../../../../sdk/js/src/money.js';
import { el } from '../../shared/ui.js';
import { button, field, fold, input } from './fields.js';
import { MAX_COLLABORATORS, MAX_SHARED_BPS, Wrong, divide, readAccountId, readPercent } from './read.js';
import { here, t } from './words.js';

export class Splits {
  #rows = [];
  #list = el('ol', { class: 'rows' });
  #about = el('p', { class: 'muted small numbers splits-about', role: 'status' });
  #add = button(t.splitAdd, () => this.#addRow({ account: '', percent: '' }, true));
  #offer = { micros: null };

  /** @param {{payee: string, onInput: () => void}} options */
  constructor({ payee, onInput }) {
    this.payee = payee;
    this.onInput = onInput;
    this.element = fold('splits', t.splits, el('p', { class: 'hint', textContent: t.splitsHint }), this.#list, el('div', { class: 'row' }, this.#add), this.#about);
    this.element.addEventListener('input', () => this.#show());
  }

  #addRow({ account, percent }, moveFocus = false) {
    const row = {
      account: field({ name: 'split-account', label: '', control: input({ class: 'input mono', value: account, maxLength: 60, spellcheck: false }), hint: t.splitAccountHint }),
      percent: field({ name: 'split-percent', label: '', control: input({ class: 'input numbers', value: percent, inputMode: 'decimal', maxLength: 8 }) }),
      amount: el('span', { class: 'muted small numbers' }),
      remove: button('×', () => {
        const at = this.#rows.indexOf(row);
        this.#rows.splice(at, 1);
        row.element.remove();
        this.#number();
        (this.#rows[at]?.remove ?? this.#add).focus();
        this.onInput();
      }),
    };
    row.percent.hint.replaceWith(row.amount);
    row.element = el('li', { class: 'split' }, row.account.element, row.percent.element, row.remove);
    this.#rows.push(row);
    this.#list.append(row.element);
    this.#number();
    if (moveFocus) row.account.control.focus();
  }

  /** Rows are called by their number, which changes when one goes. */
  #number() {
    for (const [i, row] of this.#rows.entries()) {
      row.account.element.querySelector('label').textContent = t.splitAccount(i + 1);
      row.percent.element.querySelector('label').textContent = t.splitPercent(i + 1);
      row.remove.setAttribute('aria-label', t.splitRemove(i + 1));
    }
    this.#add.disabled = this.#rows.length >= MAX_COLLABORATORS;
    this.#show();
  }

  /** @param {{micros: number|null, rate?: number, feeBps: number}} offer the price now */
  priced(offer) {
    this.#offer = offer;
    this.#show();
  }

  #show() {
    const { micros, rate, feeBps } = this.#offer;
    const bps = this.#rows.map(({ percent }) => {
      try {
        return readPercent(percent.control.value, t);
      } catch {
        return 0;
      }
    });
    const known = micros !== null && rate && bps.some(Boolean) && bps.reduce((sum, one) => sum + one, 0) <= MAX_SHARED_BPS;
    const { shares, rest } = known ? divide(afterFee(usdToMsat(micros, rate), feeBps), bps) : { shares: [], rest: 0 };
    const money = (msat) => [formatBits(msat, here), formatUsd(msatToUsd(msat, rate), here)];
    this.#rows.forEach(({ amount }, i) => (amount.textContent = known && bps[i] ? t.splitAmount(...money(shares[i])) : ''));
    this.#about.textContent = known ? t.splitYou(...money(rest)) : '';
  }

  values() {
    return this.#rows.map(({ account, percent }) => ({ account: account.control.value, percent: percent.control.value }));
  }

  fill(values = []) {
    this.#rows = [];
    this.#list.replaceChildren();
    for (const row of values) this.#addRow(row);
    this.element.open ||= values.length > 0;
    this.#number();
  }

  /** @returns {{account: string, bps: number}[]|undefined} says beside each field what is wrong with it; empty rows count as none */
  read() {
    const found = [];
    let sum = 0;
    for (const { account, percent } of this.#rows) {
      if (!account.control.value.trim() && !percent.control.value.trim()) continue;
      const one = {};
      this.#tell(account, () => {
        one.account = readAccountId(account.control.value, t);
        if (one.account === this.payee) throw new Wrong(t.splitSelf);
        if (found.some((other) => other.account === one.account)) throw new Wrong(t.splitTwice);
      });
      this.#tell(percent, () => {
        one.bps = readPercent(percent.control.value, t);
        sum += one.bps;
        if (sum > MAX_SHARED_BPS) throw new Wrong(t.splitSum);
      });
      found.push(one);
    }
    return found.length > 0 ? found : undefined;
  }

  #tell({ say }, act) {
    try {
      act();
      say('');
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      say(error.message);
    }
  }
}
