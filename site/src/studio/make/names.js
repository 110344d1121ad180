// Text from files and forms becomes text that a manifest may carry: no controls, nothing that turns the order of what
// follows (`song\u202e3pm.exe` would look like `songexe.mp3`), one path part, bounded.

/** Control characters, and those that override the direction of text. */
const UNFIT = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** @param {string} text @returns {boolean} */
export const hasUnfit = (text) => text.search(UNFIT) >= 0;
const clean = (text) => text.toWellFormed().replace(UNFIT, ' ');

/** A name to save under. @param {string} name @returns {string} at most 255 bytes */
export function cleanName(name) {
  let fit = clean(name.replace(/[/\\]/g, '_')).trim();
  if (fit === '' || fit === '.' || fit === '..') fit = 'file';
  const dot = fit.lastIndexOf('.');
  let [stem, ending] = dot > 0 && fit.length - dot <= 12 ? [fit.slice(0, dot), fit.slice(dot)] : [fit, ''];
  while (new TextEncoder().encode(stem + ending).length > 255) stem = [...stem].slice(0, -1).join('');
  return stem + ending;
}

/** Title to begin with: the file's name as a person would say it. @param {string} name @param {string} otherwise */
export function titleFrom(name, otherwise) {
  const words = clean(name).replace(/\.[^.]{1,8}$/, '').replace(/[_\s]+/g, ' ').trim();
  return [...words].slice(0, 200).join('') || otherwise;
}

/** One line as people typed it. @param {string} text */
export const cleanLine = (text) => clean(text).replace(/\s+/g, ' ').trim();

/** Lines as people typed them. @param {string} text */
export const cleanLines = (text) => text.toWellFormed().replace(/\r\n?/g, '\n').replace(/[^\S\n]+\n/g, '\n').trim();
