// Workers of two versions talk to each other, as they do while one is deployed after the other: the purchase
// worker of the version before with this ledger, and the reverse. The version before is built from git, which
// takes minutes: in a soak only. What it said and was told is kept in tests/mixed, which is always checked.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { afterFee, newDeviceKey } from '../sdk/js/src/index.js';
import { CACHE, inRoot } from '../tools/proc.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import {
  balanceOf, buy, claimsOf, download, fund, makeOrder, newWallet, noise, openPacked, publish, purchasesOf,
} from './lib/actors.mjs';
import { refused } from './lib/problem.mjs';
import { equip, scratch } from './lib/stack.mjs';
import { until } from './lib/until.mjs';

const SOAK = Boolean(process.env.SATCHEL_SOAK);
const FIXTURES = inRoot('tests', 'mixed');
const REVISION = process.env.SATCHEL_MIXED ?? readFileSync(join(FIXTURES, 'revision'), 'utf8').trim();
const TAPPED = { before: { ledger: [inRoot('e2e', 'lib', 'tap.mjs')] } };
const BUILD_MS = 20 * 60_000;
const PRICE = 3_333;
const FUNDED = 100_000;

/** The version before, built in a checkout of its own beside the other things that are kept; gives its folder. */
function buildBefore() {
  const root = join(CACHE, 'mixed', REVISION.slice(0, 12));
  const git = (...words) => execFileSync('git', words, { cwd: inRoot(), stdio: ['ignore', 'pipe', 'pipe'] });
  if (!existsSync(join(root, 'package.json'))) {
    git('worktree', 'prune');
    git('worktree', 'add', '--detach', '--force', root, REVISION);
  }
  const env = { ...process.env };
  for (const name of ['SATCHEL_BOOTED', 'NODE_OPTIONS', 'NODE_TEST_CONTEXT', 'CARGO_TARGET_DIR']) delete env[name];
  execFileSync(process.execPath, ['tools/build.mjs'], { cwd: root, env, timeout: BUILD_MS, stdio: ['ignore', 'pipe', 'pipe'] });
  return root;
}

/** All that a purchase is, from the work's making to its key. */
async function journey(client) {
  const [seller, buyer] = [await newWallet(client), await newWallet(client)];
  await fund(buyer, FUNDED);
  const bytes = noise(2_000);
  const work = await publish(seller, { usd_micros: PRICE, bytes });
  const clip = await publish(seller, { usd_micros: PRICE, use: 'stream', windows: 2, bytes: noise(40_000) });
  assert.deepEqual(await client.record(work.work), work.record);
  const order = await makeOrder(buyer, work);
  const waits = await client.orderStatus(order.order, buyer.device);
  assert.equal(waits.status, 'waiting');
  const sold = await client.order(order.jws);
  assert.deepEqual([sold.status, sold.replayed, sold.owned], ['posted', false, false]);
  const again = await client.order(order.jws);
  assert.deepEqual([again.replayed, claimsOf(again.receipt)], [true, claimsOf(sold.receipt)]);
  assert.equal((await client.orderStatus(order.order, buyer.device)).status, 'posted');
  const { content_key: key } = await client.contentKey(sold.receipt, buyer.device);
  const opened = await openPacked(await download(work.record), Buffer.from(key, 'base64url'));
  assert.deepEqual(opened, Buffer.from(bytes));
  const other = await newDeviceKey();
  const reissued = await buy(buyer, work, { cnf: other });
  assert.equal(reissued.owned, true);
  await client.contentKey(reissued.receipt, other);
  const streamed = await buy(buyer, clip);
  const { session, capability } = await client.session(streamed.receipt, buyer.device);
  await client.windowKey(session, 0, capability, buyer.device);
  await refused('streaming_only', () => client.contentKey(streamed.receipt, buyer.device));
  const poor = await newWallet(client);
  await refused('insufficient_balance', () => buy(poor, work));
  await refused('own_work', () => buy(seller, work));
  assert.equal((await purchasesOf(buyer)).length, 2);
  await until('the seller is paid', async () => (await balanceOf(seller)) === 2 * afterFee(PRICE, 500));
  assert.equal(await balanceOf(buyer), FUNDED - 2 * PRICE);
}

