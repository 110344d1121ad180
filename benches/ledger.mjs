// The ledger's objects, asked directly: what a transfer costs, alone and among others, on disk, in a
// long journal, and by the thousand.
import { ask, local, makeDesk, objectPath, posting } from './desk.mjs';
import { inParallel } from './fixtures.mjs';
import { compare, fdatasyncRate, median, runOnce, untilIdle } from './measure.mjs';
import { startPostgres } from './postgres.mjs';
import { countSyncs, withSlowSyncs } from './strace.mjs';

const CONNECTIONS = 32;
// Delivery and fold belong to a sale; its object rests when they are done.
const SETTLE_MS = 1_300;
const SMOKE_ORDERS = 16;

export const desk = (bench, kind, accounts = 1) =>
  bench.once(`desk ${kind} ${accounts}`, async () => {
    const stack = await bench.stack(kind, { direct: true });
    return makeDesk(stack, accounts);
  });

/** How a peer is asked: its socket, and what makes a request of an order. */
export const peersOf = (desk) => ({
  ours: { port: desk.stack.ports.ledger, of: desk.request },
  fold: { port: desk.stack.ports.ledger, of: desk.fold },
  bare: { port: desk.stack.ports['js-bare'], of: desk.bare },
  verified: { port: desk.stack.ports['js-bare'], of: desk.verified },
  grouped: { port: desk.stack.ports['js-bare'], of: desk.grouped },
  twin: { port: desk.stack.ports['js-ledger'], of: desk.twin },
});

/** Gives orders to one peer, once each, and waits until all that follows from them is done. */
export function sender(bench, stack, { connections = CONNECTIONS, expect } = {}) {
  const settleMs = bench.smoke ? 0 : SETTLE_MS;
  return ({ port, of }, orders, settles = true) => {
    const job = { port, host: 'localhost', requests: orders.map(of), connections, expect };
    return runOnce(bench.load, stack.pid, job, settles ? settleMs : 0);
  };
}

/**
 * Two peers, after enough orders for compilers. Each is given the very same ones, unless one of them
 * has a `next` of its own.
 */
export async function transfers(bench, { name, peer, desk, ours, theirs, ...how }) {
  const send = sender(bench, desk.stack, how);
  const give = async (size) => {
    const shared = await desk.next(size);
    return { ours: (await ours.next?.(size)) ?? shared, theirs: (await theirs.next?.(size)) ?? shared };
  };
  const least = bench.smoke ? SMOKE_ORDERS : 512;
  let size = least;
  for (let warm = 0; warm < (bench.smoke ? 1 : 3); warm += 1) {
    const orders = await give(least);
    const runs = [await send(ours, orders.ours, false), await send(theirs, orders.theirs, false)];
    size = Math.max(least, Math.ceil(Math.min(...runs.map((run) => run.count / run.seconds)) * bench.seconds));
  }
  if (!bench.smoke) await untilIdle(desk.stack.pid, SETTLE_MS);
  let batches = [];
  const take = async (who, turn) => {
    if (who === 'ours' && turn === 0) batches = [await give(size), await give(size)];
    return send(who === 'ours' ? ours : theirs, batches[turn][who]);
  };
  return { name, peer, ...(await compare({ rounds: bench.rounds, take })) };
}

/** For rows that only explain another. */
export const briefly = (bench) => ({ ...bench, rounds: Math.ceil(bench.rounds / 2) });

const PLAIN = 'js, 2 UPDATE + 1 INSERT';
const WHOLE = 'js twin, ungrouped: verifies, delivers, folds';

/** Every peer posts an order as it was agreed. */
async function samePosted(one, peers) {
  const [order] = await one.next(1);
  const posted = await Promise.all(peers.map(({ port, of }) => ask(port, of(order))));
  const [first, ...others] = posted.map(({ transfer: { agreement }, replayed, owned }) => {
    return JSON.stringify([Object.entries(agreement).sort(), replayed, owned]);
  });
  for (const other of others) if (other !== first) throw new Error(`account: a peer posts otherwise\n  ${first}\n  ${other}`);
}

/** One account's transfers against peers that do less, and one that does the same. */
export async function account(bench) {
  const one = await desk(bench, 'memory');
  const { ours, fold, bare, verified, twin } = peersOf(one);
  await samePosted(one, [ours, bare, verified, twin]);
  const rows = [await transfers(bench, { name: 'account', peer: PLAIN, desk: one, ours, theirs: bare })];
  if (bench.quick) return rows;
  const row = (name, peer, pair) => transfers(briefly(bench), { name, peer, desk: one, ours, ...pair });
  rows.push(await row('account, one at a time', PLAIN, { theirs: bare, connections: 1 }));
  rows.push(await row('account, credits', PLAIN, { ours: fold, theirs: bare }));
  rows.push(await row('account, orders verified', `${PLAIN}, and WebCrypto on the order`, { theirs: verified }));
  rows.push(await row('account, whole', WHOLE, { theirs: twin }));
  return rows;
}

