// Turns the ledger's objects into what the version before kept, as it would have written the same history:
// its tables, its bodies, its names. For tests of how they are brought up to date.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KIND, STATE, feesOf, fileOf, inboxOf, objectId } from './books.mjs';

const DAY_S = 86_400;
const LINE_BYTES = 21;
const FOLDS = 3;
/** The only account of the operator. */
export const OLD_FEES = 'fees';
const ACCOUNT = [
  `CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
    debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
    credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
    credits_posted INTEGER NOT NULL CHECK (credits_posted <= 9007199254740991),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    registered INTEGER NOT NULL,
    outbox BLOB NOT NULL,
    CHECK (debits_pending + debits_posted <= credits_posted))`,
  `CREATE TABLE transfers (
    key BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    msat INTEGER NOT NULL,
    time INTEGER NOT NULL,
    body TEXT NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE delegations (
    key TEXT PRIMARY KEY,
    x TEXT NOT NULL,
    expires INTEGER NOT NULL,
    body TEXT NOT NULL) WITHOUT ROWID`,
];
const INBOX = [
  `CREATE TABLE credits (
    key BLOB PRIMARY KEY,
    gross INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    time INTEGER NOT NULL) WITHOUT ROWID`,
  'CREATE TABLE inbox (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)',
];
const WORK = ['CREATE TABLE work (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)'];
const DIRECTORY = ['CREATE TABLE accounts (account TEXT PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID'];
const ISSUER = ['CREATE TABLE rate (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)'];

/** The inbox that the version before chose: one for thirty days. */
export const oldInboxOf = (payee, at = Date.now() / 1_000) => `${payee}/${Math.floor(at / (30 * DAY_S))}/0`;

/** Reads all tables of a file, and removes it. */
function takeAway(file) {
  const db = new DatabaseSync(file);
  const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all().map(({ name }) => name);
  const tables = Object.fromEntries(names.map((name) => {
    const statement = db.prepare(`SELECT * FROM "${name}"`);
    statement.setReadBigInts(name.startsWith('_cf'));
    return [name, statement.all()];
  }));
  db.close();
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
  return tables;
}

/** Writes a file: tables by their statements, rows by table, and the runtime's own note of the alarm. */
function write(file, ddl, rows, alarm) {
  const db = new DatabaseSync(file);
  for (const statement of ddl) db.exec(statement);
  if (alarm) {
    db.exec('CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)');
    db.prepare('INSERT INTO _cf_METADATA VALUES (1, ?)').run(alarm);
  }
  for (const [table, list] of Object.entries(rows)) {
    for (const row of list) db.prepare(`INSERT INTO ${table} VALUES (${row.map(() => '?').join(', ')})`).run(...row);
  }
  db.close();
}

const hash = (text) => createHash('sha256').update(text).digest();
const lines = (bytes) => Array.from({ length: bytes.length / LINE_BYTES }, (_, i) => Buffer.from(bytes.slice(i * LINE_BYTES, (i + 1) * LINE_BYTES)).toString('hex'));
const foldKey = (name, number) => Buffer.concat([Buffer.from([FOLDS]), hash(`${name}/${number}`).subarray(0, 20)]);

/** An entry without what came since, its inbox by the old name. */
function oldEntry(body) {
  const { transfer, credit } = JSON.parse(body);
  if (!credit) return JSON.stringify({ transfer, credit: null });
  const { work: _, ...rest } = credit.credit;
  return JSON.stringify({ transfer, credit: { inbox: oldInboxOf(rest.payee, rest.time), credit: rest } });
}

function oldAccount(tables, undelivered) {
  const [head] = tables.head ?? [];
  const byKey = new Map((tables.transfers ?? []).map((row) => [Buffer.from(row.key).toString('hex'), row]));
  const order = (tables.pages ?? []).flatMap((page) => lines(page.lines)).concat(head ? lines(head.recent) : []);
  // Re-issues have no line of their own any more; they stood among the others.
  const reissues = [...byKey].filter(([, { kind }]) => kind === KIND.REISSUE).map(([key]) => key);
  const all = [...order, ...reissues];
  const rows = all.map((key, i) => {
    const { kind, msat, time, body, state } = byKey.get(key);
    if (state !== STATE.POSTED || kind > KIND.FOLD) throw new Error('the version before knew no such transfer');
    if (kind !== KIND.FOLD) return [Buffer.from(key, 'hex'), kind, i + 1, msat, time, kind === KIND.FUND ? body : oldEntry(body)];
    const { inbox, number, count } = JSON.parse(body);
    const name = objectId('Inbox', oldInboxOf(inbox.split('/')[0], time));
    return [foldKey(name, number), kind, i + 1, msat, time, JSON.stringify({ id: `${name}/${number}`, msat, count })];
  });
  const outbox = Buffer.concat(undelivered);
  const account = head && [0, head.debits_pending, head.debits_posted, head.credits_pending, head.credits_posted, head.epoch, all.length, head.registered, outbox];
  const delegations = (tables.keys ?? []).map(({ key, x, expires, body }) => {
    const { max_total: _, ...kept } = JSON.parse(body);
    return [Buffer.from(key).toString(), x, expires, JSON.stringify(kept)];
  });
  return { account: account ? [account] : [], transfers: rows, delegations };
}