/** Runs the journey on a stack of its own; gives its log. */
async function mixed(name, builds, more = {}) {
  const place = scratch(`mixed-${name}`);
  const stack = equip(await startWorkerd({ dir: place.dir, builds, ...more }));
  try {
    await journey(stack.client);
    return stack.readLog();
  } finally {
    await stack.stop();
    place.remove();
  }
}

test('workers of this version and the one before pass the purchase journey together', { skip: !SOAK && 'builds the version before: in a soak', timeout: BUILD_MS }, async () => {
  const root = buildBefore();
  console.log(`the version before: ${REVISION}`);
  const all = ['gateway', 'upload', 'files', 'widget', 'purchase', 'stream', 'ledger'];
  const before = (names) => Object.fromEntries(names.map((name) => [name, root]));
  const log = await mixed('old', before(all), TAPPED);
  console.log('all of the version before: passed');
  if (process.env.SATCHEL_RECORD) record(log);
  for (const [name, old] of Object.entries({
    'this ledger, all others before': all.filter((one) => one !== 'ledger'),
    'this purchase worker, all others before': all.filter((one) => one !== 'purchase'),
    'purchase worker before, all others of this version': ['purchase'],
    'ledger before, all others of this version': ['ledger'],
    'stream worker before, all others of this version': ['stream'],
  })) {
    await mixed(name.replace(/\W+/g, '-'), before(old));
    console.log(`${name}: passed`);
  }
});

test('this version asks and answers all that the one before knows, on the wire', async () => {
  const said = kindsOf(await mixed('new', {}, TAPPED));
  const names = readdirSync(FIXTURES).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  assert.deepEqual([...said.keys()].sort(), names.sort());
  for (const [name, now] of said) {
    const before = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8'));
    for (const part of ['method', 'status', 'body', 'answer']) knows(before[part], now[part], `${name}: ${part}`);
  }
});

/** Every member there was is there, with a value of the same kind. */
function knows(before, now, what) {
  if (before === null || before === undefined) return;
  assert.equal(typeof now, typeof before, what);
  assert.equal(Array.isArray(now), Array.isArray(before), what);
  if (typeof before === 'number' && what.endsWith('status')) assert.equal(now, before, what);
  if (Array.isArray(before)) for (const [i, one] of before.entries()) knows(one, now[i], `${what}[${i}]`);
  else if (typeof before === 'object') for (const [member, value] of Object.entries(before)) knows(value, now[member], `${what}.${member}`);
}

/** What was asked and answered, once for each kind. */
function kindsOf(log) {
  const said = log.split('\n').filter((line) => line.startsWith('TAP ')).map((line) => JSON.parse(line.slice(4)));
  const kept = new Map();
  for (const one of said) {
    const [, , what, , step] = one.path.split('/');
    const kind = [what, what === 'works' ? (step ?? 'read') : what === 'orders' && one.method === 'GET' ? 'found' : undefined];
    if (one.status >= 400) kind.push(one.answer.code);
    else if (what === 'orders' && one.method === 'POST') kind.push(one.answer.owned ? 'owned' : one.answer.replayed ? 'replayed' : 'posted');
    const name = kind.filter(Boolean).join('-');
    if (!kept.has(name)) kept.set(name, one);
  }
  return kept;
}

/** Keeps what the other workers of the version before asked its ledger. */
function record(log) {
  const kept = kindsOf(log);
  for (const [name, one] of kept) writeFileSync(join(FIXTURES, `${name}.json`), `${JSON.stringify(one, null, 2)}\n`);
  console.log(`recorded ${[...kept.keys()].join(', ')}`);
}
