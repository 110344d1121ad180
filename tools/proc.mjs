// Processes, ports and progress lines: what every tool needs.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const CACHE =
  process.env.SATCHEL_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'satchel');
/** A flag that changes nothing, but by which boot.mjs tells its second run: that starts no third. */
export const STARTED_BY_BOOT = '--disable-warning=satchel';
export const inRoot = (...parts) => join(ROOT, ...parts);
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** A message for the person at the terminal; no stack is shown for it. */
export class Told extends Error {}

/** Runs a tool's main function, and prints a `Told` as a sentence. */
export async function main(body) {
  try {
    const code = await body();
    process.exit(code ?? 0);
  } catch (error) {
    console.error(error instanceof Told ? `\n${error.message}` : error);
    process.exit(1);
  }
}

/** Whether this module is the one that was started. */
export const isMain = (meta) => realpathSync(process.argv[1]) === fileURLToPath(meta.url);

/** The full path of a program on PATH, or undefined. */
export function which(name) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Runs a program to its end, never throws; `out` holds stdout and stderr, in order. */
export function capture(command, args, { onLine, ...options } = {}) {
  return new Promise((done) => {
    let out = '';
    let rest = '';
    const take = (chunk) => {
      out += chunk;
      const lines = (rest + chunk).split(/[\r\n]+/);
      rest = lines.pop();
      for (const line of lines) if (line.trim()) onLine?.(line.trim());
    };
    const child = spawn(command, args, {
      cwd: ROOT,
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
    child.on('error', (error) => done({ code: 127, out: String(error) }));
    child.on('close', (code, signal) => done({ code: code ?? 128, signal, out }));
  });
}

/** Runs a program with our terminal; gives its exit code. */
export function show(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
    child.on('error', () => done(127));
    child.on('exit', (code) => done(code ?? 128));
  });
}

// Where no one watches a cursor move, a line now and then says that it is still alive.
const QUIET_TICK_MS = 20_000;
const TTY_TICK_MS = 250;

/**
 * One named step: a line when it ends (with the `note` of what `body` gives), and while it runs a
 * ticker with the newest line of output that `body` passes to its argument.
 */
export async function step(title, body) {
  const began = Date.now();
  const tty = process.stdout.isTTY;
  let latest = '';
  const tick = () => {
    const text = `  … ${title}, ${seconds(began).replace(/\.\d/, '')} ${latest}`;
    if (!tty) console.log(text.slice(0, 110));
    else process.stdout.write(`\r\x1b[K${text.slice(0, process.stdout.columns - 1 || 79)}`);
  };
  const ticker = setInterval(tick, tty ? TTY_TICK_MS : QUIET_TICK_MS);
  const end = (mark, note = '') => {
    clearInterval(ticker);
    console.log(`${tty ? '\r\x1b[K' : ''}  ${mark} ${title} (${seconds(began)})${note}`);
  };
  try {
    const value = await body((line) => (latest = line));
    end('✓', value?.note ? `: ${value.note}` : '');
    return value;
  } catch (error) {
    end('✗');
    throw error;
  }
}

/** Runs a program inside a step; fails with its whole output and `advice`. */
export async function must(command, args, { tell, advice, ...options } = {}) {
  const result = await capture(command, args, { onLine: tell, ...options });
  if (result.code === 0) return result.out;
  const shown = [command.split('/').pop(), ...args].join(' ');
  const end = result.signal ?? `exit ${result.code}`;
  throw new Told(`${result.out.trim()}\n\n${shown}: ${end}.${advice ? ` ${advice}` : ''}`);
}

// A shell that learns which process groups are ours over a pipe, and ends them when that pipe
// closes: also when this process was killed with SIGKILL and could clean up nothing itself.
const GUARD = `
all=
while read -r verb id; do
  case $verb in
    add) all="$all $id" ;;
    del) kept=; for one in $all; do [ "$one" = "$id" ] || kept="$kept $one"; done; all=$kept ;;
  esac
done
for one in $all; do kill -s TERM -- "-$one" 2>/dev/null; done
[ -z "$all" ] || sleep 3
for one in $all; do kill -s KILL -- "-$one" 2>/dev/null; done
`;
let guard;

function tellGuard(verb, pid) {
  if (!guard) {
    guard = spawn('/bin/sh', ['-c', GUARD], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    guard.unref();
    guard.stdin.unref();
    guard.stdin.on('error', () => {});
  }
  guard.stdin.write(`${verb} ${pid}\n`);
}

/** Starts a long-running program as leader of its own process group, which cannot outlive us. */
export function spawnGuarded(command, args, options = {}) {
  const child = spawn(command, args, { cwd: ROOT, ...options, detached: true });
  if (child.pid) {
    tellGuard('add', child.pid);
    child.once('exit', () => tellGuard('del', child.pid));
  }
  return child;
}

const gone = (child) => child.exitCode !== null || child.signalCode !== null;

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

/** Ends a guarded program and all it started; SIGKILL if it has not gone in time. */
export async function stopGroup(child, { graceMs = 5000 } = {}) {
  if (!child.pid) return;
  const exited = gone(child) || new Promise((done) => child.once('exit', done));
  if (!gone(child)) signalGroup(child, 'SIGTERM');
  await Promise.race([exited, sleep(graceMs)]);
  signalGroup(child, 'SIGKILL');
  await exited;
}

/** Whether a port of 127.0.0.1 can be listened on now. */
export function portIsFree(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

const given = new Set();

/** A free port, never the same twice in one process. */
export async function freePort() {
  for (;;) {
    const port = await new Promise((done, failed) => {
      const server = createServer();
      server.once('error', failed);
      server.listen(0, '127.0.0.1', () => {
        const found = server.address().port;
        server.close(() => done(found));
      });
    });
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

/** Who started us: our parent, and npm behind the shell it starts scripts with. */
function starters() {
  const of = (pid, file) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  try {
    const isShell = /^(sh|dash|bash)$/.test(of(process.ppid, 'comm').trim());
    return `${process.ppid} ${isShell ? /^PPid:\s*(\d+)/m.exec(of(process.ppid, 'status'))[1] : ''}`;
  } catch {
    // No /proc here, or the parent has just gone.
    return `${process.ppid} `;
  }
}

/** Calls `shut` once on Ctrl-C, SIGTERM, SIGHUP, or when npm or the tool that started us is gone. */
export function onEnd(shut) {
  let ending = false;
  const end = (signal) => {
    if (ending) return;
    ending = true;
    Promise.resolve(shut(signal)).finally(() => process.exit(signal === 'SIGINT' ? 130 : 0));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
  // Started from a terminal or a script directly, we may well be meant to outlive it.
  if (!process.env.npm_lifecycle_event && !process.execArgv.includes(STARTED_BY_BOOT)) return;
  const first = starters();
  setInterval(() => starters() !== first && end('parent'), 500).unref();
}
