// Where a purchase's time goes: the same order sent in at each hop, stopped at each hop, sent again.
import { makeDesk, objectPath, posting } from './desk.mjs';
import { peersOf, sender, transfers } from './ledger.mjs';
import { market, orderRequest, shared } from './market.mjs';
import { compare, runOnce } from './measure.mjs';

const CONNECTIONS = 32;
const SETTLE_MS = 1_300;
const JSON_TYPE = { 'content-type': 'application/json' };

const whole = (order) => orderRequest(order, false);
const pickedUp = (order) => orderRequest(order, true);
const internal = (order) => ({ ...whole(order), path: '/internal/orders' });
const nonsense = { method: 'POST', path: '/v1/orders', headers: JSON_TYPE, body: '{"order":"x"}' };

/**
 * `at`: the worker asked, of our own or of the twins. `of` makes a request of an order; without it
 * `request` is repeated. `again`: orders that were posted before, so that nothing is written.
 */
const STEPS = [
  { name: 'gateway answers by itself', at: 'gateway', request: { path: '/v1/health' } },
  { name: 'gateway and purchase, which refuses', at: 'gateway', request: nonsense, expect: 400 },
  { name: 'ledger and account: verify, replay', at: 'ledger', of: internal, again: true },
  { name: 'with purchase: receipt, replay', at: 'purchase', of: whole, again: true },
  { name: 'with gateway: whole path, replay', at: 'gateway', of: whole, again: true },
  { name: 'ledger: verify, commit, deliver, fold', at: 'ledger', of: internal },
  { name: 'whole path, new order', at: 'gateway', of: whole },
  { name: 'whole path, new order, pickup', at: 'gateway', of: pickedUp },
];

async function profilePurchase(bench) {
  const stack = await bench.stack('memory');
  const { next } = await market(bench, stack);
  const host = `localhost:${stack.ports.gateway}`;
  const send = ({ at, of, request, expect, again }, who, orders) => {
    const port = stack.ports[who === 'ours' ? at : `js-${at}`];
    const requests = of ? orders.map(of) : [request];
    const seconds = of && !again ? undefined : bench.seconds;
    const job = { port, host, requests, connections: CONNECTIONS, expect, seconds };
    return runOnce(bench.load, stack.pid, job, seconds ? 0 : SETTLE_MS);
  };
  const posted = await next(512);
  const size = Math.ceil(500 * bench.seconds);
  for (const who of ['ours', 'theirs']) await send(STEPS.at(-2), who, posted);
  const rows = [];
  for (const step of STEPS) {
    const give = step.again || !step.of ? async () => posted : shared(next, size);
    // One round uncounted, for the compilers.
    await compare({ rounds: 1, take: async (who, turn) => send(step, who, await give(who, turn)) });
    const row = await compare({ ...bench, take: async (who, turn) => send(step, who, await give(who, turn)) });
    rows.push({ name: step.name, peer: 'js', ...row });
  }
  return rows;
}

/** The same for one account's object, which each time does more. */
async function profileAccount(bench) {
  const one = await makeDesk(await bench.stack('memory', { direct: true }), 1);
  const { ours, fold, bare, verified, twin } = peersOf(one);
  const { account } = one.accounts[0];
  const nowhere = (peer, binding) => ({ ...peer, of: () => posting(objectPath(binding, account, '/nothing'), '{}') });
  const send = sender(bench, one.stack);
  const posted = await one.next(512);
  for (const peer of [ours, twin]) await send(peer, posted);
  const again = { next: (n) => Array.from({ length: n }, (_, i) => posted[i % posted.length]) };
  const row = (name, peer, pair) => transfers(bench, { name, peer, desk: one, ...pair });
  return [
    await row('object, unknown path', 'js, bare', { ours: nowhere(ours, 'ACCOUNT'), theirs: nowhere(bare, 'BARE'), expect: 404 }),
    await row('order, replayed: verify, read', 'js twin', { ours: { ...ours, ...again }, theirs: { ...twin, ...again } }),
    await row('credit: read, write', 'js, bare', { ours: fold, theirs: bare }),
    await row('order: verify, read, write, deliver', 'js, bare, verifies', { ours, theirs: verified }),
    await row('the same', 'js twin', { ours, theirs: twin }),
  ];
}

export const PROFILE = { purchase: { run: profilePurchase }, account: { run: profileAccount } };
