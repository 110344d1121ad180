// The section about passkeys; hidden where the browser has no PRF.
import { announce, el } from '../shared/ui.js';
import { areWordsOf } from '../shared/wallet-store.js';
import { action, alertBox, notice, problemBox } from '../wallet/view.js';
import { askWords, hint, row, section, text } from './parts.js';
import { makePasskey, openPasskey, passkeysWork, unlockWithPasskey } from './passkey.js';
import { wordList } from './words.js';

/** @returns {Node[]} nothing for a dialog that was closed */
function said(error) {
  if (error.code === 'cancelled') return [];
  return [error.code === 'passkey_unusable' ? alertBox(text.passkeyUnusable) : problemBox(error)];
}

/**
 * @param {import('../shared/wallet-store.js').Wallet} wallet @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {string|null} words as the store has them
 * @returns {Promise<HTMLElement|null>}
 */
export async function passkeySection(wallet, client, words) {
  if (!wallet.root || !(await passkeysWork())) return null;
  const slot = el('div', { class: 'stack' });
  const problem = el('div');
  const make = async (known) => {
    problem.replaceChildren();
    try {
      wallet = await makePasskey(wallet, client, known);
      draw();
      problem.replaceChildren(notice(text.passkeyMade, 'good'));
      announce(text.passkeyMade);
    } catch (error) {
      problem.replaceChildren(...said(error));
    }
  };
  const begin = () => (words ? make(words) : ask());
  const ask = () => {
    const { input, node } = askWords('passkey-words', text.passkeyNeedsWords);
    const go = async () => {
      if (await areWordsOf(wallet, input.value)) return make(input.value);
      input.setAttribute('aria-invalid', 'true');
      return problem.replaceChildren(alertBox(text.passkeyNotOurs));
    };
    slot.replaceChildren(node, row(action(text.passkeyMake, go, 'primary'), action(text.cancel, draw)));
    input.focus();
  };
  const show = async () => {
    problem.replaceChildren();
    try {
      const opened = await openPasskey(client);
      if (opened.account !== wallet.account) return problem.replaceChildren(alertBox(text.passkeyNotOurs));
      const list = wordList(opened.words.split(' '));
      slot.replaceChildren(el('p', { class: 'notice warn', role: 'alert', textContent: text.wordsWarning }), list, row(action(text.hideWords, draw, 'primary')));
      list.focus();
    } catch (error) {
      problem.replaceChildren(...said(error));
    }
  };
  const draw = () => {
    const count = wallet.passkeys?.length ?? 0;
    slot.replaceChildren(...[count > 0 && hint(text.passkeyHave(count)), row(action(text.passkeyMake, begin), count > 0 && action(text.passkeyShow, show))].filter(Boolean));
  };
  draw();
  return section('passkey', text.passkey, hint(text.passkeyHint), slot, problem);
}

/**
 * For a browser without a wallet.
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {() => unknown} onOpened
 * @returns {Promise<HTMLElement|null>}
 */
export async function passkeyDoor(client, onOpened) {
  if (!(await passkeysWork())) return null;
  const problem = el('div');
  const open = async () => {
    problem.replaceChildren();
    try {
      await unlockWithPasskey(client);
      await onOpened();
    } catch (error) {
      problem.replaceChildren(...said(error));
    }
  };
  return section('open-passkey', text.passkeyOpen, hint(text.passkeyOpenHint), row(action(text.passkeyOpen, open)), problem);
}
