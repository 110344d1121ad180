// Amounts for people. The ledger counts millisatoshi; nothing here goes through a float.
import { msatToUsd } from '../../../sdk/js/src/money.js';
import { locale, usd } from '../shared/i18n.js';

const MSAT_PER_BIT = 100_000n;

/**
 * Bits with every digit there is: 277,777 msat is 2.77777 Bits, not "about 2.8".
 * @param {number} msat
 * @returns {string}
 */
export function exactBits(msat) {
  const value = BigInt(msat);
  const whole = value / MSAT_PER_BIT;
  const part = String(value % MSAT_PER_BIT).padStart(5, '0').replace(/0+$/, '');
  const number = part ? `${whole}.${part}` : `${whole}`;
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: 5 }).format(number)} ${number === '1' ? 'Bit' : 'Bits'}`;
}

/**
 * About what an amount of Bits is worth, to the cent: for sums that were chosen in dollars.
 * @param {number} msat @param {number} rate usd_micros_per_btc
 * @returns {string}
 */
export function roughly(msat, rate) {
  const micros = msatToUsd(msat, rate);
  const step = micros >= 9_950 ? 10_000 : 100;
  return usd(Math.round(micros / step) * step);
}

/**
 * What an amount of Bits is worth in dollars, cut to cents (to the hundredth of a cent below one cent).
 * @param {number} msat @param {number} rate usd_micros_per_btc
 * @param {{up?: boolean}} [options] `up` for what is missing: cut, it would still be missing afterwards
 * @returns {string}
 */
export function worth(msat, rate, { up = false } = {}) {
  const micros = msatToUsd(msat, rate) + (up ? 1 : 0);
  const step = micros >= 10_000 ? 10_000 : 100;
  return usd(micros - (micros % step) + (up && micros % step ? step : 0));
}
