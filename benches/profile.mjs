// Where a purchase's time goes: the same order sent in at each hop, and stopped at each hop.
import { loadavg } from 'node:os';
import { market, orderRequest } from './market.mjs';
import { median, runOnce } from './measure.mjs';

const CONNECTIONS = 32;
const SETTLE_MS = 1_300;
const JSON_TYPE = { 'content-type': 'application/json' };

const whole = (order) => orderRequest(order, false);
const pickedUp = (order) => orderRequest(order, true);
const internal = (order) => ({ ...whole(order), path: '/internal/orders' });
const nonsense = () => ({ method: 'POST', path: '/v1/orders', headers: JSON_TYPE, body: '{"order":"x"}' });
const health = () => ({ path: '/v1/health' });

/**
 * {name, port (by worker), request(order) → request, expect (status)?, fresh: a new order each, or
 * 'again': those of the step before}.
 */
const STEPS = [
  { name: 'gateway answers itself', port: 'gateway', request: health },
  { name: '+ hop to purchase, which refuses nonsense', port: 'gateway', request: nonsense, expect: 400 },
  { name: 'ledger alone: verify, commit, deliver', port: 'ledger', request: internal, fresh: true },
  { name: 'the same again: verify, nothing written', port: 'ledger', request: internal, fresh: 'again' },
  { name: '+ purchase: hop, receipt signed', port: 'purchase', request: whole, fresh: true },
  { name: '+ gateway: the whole path', port: 'gateway', request: whole, fresh: true },
  { name: 'the same again: nothing written', port: 'gateway', request: whole, fresh: 'again' },
  { name: '+ pickup', port: 'gateway', request: pickedUp, fresh: true },
];
const TWIN = STEPS.map((step) => ({ ...step, name: `js: ${step.name}`, port: `js-${step.port}` }));

async function profilePurchase(bench) {
  const stack = await bench.stack('memory');
  const { next } = await market(bench, stack);
  const host = `localhost:${stack.ports.gateway}`;
  const size = Math.ceil(500 * bench.seconds);
  const runs = new Map([...STEPS, ...TWIN].map((step) => [step, []]));
  let orders = [];
  for (let round = 0; round <= bench.rounds; round += 1) {
    for (const [step, list] of runs) {
      if (step.fresh === true) orders = await next(size);
      const requests = step.fresh ? orders.map(step.request) : [step.request()];
      const job = { port: stack.ports[step.port], host, requests, connections: CONNECTIONS, expect: step.expect };
      if (!step.fresh) job.seconds = bench.seconds;
      const run = await runOnce(bench.load, stack.pid, job, step.fresh ? SETTLE_MS : 0);
      // The first round warms everything up.
      if (round > 0) list.push(run);
    }
  }
  const load1 = Number(loadavg()[0].toFixed(1));
  return [...runs].map(([step, list]) => ({
    name: step.name,
    cpu_us: Math.round(median(list.map(({ cpu, count }) => cpu / count))),
    rps: Math.round(median(list.map(({ count, seconds }) => count / seconds))),
    p50: Number(median(list.map(({ p50 }) => p50)).toPrecision(3)),
    rounds: list.length,
    load1,
  }));
}

export const PROFILE = { purchase: { run: profilePurchase } };
