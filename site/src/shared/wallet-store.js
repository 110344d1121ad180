// The wallet of this browser, kept in IndexedDB of the wallet host: keys that no script can read out, and
// until the owner has written them down, the twelve words they come from.
import * as bip39 from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { SatchelClient } from '../../../sdk/js/src/client.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { keysFromWords, makeDelegation, makeSignOut, newDeviceKey, newWords, tidyWords } from '../../../sdk/js/src/identity.js';
import { loadConfig } from './config.js';
import * as db from './db.js';

/**
 * @typedef {object} Wallet
 * @property {string} account the account id (thumbprint of the root key)
 * @property {import('../../../sdk/js/src/keys.js').Key} root signs delegations only
 * @property {import('../../../sdk/js/src/keys.js').Key} creator signs manifests and work commands
 * @property {import('../../../sdk/js/src/keys.js').Key} device spends and reads by delegation
 * @property {number} created Unix milliseconds
 * @property {{issuer: string, expires: number, epoch?: number}|null} delegation what the ledger knows of `device`; expires: Unix seconds
 */

const KEY = 'wallet';
const WORDS = 'words';
const RENEW_BEFORE_S = 30 * 86_400;

/** A client for this host's routes under the issuer's name. @returns {Promise<SatchelClient>} */
export async function walletClient() {
  const { issuer } = await loadConfig();
  return new SatchelClient({ issuer, base: location.origin });
}

/**
 * @returns {Promise<Wallet|null>} null where none was made yet
 * @throws {SatchelError} `no_storage` in private windows and where storage is blocked
 */
export async function loadWallet() {
  try {
    return (await db.get('wallet', KEY)) ?? null;
  } catch (cause) {
    throw noStorage(cause);
  }
}

/**
 * Makes this browser's wallet; one that exists already is kept and returned.
 * The ledger is told of it at once if it answers, else by the next `ensureDelegated`.
 * @returns {Promise<Wallet>}
 * @throws {SatchelError} `no_storage`, `browser_too_old`
 */
export async function createWallet() {
  const existing = await loadWallet();
  if (existing) return existing;
  return keep(newWords(bip39, wordlist), { confirmed: false });
}

/**
 * Makes this browser's wallet from words written down elsewhere. Replaces a wallet that is here.
 * @param {string} words
 * @returns {Promise<Wallet>}
 * @throws {SatchelError} `malformed` if the words aren't right
 */
export const restoreWallet = (words) => keep(tidyWords(words), { confirmed: true, replace: true });

async function keep(words, { confirmed, replace = false }) {
  const { root, creator } = await keysFromWords(bip39, wordlist, words);
  const wallet = { account: root.jkt, root, creator, device: await newDeviceKey(), created: Date.now(), delegation: null };
  try {
    // Words first: a wallet whose words were lost could never be moved or repaired.
    if (!confirmed) await db.put('wallet', `${WORDS}:${wallet.account}`, words);
    if (replace) await db.put('wallet', KEY, wallet);
    else await db.add('wallet', KEY, wallet);
  } catch (cause) {
    // Another tab was faster: its wallet is the one.
    if (cause?.name === 'ConstraintError') {
      await db.remove('wallet', `${WORDS}:${wallet.account}`);
      return loadWallet();
    }
    throw noStorage(cause);
  }
  // Asks that this storage isn't cleared for space; a browser that says no changes nothing here.
  // Not awaited: some browsers ask their user first.
  navigator.storage?.persist?.().catch(() => false);
  return ensureDelegated(wallet).catch((error) => {
    if (error.code === 'network' || error.status >= 500) return wallet;
    throw error;
  });
}

/**
 * Tells the ledger that this device may spend and read, unless it knows for some time to come.
 * @param {Wallet} wallet
 * @param {SatchelClient} [client]
 * @returns {Promise<Wallet>} with its `delegation`
 * @throws {SatchelError} the ledger's
 */
export async function ensureDelegated(wallet, client) {
  const api = client ?? (await walletClient());
  const now = Math.floor(Date.now() / 1000);
  const known = wallet.delegation;
  if (known && known.issuer === api.issuer && known.expires > now + RENEW_BEFORE_S) return wallet;
  const { expires, epoch } = await delegateAt(wallet, api, known?.epoch ?? 0);
  const delegated = { ...wallet, delegation: { issuer: api.issuer, expires, epoch } };
  // Another tab may have restored another wallet meanwhile: that one stays.
  const stored = await loadWallet();
  if (stored?.device.jkt === wallet.device.jkt) await db.put('wallet', KEY, delegated);
  return delegated;
}

/** The account may have signed out everywhere meanwhile: the ledger's refusal tells which epoch it is in now. */
async function delegateAt(wallet, api, epoch, tries = 3) {
  try {
    const { expires } = await api.delegate(wallet.account, await makeDelegation(wallet.root, { issuer: api.issuer, key: wallet.device.jwk, epoch }));
    return { expires, epoch };
  } catch (error) {
    const told = error.members?.epoch;
    if (error.code !== 'delegation_expired' || !Number.isSafeInteger(told) || told === epoch || tries === 1) throw error;
    return delegateAt(wallet, api, told, tries - 1);
  }
}

/**
 * Ends every permission of this account at once: other devices, sites, programs. This browser, which holds the root
 * key, is told of anew under the next epoch.
 * @param {Wallet} wallet @param {SatchelClient} api @param {number} epoch the account's now
 * @returns {Promise<Wallet>}
 */
export async function signOutEverywhere(wallet, api, epoch) {
  const next = epoch + 1;
  await api.signOut(wallet.account, await makeSignOut(wallet.root, { issuer: api.issuer, epoch: next }));
  return ensureDelegated({ ...wallet, delegation: { issuer: api.issuer, expires: 0, epoch: next } }, api);
}

/** @param {Wallet} wallet @returns {Promise<string|null>} its twelve words until `forgetWords`; null once they were confirmed */
export const wordsOnce = async (wallet) => (await db.get('wallet', `${WORDS}:${wallet.account}`)) ?? null;

/** The owner has written the words down: this browser keeps keys only. @param {Wallet} wallet */
export const forgetWords = (wallet) => db.remove('wallet', `${WORDS}:${wallet.account}`);

function noStorage(cause) {
  return new SatchelError('no_storage', 'This browser does not let the page keep anything', {
    next: 'Leave the private window, or allow this site to store data, then load the page again.',
    cause,
  });
}
