// The least an object can do to move money: 2 UPDATE + 1 INSERT for an order it is given. In three
// ways: it believes the order, verifies it as ours does, or gathers what comes at once into one write.
import { Refusal, answering, fromB32, fromB64u, json, problem, readPart } from './common.mjs';
import { readOrder } from './documents.mjs';
import { askObject } from './objects.mjs';

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, debits INTEGER NOT NULL,
    credits INTEGER NOT NULL, CHECK (debits <= credits)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS transfers (key BLOB PRIMARY KEY, msat INTEGER NOT NULL,
    time INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID`,
  'CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, x TEXT NOT NULL) WITHOUT ROWID',
];
const SELLER = 'seller';
const DEBIT = 'UPDATE accounts SET debits = debits + ?1 WHERE id = ?2 AND credits - debits >= ?1';
const CREDIT = 'UPDATE accounts SET credits = credits + ? WHERE id = ?';

export class Bare {
  queue = [];

  constructor(ctx, env) {
    Object.assign(this, { ctx, env, sql: ctx.storage.sql });
    for (const statement of SCHEMA) this.sql.exec(statement);
  }

  fetch(request) {
    const { pathname } = new URL(request.url);
    const actions = { '/bare': this.order, '/verified': this.verified, '/grouped': this.grouped };
    const action = { ...actions, '/setup': this.setUp, '/sum': this.sum }[pathname];
    if (!action) return problem(404, 'not_found');
    return answering(async () => json(await action.call(this, request.method === 'POST' && (await request.json()))));
  }

  setUp({ account, key, x, msat }) {
    this.sql.exec('INSERT OR REPLACE INTO accounts VALUES (?, 0, ?), (?, 0, 0)', account, msat, SELLER);
    this.sql.exec('INSERT OR REPLACE INTO keys VALUES (?, ?)', key, x);
    return {};
  }

  sum = () => this.sql.exec('SELECT (SELECT sum(debits) FROM accounts) AS msat, (SELECT count(*) FROM transfers) AS count').one();

  order({ order: jws }) {
    const { aud, iat, exp, quote, cnf, ...agreement } = readPart(jws.split('.')[1]);
    return this.post(agreement, cnf.jkt);
  }

  async verified({ order: jws }) {
    const keyOf = (kid) => fromB64u(this.sql.exec('SELECT x FROM keys WHERE key = ?', kid).one().x);
    const { agreement } = await readOrder(jws, this.env, Math.floor(Date.now() / 1000), keyOf);
    return this.post(agreement, agreement.cnf);
  }

  post(agreement, cnf) {
    const { order, account, msat } = agreement;
    const time = Math.floor(Date.now() / 1000);
    const transfer = { agreement: { ...agreement, cnf }, time };
    if (!this.sql.exec(DEBIT, msat, account).rowsWritten) throw new Refusal(402, 'insufficient_balance');
    this.sql.exec(CREDIT, msat, SELLER);
    this.sql.exec('INSERT INTO transfers VALUES (?, ?, ?, ?)', fromB32(order.slice(4)), msat, time, JSON.stringify(transfer));
    return { transfer, replayed: false, owned: false };
  }

  /** All that came in until now is written in one turn, which is one transaction and one fsync. */
  grouped(ordered) {
    return new Promise((done, failed) => {
      if (!this.queue.length) setTimeout(() => this.flush(), 0);
      this.queue.push({ ordered, done, failed });
    });
  }

  flush() {
    for (const { ordered, done, failed } of this.queue.splice(0)) {
      try {
        done(this.order(ordered));
      } catch (error) {
        failed(error);
      }
    }
  }
}

export default {
  fetch(request, env) {
    const [, , what, ...rest] = new URL(request.url).pathname.split('/');
    return askObject(request, env, what, rest);
  },
};
