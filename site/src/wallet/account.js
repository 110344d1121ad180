// The account behind this browser's wallet, as the pages of the wallet host read it.
import { ensureDelegated } from '../shared/wallet-store.js';

/** The ledger does not know this device (any more): it is told again, by the root key that is here. */
const TELL_AGAIN = new Set(['wrong_key', 'delegation_expired']);

/**
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {import('../shared/wallet-store.js').Wallet} wallet
 * @returns {Promise<{wallet: import('../shared/wallet-store.js').Wallet, account: object}>} with balance and rate
 */
export async function readAccount(client, wallet) {
  let known = await ensureDelegated(wallet, client);
  try {
    return { wallet: known, account: await client.account(known.account, known.device) };
  } catch (error) {
    if (!TELL_AGAIN.has(error.code) || !known.root) throw error;
    // Signed out from elsewhere, the account is in another epoch, which the refusal tells.
    const epoch = Number.isSafeInteger(error.members?.epoch) ? error.members.epoch : known.delegation?.epoch;
    known = await ensureDelegated({ ...known, delegation: { issuer: client.issuer, expires: 0, epoch } }, client);
    return { wallet: known, account: await client.account(known.account, known.device) };
  }
}

/** Pages of 50 purchases that are searched for a work; the ledger has the last word in any case. */
const PAGES = 10;

/** @returns {Promise<object|null>} the purchase by which the wallet is known to own `work` */
export async function owned(client, wallet, work) {
  let after;
  for (let page = 0; page < PAGES; page += 1) {
    const { purchases, next } = await client.purchases(wallet.account, wallet.device, after);
    // What was refunded may be bought again.
    const found = purchases.find((purchase) => purchase.work === work && purchase.active !== false);
    if (found) return found;
    if (!next) return null;
    after = next;
  }
  return null;
}
