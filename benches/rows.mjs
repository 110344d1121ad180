// The rows: what is asked of us and of the peer, and how often.
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { inRoot } from '../tools/proc.mjs';
import { publicOrigin, walletOrigin } from '../tools/stack.mjs';
import { WORKERS, configPath, readConfig } from '../tools/workers.mjs';
import { container } from './container.mjs';
import { countWrites } from './counts.mjs';
import { sell } from './fixtures.mjs';
import { account, accountOnDisk, settlement } from './ledger.mjs';
import { journal } from './journal.mjs';
import { lnbits } from './lnbits.mjs';
import { market, orderRequest, shared } from './market.mjs';
import { compare, fdatasyncRate, median, runOnce } from './measure.mjs';
import { presign } from './presign.mjs';
import { scratch, timeStart } from './serve.mjs';
import { sameAnswer } from './same.mjs';
import { firstFrame } from './first-frame.mjs';
import { hls, windowKeys } from './stream.mjs';
import { webcrypto } from './webcrypto.mjs';
import { widget } from './widget.mjs';
import { generateKey, randomBytes } from '../sdk/js/src/index.js';

const CONNECTIONS = 32;
const KIB = 1024;
// Sales are gathered for a second before they are folded home; only then is a purchase over.
const SETTLE_MS = 1_300;

const local = (port, path = '') => `http://localhost:${port}${path}`;

/** Both peers asked for the same thing over and over. */
async function repeated(bench, { stack, name, peer, path, headers = {} }) {
  const url = (port) => [local(port, path), { headers }];
  await sameAnswer(name, url(stack.ports.gateway), url(stack.ports['js-gateway']));
  const host = `localhost:${stack.ports.gateway}`;
  const requests = [{ path, headers }];
  const { seconds, rounds } = bench;
  const take = (who) => {
    const port = stack.ports[who === 'ours' ? 'gateway' : 'js-gateway'];
    return runOnce(bench.load, stack.pid, { port, host, requests, seconds, connections: CONNECTIONS });
  };
  // Once each, uncounted: compilers get to work on what is called often.
  for (const who of ['ours', 'theirs']) await take(who);
  return { name, peer, ...(await compare({ rounds, take })) };
}

/**
 * Runs everything often enough for compilers to have worked on it. Gives how many orders a run
 * should have: as many as the slower peer takes in the time a run should last.
 */
async function warmUp(bench, { next, send, again }) {
  const least = bench.smoke ? 16 : 512;
  const rates = [];
  const first = await next(least);
  const second = bench.smoke ? undefined : await next(least);
  for (const who of ['ours', 'theirs']) {
    let run = await send(who, first);
    if (second) {
      await again(who, first);
      run = await send(who, second);
    }
    rates.push(run.count / run.seconds);
  }
  return Math.max(least, Math.ceil(Math.min(...rates) * bench.seconds));
}

async function purchases(bench, { stack, name, peer, pickup }) {
  const { next } = await market(bench, stack);
  const [probe] = await next(1);
  const { body, method, headers, path } = orderRequest(probe, pickup);
  const asked = (port) => [local(port, path), { method, headers, body }];
  await sameAnswer(name, asked(stack.ports.gateway), asked(stack.ports['js-gateway']));
  const job = (who, orders) => ({
    port: stack.ports[who === 'ours' ? 'gateway' : 'js-gateway'],
    host: `localhost:${stack.ports.gateway}`,
    requests: orders.map((order) => orderRequest(order, pickup)),
    connections: CONNECTIONS,
  });
  const settleMs = bench.smoke ? 0 : SETTLE_MS;
  const send = (who, orders) => runOnce(bench.load, stack.pid, job(who, orders), settleMs);
  const again = (who, orders) => bench.load.run({ ...job(who, orders), seconds: bench.seconds });
  const size = await warmUp(bench, { next, send, again });
  const give = shared(next, size);
  const take = async (who, turn) => send(who, await give(who, turn));
  const syncs = stack.kind === 'disk' ? [fdatasyncRate(stack.dir)] : [];
  const row = await compare({ rounds: bench.rounds, take });
  if (syncs.length) syncs.push(fdatasyncRate(stack.dir));
  return { name, peer, ...row, ...(syncs.length && { fdatasync_per_s: Math.round(median(syncs)) }) };
}

const file = (bench, stack) =>
  bench.once('file', async () => {
    const [creator, seller] = [await generateKey(), await generateKey()];
    // More than WebCrypto gives at once.
    const bytes = Buffer.concat(Array.from({ length: 64 }, () => randomBytes(64 * KIB)));
    return sell(stack, { creator, payee: seller.jkt, title: 'A long song', bytes });
  });

