// Who may act for the wallet: devices, passkeys and sites, as the ledger lists them; letting in and ending.
import { usdToMsat } from '../../../sdk/js/src/money.js';
import { usd, when } from '../shared/i18n.js';
import { $, announce, copyRow, el } from '../shared/ui.js';
import { revokeKey } from '../shared/wallet-store.js';
import { roughly } from '../wallet/money.js';
import { action, alertBox, notice, problemBox } from '../wallet/view.js';
import { awaitJoin, checkNumber, joinLink, joiningKey, letIn, qrPicture, readCode } from './join.js';
import { readNames } from './names.js';
import { confirmed, field, hint, row, section, text, textInput } from './parts.js';
import { forgetSiteKey } from './sites.js';

/** Sums a device may be given for a day, in dollars. The middle one is offered. */
const DAILY = [5, 20, 100];
const tail = (x) => x.slice(-4);
const money = (msat, rate) => roughly(msat, rate.usd_micros_per_btc);

/** @typedef {{x: string, allows: object, spent: {day: number, total: number}}} Line */

/** @param {Line} line @returns {'passkey'|'device'|'site'|'nothing'} by what the key may do: only its owner knows more */
function kindOf({ allows }) {
  if (allows.backup !== undefined) return 'passkey';
  if (allows.read) return 'device';
  return allows.spend ? 'site' : 'nothing';
}

/** @returns {Promise<(Line & {kind: string, name: string})[]>} in force, this browser first */
async function readKeys(client, wallet) {
  const [{ keys }, names] = await Promise.all([client.keys(wallet.account, wallet.device), readNames(wallet.account)]);
  const epoch = keys.find(({ x }) => x === wallet.device.jwk.x)?.allows.epoch ?? wallet.delegation?.epoch ?? 0;
  const unnamed = { passkey: text.passkeyDevice, device: text.unnamedDevice, site: text.unnamedSite };
  return keys
    .map((line) => ({ ...line, kind: kindOf(line) }))
    .filter(({ kind, allows }) => kind !== 'nothing' && allows.epoch === epoch)
    .map((line) => ({ ...line, here: line.x === wallet.device.jwk.x, name: (line.kind !== 'passkey' && names[line.x]?.name) || unnamed[line.kind](tail(line.x)) }))
    .sort((a, b) => b.here - a.here || b.allows.issued - a.allows.issued);
}

/** One key with its end and, for whoever holds the root key, its removal. */
function keyRow(line, context, about, onChange) {
  const { client, wallet } = context;
  const problem = el('div');
  const name = line.here ? text.thisDevice : shortSite(line);
  const end = async () => {
    try {
      await revokeKey(wallet, client, line);
      if (line.kind === 'site') await forgetSiteKey(wallet.account, line.x);
      announce(text.removed(name));
      await onChange(notice(text.removed(name), 'good'));
    } catch (error) {
      problem.replaceChildren(problemBox(error));
    }
  };
  const remove = wallet.root && !line.here && confirmed({
    label: text.remove, named: text.removeOf(name), yes: text.removeYes, act: end, kind: 'compact',
    sure: () => [el('p', { class: 'notice warn', role: 'alert', textContent: text.removeSure(name) })],
  });
  return el('li', { class: 'key' },
    el('div', { class: 'what' }, el('strong', { textContent: name }), el('span', { class: 'muted small numbers', textContent: [...about(line), text.until(when(line.allows.expires, { dateStyle: 'medium' }))].filter(Boolean).join(' · ') })),
    remove, problem);
}

