// One stack per test file: ports, secrets and state of its own, ended and removed with the file.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { readVars, varsFile } from '../../tools/secrets.mjs';
import { startStack } from '../../tools/stack.mjs';
import { startWorkerd } from '../../tools/workerd.mjs';
import { clientOf } from './http.mjs';

const STOP_MS = 90_000;

/** A directory that goes with this process; SATCHEL_KEEP keeps it for a look. */
export function scratch(name) {
  const dir = mkdtempSync(join(tmpdir(), `satchel-${name}-`));
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  if (process.env.SATCHEL_KEEP) return { dir, remove: () => console.log(`kept: ${dir}`) };
  // Also when a test file fails before its tests.
  process.once('exit', remove);
  return { dir, remove };
}

/** A log line that tells of a reset isolate, or of an error that was ours. */
const TROUBLE = /uncaught|panicked|RuntimeError|unreachable|out of memory|memory access|"level":"error"|kj\/.*exception|✘/i;
/** A client that went away is none; wrangler's proxy says so of a part that was cut off on its way to the bucket. */
const GONE = /disconnected|broken pipe|connection reset|PUT \S*\/r2\/s3\/.*Network connection lost/i;

/** What tests need beside what the tools give: a client, the log, a worker's secrets. */
export function equip(run) {
  const stack = { ...run, log: run.log ?? join(run.dir, 'dev.log') };
  stack.state = run.stateDir ?? run.persistTo;
  stack.readLog = () => readFileSync(stack.log, 'utf8');
  stack.troubles = () => stack.readLog().split('\n').filter((line) => TROUBLE.test(line) && !GONE.test(line));
  stack.secretsOf = (worker) => readVars(varsFile(stack.dir, worker));
  stack.client = clientOf(stack);
  return stack;
}

/**
 * Starts a stack that ends with the test file which awaits this; the file fails if the log then
 * tells of trouble, unless the stack was made `tolerant`. `runtime` is `wrangler` (as in
 * development) or `workerd` (the bare runtime). `provoked` is what the log must tell of, for what the test does.
 */
export async function openStack({ name, runtime = 'wrangler', provoked, ...options } = {}) {
  const place = scratch(name ?? runtime);
  let stack;
  after(async () => {
    await stack?.stop();
    const troubles = stack?.tolerant ? [] : stack?.troubles().filter((line) => !provoked?.test(line));
    place.remove();
    assert.deepEqual(troubles ?? [], [], 'the log tells of trouble');
  }, { timeout: STOP_MS });
  const start = runtime === 'workerd' ? startWorkerd : startStack;
  stack = equip(await start({ dir: place.dir, ...options }));
  return stack;
}
