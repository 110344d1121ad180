// The ledger's objects as the runtime keeps them: one SQLite file each, named by what the object is called.
import { createHash, createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const DAY_S = 86_400;
const LEDGER = { Account: 'ledger-Account', Inbox: 'ledger-Inbox', Work: 'ledger-Work', Directory: 'ledger-Directory', Issuer: 'ledger-Issuer' };
/** Kinds of rows in an account's journal (workers/ledger/src/rows.rs). */
export const KIND = { PURCHASE: 1, REISSUE: 2, FUND: 3, FOLD: 4, REFUND: 5, REFUNDED: 6, FEE_OUT: 7, FEE_IN: 8, CORRECTION_OUT: 9, CORRECTION_IN: 10 };
/** Those that take money out. */
export const DEBITS = [KIND.PURCHASE, KIND.REFUND, KIND.FEE_OUT, KIND.CORRECTION_OUT];
export const STATE = { PENDING: 1, POSTED: 2, VOID: 3, ENDED: 4 };
/** Bytes of an id in an outbox. */
export const ID_BYTES = 20;

/** The id of a named object, as workerd makes it from its namespace's unique key. */
export function objectId(kind, name) {
  const key = createHash('sha256').update(LEDGER[kind]).digest();
  const mac = (data) => createHmac('sha256', key).update(data).digest().subarray(0, 16);
  const base = mac(name);
  return Buffer.concat([base, mac(base)]).toString('hex');
}

/** The file of a named object. */
export const fileOf = ({ state }, kind, name) => join(state, LEDGER[kind], `${objectId(kind, name)}.sqlite`);

/** The account that takes the operator's share of a seller's sales. */
export const feesOf = (payee) => `fees-${createHash('sha256').update(payee).digest()[0] & 63}`;

/** The seller's inbox for sales of today, if few are sold. */
export function inboxOf(payee, at = Date.now() / 1_000) {
  const day = Math.floor(at / DAY_S);
  return `${payee}/${day - (day % 7)}/0`;
}

const files = (file) => ['', '-wal', '-shm'].map((end) => file + end).filter(existsSync);

/**
 * Opens the database of an object, gives `use` it, closes it. Only where `write` is set may `use` change
 * it, and the process that serves must not run then.
 */
export function withBook(file, use, { write = false } = {}) {
  const db = new DatabaseSync(file, { readOnly: !write });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

const query = (db, sql, ...values) => db.prepare(sql).all(...values);
const hasTable = (db, name) => query(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name).length > 0;

/** An account's books at rest, if it has any. */
export function readAccount(file) {
  if (!existsSync(file)) return undefined;
  return withBook(file, (db) => {
    if (!hasTable(db, 'head')) return undefined;
    const [head] = query(db, 'SELECT * FROM head');
    if (!head) return undefined;
    const transfers = query(db, 'SELECT key, kind, state, msat, time, balance, refunded, body FROM transfers');
    return { file, head, transfers, outbox: head.todo.length / ID_BYTES };
  });
}

/** Every account there is. */
export function readAccounts({ state }) {
  const dir = join(state, LEDGER.Account);
  const names = readdirSync(dir).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
  return names.map((name) => readAccount(join(dir, name))).filter(Boolean);
}

/** All that an object keeps, its alarm too, so that two looks can be compared: what is not there is nothing. */
export function contents(file) {
  if (!existsSync(file)) return {};
  return withBook(file, (db) => {
    const tables = query(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name");
    const rows = (name) => {
      const statement = db.prepare(`SELECT * FROM "${name}"`);
      statement.setReadBigInts(true);
      return statement.all();
    };
    return Object.fromEntries(tables.map(({ name }) => [name, rows(name)]));
  });
}

/**
 * Takes an object away from a runtime that does not run: each use of it fails as an outage does,
 * without a word from us. Gives what brings it back.
 */
export function breakObject(file) {
  const moved = files(file);
  for (const one of moved) renameSync(one, `${one}.away`);
  mkdirSync(file, { recursive: true });
  return function heal() {
    for (const one of files(file)) if (one !== file) rmSync(one);
    rmdirSync(file);
    for (const one of moved) renameSync(`${one}.away`, one);
  };
}

/**
 * How much of the fee comes back when `msat` of the `left` that may still be paid back is: by largest remainder between
 * the operator, who is first, and the seller (docs/LEDGER.md).
 */
export function feeBack(msat, feeLeft, left) {
  const [fee, net] = [feeLeft, left - feeLeft].map((part) => ({ whole: Math.floor((msat * part) / left), rest: (msat * part) % left }));
  const short = msat - fee.whole - net.whole;
  return fee.whole + (short > 0 && fee.rest >= net.rest ? 1 : 0);
}
