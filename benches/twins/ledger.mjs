// Twin of workers/ledger as far as an order goes: the work from a short-lived copy, then the account.
import { answering, ask, json, readPart } from './common.mjs';
import { askObject } from './objects.mjs';
export { Account } from './account.mjs';
export { Inbox } from './inbox.mjs';

const COPY_MS = 20_000;
const copies = new Map();

const object = (namespace, name) => namespace.get(namespace.idFromName(name));

async function workOf(env, work) {
  const known = copies.get(work);
  if (known && Date.now() - known.at < COPY_MS) return known.value;
  const value = await ask(object(env.WORK, work), '/');
  copies.set(work, { at: Date.now(), value });
  return value;
}

async function takeOrder(request, env) {
  const { order } = await request.json();
  const { account, work } = readPart(order.split('.')[1]);
  const ordered = { order, work: await workOf(env, work) };
  return json(await ask(object(env.ACCOUNT, account), '/order', ordered));
}

/** What the bench sets up beforehand: works, and accounts with a key and money. */
async function setUp(request, env) {
  const { works = [], accounts = [] } = await request.json();
  for (const work of works) await ask(object(env.WORK, work.work), '/', work);
  for (const account of accounts) await ask(object(env.ACCOUNT, account.account), '/setup', account);
  return json({ done: true });
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    const [, bench, what, ...rest] = pathname.split('/');
    if (bench === 'bench') return askObject(request, env, what, rest);
    return answering(() => (pathname === '/setup' ? setUp : takeOrder)(request, env));
  },
};

export class Work {
  constructor(ctx) {
    this.sql = ctx.storage.sql;
    this.sql.exec('CREATE TABLE IF NOT EXISTS work (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  }

  async fetch(request) {
    if (request.method === 'POST') {
      this.sql.exec('INSERT OR REPLACE INTO work VALUES (0, ?)', await request.text());
    }
    return json(JSON.parse(this.sql.exec('SELECT body FROM work').one().body));
  }
}
