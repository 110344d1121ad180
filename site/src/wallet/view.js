// What the pages of the wallet share beyond shared/ui.js.
import { when } from '../shared/i18n.js';
import { explain } from '../shared/problems.js';
import { el } from '../shared/ui.js';

/**
 * Replaces what a page shows. The heading gets the focus, so that a screen reader starts with what is new.
 * @param {HTMLElement} root @param {...(Node|null|false)} nodes
 */
export function show(root, ...nodes) {
  root.replaceChildren(...nodes.filter(Boolean));
  root.removeAttribute('aria-busy');
  const heading = root.querySelector('h1');
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/**
 * A button that can't be pressed twice while its work is under way.
 * @param {string} label @param {() => unknown} act @param {string} [kind] further classes
 * @returns {HTMLButtonElement}
 */
export function action(label, act, kind = '') {
  const node = el('button', { type: 'button', class: `button ${kind}`, textContent: label });
  node.addEventListener('click', async () => {
    if (node.getAttribute('aria-disabled') === 'true') return;
    // Not `disabled`: that would throw the keyboard's focus away.
    node.setAttribute('aria-disabled', 'true');
    try {
      await act();
    } finally {
      node.removeAttribute('aria-disabled');
    }
  });
  return node;
}

/** @param {{title: string, next: string}} problem @param {...Node} actions @returns {HTMLElement} announced at once */
export const alertBox = ({ title, next }, ...actions) =>
  el('div', { class: 'notice bad', role: 'alert' }, el('strong', { textContent: title }), next && el('span', { textContent: next }), actions.length > 0 && el('div', { class: 'row' }, ...actions));

/** @param {unknown} error @param {...Node} actions @returns {HTMLElement} */
export const problemBox = (error, ...actions) => alertBox(explain(error), ...actions);

/** @param {string} text @param {'good'|'warn'|''} [tone] @returns {HTMLElement} announced politely */
export const notice = (text, tone = '') => el('p', { class: `notice ${tone}`, role: 'status', textContent: text });

/** @param {...([string, Node|string]|null|false)} rows @returns {HTMLElement} */
export const facts = (...rows) => el('dl', { class: 'facts' }, ...rows.filter(Boolean).map(([term, value]) => el('div', {}, el('dt', { textContent: term }), el('dd', {}, value))));

/** A time for people and for programs. @param {number} seconds Unix @returns {HTMLElement} */
export function moment(seconds) {
  return el('time', { dateTime: new Date(seconds * 1000).toISOString(), textContent: when(seconds) });
}

/** The label of every amount that isn't real money. @param {string} text @param {string} [hint] */
export const testBadge = (text, hint = '') => el('span', { class: 'badge warn test', textContent: text, title: hint });
