// Every row of `npm run bench` runs, and each twin answers what our workers answer: a bench that
// compares different work would measure nothing. The figures of so short a run mean nothing and are not looked at.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { check } from '../benches/check.mjs';
import { inRoot } from '../tools/proc.mjs';

test('every row of the benches runs, and its peer answers alike', { timeout: 240_000 }, async () => {
  const child = spawn(process.execPath, [inRoot('benches', 'run.mjs'), '--smoke'], { cwd: inRoot(), stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let said = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (said += data));
  const code = await new Promise((done) => child.once('exit', done));
  assert.equal(code, 0, said.slice(-4000));
  const found = out.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const rows = found.map(({ name }) => name);
  for (const row of ['hello', 'frame', 'widget bytes', 'widget page', 'widget page, 4x slower', 'tap', 'range 64 KiB', 'range 1 MiB', 'purchase', 'purchase with pickup', 'purchase on disk', 'account', 'account, whole', 'account on disk', 'settlement', 'journal', 'journal, balance', 'hls gate 64 KiB', 'hls gate refusal', 'hls open 1 MiB', 'stream window', 'writes, one', 'writes, retry', 'presign aws4fetch', 'presign sdk', 'presign endpoint', 'webcrypto workerd seal', 'webcrypto Chromium unpack']) {
    assert.ok(rows.includes(row), `${row} is not among ${rows.join(', ')}`);
  }
  // Counts are exact however short the run.
  const limits = check(found).filter(({ name }) => name.startsWith('writes'));
  assert.deepEqual(limits.filter(({ verdict }) => verdict !== 'ok'), []);
  assert.ok(limits.length >= 2);
});
