import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SatchelClient } from '../src/client.js';
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
  const { api, sent } = client(...Array(4).fill([200, {}]));
  const terms = { usd_micros: 1, use: 'stream', pay_more: false, junk: 1 };
  await api.register(key, work, { title: 't', mediaType: 'm/m', terms, payee: 'p' });
  await api.startUpload(key, work, { size: 9 });
  await api.intake(key, work, { contentKey: new Uint8Array(32), manifest: 'm' });
  await api.publish(key, work, { manifest: 'm', terms });
  const common = ['aud', 'cmd', 'creator', 'work', 'work_nonce', 'iat', 'exp'];
  const own = [['title', 'media_type', 'terms', 'payee'], ['version', 'size'], ['version', 'content_key', 'manifest'], ['version', 'manifest', 'terms']];
  for (const [i, request] of sent.entries()) {
    const { header, payload } = parseJws(request.json.command, 'satchel-command+jws', ['kid']);
    assert.equal(header.kid, key.jkt);
    assert.deepEqual(Object.keys(payload), [...common, ...own[i]]);
    if (payload.terms) assert.deepEqual(Object.keys(payload.terms), ['pay_more', 'usd_micros', 'use']);
  }
  assert.deepEqual(sent.map((one) => new URL(one.url).pathname), ['/v1/works', '/v1/uploads', '/v1/intake', `/v1/works/${work.work}/publish`]);
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
