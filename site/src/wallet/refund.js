// Paying back: who was paid names the purchase by the handle the buyer reads in their wallet.
import { parseUsd, usdToMsat } from '../../../sdk/js/src/money.js';
import { usd, words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { exactBits, worth } from './money.js';
import { action, notice, problemBox } from './view.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);

const MSAT_PER_BIT = 100_000;
const MAX_SEQ = 1_000;
/** More than anything can have cost: the refusal tells what is left. */
const TOO_MUCH = Number.MAX_SAFE_INTEGER;

/** A field with label, hint and a place for what is wrong with it. */
function field(id, label, hint, props = {}) {
  const problem = el('span', { class: 'problem', id: `${id}-problem`, hidden: true });
  const input = el('input', { id, type: 'text', class: 'input numbers', autocomplete: 'off', spellcheck: false, 'aria-describedby': `${id}-hint ${id}-problem`, ...props });
  const say = (words) => {
    problem.textContent = words;
    problem.hidden = words === '';
    if (words) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
    return words === '';
  };
  input.addEventListener('input', () => say(''));
  return { input, say, node: el('div', { class: 'field' }, el('label', { htmlFor: id, textContent: label }), input, el('span', { class: 'hint', id: `${id}-hint`, textContent: hint }), problem) };
}

/**
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {import('../shared/wallet-store.js').Wallet} wallet @param {object} account
 * @param {(words: string) => unknown} onDone draws the page anew: balance and statement have changed
 * @returns {HTMLElement[]}
 */
export function refundForm(client, wallet, account, onDone) {
  const rate = account.rate?.usd_micros_per_btc;
  const handle = field('refund-handle', text.refundHandle, text.refundHandleHint, { autocapitalize: 'none' });
  const amount = field('refund-amount', text.refundAmount, rate ? text.refundAmountHint(worth(MSAT_PER_BIT, rate)) : '', { inputMode: 'decimal', placeholder: '0.50' });
  const number = field('refund-number', text.refundNumber, text.refundNumberHint, { inputMode: 'numeric', value: '1' });
  const all = el('input', { type: 'checkbox', id: 'refund-all' });
  const said = el('div');
  all.addEventListener('change', () => {
    amount.input.disabled = all.checked;
    amount.say('');
  });

  const dollars = () => {
    try {
      return parseUsd(amount.input.value);
    } catch {
      return 0;
    }
  };

  const pay = async (purchase, seq, msat) => {
    const jws = await client.makeRefund({ key: wallet.device, account: wallet.account, purchase, seq, msat, ledger: account.ledger });
    return client.refund(jws, { onPending: () => said.replaceChildren(notice(text.refundPending)) });
  };

  const refund = async () => {
    said.replaceChildren();
    const purchase = handle.input.value.trim();
    const seq = Number(number.input.value.trim());
    const micros = all.checked ? 0 : dollars();
    const fine = [
      handle.say(/^pur_[\w-]+$/.test(purchase) ? '' : text.badHandle),
      amount.say(all.checked || (micros > 0 && rate) ? '' : text.badAmount),
      number.say(Number.isInteger(seq) && seq >= 1 && seq <= MAX_SEQ ? '' : text.badNumber),
    ];
    const first = [handle, amount, number][fine.indexOf(false)];
    if (first) return first.input.focus();
    try {
      // What is left is the ledger's to say: it refuses too much, and tells.
      const msat = all.checked ? await pay(purchase, seq, TOO_MUCH).catch(leftOf) : usdToMsat(micros, rate);
      // Of what was paid back before only the buyer's account knows: it refuses, for good, and says what is left.
      const done = await pay(purchase, seq, msat).catch((error) => {
        if (!all.checked) throw error;
        return pay(purchase, seq + 1, leftOf(error));
      });
      const words = done.replayed ? text.refundReplayed(exactBits(done.msat)) : text.refundDone(`${exactBits(done.msat)}${micros ? ` (${usd(micros)})` : ''}`, done.fee_returned_msat > 0 && exactBits(done.fee_returned_msat));
      await onDone(words);
    } catch (error) {
      said.replaceChildren(problemBox(error));
    }
  };

  return [
    el('p', { class: 'muted', textContent: text.refundHint }),
    handle.node,
    el('label', { class: 'check' }, all, el('span', {}, el('strong', { textContent: text.refundAll }), el('br'), el('span', { class: 'muted small', textContent: text.refundAllHint }))),
    amount.node, number.node, said,
    el('div', { class: 'row' }, action(text.refundButton, refund)),
  ];
}

function leftOf(error) {
  const left = error.members?.left_msat;
  if (error.code === 'refund_exceeds' && Number.isSafeInteger(left) && left > 0) return left;
  throw error;
}
