// Counts what a worker's objects do, from inside: calls of each object, rows written as the
// runtime itself reports them, alarms set (each is billed as a row).
const places = new Map();
const owners = new WeakMap();
let patched = false;

function countAt(place) {
  if (!places.has(place)) places.set(place, { calls: 0, rows: 0, cursors: [] });
  return places.get(place);
}

/** Where a write belongs: to what the object was last asked to do. */
const placeOf = (owner) => countAt(`${owner.name} ${owner.doing}`);

function patch({ storage }) {
  patched = true;
  const sql = Object.getPrototypeOf(storage.sql);
  const { exec } = sql;
  sql.exec = function counted(...args) {
    const cursor = exec.apply(this, args);
    const owner = owners.get(this);
    if (owner) placeOf(owner).cursors.push(cursor);
    return cursor;
  };
  const store = Object.getPrototypeOf(storage);
  const { setAlarm } = store;
  store.setAlarm = function counted(...args) {
    const owner = owners.get(this);
    if (owner) placeOf(owner).rows += 1;
    return setAlarm.apply(this, args);
  };
}

/** A cursor knows its rows once it is read, which our objects do at once. */
function collect() {
  for (const place of places.values()) {
    for (const cursor of place.cursors) place.rows += cursor.rowsWritten;
    place.cursors = [];
  }
}

export function watched(name, Real) {
  return class extends Real {
    constructor(ctx, env) {
      if (!patched) patch(ctx);
      const owner = { name, doing: 'start' };
      owners.set(ctx.storage, owner);
      owners.set(ctx.storage.sql, owner);
      super(ctx, env);
      this.counted = owner;
    }

    async count(what, action) {
      this.counted.doing = what;
      countAt(`${name} ${what}`).calls += 1;
      try {
        return await action();
      } finally {
        collect();
      }
    }

    fetch(request) {
      const [, first] = new URL(request.url).pathname.split('/');
      return this.count(first || 'body', () => super.fetch(request));
    }

    alarm(...args) {
      return this.count('alarm', () => super.alarm(...args));
    }
  };
}

/** The worker's entry, and `/counted`: what was counted since it was last asked. */
export function entry(real) {
  return {
    fetch(request, env, ctx) {
      if (new URL(request.url).pathname !== '/counted') {
        const target = typeof real === 'function' ? new real(ctx, env) : real;
        return target.fetch(request, env, ctx);
      }
      const all = [...places].map(([place, { calls, rows }]) => [place, { calls, rows }]);
      places.clear();
      return Response.json(Object.fromEntries(all));
    },
  };
}
