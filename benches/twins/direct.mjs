// Stands before the ledger's own main module in benches: its objects asked directly, and what an
// object was last given by another, as it was given, so that benches can say the same again.
import * as worker from './index.js';
import { askObject } from './objects.mjs';
export * from './index.js';

const given = new Map();
let watching = false;

const watched = (name, Real) =>
  class extends Real {
    fetch(request) {
      if (!watching || request.method !== 'POST') return super.fetch(request);
      return this.record(request);
    }

    async record(request) {
      const body = await request.text();
      const { pathname } = new URL(request.url);
      given.set(`${name} ${pathname.split('/')[1]}`, { path: pathname, body });
      return super.fetch(new Request(request, { body }));
    }
  };

export const Account = watched('Account', worker.Account);
export const Inbox = watched('Inbox', worker.Inbox);

/** `/bench/watch/{on|look|off}` tells what was given to whom since it was turned on. */
function watch(how) {
  if (how === 'on') given.clear();
  if (how !== 'look') watching = how === 'on';
  return Response.json(Object.fromEntries(given));
}

export default {
  fetch(request, env, ctx) {
    const [, bench, what, ...rest] = new URL(request.url).pathname.split('/');
    if (bench !== 'bench') {
      const real = worker.default;
      return (typeof real === 'function' ? new real(ctx, env) : real).fetch(request, env, ctx);
    }
    return what === 'watch' ? watch(rest[0]) : askObject(request, env, what, rest);
  },
};
