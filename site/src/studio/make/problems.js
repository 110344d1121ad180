// What went wrong in words of the page's language: by its code here, else by the table all pages share.
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { explain } from '../../shared/problems.js';
import { problemNotice as notice } from '../../shared/ui.js';
import { t } from './words.js';

/** @param {any} error @returns {SatchelError} with words for people */
export function sayError(error) {
  const code = error?.code && typeof error.code === 'string' ? error.code : error?.name;
  // What this page says itself is in its language already.
  if (error?.said) return error;
  const [title, next] = t.problems[code] ?? [];
  if (title) return new SatchelError(code, title, { next, cause: error });
  const known = explain(error);
  return new SatchelError(known.code, known.title, { next: known.next, detail: known.code === 'internal' ? String(error?.message ?? '') : '', cause: error });
}

/** @param {string} code @param {string} title @param {{detail?: string, next?: string}} more @returns {SatchelError} one whose words are this page's own */
export const said = (code, title, more) => Object.assign(new SatchelError(code, title, more), { said: true });

/** @param {unknown} error @param {...Node} actions @returns {HTMLElement} */
export const problemNotice = (error, ...actions) => notice(sayError(error), ...actions);
