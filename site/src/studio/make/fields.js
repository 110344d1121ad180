// The building blocks of the form: a label, a control, a hint, and what is wrong with it beside it.
import { el } from '../../shared/ui.js';

let serial = 0;
/** @returns {string} an id no other element of this page has */
export const freshId = (name) => `${name}-${(serial += 1)}`;

/**
 * @typedef {object} Field
 * @property {HTMLElement} element @property {HTMLInputElement} control @property {HTMLElement} hint
 * @property {(text: string) => void} say shows what is wrong; '' when nothing is
 */

/**
 * @param {{name: string, label: string, control: HTMLElement, hint?: string, before?: Node, hideLabel?: boolean}} options
 * @returns {Field}
 */
export function field({ name, label, control, hint = '', before = null, hideLabel = false }) {
  const id = freshId(name);
  control.id = id;
  control.name = name;
  const about = el('span', { class: `hint numbers ${name}-about`, id: `${id}-about`, textContent: hint });
  const problem = el('span', { class: `problem ${name}-problem`, id: `${id}-problem`, hidden: true });
  control.setAttribute('aria-describedby', `${about.id} ${problem.id}`);
  const caption = el('label', { htmlFor: id, textContent: label, class: hideLabel && 'visually-hidden' });
  const element = el('div', { class: 'field' }, caption, before ? el('div', { class: 'money' }, before, control) : control, about, problem);
  const say = (text) => {
    problem.textContent = text;
    problem.hidden = text === '';
    if (text) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  };
  control.addEventListener('input', () => say(''));
  return { element, control, hint: about, say };
}

/** @param {object} props @returns {HTMLInputElement} */
export const input = (props) => el('input', { class: 'input', type: 'text', autocomplete: 'off', ...props });

/** Amounts of dollars, with the sign in front. @param {object} options as `field` without `control` @returns {Field} */
export const moneyField = (options, props = {}) =>
  field({ ...options, control: input({ class: 'input numbers', inputMode: 'decimal', ...props }), before: el('span', { 'aria-hidden': 'true', textContent: '$' }) });

/** @param {{name: string, label: string, checked?: boolean}} options @returns {{element: HTMLElement, control: HTMLInputElement}} */
export function checkbox({ name, label }) {
  const control = el('input', { type: 'checkbox', name, id: freshId(name) });
  return { element: el('label', { class: 'tick', htmlFor: control.id }, control, el('span', { textContent: label })), control };
}

/** Something that is folded away. @param {string} name @param {string} summary @param {...Node} children @returns {HTMLDetailsElement} */
export const fold = (name, summary, ...children) =>
  el('details', { class: `more ${name}` }, el('summary', { textContent: summary }), el('div', { class: 'stack inner' }, ...children));

/** @param {string} text @param {() => void} onclick @param {{primary?: boolean, label?: string, compact?: boolean}} [options] @returns {HTMLButtonElement} */
export const button = (text, onclick, { primary = false, label, compact = true } = {}) =>
  el('button', { type: 'button', class: `button${compact ? ' compact' : ''}${primary ? ' primary' : ''}`, textContent: text, onclick, 'aria-label': label });
