// Identity without accounts (docs/API.md §1–2): twelve words make the root key and the creator key.
// The BIP-39 library is passed in: this package has no dependency, and only two pages need one.
import { hkdf, utf8 } from './bytes.js';
import { SatchelError, check } from './errors.js';
import { parseJws, signJws, verifyJws } from './jws.js';
import { generateKey, keyFromSeed, thumbprint } from './keys.js';

/** @typedef {{generateMnemonic: (list: string[], bits: number) => string, validateMnemonic: (words: string, list: string[]) => boolean,
 *    mnemonicToSeed: (words: string) => Promise<Uint8Array>}} Bip39 as `@scure/bip39` has it */

/** @param {Bip39} bip39 @param {string[]} wordlist @returns {string} twelve words (128 random bits) */
export const newWords = (bip39, wordlist) => bip39.generateMnemonic(wordlist, 128);

/** Forgives case, line breaks and double spaces. @param {string} words @returns {string} */
export const tidyWords = (words) => words.normalize('NFKD').trim().toLowerCase().split(/\s+/).join(' ');

/**
 * @param {Bip39} bip39 @param {string[]} wordlist @param {string} words
 * @returns {Promise<{root: import('./keys.js').Key, creator: import('./keys.js').Key}>} non-extractable;
 *   the account id is `root.jkt`
 * @throws {SatchelError} `malformed` if the words aren't twelve of the list with a right checksum
 */
export async function keysFromWords(bip39, wordlist, words) {
  const tidy = tidyWords(words);
  check(tidy.split(' ').length === 12 && bip39.validateMnemonic(tidy, wordlist), 'these are not twelve recovery words: one is missing, misspelt or out of place');
  const seed = await bip39.mnemonicToSeed(tidy);
  try {
    return {
      root: await keyFromSeed(await hkdf(seed, utf8('satchel/v1 root key'))),
      creator: await keyFromSeed(await hkdf(seed, utf8('satchel/v1 creator key'))),
    };
  } finally {
    seed.fill(0);
  }
}

/** A key for this device (or frame, or API client), to be delegated. @returns {Promise<import('./keys.js').Key>} non-extractable */
export const newDeviceKey = () => generateKey();

/**
 * The root key's leave for another key to act for the account.
 * @param {import('./keys.js').Key} root
 * @param {{issuer: string, key: import('./keys.js').Jwk, scope?: ('spend'|'read')[], maxOrderMsat?: number|null,
 *          maxTotalMsat?: number|null, maxDayMsat?: number|null, backup?: string, epoch?: number, now?: number, exp?: number}} grant times in Unix seconds; a year unless told. `maxOrderMsat` caps one
 *   order, `maxTotalMsat` all that the key signs, `maxDayMsat` what it signs on one day (UTC);
 *   `backup` is kept for that key to read back; `epoch` is the account's, which `delegation_expired` tells (`members.epoch`)
 * @returns {Promise<string>} JWS for `POST /v1/accounts/{account}/delegations`
 */
export function makeDelegation(root, { issuer, key, scope = ['spend', 'read'], maxOrderMsat = null, maxTotalMsat, maxDayMsat, backup, epoch = 0, now = Math.floor(Date.now() / 1000), exp = now + 31_536_000 }) {
  return signJws(root, { typ: 'satchel-delegation+jws' }, {
    aud: issuer, account: root.jkt, root: root.jwk, key, scope, max_order_msat: maxOrderMsat,
    ...(maxTotalMsat !== undefined && { max_total_msat: maxTotalMsat }),
    ...(maxDayMsat !== undefined && { max_day_msat: maxDayMsat }),
    ...(backup !== undefined && { backup }), epoch, iat: now, exp,
  });
}

/**
 * Reads a delegation that was left for a key: signed by the root key of the account it names, for this issuer and key.
 * @param {string} jws @param {{issuer: string, key: import('./keys.js').Key}} expected
 * @returns {Promise<{account: string, epoch: number, scope: string[], maxOrderMsat: number|null, maxDayMsat: number|null, issued: number, expires: number}>}
 * @throws {SatchelError} `malformed`, `bad_signature`, `wrong_key`
 */
export async function readDelegation(jws, { issuer, key }) {
  const { payload } = parseJws(jws, 'satchel-delegation+jws');
  await verifyJws(jws, payload.root, 'satchel-delegation+jws');
  const { account, scope, epoch, iat, exp } = payload;
  const ours = payload.aud === issuer && account === (await thumbprint(payload.root)) && (await thumbprint(payload.key)) === key.jkt;
  if (!ours) throw new SatchelError('wrong_key', 'This permission is for somebody else');
  check(Array.isArray(scope) && [epoch, iat, exp].every(Number.isSafeInteger), 'delegation: not of its shape');
  return { account, epoch, scope, maxOrderMsat: payload.max_order_msat ?? null, maxDayMsat: payload.max_day_msat ?? null, issued: iat, expires: exp };
}

/**
 * "Sign out everywhere": ends every delegation of the account, this device's too.
 * @param {import('./keys.js').Key} root
 * @param {{issuer: string, epoch: number, now?: number, exp?: number}} options `epoch` is one more than the account's
 * @returns {Promise<string>} JWS for `POST /v1/accounts/{account}/sign-out`
 */
export function makeSignOut(root, { issuer, epoch, now = Math.floor(Date.now() / 1000), exp = now + 900 }) {
  return signJws(root, { typ: 'satchel-signout+jws' }, { aud: issuer, account: root.jkt, root: root.jwk, epoch, iat: now, exp });
}
