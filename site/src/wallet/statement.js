// The account's journal for people: every movement with the balance after it, and as files.
import { words } from '../shared/i18n.js';
import { announce, el } from '../shared/ui.js';
import { save } from '../identity/leave.js';
import { exactBits } from './money.js';
import { action, moment, notice, problemBox } from './view.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);

const FILES = { csv: ['CSV', 'text/csv'], json: ['JSON', 'application/json'] };

function row(line) {
  const moved = line.credit_msat - line.debit_msat;
  const sign = { [-1]: '−', 0: '', 1: '+' }[Math.sign(moved)];
  const words = text.kind[line.kind]?.(line) ?? line.kind;
  return el('tr', {},
    el('th', { scope: 'row' }, el('span', { textContent: words }), el('span', { class: 'muted small' }, moment(line.time))),
    el('td', { class: `amount ${moved > 0 ? 'in' : ''}`, textContent: `${sign}${exactBits(Math.abs(moved))}` }),
    el('td', { class: 'amount', textContent: exactBits(line.balance_msat) }));
}

/**
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {import('../shared/wallet-store.js').Wallet} wallet @param {object} account
 * @returns {HTMLElement[]}
 */
export function statement(client, wallet, account) {
  const lines = el('tbody');
  const heads = [text.what, text.moved, text.balanceAfter].map((words, i) => el('th', { scope: 'col', class: i > 0 ? 'amount' : '', textContent: words }));
  const table = el('table', { class: 'statement numbers' }, el('caption', { class: 'visually-hidden', textContent: text.statementCaption }), el('thead', {}, el('tr', {}, ...heads)), lines);
  // Wide on a narrow screen: it scrolls by itself, by keyboard too.
  const box = el('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': text.statementCaption, hidden: true }, table);
  const slot = el('div', { 'aria-busy': 'true' }, el('p', { class: 'muted', textContent: text.loading }));
  const load = async (before) => {
    try {
      const { transfers, next } = await client.transfers(wallet.account, wallet.device, { before });
      lines.append(...transfers.map(row));
      box.hidden = lines.children.length === 0;
      const none = box.hidden && el('p', { class: 'muted', textContent: text.noLines });
      const rest = next !== undefined && el('div', { class: 'row' }, action(text.older, () => load(next)));
      slot.replaceChildren(...[none, rest].filter(Boolean));
    } catch (error) {
      slot.replaceChildren(problemBox(error, action(text.again, () => load(before))));
    }
    slot.removeAttribute('aria-busy');
  };

  const said = el('div');
  const download = (format) => async () => {
    const [, type] = FILES[format];
    said.replaceChildren(notice(text.preparing));
    try {
      const whole = await client.statement(wallet.account, wallet.device, { format });
      const day = new Date().toISOString().slice(0, 10);
      const name = `satchel-statement-${day}.${format}`;
      const { ledger } = account;
      save(name, type, format === 'csv' ? whole : `${JSON.stringify({ account: wallet.account, ledger, transfers: whole }, null, 2)}\n`);
      said.replaceChildren(notice(text.saved(name), 'good'));
      announce(text.saved(name));
    } catch (error) {
      said.replaceChildren(problemBox(error));
    }
  };
  const files = Object.entries(FILES).map(([format, [name]]) => action(text.download(name), download(format), 'compact'));
  load();
  return [el('p', { class: 'muted', textContent: text.statementHint }), box, slot, el('div', { class: 'row' }, ...files), said];
}
