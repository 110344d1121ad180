// What a purchase writes: rows, alarms and object requests, counted inside our own objects.
// The workers' main modules are wrapped for this (counting.mjs), so it is a process of its own and
// nothing is timed in it.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, inRoot, sleep } from '../tools/proc.mjs';
import { startBucket } from '../tools/r2-memory.mjs';
import { publicOrigin } from '../tools/stack.mjs';
import { writeConfig } from '../tools/workerd.mjs';
import { readConfig } from '../tools/workers.mjs';
import { PRICE, makeOrders, makeWorks } from './fixtures.mjs';
import { scratch, serve } from './serve.mjs';

// A row written and a million of each, US dollars: the list price of August 2026.
const LIST = { row: 1, objectRequest: 0.15, workerRequest: 0.3 };
const SETTLE_MS = 4_000;
const SETTLE_SMOKE_MS = 1_500;
// How many at once (and in a smoke test, if it belongs there); whether the receipt is left for a frame,
// whether all of it was sent before, whether the works have a stock.
const CASES = [
  { name: 'one', count: 1, smoke: 1 },
  { name: 'one with pickup', count: 1, pickup: true },
  { name: 'many', count: 200, smoke: 16 },
  { name: 'retry', count: 1, again: true, smoke: 1 },
  { name: 'retry of many', count: 200, again: true },
  { name: 'limited', count: 1, limited: true, smoke: 1 },
  { name: 'many, limited', count: 200, limited: true },
];
// Terms of a work with a stock.
const STOCK = { limit: 1_000_000 };
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

/** Modules that stand before a worker's own. */
function before(dir, name) {
  const own = join(dir, `${name}-counted.mjs`);
  writeFileSync(own, wrapper(name));
  return [own, inRoot('benches', 'twins', 'counting.mjs')];
}

async function startCounted() {
  const dir = scratch('memory');
  const ports = { gateway: await freePort(), 'js-ledger': await freePort() };
  for (const name of COUNTED) ports[name] = await freePort();
  const bucket = await startBucket();
  const sockets = { purchase: ports.purchase, ledger: ports.ledger };
  const at = { dir, port: ports.gateway, stateDir: join(dir, 'state'), sockets };
  const extra = [{ ...TWIN, port: ports['js-ledger'] }];
  const wrapped = Object.fromEntries(COUNTED.map((name) => [name, before(dir, name)]));
  const path = writeConfig({ ...at, bucketPort: bucket.port, s3Endpoint: bucket.endpoint, before: wrapped, extra });
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

async function buy(stack, orders, pickup = false) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const send = async (order) => {
    const body = JSON.stringify({ order, pickup });
    const answer = await fetch(`${stack.issuer}/v1/orders`, { ...init, body });
    if (!answer.ok) throw new Error(`order: ${answer.status} ${await answer.text()}`);
  };
  await Promise.all(orders.map(send));
  // Delivery, receiver and both ends of the fold belong to the purchase.
  await sleep(stack.settleMs);
}

/** One row: what each purchase came to. */
function summed(name, purchases, counted) {
  const round = (n) => Number((n / purchases).toFixed(2));
  const places = Object.entries(counted).map(([place, { calls, rows }]) => [place, [round(calls), round(rows)]]);
  const sum = (field) => Object.values(counted).reduce((all, one) => all + one[field], 0);
  const [rows, requests] = [round(sum('rows')), round(sum('calls'))];
  const price = rows * LIST.row + requests * LIST.objectRequest + LIST.workerRequest;
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

/** Orders of a market of its own; its seller has sold before, which made tables and registered accounts. */
async function open(stack, smoke, terms) {
  const works = await makeWorks(stack, smoke ? 2 : 5, { sellers: 1, terms });
  const next = await makeOrders(stack, works, smoke ? 20 : 256);
  await buy(stack, await next(1));
  return next;
}

export async function countWrites(bench) {
  const stack = await startCounted();
  // Counts are exact however few there are.
  const smoke = bench.smoke || bench.quick;
  stack.settleMs = bench.smoke ? SETTLE_SMOKE_MS : SETTLE_MS;
  try {
    const markets = { plain: await open(stack, smoke), limited: await open(stack, smoke, { ...PRICE, ...STOCK }) };
    const rows = [];
    for (const { name, pickup, again, limited, ...how } of CASES) {
      const next = markets[limited ? 'limited' : 'plain'];
      const count = smoke ? how.smoke : how.count;
      if (!count) continue;
      const orders = await next(count);
      if (again) await buy(stack, orders, pickup);
      await take(stack);
      await buy(stack, orders, pickup);
      rows.push(summed(`writes, ${name}`, count, await take(stack)));
    }
    return rows;
  } finally {
    await stack.stop();
  }
}
