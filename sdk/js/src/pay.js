// Paying an issuer's 402 by other people's clients: a scheme for x402's, and credentials of the `Payment`
// authentication scheme. Either way the payment is an order of docs/API.md §2 with a proof of possession.
import { b64uDecode, b64uEncode, utf8 } from './bytes.js';
import { SatchelClient } from './client.js';
import { SatchelError } from './errors.js';
import { makeProof } from './proof.js';

const fromText = (bytes) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));

/**
 * Who pays.
 * @typedef {object} Payer
 * @property {string} issuer the origin that is trusted to sell; demands of others are refused
 * @property {string} account @property {import('./keys.js').Key} key delegated by the account with scope `spend`
 * @property {import('./keys.js').Key} [receiptKey] the key the receipt is for; `key` unless given
 * @property {string} [method] of the request that is paid, `GET` unless given
 * @property {(paid: {order: string, jws: string}) => unknown} [keep] called before anything is sent: keep it, and a lost answer is
 *   asked for again by sending the same order
 */

/** @param {Payer} payer @param {object} details `{ledger, quote, terms_digest, usd_micros, version, work}` @param {string} amount millisatoshi */
async function pay({ issuer, account, key, receiptKey = key, method = 'GET', keep }, details, amount) {
  const client = new SatchelClient({ issuer });
  const msat = Number(amount);
  if (!Number.isSafeInteger(msat) || msat < 0) throw new SatchelError('malformed', 'The price is no amount of millisatoshi');
  const { order, jws } = await client.makeOrder({ key, account, cnf: receiptKey.jkt, quote: { ...details, msat } });
  const proof = await makeProof(receiptKey, { issuer, method, path: `/v1/keys/${details.work}`, token: jws });
  await keep?.({ order, jws });
  return { order, payload: { order: jws, proof } };
}

/**
 * A scheme client for `@x402/core`: `new x402Client().register('satchel:*', new SatchelScheme(payer))`.
 * x402's spending limits know no millisatoshi until they are told: `setSpendControls({ allowedAssets: [{ network:
 * 'satchel:test', asset: 'msat', maxAmountPerPayment: '500000' }] })`.
 */
export class SatchelScheme {
  scheme = 'exact';

  /** @param {Payer} payer */
  constructor(payer) {
    this.payer = payer;
  }

  /** @param {1|2} x402Version @param {{scheme: string, network: string, amount?: string, maxAmountRequired?: string, extra: object}} required */
  async createPaymentPayload(x402Version, required) {
    const { scheme, network } = required;
    const { order, payload } = await pay(this.payer, required.extra, required.amount ?? required.maxAmountRequired);
    if (x402Version === 1) return { x402Version, scheme, network, payload };
    // The order's id is the idempotency key already.
    return { x402Version, payload, extensions: { 'payment-identifier': { info: { id: order } } } };
  }
}

/**
 * @param {string} header a `WWW-Authenticate` of the `Payment` scheme (draft-httpauth-payment)
 * @returns {Record<string, string>} its parameters
 * @throws {SatchelError} `malformed`
 */
export function readChallenge(header) {
  const [, list] = /^\s*Payment\s+(.*)$/is.exec(header) ?? [];
  const parameters = Object.fromEntries([...(list ?? '').matchAll(/([a-z]+)="([^"\\]*)"/gi)].map(([, name, value]) => [name.toLowerCase(), value]));
  for (const name of ['id', 'realm', 'method', 'intent', 'request']) {
    if (parameters[name] === undefined) throw new SatchelError('malformed', `The challenge has no ${name}`);
  }
  return parameters;
}

/**
 * @param {string} header the challenge @param {Payer} payer
 * @returns {Promise<string>} value of `Authorization`
 * @throws {SatchelError} `malformed`, or `wrong_issuer` where somebody else asks for the money
 */
export async function paymentCredential(header, payer) {
  const challenge = readChallenge(header);
  if (challenge.method !== 'satchel' || challenge.intent !== 'charge') throw new SatchelError('malformed', 'Not a payment this wallet can make');
  if (challenge.realm !== payer.issuer) throw new SatchelError('wrong_issuer', 'Another shop asks for this payment');
  const { amount, currency, methodDetails } = fromText(b64uDecode(challenge.request));
  if (currency !== 'msat') throw new SatchelError('malformed', 'Not a currency this wallet has');
  const { payload } = await pay(payer, methodDetails, amount);
  return `Payment ${b64uEncode(utf8(JSON.stringify({ challenge, payload })))}`;
}
