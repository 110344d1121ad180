import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SatchelClient } from '../src/client.js';
import { makeSignOut } from '../src/identity.js';
import { parseJws, verifyJws } from '../src/jws.js';
import { generateKey } from '../src/keys.js';

const ISSUER = 'http://localhost:8787';

/** A client whose requests are recorded and answered from a list. */
function client(...answers) {
  const sent = [];
  const fetch = async (url, init) => {
    sent.push({ url, ...init, json: init.body && JSON.parse(init.body) });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return new Response(typeof answer[1] === 'string' ? answer[1] : JSON.stringify(answer[1]), { status: answer[0], headers: answer[2] });
  };
  return { sent, api: new SatchelClient({ issuer: ISSUER, base: 'http://wallet.localhost:8787', fetch, now: () => 1000 }) };
}

test('requests go to the base, proofs name the issuer', async () => {
  const key = await generateKey();
  const { api, sent } = client([200, { content_key: 'x' }]);
  await api.contentKey('receipt', key);
  assert.equal(sent[0].url, 'http://wallet.localhost:8787/v1/keys');
  assert.equal(sent[0].headers.authorization, 'DPoP receipt');
  assert.equal(sent[0].credentials, 'omit');
  const proof = await verifyJws(sent[0].headers.dpop, key.jwk, 'dpop+jwt', ['jwk']);
  assert.equal(proof.htu, `${ISSUER}/v1/keys`);
  assert.equal(proof.htm, 'POST');
  assert.ok(proof.ath);
});

test('an order is made once and names everything the buyer agreed to', async () => {
  const key = await generateKey();
  const cnf = await generateKey();
  const { api } = client();
  const quote = { quote: 'q.h', work: `wrk_${'a'.repeat(52)}`, version: 1, terms_digest: 'd', usd_micros: 5, msat: 6, ledger: 'test', title: 't' };
  const { order, jws } = await api.makeOrder({ key, account: 'acc', quote, cnf: cnf.jkt });
  const { header, payload } = parseJws(jws, 'satchel-order+jws', ['kid']);
  assert.equal(header.kid, key.jkt);
  assert.deepEqual(payload, { aud: ISSUER, order, account: 'acc', work: quote.work, version: 1, terms_digest: 'd', usd_micros: 5, msat: 6, quote: 'q.h', cnf: { jkt: cnf.jkt }, iat: 1000, exp: 4600, ledger: 'test' });
  assert.equal((await api.makeOrder({ key, account: 'acc', quote, cnf: cnf.jkt, order })).order, order);
});

test('commands have the members of docs/API.md §2 and no more', async () => {
  const key = await generateKey();
  const work = { work: `wrk_${'a'.repeat(52)}`, nonce: new Uint8Array(16) };
  const { api, sent } = client(...Array(7).fill([200, {}]));
  const terms = { usd_micros: 1, use: 'stream', pay_more: false, junk: 1 };
  await api.register(key, work, { title: 't', mediaType: 'm/m', terms, payee: 'p' });
  await api.startUpload(key, work, { size: 9 });
  await api.intake(key, work, { contentKey: new Uint8Array(32), manifest: 'm' });
  await api.publish(key, work, { manifest: 'm', terms });
  await api.update(key, work, { title: 't', terms, splits: [{ account: 'a', bps: 1 }], listing: { description: 'd' } });
  await api.update(key, work, { title: 't', terms });
  await api.setState(key, work, 'unpublished');
  const common = ['aud', 'cmd', 'creator', 'work', 'work_nonce', 'iat', 'exp'];
  const own = [['title', 'media_type', 'terms', 'payee'], ['version', 'size'], ['version', 'content_key', 'manifest'], ['version', 'manifest', 'terms'],
    ['title', 'terms', 'splits', 'listing'], ['title', 'terms'], ['state']];
  for (const [i, request] of sent.entries()) {
    const { header, payload } = parseJws(request.json.command, 'satchel-command+jws', ['kid']);
    assert.equal(header.kid, key.jkt);
    assert.deepEqual(Object.keys(payload), [...common, ...own[i]]);
    if (payload.terms) assert.deepEqual(Object.keys(payload.terms), ['pay_more', 'usd_micros', 'use']);
  }
  assert.deepEqual(sent.map((one) => new URL(one.url).pathname), ['/v1/works', '/v1/uploads', '/v1/intake', ...['publish', 'update', 'update', 'state'].map((last) => `/v1/works/${work.work}/${last}`)]);
});

