// What every measurement of purchases needs of a stack: works on sale, and orders not yet sent.
import { makeOrders, makeWorks } from './fixtures.mjs';

const FULL = { works: 64, buyers: 256 };
const SMOKE = { works: 2, buyers: 16 };

export const market = (bench, stack) =>
  bench.once(`market ${stack.kind}`, async () => {
    const { works, buyers } = bench.smoke ? SMOKE : FULL;
    const records = await makeWorks(stack, works);
    return { next: await makeOrders(stack, records, buyers) };
  });

export const orderRequest = (order, pickup) => ({
  method: 'POST',
  path: '/v1/orders',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ order, pickup }),
});

/**
 * Orders for a comparison: `give(who, turn)` gives both peers the very same `size` new orders in each
 * turn of a round, which ours begins.
 */
export function shared(next, size) {
  let batches = [];
  return async function give(who, turn) {
    if (who === 'ours' && turn === 0) batches = [await next(size), await next(size)];
    return batches[turn];
  };
}
