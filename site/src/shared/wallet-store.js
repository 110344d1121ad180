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
 * @property {import('../../../sdk/js/src/keys.js').Key|null} root signs delegations only; null on a device that another one let in
 * @property {import('../../../sdk/js/src/keys.js').Key|null} creator signs manifests and work commands; null where `root` is
 * @property {import('../../../sdk/js/src/keys.js').Key} device spends and reads by delegation
 * @property {number} created Unix milliseconds
 * @property {{issuer: string, expires: number, epoch?: number}|null} delegation what the ledger knows of `device`; expires: Unix seconds
 * @property {{jwk: import('../../../sdk/js/src/keys.js').Jwk, backup: string}[]} [passkeys] what this browser has sealed, to be kept again after signing out
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
export const restoreWallet = (words, passkeys = []) => keep(tidyWords(words), { confirmed: true, replace: true, passkeys });

/** @param {string} words @returns {Promise<boolean>} whether they are this wallet's; false for what are no words at all */
export async function areWordsOf(wallet, words) {
  try {
    return (await keysFromWords(bip39, wordlist, words)).root.jkt === wallet.account;
  } catch (error) {
    if (error.code === 'malformed') return false;
    throw error;
  }
}

/** The 16 random bytes behind twelve words, and back. */
export const entropyOf = (words) => bip39.mnemonicToEntropy(tidyWords(words), wordlist);
export const wordsOf = (entropy) => bip39.entropyToMnemonic(entropy, wordlist);

/**
 * This browser acts for a wallet whose root key is elsewhere: it buys and reads, and lets nobody else in.
 * @param {import('../../../sdk/js/src/keys.js').Key} device
 * @param {{account: string, epoch: number, expires: number}} granted as `readDelegation` reads it
 * @returns {Promise<Wallet>}
 */
export async function joinWallet(device, { account, epoch, expires }) {
  const { issuer } = await loadConfig();
  const wallet = { account, root: null, creator: null, device, created: Date.now(), delegation: { issuer, expires, epoch } };
  try {
    await db.put('wallet', KEY, wallet);
  } catch (cause) {
    throw noStorage(cause);
  }
  navigator.storage?.persist?.().catch(() => false);
  return wallet;
}

/** Changes what is kept of this wallet. @param {Wallet} wallet @param {Partial<Wallet>} change @returns {Promise<Wallet>} */
export async function amendWallet(wallet, change) {
  const stored = await loadWallet();
  // Another tab may have told the ledger of this device anew meanwhile: what it wrote stays.
  const amended = { ...(stored?.account === wallet.account ? stored : wallet), ...change };
  await db.put('wallet', KEY, amended);
  return amended;
}

async function keep(words, { confirmed, replace = false, passkeys = [] }) {
  const { root, creator } = await keysFromWords(bip39, wordlist, words);
  const wallet = { account: root.jkt, root, creator, device: await newDeviceKey(), created: Date.now(), delegation: null, passkeys };
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
  // Only a root key lets devices in, and it is elsewhere.
  if (!wallet.root) return wallet;
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
 * key, is told of anew under the next epoch, and so are its passkeys unless they are to go as well.
 * @param {Wallet} wallet @param {SatchelClient} api @param {number} epoch the account's now
 * @param {{keepPasskeys?: boolean, forGood?: boolean}} [options] `forGood`: not this browser either
 * @returns {Promise<Wallet>}
 */
export async function signOutEverywhere(wallet, api, epoch, { keepPasskeys = true, forGood = false } = {}) {
  const next = epoch + 1;
  await api.signOut(wallet.account, await makeSignOut(wallet.root, { issuer: api.issuer, epoch: next }));
  if (forGood) return wallet;
  const passkeys = keepPasskeys ? (wallet.passkeys ?? []) : [];
  const known = await ensureDelegated({ ...wallet, passkeys, delegation: { issuer: api.issuer, expires: 0, epoch: next } }, api);
  for (const { jwk, backup } of passkeys) await keepBackup(known, api, { jwk, backup });
  return known;
}

/** How long a passkey opens the wallet without being renewed, seconds. */
const BACKUP_LIFE_S = 5 * 31_536_000;

/**
 * Leaves an encrypted seed in the account for the key that may read it back and nothing else.
 * @param {Wallet} wallet @param {SatchelClient} api @param {{jwk: import('../../../sdk/js/src/keys.js').Jwk, backup: string}} sealed
 */
export async function keepBackup(wallet, api, { jwk, backup }) {
  const now = Math.floor(Date.now() / 1000);
  await api.delegate(wallet.account, await makeDelegation(wallet.root, { issuer: api.issuer, key: jwk, scope: [], backup, epoch: wallet.delegation?.epoch ?? 0, now, exp: now + BACKUP_LIFE_S }));
}

/**
 * Ends what a key may do, for as long as it would have been allowed to: an older permission can't come back.
 * @param {Wallet} wallet @param {SatchelClient} api @param {{x: string, allows: {epoch: number, issued: number, expires: number}}} key as the ledger lists it
 */
export async function revokeKey(wallet, api, { x, allows }) {
  const now = Math.max(Math.floor(Date.now() / 1000), allows.issued + 1);
  await api.delegate(wallet.account, await makeDelegation(wallet.root, { issuer: api.issuer, key: { kty: 'OKP', crv: 'Ed25519', x }, scope: [], epoch: allows.epoch, now, exp: allows.expires }));
}

/** Everything this host keeps in this browser, wallet and studio: keys, words, works under way, choices. */
export async function eraseBrowser() {
  await db.erase();
  for (const { name } of (await indexedDB.databases?.()) ?? []) await db.drop(name);
  const files = await navigator.storage?.getDirectory?.().catch(() => null);
  if (files) for await (const name of files.keys()) await files.removeEntry(name, { recursive: true }).catch(() => {});
  localStorage.clear();
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