async function range(bench, stack, name, bytes) {
  const { record } = await file(bench, stack);
  const path = `/f/${record.work}/1.satchel`;
  const headers = { range: `bytes=0-${bytes - 1}` };
  return repeated(bench, { stack, name, peer: 'js', path, headers });
}

async function frame(bench, stack) {
  const { record } = await file(bench, stack);
  const path = `/embed/${record.work}`;
  const ours = await fetch(local(stack.ports.gateway, path));
  const own = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive']);
  const headers = Object.fromEntries([...ours.headers].filter(([name]) => !own.has(name)));
  const page = JSON.stringify({ body: await ours.text(), headers });
  await fetch(local(stack.ports['js-widget']), { method: 'PUT', body: page });
  return repeated(bench, { stack, name: 'frame', peer: 'js, page from memory', path });
}

/** Our worker's built modules and plain variables, to be started alone. */
function alone(name) {
  const config = readConfig(name);
  const script = resolve(dirname(inRoot(configPath(name))), config.main);
  const vars = { ...config.vars, ISSUER: publicOrigin(1), WALLET_ORIGIN: walletOrigin(1) };
  return { modules: [script, join(dirname(script), 'index_bg.wasm')], vars };
}

/**
 * From starting the process to its first answer: each worker alone, against a worker in JavaScript.
 * The fastest of several: a start waits for nobody, so whatever is slower was other people's work.
 */
async function starts(bench) {
  const dir = scratch('memory');
  const twins = ['gateway', 'common'].map((name) => inRoot('benches', 'twins', `${name}.mjs`));
  const peer = { modules: twins, vars: alone('gateway').vars };
  const names = bench.smoke || bench.quick ? ['gateway', 'ledger'] : WORKERS;
  const times = new Map([['js', []], ...names.map((name) => [name, []])]);
  for (let round = 0; round < bench.rounds * 2; round += 1) {
    for (const [name, list] of times) list.push(await timeStart(name === 'js' ? peer : alone(name), dir));
  }
  rmSync(dir, { recursive: true });
  const start = (name) => Number(Math.min(...times.get(name)).toFixed(1));
  return names.map((name) => ({
    name: `start ${name}`,
    peer: 'js gateway',
    start_ms: start(name),
    peer_start_ms: start('js'),
    more_ms: Number((start(name) - start('js')).toFixed(1)),
    wasm_bytes: readFileSync(alone(name).modules[1]).length,
    rounds: times.get(name).length,
  }));
}

/** name → {run(bench) → row or rows, quick?: also in --quick, smoke?: false to leave out of --smoke}. */
export const ROWS = {
  start: { quick: true, run: starts },
  hello: {
    quick: true,
    run: async (bench) =>
      repeated(bench, { stack: await bench.stack('memory'), name: 'hello', peer: 'js', path: '/v1/health' }),
  },
  frame: { quick: true, run: async (bench) => frame(bench, await bench.stack('memory')) },
  'range 64 KiB': {
    quick: true,
    run: async (bench) => range(bench, await bench.stack('memory'), 'range 64 KiB', 64 * KIB),
  },
  'range 1 MiB': {
    run: async (bench) => range(bench, await bench.stack('memory'), 'range 1 MiB', KIB * KIB),
  },
  purchase: {
    quick: true,
    run: async (bench) =>
      purchases(bench, { stack: await bench.stack('memory'), name: 'purchase', peer: 'js', pickup: false }),
  },
  'purchase with pickup': {
    run: async (bench) => {
      const stack = await bench.stack('memory');
      return purchases(bench, { stack, name: 'purchase with pickup', peer: 'js', pickup: true });
    },
  },
  'purchase on disk': {
    run: async (bench) =>
      purchases(bench, { stack: await bench.stack('disk'), name: 'purchase on disk', peer: 'js', pickup: false }),
  },
  account: { quick: true, run: account },
  'account on disk': { run: accountOnDisk },
  settlement: { run: settlement },
  // A package from elsewhere is installed for it.
  lnbits: { smoke: false, run: lnbits },
  journal: { run: journal },
  writes: { quick: true, run: countWrites },
  presign: { quick: true, run: presign },
  hls: { quick: true, run: hls },
  'stream window': { quick: true, run: windowKeys },
  // Needs nginx and a browser, and takes the time that playing takes.
  'first frame': { smoke: false, run: firstFrame },
  widget: { quick: true, run: widget },
  webcrypto: { run: webcrypto },
  // An optimised program is compiled for it: too long for a smoke test.
  container: { smoke: false, run: container },
};
