// Asking the wallet and waiting for its answer: what the frame and the page for satchels from elsewhere share.
import { sleep } from '../../../sdk/js/src/client.js';

/** A click this soon after a button came into view was meant for something else (clickjacking, a jumping page). */
export const CALM_MS = 500;
const POLL_MS = { first: 400, grow: 1.5, most: 2000, end: 600_000 };

/**
 * Where the wallet is asked. Everything is in the fragment: no server's log sees who buys what.
 * @param {string} wallet its origin
 * @param {{order: string, work: string, jkt: string, site: string, returnTo?: string, x?: string, usd?: number, ask?: boolean}} request
 *   `x`: the public half of a key that lasts, which a permission may be for; `usd`: what the buyer chose to pay, millionths
 *   of a dollar, where more than the price may be paid; `ask`: the click
 *   may have been meant for something else, so nothing is paid without being asked about
 * @returns {string}
 */
export function approveAddress(wallet, { order, work, jkt, site, returnTo, x, usd, ask }) {
  const parameters = new URLSearchParams({ order, work, jkt, site });
  if (x) parameters.set('x', x);
  if (usd) parameters.set('usd', usd);
  if (ask) parameters.set('ask', '1');
  if (returnTo) parameters.set('return', returnTo);
  return `${wallet}/approve#${parameters}`;
}

/**
 * The order's answer. Silence and lost connections are not a "no".
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {string} order
 * @param {import('../../../sdk/js/src/keys.js').Key} key the one the order names
 * @param {AbortSignal} signal
 * @param {{onPending?: () => void}} [options] told each time the shop has the order but has not decided
 * @returns {Promise<string|null>} the receipt, or null after ten minutes
 */
export async function awaitReceipt(client, order, key, signal, { onPending } = {}) {
  const end = Date.now() + POLL_MS.end;
  for (let pause = POLL_MS.first; Date.now() < end; pause = Math.min(pause * POLL_MS.grow, POLL_MS.most)) {
    let patience = pause;
    try {
      const answer = await client.orderStatus(order, key, { signal });
      if (answer.status === 'posted' && answer.receipt) return answer.receipt;
      if (answer.status === 'pending') onPending?.();
    } catch (error) {
      if (error.code !== 'network' && error.status !== 429 && error.status < 500) throw error;
      patience = Math.max(pause, error.retryAfter * 1000);
    }
    await calm(patience, signal);
  }
  return null;
}

/** A pause that ends early when the buyer comes back from the wallet. */
async function calm(ms, signal) {
  const early = new AbortController();
  const wake = () => early.abort();
  addEventListener('focus', wake);
  document.addEventListener('visibilitychange', wake);
  try {
    await sleep(ms, AbortSignal.any ? AbortSignal.any([signal, early.signal]) : signal);
  } catch (error) {
    if (signal.aborted) throw error;
  } finally {
    removeEventListener('focus', wake);
    document.removeEventListener('visibilitychange', wake);
  }
}