// Buyers enough that two orders of one seldom come at once.
const MANY = 256;
// What strace is attached for: it slows every call down, so nothing is timed meanwhile.
const COUNTED_ORDERS = 3_200;
const SLOW_MS = 50;
const SLOW_ORDERS = 5;

/** Fsyncs for each of so many transfers, all that follows from them included. */
async function syncsEach(bench, one, peer) {
  const orders = await one.next(COUNTED_ORDERS);
  const send = sender(bench, one.stack);
  const syncs = await countSyncs(one.stack.pid, () => send(peer, orders));
  return syncs === undefined ? undefined : Number((syncs / COUNTED_ORDERS).toFixed(3));
}

/** The quickest of a few answers, one at a time, while each fsync takes SLOW_MS longer. */
async function leastBehindSlowSync({ stack, next }, { port, of }) {
  const times = [];
  const orders = await next(SLOW_ORDERS);
  await withSlowSyncs(stack.pid, SLOW_MS, async () => {
    for (const order of orders) {
      const began = performance.now();
      await ask(port, of(order));
      times.push(performance.now() - began);
      // Or the next one would wait for this one's delivery.
      await untilIdle(stack.pid, SETTLE_MS);
    }
  });
  return times.length ? Number(Math.min(...times).toFixed(1)) : undefined;
}

/** Durable transfers: what grouping gives, and how many fsyncs it takes. */
export async function accountOnDisk(bench) {
  const one = await desk(bench, bench.smoke ? 'memory' : 'disk');
  const { stack } = one;
  const { ours, bare, grouped, twin } = peersOf(one);
  const row = async (name, peer, pair, length = briefly(bench)) => {
    const before = fdatasyncRate(stack.dir);
    const found = await transfers(length, { name, peer, desk: one, ours, ...pair });
    return { ...found, fdatasync_per_s: Math.round(median([before, fdatasyncRate(stack.dir)])) };
  };
  const first = await row('account on disk', WHOLE, { theirs: twin }, bench);
  if (bench.smoke) return first;
  first.fsync_per_transfer = await syncsEach(bench, one, ours);
  first.peer_fsync_per_transfer = await syncsEach(bench, one, twin);
  first.least_ms_behind_slow_fsync = await leastBehindSlowSync(one, ours);
  const least = await row('account on disk, bare', `${PLAIN}, ungrouped`, { theirs: bare });
  least.peer_fsync_per_transfer = await syncsEach(bench, one, bare);
  const js = await row('account on disk, js grouped', `${PLAIN}, ungrouped`, { ours: grouped, theirs: bare });
  js.fsync_per_transfer = await syncsEach(bench, one, grouped);
  const spread = { ...ours, next: (await desk(bench, 'disk', MANY)).next };
  return [first, least, js, await row('account on disk, spread', `ours, over ${MANY} accounts: little to group`, { theirs: spread })];
}

// Sales that an inbox is given in one call.
const PER_CALL = 1_000;
const DEBIT_CREDIT = 'plpgsql: 2 UPDATE + 1 INSERT';

/** Sales by the thousand, from delivery until they are home, against PostgreSQL's one by one. */
export async function settlement(bench) {
  const one = await desk(bench, bench.smoke ? 'memory' : 'disk');
  const { stack, delivery, creditsPath } = one;
  const port = stack.ports.ledger;
  const path = (name) => objectPath('INBOX', `bench/${name}`, creditsPath);
  const perCall = PER_CALL;
  const settleMs = bench.smoke ? 0 : SETTLE_MS;
  const ours = async (calls) => {
    const bodies = await inParallel(calls, async () => delivery('bench/all', perCall));
    const requests = bodies.map((body) => posting(path('all'), body));
    const run = await runOnce(bench.load, stack.pid, { port, host: 'localhost', requests, connections: 1 }, settleMs);
    return { ...run, count: run.count * perCall };
  };
  if (bench.smoke) {
    const { count } = await ours(2);
    return { name: 'settlement', peer: 'none', per_call: perCall, count };
  }
  const postgres = await startPostgres();
  if (!postgres) return [];
  try {
    const theirs = () => postgres.run(bench.seconds, CONNECTIONS);
    let run;
    for (let warm = 0; warm < 3; warm += 1) run = await ours(20);
    await theirs();
    const calls = Math.ceil((run.count / run.seconds / perCall) * bench.seconds);
    const before = fdatasyncRate(stack.dir);
    // A call's p50 is of all its transfers; PostgreSQL's of one, and an average.
    const { peer_p99: _, ...row } = await compare({ rounds: bench.rounds, take: (who) => (who === 'ours' ? ours(calls) : theirs()) });
    const rate = Math.round(median([before, fdatasyncRate(stack.dir)]));
    return { name: 'settlement', peer: `PostgreSQL ${postgres.version}, ${DEBIT_CREDIT}`, per_call: perCall, ...row, fdatasync_per_s: rate };
  } finally {
    await postgres.stop();
  }
}