test('problems become errors with their members', async () => {
  const { api } = client(
    [402, { type: 'urn:satchel:problem:insufficient_balance', title: 'Not enough', status: 402, code: 'insufficient_balance', detail: 'd', next: 'n', balance_msat: 1, needed_msat: 2 }],
    [429, { title: 'Slow', status: 429, code: 'too_many' }, { 'retry-after': '7' }],
    [502, '<html>'], [200, 'not json'], new TypeError('failed'),
  );
  const failures = [];
  for (let i = 0; i < 5; i += 1) failures.push(await api.jwks().catch((error) => error));
  assert.deepEqual(failures.map((e) => [e.name, e.code, e.status]), [['SatchelError', 'insufficient_balance', 402], ['SatchelError', 'too_many', 429], ['SatchelError', 'unavailable', 502], ['SatchelError', 'unavailable', 200], ['SatchelError', 'network', 0]]);
  assert.deepEqual(failures[0].members, { balance_msat: 1, needed_msat: 2 });
  assert.equal(failures[0].next, 'n');
  assert.equal(failures[1].retryAfter, 7);
});

test('an order that is not decided is sent again, the very same, until it is', async () => {
  const order = `ord_${'a'.repeat(32)}`;
  const { api, sent } = client([202, { status: 'pending', order }], [202, { status: 'pending', order }], [200, { status: 'posted', replayed: true, owned: false, order, receipt: 'r' }]);
  let pending = 0;
  const answer = await api.order('jws', { pickup: false, onPending: () => (pending += 1) });
  assert.equal(answer.receipt, 'r');
  assert.equal(pending, 2);
  assert.deepEqual(sent.map((one) => one.json), Array(3).fill({ order: 'jws', pickup: false }));
  await assert.rejects(client([202, { status: 'pending', order }]).api.order('jws', { timeout: 1 }), { code: 'order_pending' });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  await assert.rejects(client(...Array(9).fill([202, { status: 'pending', order }])).api.order('jws', { signal: stop.signal }), { code: 'aborted' });
});

test('what is sold out says of what, and is not asked again', async () => {
  const gone = { title: 'There are no more copies.', status: 409, code: 'sold_out', of: 'giveaway', next: 'n' };
  const { api, sent } = client([409, gone]);
  await assert.rejects(api.order('jws'), (error) => error.code === 'sold_out' && error.members.of === 'giveaway' && error.status === 409);
  assert.equal(sent.length, 1);
});

test('terms that count copies are sent whole', async () => {
  const key = await generateKey();
  const { api, sent } = client([200, {}]);
  await api.register(key, { work: `wrk_${'a'.repeat(52)}`, nonce: new Uint8Array(16) }, { title: 't', mediaType: 'm/m', terms: { use: 'download', usd_micros: 1, pay_more: false, limit: 9, giveaway: 3 }, payee: 'p' });
  const { terms } = parseJws(sent[0].json.command, 'satchel-command+jws', ['kid']).payload;
  assert.equal(JSON.stringify(terms), '{"giveaway":3,"limit":9,"pay_more":false,"usd_micros":1,"use":"download"}');
});

test('a refund is signed by the seller and sent until it is decided', async () => {
  const key = await generateKey();
  const done = { replayed: false, refund: `rfd_${'a'.repeat(32)}`, msat: 5, fee_returned_msat: 1 };
  const { api, sent } = client([202, { status: 'pending', ...done }], [200, { status: 'posted', ...done }]);
  const jws = await api.makeRefund({ key, account: 'acc', purchase: 'pur_x', seq: 2, msat: 5, ledger: 'test' });
  const { header, payload } = parseJws(jws, 'satchel-refund+jws', ['kid']);
  assert.equal(header.kid, key.jkt);
  assert.deepEqual(payload, { aud: ISSUER, account: 'acc', purchase: 'pur_x', seq: 2, msat: 5, ledger: 'test', iat: 1000, exp: 1900 });
  assert.equal((await api.refund(jws)).status, 'posted');
  assert.deepEqual(sent.map((one) => [new URL(one.url).pathname, one.json]), Array(2).fill(['/v1/refunds', { refund: jws }]));
});

