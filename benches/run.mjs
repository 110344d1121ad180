// `npm run bench`: measures every row against its peer and compares with the goals. One JSON line
// per row on stdout (beside the build's own lines), all else on stderr. See README.md.
//   --quick          short runs of the main rows, a minute or two
//   --smoke          each row once for an instant: does it run, does its twin answer alike
//   --rows A,B       only rows whose name contains one of these
//   --rounds N       rounds of A, B, B, A
//   --seconds N      length of one run
//   --profile        what the parts of a purchase cost
//   --no-build       measure what is built (so does --smoke)
import '../tools/boot.mjs';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Told, inRoot, main, onEnd } from '../tools/proc.mjs';
import { build } from '../tools/build.mjs';
import { setUpBuild } from '../tools/setup.mjs';
import { check, report } from './check.mjs';
import { startLoad } from './measure.mjs';
import { PROFILE } from './profile.mjs';
import { ROWS } from './rows.mjs';
import { startStack } from './serve.mjs';

const LENGTHS = {
  full: { rounds: 5, seconds: 4 },
  quick: { rounds: 2, seconds: 0.7 },
  smoke: { rounds: 1, seconds: 0.2 },
};

function readOptions() {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const known = { quick: flag, smoke: flag, profile: flag, rows: text, rounds: text, seconds: text };
  const { values } = parseArgs({ options: { ...known, 'no-build': flag } });
  const { quick, smoke, profile } = values;
  const length = LENGTHS[smoke ? 'smoke' : quick ? 'quick' : 'full'];
  const number = (name) => (values[name] === undefined ? length[name] : Number(values[name]));
  const [rounds, seconds] = [number('rounds'), number('seconds')];
  if (!(rounds >= 1 && seconds > 0)) throw new Told('--rounds and --seconds are numbers above 0.');
  const wanted = values.rows?.split(',');
  return { quick, smoke, profile, rounds, seconds, wanted, build: !smoke && !values['no-build'] };
}

function chosen({ wanted, quick, smoke, profile }) {
  const all = Object.entries(profile ? PROFILE : ROWS);
  if (wanted) return all.filter(([name]) => wanted.some((part) => name.includes(part)));
  return all.filter(([, row]) => (!quick || row.quick) && !(smoke && row.smoke === false));
}

/** The rows again, for people. */
function printTable(rows) {
  const columns = ['cpu_us', 'peer_cpu_us', 'ratio_cpu', 'rps', 'peer_rps', 'ratio_rps', 'p50', 'p99', 'load1'];
  const line = (name, cells) => name.padEnd(44) + cells.map((cell) => String(cell).padStart(12)).join('');
  console.error(`\n${line('', columns)}`);
  for (const row of rows) if (row.cpu_us) console.error(line(row.name, columns.map((name) => row[name] ?? '')));
  console.error('');
}

/** What the rows share, started when the first of them asks for it. */
function makeBench(options) {
  const held = new Map();
  const once = (name, make) => {
    if (!held.has(name)) held.set(name, make());
    return held.get(name);
  };
  const stop = async () => {
    const values = await Promise.allSettled(held.values());
    for (const { value } of values) await value?.stop?.();
  };
  const stack = (kind, how = {}) => once(`stack ${kind} ${JSON.stringify(how)}`, () => startStack(kind, how));
  return { ...options, once, stop, stack };
}

async function measure(bench, rows) {
  const found = [];
  for (const [name, { run }] of rows) {
    console.error(`… ${name}`);
    for (const row of [await run(bench)].flat()) {
      found.push(row);
      console.log(JSON.stringify(row));
    }
  }
  return found;
}

await main(async () => {
  if (!existsSync('/proc/self/stat')) throw new Told('The benches read /proc: they run on Linux.');
  const options = readOptions();
  const rows = chosen(options);
  if (!rows.length) throw new Told(`No such row; there are: ${Object.keys(ROWS).join(', ')}`);
  if (options.build) {
    await setUpBuild();
    await build();
  }
  const bench = makeBench(options);
  bench.load = startLoad();
  onEnd(() => bench.stop());
  let found;
  try {
    found = await measure(bench, rows);
  } finally {
    await bench.stop();
  }
  printTable(found);
  if (options.smoke || options.profile) return 0;
  mkdirSync(inRoot('benches', 'results'), { recursive: true });
  const file = inRoot('benches', 'results', 'last.jsonl');
  writeFileSync(file, found.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return report(check(found)) ? 1 : 0;
});
