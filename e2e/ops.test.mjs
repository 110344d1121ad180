// What an operator sees from outside: security headers of every route and page, what production does
// not have, and the `satchel` commands against a running issuer.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { b64uDecode, fundingId, keyFromSeed } from '../sdk/js/src/index.js';
import { digestOf, intake, newWallet, noise, operate, packWork, publish, putOnSale, register, upload } from './lib/actors.mjs';
import { buildCli, said } from './lib/cli.mjs';
import { post, send } from './lib/http.mjs';
import { checkProblem, refused } from './lib/problem.mjs';
import { openStack, scratch } from './lib/stack.mjs';
import { until } from './lib/until.mjs';

const PRICE = 250_000;
const FUNDED = 1_000_000;
// A page may be this old when it is sent.
const PAGE_MS = 60_000;

const stack = await openStack({ name: 'ops' });
const { client, port } = stack;
const PUBLIC = `localhost:${port}`;
const WALLET = `wallet.localhost:${port}`;
const home = scratch('home');
after(home.remove);

const seller = await newWallet(client);
const text = await publish(seller, { bytes: noise(300_000), usd_micros: PRICE, title: 'A book', name: 'book.pdf' });
const clip = await publish(seller, { bytes: noise(50_000), usd_micros: PRICE, use: 'stream', windows: 2 });
const NOBODY = `wrk_${'a'.repeat(52)}`;

// ---------------------------------------------------------------- headers

// Before the first test: a file whose tests have all ended is over, whatever it still waits for.
const { satchel, ops } = await buildCli(home.dir);

/** Pages for people: host, path, who may frame it. */
const PAGES = [
  [PUBLIC, '/', "'none'"], [PUBLIC, '/open', "'none'"], [WALLET, '/', "'none'"], [WALLET, '/wallet', "'none'"],
  [WALLET, '/studio', "'none'"], [WALLET, '/approve', "'none'"],
  [PUBLIC, `/w/${text.work}`, "'none'"], [PUBLIC, `/w/${clip.work}`, "'none'"], [PUBLIC, `/embed/${text.work}`, '*'],
  [PUBLIC, `/embed/${clip.work}`, '*'],
];
/** Pages that say no; whoever may frame the good one may frame these. */
const REFUSALS = [
  [PUBLIC, '/nothing', "'none'"], [WALLET, '/nothing', "'none'"], [PUBLIC, '/approve', "'none'"],
  [WALLET, '/open.html', "'none'"], [PUBLIC, '/home.html', "'none'"],
  [PUBLIC, `/w/${NOBODY}`, "'none'"], [PUBLIC, '/w/x', "'none'"], [PUBLIC, `/embed/${NOBODY}`, '*'],
  [PUBLIC, '/embed/x', '*'], [WALLET, `/embed/${text.work}`, "'none'"], [PUBLIC, '/assets/nothing.js', "'none'"],
];
const REDIRECTS = [
  [PUBLIC, '/studio', `http://${WALLET}/studio`], [PUBLIC, '/wallet', `http://${WALLET}/wallet`],
  [WALLET, `/w/${text.work}`, `http://${PUBLIC}/w/${text.work}`],
  [WALLET, '/open', `http://${PUBLIC}/open`],
  [WALLET, `/f/${text.work}/1.satchel`, `http://${PUBLIC}/f/${text.work}/1.satchel`],
];
const API = [
  ['POST', '/v1/works'], ['GET', `/v1/works/${text.work}`], ['POST', `/v1/works/${text.work}/publish`],
  ['POST', `/v1/works/${text.work}/update`], ['POST', `/v1/works/${text.work}/state`],
  ['POST', `/v1/works/${text.work}/view`], ['GET', `/v1/shops/${seller.creator.jkt}`], ['GET', `/v1/shops/${seller.creator.jkt}/events`],
  ['POST', `/v1/shops/${seller.creator.jkt}/webhooks`], ['DELETE', `/v1/shops/${seller.creator.jkt}/webhooks/x`],
  ['POST', '/v1/uploads'], ['POST', '/v1/uploads/x/sign'], ['POST', '/v1/intake'], ['POST', '/v1/quotes'],
  ['POST', '/v1/orders'], ['GET', '/v1/orders/x'], ['POST', '/v1/keys'], ['GET', '/.well-known/jwks.json'],
  ['POST', '/v1/sessions'], ['POST', '/v1/sessions/x/windows/0'], ['POST', '/v1/hls'],
  ['POST', `/v1/accounts/${seller.account}/delegations`],
  ['GET', `/v1/accounts/${seller.account}`], ['GET', `/v1/accounts/${seller.account}/purchases`],
  ['GET', `/v1/accounts/${seller.account}/transfers`], ['GET', `/v1/accounts/${seller.account}/transfers.csv`],
  ['POST', `/v1/accounts/${seller.account}/sign-out`], ['POST', '/v1/refunds'],
  ['POST', `/v1/accounts/${seller.account}/test-money`], ['POST', '/v1/operator'], ['GET', '/v1/config'],
  ['GET', '/v1/health'],
  ['GET', '/v1/nothing'], ['PUT', '/v1/keys'],
];

