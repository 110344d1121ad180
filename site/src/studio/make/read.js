// Reads what people type into the form. Pure; each throws `Wrong` with words for the place beside the field.
import { MIN_PRICE, formatUsd, parseUsd } from '../../../../sdk/js/src/money.js';
import { MAX_COPIES } from '../../../../sdk/js/src/terms.js';

/** Something that the person has to write differently. */
export class Wrong extends Error {}

export const MAX_DESCRIPTION = 2000;
export const MAX_SUGGESTIONS = 4;
export const MAX_COLLABORATORS = 16;
/** Hundredths of a percent that collaborators may have together: the creator keeps one at least. */
export const MAX_SHARED_BPS = 9_999;

/** @param {string} text @param {object} t the catalogue @param {string} locale @returns {number} usd_micros */
export function readPrice(text, t, locale) {
  let micros;
  try {
    micros = parseUsd(text);
  } catch (error) {
    throw new Wrong({ digits: t.priceDigits, most: t.priceMost }[error.members?.why] ?? t.priceForm);
  }
  if (micros < MIN_PRICE) throw new Wrong(t.priceLeast(formatUsd(MIN_PRICE, locale)));
  return micros;
}

/** @returns {number|undefined} copies; undefined where they are not counted */
export function readCount(text, t, locale) {
  // Thousands may be grouped; a point or comma anywhere else is no whole number.
  const written = text.trim();
  const digits = /^\d{1,3}([\s,.'’]\d{3})+$/.test(written) ? written.replace(/\D/g, '') : written;
  if (digits === '') return undefined;
  const count = Number(digits);
  if (!/^\d{1,9}$/.test(digits) || count < 1) throw new Wrong(t.countBad);
  if (count > MAX_COPIES) throw new Wrong(t.countMost(MAX_COPIES.toLocaleString(locale)));
  return count;
}

/** @param {string} text `12.5`, `12,5 %` @returns {number} hundredths of a percent, 1 … 9,999 */
export function readPercent(text, t) {
  const match = /^(\d{1,2})(?:[.,](\d{1,2}))?\s*%?$/.exec(text.trim());
  const bps = match ? Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0')) : 0;
  if (bps < 1) throw new Wrong(t.splitPercentBad);
  return bps;
}

/** @param {string} text @returns {string} an account id: the thumbprint of a root key */
export function readAccountId(text, t) {
  const id = text.trim();
  if (!/^[A-Za-z0-9_-]{43}$/.test(id)) throw new Wrong(t.splitAccountBad);
  return id;
}

/**
 * Divides what is left after the fee, as the ledger does: every share rounded down, what remains by largest remainder,
 * the creator's own share among them. Exact: the parts are the whole.
 * @param {number} net msat @param {number[]} bps of the collaborators @returns {{shares: number[], rest: number}} msat
 */
export function divide(net, bps) {
  const all = [...bps, 10_000 - bps.reduce((sum, one) => sum + one, 0)];
  const parts = all.map((one, i) => ({ i, floor: (BigInt(net) * BigInt(one)) / 10_000n, remainder: (BigInt(net) * BigInt(one)) % 10_000n }));
  let left = BigInt(net) - parts.reduce((sum, { floor }) => sum + floor, 0n);
  for (const part of [...parts].sort((a, b) => Number(b.remainder - a.remainder) || a.i - b.i)) {
    if (left === 0n) break;
    part.floor += 1n;
    left -= 1n;
  }
  const amounts = parts.map(({ floor }) => Number(floor));
  return { shares: amounts.slice(0, -1), rest: amounts.at(-1) };
}
