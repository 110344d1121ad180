// What a process asks of the disk, seen from outside by strace (a Debian package).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnGuarded, which } from '../tools/proc.mjs';

const SYNCS = 'trace=fsync,fdatasync';
const ATTACHED = /attached/;

/** Runs `action` with strace attached to a process; gives what strace wrote, or undefined where it can't. */
async function attached(pid, args, action) {
  if (!which('strace')) {
    console.error('  fsyncs are not counted: there is no strace (Debian: apt-get install strace)');
    return undefined;
  }
  const dir = mkdtempSync(join(tmpdir(), 'satchel-strace-'));
  const out = join(dir, 'out');
  const child = spawnGuarded('strace', ['-f', '-o', out, ...args, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const gone = new Promise((done) => child.once('exit', done));
  let said = '';
  const ready = new Promise((done) => {
    child.stderr.setEncoding('utf8').on('data', (text) => ATTACHED.test((said += text)) && done(true));
    gone.then(() => done(false));
  });
  try {
    if (!(await ready)) {
      console.error(`  fsyncs are not counted: ${said.trim()}`);
      return undefined;
    }
    await action();
    child.kill('SIGINT');
    await gone;
    return readFileSync(out, 'utf8');
  } finally {
    child.kill('SIGINT');
    rmSync(dir, { recursive: true, force: true });
  }
}

/** How many fsyncs and fdatasyncs the process does while `action` runs. */
export async function countSyncs(pid, action) {
  const table = await attached(pid, ['-c', '-e', SYNCS], action);
  if (table === undefined) return undefined;
  // % time, seconds, µs a call, calls, perhaps errors, name
  const lines = [...table.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+f(?:data)?sync$/gm)];
  return lines.reduce((sum, [, calls]) => sum + Number(calls), 0);
}

/** Runs `action` while each fsync of the process takes `ms` longer. */
export const withSlowSyncs = (pid, ms, action) =>
  attached(pid, ['-e', SYNCS, '-e', `inject=fsync,fdatasync:delay_exit=${ms * 1000}`], action);
