// Small helpers for our pages. Text from strangers only ever becomes text nodes here.
import { locale, plural, words } from './i18n.js';
import { text as catalogue } from './text.js';

const t = words(catalogue);

/** @param {string} selector @param {ParentNode} [root] @returns {HTMLElement} @throws {Error} if it isn't there */
export function $(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`${selector} is not in the page`);
  return found;
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [props] properties (`textContent`, `onclick`), `class`, and attributes that contain a dash or begin with `aria`
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Says something to screen readers without moving anything. @param {string} text @param {boolean} [urgent] */
export function announce(text, urgent = false) {
  const id = urgent ? 'live-urgent' : 'live';
  let region = document.getElementById(id);
  if (!region) {
    region = el('div', { id, class: 'visually-hidden', role: urgent ? 'alert' : 'status', 'aria-live': urgent ? 'assertive' : 'polite' });
    document.body.append(region);
  }
  region.textContent = text;
}

/**
 * A button that copies. Where the clipboard is refused it selects the text instead, so Ctrl-C works.
 * @param {() => string} text @param {HTMLElement} [shown] the element that holds the text
 * @param {string} [what] for screen readers: "Copy the link"
 * @returns {HTMLButtonElement}
 */
export function copyButton(text, shown, what = t.copy) {
  const button = el('button', { type: 'button', class: 'button compact', 'aria-label': what, textContent: t.copy });
  let timer;
  button.addEventListener('click', async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      done = false;
      if (shown) getSelection().selectAllChildren(shown);
    }
    button.textContent = done ? t.copied : t.pressCopy;
    announce(done ? t.copied : t.selected);
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = t.copy), 2500);
  });
  return button;
}

/** A value with its copy button. @param {string} label for screen readers @param {string} value @returns {HTMLElement} */
export function copyRow(label, value) {
  const shown = el('code', { class: 'value', textContent: value, tabIndex: 0, role: 'textbox', 'aria-readonly': 'true', 'aria-label': label });
  return el('div', { class: 'copy' }, shown, copyButton(() => shown.textContent, shown, t.copyWhat(label)));
}

/**
 * What went wrong and what to do, for any error.
 * @param {unknown} error a `SatchelError` has the words already
 * @returns {{title: string, text: string}}
 */
export function explain(error) {
  if (error?.name === 'SatchelError') return { title: error.title, text: [error.detail, error.next].filter(Boolean).join(' ') };
  if (error?.name === 'QuotaExceededError') return { title: t.noSpace[0], text: t.noSpace[1] };
  return { title: t.unexpected, text: t.unexpectedNext(error?.message ?? error) };
}

/** @param {unknown} error @param {...Node} actions buttons to offer @returns {HTMLElement} a notice; it announces itself */
export function problemNotice(error, ...actions) {
  const { title, text } = explain(error);
  return el('div', { class: 'notice bad', role: 'alert' }, el('strong', { textContent: title }), text && el('span', { textContent: text }), actions.length > 0 && el('div', { class: 'row' }, ...actions));
}

const UNITS = ['', 'KB', 'MB', 'GB', 'TB'];

/** @param {number} bytes @returns {string} `4.2 MB`, decimal as file managers and providers count */
export function formatBytes(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  if (unit === 0) return plural(bytes, t.bytes);
  return `${value.toLocaleString(locale(), { maximumFractionDigits: digits })} ${UNITS[unit]}`;
}

/** @param {number} seconds @returns {string} `4:05`, `1:02:09` */
export function formatClock(seconds) {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** @param {number} seconds @returns {string} rough, as people say it: `about 3 minutes` */
export function formatLeft(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 8) return t.left.few;
  if (seconds < 55) return t.left.seconds(Math.ceil(seconds / 10) * 10);
  if (seconds < 90) return t.left.minute;
  if (seconds < 3600) return t.left.minutes(Math.round(seconds / 60));
  return plural(Math.round(seconds / 1800) / 2, t.left.hours);
}

/**
 * Rate and time left of a transfer, smoothed over some seconds so that the words don't jump.
 * @param {number} total
 */
export class Pace {
  #samples = [];

  constructor(total, now = performance.now()) {
    this.total = total;
    this.#samples.push([now, 0]);
  }

  /** @param {number} done of `total` @returns {{percent: number, rate: number, left: number}} rate per second; left in seconds, Infinity while unknown */
  at(done, now = performance.now()) {
    this.#samples.push([now, done]);
    while (this.#samples.length > 2 && this.#samples[0][0] < now - 6000) this.#samples.shift();
    const [since, from] = this.#samples[0];
    const seconds = (now - since) / 1000;
    const rate = seconds > 0.2 ? Math.max(0, (done - from) / seconds) : 0;
    return { percent: this.total > 0 ? Math.min(100, Math.floor((done * 100) / this.total)) : 100, rate, left: rate > 0 ? (this.total - done) / rate : Infinity };
  }

  /** After a pause the time that passed says nothing of the rate. */
  restart(done, now = performance.now()) {
    this.#samples = [[now, done]];
  }
}
