// What a long journal costs: one account with 20,000 transfers behind it, one with 2,000,000. The rows
// are written straight into the files of their objects while nobody serves them.
import { join } from 'node:path';
import { seconds } from '../tools/proc.mjs';
import { ask, local, makeDesk } from './desk.mjs';
import { briefly, peersOf, transfers } from './ledger.mjs';
import { compare, runOnce } from './measure.mjs';
import { SatchelClient } from '../sdk/js/src/index.js';

const ROWS = { small: 20_000, large: 2_000_000 };
const ROWS_SMOKE = { small: 200, large: 2_000 };
const TABLE = 'transfers';
const READERS = 8;

/** The `i`th of `count` keys like `key`: spread evenly, as those of many works are. */
function keyLike(key, i, count) {
  const made = Buffer.from(key);
  crypto.getRandomValues(made.subarray(1));
  made.writeBigUInt64BE((BigInt(i) << 64n) / BigInt(count), 1);
  return made;
}

/** Copies of the longest row there is, a purchase, each under a key of its own. */
function fill(DatabaseSync, path, count) {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA synchronous = OFF');
  const columns = db.prepare(`PRAGMA table_info(${TABLE})`).all();
  const names = columns.map(({ name }) => name);
  const length = names.map((name) => `length(${name})`).join(' + ');
  const model = db.prepare(`SELECT * FROM ${TABLE} ORDER BY ${length} DESC LIMIT 1`).get();
  const { name: key } = columns.find(({ pk }) => pk);
  const insert = db.prepare(`INSERT INTO ${TABLE} VALUES (${names.map(() => '?')})`);
  const add = (i) => {
    const row = { ...model, [key]: keyLike(model[key], i, count), ...('seq' in model && { seq: i }) };
    insert.run(...names.map((name) => row[name]));
  };
  db.exec('BEGIN');
  // Every other first, then those between: pages as full as years of purchases leave them.
  for (const from of [0, 1]) for (let i = from; i < count; i += 2) add(i);
  db.exec('COMMIT');
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const { n } = db.prepare(`SELECT count(*) AS n FROM ${TABLE}`).get();
  db.close();
  return n;
}

const idOf = async ({ ports }, name) => (await fetch(local(ports.ledger, `/bench/id/ACCOUNT/${encodeURIComponent(name)}`))).text();

/** Requests that a client would send, signed and not sent. */
async function signedReads(stack, { account, device }, read, count) {
  const requests = [];
  const keep = async (url, { method, headers }) => {
    const { pathname, search } = new URL(url);
    requests.push({ method, path: pathname + search, headers: Object.fromEntries(new Headers(headers)) });
    return Response.json({});
  };
  const client = new SatchelClient({ issuer: stack.issuer, fetch: keep });
  for (let i = 0; i < count; i += 1) await read(client, account, device);
  return requests;
}

async function reads(bench, { name, stack, small, large, read, count }) {
  const { port } = new URL(stack.issuer);
  const take = async (who) => {
    const account = who === 'ours' ? large : small;
    const requests = await signedReads(stack, account, read, bench.smoke ? 8 : count);
    return runOnce(bench.load, stack.pid, { port: Number(port), host: `localhost:${port}`, requests, connections: READERS });
  };
  for (const who of ['ours', 'theirs']) await take(who);
  return { name, peer: 'ours, short journal', ...(await compare({ rounds: bench.rounds, take })) };
}

export async function journal(bench) {
  const { DatabaseSync } = await import('node:sqlite');
  const stack = await bench.stack('memory', { direct: true, for: 'journal' });
  const one = await makeDesk(stack, 2);
  const [small, large] = one.accounts;
  const counts = bench.smoke ? ROWS_SMOKE : ROWS;
  // Both have bought once: there is a table, and a row to copy.
  for (const account of one.accounts) {
    const [order] = await one.nextOf(account)(1);
    await ask(stack.ports.ledger, one.request(order));
  }
  const balance = async ({ account, device }) => (await one.client.account(account, device)).balance_msat;
  const before = await balance(large);
  const path = async ({ account }) => join(stack.stateDir, 'ledger-Account', `${await idOf(stack, account)}.sqlite`);
  const paths = { small: await path(small), large: await path(large) };
  const found = {};
  await stack.restart(async () => {
    for (const [which, at] of Object.entries(paths)) {
      const began = Date.now();
      found[which] = fill(DatabaseSync, at, counts[which]);
      console.error(`  a journal of ${found[which]} rows, ${seconds(began)}`);
    }
  });
  if (!(before > 0) || (await balance(large)) !== before) throw new Error('a balance is read from the journal');
  const { ours } = peersOf(one);
  const of = (account) => ({ ...ours, next: one.nextOf(account) });
  const pair = { ours: of(large), theirs: of(small) };
  const peer = 'ours, short journal';
  const rows = [
    { ...(await transfers(bench, { name: 'journal', peer, desk: one, ...pair })), journal_rows: found.large, peer_journal_rows: found.small },
    await reads(bench, { name: 'journal, balance', stack, small, large, count: 1_000, read: (client, account, key) => client.account(account, key) }),
  ];
  const page = (client, account, key) => client.purchases(account, key);
  rows.push(await reads(briefly(bench), { name: 'journal, page of purchases', stack, small, large, count: READERS, read: page }));
  return rows;
}