const shortSite = ({ kind, name }) => (kind === 'site' && /^https?:\/\//.test(name) ? new URL(name).host : name);

/** A list that is loaded, with what can be done about it when it isn't. */
function keyList(context, wanted, about, none) {
  const list = el('ul', { class: 'keys' });
  const slot = el('div', { class: 'stack', 'aria-busy': 'true' }, hint(text.loading));
  const load = async (message) => {
    try {
      const lines = (await readKeys(context.client, context.wallet)).filter(wanted);
      list.replaceChildren(...lines.map((line) => keyRow(line, context, about, load)));
      slot.replaceChildren(...[message, lines.length === 0 && none && hint(none)].filter(Boolean));
    } catch (error) {
      slot.replaceChildren(problemBox(error, action(text.again, () => load())));
    }
    slot.removeAttribute('aria-busy');
  };
  load();
  return { nodes: [list, slot], load };
}

/**
 * @param {{client: object, wallet: import('../shared/wallet-store.js').Wallet, account: object}} context
 * @returns {HTMLElement}
 */
export function devicesSection(context) {
  const { wallet, account: { rate } } = context;
  const about = ({ allows, spent }) => [allows.max_day !== undefined && rate && text.perDay(money(allows.max_day, rate), money(spent.day, rate))];
  const { nodes, load } = keyList(context, ({ kind }) => kind !== 'site', about);
  return section('devices', text.devices, hint(wallet.root ? text.devicesHint : text.devicesHintGuest), ...nodes, wallet.root && adding(context, load));
}

/** @param {{client: object, wallet: import('../shared/wallet-store.js').Wallet, account: object}} context @returns {HTMLElement} */
export function sitesSection(context) {
  const { rate } = context.account;
  const about = ({ allows, spent }) => (rate ? [text.siteTerms(money(allows.max_order ?? 0, rate), money(allows.max_day ?? 0, rate)), text.siteToday(money(spent.day, rate))] : []);
  const { nodes } = keyList(context, ({ kind }) => kind === 'site', about, text.noSites);
  return section('sites', text.sites, hint(text.sitesHint), ...nodes);
}

/** The place where a new device's code is pasted. */
function adding(context, onAdded) {
  const slot = el('div', { class: 'stack' });
  const input = textInput({ class: 'input mono' });
  const problem = el('div');
  const next = async () => {
    const x = readCode(input.value);
    if (!x || x === context.wallet.device.jwk.x) {
      input.setAttribute('aria-invalid', 'true');
      return problem.replaceChildren(alertBox(x ? text.addSelf : text.addBad));
    }
    const done = async (message) => {
      draw();
      if (message) await onAdded(message);
    };
    slot.replaceChildren(await approval(context, x, done));
    return slot.querySelector('input').focus();
  };
  const draw = () => {
    input.value = '';
    input.removeAttribute('aria-invalid');
    problem.replaceChildren();
    slot.replaceChildren(el('h3', { textContent: text.addHeading }), field('add-device', text.addLabel, input, text.addHint), problem, row(action(text.addNext, next)));
  };
  draw();
  return slot;
}

/**
 * Whether to let a device in, with its number, a name and a sum for a day.
 * @param {{client: object, wallet: import('../shared/wallet-store.js').Wallet, account: object}} context @param {string} x
 * @param {(message?: HTMLElement) => unknown} onDone
 */
async function approval({ client, wallet, account: { rate } }, x, onDone) {
  const name = textInput({ autocapitalize: 'words', maxLength: 40, placeholder: text.approveNamePlaceholder });
  const options = DAILY.map((dollars) => el('option', { value: String(dollars), selected: dollars === DAILY[1], textContent: text.approveDaily(usd(dollars * 1_000_000)) }));
  const cap = el('select', { class: 'input' }, ...options, el('option', { value: '', textContent: text.approveNoCap }));
  const problem = el('div');
  const allow = async () => {
    const called = name.value.trim() || text.unnamedDevice(tail(x));
    try {
      const maxDayMsat = cap.value && rate ? usdToMsat(Number(cap.value) * 1_000_000, rate.usd_micros_per_btc) : undefined;
      await letIn(wallet, client, { x, name: called, maxDayMsat });
      announce(text.approved(called));
      await onDone(notice(text.approved(called), 'good'));
    } catch (error) {
      problem.replaceChildren(problemBox(error));
    }
  };
  return el('div', { class: 'stack notice', id: 'approve-device' },
    el('h3', { textContent: text.approveHeading }), el('p', { textContent: text.approveHint }),
    el('p', { class: 'check-number' }, el('span', { class: 'muted small', textContent: text.approveNumber }), el('strong', { class: 'numbers', textContent: await checkNumber(x) })),
    field('device-name', text.approveName, name), field('device-cap', text.approveCap, cap), problem,
    row(action(text.approveButton, allow, 'primary'), action(text.cancel, () => onDone())));
}

/** What a scanned code leads to: the question, at the top of the page. @returns {Promise<HTMLElement|null>} null where no code was scanned */
export async function scannedDevice(context, onDone) {
  if (!location.hash.startsWith('#device=')) return null;
  const x = readCode(location.hash);
  history.replaceState(null, '', location.pathname + location.search);
  if (!x) return alertBox(text.addBad);
  if (x === context.wallet.device.jwk.x) return alertBox(text.addSelf);
  if (!context.wallet.root) return alertBox(text.approveNoRoot);
  return el('section', { class: 'card stack' }, await approval(context, x, onDone));
}

/** For a browser without a wallet. @param {object} client @param {() => unknown} onJoined @returns {HTMLElement} */
export function joinSection(client, onJoined) {
  const slot = el('div', { class: 'stack' });
  let waiting = null;
  const start = async () => {
    waiting?.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    try {
      const key = await joiningKey();
      const link = joinLink(key.jwk.x);
      const told = el('p', { class: 'muted', role: 'status', textContent: text.joinWaiting });
      slot.replaceChildren(hint(text.joinScan), qrPicture(link, text.joinAlt), copyRow(text.joinLink, link),
        el('p', { class: 'check-number' }, el('span', { class: 'muted small', textContent: text.joinNumber }), el('strong', { class: 'numbers', textContent: await checkNumber(key.jwk.x) })),
        told, row(action(text.cancel, stop)));
      $('.qr', slot).scrollIntoView({ block: 'nearest' });
      if (await awaitJoin(client, key, signal)) await onJoined();
      else slot.replaceChildren(alertBox(text.joinTimeout, action(text.joinStart, start)));
    } catch (error) {
      if (!signal.aborted) slot.replaceChildren(problemBox(error, action(text.again, start)));
    }
  };
  const stop = () => {
    waiting?.abort();
    slot.replaceChildren(row(action(text.joinStart, start)));
  };
  stop();
  return section('join', text.join, hint(text.joinHint), slot);
}
