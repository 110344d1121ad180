// All workers on raw `workerd serve`, from the same wrangler.toml files: for crash tests, which must
// kill the very process that serves, and for measurements, which wrangler's proxy would distort.
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Told, freePort, inRoot, spawnGuarded, stopGroup } from './proc.mjs';
import { startBucket } from './r2-memory.mjs';
import { developmentVars, publicOrigin, runSecrets, varsFor, walletOrigin } from './stack.mjs';
import { formatVars, varsFile, writePrivate } from './secrets.mjs';
import { WORKERS, configPath, readConfig } from './workers.mjs';

const READY_MS = 30_000;
// workerd reports the ports it listens on over this descriptor.
const CONTROL_FD = 3;

const text = (value) => JSON.stringify(String(value));
const list = (items) => `[\n    ${items.filter(Boolean).join(',\n    ')}\n  ]`;
const entries = (table, format) => Object.entries(table ?? {}).map(([name, to]) => format(name, to));

// In the configuration's own language: each binding, each module.
const textBinding = (name, value) => `(name = ${text(name)}, text = ${text(value)})`;
const serviceBinding = (name, to) => `(name = ${text(name)}, service = ${text(to)})`;
const bucketBinding = (name) => `(name = ${text(name)}, r2Bucket = "r2")`;
const objectBinding = (name, className) =>
  `(name = ${text(name)}, durableObjectNamespace = ${text(className)})`;

function moduleEntry(dir, path) {
  const kind = path.endsWith('.wasm') ? 'wasm' : 'esModule';
  const name = path.split('/').pop();
  return `(name = ${text(name)}, ${kind} = embed ${text(relative(dir, path))})`;
}

/**
 * A worker of the configuration: {name, modules (paths, the main one first), compatibilityDate,
 * vars, services, objects {BINDING: Class}, buckets [BINDING]}.
 */
function workerText(dir, worker) {
  const bindings = [
    ...entries(worker.vars, textBinding),
    ...entries(worker.services, serviceBinding),
    ...entries(worker.objects, objectBinding),
    ...(worker.buckets ?? []).map(bucketBinding),
  ];
  const namespaces = Object.values(worker.objects ?? {}).map((className) => {
    const key = text(`${worker.name}-${className}`);
    return `(className = ${text(className)}, uniqueKey = ${key}, enableSql = true)`;
  });
  const fields = [
    `modules = ${list(worker.modules.map((path) => moduleEntry(dir, path)))}`,
    `compatibilityDate = ${text(worker.compatibilityDate)}`,
    `bindings = ${list(bindings)}`,
  ];
  if (namespaces.length) {
    fields.push(`durableObjectNamespaces = ${list(namespaces)}`);
    fields.push('durableObjectStorage = (localDisk = "state")');
  }
  return `const ${identifier(worker.name)} :Workerd.Worker = (\n  ${fields.join(',\n  ')}\n);\n`;
}

const identifier = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

/** One of our workers as such a description, with the values it would have in development. */
function ourWorker(name, held, development, { vars, before = {}, builds = {} }) {
  const config = readConfig(name);
  const script = resolve(builds[name] ?? inRoot(), dirname(configPath(name)), config.main);
  if (!existsSync(script)) throw new Told(`${name} is not built; run: npm run build`);
  const services = (config.services ?? []).map(({ binding, service }) => {
    return [binding, service.replace(/^satchel-/, '')];
  });
  if (config.assets) services.push([config.assets.binding, 'assets']);
  const objects = config.durable_objects?.bindings ?? [];
  return {
    name,
    modules: [...(before[name] ?? []), script, join(dirname(script), 'index_bg.wasm')],
    compatibilityDate: config.compatibility_date,
    vars: { ...config.vars, ...held[name], ...varsFor(name, config, development, vars) },
    services: Object.fromEntries(services),
    objects: Object.fromEntries(objects.map((object) => [object.name, object.class_name])),
    buckets: (config.r2_buckets ?? []).map(({ binding }) => binding),
  };
}

function assetsWorker() {
  const headers = inRoot('site', 'dist', '_headers');
  const rules = existsSync(headers) ? readFileSync(headers, 'utf8') : '';
  return {
    name: 'assets',
    modules: [inRoot('tools', 'assets-worker.js')],
    compatibilityDate: '2026-07-01',
    vars: { HEADERS: rules },
    services: { SITE: 'site' },
  };
}

/** A measurement's own worker; what it does not say is as for ours. */
const extraWorker = (extra) => ({
  compatibilityDate: '2026-07-01',
  ...extra,
  modules: extra.modules.map((path) => resolve(path)),
});

const service = (name, body) => `(name = ${text(name)}, ${body})`;
const socket = (name, port) => {
  const at = `address = ${text(`127.0.0.1:${port}`)}`;
  return `(name = ${text(name)}, ${at}, http = (), service = ${text(name)})`;
};

