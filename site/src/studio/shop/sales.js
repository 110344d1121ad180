// The latest sales, new ones as they happen, and paying one back.
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { msatToUsd, parseUsd, usdToMsat } from '../../../../sdk/js/src/money.js';
import { when } from '../../shared/i18n.js';
import { el } from '../../shared/ui.js';
import { action, moment, notice, problemBox } from '../../wallet/view.js';
import { bits, money, usd } from './money.js';
import { t } from './words.js';

/** Sales that are shown before more are asked for. */
const FEW = 8;
/** More refunds of one sale than this have no number. */
const MAX_SEQ = 1_000;
const clock = { dateStyle: 'medium', timeStyle: 'short' };

export class Sales {
  #rows = new Map(); // by order
  #list = el('ol', { class: 'shop-sales' });
  #slot = el('div');
  #live = el('p', { class: 'shop-live small muted', hidden: true });

  /** @param {object} shop what the view's parts share: `context`, `money()`, `titleOf(work)`, `shareNewest()` */
  constructor(shop) {
    this.shop = shop;
    this.element = el('section', { class: 'card stack', 'aria-labelledby': 'shop-sales-heading' },
      el('div', { class: 'row spread' }, el('h2', { id: 'shop-sales-heading', textContent: t.sales })), this.#live, this.#list, this.#slot);
  }

  /** @param {boolean} on */
  live(on) {
    this.#live.hidden = false;
    this.#live.classList.toggle('on', on);
    this.#live.textContent = on ? t.salesLive : t.salesOff;
  }

  async load(after) {
    const { client, wallet } = this.shop.context;
    if (after === undefined) {
      this.#rows.clear();
      this.#list.replaceChildren();
      this.#slot.replaceChildren(el('div', { class: 'skeleton tall', 'aria-busy': 'true' }, el('span', { class: 'visually-hidden', textContent: t.loading })));
    }
    try {
      const { sales, next } = await client.shopSales(wallet.creator, { after });
      for (const one of sales) this.#put(one, false);
      const few = after === undefined && this.#rows.size > FEW;
      this.#list.classList.toggle('few', few);
      const more = () => (few ? this.#all(next) : this.load(next));
      const rest = (few || next !== undefined) && el('div', { class: 'row' }, action(t.more, more, 'compact'));
      this.#slot.replaceChildren(...[this.#rows.size === 0 && this.#empty(), rest].filter(Boolean));
    } catch (error) {
      this.#slot.replaceChildren(problemBox(error, action(t.again, () => this.load(after), 'compact')));
    }
  }

  /** The whole page that was read already. */
  #all(next) {
    this.#list.classList.remove('few');
    this.#list.children[FEW]?.querySelector('button')?.focus();
    this.#slot.replaceChildren(...(next === undefined ? [] : [el('div', { class: 'row' }, action(t.more, () => this.load(next), 'compact'))]));
  }

  #empty() {
    const go = this.shop.shareNewest && el('div', { class: 'row' }, action(t.noSalesGo, () => this.shop.shareNewest(), 'compact'));
    return el('div', { class: 'shop-none stack' }, el('strong', { textContent: t.noSales }), el('p', { class: 'muted', textContent: t.noSalesHint }), go);
  }

  /** @param {{n: number, sale: object, refunded_msat: number, refunds: number}} one @param {boolean} fresh it has just happened */
  #put(one, fresh) {
    const row = el('li', { class: `shop-sale${fresh ? ' fresh' : ''}` });
    this.#rows.set(one.sale.order, { one, row });
    this.#draw(one, row, fresh);
    if (fresh) this.#list.prepend(row);
    else this.#list.append(row);
  }

  #draw(one, row, fresh = false) {
    const { sale, refunded_msat: refunded } = one;
    const title = this.shop.titleOf(sale.work);
    const { rate } = this.shop.money();
    const back = refunded > 0 && el('span', { class: 'badge warn', textContent: t.saleRefunded(money(refunded, rate)) });
    const left = sale.msat - refunded;
    const refund = left > 0 && el('button', { type: 'button', class: 'link small', textContent: t.refund, onclick: () => this.#refund(one) });
    if (refund) refund.setAttribute('aria-label', t.about(t.refund, `${title}, ${when(sale.time, clock)}`));
    row.replaceChildren(...[
      el('div', { class: 'shop-sale-what' }, el('span', { class: 'strong', textContent: title }), fresh && el('span', { class: 'badge good', textContent: t.saleNew }),
        el('span', { class: 'muted small' }, moment(sale.time)), back),
      el('div', { class: 'shop-sale-paid' }, el('span', { class: 'numbers strong', textContent: sale.free ? t.saleFree : usd(sale.usd_micros) }), refund),
    ].filter(Boolean));
  }

  /** Titles, or the rate, have become known. */
  redraw() {
    for (const { one, row } of this.#rows.values()) this.#draw(one, row, row.classList.contains('fresh'));
  }

  /** Something has happened. @param {object} event */
  add(event) {
    if (event.sale && !this.#rows.has(event.sale.order)) {
      this.#put({ n: event.n, sale: event.sale, refunded_msat: 0, refunds: 0 }, true);
      this.#slot.querySelector('.shop-none')?.remove();
    }
    const of = event.refund && this.#rows.get(event.refund.order);
    if (of) {
      of.one.refunded_msat += event.refund.msat;
      of.one.refunds += 1;
      this.#draw(of.one, of.row);
    }
  }

  #refund(one) {
    const dialog = refundDialog(one, this.shop);
    this.element.append(dialog);
    dialog.addEventListener('close', () => {
      dialog.remove();
      // The button that opened it may have been drawn anew.
      this.#rows.get(one.sale.order)?.row.querySelector('button')?.focus();
    });
    dialog.showModal();
  }
}

