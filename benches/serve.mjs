// workerd processes of the benches: the whole stack beside its twins, or one bare worker.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { freePort, inRoot, spawnGuarded, stopGroup } from '../tools/proc.mjs';
import { publicOrigin, walletOrigin } from '../tools/stack.mjs';
import { startWorkerd } from '../tools/workerd.mjs';

const MEMORY = '/dev/shm';
const DATE = '2026-07-01';
const twin = (name) => inRoot('benches', 'twins', `${name}.mjs`);
const twins = (...names) => names.map(twin);
const secret = () => randomBytes(32).toString('base64url');

/** A directory of this run's own: on disk beside the builds, or in memory where there is such a place. */
export function scratch(kind) {
  const disk = inRoot('target', 'bench');
  const memory = existsSync(MEMORY) ? MEMORY : tmpdir();
  if (kind === 'disk') mkdirSync(disk, { recursive: true });
  return mkdtempSync(join(kind === 'disk' ? disk : memory, 'satchel-bench-'));
}

/** The twins of our workers, in the same process, with the same secrets and the same bucket. */
function twinWorkers({ issuer, wallet, ports, secrets }) {
  const { RECEIPT_KEYS, QUOTE_KEY, HANDLE_KEY } = secrets;
  const services = { FILES: 'js-files', WIDGET: 'js-widget', PURCHASE: 'js-purchase' };
  const ledgerVars = { ISSUER: issuer, QUOTE_KEY, HANDLE_KEY, FEE_BPS: '500' };
  const gateway = { vars: { ISSUER: issuer, WALLET_ORIGIN: wallet }, services };
  const purchase = {
    vars: { ISSUER: issuer, RECEIPT_KEYS },
    services: { LEDGER: 'js-ledger' },
    objects: { PICKUP: 'Pickup' },
  };
  const ledger = { vars: ledgerVars, objects: { ACCOUNT: 'Account', INBOX: 'Inbox', WORK: 'Work' } };
  return [
    { name: 'js-gateway', modules: twins('gateway', 'common'), port: ports['js-gateway'], ...gateway },
    { name: 'js-widget', modules: twins('widget'), port: ports['js-widget'] },
    { name: 'js-files', modules: twins('files', 'common'), buckets: ['BUCKET'] },
    { name: 'js-purchase', modules: twins('purchase', 'pickup', 'common'), port: ports['js-purchase'], ...purchase },
    {
      name: 'js-ledger',
      modules: twins('ledger', 'account', 'inbox', 'documents', 'objects', 'common'),
      port: ports['js-ledger'],
      ...ledger,
    },
    {
      name: 'js-bare',
      modules: twins('bare', 'documents', 'objects', 'common'),
      port: ports['js-bare'],
      vars: ledgerVars,
      objects: { BARE: 'Bare' },
    },
    {
      name: 'js-hls',
      modules: twins('hls', 'common'),
      port: ports['js-hls'],
      vars: { ISSUER: issuer, HLS_KEY: secrets.HLS_KEY },
      services: { FILES: 'files', STREAM: 'stream' },
    },
    {
      name: 'js-stream',
      modules: twins('stream', 'common'),
      port: ports['js-stream'],
      vars: { ISSUER: issuer, CAPABILITY_KEY: secrets.CAPABILITY_KEY, STREAM_WRAPPING_KEYS: secrets.STREAM_WRAPPING_KEYS },
      services: { LEDGER: 'ledger' },
      objects: { PLAYBACK: 'Playback' },
    },
  ].map((worker) => ({ compatibilityDate: DATE, ...worker }));
}

/**
 * Our workers and their twins on one process, all objects' storage in `kind` ('memory' or 'disk').
 * `ports` has one for every worker that can be asked directly, ours by their own names. With `direct`
 * the ledger's objects can be asked too (twins/direct.mjs). `restart` goes on with what was stored,
 * after `meanwhile` has had its way with it.
 */