const get = (host, path, headers) => send(stack, { host, path, headers });
/** The rules of a page's policy by name. */
function policyOf({ headers }) {
  const rules = (headers.get('content-security-policy') ?? '').split(';').map((rule) => rule.trim().split(/\s+(.*)/s));
  return Object.fromEntries(rules.map(([name, value]) => [name, value ?? '']));
}

/** What holds for every answer with a body. */
function checkAnswer(answer, what) {
  assert.equal(answer.headers.get('set-cookie'), null, `${what}: a cookie`);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', `${what}: nosniff`);
  assert.equal(answer.headers.get('access-control-allow-credentials'), null, `${what}: credentials`);
  assert.ok(answer.headers.get('content-type'), `${what}: content-type`);
}

function checkPage(answer, ancestors, what) {
  checkAnswer(answer, what);
  assert.match(answer.headers.get('content-type'), /^text\/html; ?charset=utf-8$/i, what);
  const policy = policyOf(answer);
  assert.equal(policy['frame-ancestors'], ancestors, `${what}: frame-ancestors`);
  assert.equal(policy['default-src'], "'none'", `${what}: default-src`);
  assert.equal(policy['base-uri'], "'none'", `${what}: base-uri`);
  assert.ok(["'none'", "'self'"].includes(policy['form-action']), `${what}: form-action`);
  assert.equal(policy['script-src'], "'self' 'wasm-unsafe-eval'", `${what}: script-src`);
  assert.equal(policy['style-src'], "'self'", `${what}: style-src`);
  assert.ok(answer.headers.get('referrer-policy'), `${what}: referrer-policy`);
  // A policy without 'unsafe-inline' breaks a page that needs it: there is nothing inline.
  const html = answer.text;
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)(?![^>]*type="(application\/(ld\+)?json|speculationrules)")/i, `${what}: an inline script`);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|javascript:/i, `${what}: inline style or handler`);
}

test('every page has the policy that belongs to it, on its host only', async () => {
  for (const [host, path, ancestors] of PAGES) {
    const answer = await get(host, path);
    assert.equal(answer.status, 200, `${host}${path}`);
    checkPage(answer, ancestors, `${host}${path}`);
  }
  for (const [host, path, ancestors] of REFUSALS) {
    const answer = await get(host, path);
    assert.equal(answer.status, 404, `${host}${path}`);
    checkPage(answer, ancestors, `${host}${path}`);
  }
  for (const [host, path, to] of REDIRECTS) {
    const { status, headers } = await get(host, path);
    assert.deepEqual([status, headers.get('location')], [302, to], `${host}${path}`);
    assert.equal(headers.get('set-cookie'), null);
  }
});

const LOADED = /(?:src|href)="(\/[^"]+\.(?:js|css|mjs|svg|png|woff2))"/g;
const KINDS = {
  js: /^(text|application)\/javascript/,
  mjs: /^(text|application)\/javascript/,
  css: /^text\/css/,
  svg: /^image\/svg/,
  png: /^image\/png/,
  woff2: /^font\/woff2/,
};

