// Buying over plain HTTP by clients that others wrote: x402's own, in both versions, and the `Payment` authentication scheme.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { x402Client } from '@x402/core/client';
import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from '@x402/core/http';
import { extractReceiptPayload, verifyOfferSignatureJWS, verifyReceiptSignatureJWS } from '@x402/extensions/offer-receipt';
import { wrapFetchWithPayment } from '@x402/fetch';
import { importJWK } from 'jose';
import { SatchelScheme, b64uDecode, newDeviceKey, paymentCredential, readChallenge } from '../sdk/js/src/index.js';
import { balanceOf, claimsOf, digestOf, fund, look, makeOrder, newWallet, noise, openPacked, publish } from './lib/actors.mjs';
import { openStack } from './lib/stack.mjs';

const PRICE = 123_457;
const FUNDED = 1_000_000;
const MOST_BYTES = 1_536;

const stack = await openStack({ name: 'paid' });
const { client, origin: issuer } = stack;
const creator = await newWallet(client);
const song = await publish(creator, { bytes: noise(300_000), title: 'Étude “1”', usd_micros: PRICE });
const film = await publish(creator, { bytes: noise(400_000), use: 'stream', windows: 4, usd_micros: PRICE });
const key = await importJWK((await client.jwks()).keys[0], 'EdDSA');

const addressOf = (work, path = 'keys') => `${issuer}/v1/${path}/${work.work}`;

async function payer(funds = FUNDED) {
  const wallet = await newWallet(client);
  if (funds) await fund(wallet, funds);
  return wallet;
}

/** A wallet as x402's client is given one; `paid` are the payment headers it has sent. */
function x402Of(wallet, options = {}) {
  const scheme = new SatchelScheme({ issuer, account: wallet.account, key: wallet.device, ...options });
  const x402 = new x402Client().register('satchel:*', scheme).registerV1('satchel:test', scheme).setSpendControls({
    allowedAssets: [{ network: 'satchel:test', asset: 'msat', maxAmountPerPayment: String(FUNDED) }],
  });
  const sent = [];
  const watching = (request) => {
    const header = request.headers.get('payment-signature') ?? request.headers.get('x-payment');
    if (header) sent.push(header);
    return fetch(request);
  };
  return { x402, sent, fetch: wrapFetchWithPayment(watching, x402) };
}

async function opens(answer, work) {
  const body = await answer.json();
  assert.equal(body.work, work.work);
  const opened = await openPacked(work.packed, b64uDecode(body.content_key, 32));
  assert.equal(digestOf(opened), digestOf(work.bytes));
  return body;
}

const pay = (work, header, name = 'payment-signature', init = {}) => fetch(addressOf(work), { ...init, headers: { [name]: header } });

async function problemOf(answer, status, code) {
  const body = await answer.json();
  assert.deepEqual([answer.status, body.code], [status, code], JSON.stringify(body));
  return body;
}

test('an unpaid address says what it costs, in headers small enough for every proxy', async () => {
  for (const [work, path] of [[song, 'keys'], [film, 'sessions']]) {
    const answer = await fetch(addressOf(work, path));
    assert.equal(answer.status, 402);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const exposed = answer.headers.get('access-control-expose-headers').toLowerCase().split(/\s*,\s*/);
    for (const name of ['payment-required', 'www-authenticate', 'crawler-price']) {
      assert.ok(exposed.includes(name), name);
      assert.ok(answer.headers.get(name).length < MOST_BYTES, `${name}: ${answer.headers.get(name).length}`);
    }
    for (const name of ['payment-response', 'payment-receipt', 'x-payment-response', 'retry-after']) assert.ok(exposed.includes(name), name);
    assert.equal(answer.headers.get('crawler-price'), 'USD 0.123457');
    const required = decodePaymentRequiredHeader(answer.headers.get('payment-required'));
    assert.deepEqual(required.resource, { url: addressOf(work, path) });
    const [accepted] = required.accepts;
    assert.deepEqual([accepted.scheme, accepted.network, accepted.asset, accepted.payTo], ['exact', 'satchel:test', 'msat', 'merchant']);
    assert.equal(accepted.extra.usd_micros, PRICE);
    assert.equal(required.extensions['payment-identifier'].info.required, false);
    const challenge = readChallenge(answer.headers.get('www-authenticate'));
    assert.deepEqual([challenge.realm, challenge.method, challenge.intent], [issuer, 'satchel', 'charge']);
    assert.ok(Date.parse(challenge.expires) > Date.now());
    const body = await problemOf(answer, 402, 'payment_required');
    assert.equal(body.x402Version, 1);
    assert.equal(body.accepts[0].maxAmountRequired, accepted.amount);
    const [offer] = body.extensions['offer-receipt'].info.offers;
    assert.equal((await verifyOfferSignatureJWS(offer, key)).resourceUrl, addressOf(work, path));
  }
});

