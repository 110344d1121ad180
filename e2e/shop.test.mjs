// A creator's shop over its API: what it is told by the ledger, what it shows to its creator and to nobody
// else, and what webhooks receive, verified by the convention's own library.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { freePort } from '../tools/proc.mjs';
import { b64uEncode, randomBytes } from '../sdk/js/src/index.js';
import { buy, fund, newWallet, noise, publish } from './lib/actors.mjs';
import { receiver } from './lib/hooks.mjs';
import { send } from './lib/http.mjs';
import { refused } from './lib/problem.mjs';
import { openStack } from './lib/stack.mjs';
import { until } from './lib/until.mjs';

const PRICE = 250_000;
const inside = await freePort();
const stack = await openStack({ name: 'shop', runtime: 'workerd', sockets: { upload: inside } });
const { client, port } = stack;
const host = `localhost:${port}`;
const creator = await newWallet(client);
const { creator: key } = creator;
const [song, book] = [
  await publish(creator, { bytes: noise(20_000), usd_micros: PRICE, title: 'A song' }),
  await publish(creator, { bytes: noise(20_000), usd_micros: PRICE, title: 'A book', name: 'book.pdf' }),
];
const stranger = await newWallet(client);
const hook = await receiver();
after(hook.stop);

const id = (prefix) => `${prefix}_${[...randomBytes(32)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('')}`;
const unix = () => Math.floor(Date.now() / 1000);
const saleOf = ({ work }, more = {}) => ({
  order: id('ord'), handle: `pur_${b64uEncode(randomBytes(24))}`, work, version: 1, usd_micros: PRICE, msat: 250_000, fee_msat: 12_500, time: unix(), free: false, ...more,
});

