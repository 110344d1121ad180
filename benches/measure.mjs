// Two peers, alternated: who spends how much processor time on the same requests.
import { fork } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, readdirSync, unlinkSync, writeSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { inRoot, must, sleep, which } from '../tools/proc.mjs';

// Linux counts a process's time in these, whatever the kernel's own clock.
const TICK_US = 10_000;
const NOISY_LOAD = 3;
const SYNC_BYTES = 8192;

export const isNoisy = (load1) => load1 > NOISY_LOAD;

/** Processor time of a process, all its threads and all it started, µs. */
export function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // User and system time, its own and that of the children it has outlived.
  const times = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 15);
  const ticks = times.reduce((sum, one) => sum + Number(one), 0);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => {
    try {
      return sum + cpuOf(child);
    } catch {
      // Gone since; its parent has its time now or soon.
      return sum;
    }
  }, ticks * TICK_US);
}

/** Waits until a process rests: what it does after its last answer (alarms) belongs to the requests. */
export async function untilIdle(pid, atLeastMs) {
  await sleep(atLeastMs);
  for (let waited = 0; waited < 15_000; waited += 300) {
    const before = cpuOf(pid);
    await sleep(300);
    if (cpuOf(pid) - before <= TICK_US) return;
  }
}

// Takes a tenth of the processor our own client needs, but can only repeat one request.
const WRK = which('wrk');
const canWrk = ({ requests, seconds, expect }) => WRK && requests.length === 1 && seconds >= 1 && !expect;

async function runWrk({ port, host, requests: [{ path, headers = {} }], seconds, connections }) {
  const args = ['-t1', `-c${connections}`, `-d${Math.round(seconds)}s`, '-H', `Host: ${host}`];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  args.push('-s', inRoot('benches', 'wrk.lua'), `http://127.0.0.1:${port}${path}`);
  const out = await must(WRK, args);
  const result = JSON.parse(out.split('\n').find((line) => line.startsWith('{')));
  return { ...result, failure: 'wrk does not say which answers were refusals' };
}

/**
 * The load generator: wrk where it is installed and fits, else our own client, one for a whole run,
 * so that it is warm when it counts.
 */
export function startLoad() {
  const child = fork(inRoot('benches', 'load.mjs'), { serialization: 'advanced' });
  const runOwn = (job) =>
    new Promise((done, failed) => {
      child.once('message', done).once('exit', failed);
      child.send(job, (error) => error && failed(error));
    }).finally(() => child.removeAllListeners());
  return { run: (job) => (canWrk(job) ? runWrk(job) : runOwn(job)), stop: () => child.disconnect() };
}

/** One run of one peer: the answers, and what the server spent on them. */
export async function runOnce(load, pid, job, settleMs = 0) {
  const before = cpuOf(pid);
  const result = await load.run(job);
  if (result.failed) throw new Error(`${result.failed} of ${result.count} failed: ${result.failure}`);
  if (settleMs) await untilIdle(pid, settleMs);
  return { ...result, cpu: cpuOf(pid) - before };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const sum = (runs, field) => runs.reduce((total, run) => total + run[field], 0);
const digits = (value, most = 3) => Number(value.toPrecision(most));

/** What several runs of one peer come to. */
function total(runs) {
  const count = sum(runs, 'count');
  const p = { p50: median(runs.map((run) => run.p50)), p99: median(runs.map((run) => run.p99)) };
  return { count, cpu_us: sum(runs, 'cpu') / count, rps: count / sum(runs, 'seconds'), ...p };
}

/**
 * Compares two peers over `rounds` rounds of A, B, B, A. `take(peer, turn)` runs one of them (turn 0
 * or 1 within its round). Ratios are medians over the rounds of ours ÷ theirs.
 */
export async function compare({ rounds, take }) {
  const ours = [];
  const theirs = [];
  let load1 = 0;
  for (let round = 0; round < rounds; round += 1) {
    const a1 = await take('ours', 0);
    const b1 = await take('theirs', 0);
    const b2 = await take('theirs', 1);
    const a2 = await take('ours', 1);
    ours.push(total([a1, a2]));
    theirs.push(total([b1, b2]));
    load1 = Math.max(load1, loadavg()[0]);
  }
  const ratio = (field) => digits(median(ours.map((one, i) => one[field] / theirs[i][field])));
  const mid = (list, field, most) => digits(median(list.map((one) => one[field])), most);
  return {
    ratio_cpu: ratio('cpu_us'),
    ratio_rps: ratio('rps'),
    rps: mid(ours, 'rps', 4),
    peer_rps: mid(theirs, 'rps', 4),
    p50: mid(ours, 'p50'),
    p99: mid(ours, 'p99'),
    peer_p50: mid(theirs, 'p50'),
    peer_p99: mid(theirs, 'p99'),
    cpu_us: mid(ours, 'cpu_us', 4),
    peer_cpu_us: mid(theirs, 'cpu_us', 4),
    requests: ours.reduce((all, one) => all + one.count, 0),
    rounds,
    load1: digits(load1),
    ...(isNoisy(load1) && { noisy: true }),
  };
}

/** How often a second this directory's disk makes 8 KiB durable, now. */
export function fdatasyncRate(dir, times = 400) {
  const path = join(dir, 'fdatasync.probe');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(SYNC_BYTES, 1);
  const began = performance.now();
  for (let i = 0; i < times; i += 1) {
    writeSync(file, block, 0, SYNC_BYTES, i * SYNC_BYTES);
    fdatasyncSync(file);
  }
  const took = (performance.now() - began) / 1000;
  closeSync(file);
  unlinkSync(path);
  return Math.round(times / took);
}
