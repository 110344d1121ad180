// A site's permission to spend, on the side of whoever holds the key it is for: our frame in a stranger's page. The
// wallet signs it, the ledger enforces it, and the key fetches it by its own name (docs/EMBEDDING.md, "Frame and wallet").
import { readDelegation } from '../../../sdk/js/src/identity.js';

/**
 * @typedef {object} Grant to be kept beside the key; CryptoKeys aside it is plain data
 * @property {string} account
 * @property {number|null} maxOrderMsat @property {number|null} maxDayMsat
 * @property {number} expires Unix seconds
 */

/** Refusals after which the wallet has to be asked again, and the permission is of no more use. */
const OVER = new Set(['delegation_expired', 'scope_missing', 'wrong_key']);
/** Refusals after which the wallet has to be asked for this purchase. */
const ASK = new Set([...OVER, 'cap_exceeded', 'insufficient_balance']);
const MARGIN_S = 30;

/**
 * What the wallet has given this key, if it has. Ask after a purchase in the wallet's window.
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {import('../../../sdk/js/src/keys.js').Key} key
 * @returns {Promise<Grant|null>}
 */
export async function fetchGrant(client, key) {
  const { delegation } = await client.granted(key);
  if (!delegation) return null;
  const grant = await readDelegation(delegation, { issuer: client.issuer, key });
  return grant.scope.includes('spend') ? { account: grant.account, maxOrderMsat: grant.maxOrderMsat, maxDayMsat: grant.maxDayMsat, expires: grant.expires } : null;
}

/** Whether it is worth trying; the ledger has the last word. @param {Grant|null|undefined} grant @param {number} msat @returns {boolean} */
export const covers = (grant, msat, now = Date.now() / 1000) =>
  Boolean(grant) && grant.expires > now + MARGIN_S && msat <= (grant.maxOrderMsat ?? Infinity) && msat <= (grant.maxDayMsat ?? Infinity);

/**
 * Buys without the wallet's window. Store the order's id before, as ever: the same id again is never charged twice.
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {{key: import('../../../sdk/js/src/keys.js').Key, grant: Grant, quote: object, order: string, signal?: AbortSignal, onPending?: () => void}} purchase
 * @returns {Promise<{receipt: string, owned: boolean}>}
 */
export async function spendGrant(client, { key, grant, quote, order, signal, onPending }) {
  const { jws } = await client.makeOrder({ key, account: grant.account, quote, cnf: key.jkt, order });
  return client.order(jws, { pickup: false, signal, onPending });
}

/**
 * What to do about a refusal of `spendGrant`.
 * @param {unknown} error
 * @returns {'over'|'ask'|'fail'} `over`: forget the grant and ask the wallet; `ask`: ask the wallet this time; `fail`: say so
 */
export function afterRefusal(error) {
  if (OVER.has(error?.code)) return 'over';
  return ASK.has(error?.code) ? 'ask' : 'fail';
}
