// `npm test`: sets up, builds, runs every suite, prints a table. `--soak` runs the full counts,
// `--only PATTERN` the suites whose name matches ("native", "fuzz", or a file of node:test).
import './boot.mjs';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { TARGETS, fuzz, stopFuzzing } from './fuzz.mjs';
import { Told, capture, inRoot, main, onEnd, seconds, spawnGuarded, step, stopGroup } from './proc.mjs';
import { setUpTests } from './setup.mjs';
import { VECTORS, WORKERS } from './workers.mjs';

// Only ends what hangs: every wait within a suite has a limit of its own. Generous, because a shared
// machine may give us a tenth of its cores for minutes.
const SUITE_MS = { short: 25 * 60_000, soak: 120 * 60_000 };

function options(args) {
  const at = args.indexOf('--only');
  const only = at >= 0 ? new RegExp(args[at + 1] ?? '') : /./;
  return { soak: args.includes('--soak'), only };
}

/** Counts from cargo's "test result" lines, and one line per crate that has tests. */
function readCargo(out) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let crate = '';
  for (const line of out.split('\n')) {
    const running = /^\s+(?:Running .*\/deps\/([a-z0-9_]+)-[0-9a-f]+|Doc-tests (\w+))/.exec(line);
    if (running) crate = running[1] ?? `${running[2]} (examples)`;
    // What the simulator sums up, past the capture of its tests.
    if (line.startsWith('    sim ')) console.log(line);
    const found = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/.exec(line);
    if (!found) continue;
    const [passed, failed, skipped] = found.slice(1).map(Number);
    counts.passed += passed;
    counts.failed += failed;
    counts.skipped += skipped;
    if (passed + failed) console.log(`    ${crate}: ${passed} passed, ${failed} failed`);
  }
  return counts;
}

// The workspace is tested as programs are built, with the machine's own AES; cryptography
// once more as workers have it, without.
const NATIVE = {
  native: ['--workspace'],
  'native-pure': ['-p', 'satchel-crypto'],
};

async function nativeSuite(name, env) {
  let result;
  await step(`native tests (cargo test ${NATIVE[name].join(' ')})`, async (tell) => {
    const args = ['test', ...NATIVE[name], '--no-fail-fast'];
    result = await capture('cargo', args, { onLine: tell, env });
  });
  const counts = readCargo(result.out);
  if (result.code !== 0) console.log(result.out);
  // A crate that does not compile has no result line of its own; and no test at all is no success.
  if (result.code !== 0 || counts.passed === 0) counts.failed ||= 1;
  return counts;
}

// Enough to see that what was found before stays mended; a soak looks for more.
const FUZZ_SECONDS = { short: 4, soak: 300 };

async function fuzzSuite(soak) {
  const rows = await fuzz(TARGETS, soak ? FUZZ_SECONDS.soak : FUZZ_SECONDS.short);
  const failed = rows.filter((row) => row.failed).length;
  return { passed: rows.length - failed, failed, skipped: 0 };
}

/** Runs one file of node:test, its own report on the terminal, its counts from the TAP summary. */
async function nodeSuite(file, env, limitMs) {
  const folder = mkdtempSync(join(tmpdir(), 'satchel-test-'));
  const tap = join(folder, 'result.tap');
  const args = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  args.push('--test-reporter=tap', `--test-reporter-destination=${tap}`, file);
  const child = spawnGuarded(process.execPath, args, { stdio: 'inherit', env });
  running = child;
  const timer = setTimeout(() => {
    console.log(`${file}: stopped after ${limitMs / 60_000} minutes`);
    stopGroup(child);
  }, limitMs);
  const code = await new Promise((done) => child.once('exit', (status) => done(status ?? 1)));
  clearTimeout(timer);
  const summary = existsSync(tap) ? readFileSync(tap, 'utf8') : '';
  rmSync(folder, { recursive: true, force: true });
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)`, 'm').exec(summary)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  const counts = { passed: count('pass'), failed, skipped: count('skipped') + count('todo') };
  // A suite that dies, or tests nothing, has not passed.
  if ((code !== 0 || counts.passed === 0) && !failed) counts.failed = 1;
  return counts;
}

// Cheap ones first, so that a slip shows early.
const FOLDERS = ['tests', 'sdk/js/test', 'e2e', 'e2e/browser'];
const nodeFiles = () =>
  FOLDERS.flatMap((folder) => {
    const names = existsSync(inRoot(folder)) ? readdirSync(inRoot(folder)).sort() : [];
    return names.filter((name) => name.endsWith('.test.mjs')).map((name) => join(folder, name));
  });

function printTable(rows) {
  const width = Math.max(...rows.map(({ name }) => name.length), 5);
  const cell = (value) => String(value).padStart(9);
  console.log(`\n${'suite'.padEnd(width)}${['passed', 'failed', 'skipped', 'seconds'].map(cell).join('')}`);
  for (const { name, passed, failed, skipped, took } of rows) {
    console.log(`${name.padEnd(width)}${[passed, failed, skipped, took.toFixed(1)].map(cell).join('')}`);
  }
}

let running;

await main(async () => {
  const began = Date.now();
  const { soak, only } = options(process.argv.slice(2));
  onEnd(() => Promise.all([running && stopGroup(running), stopFuzzing()]));
  const programs = await setUpTests();
  await build([...WORKERS, VECTORS]);
  const env = { ...process.env, CHROMIUM: programs.chromium, FFMPEG: programs.ffmpeg };
  if (soak) env.SATCHEL_SOAK = '1';
  const limitMs = soak ? SUITE_MS.soak : SUITE_MS.short;
  const suites = Object.keys(NATIVE).map((name) => [name, () => nativeSuite(name, env)]);
  suites.push(['fuzz', () => fuzzSuite(soak)]);
  for (const file of nodeFiles()) suites.push([file, () => nodeSuite(file, env, limitMs)]);
  const rows = [];
  for (const [name, run] of suites.filter(([suite]) => only.test(suite))) {
    console.log(`\n== ${name}`);
    const from = Date.now();
    rows.push({ name, ...(await run()), took: (Date.now() - from) / 1000 });
  }
  if (!rows.length) throw new Told('No suite of that name.');
  printTable(rows);
  const sum = (field) => rows.reduce((total, row) => total + row[field], 0);
  console.log(`\n${seconds(began)} in all`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') > 0 || sum('passed') === 0 ? 1 : 0;
});
