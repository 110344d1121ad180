// The whole tree of `npm start`: what was sold outlives it, and nothing of it outlives Ctrl-C.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { balanceOf, buy, claimsOf, fund, newWallet, publish, purchasesOf } from './lib/actors.mjs';
import { clientOf } from './lib/http.mjs';
import { scratch } from './lib/stack.mjs';
import { alive, familyOf, freePorts, killAll, npmStart, portsAreFree } from './lib/tree.mjs';
import { until } from './lib/until.mjs';

const TEST_MS = 400_000;
const GONE_MS = 60_000;
const FUNDED = 1_000_000;
const PRICE = 2_000;

const place = scratch('start');
const ports = await freePorts();
let tree;
after(() => {
  if (tree) killAll([...tree.family, ...familyOf(tree.pid)]);
  place.remove();
});

const gone = (family) => until('all its processes are gone', () => alive(family).length === 0, { ms: GONE_MS });
/** wrangler, its workerds and what the tools start beside: enough that "all are gone" means something. */
const isTree = (family) => assert.ok(family.length >= 6, `only ${family.length} processes`);

test('a purchase outlives the sudden end of every process of npm start', { timeout: TEST_MS }, async () => {
  tree = await npmStart({ dir: place.dir, ports });
  isTree(tree.family);
  const client = clientOf(tree);
  const creator = await newWallet(client);
  const work = await publish(creator, { usd_micros: PRICE });
  const buyer = await newWallet(client);
  await fund(buyer, FUNDED);
  const sold = await buy(buyer, work);
  killAll(tree.family);
  await gone(tree.family);

  await until('the ports are free', () => portsAreFree(ports), { ms: GONE_MS });
  const began = Date.now();
  tree = await npmStart({ dir: place.dir, ports });
  console.log(`second start: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  const again = await client.order(sold.jws);
  assert.deepEqual([again.replayed, again.owned], [true, false]);
  assert.deepEqual(claimsOf(again.receipt), claimsOf(sold.receipt));
  assert.equal(await balanceOf(buyer), FUNDED - PRICE);
  assert.equal((await purchasesOf(buyer)).length, 1);
  await until('the creator is paid', async () => (await balanceOf(creator)) === PRICE * 0.95);
  await client.contentKey(sold.receipt, buyer.device);
});

test('Ctrl-C on npm start leaves no process and no port behind', { timeout: TEST_MS }, async () => {
  const { family, exited, press } = tree;
  isTree(family);
  press('SIGINT');
  await until('npm start has ended', () => alive([tree.pid]).length === 0, { ms: GONE_MS });
  assert.ok([130, 'SIGINT', 0].includes(await exited), `exit ${await exited}`);
  await gone(family);
  assert.ok(await portsAreFree(ports));
  assert.match(tree.said(), /Stopping/);
  assert.doesNotMatch(tree.said(), /Error|at .*\.mjs:\d+/);
});

test('nothing outlives npm start when only its own process is killed', { timeout: TEST_MS }, async () => {
  tree = await npmStart({ dir: place.dir, ports });
  isTree(tree.family);
  // Not the group: npm, its shell and the tool, without a chance to clean up.
  killAll([tree.pid]);
  const rest = tree.family.slice(1);
  await until('all its processes are gone', () => alive(rest).length === 0, { ms: GONE_MS });
  assert.ok(await portsAreFree(ports));
});
