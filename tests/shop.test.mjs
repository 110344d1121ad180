// The figures of the studio's shop: exact sums, and columns that a person can read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columns, earned, roundUp, sum } from '../site/src/studio/shop/figures.js';

const totals = (more) => ({ ...sum([]), ...more });

test('what was earned is what is left after fee and refunds, whose part of the fee came back', () => {
  assert.equal(earned(totals({ gross_msat: 1_000_000, fee_msat: 50_000 })), 950_000);
  assert.equal(earned(totals({ gross_msat: 1_000_000, fee_msat: 50_000, refunded_msat: 1_000_000 })), 0);
  assert.equal(earned(totals({ gross_msat: 1_000_000, fee_msat: 50_000, refunded_msat: 333_333 })), 633_333);
  // A day on which only a sale of before was paid back.
  assert.equal(earned(totals({ refunded_msat: 7 })), -7);
  // No float on the way.
  assert.equal(earned(totals({ gross_msat: 9_007_199_254_740_991, fee_msat: 1 })), 9_007_199_254_740_990);
});

test('every day has a column, a year has one for each week, the newest whole', () => {
  const days = [{ day: '2026-11-23', totals: totals({ sold: 2 }) }, { day: '2026-11-25', totals: totals({ sold: 3 }) }];
  const week = columns({ from: '2026-11-19', to: '2026-11-25', days });
  assert.deepEqual(week.map((column) => column.totals.sold), [0, 0, 0, 0, 2, 0, 3]);
  assert.deepEqual([week[0].day, week.at(-1).day], ['2026-11-19', '2026-11-25']);
  const year = columns({ from: '2025-11-26', to: '2026-11-25', days });
  assert.equal(year.length, 53);
  assert.deepEqual([year.at(-1).day, year.at(-1).totals.sold], ['2026-11-19', 5]);
  assert.equal(year[0].day, '2025-11-26');
  // Over a change of the clocks nothing is skipped or doubled.
  const march = columns({ from: '2026-03-27', to: '2026-03-31', days: [] });
  assert.deepEqual(march.map(({ day }) => day.slice(-2)), ['27', '28', '29', '30', '31']);
});

test('an axis ends at a round number, not below what it shows', () => {
  for (const [value, top] of [[0, 1], [1, 1], [3, 5], [12, 20], [21, 25], [26, 50], [99, 100], [101, 200], [1_900_000, 2_000_000]]) assert.equal(roundUp(value), top, String(value));
});
