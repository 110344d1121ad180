// Columns over time, as SVG of our own: no library, no inline style, and a table that says the same.
import { el } from '../../shared/ui.js';
import { columns, earned, roundUp, sum } from './figures.js';
import { money, number } from './money.js';
import { here, t } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT] = [720, 240];
const PLOT = { left: 8, right: 712, top: 26, bottom: 206 };

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

const dated = (day, style) => new Intl.DateTimeFormat(here, { timeZone: 'UTC', ...style }).format(new Date(`${day}T00:00:00Z`));
const short = (day) => dated(day, { day: 'numeric', month: 'short' });
const long = (day) => dated(day, { dateStyle: 'medium' });

/** What is shown: its value, a second one on top of it, and how it is written. */
const MEASURES = {
  income: { value: (totals) => Math.max(0, earned(totals)), write: (n, rate) => money(n, rate) },
  sales: { value: ({ sold }) => sold, above: ({ given }) => given, write: (n) => number(n) },
  views: { value: ({ views }) => views, write: (n) => number(n) },
  plays: { value: ({ plays }) => plays, write: (n) => number(n) },
};

/** A column with a round top, standing on the line. */
function column(x, width, y, bottom, kind) {
  const r = Math.min(3, width / 2, bottom - y);
  const d = `M${x} ${bottom}V${y + r}q0 ${-r} ${r} ${-r}h${width - 2 * r}q${r} 0 ${r} ${r}V${bottom}z`;
  return svg('path', { d, class: kind });
}

function drawn(all, { value, above = () => 0, write }, rate) {
  const highest = roundUp(Math.max(...all.map(({ totals }) => value(totals) + above(totals))));
  const { left, right, top, bottom } = PLOT;
  const y = (n) => Math.round((bottom - ((bottom - top) * n) / highest) * 100) / 100;
  const step = (right - left) / all.length;
  const width = Math.max(1.5, Math.min(40, step * 0.72));
  const parts = [];
  for (const part of [1, 0.5]) {
    const at = y(highest * part);
    parts.push(svg('line', { x1: left, x2: right, y1: at, y2: at, class: 'grid' }));
    // Half of an odd number of copies is none, nor is half a millisatoshi.
    if (!Number.isInteger(highest * part)) continue;
    const label = svg('text', { x: left, y: at - 6, class: 'axis' });
    label.textContent = write(highest * part, rate);
    parts.push(label);
  }
  parts.push(svg('line', { x1: left, x2: right, y1: bottom, y2: bottom, class: 'base' }));
  all.forEach(({ day, days, totals }, i) => {
    const x = Math.round((left + step * i + (step - width) / 2) * 100) / 100;
    const [one, two] = [value(totals), above(totals)];
    if (one + two === 0) return;
    const group = svg('g', { class: 'column' });
    const title = svg('title', {});
    title.textContent = `${days > 1 ? t.weekOf(long(day)) : long(day)}: ${write(one, rate)}${two ? ` + ${number(two)} (${t.free})` : ''}`;
    group.append(title, svg('rect', { x: left + step * i, y: top, width: step, height: bottom - top, class: 'hit' }));
    if (two) group.append(column(x, width, y(one + two), one ? y(one) : bottom, 'second'));
    if (one) group.append(column(x, width, y(one), bottom, 'first'));
    parts.push(group);
  });
  const ends = [[0, left, 'start'], [Math.floor((all.length - 1) / 2), (left + right) / 2, 'middle'], [all.length - 1, right, 'end']];
  for (const [i, x, anchor] of ends) {
    const label = svg('text', { x, y: bottom + 22, class: 'axis', 'text-anchor': anchor });
    label.textContent = short(all[i].day);
    parts.push(label);
  }
  return parts;
}

function table(stats, rate) {
  const heads = [t.day, t.measures.income, t.sold, t.free, t.refunded, t.views];
  const row = ({ day, totals }) => el('tr', {}, el('th', { scope: 'row', textContent: long(day) }),
    ...[money(earned(totals), rate), number(totals.sold), number(totals.given), money(totals.refunded_msat, rate), number(totals.views)].map((textContent) => el('td', { textContent })));
  const rows = [...stats.days].reverse().map(row);
  return el('table', { class: 'figures numbers' }, el('caption', { class: 'visually-hidden', textContent: t.tableCaption }),
    el('thead', {}, el('tr', {}, ...heads.map((textContent) => el('th', { scope: 'col', textContent })))), el('tbody', {}, ...rows));
}

/**
 * @param {object} stats as the shop answers @param {{measure: 'income'|'sales'|'views', rate?: number, open?: boolean}} options
 * @returns {HTMLElement[]} the picture and its table
 */
export function chart(stats, { measure, rate, open = false }) {
  const all = columns(stats);
  const of = MEASURES[measure];
  const whole = sum(all.map(({ totals }) => totals));
  const total = of.write(of.value(whole) + (of.above?.(whole) ?? 0), rate);
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', role: 'img', 'aria-label': t.chartAbout[measure](total, long(stats.from), long(stats.to)) }, ...drawn(all, of, rate));
  const empty = stats.days.length === 0;
  const rows = !empty && el('details', { class: 'more', open }, el('summary', { textContent: t.table }),
    el('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': t.tableCaption }, table(stats, rate)), el('p', { class: 'muted small', textContent: t.utc }));
  const line = empty ? el('p', { class: 'muted center', textContent: t.chartEmpty }) : el('p', { class: 'chart-sum numbers' }, el('strong', { textContent: total }));
  return [line, picture, rows].filter(Boolean);
}
