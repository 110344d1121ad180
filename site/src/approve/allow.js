// "Let this site spend without asking": offered beside a single payment, with a sum for each time, a sum for a day, an end.
import { usdToMsat } from '../../../sdk/js/src/money.js';
import { MAX_DAYS } from '../identity/sites.js';
import { field } from '../identity/parts.js';
import { usd, words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);
/** What is offered, in millionths of a dollar and days; the sums below the price at hand are not. */
const EACH = [100_000, 500_000, 1_000_000, 5_000_000];
const DAY = [1_000_000, 5_000_000, 20_000_000];
const DAYS = [1, 7, MAX_DAYS];
const ROUNDINGS_MSAT = 100;

const choice = (values, chosen, label) =>
  el('select', { class: 'input' }, ...values.map((value) => el('option', { value: String(value), selected: value === chosen, textContent: label(value) })));

/**
 * @param {string} site origin @param {object} quote
 * @param {(on: boolean) => void} onChange
 * @returns {{node: HTMLElement, terms: () => {maxOrderMsat: number, maxDayMsat: number, days: number}|null}|null} null where the price is
 *   beyond what can be allowed
 */
export function allowance(site, quote, onChange) {
  const each = EACH.filter((micros) => micros >= quote.usd_micros);
  const day = DAY.filter((micros) => micros >= quote.usd_micros);
  if (each.length === 0 || day.length === 0 || !quote.rate) return null;
  const box = el('input', { type: 'checkbox', id: 'allow' });
  const [eachField, dayField, daysField] = [
    choice(each, each[0], usd), choice(day, day.find((micros) => micros >= 5_000_000) ?? day[0], usd), choice(DAYS, DAYS[1], text.days),
  ];
  const more = el('div', { class: 'allow', hidden: true },
    field('allow-each', text.allowEach, eachField), field('allow-day', text.allowDay, dayField), field('allow-days', text.allowDays, daysField),
    el('p', { class: 'muted small', textContent: text.allowHint }));
  box.addEventListener('change', () => {
    more.hidden = !box.checked;
    onChange(box.checked);
  });
  // Each price is rounded to a whole msat: two of half a dollar shall fit into a dollar.
  const msat = (micros) => usdToMsat(micros, quote.rate.usd_micros_per_btc) + ROUNDINGS_MSAT;
  return {
    node: el('div', { class: 'stack tight' }, el('label', { class: 'check' }, box, el('span', { textContent: text.allow(new URL(site).host) })), more),
    terms() {
      if (!box.checked) return null;
      const [once, daily] = [Number(eachField.value), Number(dayField.value)];
      return { maxOrderMsat: msat(once), maxDayMsat: msat(Math.max(once, daily)), days: Number(daysField.value) };
    },
  };
}