test('a page elsewhere may send a payment', async () => {
  const asked = 'payment-signature, x-payment, authorization, access-control-expose-headers';
  const answer = await fetch(addressOf(song), { method: 'OPTIONS', headers: { origin: 'https://elsewhere.example', 'access-control-request-method': 'GET', 'access-control-request-headers': asked } });
  const allowed = answer.headers.get('access-control-allow-headers').toLowerCase().split(/\s*,\s*/);
  for (const name of asked.split(', ')) assert.ok(allowed.includes(name), name);
});

test('the stock x402 client pays, gets its key, and a receipt it can verify', async () => {
  const wallet = await payer();
  const kept = [];
  const buyer = x402Of(wallet, { keep: (paid) => kept.push(paid.order) });
  const answer = await buyer.fetch(addressOf(song));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const header = answer.headers.get('payment-response');
  assert.ok(header.length < MOST_BYTES, String(header.length));
  const settled = decodePaymentResponseHeader(header);
  assert.deepEqual([settled.success, settled.network, settled.transaction, settled.payer], [true, 'satchel:test', kept[0], wallet.device.jkt]);
  const { receipt } = settled.extensions['offer-receipt'].info;
  assert.equal((await verifyReceiptSignatureJWS(receipt, key)).transaction, kept[0]);
  assert.ok(!JSON.stringify(extractReceiptPayload(receipt)).includes(wallet.account), 'names no account');
  const { receipt: ours, msat } = await opens(answer, song);
  assert.equal(claimsOf(ours).work, song.work);
  assert.equal(await balanceOf(wallet), FUNDED - msat);
});

test('the same payment sent again is answered the same and charged once', async () => {
  const wallet = await payer();
  const buyer = x402Of(wallet);
  const first = await (await buyer.fetch(addressOf(song))).json();
  const balance = await balanceOf(wallet);
  for (let n = 0; n < 3; n += 1) {
    const again = await pay(song, buyer.sent[0]);
    assert.equal(again.status, 200);
    assert.deepEqual(claimsOf((await again.json()).receipt), claimsOf(first.receipt));
  }
  assert.equal(await balanceOf(wallet), balance);
});

const decoded = (header) => JSON.parse(Buffer.from(header, 'base64').toString());
const encoded = (payment) => Buffer.from(JSON.stringify(payment)).toString('base64');

test('an idempotency key of the client’s own is good for one payment', async () => {
  const wallet = await payer();
  const [one, two] = [x402Of(wallet), x402Of(wallet)];
  await (await one.fetch(addressOf(song))).arrayBuffer();
  await (await two.fetch(addressOf(film))).arrayBuffer();
  const named = (header, id) => {
    const payment = decoded(header);
    payment.extensions['payment-identifier'].info.id = id;
    return encoded(payment);
  };
  const id = `pay_${crypto.randomUUID().replaceAll('-', '')}`;
  assert.equal((await pay(song, named(one.sent[0], id))).status, 200);
  assert.equal((await pay(song, named(one.sent[0], id))).status, 200);
  const conflict = await problemOf(await pay(film, named(two.sent[0], id)), 409, 'order_conflict');
  assert.equal(conflict.member, 'payment-identifier');
  await problemOf(await pay(song, named(one.sent[0], 'too short')), 400, 'malformed');
});

test('an x402 client of the first version pays too', async () => {
  const wallet = await payer();
  const buyer = x402Of(wallet);
  const old = wrapFetchWithPayment(async (request) => {
    const answer = await fetch(request);
    const headers = new Headers(answer.headers);
    headers.delete('payment-required');
    return new Response(answer.body, { status: answer.status, headers });
  }, buyer.x402);
  const answer = await old(addressOf(song));
  assert.equal(answer.status, 200);
  assert.equal(decodePaymentResponseHeader(answer.headers.get('x-payment-response')).success, true);
  await opens(answer, song);
});

