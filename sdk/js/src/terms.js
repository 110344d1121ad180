// How a work is offered (docs/API.md §2): price, use, and where copies are counted, how many are free or there at all.
import { b64uEncode, sha256, utf8 } from './bytes.js';
import { check } from './errors.js';
import { checkMembers } from './json.js';

/** @typedef {{usd_micros: number, use: 'download'|'stream', pay_more: boolean, giveaway?: number, limit?: number}} Terms */

/** Most copies of a giveaway or a limited edition. */
export const MAX_COPIES = 1_000_000;

const whole = (value, from, to = Number.MAX_SAFE_INTEGER) => Number.isSafeInteger(value) && value >= from && value <= to;

/** The three members that a manifest has too. @param {unknown} terms @param {string[]} [optional] @throws {SatchelError} `malformed` */
export function checkTerms(terms, optional = []) {
  checkMembers(terms, ['usd_micros', 'use', 'pay_more'], optional, 'terms');
  check(whole(terms.usd_micros, 0), 'terms: usd_micros');
  check(terms.use === 'download' || terms.use === 'stream', 'terms: use');
  check(typeof terms.pay_more === 'boolean', 'terms: pay_more');
  for (const name of optional) check(terms[name] === undefined || whole(terms[name], 1, MAX_COPIES), `terms: ${name}`);
}

/** The members of an offer in the order of their canonical form, without those that are not set. @param {Terms} terms @returns {Terms} */
export function canonicalTerms({ giveaway, limit, pay_more, usd_micros, use }) {
  return { ...(giveaway !== undefined && { giveaway }), ...(limit !== undefined && { limit }), pay_more, usd_micros, use };
}

/** @param {Terms} terms @returns {Promise<string>} SHA-256 of the members in JCS order */
export async function termsDigest(terms) {
  checkTerms(terms, ['giveaway', 'limit']);
  return b64uEncode(await sha256(utf8(JSON.stringify(canonicalTerms(terms)))));
}

/**
 * What is left of counted copies, by what the issuer says now.
 * @param {{terms: Terms, stock?: {sold: number, given: number}}} record
 * @returns {{free: number, left: number}} `left` is Infinity where copies are not limited
 */
export function copiesLeft({ terms, stock = { sold: 0, given: 0 } }) {
  const left = terms.limit === undefined ? Infinity : Math.max(0, terms.limit - stock.sold);
  return { free: Math.min(left, Math.max(0, (terms.giveaway ?? 0) - stock.given)), left };
}
