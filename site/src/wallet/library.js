// The library: what this wallet owns, to be opened again at any time, on any device.
import { usd, words } from '../shared/i18n.js';
import { copyRow, el } from '../shared/ui.js';
import { field, section, textInput } from '../identity/parts.js';
import { exactBits } from './money.js';
import { reissued } from './receipts.js';
import { action, alertBox, moment, problemBox } from './view.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);

/** A receipt for a key elsewhere. */
function receiptForm(client, wallet, purchase) {
  const slot = el('div', { class: 'stack' });
  const input = textInput({ class: 'input mono', maxLength: 43 });
  const make = async () => {
    const jkt = input.value.trim();
    input.removeAttribute('aria-invalid');
    if (!/^[\w-]{42}[AEIMQUYcgkosw048]$/.test(jkt)) {
      input.setAttribute('aria-invalid', 'true');
      return slot.replaceChildren(alertBox(text.receiptBad));
    }
    try {
      slot.replaceChildren(copyRow(text.receiptOf(purchase.title), await reissued(client, wallet, purchase, jkt)));
    } catch (error) {
      slot.replaceChildren(problemBox(error));
    }
  };
  return [el('h3', { textContent: text.receipt }), field(`receipt-${purchase.order}`, text.receiptKey, input, text.receiptHint), slot, el('div', { class: 'row' }, action(text.receiptMake, make, 'compact'))];
}

function purchaseRow(client, wallet, issuer, purchase) {
  const { work, title, use, usd_micros: price, msat, time, refunded_msat: refunded = 0, active = true, handle } = purchase;
  let back = '';
  if (refunded > 0) back = refunded >= msat ? text.refundedAll : text.refundedPart(exactBits(refunded));
  return el('li', { class: 'purchase' },
    el('div', { class: 'what' }, el('strong', { textContent: title }),
      el('span', { class: 'muted small numbers' }, moment(time), ` · ${price === 0 ? text.free : usd(price)}`, back && ` · ${back}`),
      handle && active && el('details', { class: 'handle' },
        el('summary', { class: 'small', 'aria-label': `${text.handle}: ${title}`, textContent: text.handle }),
        // What cost nothing can't be refunded.
        el('div', { class: 'stack' }, ...(msat > refunded ? [el('p', { class: 'muted small', textContent: text.handleHint }), copyRow(text.handleOf(title), handle)] : []), ...receiptForm(client, wallet, purchase)))),
    active && el('a', { class: 'button compact', href: `${issuer}/w/${work}#owned`, 'aria-label': text.openTitle(title), textContent: text.play[use] ?? text.play.download }));
}

/**
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {import('../shared/wallet-store.js').Wallet} wallet @param {string} issuer
 * @returns {HTMLElement}
 */
export function librarySection(client, wallet, issuer) {
  const list = el('ul', { class: 'purchases' });
  const slot = el('div', { 'aria-busy': 'true' }, el('p', { class: 'muted', textContent: text.loading }));
  const load = async (after) => {
    try {
      const { purchases, next } = await client.purchases(wallet.account, wallet.device, after);
      list.append(...purchases.map((purchase) => purchaseRow(client, wallet, issuer, purchase)));
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
