// Receipts of what is owned, issued anew: for this device, or for another key of the same person.
import { orderId } from '../../../sdk/js/src/ids.js';
import * as db from '../shared/db.js';

const at = (account) => `receipts:${account}`;

/** For what is owned nothing is quoted: the ledger looks at that first, and issues the receipt anew. */
export const unpriced = ({ work, title, terms, terms_digest, ledger }, { version, usd_micros, msat }) =>
  ({ quote: 'owned', work, version, title, terms, terms_digest, ledger, usd_micros, msat, expires: Infinity });

/**
 * The receipt of a purchase for a key. What was issued once is kept: asking again writes nothing.
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {import('../shared/wallet-store.js').Wallet} wallet
 * @param {{work: string, version: number, usd_micros: number, msat: number, handle: string}} purchase @param {string} jkt thumbprint of the key it is for
 * @returns {Promise<string>} JWS
 */
export async function reissued(client, wallet, purchase, jkt) {
  const kept = (await db.get('wallet', at(wallet.account))) ?? {};
  const name = `${purchase.handle} ${jkt}`;
  // A refund ends a purchase and its receipts; the next purchase has another handle.
  if (kept[name]) return kept[name];
  const quote = unpriced(await client.record(purchase.work), purchase);
  const { jws } = await client.makeOrder({ key: wallet.device, account: wallet.account, quote, cnf: jkt, order: await orderId(purchase.work) });
  const { receipt } = await client.order(jws, { pickup: false });
  await db.put('wallet', at(wallet.account), { ...((await db.get('wallet', at(wallet.account))) ?? {}), [name]: receipt });
  return receipt;
}
