// What a root key lets other keys do, on the real ledger: a site's money per purchase and per day, a device that has
// no root key, a seed kept encrypted for a passkey's key, and the end of each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeDelegation, makeSignOut, newDeviceKey, orderId, readDelegation } from '../sdk/js/src/index.js';
import { balanceOf, delegate, fund, newWallet, publish, unix } from './lib/actors.mjs';
import { refused } from './lib/problem.mjs';
import { openStack } from './lib/stack.mjs';

const stack = await openStack({ name: 'grants' });
const { client } = stack;
const origin = stack.walletOrigin;
const creator = await newWallet(client);
const songs = [];
for (const title of ['One', 'Two', 'Three']) songs.push(await publish(creator, { title, usd_micros: 250_000, origin }));

const buyer = await newWallet(client);
await fund(buyer, 10_000_000);
const price = (await client.quote(songs[0].work)).msat;

/** An order signed by a key that a site holds: nobody else acts. */
async function buyWith(key, { work }) {
  const quote = await client.quote(work);
  const { jws } = await client.makeOrder({ key, account: buyer.account, quote, cnf: key.jkt, order: await orderId(work) });
  return client.order(jws, { pickup: false });
}

test('a site buys by its grant alone, up to so much a day', async () => {
  const site = await newDeviceKey();
  assert.deepEqual(await client.granted(site), { status: 'waiting' });
  const jws = await makeDelegation(buyer.root, { issuer: client.issuer, key: site.jwk, scope: ['spend'], maxOrderMsat: price, maxDayMsat: 2 * price + 1, exp: unix() + 3_600 });
  assert.equal((await client.grant(jws)).account, buyer.account);

  // The key learns of the account from what was left for it, and nobody else does.
  const { status, delegation } = await client.granted(site);
  assert.equal(status, 'posted');
  const grant = await readDelegation(delegation, { issuer: client.issuer, key: site });
  assert.deepEqual([grant.account, grant.maxOrderMsat, grant.maxDayMsat], [buyer.account, price, 2 * price + 1]);
  await refused('wrong_key', () => client.request('GET', `/v1/grants/${site.jkt}`, { key: creator.device }));

  const before = await balanceOf(buyer);
  assert.equal((await buyWith(site, songs[0])).status, 'posted');
  assert.equal((await buyWith(site, songs[1])).status, 'posted');
  await refused('cap_exceeded', () => buyWith(site, songs[2]));
  assert.equal((await buyWith(site, songs[0])).owned, true);
  assert.equal(await balanceOf(buyer), before - 2 * price);

  const { keys: [own, ...others] } = await client.keys(buyer.account, site);
  assert.deepEqual([others.length, own.x, own.spent], [0, site.jwk.x, { day: 2 * price, total: 2 * price }]);
  // A site's key reads nothing and pays nobody.
  await refused('scope_missing', () => client.account(buyer.account, site));
  const all = (await client.keys(buyer.account, buyer.device)).keys;
  assert.deepEqual(all.map(({ x }) => x).sort(), [buyer.device.jwk.x, site.jwk.x].sort());

  // The end of it: a newer one without scope, for as long as the first would have lasted.
  const { issued, expires } = own.allows;
  await client.delegate(buyer.account, await makeDelegation(buyer.root, { issuer: client.issuer, key: site.jwk, scope: [], now: issued + 1, exp: expires }));
  await refused('scope_missing', () => buyWith(site, songs[2]));
  await refused('delegation_expired', () => client.grant(jws));
});

test('a grant is for whom the root key signed it', async () => {
  const site = await newDeviceKey();
  const stranger = await newWallet(client);
  const [head, payload, signature] = (await makeDelegation(buyer.root, { issuer: client.issuer, key: site.jwk })).split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), key: stranger.device.jwk };
  const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
  await refused('bad_signature', () => client.grant(forged));
  await refused('malformed', () => client.grant('a.b.c'));
  await refused('malformed', () => client.request('POST', '/v1/grants', { body: { delegation: head, more: 1 } }));
  assert.deepEqual(await client.granted(stranger.device), { status: 'waiting' });
  const tooLong = await makeDelegation(buyer.root, { issuer: client.issuer, key: site.jwk, scope: [], backup: 'A'.repeat(257) });
  await refused('malformed', () => client.delegate(buyer.account, tooLong));
});

test('an encrypted seed is read back by its key, which may do nothing else, until signing out', async () => {
  const second = await newDeviceKey();
  await delegate(buyer, second, { scope: [], backup: 'c2VhbGVk' });
  const { keys: [own] } = await client.keys(buyer.account, second);
  assert.equal(own.allows.backup, 'c2VhbGVk');
  await refused('scope_missing', () => buyWith(second, songs[2]));
  await refused('scope_missing', () => client.account(buyer.account, second));
  await client.signOut(buyer.account, await makeSignOut(buyer.root, { issuer: client.issuer, epoch: 1 }));
  await refused('delegation_expired', () => client.keys(buyer.account, second));
  await refused('wrong_key', () => client.keys(buyer.account, creator.device));
});
