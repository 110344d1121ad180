// PostgreSQL's own answer to the same job: a function that debits one account, credits another and
// keeps the transfer, called by pgbench. A cluster of its own, as durable as it comes.
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capture, must, sleep, spawnGuarded, stopGroup, which } from '../tools/proc.mjs';
import { cpuOf } from './measure.mjs';
import { scratch } from './serve.mjs';

const DEBIAN = '/usr/lib/postgresql';
const USER = 'satchel';
const ACCOUNTS = 10_000;
const BALANCE = 1_000_000_000;
const READY_MS = 30_000;
// Checkpoints are part of its work, but not in one run and not in the next.
const SETTINGS = { listen_addresses: '', fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '30min' };

const SCHEMA = `
CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE transfers (id uuid PRIMARY KEY, debit integer NOT NULL, credit integer NOT NULL,
  msat bigint NOT NULL, time timestamptz NOT NULL);
INSERT INTO accounts SELECT i, ${BALANCE} FROM generate_series(1, ${ACCOUNTS}) i;
-- The lower account first, whichever is debited: two that meet wait for each other and go on.
CREATE FUNCTION transfer(id uuid, debit integer, credit integer, msat bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE accounts a SET balance = a.balance + CASE WHEN a.id = debit THEN -msat ELSE msat END WHERE a.id = least(debit, credit);
  UPDATE accounts a SET balance = a.balance + CASE WHEN a.id = debit THEN -msat ELSE msat END WHERE a.id = greatest(debit, credit);
  INSERT INTO transfers VALUES (id, debit, credit, msat, now());
END $$;
VACUUM ANALYZE;
`;
const SCRIPT = `\\set a random(1, ${ACCOUNTS})
\\set b 1 + (:a + random(0, ${ACCOUNTS - 2})) % ${ACCOUNTS}
\\set msat random(1, 1000)
SELECT transfer(gen_random_uuid(), :a, :b, :msat);
`;

function programs() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => b - a) : [];
  const folders = versions.map((version) => join(DEBIAN, version, 'bin'));
  const find = (name) => folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? which(name);
  const found = Object.fromEntries(['initdb', 'postgres', 'psql', 'pgbench'].map((name) => [name, find(name)]));
  return Object.values(found).every(Boolean) && found;
}

/** Who runs it: it refuses to be root's. */
async function runner() {
  if (process.getuid() !== 0) return {};
  const id = async (flag) => (await capture('id', [flag, 'postgres'])).out.trim();
  const [uid, gid] = [Number(await id('-u')), Number(await id('-g'))];
  return uid ? { uid, gid } : undefined;
}

/**
 * A server with its data beside the builds, on the disk that ours uses; undefined where it is missing.
 * `run(seconds, connections)` gives a run of transfers as the load generator would.
 */
export async function startPostgres() {
  const found = programs();
  const who = found && (await runner());
  if (!who) {
    console.error('  no PostgreSQL here (Debian: apt-get install --no-install-recommends postgresql)');
    return undefined;
  }
  // A socket's path may not be long.
  const [dir, sockets] = [scratch('disk'), mkdtempSync(join(tmpdir(), 'satchel-pg-'))];
  for (const path of [dir, sockets]) if (who.uid) chownSync(path, who.uid, who.gid);
  const data = join(dir, 'data');
  const options = { ...who, cwd: dir };
  const end = [() => [dir, sockets].forEach((path) => rmSync(path, { recursive: true, force: true }))];
  const stop = async () => {
    while (end.length) await end.pop()();
  };
  try {
    await must(found.initdb, ['-D', data, '-A', 'trust', '-U', USER, '--encoding=UTF8', '--locale=C'], options);
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: sockets });
    const server = spawnGuarded(found.postgres, ['-D', data, ...settings.flatMap(([name, to]) => ['-c', `${name}=${to}`])], { ...options, stdio: 'ignore' });
    end.push(() => stopGroup(server));
    const at = ['-h', sockets, '-U', USER];
    const psql = (sql, database = 'postgres') => capture(found.psql, [...at, '-d', database, '-v', 'ON_ERROR_STOP=1', '-qAtc', sql], options);
    for (let waited = 0; (await psql('SELECT 1')).code !== 0; waited += 200) {
      if (waited > READY_MS) throw new Error('PostgreSQL did not start');
      await sleep(200);
    }
    const [schema, script] = [join(dir, 'schema.sql'), join(dir, 'transfer.sql')];
    writeFileSync(schema, SCHEMA);
    writeFileSync(script, SCRIPT);
    await must(found.psql, [...at, '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-qf', schema], options);
    const version = (await psql('SHOW server_version')).out.trim().split(' ')[0];
    const run = async (seconds, connections) => {
      const before = cpuOf(server.pid);
      const args = ['-n', '-M', 'prepared', '-c', connections, '-j', 2, '-T', Math.max(1, Math.round(seconds)), '-f', script, 'postgres'];
      const out = await must(found.pgbench, [...at, ...args].map(String), options);
      const number = (pattern) => Number(pattern.exec(out)[1]);
      const count = number(/actually processed: (\d+)/);
      const p50 = number(/latency average = ([\d.]+)/);
      // Its connections have ended, and their time is counted with the server's.
      await sleep(200);
      return { count, seconds: count / number(/tps = ([\d.]+)/), p50, p99: NaN, cpu: cpuOf(server.pid) - before };
    };
    return { version, dir, run, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
