// Twin of the ledger's Account: verifies an order, moves the money, tells the seller's inbox. It writes
// each order by itself: what grouping gives is measured against it.
import { Refusal, answering, ask, fromB64u, json } from './common.mjs';
import { readOrder, sealHandle, workTag } from './documents.mjs';

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 0),
    debits INTEGER NOT NULL, credits INTEGER NOT NULL CHECK (debits <= credits),
    seq INTEGER NOT NULL, outbox BLOB NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS transfers (key BLOB PRIMARY KEY, kind INTEGER NOT NULL,
    seq INTEGER NOT NULL, msat INTEGER NOT NULL, time INTEGER NOT NULL, body TEXT NOT NULL)
    WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS delegations (key TEXT PRIMARY KEY, x TEXT NOT NULL,
    expires INTEGER NOT NULL) WITHOUT ROWID`,
];
const ID_BYTES = 20;
const EPOCH_S = 2_592_000;
const KIND = { purchase: 1, fold: 4 };
const INSERT = 'INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?)';
const sameAs = (one) => (other) => Object.keys(one).every((name) => one[name] === other[name]);

export class Account {
  constructor(ctx, env) {
    Object.assign(this, { ctx, env, storage: ctx.storage });
    for (const statement of SCHEMA) this.rows(statement);
  }

  rows = (query, ...values) => this.storage.sql.exec(query, ...values).toArray();
  head = () => this.rows('SELECT debits, credits, seq, outbox FROM account')[0];

  fetch(request) {
    const { pathname } = new URL(request.url);
    const action = { '/order': this.order, '/fold': this.fold, '/setup': this.setUp }[pathname];
    return answering(async () => json(await action.call(this, await request.json())));
  }

  setUp({ key, x, msat }) {
    this.rows('INSERT OR REPLACE INTO account VALUES (0, 0, ?, 0, ?)', msat, new Uint8Array());
    this.rows('INSERT OR REPLACE INTO delegations VALUES (?, ?, ?)', key, x, 2 ** 40);
    return {};
  }

  async order({ order: jws, work }) {
    const now = Math.floor(Date.now() / 1000);
    const order = await readOrder(jws, this.env, now, (kid) => {
      const [row] = this.rows('SELECT x, expires FROM delegations WHERE key = ?', kid);
      if (!row || row.expires <= now) throw new Refusal(403, 'wrong_key');
      return fromB64u(row.x);
    });
    const { agreement, key, quote, expires } = order;
    const handle = await sealHandle(this.env, agreement.account, key.subarray(1));
    const tag = await workTag(agreement.work);
    const armed = await this.storage.getAlarm();
    // No await from here: nothing may come between what is read and what is written.
    const [known] = this.rows('SELECT body FROM transfers WHERE key = ?', key);
    if (known) {
      const { transfer } = JSON.parse(known.body);
      if (!sameAs(agreement)(transfer.agreement)) throw new Refusal(409, 'order_conflict');
      return { transfer, replayed: true, owned: false };
    }
    if (!tag.every((byte, i) => byte === key[i + 1])) throw new Refusal(400, 'malformed');
    const end = new Uint8Array(ID_BYTES + 9).fill(255);
    end.set(key.subarray(0, 9));
    const range = 'SELECT body FROM transfers WHERE key >= ? AND key < ? AND kind = 1';
    const owned = this.rows(range, key.subarray(0, 9), end);
    if (owned.length) throw new Refusal(409, 'owned_already');
    const { offer, manifest_digest, use, title } = work;
    const { msat } = agreement;
    const head = this.head();
    if (offer.payee === agreement.account) throw new Refusal(409, 'own_work');
    if (offer.state !== 'published') throw new Refusal(410, 'work_unpublished');
    if (now >= expires) throw new Refusal(409, 'quote_expired');
    if (head.credits - head.debits < msat) throw new Refusal(402, 'insufficient_balance');
    const transfer = { agreement, time: now, manifest_digest, use, rate: quote.rate, title, handle };
    const fee = Math.floor((msat * Number(this.env.FEE_BPS)) / 10_000);
    const credit = { payee: offer.payee, order: agreement.order, gross: msat, fee, time: now };
    const inbox = `${offer.payee}/${Math.floor(now / EPOCH_S)}/0`;
    const body = JSON.stringify({ transfer, credit: { inbox, credit } });
    const outbox = new Uint8Array([...new Uint8Array(head.outbox), ...key.subarray(1)]);
    this.storage.transactionSync(() => {
      this.rows('UPDATE account SET debits=?, seq=?, outbox=? WHERE id = 0', head.debits + msat, head.seq + 1, outbox);
      this.rows(INSERT, key, KIND.purchase, head.seq + 1, msat, now, body);
    });
    if (armed === null) this.storage.setAlarm(Date.now());
    return { transfer, replayed: false, owned: false };
  }

  /** A batch of sales comes home, once. */
  fold({ id, key, msat }) {
    const blob = fromB64u(key);
    if (this.rows('SELECT 1 FROM transfers WHERE key = ?', blob).length) return {};
    if (!this.head()) this.rows('INSERT INTO account VALUES (0, 0, 0, 0, ?)', new Uint8Array());
    this.storage.transactionSync(() => {
      this.rows('UPDATE account SET credits = credits + ?, seq = seq + 1 WHERE id = 0', msat);
      this.rows(INSERT, blob, KIND.fold, 0, msat, Math.floor(Date.now() / 1000), id);
    });
    return {};
  }

  /** Delivers what was sold to each seller's inbox, then strikes it off. */
  async alarm() {
    const outbox = new Uint8Array(this.head()?.outbox ?? []);
    const inboxes = new Map();
    for (let at = 0; at < outbox.length; at += ID_BYTES) {
      const key = new Uint8Array([KIND.purchase, ...outbox.subarray(at, at + ID_BYTES)]);
      const [row] = this.rows('SELECT body FROM transfers WHERE key = ?', key);
      const { inbox, credit } = JSON.parse(row.body).credit;
      inboxes.set(inbox, [...(inboxes.get(inbox) ?? []), credit]);
    }
    const { INBOX } = this.env;
    for (const [name, credits] of inboxes) await ask(INBOX.get(INBOX.idFromName(name)), '/credits', credits);
    const left = new Uint8Array(this.head().outbox).subarray(outbox.length);
    this.rows('UPDATE account SET seq = seq + 1, outbox = ? WHERE id = 0', left);
    if (left.length) this.storage.setAlarm(Date.now());
  }
}
