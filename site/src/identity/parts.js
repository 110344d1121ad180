// What the sections about keys share.
import { el } from '../shared/ui.js';
import { action } from '../wallet/view.js';
import { words as inLanguage } from '../shared/i18n.js';
import { text as catalogue } from './text.js';

export const text = inLanguage(catalogue);

/** A section with its heading. @param {string} id @param {string} heading @param {...(Node|string|null|false)} children @returns {HTMLElement} */
export const section = (id, heading, ...children) =>
  el('section', { class: 'card stack', id, tabIndex: -1, 'aria-labelledby': `${id}-heading` }, el('h2', { id: `${id}-heading`, textContent: heading }), ...children);

export const hint = (words) => el('p', { class: 'muted', textContent: words });
export const row = (...children) => el('div', { class: 'row' }, ...children);

/** A field with a label and, if given, a hint. @param {string} id @param {string} label @param {HTMLElement} input @param {string} [about] */
export function field(id, label, input, about) {
  input.id = id;
  if (about) input.setAttribute('aria-describedby', `${id}-hint`);
  return el('div', { class: 'field' }, el('label', { htmlFor: id, textContent: label }), about && el('p', { class: 'hint', id: `${id}-hint`, textContent: about }), input);
}

export const textInput = (props) => el('input', { type: 'text', class: 'input', autocomplete: 'off', autocapitalize: 'none', spellcheck: false, ...props });
export const wordsInput = () => el('textarea', { rows: 3, spellcheck: false, autocapitalize: 'none', autocomplete: 'off' });

/** A box to tick before something that can't be taken back. @returns {{node: HTMLElement, box: HTMLInputElement}} */
export function tick(words) {
  const box = el('input', { type: 'checkbox' });
  return { box, node: el('label', { class: 'check' }, box, el('span', { textContent: words })) };
}

/**
 * A button that says what it means before it does it.
 * @param {{label: string, named?: string, sure: () => (Node|false)[], yes: string, no?: string, act: () => Promise<unknown>}} asked
 * @returns {HTMLElement} to be put where the question shall stand
 */
export function confirmed({ label, named, sure, yes, no = text.cancel, act, kind = '' }) {
  const slot = el('div', { class: 'stack' });
  const calm = (focus = true) => {
    const button = action(label, ask, kind);
    if (named) button.setAttribute('aria-label', named);
    slot.replaceChildren(row(button));
    if (focus) button.focus();
  };
  const ask = () => {
    const first = action(yes, act, 'primary');
    slot.replaceChildren(...sure().filter(Boolean), row(first, action(no, () => calm())));
    // What it means is announced by itself: it is an alert.
    first.focus();
  };
  calm(false);
  return slot;
}

/** Asks for the twelve words. @param {string} id @param {string} about */
export function askWords(id, about) {
  const input = wordsInput();
  return { input, node: field(id, text.restoreLabel, input, about) };
}