export async function startStack(kind, { direct = false } = {}) {
  const dir = scratch(kind);
  const names = ['purchase', 'ledger', 'stream', 'hls', 'js-hls', 'js-stream', 'js-gateway', 'js-widget', 'js-purchase', 'js-ledger', 'js-bare'];
  const ports = { gateway: await freePort() };
  for (const name of names) ports[name] = await freePort();
  const issuer = publicOrigin(ports.gateway);
  const secrets = { RECEIPT_KEYS: `1:${secret()}`, QUOTE_KEY: secret(), HANDLE_KEY: secret(), HLS_KEY: secret(), CAPABILITY_KEY: secret(), STREAM_WRAPPING_KEYS: `1:${secret()}` };
  const { RECEIPT_KEYS, QUOTE_KEY, HANDLE_KEY, HLS_KEY, CAPABILITY_KEY, STREAM_WRAPPING_KEYS } = secrets;
  const options = {
    dir,
    port: ports.gateway,
    sockets: { purchase: ports.purchase, ledger: ports.ledger, stream: ports.stream, hls: ports.hls },
    vars: {
      purchase: { RECEIPT_KEYS, QUOTE_KEY, STREAM_WRAPPING_KEYS },
      ledger: { QUOTE_KEY, HANDLE_KEY },
      stream: { CAPABILITY_KEY, HLS_KEY, STREAM_WRAPPING_KEYS },
      hls: { HLS_KEY },
    },
    before: direct ? { ledger: twins('direct', 'objects') } : {},
    extra: twinWorkers({ issuer, wallet: walletOrigin(ports.gateway), ports, secrets }),
  };
  const stack = { ...(await startWorkerd(options)), kind, dir, issuer, ports, secrets };
  const { bucket } = stack;
  stack.restart = async (meanwhile) => {
    await stack.kill9();
    await meanwhile();
    const { pid, kill9, stop } = await startWorkerd({ ...options, bucket });
    Object.assign(stack, { pid, kill9, end: stop });
  };
  stack.end = stack.stop;
  stack.stop = async () => {
    await stack.end();
    await bucket.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return stack;
}

function workerdBinary() {
  const arch = process.arch === 'x64' ? '64' : process.arch;
  return inRoot('node_modules', '@cloudflare', `workerd-${process.platform}-${arch}`, 'bin', 'workerd');
}

/** Runs a configuration; resolves when its `listeners` sockets listen. */
export async function serve(config, listeners) {
  const stdio = ['ignore', 'ignore', 'pipe', 'pipe'];
  const args = ['serve', config, '--control-fd=3', '--experimental'];
  const child = spawnGuarded(workerdBinary(), args, { stdio });
  let log = '';
  let seen = '';
  child.stderr.setEncoding('utf8').on('data', (chunk) => (log = (log + chunk).slice(-4000)));
  await new Promise((done, failed) => {
    child.once('exit', () => failed(new Error(`workerd did not start:\n${log}`)));
    child.stdio[3].setEncoding('utf8').on('data', (chunk) => {
      seen += chunk;
      if (seen.split('"event":"listen"').length > listeners) done();
    });
  });
  return { pid: child.pid, stop: () => stopGroup(child) };
}

const firstAnswer = (port) =>
  new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    socket.once('data', (chunk) => (socket.destroy(), done(String(chunk.subarray(0, 40)))));
    socket.once('error', failed);
  });

/** Writes the configuration of one worker alone. */
function oneWorker({ modules, vars = {} }, dir, port) {
  const quoted = (text) => JSON.stringify(String(text));
  const module = (path) => {
    const kind = path.endsWith('.wasm') ? 'wasm' : 'esModule';
    return `(name = ${quoted(path.split('/').pop())}, ${kind} = embed ${quoted(relative(dir, path))})`;
  };
  const bindings = Object.entries(vars).map(([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`);
  const config = join(dir, 'one.capnp');
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "one", worker = .one)],
  sockets = [(name = "one", address = "127.0.0.1:${port}", http = (), service = "one")]
);
const one :Workerd.Worker = (
  modules = [${modules.map(module)}],
  compatibilityDate = "${DATE}",
  bindings = [${bindings}]
);
`,
  );
  return config;
}

/** Starts one worker alone. */
export const serveOne = (worker, dir, port) => serve(oneWorker(worker, dir, port), 1);

/** Starts one worker alone; gives the milliseconds from starting the process to its first answer. */
export async function timeStart(worker, dir) {
  const port = await freePort();
  const config = oneWorker(worker, dir, port);
  const began = performance.now();
  const process = await serve(config, 1);
  try {
    const answer = await firstAnswer(port);
    const took = performance.now() - began;
    // A refusal is an answer; a worker that could not start is not.
    if (/^HTTP\/1.1 5/.test(answer)) throw new Error(`the worker answered ${answer}`);
    return took;
  } finally {
    await process.stop();
  }
}
