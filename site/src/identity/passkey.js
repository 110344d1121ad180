// A passkey opens the wallet on every device it is synced to. Its PRF extension gives 32 secret bytes that only the
// authenticator can make: one key of them encrypts the seed, another one proves to the ledger who may read that
// ciphertext. The passkey's user handle is the account's name, so nothing has to be typed.
import { b64uDecode, b64uEncode, concat, hkdf, randomBytes, utf8 } from '../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { keyFromSeed } from '../../../sdk/js/src/keys.js';
import { amendWallet, entropyOf, keepBackup, restoreWallet, wordsOf } from '../shared/wallet-store.js';

const SALT = utf8('satchel/v1 passkey');
const SEALED = 1;
const [IV_BYTES, SEALED_BYTES] = [12, 45];
/** Ed25519, ECDSA P-256, RSA: the authenticator's own choice; nobody ever verifies a signature of it. */
const ALGORITHMS = [-8, -7, -257];

/** @returns {Promise<boolean>} whether this browser says that it has the PRF extension; where it can't say, the option isn't shown */
export async function passkeysWork() {
  try {
    const able = await self.PublicKeyCredential?.getClientCapabilities?.();
    return able?.['extension:prf'] === true;
  } catch {
    return false;
  }
}

const cancelled = (cause) => new SatchelError('cancelled', 'Stopped', { cause });
const unusable = () => new SatchelError('passkey_unusable', 'This passkey can’t open a wallet');

/** A dialog that was closed, or took too long, is no fault. */
const asked = (promise) =>
  promise.catch((error) => {
    if (['NotAllowedError', 'AbortError'].includes(error?.name)) throw cancelled(error);
    throw error;
  });

/** Both keys of a PRF output. @param {ArrayBuffer} secret */
async function keysOf(secret) {
  const material = new Uint8Array(secret);
  const [seal, seed] = [await hkdf(material, utf8('satchel/v1 passkey seal')), await hkdf(material, utf8('satchel/v1 passkey reader'))];
  material.fill(0);
  return { seal: await crypto.subtle.importKey('raw', seal, 'AES-GCM', false, ['encrypt', 'decrypt']), reader: await keyFromSeed(seed) };
}

const aesGcm = (iv, account) => ({ name: 'AES-GCM', iv, additionalData: utf8(`satchel/v1 seed of ${account}`) });

/** @returns {Promise<string>} version ‖ iv ‖ ciphertext and tag, base64url */
export async function sealSeed(seal, account, entropy) {
  const iv = randomBytes(IV_BYTES);
  const cipher = new Uint8Array(await crypto.subtle.encrypt(aesGcm(iv, account), seal, entropy));
  return b64uEncode(concat(Uint8Array.of(SEALED), iv, cipher));
}

/** @returns {Promise<Uint8Array>} @throws {SatchelError} `passkey_unusable` if it was sealed otherwise, for another account or altered */
export async function openSeed(seal, account, sealed) {
  try {
    const bytes = b64uDecode(sealed, SEALED_BYTES);
    if (bytes[0] !== SEALED) throw unusable();
    const [iv, cipher] = [bytes.subarray(1, 1 + IV_BYTES), bytes.subarray(1 + IV_BYTES)];
    return new Uint8Array(await crypto.subtle.decrypt(aesGcm(iv, account), seal, cipher));
  } catch {
    throw unusable();
  }
}

/** Asks the authenticator. @param {BufferSource} [id] of one passkey, else the person chooses @returns {Promise<{account: string, secret: ArrayBuffer}>} */
async function ask(id) {
  const credential = await asked(navigator.credentials.get({
    publicKey: {
      challenge: randomBytes(32), rpId: location.hostname, userVerification: 'required',
      ...(id && { allowCredentials: [{ type: 'public-key', id }] }),
      extensions: { prf: { eval: { first: SALT } } },
    },
  }));
  const secret = credential?.getClientExtensionResults().prf?.results?.first;
  const handle = credential?.response.userHandle;
  if (!secret || handle?.byteLength !== 32) throw unusable();
  return { account: b64uEncode(new Uint8Array(handle)), secret };
}

/** A passkey that turned out to be useless shall not stay in the person's list, where the browser can take it away. */
const withdraw = (credential) =>
  PublicKeyCredential.signalUnknownCredential?.({ rpId: location.hostname, credentialId: b64uEncode(new Uint8Array(credential.rawId)) }).catch(() => {});

/**
 * Makes a passkey for this wallet and leaves the encrypted seed in its account.
 * @param {import('../shared/wallet-store.js').Wallet} wallet with its root key @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {string} words the wallet's own
 * @returns {Promise<import('../shared/wallet-store.js').Wallet>}
 * @throws {SatchelError} `cancelled`, `passkey_unusable`, the ledger's
 */
export async function makePasskey(wallet, client, words) {
  const name = `Satchel wallet ${wallet.account.slice(0, 6)}`;
  const credential = await asked(navigator.credentials.create({
    publicKey: {
      challenge: randomBytes(32), rp: { id: location.hostname, name: 'Satchel' },
      user: { id: b64uDecode(wallet.account, 32), name, displayName: name },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      extensions: { prf: { eval: { first: SALT } } },
    },
  }));
  try {
    const prf = credential.getClientExtensionResults().prf;
    if (!prf?.enabled) throw unusable();
    // Not every authenticator answers while it makes the passkey.
    const secret = prf.results?.first ?? (await ask(credential.rawId)).secret;
    const { seal, reader } = await keysOf(secret);
    const sealed = { jwk: reader.jwk, backup: await sealSeed(seal, wallet.account, entropyOf(words)) };
    await keepBackup(wallet, client, sealed);
    return await amendWallet(wallet, { passkeys: [...(wallet.passkeys ?? []).filter(({ jwk }) => jwk.x !== reader.jwk.x), sealed] });
  } catch (error) {
    withdraw(credential);
    throw error;
  }
}

/**
 * The words behind a passkey that the person chooses.
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @returns {Promise<{account: string, words: string, sealed: {jwk: object, backup: string}}>}
 * @throws {SatchelError} `cancelled`, `passkey_unusable`, `network`
 */
export async function openPasskey(client) {
  const { account, secret } = await ask();
  const { seal, reader } = await keysOf(secret);
  const { keys } = await client.keys(account, reader).catch((error) => {
    // Removed, or signed out everywhere since.
    if (['wrong_key', 'delegation_expired'].includes(error.code)) throw unusable();
    throw error;
  });
  const backup = keys.find(({ x }) => x === reader.jwk.x)?.allows.backup;
  if (!backup) throw unusable();
  const entropy = await openSeed(seal, account, backup);
  return { account, words: wordsOf(entropy), sealed: { jwk: reader.jwk, backup } };
}

/** Brings the wallet of a passkey to this browser. @returns {Promise<import('../shared/wallet-store.js').Wallet>} */
export async function unlockWithPasskey(client) {
  const { words, sealed } = await openPasskey(client);
  return restoreWallet(words, [sealed]);
}
