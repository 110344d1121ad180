import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterFee, formatBits, formatUsd, msatToUsd, parseUsd, usdText, usdToMsat } from '../src/money.js';

test('dollars are read exactly', () => {
  const good = { 0: 0, 1: 1_000_000, '0.50': 500_000, '.25': 250_000, '$3': 3_000_000, '$ 0.0001': 100, '0.000001': 1, '1,000': 1_000_000_000, '234,567.89': 234_567_890_000, '0,500': 500_000, '0,99': 990_000, '1.': 1_000_000, '0.29': 290_000, '2.10000000': 2_100_000, '5 $': 5_000_000, 1000000: 1_000_000_000_000 };
  for (const [text, micros] of Object.entries(good)) assert.equal(parseUsd(text), micros, text);
  for (const text of ['', ' ', '$', '.', '-1', '+1', '1e3', '0x10', '1.2.3', '1 000', '١', 'free', '0.0000001', '1000000.01', '99999999', '1,00,0', 'NaN', 'Infinity']) {
    assert.throws(() => parseUsd(text), { code: 'bad_price' }, text);
  }
});

test('dollars are written exactly and back', () => {
  for (const micros of [0, 1, 100, 10_000, 500_000, 1_000_000, 123_456_789, 999_999_999_999]) assert.equal(parseUsd(usdText(micros)), micros);
  assert.equal(usdText(500_000), '0.50');
  assert.equal(formatUsd(500_000, 'en-US'), '$0.50');
  assert.equal(formatUsd(100, 'en-US'), '$0.0001');
  assert.equal(formatUsd(1_234_560_000, 'en-US'), '$1,234.56');
});

test('Bits at a rate, rounded half up once', () => {
  assert.equal(usdToMsat(500_000, 90_000_000_000), 555_556);
  assert.equal(usdToMsat(1, 100_000_000_000), 1);
  assert.equal(usdToMsat(1, 200_000_000_000), 1, 'half rounds up');
  assert.equal(usdToMsat(1, 200_000_000_001), 0);
  assert.throws(() => usdToMsat(1_000_000_000_000, 1_000_000), { code: 'malformed' }, 'beyond 2^53 − 1');
  assert.equal(msatToUsd(555_556, 90_000_000_000), 500_000);
  assert.equal(afterFee(999, 500), 950, 'the fee of 49.95 is cut to 49');
  assert.equal(afterFee(0, 500), 0);
  assert.throws(() => usdToMsat(1, 0));
});

test('Bits for people', () => {
  const cases = { 0: '0 Bits', 100_000: '1 Bit', 555_556: '5.55 Bits', 150_000: '1.5 Bits', 11_111: '0.111 Bits', 111: '0.00111 Bits', 1: '0.00001 Bits', 99_999_999: '999 Bits', 1_234_500_000: '12,345 Bits' };
  for (const [msat, text] of Object.entries(cases)) assert.equal(formatBits(Number(msat), 'en-US'), text);
});