const b32 = (text) => {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  let bits = '';
  for (const letter of text) bits += alphabet.indexOf(letter).toString(2).padStart(5, '0');
  return Buffer.from(Array.from({ length: Math.floor(bits.length / 8) }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8), 2)));
};

/** Arms an object in the runtime's list of a namespace. */
function arm(dir, id, at) {
  const db = new DatabaseSync(join(dir, 'metadata.sqlite'));
  const [{ name }] = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%ALARM%'").all();
  const columns = db.prepare(`PRAGMA table_info("${name}")`).all().map((column) => column.name);
  db.prepare(`DELETE FROM "${name}" WHERE ${columns[0]} = ?`).run(id);
  db.prepare(`INSERT INTO "${name}" (${columns[0]}, ${columns[1]}) VALUES (?, ?)`).run(id, at);
  db.close();
}

/**
 * Makes everything in a stack's state old; the stack must not run. `undelivered` lists purchases, as
 * [account, order], whose credit has not left the buyer's outbox. The seller's last batch stands as sent and
 * acknowledged by both accounts, but not yet struck off.
 */
export function makeOld({ state }, { seller, undelivered }) {
  const counts = {};
  const now = BigInt(Date.now()) * 1_000_000n;
  const filesOf = (kind) => {
    const dir = join(state, `ledger-${kind}`);
    return readdirSync(dir).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)).map((name) => join(dir, name));
  };
  const stack = { state };
  const waiting = new Map(undelivered.map(([account, order]) => [fileOf(stack, 'Account', account), b32(order.slice('ord_'.length))]));
  const newFees = fileOf(stack, 'Account', feesOf(seller));
  for (const file of filesOf('Account')) {
    const tables = takeAway(file);
    const late = waiting.get(file);
    const to = file === newFees ? fileOf(stack, 'Account', OLD_FEES) : file;
    write(to, ACCOUNT, oldAccount(tables, late ? [late] : []), late && now);
    if (late) arm(join(state, 'ledger-Account'), to.split('/').at(-1).replace('.sqlite', ''), now);
    counts.accounts = (counts.accounts ?? 0) + 1;
  }
  const ids = [...waiting.values()].map((id) => `01${id.toString('hex')}`);
  for (const file of filesOf('Inbox')) {
    if (file !== fileOf(stack, 'Inbox', inboxOf(seller))) throw new Error('another inbox than the seller’s');
    const { held: [{ body }], credits } = takeAway(file);
    const { payee, number, folded } = JSON.parse(body);
    const left = credits.filter(({ key }) => !ids.includes(Buffer.from(key).toString('hex')));
    const name = objectId('Inbox', oldInboxOf(seller));
    // The last batch was one sale.
    const last = left.at(-1);
    const folding = { net: last.gross - last.fee, fee: last.fee, count: 1 };
    if (!folded) throw new Error('nothing was folded');
    const held = { name, payee, number, open: { net: 0, fee: 0, count: 0 }, folding };
    write(fileOf(stack, 'Inbox', oldInboxOf(seller)), INBOX, {
      credits: left.map(({ key, gross, fee, time }) => [key, gross, fee, time]),
      inbox: [[0, JSON.stringify(held)]],
    }, now);
    arm(join(state, 'ledger-Inbox'), name, now);
    counts.credits = left.length;
  }
  for (const file of filesOf('Work')) {
    const { book: [{ body }] } = takeAway(file);
    const { snapshot: { slots: _, record: { stock: __, ...record }, ...snapshot } } = JSON.parse(body);
    write(file, WORK, { work: [[0, JSON.stringify({ snapshot: { record, ...snapshot } })]] });
    counts.works = (counts.works ?? 0) + 1;
  }
  for (const file of filesOf('Issuer')) {
    const { set_by_operator: [{ body }] } = takeAway(file);
    write(file, ISSUER, { rate: [[0, body]] });
    counts.rates = (counts.rates ?? 0) + 1;
  }
  const shards = new Map();
  for (const file of filesOf('Directory')) {
    const { known = [] } = takeAway(file);
    const names = known.map(({ key, time }) => [Buffer.from(key).toString(), time]);
    shards.set(file, names.filter(([name]) => !name.startsWith('fees-')));
  }
  const shard = fileOf(stack, 'Directory', String(hash(OLD_FEES)[0] % 64));
  shards.set(shard, [...(shards.get(shard) ?? []), [OLD_FEES, Math.floor(Date.now() / 1_000)]]);
  for (const [file, accounts] of shards) {
    if (existsSync(file)) throw new Error('not taken away');
    write(file, DIRECTORY, { accounts });
  }
  counts.shards = shards.size;
  return counts;
}
