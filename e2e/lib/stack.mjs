// One stack per test file: ports, secrets and state of its own, ended and removed with the file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { readVars, varsFile } from '../../tools/secrets.mjs';
import { startStack } from '../../tools/stack.mjs';
import { startWorkerd } from '../../tools/workerd.mjs';
import { clientOf } from './http.mjs';

const STOP_MS = 30_000;

/** A directory that `remove` takes away again; SATCHEL_KEEP keeps it for a look. */
export function scratch(name) {
  const dir = mkdtempSync(join(tmpdir(), `satchel-${name}-`));
  const remove = () => {
    if (process.env.SATCHEL_KEEP) console.log(`kept: ${dir}`);
    else rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  return { dir, remove };
}

/** What tests need beside what the tools give: a client, the log, a worker's secrets. */
export function equip(run) {
  const stack = { ...run, log: run.log ?? join(run.dir, 'dev.log') };
  stack.state = run.stateDir ?? run.persistTo;
  stack.readLog = () => readFileSync(stack.log, 'utf8');
  stack.secretsOf = (worker) => readVars(varsFile(stack.dir, worker));
  stack.client = clientOf(stack);
  return stack;
}

/**
 * Starts a stack that ends with the test file which awaits this. `runtime` is `wrangler` (as in
 * development) or `workerd` (the bare runtime).
 */
export async function openStack({ name, runtime = 'wrangler', ...options } = {}) {
  const place = scratch(name ?? runtime);
  let run;
  after(async () => {
    await run?.stop();
    place.remove();
  }, { timeout: STOP_MS });
  const start = runtime === 'workerd' ? startWorkerd : startStack;
  run = await start({ dir: place.dir, ...options });
  return equip(run);
}
