// What the studio's form makes of what people type, and of names that files bring along.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanLine, cleanLines, cleanName, hasUnfit, titleFrom } from '../site/src/studio/make/names.js';
import { cropOf } from '../site/src/studio/make/pictures.js';
import { Wrong, divide, readAccountId, readCount, readPercent, readPrice } from '../site/src/studio/make/read.js';
import { text } from '../site/src/studio/make/text.js';

const t = text.en;
const price = (written) => readPrice(written, t, 'en');
const refused = (act, problem) => assert.throws(act, (error) => error instanceof Wrong && problem.test(error.message));

test('prices are decimal dollars from a hundredth of a cent to a million, and nothing else', () => {
  for (const [written, micros] of [['0.0001', 100], ['$ .25', 250_000], ['0,99', 990_000], ['1,000.00', 1_000_000_000], ['1000000', 1_000_000_000_000]]) assert.equal(price(written), micros, written);
  for (const written of ['1e9', '-1', '−1', 'NaN', '0.1+0.2', 'Infinity', '0x10', '', ' ', '1.2.3', '１']) refused(() => price(written), /in dollars/);
  refused(() => price('0.00009'), /smallest/);
  refused(() => price('0'), /smallest/);
  refused(() => price('0.1234567'), /six digits/);
  refused(() => price('1000000.01'), /At most/);
});

test('copies are whole numbers up to a million, grouped or not, or not counted', () => {
  assert.equal(readCount('', t, 'en'), undefined);
  for (const [written, count] of [['1', 1], ['1,000', 1000], ['1.000', 1000], ['1 000 000', 1_000_000]]) assert.equal(readCount(written, t, 'en'), count);
  for (const written of ['0', '1.5', '-3', '1e3', 'ten']) refused(() => readCount(written, t, 'en'), /whole number/);
  refused(() => readCount('1000001', t, 'en'), /At most/);
});

test('shares are hundredths of a percent, of accounts that can be', () => {
  for (const [written, bps] of [['0.01', 1], ['33,33 %', 3333], ['50', 5000], ['99.99', 9999], ['7.5', 750]]) assert.equal(readPercent(written, t), bps, written);
  for (const written of ['0', '100', '0.001', '-5', '1e1', '', 'half']) refused(() => readPercent(written, t), /percentage/);
  assert.equal(readAccountId(` ${'a'.repeat(43)} `, t), 'a'.repeat(43));
  for (const written of ['', 'a'.repeat(42), 'a'.repeat(44), `${'a'.repeat(42)}=`]) refused(() => readAccountId(written, t), /43/);
});

test('a sale is divided exactly, as the ledger does it', () => {
  assert.deepEqual(divide(95, [3000, 1]), { shares: [29, 0], rest: 66 });
  assert.deepEqual(divide(95, [3333]), { shares: [32], rest: 63 });
  assert.deepEqual(divide(0, [5000]), { shares: [0], rest: 0 });
  for (let net = 0; net < 2000; net += 7) {
    for (const bps of [[1], [9999], [3333, 3333], [5000, 2500, 1250, 625], Array(16).fill(600)]) {
      const { shares, rest } = divide(net, bps);
      assert.equal(shares.reduce((sum, one) => sum + one, rest), net);
      shares.forEach((share, i) => assert.ok(Math.abs(share - (net * bps[i]) / 10_000) < 1));
    }
  }
  const most = Number.MAX_SAFE_INTEGER;
  const { shares, rest } = divide(most, [1, 4999]);
  assert.equal(BigInt(shares[0]) + BigInt(shares[1]) + BigInt(rest), BigInt(most));
});

test('names of files become names to save under, without what controls or turns text', () => {
  assert.equal(cleanName('song\u202e3pm.exe'), 'song 3pm.exe');
  assert.equal(cleanName('a/b\\c\u0000.txt'), 'a_b_c .txt');
  for (const name of ['', '.', '..', '\u0007']) assert.equal(cleanName(name), 'file');
  const long = cleanName(`${'ü'.repeat(300)}.mp3`);
  assert.ok(new TextEncoder().encode(long).length <= 255 && long.endsWith('.mp3'));
  assert.equal(titleFrom('Night_Train \u202e.mp3', 'Untitled'), 'Night Train');
  assert.equal(titleFrom('.mp3', 'Untitled'), 'Untitled');
  assert.ok(hasUnfit('a\u2066b') && hasUnfit('a\u0007b') && !hasUnfit('<b>ü 👩‍🚀'));
  assert.equal(cleanLine('  a \n b '), 'a b');
  assert.equal(cleanLines('a  \r\nb\r\n'), 'a\nb');
});

test('a cover is cut from the middle', () => {
  assert.deepEqual(cropOf('square', 300, 100), { x: 100, y: 0, w: 100, h: 100 });
  assert.deepEqual(cropOf('wide', 160, 160), { x: 0, y: 35, w: 160, h: 90 });
  assert.deepEqual(cropOf('whole', 12, 7), { x: 0, y: 0, w: 12, h: 7 });
});
