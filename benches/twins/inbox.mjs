// Twin of the ledger's Inbox: takes sales in, each once, and folds them home a second later.
import { answering, ask, b64u, bytesOf, fromB32, json, sha256 } from './common.mjs';

const GATHER_MS = 1_000;
const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS credits (key BLOB PRIMARY KEY, gross INTEGER NOT NULL,
    fee INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID`,
  'CREATE TABLE IF NOT EXISTS inbox (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)',
];
const EMPTY = { net: 0, fee: 0, count: 0 };

export class Inbox {
  constructor(ctx, env) {
    Object.assign(this, { ctx, env, storage: ctx.storage });
    for (const statement of SCHEMA) this.rows(statement);
  }

  rows = (query, ...values) => this.storage.sql.exec(query, ...values).toArray();
  load = () => JSON.parse(this.rows('SELECT body FROM inbox')[0]?.body ?? 'null');
  save = (held) => this.rows('INSERT OR REPLACE INTO inbox VALUES (0, ?)', JSON.stringify(held));

  fetch(request) {
    return answering(async () => json(await this.take(await request.json())));
  }

  async take(credits) {
    const armed = await this.storage.getAlarm();
    const held = this.load() ?? { payee: credits[0].payee, number: 0, open: EMPTY, folding: null };
    this.storage.transactionSync(() => {
      for (const { order, gross, fee, time } of credits) {
        const key = new Uint8Array([1, ...fromB32(order.slice(4))]);
        if (this.rows('SELECT 1 FROM credits WHERE key = ?', key).length) continue;
        const { open } = held;
        held.open = { net: open.net + gross - fee, fee: open.fee + fee, count: open.count + 1 };
        this.rows('INSERT INTO credits VALUES (?, ?, ?, ?)', key, gross, fee, time);
      }
      this.save(held);
    });
    if (armed === null) this.storage.setAlarm(Date.now() + GATHER_MS);
    return {};
  }

  /** Freezes what is there, sends it home, strikes it off. */
  async alarm() {
    const held = this.load();
    if (!held.folding) {
      if (!held.open.count) return;
      Object.assign(held, { number: held.number + 1, folding: held.open, open: EMPTY });
      this.save(held);
    }
    const id = `${this.ctx.id}/${held.number}`;
    const hash = await sha256(bytesOf(id));
    const key = b64u([3, ...hash.subarray(0, 20)]);
    const { ACCOUNT } = this.env;
    const home = (name, msat) => ask(ACCOUNT.get(ACCOUNT.idFromName(name)), '/fold', { id, key, msat });
    await home(held.payee, held.folding.net);
    await home('fees', held.folding.fee);
    const now = this.load();
    this.save({ ...now, folding: null });
    if (now.open.count) this.storage.setAlarm(Date.now() + GATHER_MS);
  }
}