/** What the ledger does over its binding. */
async function feed(batch, of = key.jkt) {
  const body = JSON.stringify({ sales: [], refunds: [], ...batch });
  const answer = await fetch(`http://127.0.0.1:${inside}/internal/shops/${of}/sales`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return { status: answer.status, json: await answer.json() };
}

const shop = () => client.shop(key);
const workOf = async ({ work }) => (await shop()).works.find((shown) => shown.work === work);

test('works are on the shelf from the moment they are registered, newest first, with record and nonce', async () => {
  const { works, totals, creator: whose } = await shop();
  assert.deepEqual(works.map(({ work, record }) => [work, record.title, record.state]), [[book.work, 'A book', 'published'], [song.work, 'A song', 'published']]);
  assert.equal(works[1].work_nonce, b64uEncode(song.nonce));
  assert.equal(totals.sold, 0);
  assert.equal(whose, key.jkt);
});

test('a batch of sales is counted once, however often it is told', async () => {
  const sales = [saleOf(song), saleOf(song), saleOf(book, { free: true, usd_micros: 0, msat: 0, fee_msat: 0 })];
  for (let i = 0; i < 3; i += 1) assert.deepEqual(await feed({ source: 'inbox/a', number: 1, sales }), { status: 200, json: { done: true } });
  // Another source knows one of them too.
  await feed({ source: 'inbox/b', number: 7, sales: [sales[0], saleOf(book)] });
  const { totals } = await shop();
  assert.deepEqual([totals.sold, totals.given, totals.gross_msat, totals.fee_msat], [3, 1, 750_000, 37_500]);
  assert.equal((await workOf(song)).totals.sold, 2);
  const listed = await client.shopSales(key);
  assert.equal(listed.sales.length, 4);
  assert.deepEqual(listed.sales.map(({ n }) => n), [...listed.sales.map(({ n }) => n)].sort((a, b) => b - a));
  const ofBook = await client.shopSales(key, { work: book.work });
  assert.deepEqual(new Set(ofBook.sales.map(({ sale }) => sale.work)), new Set([book.work]));
});

test('a refund shows at its sale, in the sums and in the statistics of its day', async () => {
  const { sales: [first] } = await client.shopSales(key, { work: song.work });
  const refund = { order: first.sale.order, refund: id('rfd'), work: song.work, msat: 100_000, time: unix() };
  for (const number of [1, 2]) await feed({ source: 'account/refunds', number, refunds: [refund] });
  const { sales: [again] } = await client.shopSales(key, { work: song.work });
  assert.equal(again.refunded_msat, 100_000);
  const stats = await client.shopStats(key, { days: 7 });
  assert.equal(stats.to, new Date().toISOString().slice(0, 10));
  assert.equal(stats.days.at(-1).totals.refunded_msat, 100_000);
  const ofWork = await client.shopStats(key, { work: song.work, days: 365 });
  assert.deepEqual([ofWork.days.length, ofWork.days[0].totals.sold], [1, 2]);
});

test('who waits for events is told within a moment, and nobody waits for ever', async () => {
  const { next } = await client.shopEvents(key);
  const waiting = client.shopEvents(key, { after: next });
  let told = false;
  waiting.then(() => (told = true));
  await new Promise((done) => setTimeout(done, 300));
  assert.equal(told, false, 'it waits');
  const sale = saleOf(song);
  await feed({ source: 'inbox/a', number: 2, sales: [sale] });
  const { events, next: after } = await waiting;
  assert.deepEqual(events.map(({ type, sale: { order } }) => [type, order]), [['sale.created', sale.order]]);
  assert.equal(after, next + 1);
  // What has happened meanwhile is there at once.
  assert.equal((await client.shopEvents(key, { after: next })).events.length, 1);
});

test('only the creator’s key opens the shop', async () => {
  const { creator: foreign } = stranger;
  const paths = ['', '/sales', '/stats', '/events', '/webhooks'];
  for (const path of paths) {
    await refused('wrong_key', () => client.request('GET', `/v1/shops/${key.jkt}${path}`, { key: foreign }));
    await refused('proof_required', () => client.request('GET', `/v1/shops/${key.jkt}${path}`));
  }
  // The device's key is the account's, not the creator's.
  await refused('wrong_key', () => client.request('GET', `/v1/shops/${key.jkt}`, { key: creator.device }));
  await refused('malformed', () => client.request('GET', '/v1/shops/nobody', { key }));
  await refused('wrong_key', () => client.request('POST', `/v1/shops/${key.jkt}/webhooks`, { key: foreign, body: { url: hook.url } }));
  // Somebody else's shop is empty, and asking for it makes none.
  assert.deepEqual((await client.shop(foreign)).works, []);
});

test('nothing within is reached from outside', async () => {
  const body = JSON.stringify({ source: 'x', number: 1, sales: [saleOf(song)], refunds: [] });
  for (const path of [`/internal/shops/${key.jkt}/sales`, '/v1/../internal/shops', `//internal/shops/${key.jkt}/sales`]) {
    const answer = await send(stack, { method: 'POST', host, path, headers: { 'content-type': 'application/json' }, body });
    assert.equal(answer.status, 404, path);
  }
});

test('bad input is refused by name and changes nothing', async () => {
  const before = await shop();
  for (const [bad, code] of [
    [{ source: 'x', number: 1, sales: Array.from({ length: 501 }, () => saleOf(song)) }, 'malformed'],
    [{ source: 'x'.repeat(300), number: 1, sales: [] }, 'malformed'],
    [{ source: 'x', number: -1, sales: [] }, 'malformed'],
    [{ source: 'x', number: 1, sales: [saleOf(song, { msat: 0.1 + 0.2 })] }, 'malformed'],
    [{ source: 'x', number: 1, sales: [saleOf({ work: 'wrk_x' })] }, 'malformed'],
  ]) {
    const { status, json } = await feed(bad);
    assert.deepEqual([status, json.code], [400, code]);
  }
  for (const path of ['/stats?days=0', '/stats?days=1e9', '/stats?days=-1', '/sales?after=NaN', '/sales?after=99999999999999999999', '/sales?work=wrk_x', '/events?after=+1', '?after=%31']) {
    await refused('malformed', () => client.request('GET', `/v1/shops/${key.jkt}${path}`, { key }));
  }
  assert.deepEqual(await shop(), before);
});

test('a creator changes price and words without an upload, and takes a work off sale and back', async () => {
  const { next } = await client.shopEvents(key);
  const terms = { ...song.terms, usd_micros: 300_000, pay_more: true };
  const record = await client.update(key, song, { title: 'A better song', terms, listing: { description: 'Now with strings.', suggest: [300_000, 500_000] } });
  assert.equal(record.title, 'A better song');
  await client.setState(key, song, 'unpublished');
  await client.setState(key, song, 'unpublished');
  const shown = await workOf(song);
  assert.deepEqual([shown.record.state, shown.record.listing.description], ['unpublished', 'Now with strings.']);
  await client.hideWork(key, song.work, true);
  assert.equal((await workOf(song)).hidden, true);
  await client.hideWork(key, song.work, false);
  await client.setState(key, song, 'published');
  await refused('unknown_work', () => client.hideWork(key, `wrk_${'a'.repeat(52)}`, true));
  const { events } = await client.shopEvents(key, { after: next });
  assert.deepEqual(events.map(({ type }) => type), ['work.updated', 'work.unpublished', 'work.published']);
});

test('a view counts, says nothing of who looked, and is nobody’s where there is no such work', async () => {
  const view = (work, body = '{}') => send(stack, { method: 'POST', host, path: `/v1/works/${work}/view`, headers: { 'content-type': 'text/plain;charset=UTF-8' }, body });
  for (let i = 0; i < 5; i += 1) assert.equal((await view(book.work)).status, 204);
  assert.equal((await view(`wrk_${'a'.repeat(52)}`)).status, 204);
  assert.equal((await view('wrk_x')).status, 400);
  assert.equal((await view(book.work, JSON.stringify({ visitor: 1 }))).status, 400);
  await until('five views', async () => (await workOf(book)).totals.views === 5, { every: 250 });
  const { days } = await client.shopStats(key, { work: book.work, days: 1 });
  assert.equal(days[0].totals.views, 5);
});

test('plays of what was bought are counted, once', async () => {
  const plays = [{ work: song.work, plays: 3, seconds: 500, time: unix() }];
  for (let i = 0; i < 2; i += 1) assert.equal((await feed({ source: `plays/${song.work}`, number: 1, plays })).status, 200);
  const { totals } = await workOf(song);
  assert.deepEqual([totals.plays, totals.played_s], [3, 500]);
});

let made;
const verify = ({ headers, body }, secret = made.secret) => new Webhook(secret).verify(body, headers);

test('a webhook hears of sales, signed as the convention’s own library wants it', async () => {
  made = await client.addWebhook(key, { url: hook.url, events: ['sale.created', 'sale.refunded'] });
  assert.match(made.secret, /^whsec_[A-Za-z0-9+/]{32}$/);
  assert.equal((await client.webhooks(key)).webhooks[0].secret, undefined, 'told once');
  const sale = saleOf(book);
  await feed({ source: 'inbox/a', number: 3, sales: [sale] });
  const [got] = await until('the message', () => hook.got.length > 0 && hook.got);
  const { type, data } = verify(got);
  assert.deepEqual([type, data.creator, data.sale], ['sale.created', key.jkt, sale]);
  assert.throws(() => verify({ ...got, body: got.body.replace('250000', '250001') }));
  const [line] = await until('its line in the log', async () => {
    const { deliveries } = await client.deliveries(key, made.id);
    return deliveries[0]?.state === 'delivered' && deliveries;
  });
  assert.deepEqual([line.status, line.tries, line.message], [204, 1, got.headers['webhook-id']]);
});

test('what fails is tried again with the same id, a redirect is no success, and the log tells', async () => {
  hook.got.length = 0;
  hook.answer(302);
  await feed({ source: 'inbox/a', number: 4, sales: [saleOf(book)] });
  await until('a first try', () => hook.got.length === 1);
  const failing = await until('the log telling of it', async () => {
    const { deliveries } = await client.deliveries(key, made.id);
    return deliveries[0].tries === 1 && deliveries[0];
  });
  assert.deepEqual([failing.state, failing.status], ['waiting', 302]);
  assert.ok(failing.next_try - failing.tried <= 6);
  assert.ok((await client.webhooks(key)).webhooks[0].failing_since);
  hook.answer(200);
  await until('a second try', () => hook.got.length === 2);
  assert.equal(hook.got[0].headers['webhook-id'], hook.got[1].headers['webhook-id']);
  for (const got of hook.got) verify(got);
  await until('all well again', async () => (await client.webhooks(key)).webhooks[0].failing_since === undefined);
});

test('tests and repetitions arrive at once; a new secret signs beside the old one', async () => {
  hook.got.length = 0;
  await client.changeWebhook(key, made.id, 'test');
  const [trial] = await until('the test', () => hook.got.length === 1 && hook.got);
  assert.equal(verify(trial).type, 'webhook.test');
  const { deliveries } = await client.deliveries(key, made.id);
  const sold = deliveries.find(({ type }) => type === 'sale.created');
  await client.resend(key, made.id, sold.seq);
  await until('the repetition', () => hook.got.length === 2);
  assert.equal(hook.got[1].headers['webhook-id'], sold.message);
  const { secret } = await client.changeWebhook(key, made.id, 'secret');
  assert.notEqual(secret, made.secret);
  await client.changeWebhook(key, made.id, 'test');
  await until('one more', () => hook.got.length === 3);
  for (const one of [secret, made.secret]) verify(hook.got[2], one);
});

test('webhooks go to public hosts by https only, five of them, and go without a trace', async () => {
  for (const url of ['http://example.org/', 'https://10.0.0.1/', 'https://[::2]/', 'https://metadata.google.internal/', 'javascript:alert(1)', `https://x.example/${'a'.repeat(500)}`]) {
    await refused('webhook_refused', () => client.addWebhook(key, { url }));
  }
  await refused('malformed', () => client.addWebhook(key, { url: hook.url, events: ['webhook.test'] }));
  await refused('malformed', () => client.addWebhook(key, { url: hook.url, events: [] }));
  for (let i = 0; i < 4; i += 1) await client.addWebhook(key, { url: hook.url, events: ['work.updated'] });
  await refused('webhook_limit', () => client.addWebhook(key, { url: hook.url }));
  const nobody = `whk_${'a'.repeat(26)}`;
  await refused('unknown_webhook', () => client.changeWebhook(key, nobody, 'test'));
  await refused('unknown_webhook', () => client.deliveries(key, 'make'));
  await refused('unknown_webhook', () => client.resend(key, made.id, 9_999));
  for (const { id: one } of (await client.webhooks(key)).webhooks) await client.deleteWebhook(key, one);
  assert.deepEqual((await client.webhooks(key)).webhooks, []);
  await refused('unknown_webhook', () => client.deleteWebhook(key, made.id));
});

test('a server that says it is gone is switched off, and on again by its creator', async () => {
  hook.got.length = 0;
  hook.answer(410);
  const one = await client.addWebhook(key, { url: hook.url });
  await client.changeWebhook(key, one.id, 'test');
  await until('it being off', async () => (await client.webhooks(key)).webhooks[0].state === 'disabled');
  await refused('webhook_disabled', () => client.changeWebhook(key, one.id, 'test'));
  await feed({ source: 'inbox/a', number: 5, sales: [saleOf(book)] });
  hook.answer(200);
  assert.equal(hook.got.length, 1);
  await client.changeWebhook(key, one.id, 'enable');
  await until('the sale that it missed', () => hook.got.some(({ body }) => body.includes('sale.created')));
});

test('a purchase appears in the shop within five seconds, a refund of it too, and a webhook hears of both', async () => {
  hook.answer(200);
  hook.got.length = 0;
  for (const { id: one } of (await client.webhooks(key)).webhooks) await client.deleteWebhook(key, one);
  made = await client.addWebhook(key, { url: hook.url });
  const buyer = await newWallet(client);
  await fund(buyer, 10_000_000);
  const { next } = await client.shopEvents(key);
  const waiting = client.shopEvents(key, { after: next });
  const bought = await buy(buyer, song, { pickup: false });
  const posted = Date.now();
  const { events } = await waiting;
  assert.ok(Date.now() - posted < 5_000, `${Date.now() - posted} ms`);
  const [{ type, sale }] = events;
  assert.deepEqual([type, sale.order, sale.work, sale.usd_micros, sale.msat, sale.free], ['sale.created', bought.order, song.work, bought.quote.usd_micros, bought.quote.msat, false]);
  const mine = async () => (await client.shopSales(key)).sales.find((one) => one.sale.order === bought.order);
  const { refunds } = await mine();
  const back = await client.makeRefund({ key: creator.device, account: creator.account, purchase: sale.handle, seq: refunds + 1, msat: 100_000, ledger: 'test' });
  // What was sold has to come home first.
  await until('the money to pay it back from', async () => (await client.account(creator.account, creator.device)).balance_msat >= 100_000);
  assert.equal((await client.refund(back)).msat, 100_000);
  const refunded = Date.now();
  await until('the refund at its sale', async () => (await mine()).refunded_msat === 100_000);
  assert.ok(Date.now() - refunded < 5_000, `${Date.now() - refunded} ms`);
  await until('both messages', () => hook.got.length >= 2);
  assert.deepEqual(hook.got.map((got) => verify(got).type), ['sale.created', 'sale.refunded']);
});
