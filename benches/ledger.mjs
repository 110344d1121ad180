// The ledger's objects, asked directly: what a transfer costs, alone and among others, on disk, in a
// long journal, and by the thousand.
import { makeDesk } from './desk.mjs';
import { compare, runOnce } from './measure.mjs';

const CONNECTIONS = 32;
// Delivery and fold belong to a sale; its object rests when they are done.
const SETTLE_MS = 1_300;
const SMOKE_ORDERS = 16;

export const desk = (bench, kind, accounts = 1) =>
  bench.once(`desk ${kind} ${accounts}`, async () => {
    const stack = await bench.stack(kind, { direct: true });
    return { stack, ...(await makeDesk(stack, accounts)) };
  });

/** How a peer is asked: its socket, and what makes a request of an order. */
export const peersOf = (desk) => ({
  ours: { port: desk.stack.ports.ledger, of: desk.request },
  bare: { port: desk.stack.ports['js-bare'], of: desk.bare },
  verified: { port: desk.stack.ports['js-bare'], of: desk.verified },
  grouped: { port: desk.stack.ports['js-bare'], of: desk.grouped },
  twin: { port: desk.stack.ports['js-ledger'], of: desk.twin },
});

/** Gives orders to one peer, once each, and waits until all that follows from them is done. */
export function sender(bench, stack, connections = CONNECTIONS) {
  const settleMs = bench.smoke ? 0 : SETTLE_MS;
  return ({ port, of }, orders) =>
    runOnce(bench.load, stack.pid, { port, host: 'localhost', requests: orders.map(of), connections }, settleMs);
}

/** Two peers on the very same orders, after enough of them for compilers. */
export async function transfers(bench, { name, peer, desk, ours, theirs, connections, next = desk.next }) {
  const send = sender(bench, desk.stack, connections);
  const least = bench.smoke ? SMOKE_ORDERS : 512;
  let size = least;
  for (let warm = 0; warm < (bench.smoke ? 1 : 3); warm += 1) {
    const orders = await next(least);
    const runs = [await send(ours, orders), await send(theirs, orders)];
    size = Math.max(least, Math.ceil(Math.min(...runs.map((run) => run.count / run.seconds)) * bench.seconds));
  }
  let batches = [];
  const take = async (who, turn) => {
    if (who === 'ours' && turn === 0) batches = [await next(size), await next(size)];
    return send(who === 'ours' ? ours : theirs, batches[turn]);
  };
  return { name, peer, ...(await compare({ rounds: bench.rounds, take })) };
}

const PLAIN = 'js, 2 UPDATE + 1 INSERT';

/** One account's transfers against peers that do less, and one that does the same. */
export async function account(bench) {
  const one = await desk(bench, 'memory');
  const { ours, bare, verified, twin } = peersOf(one);
  const row = (name, peer, theirs, connections) => transfers(bench, { name, peer, desk: one, ours, theirs, connections });
  const rows = [await row('account', PLAIN, bare)];
  if (bench.quick) return rows;
  rows.push(await row('account, one at a time', PLAIN, bare, 1));
  rows.push(await row('account, orders verified', `${PLAIN}, and WebCrypto on the order`, verified));
  rows.push(await row('account, whole', 'js twin: verifies, delivers, folds', twin));
  return rows;
}
