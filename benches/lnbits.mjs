// Purchases beside the internal payments of LNbits (PyPI), a wallet server as people run it: two
// wallets of one server, SQLite, no node behind it.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, Told, freePort, must, sleep, spawnGuarded, step, stopGroup, which } from '../tools/proc.mjs';
import { ask, posting } from './desk.mjs';
import { inParallel } from './fixtures.mjs';
import { market, orderRequest } from './market.mjs';
import { compare, fdatasyncRate, median, runOnce } from './measure.mjs';
import { scratch } from './serve.mjs';

const VERSION = '1.6.2';
// The newest bitstring breaks a library that it needs.
const PACKAGES = [`lnbits==${VERSION}`, 'bitstring<5'];
const HOME = join(CACHE, 'tools', `lnbits-${VERSION}`);
const INSTALLED = join(HOME, 'installed');
const READY_MS = 60_000;
const CONNECTIONS = 32;
const SETTLE_MS = 1_300;
// A run of it, and how many purchases are sent meanwhile: about as long.
const PAYMENTS = 100;
const SATS = 2;
const FUNDS = 10_000_000;
// Its own functions, run once: only an operator with a password may do this over its API.
const TOP_UP = `
import asyncio, sys
from lnbits.core.crud import get_wallet
from lnbits.core.services import update_wallet_balance
async def main(wallet, amount):
    await update_wallet_balance(wallet=await get_wallet(wallet), amount=int(amount))
asyncio.run(main(*sys.argv[1:]))
`;

async function install() {
  if (existsSync(INSTALLED)) return;
  if (!which('python3')) throw new Told('there is no python3');
  rmSync(HOME, { recursive: true, force: true });
  mkdirSync(HOME, { recursive: true });
  await step(`LNbits ${VERSION}, installed once into the cache`, async (tell) => {
    await must('python3', ['-m', 'venv', HOME], { tell });
    await must(join(HOME, 'bin', 'python'), ['-m', 'pip', 'install', '--disable-pip-version-check', ...PACKAGES], { tell });
  });
  writeFileSync(INSTALLED, '');
}

/** Its server finds its own files only from here. */
function packagesDir() {
  const [python] = readdirSync(join(HOME, 'lib'));
  return join(HOME, 'lib', python, 'site-packages');
}

async function start() {
  const [dir, port] = [scratch('disk'), await freePort()];
  const own = { LNBITS_BACKEND_WALLET_CLASS: 'FakeWallet', LNBITS_DATA_FOLDER: dir, LNBITS_EXTENSIONS_PATH: dir, LNBITS_ADMIN_UI: 'false', LNBITS_RATE_LIMIT_NO: '1000000000', DEBUG: 'false' };
  const options = { cwd: packagesDir(), env: { ...process.env, ...own } };
  const child = spawnGuarded(join(HOME, 'bin', 'lnbits'), ['--host', '127.0.0.1', '--port', port].map(String), { ...options, stdio: 'ignore' });
  const stop = async () => {
    await stopGroup(child);
    rmSync(dir, { recursive: true, force: true });
  };
  const health = async () => (await fetch(`http://127.0.0.1:${port}/api/v1/health`)).ok;
  for (let waited = 0; !(await health().catch(() => false)); waited += 200) {
    if (waited > READY_MS || child.exitCode !== null) {
      await stop();
      throw new Told('LNbits did not start');
    }
    await sleep(200);
  }
  const topUp = (wallet) => must(join(HOME, 'bin', 'python'), ['-c', TOP_UP, wallet, FUNDS].map(String), options);
  return { port, pid: child.pid, dir, topUp, stop };
}

const paying = (key, body) => {
  const request = posting('/api/v1/payments', JSON.stringify(body));
  return { ...request, headers: { ...request.headers, 'x-api-key': key } };
};

/** Two wallets; `invoices(n)` gives requests by which one pays the other. */
async function openWallets(server) {
  const open = async (name) => {
    const wallet = await ask(server.port, posting('/api/v1/account', JSON.stringify({ name })));
    // A wallet with a currency asks exchanges for its rate at every payment, and would wait for them.
    const { headers } = paying(wallet.adminkey, {});
    await ask(server.port, { path: '/api/v1/wallet', method: 'PATCH', headers, body: JSON.stringify({ currency: '' }) });
    return wallet;
  };
  const [buyer, seller] = [await open('buyer'), await open('seller')];
  await server.topUp(buyer.id);
  const balance = async () => (await ask(server.port, { path: '/api/v1/wallet', headers: { 'x-api-key': seller.inkey } })).balance;
  const invoices = (n) =>
    inParallel(n, async (i) => {
      const { bolt11 } = await ask(server.port, paying(seller.inkey, { out: false, amount: SATS, memo: `Song ${i}` }));
      return paying(buyer.adminkey, { out: true, bolt11 });
    });
  return { invoices, balance };
}

/** Purchases a second through the gateway, beside payments a second. */
export async function lnbits(bench) {
  let server;
  try {
    await install();
    server = await start();
  } catch (error) {
    if (!(error instanceof Told)) throw error;
    console.error(`  no LNbits here: ${error.message.split('\n').at(-1)}`);
    return [];
  }
  try {
    const stack = await bench.stack('disk');
    const { next } = await market(bench, stack);
    const { invoices, balance } = await openWallets(server);
    const theirs = async () => {
      const requests = await invoices(PAYMENTS);
      return runOnce(bench.load, server.pid, { port: server.port, host: 'localhost', requests, connections: CONNECTIONS });
    };
    let size = 512;
    const ours = async () => {
      const requests = (await next(size)).map((order) => orderRequest(order, false));
      const { gateway } = stack.ports;
      return runOnce(bench.load, stack.pid, { port: gateway, host: `localhost:${gateway}`, requests, connections: CONNECTIONS }, SETTLE_MS);
    };
    let run;
    for (let warm = 0; warm < 3; warm += 1) run = await ours();
    size = Math.max(size, Math.ceil((run.count / run.seconds) * bench.seconds));
    await theirs();
    const before = fdatasyncRate(stack.dir);
    const row = await compare({ rounds: bench.rounds, take: (who) => (who === 'ours' ? ours() : theirs()) });
    const rate = Math.round(median([before, fdatasyncRate(stack.dir)]));
    const paid = PAYMENTS * (1 + 2 * bench.rounds) * SATS * 1000;
    if ((await balance()) !== paid) throw new Error(`LNbits took ${PAYMENTS} payments a run, and the seller has not got them`);
    return { name: 'lnbits', peer: `LNbits ${VERSION}, internal payments`, ...row, fdatasync_per_s: rate };
  } finally {
    await server.stop();
  }
}
