// The account behind this browser's wallet: words, passkey, devices, leaving. The same sections as in the wallet.
import { devicesSection, scannedDevice } from '../identity/devices.js';
import { accountSection, leaveSection, signOutSection } from '../identity/leave.js';
import { text } from '../identity/parts.js';
import { passkeySection } from '../identity/passkeys.js';
import { restoreSection, unsavedNotice, wordsSection } from '../identity/words.js';
import { el } from '../shared/ui.js';
import { loadWallet, wordsOnce } from '../shared/wallet-store.js';
import { readAccount } from '../wallet/account.js';
import { action, problemBox } from '../wallet/view.js';

/** @param {HTMLElement} root empty @param {import('./main.js').Context} context */
export async function mountAccount(root, { client, wallet: first }) {
  // Another wallet in this browser: every view was made for the one before.
  const anew = () => location.reload();
  const draw = async (message) => {
    const wallet = (await loadWallet()) ?? first;
    const recovery = await wordsOnce(wallet);
    let rest;
    try {
      const known = await readAccount(client, wallet);
      const seen = { client, wallet: known.wallet, account: known.account };
      rest = [await passkeySection(seen.wallet, client, recovery), await scannedDevice(seen, draw), devicesSection(seen), signOutSection(seen, draw), leaveSection(seen, recovery)];
    } catch (error) {
      rest = [problemBox(error, action(text.again, () => draw(), 'primary'))];
    }
    root.replaceChildren(...[
      el('h1', { textContent: text.account }), message, unsavedNotice(recovery !== null, '#account?words'), wordsSection(wallet, recovery), ...rest, restoreSection(true, anew), accountSection(wallet),
    ].filter(Boolean));
  };
  await draw();
  return { shown: (query) => query.has('words') && root.querySelector('#words').scrollIntoView() };
}