test('the Payment scheme pays, and its receipt names the challenge', async () => {
  const wallet = await payer();
  const header = (await fetch(addressOf(song))).headers.get('www-authenticate');
  const authorization = await paymentCredential(header, { issuer, account: wallet.account, key: wallet.device });
  const answer = await fetch(addressOf(song), { headers: { authorization } });
  assert.equal(answer.status, 200);
  const receipt = JSON.parse(new TextDecoder().decode(b64uDecode(answer.headers.get('payment-receipt'))));
  assert.deepEqual([receipt.status, receipt.method, receipt.challengeId], ['success', 'satchel', readChallenge(header).id]);
  await opens(answer, song);
  const altered = header.replace(/expires="[^"]+"/, 'expires="2099-01-01T00:00:00Z"');
  const forged = await paymentCredential(altered, { issuer, account: wallet.account, key: wallet.device });
  await problemOf(await fetch(addressOf(song), { headers: { authorization: forged } }), 402, 'payment_invalid');
});

test('who has a receipt asks without paying', async () => {
  const wallet = await payer();
  const { receipt } = await (await x402Of(wallet).fetch(addressOf(song))).json();
  const balance = await balanceOf(wallet);
  const { content_key } = await client.request('GET', `/v1/keys/${song.work}`, { key: wallet.device, token: receipt });
  assert.equal(digestOf(await openPacked(song.packed, b64uDecode(content_key, 32))), digestOf(song.bytes));
  await assert.rejects(client.request('GET', `/v1/keys/${song.work}`, { key: await newDeviceKey(), token: receipt }), { code: 'wrong_key' });
  await assert.rejects(client.request('GET', `/v1/keys/${film.work}`, { key: wallet.device, token: receipt }), { code: 'wrong_key' });
  assert.equal(await balanceOf(wallet), balance);
});

test('a film is paid the same way, and its receipt opens a session instead of giving the key', async () => {
  const wallet = await payer();
  const body = await (await x402Of(wallet).fetch(addressOf(film, 'sessions'))).json();
  assert.deepEqual([body.rights, body.content_key], ['stream', undefined]);
  assert.ok((await client.session(body.receipt, wallet.device)).windows >= 4);
});

test('an empty wallet is told so in the client’s own words, and asked anew', async () => {
  const wallet = await payer(0);
  const answer = await x402Of(wallet).fetch(addressOf(song));
  const settled = decodePaymentResponseHeader(answer.headers.get('payment-response'));
  assert.deepEqual([settled.success, settled.errorReason], [false, 'insufficient_funds']);
  assert.ok(answer.headers.get('payment-required'));
  assert.equal((await problemOf(answer, 402, 'insufficient_balance')).balance_msat, 0);
  assert.equal((await look(wallet)).balance_msat, 0);
});

test('what is no payment for this address is refused and moves nothing', async () => {
  const wallet = await payer();
  const buyer = x402Of(wallet);
  await (await buyer.fetch(addressOf(song))).arrayBuffer();
  const balance = await balanceOf(wallet);
  await problemOf(await pay(film, buyer.sent[0]), 402, 'payment_invalid');
  const changed = (change) => {
    const payment = decoded(buyer.sent[0]);
    change(payment);
    return encoded(payment);
  };
  const thief = await payer();
  const other = x402Of(thief);
  await (await other.fetch(addressOf(song))).arrayBuffer();
  const stolen = changed((payment) => { payment.payload.proof = decoded(other.sent[0]).payload.proof; });
  await problemOf(await pay(song, stolen), 401, 'proof_invalid');
  await problemOf(await pay(song, buyer.sent[0], 'payment-signature', { method: 'POST' }), 401, 'proof_invalid');
  await problemOf(await pay(song, changed((payment) => { payment.accepted.network = 'eip155:8453'; })), 402, 'payment_invalid');
  await problemOf(await pay(song, changed((payment) => { payment.payload.order = payment.payload.order.slice(0, -2); })), 401, 'proof_invalid');
  await problemOf(await pay(song, 'not base64 at all!'), 400, 'malformed');
  await problemOf(await pay(song, encoded({ x402Version: 2 })), 400, 'malformed');
  await problemOf(await fetch(`${issuer}/v1/keys/wrk_${'a'.repeat(52)}`), 404, 'unknown_work');
  await problemOf(await fetch(`${issuer}/v1/keys/nonsense`), 400, 'malformed');
  const order = await makeOrder(wallet, film);
  assert.ok(order.jws, 'an order alone is no payment');
  assert.equal(await balanceOf(wallet), balance);
});

test('the keys of receipts are found as did:web too', async () => {
  const answer = await fetch(`${issuer}/.well-known/did.json`);
  const document = await answer.json();
  assert.equal(document.id, `did:web:${issuer.replace('http://', '').replace(':', '%3A')}`);
  assert.deepEqual(document.verificationMethod.map((method) => method.publicKeyJwk.x), (await client.jwks()).keys.map(({ x }) => x));
});
