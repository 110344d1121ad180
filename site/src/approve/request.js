// What a page asks the wallet for: the fragment of this window's address. All of it is a stranger's input.
import { isOrderId, isWorkId, orderId } from '../../../sdk/js/src/ids.js';
import { thumbprint } from '../../../sdk/js/src/keys.js';
import { MAX_PRICE } from '../../../sdk/js/src/money.js';

/**
 * @typedef {object} Request
 * @property {string} order id under which the page waits for the receipt
 * @property {string} work
 * @property {string} jkt thumbprint of the key the receipt is for
 * @property {string} x that key's public half, where the page can keep the key; else ''
 * @property {number|undefined} usdMicros what the buyer chose to pay, where they did
 * @property {string} site origin of the page around the frame, or ''
 * @property {boolean} ask whether the press may have been meant for something else: then nothing is paid unasked
 * @property {boolean} believed whether our own page reported the site, rather than somebody's link
 * @property {string} returnTo where a same-tab purchase goes back to, or ''
 */

function originOf(address) {
  try {
    const { origin, protocol } = new URL(address);
    return protocol === 'https:' || protocol === 'http:' ? origin : '';
  } catch {
    return '';
  }
}

/** Only the work's own page: anything else would make the wallet a redirector for strangers. */
function workPage(address, issuer, work) {
  const page = `${issuer}/w/${work}`;
  return address === page ? page : '';
}

/**
 * @param {string} fragment with or without `#`
 * @param {{issuer: string, referrer: string}} context
 * @returns {Promise<Request|null>} null if it is not a complete request
 */
export async function readRequest(fragment, { issuer, referrer }) {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const [order, work, jkt] = ['order', 'work', 'jkt'].map((name) => given.get(name) ?? '');
  if (!isWorkId(work) || !isOrderId(order) || !/^[\w-]{43}$/.test(jkt)) return null;
  // The id's first eight bytes name the work; 12 characters and a bit of them.
  if (order.slice(0, 16) !== (await orderId(work)).slice(0, 16)) return null;
  const x = given.get('x') ?? '';
  if (x && (await thumbprint({ kty: 'OKP', crv: 'Ed25519', x }).catch(() => '')) !== jkt) return null;
  const usd = given.get('usd');
  if (usd !== null && !(/^\d{1,13}$/.test(usd) && Number(usd) <= MAX_PRICE)) return null;
  return {
    order,
    work,
    jkt,
    x,
    usdMicros: usd === null ? undefined : Number(usd),
    site: originOf(given.get('site') ?? ''),
    ask: given.get('ask') === '1',
    believed: originOf(referrer) === issuer,
    returnTo: workPage(given.get('return') ?? '', issuer, work),
  };
}