test('what pages load is there, of its kind, and may be kept', async () => {
  const loaded = new Map();
  for (const [host, path] of PAGES) {
    const { text: html } = await get(host, path);
    for (const [, address] of html.matchAll(LOADED)) loaded.set(`${host}${address}`, [host, address]);
  }
  assert.ok(loaded.size >= 6, `pages load ${[...loaded.keys()]}`);
  for (const [what, [host, address]] of loaded) {
    const answer = await get(host, address);
    assert.equal(answer.status, 200, what);
    checkAnswer(answer, what);
    assert.match(answer.headers.get('content-type'), KINDS[address.split('.').pop()], what);
    if (!address.startsWith('/assets/')) continue;
    assert.match(answer.headers.get('cache-control'), /max-age=31536000, immutable/, what);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', `${what}: a sandboxed frame's origin is null`);
  }
});

test('the script for other people’s pages, packed files and API are readable from everywhere, without credentials', async () => {
  const script = await get(PUBLIC, '/widget.js');
  checkAnswer(script, '/widget.js');
  assert.deepEqual([script.status, script.headers.get('access-control-allow-origin')], [200, '*']);
  assert.match(script.headers.get('content-type'), /^text\/javascript/);
  assert.equal((await get(WALLET, '/widget.js')).status, 404);
  const file = await get(PUBLIC, `/f/${text.work}/1.satchel`);
  checkAnswer(file, 'packed file');
  assert.equal(file.headers.get('access-control-allow-origin'), '*');
  assert.match(file.headers.get('cache-control'), /immutable/);
  assert.match(file.headers.get('content-disposition'), /^attachment/);
  assert.equal(digestOf(file.bytes), digestOf(text.packed));
  for (const host of [PUBLIC, WALLET]) {
    for (const [method, path] of API) {
      const body = method === 'GET' ? undefined : '{}';
      const answer = await send(stack, { method, path, host, body, headers: { 'content-type': 'application/json', origin: 'http://evil.example' } });
      checkAnswer(answer, `${method} ${host}${path}`);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*', `${method} ${path}`);
      const kept = answer.headers.get('cache-control');
      const mayBeKept = { '/v1/config': 300, '/.well-known/jwks.json': 300, [`/v1/works/${text.work}`]: 20 }[path];
      if (answer.status === 200 && mayBeKept) assert.equal(kept, `public, max-age=${mayBeKept}`, path);
      else assert.equal(kept, 'no-store', `${method} ${path}`);
      if (answer.status >= 400) checkProblem(answer, undefined, path);
    }
  }
});

test('a work that is taken down leaves its page and its frame, whose policies stay', async () => {
  const gone = await publish(seller, { usd_micros: PRICE, title: 'Withdrawn' });
  const places = [[`/w/${gone.work}`, "'none'"], [`/embed/${gone.work}`, '*']];
  for (const [path] of places) assert.match((await get(PUBLIC, path)).text, /Withdrawn/);
  await operate(stack, { cmd: 'take_down', work: gone.work });
  for (const [path, ancestors] of places) {
    const answer = await until(`${path} is gone`, async () => {
      const now = await get(PUBLIC, path);
      return now.status === 451 && now;
    }, { ms: PAGE_MS, every: 200 });
    checkPage(answer, ancestors, path);
    assert.doesNotMatch(answer.text, /Withdrawn/);
  }
});

test('preflights of every route are answered for the headers that the API uses', async () => {
  for (const [method, path] of API.filter(([, one]) => one !== '/v1/nothing')) {
    const headers = { origin: 'null', 'access-control-request-method': method, 'access-control-request-headers': 'authorization,content-type,dpop' };
    const answer = await send(stack, { method: 'OPTIONS', path, headers });
    assert.equal(answer.status, 204, path);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null, path);
    const allowed = answer.headers.get('access-control-allow-headers').toLowerCase().split(/, ?/);
    for (const name of ['authorization', 'content-type', 'dpop']) assert.ok(allowed.includes(name), `${path}: ${name}`);
    if (method !== 'PUT') assert.match(answer.headers.get('access-control-allow-methods'), new RegExp(`\\b${method}\\b`));
  }
});

test('ranges of a packed file are exact', async () => {
  const path = `/f/${text.work}/1.satchel`;
  const { packed } = text;
  const size = packed.length;
  const whole = await get(PUBLIC, path);
  const etag = whole.headers.get('etag');
  assert.match(etag, /^"[^"]+"$/);
  const cases = [
    ['bytes=0-0', 0, 1], ['bytes=0-23', 0, 24], ['bytes=100-', 100, size], [`bytes=${size - 1}-`, size - 1, size],
    ['bytes=-7', size - 7, size], [`bytes=5-${size * 2}`, 5, size], [`bytes=-${size * 2}`, 0, size],
  ];
  for (const [range, from, to] of cases) {
    const answer = await get(PUBLIC, path, { range });
    assert.equal(answer.status, 206, range);
    assert.equal(answer.headers.get('content-range'), `bytes ${from}-${to - 1}/${size}`, range);
    assert.equal(Number(answer.headers.get('content-length')), to - from, range);
    assert.equal(digestOf(answer.bytes), digestOf(packed.subarray(from, to)), range);
    const same = await get(PUBLIC, path, { range, 'if-range': etag });
    assert.deepEqual([same.status, digestOf(same.bytes)], [206, digestOf(answer.bytes)]);
    const changed = await get(PUBLIC, path, { range, 'if-range': '"another"' });
    assert.deepEqual([changed.status, digestOf(changed.bytes)], [200, digestOf(packed)]);
  }
  const known = await get(PUBLIC, path, { 'if-none-match': etag });
  assert.deepEqual([known.status, known.bytes.length], [304, 0]);
  const head = await send(stack, { method: 'HEAD', path });
  assert.deepEqual([head.status, head.bytes.length, Number(head.headers.get('content-length')), head.headers.get('etag')], [200, 0, size, etag]);
});

test('where the configuration is that of production there is no test money and no invented rate', async () => {
  const configurations = [
    { LEDGER_ID: 'live', TEST_MONEY: 'off' }, { LEDGER_ID: 'live', TEST_MONEY: 'on' },
    { LEDGER_ID: 'test', TEST_MONEY: 'off' }, { LEDGER_ID: 'test', TEST_MONEY: '' },
  ];
  for (const ledger of configurations) {
    const production = await openStack({ name: 'production', runtime: 'workerd', vars: { ledger } });
    const what = JSON.stringify(ledger);
    const { client: shop } = production;
    const wallet = await newWallet(shop);
    await refused('not_found', () => shop.testMoney(wallet.account, wallet.device, { id: fundingId(), msat: 1 }), what);
    checkProblem(await post(production, `/v1/accounts/${wallet.account}/test-money`, {}), 'not_found', what);
    const config = await shop.request('GET', '/v1/config');
    assert.deepEqual([config.ledger, config.test_money, config.fee_bps], [ledger.LEDGER_ID, false, 500]);
    const seen = await shop.account(wallet.account, wallet.device);
    assert.deepEqual([seen.balance_msat, seen.test_money, seen.ledger], [0, false, ledger.LEDGER_ID]);
    if (ledger.LEDGER_ID === 'live') {
      assert.equal(seen.rate, null);
      const work = await publish(wallet, { usd_micros: PRICE });
      await refused('rate_stale', () => shop.quote(work.work), what);
    }
    await production.stop();
  }
});

// ---------------------------------------------------------------- the commands

const at = (...parts) => join(home.dir, ...parts);
const moved = at('elsewhere', 'downloaded.satchel');
mkdirSync(at('elsewhere'));
writeFileSync(at('book.satchel'), text.packed);
copyFileSync(at('book.satchel'), moved);
writeFileSync(at('clip.satchel'), clip.packed);
const wallets = [at('wallet.json'), at('second.json')];

/** What a wallet file may spend, asked by the command itself. */
const spendable = async (wallet) => said(await satchel('wallet', 'balance', '--wallet', wallet, '--json')).balance_msat;

test('satchel info says what a file is, without network', async () => {
  const shown = await satchel('info', moved);
  assert.equal(shown.code, 0, shown.err);
  for (const part of ['A book', 'book.pdf', '$0.25', stack.origin, text.work]) assert.ok(shown.out.includes(part), `${part} in:\n${shown.out}`);
  const info = said(await satchel('info', moved, '--json'));
  assert.equal(info.work ?? info.manifest?.work, text.work);
  assert.equal((await satchel('verify', moved)).code, 0);
});

test('satchel wallet new makes a file for its owner alone, and fills it with test money', async () => {
  for (const wallet of wallets) {
    const made = await satchel('wallet', 'new', wallet, '--issuer', stack.origin);
    assert.equal(made.code, 0, made.err);
    assert.equal(statSync(wallet).mode & 0o777, 0o600);
  }
  assert.notEqual((await satchel('wallet', 'new', wallets[0], '--issuer', stack.origin)).code, 0, 'a wallet is never overwritten');
  const filled = await satchel('wallet', 'test-money', '--usd', '1', '--wallet', wallets[0]);
  assert.equal(filled.code, 0, filled.err);
  assert.match(filled.out, /TEST MONEY/);
  assert.equal(await spendable(wallets[0]), FUNDED);
});

test('satchel open refuses before it pays: too dear, not confirmed, tampered, cut short, streaming only, unknown issuer', async () => {
  const [wallet] = wallets;
  const flip = (name, offset) => {
    const bytes = Buffer.from(text.packed);
    bytes[offset] ^= 1;
    writeFileSync(at(name), bytes);
  };
  flip('body.satchel', text.packed.length - 20);
  flip('front.satchel', 40);
  flip('magic.satchel', 0);
  writeFileSync(at('short.satchel'), text.packed.subarray(0, text.packed.length - 1));
  writeFileSync(at('long.satchel'), Buffer.concat([text.packed, Buffer.alloc(1)]));
  // As the same creator signed it, but never put on sale.
  const unsold = await packWork(seller, { nonce: text.nonce, bytes: text.bytes, title: 'A book', name: 'book.pdf', usd_micros: 100 });
  writeFileSync(at('unsold.satchel'), unsold.packed);
  const cases = [
    [4, ['book.satchel', '--max-price', '0.24', '--yes']],
    [4, ['book.satchel']],
    [3, ['body.satchel', '--yes']], [3, ['front.satchel', '--yes']], [3, ['magic.satchel', '--yes']],
    [3, ['short.satchel', '--yes']], [3, ['long.satchel', '--yes']], [3, ['unsold.satchel', '--yes']],
    [7, ['clip.satchel', '--yes']],
  ];
  for (const [code, [file, ...words]] of cases) {
    const done = await satchel('open', at(file), '-o', at('out'), '--wallet', wallet, ...words);
    assert.equal(done.code, code, `${file} ${words}: ${done.err}`);
    assert.throws(() => statSync(at('out')), `${file}: something was written`);
    assert.equal(await spendable(wallet), FUNDED, `${file} ${words}: something was paid`);
  }
  const stranger = at('stranger.json');
  await satchel('wallet', 'new', stranger, '--issuer', 'https://other.example');
  const untrusted = await satchel('open', moved, '-o', at('out'), '--wallet', stranger, '--yes');
  assert.equal(untrusted.code, 4, untrusted.err);
});

test('satchel open buys a file that lies anywhere and writes the creator’s very bytes', async () => {
  const [wallet] = wallets;
  const opened = await satchel('open', moved, '-o', at('book.pdf'), '--wallet', wallet, '--max-price', '0.25', '--yes', '--json');
  assert.equal(opened.code, 0, opened.err);
  const { paid, msat, ledger } = said(opened);
  assert.deepEqual([paid, msat, ledger], [true, PRICE, 'test']);
  assert.equal(digestOf(readFileSync(at('book.pdf'))), digestOf(text.bytes));
  assert.equal(await spendable(wallet), FUNDED - PRICE);
});

test('satchel open a second time charges nothing', async () => {
  const [wallet] = wallets;
  const again = await satchel('open', at('book.satchel'), '-o', at('again.pdf'), '--wallet', wallet, '--yes', '--json');
  assert.equal(again.code, 0, again.err);
  assert.equal(said(again).paid, false);
  assert.equal(digestOf(readFileSync(at('again.pdf'))), digestOf(text.bytes));
  assert.equal(await spendable(wallet), FUNDED - PRICE);
  const kept = await satchel('open', moved, '-o', at('book.pdf'), '--wallet', wallet, '--yes');
  assert.notEqual(kept.code, 0, 'a file is only replaced with --force');
});

test('what the command packs is sold by its issuer, bought from a copy, and is byte for byte what was packed', async () => {
  const key = at('creator.key');
  const plain = at('letters.txt');
  writeFileSync(plain, text.bytes);
  assert.equal((await satchel('key', key)).code, 0);
  const packed = await satchel('pack', plain, '-o', at('letters.satchel'), '--title', 'Letters', '--price', '0.10', '--issuer', stack.origin, '--key', key, '--json');
  assert.equal(packed.code, 0, packed.err);
  const { manifest: { work, title, media_type: mediaType, terms } } = said(await satchel('info', at('letters.satchel'), '--json'));
  const { content_key: contentKey, work_nonce: nonce } = JSON.parse(readFileSync(at('letters.satchel.key'), 'utf8'));
  const creator = { ...seller, creator: await keyFromSeed(b64uDecode(readFileSync(key, 'utf8').trim(), 32)) };
  const bytes = readFileSync(at('letters.satchel'));
  const token = bytes.toString('latin1', 24, 24 + bytes.readUInt32BE(12));
  const offer = { work, nonce: b64uDecode(nonce, 16), version: 1, title, mediaType, terms, packed: bytes, contentKey: b64uDecode(contentKey, 32), manifest: token };
  await register(creator, offer);
  await upload(creator, offer);
  await intake(creator, offer);
  await putOnSale(creator, offer);
  mkdirSync(at('friend'));
  copyFileSync(at('letters.satchel'), at('friend', 'x.satchel'));
  assert.equal((await satchel('verify', at('friend', 'x.satchel'))).code, 0);
  const bought = await satchel('buy', at('friend', 'x.satchel'), '-o', at('friend', 'letters.txt'), '--wallet', wallets[0], '--max-price', '0.10', '--yes');
  assert.equal(bought.code, 0, bought.err);
  assert.equal(digestOf(readFileSync(at('friend', 'letters.txt'))), digestOf(text.bytes));
});

test('satchel open without money is refused by the issuer, and nothing is written', async () => {
  const done = await satchel('open', moved, '-o', at('poor.pdf'), '--wallet', wallets[1], '--yes');
  assert.equal(done.code, 5, done.err);
  assert.match(done.err, /insufficient_balance/);
  assert.throws(() => statSync(at('poor.pdf')));
  await satchel('wallet', 'test-money', '--usd', '0.25', '--wallet', wallets[1]);
  const opened = await satchel('open', moved, '-o', at('poor.pdf'), '--wallet', wallets[1], '--yes');
  assert.equal(opened.code, 0, opened.err);
  assert.equal(await spendable(wallets[1]), 0);
});

test('satchel-ops takes a work down, puts it back and sets the rate; nobody else’s key does', async () => {
  const command = (key, ...words) => ops('--key', key, '--issuer', stack.origin, ...words);
  await satchel('key', at('own.key'));
  const foreign = await command(at('own.key'), 'take-down', text.work);
  assert.equal(foreign.code, 5, foreign.err);
  assert.equal((await client.record(text.work)).state, 'published');
  const down = await command(stack.operatorKeyFile, 'take-down', text.work);
  assert.equal(down.code, 0, down.err);
  const refusedOpen = await satchel('open', moved, '-o', at('down.pdf'), '--wallet', wallets[0], '--yes');
  assert.equal(refusedOpen.code, 5, refusedOpen.err);
  assert.match(refusedOpen.err, /work_taken_down/);
  assert.equal((await command(stack.operatorKeyFile, 'reinstate', text.work)).code, 0);
  assert.equal((await satchel('open', moved, '-o', at('down.pdf'), '--wallet', wallets[0], '--yes')).code, 0);
  const rate = await command(stack.operatorKeyFile, 'set-rate', '--usd-per-btc', '200000', '--source', 'a test');
  assert.equal(rate.code, 0, rate.err);
  const quote = await client.quote(text.work);
  assert.deepEqual([quote.msat, quote.rate.source], [PRICE / 2, 'a test']);
});
