// The recovery words: shown, checked once against what was written, and the way back from them.
import { announce, el } from '../shared/ui.js';
import { forgetWords, restoreWallet } from '../shared/wallet-store.js';
import { action, alertBox, problemBox } from '../wallet/view.js';
import { askWords, field, hint, row, section, text, textInput, tick } from './parts.js';

/** How many of the twelve are asked for. */
const ASKED = 3;

/** Three different places, in order. @returns {number[]} from 0 */
function places(count) {
  const all = Array.from({ length: count }, (_, n) => n);
  for (let n = count - 1; n > 0; n -= 1) {
    const other = crypto.getRandomValues(new Uint32Array(1))[0] % (n + 1);
    [all[n], all[other]] = [all[other], all[n]];
  }
  return all.slice(0, ASKED).sort((a, b) => a - b);
}

/** @param {string[]} words @returns {HTMLElement} */
export const wordList = (words) => el('ol', { class: 'words', tabIndex: -1 }, ...words.map((word) => el('li', { textContent: word, translate: false })));

/** Says that only this browser has the wallet, for as long as that is so. @param {boolean} unsaved @param {string} href @returns {HTMLElement|false} */
export const unsavedNotice = (unsaved, href = '#words') =>
  unsaved &&
  el('div', { class: 'notice warn', id: 'unsaved' }, el('strong', { textContent: text.unsavedHeading }), el('span', { textContent: text.unsavedHint }), row(el('a', { class: 'button compact', href, textContent: text.unsavedLink })));

/**
 * @param {import('../shared/wallet-store.js').Wallet} wallet @param {string|null} words null once they were checked
 * @param {() => unknown} onChecked
 * @returns {HTMLElement}
 */
export function wordsSection(wallet, words, onChecked) {
  const slot = el('div', { class: 'stack' });
  const gone = () => slot.replaceChildren(hint(text.wordsGone));
  const closed = () => slot.replaceChildren(row(action(text.showWords, warn), el('span', { class: 'badge warn', textContent: text.wordsUnsaved })));
  const warn = () => {
    slot.replaceChildren(el('p', { class: 'notice warn', role: 'alert', textContent: text.wordsWarning }), row(action(text.reallyShow, reveal, 'primary'), action(text.hideWords, closed)));
    slot.querySelector('button').focus();
  };
  const reveal = () => {
    const list = wordList(words.split(' '));
    slot.replaceChildren(list, row(action(text.wordsWritten, check, 'primary'), action(text.hideWords, closed)));
    list.focus();
  };
  const check = () => {
    const right = words.split(' ');
    const asked = places(right.length).map((place) => {
      const input = textInput({});
      return { place, input, node: field(`word-${place + 1}`, text.wordNumber(place + 1), input) };
    });
    const problem = el('div');
    const compare = async () => {
      const wrong = asked.filter(({ place, input }) => {
        const same = input.value.normalize('NFKD').trim().toLowerCase() === right[place];
        if (same) input.removeAttribute('aria-invalid');
        else input.setAttribute('aria-invalid', 'true');
        return !same;
      });
      if (wrong.length > 0) {
        problem.replaceChildren(alertBox(text.checkWrong));
        return wrong[0].input.focus();
      }
      try {
        await forgetWords(wallet);
        gone();
        document.getElementById('unsaved')?.remove();
        announce(text.wordsGone);
        onChecked?.();
      } catch (error) {
        problem.replaceChildren(problemBox(error));
      }
    };
    const form = el('form', { class: 'stack', noValidate: true },
      el('h3', { textContent: text.checkHeading }), hint(text.checkHint),
      el('div', { class: 'thirds' }, ...asked.map(({ node }) => node)), problem,
      row(el('button', { type: 'submit', class: 'button primary', textContent: text.checkButton }), action(text.checkBack, reveal)));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      compare();
    });
    slot.replaceChildren(form);
    asked[0].input.focus();
  };
  if (!wallet.root) slot.append(hint(text.wordsElsewhere));
  else if (words === null) gone();
  else closed();
  return section('words', text.words, hint(text.wordsHint), slot);
}

/**
 * @param {boolean} existing whether a wallet would be replaced
 * @param {() => unknown} onRestored
 * @returns {HTMLElement}
 */
export function restoreSection(existing, onRestored) {
  const problem = el('div');
  const { input, node } = askWords('restore-words', text.restoreHint);
  const replace = tick(text.restoreReplace);
  const restore = async () => {
    input.removeAttribute('aria-invalid');
    if (existing && !replace.box.checked) return problem.replaceChildren(alertBox(text.tickFirst));
    try {
      await restoreWallet(input.value);
      await onRestored();
    } catch (error) {
      const wrong = error.code === 'malformed';
      if (wrong) input.setAttribute('aria-invalid', 'true');
      problem.replaceChildren(wrong ? alertBox(text.badWords) : problemBox(error));
    }
  };
  return el('details', { class: 'card', id: 'restore', open: location.hash === '#restore' },
    el('summary', {}, el('h2', { textContent: text.restore })),
    el('div', { class: 'stack' }, node, existing && replace.node, problem, row(action(text.restoreButton, restore))));
}
