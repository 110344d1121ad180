// What a purchase writes: rows, alarms and object requests, counted inside our own objects.
// The workers' main modules are wrapped for this (counting.mjs), so it is a process of its own and
// nothing is timed in it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { freePort, inRoot, sleep } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { publicOrigin } from '../tools/stack.mjs';
import { writeConfig } from '../tools/workerd.mjs';
import { readConfig } from '../tools/workers.mjs';
import { makeOrders, makeWorks } from './fixtures.mjs';
import { scratch, serve } from './serve.mjs';

// A row written and a million of each, US dollars: the list price of August 2026.
const PRICE = { row: 1, objectRequest: 0.15, workerRequest: 0.3 };
const SETTLE_MS = 4_000;
const SETTLE_SMOKE_MS = 1_500;
// Name, how many at once, whether the receipt is left for a frame.
const CASES = [
  ['one', 1, false],
  ['one with pickup', 1, true],
  ['many', 200, false],
];
const COUNTED = ['purchase', 'ledger'];
const TWIN = { name: 'idle', modules: [inRoot('benches', 'twins', 'idle.mjs')] };

const classesOf = (name) => readConfig(name).durable_objects.bindings.map((object) => object.class_name);

/** The module that stands before a worker's own: the same objects, watched. */
function wrapper(name) {
  const objects = classesOf(name).map((one) => `export const ${one} = watched('${one}', worker.${one});`);
  return `import * as worker from './index.js';
import { entry, watched } from './counting.mjs';
export default entry(worker.default);
${objects.join('\n')}
`;
}

/** Puts the wrapper first among a worker's modules in the generated configuration. */
function wrap(config, dir, name) {
  const own = join(dir, `${name}-counted.mjs`);
  writeFileSync(own, wrapper(name));
  const counting = inRoot('benches', 'twins', 'counting.mjs');
  const module = (path) => `(name = "${path.split('/').pop()}", esModule = embed "${relative(dir, path)}")`;
  const start = `const ${name} :Workerd.Worker = (\n  modules = [\n`;
  if (!config.includes(start)) throw new Error(`no worker ${name} in the generated configuration`);
  return config.replace(start, `${start}    ${module(own)},\n    ${module(counting)},\n`);
}

async function startCounted() {
  const dir = scratch('memory');
  const ports = { gateway: await freePort(), 'js-ledger': await freePort() };
  for (const name of COUNTED) ports[name] = await freePort();
  const bucket = await startBucket();
  const sockets = { purchase: ports.purchase, ledger: ports.ledger };
  const at = { dir, port: ports.gateway, stateDir: join(dir, 'state'), sockets };
  const extra = [{ ...TWIN, port: ports['js-ledger'] }];
  const path = writeConfig({ ...at, bucketPort: bucket.port, s3Endpoint: bucket.endpoint, extra });
  const config = COUNTED.reduce((text, name) => wrap(text, dir, name), readFileSync(path, 'utf8'));
  writeFileSync(path, config);
  const process = await serve(path, 4);
  const stop = async () => {
    await process.stop();
    await bucket.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { ports, bucket, issuer: publicOrigin(ports.gateway), stop };
}

/** Everything counted since the last look. */
async function take({ ports }) {
  const all = {};
  for (const name of COUNTED) {
    const answer = await fetch(`http://127.0.0.1:${ports[name]}/counted`);
    Object.assign(all, await answer.json());
  }
  return all;
}

async function buy(stack, orders, pickup, settleMs) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const send = async (order) => {
    const body = JSON.stringify({ order, pickup });
    const answer = await fetch(`${stack.issuer}/v1/orders`, { ...init, body });
    if (!answer.ok) throw new Error(`order: ${answer.status} ${await answer.text()}`);
  };
  await Promise.all(orders.map(send));
  // Delivery, receiver and both ends of the fold belong to the purchase.
  await sleep(settleMs);
}

/** One row: what each purchase came to. */
function summed(name, purchases, counted) {
  const round = (n) => Number((n / purchases).toFixed(2));
  const places = Object.entries(counted).map(([place, { calls, rows }]) => [place, [round(calls), round(rows)]]);
  const sum = (field) => Object.values(counted).reduce((all, one) => all + one[field], 0);
  const [rows, requests] = [round(sum('rows')), round(sum('calls'))];
  const price = rows * PRICE.row + requests * PRICE.objectRequest + PRICE.workerRequest;
  return {
    name,
    purchases,
    rows_in_request: round(counted['Account order']?.rows ?? 0),
    rows,
    object_requests: requests,
    usd_per_million: Number(price.toFixed(2)),
    // What is called where: [calls, rows] for one purchase.
    places: Object.fromEntries(places.filter(([, [calls]]) => calls)),
  };
}

export async function countWrites({ smoke }) {
  const stack = await startCounted();
  try {
    const works = await makeWorks(stack, smoke ? 1 : 5, 1);
    const next = await makeOrders(stack, works, smoke ? 4 : 256);
    const settleMs = smoke ? SETTLE_SMOKE_MS : SETTLE_MS;
    // The seller's first sale makes tables and registers accounts; later ones don't.
    await buy(stack, await next(1), false, settleMs);
    const rows = [];
    for (const [name, count, pickup] of smoke ? CASES.slice(0, 1) : CASES) {
      const orders = await next(count);
      await take(stack);
      await buy(stack, orders, pickup, settleMs);
      rows.push(summed(`writes, ${name}`, count, await take(stack)));
    }
    return rows;
  } finally {
    await stack.stop();
  }
}
