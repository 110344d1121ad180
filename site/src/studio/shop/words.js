import { locale, words } from '../../shared/i18n.js';
import { text } from './text.js';

/** The words of this part of the studio, in the page's language. */
export const t = words(text);
/** For Intl: numbers, money and dates. */
export const here = locale();
