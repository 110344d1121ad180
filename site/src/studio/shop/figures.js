// Sums for people. Pure, in integers: amounts never go through a float.

/**
 * What is left to the creator of sums: after the fee, and after refunds, whose part of the fee came back.
 * @param {{gross_msat: number, fee_msat: number, refunded_msat: number}} totals @returns {number} msat; below 0 where more was paid back than sold
 */
export function earned({ gross_msat, fee_msat, refunded_msat }) {
  const [gross, fee, refunded] = [gross_msat, fee_msat, refunded_msat].map(BigInt);
  const returned = gross > 0n ? (fee * refunded) / gross : 0n;
  return Number(gross - fee - refunded + returned);
}

const NOTHING = { sold: 0, given: 0, usd_micros: 0, gross_msat: 0, fee_msat: 0, refunded_msat: 0, views: 0, plays: 0, played_s: 0 };

/** @param {object[]} all totals @returns {object} */
export function sum(all) {
  const totals = { ...NOTHING };
  for (const one of all) for (const name of Object.keys(totals)) totals[name] += one[name];
  return totals;
}

const DAY_MS = 86_400_000;
const dayNumber = (day) => Math.floor(Date.parse(`${day}T00:00:00Z`) / DAY_MS);
const dayName = (number) => new Date(number * DAY_MS).toISOString().slice(0, 10);

/**
 * One column for each day, or for each week where there would be too many to see.
 * @param {{from: string, to: string, days: {day: string, totals: object}[]}} stats
 * @returns {{day: string, days: number, totals: object}[]} oldest first
 */
export function columns({ from, to, days }) {
  const known = new Map(days.map(({ day, totals }) => [dayNumber(day), totals]));
  const [first, last] = [dayNumber(from), dayNumber(to)];
  const width = last - first + 1 > 100 ? 7 : 1;
  const found = [];
  // The newest week is whole: it is the one that is looked at.
  for (let end = last; end >= first; end -= width) {
    const begin = Math.max(first, end - width + 1);
    const of = Array.from({ length: end - begin + 1 }, (_, i) => known.get(begin + i)).filter(Boolean);
    found.unshift({ day: dayName(begin), days: width, totals: sum(of) });
  }
  return found;
}

/** The top of an axis: a round number not below the value. @param {number} value @returns {number} */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((top) => top >= value);
}
