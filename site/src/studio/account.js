// The account behind this browser's wallet.
import { el } from '../shared/ui.js';

/** @param {HTMLElement} root empty @param {import('./main.js').Context} context */
export async function mountAccount(root, { wallet }) {
  root.append(
    el('h1', { textContent: 'Account' }),
    el('p', {}, 'Your account is ', el('code', { textContent: wallet.account }), '. ', el('a', { href: '/wallet', textContent: 'Balance, words and devices are in the wallet.' })),
  );
}