/**
 * The number of the next refund is one more than there were. One that was lost on the way has the same number and so the
 * same content, or is refused: nothing is ever paid back twice.
 */
async function payBack({ client, wallet, account }, { sale, refunds }, msat, onPending) {
  for (let seq = refunds + 1; ; seq += 1) {
    try {
      const jws = await client.makeRefund({ key: wallet.device, account: wallet.account, purchase: sale.handle, seq, msat, ledger: account.ledger });
      return await client.refund(jws, { onPending });
    } catch (error) {
      // Made elsewhere, under a number of its own: the next one is free.
      if (error.code !== 'refund_conflict' || seq >= Math.min(refunds + 5, MAX_SEQ)) throw error;
    }
  }
}

function refundDialog(one, shop) {
  const { sale, refunded_msat: refunded } = one;
  const { rate } = shop.money();
  const title = shop.titleOf(sale.work);
  const left = sale.msat - refunded;
  const dialog = el('dialog', { class: 'shop-dialog', 'aria-labelledby': 'refund-heading' });
  const said = el('div');
  const part = (value, name, about, checked) => {
    const control = el('input', { type: 'radio', name: 'refund-part', value, checked });
    return { control, node: el('label', { class: 'choice' }, control, el('span', { class: 'name', textContent: name }), el('span', { class: 'about', textContent: about })) };
  };
  const all = part('all', t.refundAll, t.refundAllHint, true);
  const some = part('part', t.refundPart, t.refundPartHint, false);
  const problem = el('span', { class: 'problem', id: 'refund-problem', hidden: true });
  const input = el('input', { class: 'input numbers', type: 'text', id: 'refund-dollars', inputMode: 'decimal', autocomplete: 'off', 'aria-describedby': 'refund-problem' });
  const amount = el('div', { class: 'field', hidden: true }, el('label', { htmlFor: 'refund-dollars', textContent: t.refundAmount }), el('div', { class: 'money' }, el('span', { 'aria-hidden': 'true', textContent: '$' }), input), problem);
  for (const { control } of [all, some]) {
    control.addEventListener('change', () => {
      amount.hidden = !some.control.checked;
      if (some.control.checked) input.focus();
    });
  }
  const say = (words) => {
    problem.textContent = words;
    problem.hidden = words === '';
    if (words) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  };
  input.addEventListener('input', () => say(''));
  /** At the rate of the sale: what was paid for a dollar then comes back for a dollar. */
  const chosen = () => {
    if (all.control.checked) return left;
    let micros = 0;
    try {
      micros = parseUsd(input.value);
    } catch { /* said below */ }
    const msat = sale.usd_micros > 0 ? Number((BigInt(micros) * BigInt(sale.msat)) / BigInt(sale.usd_micros)) : rate ? usdToMsat(micros, rate) : 0;
    return msat > 0 && msat <= left ? msat : null;
  };
  const close = action(t.cancel, () => dialog.close());
  const pay = action(t.refundNow, async () => {
    const msat = chosen();
    if (msat === null) {
      say(t.refundBad);
      input.focus();
      return;
    }
    said.replaceChildren();
    try {
      const ready = await shop.account();
      if (!ready) throw new SatchelError('unavailable', t.again);
      const done = await payBack({ client: shop.context.client, ...ready }, one, msat, () => said.replaceChildren(notice(t.refundPending)));
      const words = (done.replayed ? t.refundReplayed : t.refundDone)(bits(done.msat));
      said.replaceChildren(notice(words, 'good'));
      for (const node of [all.node, some.node, amount]) node.hidden = true;
      pay.remove();
      close.textContent = t.close;
      close.focus();
      shop.refunded();
    } catch (error) {
      said.replaceChildren(problemBox(error));
    }
  }, 'primary');
  const priced = `${usd(sale.usd_micros)} (${bits(sale.msat)})`;
  const lines = [t.refundPaid(priced, when(sale.time, clock)), refunded > 0 && t.refundLeft(rate ? `${usd(msatToUsd(left, rate))} (${bits(left)})` : bits(left))];
  dialog.append(el('div', { class: 'stack' }, el('h2', { id: 'refund-heading', textContent: t.refundHeading(title) }), el('p', { class: 'muted numbers', textContent: lines.filter(Boolean).join(' ') }),
    el('div', { class: 'choices', role: 'radiogroup', 'aria-labelledby': 'refund-heading' }, all.node, some.node), amount, said, el('div', { class: 'row end' }, close, pay)));
  return dialog;
}
