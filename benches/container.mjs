// The container natively: sealing, opening, hashing and whole commands beside `age`, `rage` and `openssl`, file to
// file in memory. CPU seconds (user and system), which other people's work disturbs least.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { capture, inRoot, must, step, which } from '../tools/proc.mjs';
import { setUpBenches } from '../tools/setup.mjs';
import { median } from './measure.mjs';

const MIB = 1 << 20;
const GIB = 1024 * MIB;
const CHUNK = 16_384;
const SHM = '/dev/shm';
const digits = (value, most = 3) => Number(value.toPrecision(most));

/** Programs as people install them. */
async function build() {
  const target = process.env.CARGO_TARGET_DIR ?? inRoot('target');
  await step('satchel, optimised', (tell) => must('cargo', ['build', '--profile', 'cli', '-p', 'satchel-cli', '-p', 'satchel-bench'], { tell }));
  return { satchel: join(target, 'cli', 'satchel'), bench: join(target, 'cli', 'satchel-bench') };
}

/** Runs a program; its CPU and wall seconds by the shell's own `time`. */
async function timed(command, ...args) {
  const script = 'TIMEFORMAT="@ %U %S %R"; time "$0" "$@" >/dev/null';
  const { code, out } = await capture('bash', ['-c', script, command, ...args.map(String)]);
  const [, user, system, real] = /^@ ([\d.]+) ([\d.]+) ([\d.]+)$/m.exec(out) ?? [];
  if (code !== 0 || user === undefined) throw new Error(`${command} ${args[0]}: exit ${code}\n${out}`);
  return { cpu: Number(user) + Number(system), wall: Number(real) };
}

/** Most memory a program had at any time, MiB, from the kernel's own mark. */
function peakOf(command, ...args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let peak = 0;
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    const look = setInterval(() => {
      try {
        const [, kib] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
        peak = Math.max(peak, Number(kib ?? 0));
      } catch { /* it has just ended */ }
    }, 2);
    child.once('error', failed);
    child.once('exit', (code) => {
      clearInterval(look);
      if (code === 0) done(digits(peak / 1024));
      else failed(new Error(`${command} ${args[0]}: exit ${code}\n${said}`));
    });
  });
}

/** Both, or all of them, in turn, and the next round the other way round. */
async function alternated(rounds, jobs) {
  const names = Object.keys(jobs);
  const found = Object.fromEntries(names.map((name) => [name, []]));
  let load1 = 0;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 ? names.toReversed() : names) found[name].push(await jobs[name]());
    load1 = Math.max(load1, loadavg()[0]);
  }
  const mid = (name, field) => digits(median(found[name].map((one) => one[field])));
  const ratio = (name, peer) => digits(median(found[name].map((one, i) => found[peer][i].cpu / one.cpu)));
  return { mid, ratio, load1: digits(load1), noisy: load1 > 3 };
}

/** OpenSSL's own measurement of the same loop, bytes a second. */
async function opensslLoop(seconds, cores) {
  const args = ['speed', '-seconds', String(seconds), '-bytes', String(CHUNK), '-evp', 'aes-256-gcm'];
  if (cores > 1) args.push('-multi', String(cores));
  const out = await must('openssl', args);
  const [, thousands] = /^AES-256-GCM\s+([\d.]+)k/m.exec(out);
  return Number(thousands) * 1000;
}

async function hotLoop(bench, { rounds, seconds }) {
  const rows = [];
  for (const cores of new Set([1, availableParallelism()])) {
    const ratios = [];
    const rates = [];
    for (let round = 0; round < rounds; round += 1) {
      const ours = async () => {
        const [bytes, micros] = (await must(bench, ['loop', String(Math.ceil(seconds)), '-', String(cores)])).split(' ').map(Number);
        return (bytes / micros) * 1e6;
      };
      const theirs = () => opensslLoop(Math.ceil(seconds), cores);
      const [a, b] = round % 2 ? [await ours(), await theirs()] : [await theirs(), await ours()].toReversed();
      ratios.push(a / b);
      rates.push([a, b]);
    }
    const rate = (i) => Math.round(median(rates.map((one) => one[i])) / 1e6);
    rows.push({ name: `container loop, ${cores} cores`, peer: 'openssl speed', mb_per_s: rate(0), peer_mb_per_s: rate(1), ratio: digits(median(ratios)) });
  }
  return rows;
}

