// Which language a page speaks. A page folder's text.js holds the words, `text = { en: {…}, de: {…} }`: the same keys
// in every language, each a string, a function of parameters, or a group of those. English is the one that is complete
// by definition; what browsers ask for and nobody wrote is answered in it.
import { formatUsd } from '../../../sdk/js/src/money.js';

/** The languages there are, in their own words. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' };
const FIRST = 'en';
const SAVED = 'satchel-lang';
const RIGHT_TO_LEFT = new Set(['ar', 'dv', 'fa', 'he', 'ku', 'ps', 'ur', 'yi']);

const baseOf = (tag) => String(tag ?? '').toLowerCase().split(/[-_]/)[0];

/** @param {unknown} tag @returns {boolean} */
const isKnown = (tag) => Object.hasOwn(LANGUAGES, baseOf(tag));

/**
 * Decides by what was asked of this page, then by what was chosen before, then by the browser's list.
 * @param {{asked?: string|null, saved?: string|null, preferred?: readonly string[]}} wishes language tags, as they come
 * @returns {{lang: string, locale: string}} `locale` is for Intl: with the region, if the browser names one of that language
 */
export function choose({ asked, saved, preferred = [] }) {
  const tag = [asked, saved, ...preferred].find(isKnown) ?? FIRST;
  const lang = baseOf(tag);
  const locale = [tag, ...preferred].find((one) => baseOf(one) === lang && /^[a-z]{2,3}-[a-z0-9-]+$/i.test(one)) ?? lang;
  return { lang, locale };
}

/** Storage may be refused (a frame in a stranger's page); then the choice lasts as long as the address says it. */
function saved() {
  try {
    return localStorage.getItem(SAVED);
  } catch {
    return null;
  }
}

let chosen;

/** @returns {{lang: string, locale: string}} decided once a page; the document is told as well */
function language() {
  if (chosen) return chosen;
  if (typeof document === 'undefined') return (chosen = { lang: FIRST, locale: FIRST });
  const root = document.documentElement;
  const asked = new URLSearchParams(location.search).get('lang') ?? root.dataset.lang;
  chosen = choose({ asked, saved: saved(), preferred: navigator.languages });
  root.lang = chosen.lang;
  root.dir = RIGHT_TO_LEFT.has(chosen.lang) ? 'rtl' : 'ltr';
  return chosen;
}

/** @returns {string} the language of this page: `en`, `de` */
export const lang = () => language().lang;
/** @returns {string} for Intl: numbers, money and dates */
export const locale = () => language().locale;

/**
 * The words of a catalogue in this page's language.
 * @template T
 * @param {{en: T} & Record<string, T>} text
 * @returns {T}
 */
export const words = (text) => text[lang()] ?? text[FIRST];

/** @param {number} count @param {{one?: string, other: string}} forms by Intl.PluralRules; `#` stands for the number @returns {string} */
export function plural(count, forms) {
  const form = forms[new Intl.PluralRules(lang()).select(count)] ?? forms.other;
  return form.replaceAll('#', count.toLocaleString(locale()));
}

/** @param {number} micros usd_micros @returns {string} `$0.50`, `0,50 $` */
export const usd = (micros) => formatUsd(micros, locale());

/** @param {number} seconds Unix @param {Intl.DateTimeFormatOptions} [style] @returns {string} */
export const when = (seconds, style = { dateStyle: 'medium', timeStyle: 'short' }) => new Intl.DateTimeFormat(locale(), style).format(new Date(seconds * 1000));

/** `a.b` in groups of words. */
const at = (t, key) => key.split('.').reduce((group, name) => group?.[name], t);

/** Attributes of static HTML that are words: `data-t-placeholder="key"`. */
const ATTRIBUTES = ['aria-label', 'placeholder', 'title', 'alt', 'content'];

/**
 * Puts the words into static HTML, which carries English itself: `data-t="key"` names an element's text,
 * `data-t-aria-label="key"` an attribute's. A key the catalogue hasn't leaves what is there.
 * @param {ParentNode} root @param {object} t as `words` answers it
 */
export function fill(root, t) {
  const put = (key, set) => {
    const value = at(t, key);
    if (typeof value === 'string') set(value);
  };
  for (const node of root.querySelectorAll('[data-t]')) put(node.dataset.t, (value) => (node.textContent = value));
  for (const name of ATTRIBUTES) {
    for (const node of root.querySelectorAll(`[data-t-${name}]`)) put(node.getAttribute(`data-t-${name}`), (value) => node.setAttribute(name, value));
  }
}

/** Remembers a choice and shows the page in it. @param {string} code */
export function speak(code) {
  try {
    localStorage.setItem(SAVED, code);
  } catch { /* then the address has to say it */ }
  const url = new URL(location.href);
  url.searchParams.delete('lang');
  if (saved() !== code) url.searchParams.set('lang', code);
  if (url.href === location.href) location.reload();
  else location.replace(url);
}

/**
 * The footer in which a visitor chooses the language, at the end of the page.
 * @param {HTMLElement} [place]
 * @returns {HTMLElement}
 */
export function languageSwitch(place = document.body) {
  const footer = document.createElement('footer');
  footer.className = 'languages';
  for (const [code, name] of Object.entries(LANGUAGES)) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'link';
    button.lang = code;
    button.textContent = name;
    if (code === lang()) button.setAttribute('aria-current', 'true');
    button.addEventListener('click', () => speak(code));
    footer.append(button);
  }
  place.append(footer);
  return footer;
}
