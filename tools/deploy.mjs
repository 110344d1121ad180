// `npm run deploy -- NAME|all [--dry-run]`: deploys one worker, or all in the order in which each
// finds the workers it is bound to already there.
import './boot.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { Told, isMain, main, step } from './proc.mjs';
import { secretNames } from './secrets.mjs';
import { setUpBuild } from './setup.mjs';
import { WORKERS, configPath, readConfig } from './workers.mjs';
import { captureWrangler, showWrangler } from './wrangler.mjs';

export const ORDER = ['ledger', 'purchase', 'files', 'upload', 'stream', 'hls', 'widget', 'gateway'];
const SECRETS_NOTE = `  A key is 32 random bytes in base64url; those with a plural name are "1:KEY". One name in two
  workers is one value. OPERATOR_KEY is a public key; the S3 pair comes from the bucket's provider.`;
const PLACEHOLDER = /satchel\.example|ACCOUNT\.r2\./;

function placeholders(name) {
  const vars = Object.entries(readConfig(name).vars ?? {});
  return vars.filter(([, value]) => PLACEHOLDER.test(value)).map(([key]) => key);
}

/** Packs a worker as a deployment would, without a network or an account. */
async function dryRun(name) {
  const out = mkdtempSync(join(tmpdir(), 'satchel-deploy-'));
  const args = ['deploy', '-c', configPath(name), '--dry-run', '--outdir', out];
  try {
    await step(`dry run of ${name}`, async () => {
      const result = await captureWrangler(args);
      if (result.code !== 0) throw new Told(`${result.out}\ndry run of ${name}: exit ${result.code}`);
      return { note: /Total Upload:.*/.exec(result.out)?.[0] };
    });
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function deploy(name) {
  const open = placeholders(name);
  if (open.length) {
    throw new Told(`${configPath(name)} still has example values: set ${open.join(', ')} under [vars] first.`);
  }
  console.log(`\n== ${name}`);
  const code = await showWrangler(['deploy', '-c', configPath(name)]);
  if (code !== 0) throw new Told(`deploying ${name}: exit ${code}`);
}

/** The secrets a worker has already, or none if the account can't be asked. */
async function secretsThere(name) {
  const { code, out } = await captureWrangler(['secret', 'list', '-c', configPath(name)]);
  return code === 0 ? [...out.matchAll(/"name":\s*"([A-Z0-9_]+)"/g)].map(([, found]) => found) : [];
}

async function printSecrets(names, ask) {
  const lines = [];
  for (const name of names) {
    const there = ask ? await secretsThere(name) : [];
    const missing = secretNames(name).filter((secret) => !there.includes(secret));
    for (const secret of missing) {
      lines.push(`  npm run wrangler -- secret put ${secret} -c ${configPath(name)}`);
    }
  }
  if (lines.length) console.log(`\nSecrets ${ask ? 'still ' : ''}to be set:\n${lines.join('\n')}\n${SECRETS_NOTE}`);
  if (names.includes('files')) {
    const { bucket_name } = readConfig('files').r2_buckets[0];
    console.log(`
The bucket, once (put your wallet's origin into a copy of tools/cors.json first):
  npm run wrangler -- r2 bucket create ${bucket_name}
  npm run wrangler -- r2 bucket cors set ${bucket_name} --file tools/cors.json`);
  }
}

function chosen(args) {
  const names = args.filter((arg) => !arg.startsWith('--'));
  if (names.length === 1 && names[0] === 'all') return ORDER;
  const known = names.length > 0 && names.every((name) => WORKERS.includes(name));
  if (known) return ORDER.filter((name) => names.includes(name));
  throw new Told(`usage: npm run deploy -- NAME|all [--dry-run]\nworkers: ${ORDER.join(' ')}`);
}

if (isMain(import.meta)) {
  await main(async () => {
    const names = chosen(process.argv.slice(2));
    const dry = process.argv.includes('--dry-run');
    await setUpBuild();
    await build(names);
    for (const name of names) await (dry ? dryRun(name) : deploy(name));
    await printSecrets(names, !dry);
  });
}