test('signing out sends what the root key signed', async () => {
  const root = await generateKey();
  const { api, sent } = client([200, { account: root.jkt, epoch: 3 }]);
  const signed = await makeSignOut(root, { issuer: ISSUER, epoch: 3, now: 5 });
  assert.deepEqual(await verifyJws(signed, root.jwk, 'satchel-signout+jws'), { aud: ISSUER, account: root.jkt, root: root.jwk, epoch: 3, iat: 5, exp: 905 });
  assert.equal((await api.signOut(root.jkt, signed)).epoch, 3);
  assert.equal(new URL(sent[0].url).pathname, `/v1/accounts/${root.jkt}/sign-out`);
  assert.deepEqual(sent[0].json, { sign_out: signed });
});

test('a statement has every page once', async () => {
  const key = await generateKey();
  const line = (n) => ({ line: n, kind: 'purchase' });
  const json = client([200, { transfers: [line(1), line(2)], next: 2 }], [200, { transfers: [line(3)] }]);
  assert.deepEqual((await json.api.statement('acc', key)).map((one) => one.line), [1, 2, 3]);
  assert.deepEqual(json.sent.map((one) => one.url.slice(one.url.indexOf('/v1'))), ['/v1/accounts/acc/transfers?after=0', '/v1/accounts/acc/transfers?after=2']);
  const proof = parseJws(json.sent[1].headers.dpop, 'dpop+jwt', ['jwk']).payload;
  assert.equal(proof.htu, `${ISSUER}/v1/accounts/acc/transfers`);

  const link = { link: `<${ISSUER}/v1/accounts/acc/transfers.csv?after=1>; rel="next"`, 'content-type': 'text/csv' };
  const csv = client([200, 'line,kind\r\n1,purchase\r\n', link], [200, 'line,kind\r\n2,sales\r\n']);
  assert.equal(await csv.api.statement('acc', key, { format: 'csv' }), 'line,kind\r\n1,purchase\r\n2,sales\r\n');
  assert.deepEqual(csv.sent.map((one) => one.url.slice(one.url.indexOf('?'))), ['?after=0', '?after=1']);
  const round = client([200, { transfers: [line(1)], next: 1 }], [200, { transfers: [line(1)], next: 1 }]);
  await assert.rejects(round.api.statement('acc', key), { code: 'unavailable' });
  const newest = client([200, { transfers: [] }], [200, { transfers: [] }]);
  await newest.api.transfers('acc', key);
  await newest.api.transfers('acc', key, { before: 7 });
  assert.deepEqual(newest.sent.map((one) => one.url.slice(one.url.indexOf('/transfers'))), ['/transfers', '/transfers?before=7']);
});

test('polling waits through unknowns and ends with the receipt, a refusal or a signal', async () => {
  const key = await generateKey();
  const order = `ord_${'a'.repeat(32)}`;
  const { api, sent } = client([200, { status: 'waiting' }], new TypeError('offline'), [503, { code: 'unavailable', title: 'x', status: 503 }], [200, { status: 'pending' }], [200, { status: 'posted', receipt: 'r' }]);
  const seen = [];
  assert.equal(await api.pollOrder(order, key, { interval: 1, onStatus: (s) => seen.push(s) }), 'r');
  assert.deepEqual(seen, ['waiting', 'pending', 'posted']);
  assert.equal(sent.length, 5);
  const proofs = sent.map((one) => parseJws(one.headers.dpop, 'dpop+jwt', ['jwk']).payload.jti);
  assert.equal(new Set(proofs).size, 5, 'a proof is used once');
  await assert.rejects(client([403, { code: 'wrong_key', title: 'x', status: 403 }]).api.pollOrder(order, key, { interval: 1 }), { code: 'wrong_key' });
  await assert.rejects(client([200, { status: 'waiting' }]).api.pollOrder(order, key, { interval: 50, timeout: 10 }), { code: 'still_waiting' });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  await assert.rejects(client(...Array(9).fill([200, { status: 'waiting' }])).api.pollOrder(order, key, { interval: 500, signal: stop.signal }), { code: 'aborted' });
});
