// What this browser calls the keys of a wallet. The ledger knows keys and sums; which site or device a key belongs to
// is nobody's business but its owner's, so the names stay here.
import * as db from '../shared/db.js';

const at = (account) => `names:${account}`;

/** @typedef {{kind: 'site'|'device', name: string}} Name */

/** @param {string} account @returns {Promise<Record<string, Name>>} by the key's public half */
export const readNames = async (account) => (await db.get('wallet', at(account))) ?? {};

/** @param {string} account @param {string} x @param {Name} name */
export async function nameKey(account, x, name) {
  await db.put('wallet', at(account), { ...(await readNames(account)), [x]: name });
}
