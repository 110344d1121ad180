// `npm start` as a person runs it: its own process group, its own directory and ports.
import { execFileSync, spawn } from 'node:child_process';
import { freePort, inRoot, portIsFree } from '../../tools/proc.mjs';
import { until } from './until.mjs';

const START_MS = 240_000;

/** All processes: pid → parent's pid; those that ended and were not waited for don't count. */
function processes() {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=']).toString().trim().split('\n');
  const rows = lines.map((line) => line.trim().split(/\s+/)).filter(([, , stat]) => !stat.startsWith('Z'));
  return new Map(rows.map(([pid, parent]) => [Number(pid), Number(parent)]));
}

/** A process and all that descend from it. */
export function familyOf(pid) {
  const all = processes();
  const family = [pid];
  for (const one of family) {
    for (const [child, parent] of all) if (parent === one && !family.includes(child)) family.push(child);
  }
  return family;
}

export const alive = (pids) => pids.filter((pid) => processes().has(pid));

/** Ports for `npm start`, as its variables. */
export const freePorts = async () => ({ PORT: await freePort(), FAN_PORT: await freePort(), S3_PORT: await freePort() });

/**
 * Starts `npm start` on `dir` and resolves when it says that it runs. `press` is a key of the
 * terminal: a signal to the whole group in the foreground.
 */
export async function npmStart({ dir, ports }) {
  const env = { ...process.env, ...ports, SATCHEL_DIR: dir, NO_COLOR: '1' };
  // As from a plain shell, whatever started this test.
  for (const name of ['SATCHEL_BOOTED', 'NODE_OPTIONS', 'NODE_TEST_CONTEXT']) delete env[name];
  const child = spawn('npm', ['start'], { cwd: inRoot(), env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (said += chunk));
  const exited = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  let code;
  exited.then((value) => (code = value));
  const tree = { pid: child.pid, exited, said: () => said, press: (signal) => process.kill(-child.pid, signal) };
  tree.origin = `http://localhost:${ports.PORT}`;
  try {
    await until('npm start is running', () => {
      if (code !== undefined) throw new Error(`npm start ended (${code}):\n${said}`);
      return /Satchel is running/.test(said);
    }, { ms: START_MS, every: 100 });
  } catch (error) {
    killAll(familyOf(child.pid));
    throw new Error(`${error.message}\n${said}`);
  }
  tree.family = familyOf(child.pid);
  return tree;
}

/** The power fails: SIGKILL to every one of these processes. */
export function killAll(pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}

export const portsAreFree = async (ports) => (await Promise.all(Object.values(ports).map(portIsFree))).every(Boolean);