/**
 * Writes `workerd.capnp` into `dir`. The gateway listens on `port`; `sockets` {worker: port} opens
 * others directly. `stateDir` keeps the durable objects. `vars` {worker: {NAME: value}} override.
 * `builds` {worker: root} take a worker from another checkout, with the configuration of this one.
 * `before` {worker: [paths]} are modules that stand before a worker's own, the first as its main one.
 * `extra` are further workers: {name, modules, vars, services, objects, buckets, port}.
 */
export function writeConfig({ dir, port, stateDir, bucketPort, s3Endpoint, ...more }) {
  const { sockets = {}, extra = [] } = more;
  mkdirSync(stateDir, { recursive: true });
  const held = runSecrets(dir);
  for (const name of WORKERS) writePrivate(varsFile(dir, name), formatVars(held[name] ?? {}));
  const development = developmentVars({ port, s3Endpoint });
  const ours = WORKERS.map((name) => ourWorker(name, held, development, more));
  const workers = [...ours, assetsWorker(), ...extra.map(extraWorker)];
  const listeners = Object.entries({ gateway: port, ...sockets });
  for (const { name, port: own } of extra) if (own) listeners.push([name, own]);
  const disk = (path, writable) => `disk = (path = ${text(resolve(path))}, writable = ${writable})`;
  const services = [
    ...workers.map(({ name }) => service(name, `worker = .${identifier(name)}`)),
    service('state', disk(stateDir, true)),
    service('site', disk(inRoot('site', 'dist'), false)),
    service('r2', `external = (address = ${text(`127.0.0.1:${bucketPort}`)}, http = ())`),
    // Upload speaks to the bucket's S3 side, which is on this machine.
    service('internet', 'network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))'),
  ];
  const config = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = ${list(services)},
  sockets = ${list(listeners.map(([name, at]) => socket(name, at)))}
);

${workers.map((worker) => workerText(dir, worker)).join('\n')}`;
  const path = join(dir, 'workerd.capnp');
  writePrivate(path, config);
  return path;
}

/** Resolves when every socket listens; rejects if the process ends before. */
function untilListening(child, count, logPath) {
  return new Promise((done, failed) => {
    const fail = () => {
      const log = existsSync(logPath) ? readFileSync(logPath, 'utf8').slice(-4000) : '';
      failed(new Told(`workerd did not start:\n${log}`));
    };
    const timer = setTimeout(fail, READY_MS);
    child.once('exit', fail);
    let seen = '';
    child.stdio[CONTROL_FD].setEncoding('utf8').on('data', (chunk) => {
      seen += chunk;
      if (seen.split('"event":"listen"').length <= count) return;
      clearTimeout(timer);
      child.off('exit', fail);
      done();
    });
  });
}

async function serve(run, listeners) {
  const args = ['serve', run.config, `--control-fd=${CONTROL_FD}`, '--experimental'];
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'];
  const child = spawnGuarded(workerdBinary(), args, { stdio });
  const log = createWriteStream(run.log, { flags: 'a', mode: 0o600 });
  for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
  await untilListening(child, listeners, run.log);
  return child;
}

/** The binary itself, not the script before it: its process id is the one that serves. */
function workerdBinary() {
  const arch = process.arch === 'x64' ? '64' : process.arch;
  return inRoot('node_modules', '@cloudflare', `workerd-${process.platform}-${arch}`, 'bin', 'workerd');
}

/**
 * Starts everything on one workerd process. Give the same `dir` (and `bucket`, and `port`) again
 * after `kill9` to go on with the state that was left. See `writeConfig` for the other options.
 */
export async function startWorkerd({ dir, port, stateDir, bucket, ...more }) {
  const run = { dir: resolve(dir), port: port ?? (await freePort()) };
  mkdirSync(run.dir, { recursive: true, mode: 0o700 });
  run.stateDir = stateDir ?? join(run.dir, 'state');
  run.log = join(run.dir, 'workerd.log');
  run.origin = publicOrigin(run.port);
  run.walletOrigin = walletOrigin(run.port);
  run.operatorKeyFile = join(run.dir, 'operator.key');
  run.bucket = bucket ?? (await startBucket());
  run.s3Endpoint = run.bucket.endpoint;
  run.config = writeConfig({ ...run, bucketPort: run.bucket.port, ...more });
  // Only now: the first time, the configuration is what makes the secrets and keeps them.
  const { upload } = runSecrets(run.dir);
  run.bucket.configure({
    credentials: { accessKeyId: upload.S3_ACCESS_KEY_ID, secretAccessKey: upload.S3_SECRET_ACCESS_KEY },
    origins: [run.walletOrigin],
  });
  const ports = (more.extra ?? []).filter((worker) => worker.port).length;
  const listeners = 1 + Object.keys(more.sockets ?? {}).length + ports;
  const child = await serve(run, listeners);
  const exited = new Promise((done) => child.once('exit', done));
  /** SIGKILL to the process that serves; nothing is flushed or answered after it. */
  const kill9 = () => {
    process.kill(child.pid, 'SIGKILL');
    return exited;
  };
  const stop = async () => {
    await stopGroup(child);
    if (!bucket) await run.bucket.stop();
  };
  return { ...run, pid: child.pid, kill9, stop };
}
