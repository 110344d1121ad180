// Money is integers only: `usd_micros` (millionths of a dollar) and msat (1 Bit = 100,000 msat).
import { SatchelError, check } from './errors.js';

const MSAT_PER_BTC = 100_000_000_000n;
const MSAT_PER_BIT = 100_000n;
/** The smallest price of a work: $0.0001. */
export const MIN_PRICE = 100;
/** The largest price the pages accept: a million dollars, far below 2^53. */
export const MAX_PRICE = 1_000_000_000_000;

/**
 * Reads a price as people type it: `1`, `0.50`, `$ .25`, `1,000.00`, `0,99`. Never goes through a float.
 * @param {string} text
 * @returns {number} usd_micros
 * @throws {SatchelError} `bad_price` with words for the form; `members.why` is `form`, `digits` or `most` for words in other languages
 */
export function parseUsd(text) {
  let cleaned = String(text).trim().replace(/^\$\s*/, '').replace(/\s*\$$/, '').trim();
  // Commas that group thousands go; one comma that can only be a decimal comma becomes a point.
  if (/^[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/.test(cleaned)) cleaned = cleaned.replaceAll(',', '');
  else if (/^\d*,\d{1,6}$/.test(cleaned)) cleaned = cleaned.replace(',', '.');
  const match = /^(\d*)(?:\.(\d*))?$/.exec(cleaned);
  if (!match || !(match[1] || match[2])) throw badPrice('Write the price in dollars, for example 0.50', 'form');
  const [, whole, part = ''] = match;
  if (part.replace(/0+$/, '').length > 6) throw badPrice('At most six digits after the point', 'digits');
  if (whole.length > 7) throw badPrice('At most $1,000,000', 'most');
  const micros = Number(whole || '0') * 1_000_000 + Number(part.slice(0, 6).padEnd(6, '0'));
  if (micros > MAX_PRICE) throw badPrice('At most $1,000,000', 'most');
  return micros;
}

const badPrice = (title, why) => new SatchelError('bad_price', title, { members: { why } });

/** @param {number} micros @returns {string} exact decimal dollars without a sign of currency, `0.50`, `0.0001` */
export function usdText(micros) {
  check(Number.isSafeInteger(micros) && micros >= 0, 'not an amount of money');
  const part = String(micros % 1_000_000).padStart(6, '0').replace(/0{1,4}$/, '');
  return `${Math.floor(micros / 1_000_000)}.${part}`;
}

/** @param {number} micros @param {string} [locale] @returns {string} for people: `$0.50`, `$0.0001` */
export function formatUsd(micros, locale) {
  // Intl takes a decimal string exactly; a Number of dollars would be a float.
  const text = usdText(micros);
  return new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: 6 }).format(text);
}

/** @param {number} msat @param {string} [locale] @returns {string} `5.56 Bits`: at least three significant digits, cut, never rounded up */
export function formatBits(msat, locale) {
  check(Number.isSafeInteger(msat) && msat >= 0, 'not an amount of money');
  const value = BigInt(msat);
  const whole = value / MSAT_PER_BIT;
  const part = String(value % MSAT_PER_BIT).padStart(5, '0');
  let keep = whole >= 100n ? 0 : 2;
  if (whole === 0n) keep = Math.min(5, Math.max(2, part.search(/[1-9]/) + 3));
  const digits = part.slice(0, keep).replace(/0+$/, '');
  const text = digits ? `${whole}.${digits}` : `${whole}`;
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 5 }).format(text);
  return `${number} ${text === '1' ? 'Bit' : 'Bits'}`;
}

/**
 * As the ledger does it: rounded half up, once.
 * @param {number} micros usd_micros @param {number} rate usd_micros_per_btc
 * @returns {number} msat
 */
export function usdToMsat(micros, rate) {
  check(Number.isSafeInteger(micros) && micros >= 0 && Number.isSafeInteger(rate) && rate > 0, 'not an amount or a rate');
  const twice = (2n * BigInt(micros) * MSAT_PER_BTC) / BigInt(rate);
  const msat = Number((twice + 1n) / 2n);
  check(Number.isSafeInteger(msat), 'amount beyond 2^53 − 1 msat');
  return msat;
}

/** Dollars an amount is worth, cut down; for balances, not for paying. @param {number} msat @param {number} rate @returns {number} usd_micros */
export const msatToUsd = (msat, rate) => Number((BigInt(msat) * BigInt(rate)) / MSAT_PER_BTC);

/** What a creator keeps: the fee is rounded down, in the creator's favour. @param {number} amount @param {number} bps hundredths of a percent @returns {number} */
export const afterFee = (amount, bps) => amount - Number((BigInt(amount) * BigInt(bps)) / 10_000n);
