// Amounts as this shop shows them: dollars at the present rate where there is one, else Bits.
import { formatUsd, msatToUsd } from '../../../../sdk/js/src/money.js';
import { exactBits } from '../../wallet/money.js';
import { here } from './words.js';

/** Cut to cents, below one cent to the hundredth of one: what is shown is never more than there is. */
function cut(micros) {
  const step = micros >= 10_000 ? 10_000 : 100;
  return micros - (micros % step);
}

/** @param {number} micros @returns {string} */
export const usd = (micros) => formatUsd(micros, here);

/**
 * @param {number} msat may be below 0 @param {number} [rate] usd_micros_per_btc
 * @returns {string}
 */
export function money(msat, rate) {
  const sign = msat < 0 ? '−' : '';
  const size = Math.abs(msat);
  return sign + (rate ? usd(cut(msatToUsd(size, rate))) : exactBits(size, here));
}

/** @param {number} msat @returns {string} with every digit there is */
export const bits = (msat) => (msat < 0 ? '−' : '') + exactBits(Math.abs(msat), here);

/** @param {number} n @returns {string} */
export const number = (n) => n.toLocaleString(here);
