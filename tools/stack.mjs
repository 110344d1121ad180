// All workers together under `wrangler dev`, for `npm start` and for tests of the development path.
// Each run has a directory of its own: configuration copies, secrets, state, log.
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { startFan } from './fan.mjs';
import { ROOT, Told, freePort, inRoot, sleep, spawnGuarded, stopGroup } from './proc.mjs';
import { S3_PATH, startS3Proxy } from './s3-proxy.mjs';
import * as secrets from './secrets.mjs';
import { WORKERS, configPath, readConfig, writeToml } from './workers.mjs';

const READY_MS = 90_000;
// $100,000 for a bitcoin: round figures that nobody takes for a real rate.
const TEST_RATE_USD_MICROS_PER_BTC = '100000000000';

export const publicOrigin = (port) => `http://localhost:${port}`;
export const walletOrigin = (port) => `http://wallet.localhost:${port}`;

/** What development sets instead of the production values in [vars], by name. */
export const developmentVars = ({ port, s3Endpoint }) => ({
  ISSUER: publicOrigin(port),
  WALLET_ORIGIN: walletOrigin(port),
  S3_ENDPOINT: s3Endpoint,
  LEDGER_ID: 'test',
  TEST_MONEY: 'on',
  WEBHOOKS_HTTP: 'loopback',
  TEST_RATE_USD_MICROS_PER_BTC,
});

/** One worker's share of those, and what a caller sets for this worker on top. */
export function varsFor(name, config, development, more = {}) {
  const known = { ...config.vars, ...(name === 'ledger' && { TEST_RATE_USD_MICROS_PER_BTC }) };
  const mine = Object.entries(development).filter(([key]) => key in known);
  return { ...Object.fromEntries(mine), ...more[name] };
}

/** Every worker's secrets for a run directory, made once and then kept. */
export function runSecrets(dir) {
  const found = WORKERS.map((name) => [name, secrets.readVars(secrets.varsFile(dir, name))]);
  const operator = secrets.operatorKey(join(dir, 'operator.key'));
  return secrets.completeSecrets(Object.fromEntries(found), operator);
}

/** A copy of a configuration that works from another directory. */
function relocated(name, config, credentials) {
  const from = dirname(inRoot(configPath(name)));
  const copy = { ...config, main: resolve(from, config.main) };
  if (config.assets) {
    copy.assets = { ...config.assets, directory: resolve(from, config.assets.directory) };
  }
  if (config.r2_buckets) {
    // Makes wrangler offer this bucket over S3; a secret, so it is never in the committed file.
    const local_dev = { experimental_s3_credentials: credentials };
    copy.r2_buckets = config.r2_buckets.map((bucket) => ({ ...bucket, local_dev }));
  }
  return copy;
}

/**
 * Writes configuration copies and `.dev.vars` for all workers into `dir`. Secrets that are there
 * already stay; values that depend on the ports are written anew.
 */
export async function prepare({ dir, port, s3Port, persistTo, vars } = {}) {
  const run = { dir: resolve(dir), port: port ?? (await freePort()) };
  run.s3Port = s3Port ?? (await freePort());
  run.persistTo = persistTo ?? join(run.dir, 'state');
  run.origin = publicOrigin(run.port);
  run.walletOrigin = walletOrigin(run.port);
  run.s3Endpoint = `http://127.0.0.1:${run.s3Port}${S3_PATH}`;
  run.operatorKeyFile = join(run.dir, 'operator.key');
  const held = runSecrets(run.dir);
  const credentials = {
    accessKeyId: held.upload.S3_ACCESS_KEY_ID,
    secretAccessKey: held.upload.S3_SECRET_ACCESS_KEY,
  };
  const development = developmentVars(run);
  run.configs = WORKERS.map((name) => {
    const config = readConfig(name);
    const own = { ...held[name], ...varsFor(name, config, development, vars) };
    const path = secrets.varsFile(run.dir, name);
    secrets.writePrivate(path, secrets.formatVars({ ...secrets.readVars(path), ...own }));
    const copy = join(dirname(path), 'wrangler.toml');
    secrets.writePrivate(copy, writeToml(relocated(name, config, credentials)));
    return copy;
  });
  return run;
}

/** What keeps wrangler to itself: no network, no registry shared with other runs, no questions. */
const wranglerEnv = (run) => ({
  ...process.env,
  CI: '1',
  NO_COLOR: '1',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: join(run.dir, 'wrangler-logs'),
  WRANGLER_REGISTRY_PATH: join(run.dir, 'registry'),
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  X_LOCAL_EXPLORER: 'false',
});

const ERROR_LINE = /\b(error|panicked|critical)\b|✘/i;

/** Copies wrangler's output to the log, and its errors to `onError`. */
function logOutput(child, path, onError) {
  mkdirSync(dirname(path), { recursive: true });
  const log = createWriteStream(path, { flags: 'a', mode: 0o600 });
  let recent = [];
  let rest = '';
  const take = (chunk) => {
    log.write(chunk);
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    recent = [...recent, ...lines].slice(-40);
    for (const line of lines) if (ERROR_LINE.test(line)) onError?.(line.trim());
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
  return () => recent.join('\n');
}

async function untilReady(child, run, recent) {
  const end = Date.now() + READY_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null || child.signalCode) break;
    if (/Ready on /.test(recent())) return;
    await sleep(100);
  }
  throw new Told(`wrangler dev did not start:\n${recent()}\n\nAll of it: ${relative(ROOT, run.log)}`);
}

/** Starts `wrangler dev` on what `prepare` wrote; resolves when it answers. */
export async function startWrangler(run, { onError } = {}) {
  run.log = join(run.dir, 'dev.log');
  const cli = inRoot('node_modules', 'wrangler', 'wrangler-dist', 'cli.js');
  const args = ['--no-warnings', cli, 'dev', ...run.configs.flatMap((path) => ['-c', path])];
  args.push('--port', String(run.port), '--ip', '127.0.0.1', '--persist-to', run.persistTo);
  args.push('--inspector-port', '0', '--show-interactive-dev-session=false');
  const stdio = ['ignore', 'pipe', 'pipe'];
  const child = spawnGuarded(process.execPath, args, { stdio, env: wranglerEnv(run) });
  const recent = logOutput(child, run.log, onError);
  const stop = () => stopGroup(child);
  try {
    await untilReady(child, run, recent);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid, child, stop, recent };
}

/**
 * Everything a test of the development path needs: workers, bucket proxy, fan page. Ports that are
 * not given are free ones; `fanFolder` serves other pages than site/fan; `meddle` may spoil what goes to the bucket.
 */
export async function startStack({ fanPort, fanFolder, meddle, onError, ...options }) {
  for (const name of WORKERS) {
    const built = inRoot('workers', name, 'build', 'index.js');
    if (!existsSync(built)) throw new Told(`${name} is not built; run: npm run build`);
  }
  const run = await prepare(options);
  const ended = [];
  const stop = async () => {
    while (ended.length) await ended.pop()();
  };
  try {
    const s3 = { port: run.s3Port, upstreamPort: run.port, origins: [run.walletOrigin], meddle };
    ended.push((await startS3Proxy(s3)).stop);
    const fan = await startFan({ ...run, port: fanPort ?? 0, folder: fanFolder });
    ended.push(fan.stop);
    const wrangler = await startWrangler(run, { onError });
    ended.push(wrangler.stop);
    writeFileSync(join(run.dir, 'wrangler.pid'), `${wrangler.pid}\n`);
    return { ...run, fanOrigin: fan.origin, wrangler, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