/** Sealing and opening without a digest, one thread, and hashing apart: nothing else does both. */
async function parts({ bench, rage, age, place, rounds }) {
  const [plain, key] = [join(place, 'plain'), join(place, 'age.key')];
  await must('age-keygen', ['-o', key]);
  const [recipient] = /age1\w+/.exec(readFileSync(key, 'utf8'));
  const made = { ours: join(place, 'ours'), age: join(place, 'age'), rage: join(place, 'rage') };
  await must(bench, ['seal', plain, made.ours, '1']);
  await must(age, ['-r', recipient, '-o', made.age, plain]);
  await must(rage, ['-r', recipient, '-o', made.rage, plain]);
  const rows = [];
  const out = join(place, 'out');
  for (const [where, sink] of [['nowhere', '/dev/null'], ['memory', out]]) {
    const jobs = {
      seal: { ours: () => timed(bench, 'seal', plain, sink, 1), age: () => timed(age, '-r', recipient, '-o', sink, plain), rage: () => timed(rage, '-r', recipient, '-o', sink, plain) },
      open: { ours: () => timed(bench, 'open', made.ours, sink, 1), age: () => timed(age, '-d', '-i', key, '-o', sink, made.age), rage: () => timed(rage, '-d', '-i', key, '-o', sink, made.rage) },
    };
    for (const [job, peers] of Object.entries(jobs)) {
      // Each program makes its output anew: pages that are there already would help whoever comes second.
      const fresh = Object.fromEntries(Object.entries(peers).map(([name, run]) => [name, async () => (rmSync(out, { force: true }), run())]));
      const { mid, ratio, ...rest } = await alternated(rounds, fresh);
      rows.push({
        name: `container ${job} to ${where}`, peer: 'age, rage', cpu_s: mid('ours', 'cpu'), age_cpu_s: mid('age', 'cpu'), rage_cpu_s: mid('rage', 'cpu'),
        times_age: ratio('ours', 'age'), times_rage: ratio('ours', 'rage'), wall_s: mid('ours', 'wall'), age_wall_s: mid('age', 'wall'), rounds, ...rest,
      });
    }
  }
  rmSync(out, { force: true });
  const { mid, ratio, ...rest } = await alternated(rounds, { ours: () => timed(bench, 'hash', made.ours, '-', 1), openssl: () => timed('openssl', 'dgst', '-sha256', made.ours) });
  rows.push({ name: 'container hash', peer: 'openssl dgst -sha256', cpu_s: mid('ours', 'cpu'), peer_cpu_s: mid('openssl', 'cpu'), times_openssl: ratio('ours', 'openssl'), rounds, ...rest });
  for (const path of Object.values(made)) rmSync(path);
  return rows;
}

/** Whole commands, on one core and on all. */
async function commands({ satchel, place, rounds }) {
  const [plain, key, packed, out] = ['plain', 'creator.key', 'packed.satchel', 'out'].map((name) => join(place, name));
  await must(satchel, ['key', key]);
  const pack = ['pack', plain, '-o', packed, '--title', 'A bench', '--price', '1', '--issuer', 'http://localhost:1', '--key', key, '--force'];
  const open = ['open', packed, '--key-file', `${packed}.key`, '-o', out, '--force'];
  await must(satchel, pack);
  const size = statSync(plain).size;
  const rows = [{ name: 'container overhead', peer: '', percent: digits(((statSync(packed).size - size) / size) * 100) }];
  for (const [name, args] of Object.entries({ pack, verify: ['verify', packed], open })) {
    const one = (run) => async () => (rmSync(name === 'pack' ? packed : out, { force: true }), run());
    const jobs = { all: one(() => timed(satchel, ...args)), one: one(() => timed('taskset', '-c', '0', satchel, ...args)) };
    const { mid, ...rest } = await alternated(rounds, jobs);
    rows.push({ name: `container ${name}`, peer: 'itself on one core', cores: availableParallelism(), cpu_s: mid('all', 'cpu'), wall_s: mid('all', 'wall'), one_core_wall_s: mid('one', 'wall'), rounds, ...rest });
    if (name === 'verify') continue;
    // The next command reads what this one wrote.
    await jobs.all();
  }
  return rows;
}

/** Peak memory by size of the work: sparse files, so that a large one costs no disk to read. */
async function memory({ satchel, sizes }) {
  const place = mkdtempSync(join(tmpdir(), 'satchel-bench-'));
  const [plain, key, packed] = ['plain', 'creator.key', 'packed.satchel'].map((name) => join(place, name));
  const rows = [];
  try {
    await must(satchel, ['key', key]);
    writeFileSync(plain, '');
    for (const size of sizes) {
      truncateSync(plain, size);
      const pack = await peakOf(satchel, 'pack', plain, '-o', packed, '--title', 'A bench', '--price', '1', '--issuer', 'http://localhost:1', '--key', key, '--force');
      const verify = await peakOf(satchel, 'verify', packed);
      const open = await peakOf(satchel, 'open', packed, '--key-file', `${packed}.key`, '-o', '/dev/null', '--force').catch(() => null);
      rows.push({ name: `container memory, ${size / MIB} MiB`, peer: '', pack_mib: pack, verify_mib: verify, ...(open !== null && { open_mib: open }) });
    }
  } finally {
    rmSync(place, { recursive: true });
  }
  return rows;
}

/** @param {{rounds: number, seconds: number, quick: boolean}} options @returns {Promise<object[]>} rows */
export async function container({ rounds, seconds }) {
  const peers = await setUpBenches();
  const { satchel, bench } = await build();
  const place = mkdtempSync(join(existsSync(SHM) ? SHM : tmpdir(), 'satchel-bench-'));
  try {
    await must('dd', ['if=/dev/urandom', `of=${join(place, 'plain')}`, 'bs=1M', `count=${GIB / MIB}`]);
    const loop = await hotLoop(bench, { rounds, seconds });
    const apart = await parts({ bench, ...peers, place, rounds });
    const whole = which('taskset') ? await commands({ satchel, place, rounds }) : [];
    rmSync(join(place, 'plain'));
    return [...loop, ...apart, ...whole, ...(await memory({ satchel, sizes: [MIB, GIB, ...(process.env.SATCHEL_SOAK ? [10 * GIB] : [])] }))];
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
