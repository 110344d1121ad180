// Permissions of sites to spend. Where a frame's storage lasts the permission is for the frame's own key; else this wallet
// keeps a key for the site, and signs with it what its window is asked for. The ledger enforces every sum.
import { makeDelegation, newDeviceKey } from '../../../sdk/js/src/identity.js';
import * as db from '../shared/db.js';
import { nameKey } from './names.js';

const DAY_S = 86_400;
/** Longest permission, days. */
export const MAX_DAYS = 30;
const at = (account) => `sites:${account}`;

/**
 * @typedef {object} SiteGrant
 * @property {string} site origin @property {import('../../../sdk/js/src/keys.js').Key} key
 * @property {number} maxOrderMsat @property {number} maxDayMsat @property {number} expires Unix seconds
 */

const readSites = async (account) => (await db.get('wallet', at(account))) ?? {};

/** The key this wallet keeps for a site, if it may still be used. @param {string} account @param {string} site @returns {Promise<SiteGrant|null>} */
export async function siteGrant(account, site) {
  const found = (await readSites(account))[site];
  return found && found.expires > Date.now() / 1000 ? found : null;
}

/** @param {string} account @param {string} site */
export async function forgetSite(account, site) {
  const { [site]: _, ...others } = await readSites(account);
  await db.put('wallet', at(account), others);
}

/** After a revocation: the key is of no use any more. @param {string} account @param {string} x */
export async function forgetSiteKey(account, x) {
  for (const [site, { key }] of Object.entries(await readSites(account))) {
    if (key.jwk.x === x) await forgetSite(account, site);
  }
}

/**
 * Lets a site spend.
 * @param {import('../shared/wallet-store.js').Wallet} wallet with its root key
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {{site: string, x: string, maxOrderMsat: number, maxDayMsat: number, days: number}} terms `x` is the frame's key; '' where
 *   the frame can't keep one
 */
export async function allowSite(wallet, client, { site, x, maxOrderMsat, maxDayMsat, days }) {
  const now = Math.floor(Date.now() / 1000);
  const own = x ? null : ((await siteGrant(wallet.account, site))?.key ?? (await newDeviceKey()));
  const key = own?.jwk ?? { kty: 'OKP', crv: 'Ed25519', x };
  const expires = now + Math.min(days, MAX_DAYS) * DAY_S;
  const jws = await makeDelegation(wallet.root, {
    issuer: client.issuer, key, scope: ['spend'], maxOrderMsat, maxDayMsat, epoch: wallet.delegation?.epoch ?? 0, now, exp: expires,
  });
  // The name first: a permission that nobody can name could not be told from a stranger's.
  await nameKey(wallet.account, key.x, { kind: 'site', name: site });
  if (own) {
    await client.delegate(wallet.account, jws);
    await db.put('wallet', at(wallet.account), { ...(await readSites(wallet.account)), [site]: { site, key: own, maxOrderMsat, maxDayMsat, expires } });
  } else {
    await client.grant(jws);
  }
}
