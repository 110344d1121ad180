// A second device. It makes a key that never leaves it and shows that key's public half; the device with the root key
// signs a delegation for it. What is scanned or copied is no secret: whoever sees it can do nothing with it.
import { renderSVG } from 'uqr';
import { sleep } from '../../../sdk/js/src/client.js';
import { makeDelegation, newDeviceKey, readDelegation } from '../../../sdk/js/src/identity.js';
import { checkJwk } from '../../../sdk/js/src/keys.js';
import { sha256, utf8 } from '../../../sdk/js/src/bytes.js';
import * as db from '../shared/db.js';
import { joinWallet } from '../shared/wallet-store.js';
import { nameKey } from './names.js';

const KEY = 'joining';
const POLL_MS = 2_000;
/** How long the new device asks by itself. */
const PATIENCE_MS = 600_000;
const YEAR_S = 31_536_000;

/** The key of this browser, the same after a reload: somebody may be about to let it in. @returns {Promise<import('../../../sdk/js/src/keys.js').Key>} */
export async function joiningKey() {
  const kept = await db.get('wallet', KEY);
  if (kept) return kept;
  const key = await newDeviceKey();
  await db.put('wallet', KEY, key);
  return key;
}

/** @param {string} x @returns {string} what the other device opens */
export const joinLink = (x) => `${location.origin}/wallet#device=${x}`;

/** Six digits both devices show, so that nobody lets in the wrong one. @param {string} x @returns {Promise<string>} `123 456` */
export async function checkNumber(x) {
  const digest = await sha256(utf8(`satchel/v1 device ${x}`));
  const digits = String(new DataView(digest.buffer, digest.byteOffset).getUint32(0) % 1_000_000).padStart(6, '0');
  return `${digits.slice(0, 3)} ${digits.slice(3)}`;
}

/** @param {string} given a link, its fragment, or the key itself @returns {string|null} the public half */
export function readCode(given) {
  const x = /(?:^|[#&?]device=)([\w-]{43})$/.exec(given.trim())?.[1];
  try {
    return x ? checkJwk({ kty: 'OKP', crv: 'Ed25519', x }).x : null;
  } catch {
    return null;
  }
}

/** @param {string} words @param {string} alt @returns {SVGElement} dark on light in every theme: cameras want it so */
export function qrPicture(words, alt) {
  const markup = renderSVG(words, { ecc: 'M', border: 4, pixelSize: 8 });
  const svg = new DOMParser().parseFromString(markup, 'image/svg+xml').documentElement;
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', alt);
  svg.setAttribute('class', 'qr');
  return document.importNode(svg, true);
}

/**
 * Waits until the other device lets this one in.
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {import('../../../sdk/js/src/keys.js').Key} key @param {AbortSignal} signal
 * @returns {Promise<import('../shared/wallet-store.js').Wallet|null>} null if nobody did
 */
export async function awaitJoin(client, key, signal) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    let pause = POLL_MS;
    try {
      const { delegation } = await client.granted(key, { signal });
      if (delegation) {
        const granted = await readDelegation(delegation, { issuer: client.issuer, key });
        if (granted.scope.includes('read')) {
          const wallet = await joinWallet(key, granted);
          await db.remove('wallet', KEY);
          return wallet;
        }
      }
    } catch (error) {
      if (error.code !== 'network' && error.status !== 429 && error.status < 500) throw error;
      pause = Math.max(pause, error.retryAfter * 1000);
    }
    await sleep(pause, signal);
  }
  return null;
}

/**
 * Lets a device in.
 * @param {import('../shared/wallet-store.js').Wallet} wallet with its root key
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @param {{x: string, name: string, maxDayMsat?: number}} device
 */
export async function letIn(wallet, client, { x, name, maxDayMsat }) {
  const key = { kty: 'OKP', crv: 'Ed25519', x };
  const now = Math.floor(Date.now() / 1000);
  await nameKey(wallet.account, x, { kind: 'device', name });
  await client.grant(await makeDelegation(wallet.root, { issuer: client.issuer, key, maxDayMsat, epoch: wallet.delegation?.epoch ?? 0, now, exp: now + YEAR_S }));
}

