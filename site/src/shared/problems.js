// What went wrong and what to do, in words. The issuer's own words (RFC 9457 `title`, `next`) are used where the
// page knows nothing better.
import { words } from './i18n.js';
import { text } from './problems.text.js';

/**
 * @param {unknown} error
 * @returns {{code: string, title: string, next: string}} for people; `code` for programs
 */
export function explain(error) {
  const t = words(text);
  if (typeof error?.code !== 'string') {
    // No answer of the shop, but a slip of ours: it must not be hidden behind kind words.
    console.error(error);
    return { code: 'internal', title: t.unexpected[0], next: t.unexpected[1] };
  }
  const { code } = error;
  // A refusal of the issuer has a status. Without one it is said of a file, by the code that reads it.
  const known = (code === 'sold_out' && error.members?.of === 'giveaway' && t.noFreeCopy) || (!error.status && t.ofFiles[code]) || t.codes[code];
  if (known) return { code, title: known[0], next: known[1] };
  if (error.title) return { code, title: error.title, next: error.next ?? '' };
  return { code: 'internal', title: t.unexpected[0], next: t.unexpected[1] };
}
