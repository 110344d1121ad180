// Every refusal: the right code, the right shape, and nothing moved. Runs on bare workerd.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  afterFee, b32Encode, b64uEncode, format, fundingId, newDeviceKey, orderId, randomBytes, signJws, workId,
} from '../sdk/js/src/index.js';
import {
  buy, claimsOf, delegate, fund, intake, look, makeOrder, newKeyOf, newWallet, newWorkId, noise, operate, packWork,
  publish, purchasesOf, putOnSale, register, unix, upload,
} from './lib/actors.mjs';
import { by, byHmac, bySeed, firstOf, forge, macToken, proof, readToken, takeApart, tokenHash } from './lib/forge.mjs';
import { receiver } from './lib/hooks.mjs';
import { post, send } from './lib/http.mjs';
import { CODES, checkProblem, refused, seen } from './lib/problem.mjs';
import { openStack } from './lib/stack.mjs';
import { sleep, until } from './lib/until.mjs';

const PRICE = 10_000;
const FUNDED = 1_000_000;
const MAX_BODY = 64 * 1024;

const stack = await openStack({ name: 'errors', runtime: 'workerd' });
const { client, origin } = stack;
const seller = await newWallet(client);
const buyer = await newWallet(client);
const stranger = await newWallet(client);
const everybody = [seller, buyer, stranger];
for (const wallet of everybody) await fund(wallet, FUNDED);
const text = await publish(seller, { usd_micros: PRICE });
const clip = await publish(seller, { usd_micros: PRICE, use: 'stream', windows: 8, bytes: noise(40_000) });
const unsold = await publish(seller, { usd_micros: PRICE });
const textBought = await buy(buyer, text);
const clipBought = await buy(buyer, clip);
const strangersText = await buy(stranger, text);

let sales = 0;

/** Waits until so many more sales have reached the seller, so that nothing is under way. */
async function settled(more) {
  sales += more;
  const earned = sales * afterFee(PRICE, 500);
  await until('sales are settled', async () => (await look(seller)).balance_msat === FUNDED + earned);
}

await settled(3);

/** Balances and purchases of everybody. */
const holdings = () =>
  Promise.all(everybody.map(async (wallet) => {
    const { balance_msat, pending_msat, incoming_msat } = await look(wallet);
    return { balance_msat, pending_msat, incoming_msat, purchases: await purchasesOf(wallet) };
  }));

/** Runs `action` and checks that it moved nothing. */
async function unchanged(what, action) {
  const before = await holdings();
  const result = await action();
  assert.deepEqual(await holdings(), before, `${what} changed something`);
  return result;
}

/** `action` is refused with `code` and changes nothing. */
const refusedAndUnchanged = (code, action, what = code) => unchanged(what, () => refused(code, action, what));

/** A raw answer is a refusal with `code`, and changed nothing. */
const answersProblem = (code, action, what = code) =>
  unchanged(what, async () => checkProblem(await action(), code, what));

// ---------------------------------------------------------------- a paid route that accepts any non-empty proof

const PAID = [
  { path: '/v1/keys', bought: textBought, other: clipBought, foreign: strangersText },
  { path: '/v1/sessions', bought: clipBought, other: textBought, foreign: await buy(stranger, clip) },
];
await settled(1);

/** Asks a paid route with these two headers and nothing else. */
const askPaid = (path, { authorization, dpop }) =>
  post(stack, path, {}, { ...(authorization !== undefined && { authorization }), ...(dpop !== undefined && { dpop }) });

const SMALL_ORDER_KEYS = ['00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`].map((hex) => Buffer.from(hex, 'hex'));

/** Receipts that are none: [what, token]. All of them would be good if only their signature were believed. */
async function falseReceipts({ receipt, jws, quote }, key, claims) {
  const { header, parts } = takeApart(receipt);
  const { keys: [published] } = await client.jwks();
  const publicBytes = Buffer.from(published.x, 'base64url');
  const issuerKey = bySeed(firstOf(stack.secretsOf('purchase').RECEIPT_KEYS).bytes);
  const made = (head, payload, signer) => forge({ ...header, ...head }, { ...claims, ...payload }, signer);
  const order = takeApart(jws);
  const last = parts[2].at(-1);
  return [
    ['nothing that looks like a token', 'x'],
    ['a word', 'receipt'],
    ['dots', '..'],
    ['three empty objects', 'e30.e30.e30'],
    ['null', 'bnVsbA.bnVsbA.bnVsbA'],
    ['JSON', JSON.stringify(claims)],
    ['the receipt without its signature', `${parts[0]}.${parts[1]}.`],
    ['the receipt in two parts', `${parts[0]}.${parts[1]}`],
    ['the receipt with a part more', `${receipt}.${parts[2]}`],
    ['the receipt twice', `${receipt}${receipt}`],
    ['another signature', `${parts[0]}.${parts[1]}.${Buffer.alloc(64).toString('base64url')}`],
    ['padding behind the signature', `${receipt}==`],
    ['the signature spelled otherwise', `${receipt.slice(0, -1)}${String.fromCharCode(last.charCodeAt(0) + 1)}`],
    ['alg none without a signature', await made({ alg: 'none' }, {}, () => new Uint8Array(0))],
    ['alg none with the signature', `${Buffer.from(JSON.stringify({ ...header, alg: 'none' })).toString('base64url')}.${parts[1]}.${parts[2]}`],
    ['alg None', await made({ alg: 'None' }, {}, () => new Uint8Array(0))],
    ['HS256 with the public key as secret', await made({ alg: 'HS256' }, {}, byHmac(publicBytes))],
    ['HS256 with the public key as text', await made({ alg: 'HS256' }, {}, byHmac(published.x))],
    ['HS256 with the JWK', await made({ alg: 'HS256' }, {}, byHmac(JSON.stringify(published)))],
    ['HS256 with an empty secret', await made({ alg: 'HS256' }, {}, byHmac(''))],
    ['EdDSA by an HMAC', await made({}, {}, byHmac(publicBytes))],
    ['signed by the buyer', await made({}, {}, by(key))],
    ['signed by the buyer, named by kid', await made({ kid: key.jkt }, {}, by(key))],
    ['an embedded jwk', await made({ jwk: key.jwk }, {}, by(key))],
    ['an embedded jwk instead of kid', await forge({ alg: 'EdDSA', typ: header.typ, jwk: key.jwk }, claims, by(key))],
    ['a jku', await made({ jku: `${origin}/.well-known/jwks.json` }, {}, issuerKey)],
    ['an x5u', await made({ x5u: 'http://127.0.0.1/x' }, {}, by(key))],
    ['crit', await made({ crit: ['exp'] }, {}, issuerKey)],
    ['no kid', await forge({ alg: 'EdDSA', typ: header.typ }, claims, issuerKey)],
    ['an unknown kid', await made({ kid: '2' }, {}, issuerKey)],
    ['a kid that is a path', await made({ kid: '../../dev/null' }, {}, issuerKey)],
    ['a kid that is a number', await made({ kid: 1 }, {}, issuerKey)],
    ['another typ', await made({ typ: 'JWT' }, {}, issuerKey)],
    ['no typ', await forge({ alg: 'EdDSA', kid: header.kid }, claims, issuerKey)],
    ['another issuer’s', await made({}, { iss: 'http://other.example' }, issuerKey)],
    ['another audience', await made({}, { aud: 'http://other.example' }, issuerKey)],
    ['one whose sub is not its key', await made({}, { sub: claims.cnf.jkt.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }, issuerKey)],
    ['a member too many', await made({}, { admin: true }, issuerKey)],
    ['a member too few', await made({}, { handle: undefined }, issuerKey)],
    ['a doubled member', await forge(header, JSON.stringify(claims).replace('{', `{"work":"${claims.work}",`), issuerKey)],
    ['a float for money', await forge(header, JSON.stringify(claims).replace(/"msat":(\d+)/, '"msat":$1.0'), issuerKey)],
    ['an array of claims', await forge(header, JSON.stringify(Object.values(claims)), issuerKey)],
    ['the order itself', jws],
    ['the order under a receipt’s header', await forge(header, order.payload, issuerKey)],
    ['the quote', quote.quote],
    ['the JWKS', Buffer.from(JSON.stringify({ keys: [published] })).toString('base64url')],
    ['a lot of nothing', 'A'.repeat(8_000)],
  ];
}

/** Proofs that prove nothing: [what, DPoP header]. */
async function falseProofs(key, path, receipt) {
  const request = { issuer: origin, path, token: receipt };
  const mine = (changes) => proof(key, request, changes);
  const other = await newDeviceKey();
  const secret = Buffer.from(key.jwk.x, 'base64url');
  const payload = (members) => mine({ payload: members });
  const header = (members) => mine({ header: members });
  const good = await mine();
  const smallOrder = await Promise.all(SMALL_ORDER_KEYS.map(async (x) => {
    const jwk = { ...key.jwk, x: x.toString('base64url') };
    // R = the point, S = 0: valid for any message where the key has small order.
    const signature = () => Buffer.concat([x, Buffer.alloc(32)]);
    return [`a key of small order, ${x.toString('hex').slice(0, 4)}…`, await mine({ header: { jwk }, signer: signature })];
  }));
  return [
    ['a word', 'yes'],
    ['dots', '..'],
    ['the receipt', receipt],
    ['no ath', await payload({ ath: undefined })],
    ['an empty ath', await payload({ ath: '' })],
    ['the ath of another token', await payload({ ath: tokenHash('another') })],
    ['the token itself as ath', await payload({ ath: receipt })],
    ['an ath in hexadecimal', await payload({ ath: Buffer.from(tokenHash(receipt), 'base64url').toString('hex') })],
    ['another path', await payload({ htu: `${origin}/v1/orders` })],
    ['a path below', await payload({ htu: `${origin}${path}/` })],
    ['the path alone', await payload({ htu: path })],
    ['the wallet host', await payload({ htu: `${stack.walletOrigin}${path}` })],
    ['https', await payload({ htu: `${origin}${path}`.replace('http:', 'https:') })],
    ['no port', await payload({ htu: `http://localhost${path}` })],
    ['an upper-case host', await payload({ htu: `${origin}${path}`.replace('localhost', 'LOCALHOST') })],
    ['a query', await payload({ htu: `${origin}${path}?x` })],
    ['no htu', await payload({ htu: undefined })],
    ['another method', await payload({ htm: 'GET' })],
    ['the method in lower case', await payload({ htm: 'post' })],
    ['no method', await payload({ htm: undefined })],
    ['an old iat', await payload({ iat: unix() - 400 })],
    ['an iat in the future', await payload({ iat: unix() + 400 })],
    ['iat 0', await payload({ iat: 0 })],
    ['an iat as text', await payload({ iat: String(unix()) })],
    ['an iat in milliseconds', await payload({ iat: Date.now() })],
    ['a negative iat', await payload({ iat: -1 })],
    ['no iat', await payload({ iat: undefined })],
    ['no jti', await payload({ jti: undefined })],
    ['an empty jti', await payload({ jti: '' })],
    ['an endless jti', await payload({ jti: 'x'.repeat(2_000) })],
    ['a member too many', await payload({ admin: true })],
    ['alg none', await mine({ header: { alg: 'none' }, signer: () => new Uint8Array(0) })],
    ['HS256 with the key', await mine({ header: { alg: 'HS256' }, signer: byHmac(secret) })],
    ['ES256', await header({ alg: 'ES256' })],
    ['another typ', await header({ typ: 'JWT' })],
    ['no typ', await header({ typ: undefined })],
    ['a kid instead of the key', await header({ jwk: undefined, kid: key.jkt })],
    ['a kid beside the key', await header({ kid: key.jkt })],
    ['a jku', await header({ jku: `${origin}/.well-known/jwks.json` })],
    ['a private key in it', await header({ jwk: { ...key.jwk, d: key.jwk.x } })],
    ['another curve', await header({ jwk: { ...key.jwk, crv: 'X25519' } })],
    ['half a key', await header({ jwk: { ...key.jwk, x: key.jwk.x.slice(0, 20) } })],
    ['a key as text', await header({ jwk: JSON.stringify(key.jwk) })],
    ['signed by another key than it names', await mine({ signer: by(other) })],
    ['no signature', good.replace(/[^.]+$/, '')],
    ['a signature of zeros', await mine({ signer: () => new Uint8Array(64) })],
    ['two proofs in one header', `${good}, ${await mine()}`],
    ['padding', `${good}=`],
    ...smallOrder,
  ];
}

test('no paid route accepts any non-empty proof: each part of receipt and proof is checked', async () => {
  for (const { path, bought, other, foreign } of PAID) {
    const { device: key } = buyer;
    const { receipt } = bought;
    const claims = claimsOf(receipt);
    const proven = (token, who = key) => proof(who, { issuer: origin, path, token });
    const refuses = async (code, what, headers) => {
      const answer = await askPaid(path, headers);
      assert.ok(!/"content_key"|"capability"/.test(answer.text), `${path}, ${what}: ${answer.text}`);
      checkProblem(answer, code, `${path}, ${what}`);
    };
    await unchanged(path, async () => {
      const dpop = await proven(receipt);
      await refuses('proof_required', 'nothing at all', {});
      await refuses('proof_required', 'a proof without a receipt', { dpop });
      await refuses('proof_required', 'a receipt without a proof', { authorization: `DPoP ${receipt}` });
      for (const authorization of ['', 'x', 'DPoP', 'DPoP ', `Bearer ${receipt}`, receipt, `Basic ${receipt}`, 'null', `DPoP${receipt}`]) {
        await refuses('proof_required', `Authorization: ${authorization.slice(0, 12)}`, { authorization, dpop });
      }
      for (const [what, token] of await falseReceipts(bought, key, claims)) {
        await refuses('receipt_invalid', what, { authorization: `DPoP ${token}`, dpop: await proven(token) });
      }
      for (const [what, dpopHeader] of await falseProofs(key, path, receipt)) {
        await refuses('proof_invalid', `a proof with ${what}`, { authorization: `DPoP ${receipt}`, dpop: dpopHeader });
      }
      // Good documents in the wrong hands.
      const thief = await newDeviceKey();
      await refuses('wrong_key', 'a receipt of another key', { authorization: `DPoP ${receipt}`, dpop: await proven(receipt, thief) });
      await refuses('wrong_key', 'another buyer’s receipt', { authorization: `DPoP ${foreign.receipt}`, dpop: await proven(foreign.receipt) });
      await refuses('proof_invalid', 'a proof for another receipt', { authorization: `DPoP ${receipt}`, dpop: await proven(foreign.receipt) });
      const elsewhere = await proof(key, { issuer: origin, path: '/v1/orders', token: receipt });
      await refuses('proof_invalid', 'a proof for another route', { authorization: `DPoP ${receipt}`, dpop: elsewhere });
      const notThisUse = path === '/v1/keys' ? 'streaming_only' : 'not_streaming';
      await refuses(notThisUse, 'a receipt of the other use', { authorization: `DPoP ${other.receipt}`, dpop: await proven(other.receipt) });
    });
    // What they all tried to imitate does open the work.
    const good = await askPaid(path, { authorization: `DPoP ${receipt}`, dpop: await proven(receipt) });
    assert.ok(good.status < 300, good.text);
  }
});

test('a receipt with the issuer’s own signature opens nothing without the very purchase behind it', async () => {
  const issuerKey = bySeed(firstOf(stack.secretsOf('purchase').RECEIPT_KEYS).bytes);
  for (const { path, bought } of PAID) {
    const { header, payload } = takeApart(bought.receipt);
    const changes = [
      ['a work that was not bought', { work: unsold.work }],
      ['a version that was not bought', { version: 2 }],
      ['an invented handle', { handle: `pur_${Buffer.from(randomBytes(80)).toString('base64url')}` }],
      ['a handle of another work', { handle: claimsOf(PAID.find((one) => one.path !== path).bought.receipt).handle }],
      ['no handle', { handle: '' }],
      ['a path for a handle', { handle: 'pur_../works' }],
      ['half a handle', { handle: payload.handle.slice(0, -4) }],
      ['a handle with something behind it', { handle: `${payload.handle}A` }],
      ['a handle with a query', { handle: `${payload.handle}?` }],
    ];
    for (const [what, members] of changes) {
      const token = await forge(header, { ...payload, ...members }, issuerKey);
      const dpop = await proof(buyer.device, { issuer: origin, path, token });
      const answer = await unchanged(what, () => askPaid(path, { authorization: `DPoP ${token}`, dpop }));
      const { code } = checkProblem(answer, undefined, what);
      const refusals = ['not_entitled', 'receipt_invalid', 'streaming_only', 'not_streaming'];
      assert.ok(refusals.includes(code), `${path}, ${what}: ${answer.text}`);
    }
  }
});

test('a window is released to the newest capability of its session and key, and to nothing else', async () => {
  const { device: key } = buyer;
  const session = await client.session(clipBought.receipt, key);
  const other = await client.session(clipBought.receipt, key);
  const path = `/v1/sessions/${session.session}/windows/0`;
  const { CAPABILITY_KEY } = stack.secretsOf('stream');
  const says = readToken(session.capability);
  const crafted = (members, secret = CAPABILITY_KEY, purpose = 'capability') => macToken(secret, purpose, { ...says, ...members });
  const junk = Buffer.from(randomBytes(32)).toString('base64url');
  const [head, tag] = session.capability.split('.');
  const phone = await newDeviceKey();
  const cases = [
    ['capability_invalid', 'a word', 'x'],
    ['capability_invalid', 'a dot', '.'],
    ['capability_invalid', 'the receipt', clipBought.receipt],
    ['capability_invalid', 'the quote', clipBought.quote.quote],
    ['capability_invalid', 'half of it', head],
    ['capability_invalid', 'another tag', `${head}.${junk}`],
    ['capability_invalid', 'a changed claim', `${macToken(junk, 'capability', { ...says, exp: says.exp + 1000 }).split('.')[0]}.${tag}`],
    ['capability_invalid', 'of another key', crafted({}, junk)],
    ['capability_invalid', 'of another purpose', crafted({}, CAPABILITY_KEY, 'quote')],
    ['capability_elsewhere', 'of another session', other.capability],
    ['capability_elsewhere', 'of another issuer', crafted({ aud: 'http://other.example' })],
    ['capability_invalid', 'with a member more', crafted({ admin: true })],
    ['capability_expired', 'an old one', crafted({ exp: unix() - 1 })],
    ['wrong_key', 'for another key', crafted({ jkt: phone.jkt })],
  ];
  for (const [code, what, token] of cases) {
    await answersProblem(code, async () => {
      const dpop = await proof(key, { issuer: origin, path, token });
      return askPaid(path, { authorization: `DPoP ${token}`, dpop });
    }, `a capability: ${what}`);
  }
  const token = session.capability;
  await answersProblem('proof_required', () => askPaid(path, { authorization: `DPoP ${token}` }));
  const thief = await proof(phone, { issuer: origin, path, token });
  await answersProblem('wrong_key', () => askPaid(path, { authorization: `DPoP ${token}`, dpop: thief }));
  const elsewhere = await proof(key, { issuer: origin, path: path.replace('/0', '/1'), token });
  await answersProblem('proof_invalid', () => askPaid(path, { authorization: `DPoP ${token}`, dpop: elsewhere }));
  await refusedAndUnchanged('not_found', () => client.windowKey(session.session, 4_000, token, key), 'a window that is not there');
  const once = await proof(key, { issuer: origin, path, token });
  assert.equal((await askPaid(path, { authorization: `DPoP ${token}`, dpop: once })).status, 200);
  await answersProblem('proof_replayed', () => askPaid(path, { authorization: `DPoP ${token}`, dpop: once }), 'a proof used twice');
  await refusedAndUnchanged('hls_not_allowed', () => client.hls(clipBought.receipt, key), 'other players');
});

// ---------------------------------------------------------------- orders

/** Signs an order whose claims are those of `made` with changes. */
async function resigned(made, changes, { key = buyer.device, kid = key.jkt, header } = {}) {
  const { payload } = takeApart(made.jws);
  return signJws(key, { typ: 'satchel-order+jws', kid, ...header }, { ...payload, ...changes });
}

test('an order replayed with other content is refused, whatever the member, and moves nothing', async () => {
  const digest = await format.termsDigest({ ...text.terms, usd_micros: 1 });
  const changes = {
    work: unsold.work,
    version: 2,
    terms_digest: digest,
    usd_micros: PRICE + 1,
    msat: PRICE - 1,
    cnf: { jkt: (await newDeviceKey()).jkt },
    ledger: 'live',
  };
  for (const [member, value] of Object.entries(changes)) {
    const jws = await resigned(textBought, { [member]: value });
    const error = await refusedAndUnchanged('order_conflict', () => client.order(jws), `another ${member}`);
    assert.equal(error.members.member, member);
  }
});

test('what an order does not agree to may differ in a retry: quote, times, the key that signs', async () => {
  const { quote } = await client.quote(text.work);
  const second = await newKeyOf(buyer);
  const expired = { iat: unix() - 2_000, exp: unix() - 1_000 };
  const answers = await unchanged('a retry', async () => [
    await client.order(await resigned(textBought, { quote })),
    await client.order(await resigned(textBought, expired)),
    await client.order(await resigned(textBought, { quote: 'lost' })),
    await client.order(await resigned(textBought, {}, { key: second })),
  ]);
  for (const answer of answers) {
    assert.deepEqual([answer.replayed, answer.owned], [true, false]);
    assert.deepEqual(claimsOf(answer.receipt), claimsOf(textBought.receipt));
  }
});

test('a price is held by the quote: altered, borrowed or outlived ones buy nothing', async () => {
  const { QUOTE_KEY } = stack.secretsOf('purchase');
  const made = await makeOrder(buyer, unsold);
  const says = readToken(made.quote.quote);
  const [head, tag] = made.quote.quote.split('.');
  const elsewhere = await client.quote(text.work);
  const junk = Buffer.from(randomBytes(32)).toString('base64url');
  const crafted = (members, secret = QUOTE_KEY, purpose = 'quote') => macToken(secret, purpose, { ...says, ...members });
  const cheap = crafted({ usd_micros: 100, msat: 100 }, junk);
  const invalid = [
    ['no quote', { quote: '' }],
    ['a word', { quote: 'x' }],
    ['a tag of nothing', { quote: `${head}.` }],
    ['another tag', { quote: `${head}.${junk}` }],
    ['a lower price under the old tag', { quote: `${cheap.split('.')[0]}.${tag}`, usd_micros: 100, msat: 100 }],
    ['a lower price under an own key', { quote: cheap, usd_micros: 100, msat: 100 }],
    ['a lower price than quoted', { msat: PRICE - 1 }],
    ['a higher price than quoted', { msat: PRICE + 1 }],
    ['other dollars than quoted', { usd_micros: PRICE - 1 }],
    ['another work’s quote', { quote: elsewhere.quote }],
    ['another version', { version: 2 }],
    ['other terms', { terms_digest: await format.termsDigest({ ...unsold.terms, pay_more: true }) }],
    ['the other ledger', { ledger: 'live' }],
    ['the other ledger, quoted', { ledger: 'live', quote: crafted({ ledger: 'live' }) }],
    ['another issuer’s quote', { quote: crafted({ aud: 'http://other.example' }) }],
    ['a token of another purpose', { quote: crafted({}, QUOTE_KEY, 'capability') }],
    ['a member more', { quote: crafted({ admin: true }) }],
  ];
  for (const [what, changes] of invalid) {
    const jws = await resigned(made, changes);
    await refusedAndUnchanged('quote_invalid', () => client.order(jws), what);
  }
  const over = await resigned(made, { quote: crafted({ exp: unix() - 1 }) });
  await refusedAndUnchanged('quote_expired', () => client.order(over));
  const late = await resigned(made, { iat: unix() - 1_000, exp: unix() - 1 });
  await refusedAndUnchanged('order_expired', () => client.order(late));
});

test('only a delegated key, within its scope, cap and time, may spend', async () => {
  const stray = await newDeviceKey();
  const reader = await newKeyOf(buyer, { scope: ['read'] });
  const spender = await newKeyOf(buyer, { scope: ['spend'] });
  const capped = await newKeyOf(buyer, { maxOrderMsat: PRICE - 1 });
  const brief = await newDeviceKey();
  const exp = unix() + 2;
  await delegate(buyer, brief, { exp });
  const made = await makeOrder(buyer, unsold);
  const by = (key, more) => resigned(made, {}, { key, ...more });
  const order = async (jws) => client.order(await jws);
  const money = (key) => client.testMoney(buyer.account, key, { id: fundingId(), msat: 1 });
  const asStray = by(stray, { kid: buyer.device.jkt });
  const cases = [
    ['wrong_key', 'a key that nobody delegated', () => order(by(stray))],
    ['wrong_key', 'the root key itself', () => order(by(buyer.root))],
    ['wrong_key', 'a key of another account', () => order(by(stranger.device))],
    ['wrong_key', 'another’s account', () => order(resigned(made, { account: stranger.account }))],
    ['bad_signature', 'a delegated name, another’s signature', () => order(asStray)],
    ['scope_missing', 'buying with a key that may only read', () => order(by(reader))],
    ['cap_exceeded', 'more than its cap', () => order(by(capped))],
    ['scope_missing', 'looking with a key that may only spend', () => client.account(buyer.account, spender)],
    ['scope_missing', 'listing with a key that may only spend', () => client.purchases(buyer.account, spender)],
    ['scope_missing', 'funding with a key that may only read', () => money(reader)],
    ['wrong_key', 'looking into another’s account', () => client.account(buyer.account, stray)],
    ['wrong_key', 'listing another’s purchases', () => client.purchases(buyer.account, stranger.device)],
    ['wrong_key', 'funding with a stray key', () => money(stray)],
  ];
  for (const [code, what, action] of cases) await refusedAndUnchanged(code, action, what);
  await until('the delegation is over', () => unix() >= exp);
  await refusedAndUnchanged('delegation_expired', async () => client.order(await by(brief)));
  await refusedAndUnchanged('delegation_expired', () => client.account(buyer.account, brief), 'looking after its time');
});

test('an order without money says how much there is and how much is needed', async () => {
  const poor = await newWallet(client);
  await fund(poor, PRICE - 1);
  const { jws } = await makeOrder(poor, unsold);
  const error = await refusedAndUnchanged('insufficient_balance', () => client.order(jws));
  assert.deepEqual(error.members, { balance_msat: PRICE - 1, needed_msat: PRICE });
  assert.match(error.detail, /\b1 msat\b/);
  assert.deepEqual([(await look(poor)).balance_msat, (await purchasesOf(poor)).length], [PRICE - 1, 0]);
  // The same order is good as soon as the money is there.
  await fund(poor, 1);
  assert.deepEqual((({ replayed, owned }) => [replayed, owned])(await client.order(jws)), [false, false]);
  assert.equal((await look(poor)).balance_msat, 0);
  await settled(1);
});

test('creators do not buy from themselves', async () => {
  const { jws } = await makeOrder(seller, unsold);
  await refusedAndUnchanged('own_work', () => client.order(jws));
});

test('orders that are not orders are refused before anything is looked up', async () => {
  const made = await makeOrder(buyer, unsold);
  const { header, payload } = takeApart(made.jws);
  const signed = (head, claims) => forge({ ...header, ...head }, claims ?? payload, by(buyer.device));
  const json = JSON.stringify(payload);
  const cases = [
    ['bad_signature', 'alg none', await signed({ alg: 'none' })],
    ['bad_signature', 'another typ', await signed({ typ: 'satchel-command+jws' })],
    ['bad_signature', 'no kid', await forge({ alg: 'EdDSA', typ: header.typ }, payload, by(buyer.device))],
    ['bad_signature', 'no signature', made.jws.replace(/[^.]+$/, '')],
    ['bad_signature', 'a flipped signature', `${made.jws.slice(0, -6)}${made.jws.endsWith('AAAAAA') ? 'BBBBBA' : 'AAAAAA'}`],
    ['bad_signature', 'another issuer', await resigned(made, { aud: 'http://other.example' })],
    ['malformed', 'a crit header', await signed({ crit: ['x'] })],
    ['malformed', 'text', 'order'],
    ['malformed', 'nothing', ''],
    ['malformed', 'an unknown member', await resigned(made, { tip: 1 })],
    ['malformed', 'a missing member', await resigned(made, { msat: undefined })],
    ['malformed', 'a doubled member', await signed({}, json.replace('{', '{"msat":1,'))],
    ['malformed', 'a float', await signed({}, json.replace(/"msat":\d+/, '"msat":10000.0'))],
    ['malformed', 'an exponent', await signed({}, json.replace(/"msat":\d+/, '"msat":1e4'))],
    ['malformed', 'a negative amount', await resigned(made, { msat: -PRICE })],
    ['malformed', 'minus zero', await signed({}, json.replace(/"msat":\d+/, '"msat":-0'))],
    ['malformed', 'beyond 2^53', await signed({}, json.replace(/"msat":\d+/, '"msat":9007199254740992'))],
    ['malformed', 'an amount as text', await resigned(made, { msat: String(PRICE) })],
    ['malformed', 'null', await resigned(made, { msat: null })],
    ['malformed', 'a version of 2^32', await resigned(made, { version: 2 ** 32 })],
    ['malformed', 'an order id of another work', await resigned(made, { order: await orderId(text.work) })],
    ['malformed', 'an order id in capitals', await resigned(made, { order: made.order.toUpperCase() })],
    ['malformed', 'a longer order id', await resigned(made, { order: `${made.order}a` })],
    ['malformed', 'a work id too short', await resigned(made, { work: unsold.work.slice(0, -1) })],
    ['malformed', 'a ledger there is not', await resigned(made, { ledger: 'play' })],
    ['malformed', 'a life of a day', await resigned(made, { exp: unix() + 86_400 })],
    ['malformed', 'an end before its beginning', await resigned(made, { exp: unix() - 10_000 })],
    ['malformed', 'a beginning in the future', await resigned(made, { iat: unix() + 1_000, exp: unix() + 1_100 })],
    ['malformed', 'cnf with more in it', await resigned(made, { cnf: { jkt: buyer.device.jkt, jwk: buyer.device.jwk } })],
  ];
  for (const [code, what, jws] of cases) await refusedAndUnchanged(code, () => client.order(jws), what);
  const good = await client.order(made.jws);
  assert.equal(good.replayed, false, 'what they all imitated is an order');
  await settled(1);
});

test('the receipt of an order is for the key it names, and nobody can wait in its place', async () => {
  const frame = await newDeviceKey();
  const made = await makeOrder(stranger, unsold, { cnf: frame });
  assert.deepEqual(await client.orderStatus(made.order, stranger.device), { status: 'waiting' });
  await client.order(made.jws);
  await settled(1);
  await refusedAndUnchanged('wrong_key', () => client.orderStatus(made.order, stranger.device));
  await answersProblem('proof_required', () => send(stack, { path: `/v1/orders/${made.order}` }));
  assert.equal((await client.orderStatus(made.order, frame)).status, 'posted');
  // An order that says nobody will poll leaves nothing to pick up.
  const quiet = await newWallet(client);
  await fund(quiet, PRICE);
  const order = await buy(quiet, unsold, { pickup: false });
  assert.deepEqual(await client.orderStatus(order.order, quiet.device), { status: 'waiting' });
  await settled(1);
});

// ---------------------------------------------------------------- accounts

test('test money with a known id and another amount is refused; the same again adds nothing', async () => {
  const id = fundingId();
  assert.equal((await client.testMoney(stranger.account, stranger.device, { id, msat: 5 })).replayed, false);
  await refusedAndUnchanged('order_conflict', () => client.testMoney(stranger.account, stranger.device, { id, msat: 6 }));
  const again = await unchanged('the same funding', () => client.testMoney(stranger.account, stranger.device, { id, msat: 5 }));
  assert.equal(again.replayed, true);
  for (const msat of [0, -1, 1.5, 100_000_001, 2 ** 53, '5', null]) {
    await refusedAndUnchanged('malformed', () => client.testMoney(stranger.account, stranger.device, { id: fundingId(), msat }), `msat ${msat}`);
  }
});

test('delegations that are not the owner’s word are refused', async () => {
  const key = await newDeviceKey();
  const path = `/v1/accounts/${buyer.account}/delegations`;
  const claims = { aud: origin, account: buyer.account, root: buyer.root.jwk, key: key.jwk, scope: ['spend', 'read'] };
  Object.assign(claims, { max_order_msat: null, epoch: 0, iat: unix(), exp: unix() + 1_000 });
  const header = { alg: 'EdDSA', typ: 'satchel-delegation+jws' };
  const signed = (changes, { head, key: signer = buyer.root } = {}) => forge({ ...header, ...head }, { ...claims, ...changes }, by(signer));
  const cases = [
    ['bad_signature', 'signed by the key itself', await signed({}, { key })],
    ['bad_signature', 'signed by another root', await signed({}, { key: stranger.root })],
    ['bad_signature', 'for another issuer', await signed({ aud: 'http://other.example' })],
    ['bad_signature', 'alg none', await signed({}, { head: { alg: 'none' } })],
    ['bad_signature', 'a kid', await signed({}, { head: { kid: buyer.root.jkt } })],
    ['wrong_key', 'another root’s account', await signed({ root: stranger.root.jwk }, { key: stranger.root })],
    ['wrong_key', 'another account', await signed({ root: stranger.root.jwk, account: stranger.account }, { key: stranger.root })],
    ['delegation_expired', 'over already', await signed({ exp: unix() - 1 })],
    ['delegation_expired', 'another epoch', await signed({ epoch: 1 })],
    ['malformed', 'an unknown scope', await signed({ scope: ['admin'] })],
    ['malformed', 'a scope as text', await signed({ scope: 'spend' })],
    ['malformed', 'a member more', await signed({ admin: true })],
    ['malformed', 'a key on another curve', await signed({ key: { ...key.jwk, crv: 'X25519' } })],
    ['malformed', 'a key of small order', await signed({ key: { ...key.jwk, x: SMALL_ORDER_KEYS[1].toString('base64url') } })],
    ['malformed', 'a root of small order', await signed({ root: { ...key.jwk, x: SMALL_ORDER_KEYS[1].toString('base64url') } })],
  ];
  for (const [code, what, delegation] of cases) await answersProblem(code, () => post(stack, path, { delegation }), what);
  await refusedAndUnchanged('wrong_key', () => client.account(buyer.account, key), 'none of them counted');
});

test('an account keeps at most 64 keys', async () => {
  const crowd = await newWallet(client);
  for (let i = 1; i < 64; i += 1) await newKeyOf(crowd);
  await refusedAndUnchanged('too_many', () => newKeyOf(crowd));
  // A key it has already may be delegated anew.
  await delegate(crowd, crowd.device);
});

test('a key that was narrowed is not widened again by who still has the older delegation', async () => {
  const key = await newDeviceKey();
  const wide = { scope: ['spend', 'read'], now: unix() - 100, exp: unix() + 1_000 };
  await delegate(buyer, key, wide);
  await delegate(buyer, key, { scope: ['read'] });
  await refusedAndUnchanged('delegation_expired', () => delegate(buyer, key, wide));
  const made = await makeOrder(buyer, unsold, { key });
  await refusedAndUnchanged('scope_missing', () => client.order(made.jws));
});

// ---------------------------------------------------------------- works

test('a work that nobody registered is unknown everywhere', async () => {
  const ghost = await packWork(seller);
  await refusedAndUnchanged('unknown_work', () => client.record(ghost.work));
  await refusedAndUnchanged('unknown_work', () => client.quote(ghost.work));
  await refusedAndUnchanged('unknown_work', () => upload(seller, ghost));
  await refusedAndUnchanged('unknown_work', () => intake(seller, ghost));
  await refusedAndUnchanged('unknown_work', () => operate(stack, { cmd: 'take_down', work: ghost.work }));
  const { QUOTE_KEY } = stack.secretsOf('purchase');
  const made = await makeOrder(buyer, unsold);
  const quote = macToken(QUOTE_KEY, 'quote', { ...readToken(made.quote.quote), work: ghost.work });
  const order = await orderId(ghost.work);
  await refusedAndUnchanged('unknown_work', async () => client.order(await resigned(made, { work: ghost.work, order, quote })));
});

test('nothing of a draft is sold, and it is published only when bytes, key and manifest are there and agree', async () => {
  const draft = await packWork(seller);
  await register(seller, draft);
  assert.deepEqual((({ state, version, versions }) => [state, version, versions])(await client.record(draft.work)), ['draft', 0, []]);
  await refusedAndUnchanged('not_published', () => client.quote(draft.work));
  const { QUOTE_KEY } = stack.secretsOf('purchase');
  const made = await makeOrder(buyer, text);
  const quote = macToken(QUOTE_KEY, 'quote', { ...readToken(made.quote.quote), work: draft.work });
  const change = { work: draft.work, order: await orderId(draft.work), quote };
  await refusedAndUnchanged('not_published', async () => client.order(await resigned(made, change)), 'an order for a draft');
  await refusedAndUnchanged('not_ready', () => putOnSale(seller, draft), 'neither bytes nor key');
  await upload(seller, draft);
  await refusedAndUnchanged('not_ready', () => putOnSale(seller, draft), 'no key');
  const other = await packWork(seller, { nonce: draft.nonce, bytes: draft.bytes, title: 'Another manifest' });
  await intake(seller, other);
  await refusedAndUnchanged('not_ready', () => putOnSale(seller, draft), 'the key of another manifest');
  await refusedAndUnchanged('not_ready', () => putOnSale(seller, other), 'the bytes of another manifest');
  await intake(seller, draft);
  assert.equal((await putOnSale(seller, draft)).state, 'published');
});

test('a key that the manifest does not commit to is not taken in', async () => {
  const work = await packWork(seller);
  await register(seller, work);
  await refusedAndUnchanged('malformed', () => intake(seller, { ...work, contentKey: randomBytes(32) }), 'another key');
  await refusedAndUnchanged('malformed', () => intake(seller, { ...work, contentKey: randomBytes(31) }), 'a short key');
  await refusedAndUnchanged('malformed', () => intake(seller, { ...work, version: 2 }), 'another version');
  await refusedAndUnchanged('malformed', () => intake(seller, { ...work, manifest: text.manifest }), 'another work’s manifest');
  const flipped = `${work.manifest.slice(0, -6)}AAAAAA`;
  await refusedAndUnchanged('malformed', () => intake(seller, { ...work, manifest: flipped }), 'a manifest nobody signed');
  await refusedAndUnchanged('wrong_key', () => intake(stranger, work), 'somebody else’s work');
  const elsewhere = await packWork(seller, { nonce: work.nonce, issuer: 'http://other.example' });
  await refusedAndUnchanged('malformed', () => intake(seller, elsewhere), 'a manifest for another issuer');
});

test('a work belongs to the key that made its id, and is registered once', async () => {
  const work = { ...(await newWorkId(seller)), title: 'A', mediaType: 'text/plain', terms: text.terms };
  await register(seller, work);
  assert.equal((await register(seller, work)).state, 'draft', 'the same again is harmless');
  for (const change of [{ title: 'B' }, { mediaType: 'text/html' }, { terms: { ...text.terms, usd_micros: 100 } }, { payee: stranger.account }]) {
    await refusedAndUnchanged('work_conflict', () => register(seller, work, change), Object.keys(change)[0]);
  }
  await refusedAndUnchanged('wrong_key', () => register(stranger, work), 'another creator');
  const bad = [
    ['no title', { title: '' }], ['a title of 201 characters', { title: 'é'.repeat(201) }],
    ['a line break', { title: 'a\nb' }],
    ['no media type', { mediaType: 'text' }], ['a price of nothing', { terms: { ...text.terms, usd_micros: 0 } }],
    ['a price below the least', { terms: { ...text.terms, usd_micros: 99 } }],
    ['too high a price', { terms: { ...text.terms, usd_micros: 10_000_000_001 } }],
    ['a float price', { terms: { ...text.terms, usd_micros: 100.5 } }],
    ['another use', { terms: { ...text.terms, use: 'rent' } }],
    ['a payee that is no account', { payee: 'me' }],
  ];
  for (const [what, change] of bad) {
    const fresh = { ...work, ...(await newWorkId(seller)) };
    await refusedAndUnchanged('malformed', () => register(seller, fresh, change), what);
  }
});

test('a version on sale stays as it was sold', async () => {
  const again = await packWork(seller, { nonce: unsold.nonce, title: 'Changed' });
  await refusedAndUnchanged('work_conflict', () => upload(seller, again), 'its bytes');
  await refusedAndUnchanged('work_conflict', () => intake(seller, again), 'its key');
  const later = await packWork(seller, { nonce: unsold.nonce, version: 3 });
  await upload(seller, later);
  await intake(seller, later);
  await refusedAndUnchanged('work_conflict', () => putOnSale(seller, later), 'a version that skips one');
  assert.deepEqual(await client.record(unsold.work), unsold.record);
});

test('commands are the creator’s alone, for this issuer, for an hour at most', async () => {
  const work = await newWorkId(seller);
  const { creator } = seller;
  const claims = {
    aud: origin, cmd: 'register', creator: creator.jwk, work: work.work,
    work_nonce: Buffer.from(work.nonce).toString('base64url'),
    iat: unix(), exp: unix() + 900, title: 'A', media_type: 'text/plain',
    terms: { pay_more: false, usd_micros: 100, use: 'download' }, payee: seller.account,
  };
  const header = { alg: 'EdDSA', typ: 'satchel-command+jws', kid: creator.jkt };
  const signed = (changes, head, key = creator) => forge({ ...header, ...head }, { ...claims, ...changes }, by(key));
  const json = JSON.stringify(claims);
  const cases = [
    ['bad_signature', 'another’s signature', await signed({}, {}, stranger.creator)],
    ['bad_signature', 'another issuer', await signed({ aud: 'http://other.example' })],
    ['bad_signature', 'over', await signed({ iat: unix() - 1_000, exp: unix() - 1 })],
    ['bad_signature', 'another kid', await signed({}, { kid: stranger.creator.jkt })],
    ['bad_signature', 'alg none', await signed({}, { alg: 'none' })],
    ['bad_signature', 'another typ', await signed({}, { typ: 'satchel-order+jws' })],
    ['malformed', 'a life of two hours', await signed({ exp: unix() + 7_200 })],
    ['malformed', 'another command', await signed({ cmd: 'publish' })],
    ['malformed', 'no such command', await signed({ cmd: 'destroy' })],
    ['malformed', 'an unknown member', await signed({ admin: true })],
    ['malformed', 'a doubled member', await forge(header, json.replace('{', '{"title":"B",'), by(creator))],
    ['malformed', 'a short nonce', await signed({ work_nonce: 'AAAA' })],
    ['wrong_key', 'another nonce', await signed({ work_nonce: Buffer.alloc(16).toString('base64url') })],
    ['wrong_key', 'another work', await signed({ work: await workId(stranger.creator.jwk, work.nonce) })],
  ];
  for (const [code, what, command] of cases) {
    await answersProblem(code, () => post(stack, '/v1/works', { command }), what);
  }
  await refusedAndUnchanged('unknown_work', () => client.record(work.work), 'none of them counted');
});

test('an upload is signed for its creator, its key and its parts only', async () => {
  const work = await packWork(seller);
  await register(seller, work);
  await refusedAndUnchanged('wrong_key', () => upload(stranger, work), 'another creator');
  const begun = await client.startUpload(seller.creator, work, { size: work.packed.length });
  const sign = (request, key = seller.creator, id = begun.upload) => client.signUpload(key, id, { key: begun.key, ...request });
  const nobody = `upl_${'a'.repeat(32)}`;
  await refusedAndUnchanged('unknown_upload', () => sign({ method: 'POST' }, seller.creator, nobody));
  await refusedAndUnchanged('wrong_key', () => sign({ method: 'POST' }, stranger.creator), 'another key');
  const bad = [
    { method: 'PUT' }, { method: 'POST', key: 'elsewhere' }, { method: 'POST', key: '../x' },
    { method: 'PUT', uploadId: 'x', partNumber: 2 },
    { method: 'PUT', uploadId: 'x', partNumber: 0 }, { method: 'PUT', uploadId: 'x', partNumber: -1 },
    { method: 'PUT', uploadId: 'x', partNumber: 1.5 },
    { method: 'PATCH' }, { method: 'POST', contentType: 'text/html' },
    { method: 'PUT', uploadId: 'a b', partNumber: 1 }, { method: 'POST', acl: 'public' },
  ];
  for (const request of bad) await refusedAndUnchanged('malformed', () => sign(request), JSON.stringify(request));
  const sizes = [0, -1, 1.5, 100, 2 ** 53, '100'];
  for (const size of sizes) await refusedAndUnchanged('malformed', () => client.startUpload(seller.creator, work, { size }), `size ${size}`);
  await sign({ method: 'DELETE', uploadId: 'x' });
  await refusedAndUnchanged('upload_ended', () => sign({ method: 'PUT', uploadId: 'x', partNumber: 1 }), 'a cancelled one');
  const path = `/v1/uploads/${begun.upload}/sign`;
  await answersProblem('proof_required', () => post(stack, path, { method: 'POST', key: begun.key }));
});

test('only the operator’s key takes works down and sets the rate', async () => {
  const command = (key, changes) => signJws(key, { typ: 'satchel-operator+jws' }, {
    aud: origin, cmd: 'take_down', work: unsold.work, iat: unix(), exp: unix() + 300, ...changes,
  });
  const ask = (jws) => post(stack, '/v1/operator', { command: jws });
  await answersProblem('bad_signature', async () => ask(await command(seller.creator)), 'the creator');
  await answersProblem('bad_signature', async () => ask(await command(buyer.root)), 'somebody');
  const receiptKey = bySeed(firstOf(stack.secretsOf('purchase').RECEIPT_KEYS).bytes);
  const forged = { aud: origin, cmd: 'take_down', work: unsold.work, iat: unix(), exp: unix() + 300 };
  const byReceiptKey = await forge({ alg: 'EdDSA', typ: 'satchel-operator+jws' }, forged, receiptKey);
  await answersProblem('bad_signature', () => ask(byReceiptKey), 'the receipt key');
  await refusedAndUnchanged('bad_signature', () => operate(stack, { ...forged, aud: 'http://other.example' }), 'another issuer');
  await refusedAndUnchanged('bad_signature', () => operate(stack, { ...forged, iat: unix() - 600, exp: unix() - 1 }), 'over');
  await refusedAndUnchanged('malformed', () => operate(stack, { ...forged, cmd: 'mint' }), 'no such command');
  await refusedAndUnchanged('malformed', () => operate(stack, { ...forged, admin: true }), 'a member more');
  const rate = { cmd: 'set_rate', usd_micros_per_btc: 100_000_000_000, time: unix(), source: 'test', max_age_s: 60 };
  const bad = [
    { usd_micros_per_btc: 0 }, { usd_micros_per_btc: 1.5 }, { usd_micros_per_btc: -1 },
    { time: unix() + 3_600 }, { time: -1 }, { source: 'x'.repeat(101) }, { max_age_s: -1 },
  ];
  for (const change of bad) await refusedAndUnchanged('malformed', () => operate(stack, { ...rate, ...change }), JSON.stringify(change));
  assert.equal((await client.quote(unsold.work)).rate.source, 'test', 'the rate is what it was');
  assert.equal((await client.record(unsold.work)).state, 'published');
});

// ---------------------------------------------------------------- shapes

const ROUTES = [
  ['POST', '/v1/works'], ['GET', `/v1/works/${text.work}`], ['POST', `/v1/works/${text.work}/publish`],
  ['POST', `/v1/works/${text.work}/update`], ['POST', `/v1/works/${text.work}/state`],
  ['POST', '/v1/uploads'], ['POST', `/v1/uploads/upl_${'a'.repeat(32)}/sign`], ['POST', '/v1/intake'],
  ['POST', '/v1/quotes'],
  ['POST', '/v1/orders'], ['GET', `/v1/orders/${textBought.order}`], ['POST', '/v1/keys'],
  ['GET', '/.well-known/jwks.json'],
  ['POST', '/v1/sessions'], ['POST', `/v1/sessions/ses_${'a'.repeat(32)}/windows/0`],
  ['POST', `/v1/accounts/${buyer.account}/delegations`],
  ['GET', `/v1/accounts/${buyer.account}`], ['GET', `/v1/accounts/${buyer.account}/purchases`],
  ['POST', `/v1/accounts/${buyer.account}/test-money`], ['POST', '/v1/operator'], ['GET', '/v1/config'],
  ['GET', '/v1/health'],
];
// Routes that read a body before they ask for anything else.
const BODIES = ['/v1/works', '/v1/uploads', '/v1/intake', '/v1/quotes', '/v1/orders', '/v1/operator', `/v1/accounts/${buyer.account}/delegations`];

test('every route refuses other methods and says which it has', async () => {
  await unchanged('other methods', async () => {
    for (const [method, path] of ROUTES) {
      // Who reads what others may do is not who lets them.
      const both = path.endsWith('/delegations') ? ['GET', 'POST'] : ROUTES.filter(([, same]) => same === path).map(([one]) => one);
      for (const other of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'].filter((one) => !both.includes(one))) {
        const body = other === 'GET' ? undefined : '{}';
        const answer = await send(stack, { method: other, path, body, headers: { 'content-type': 'application/json' } });
        checkProblem(answer, 'method_not_allowed', `${other} ${path}`);
        assert.ok(answer.headers.get('allow').split(', ').includes(method), `${other} ${path}: Allow: ${answer.headers.get('allow')}`);
      }
    }
  });
});

const BAD_BODIES = [
  '', ' ', '{', '}', '[]', 'null', '0', '"x"', '{}', '{"x":1}', '{"command":1,"order":1,"work":1,"delegation":1}',
  '\uFEFF{}', '{"work":"wrk_","work":"wrk_"}', '['.repeat(5_000), '{"a":'.repeat(5_000),
];

test('a body that is not JSON, or not the documented JSON, is refused by every route that takes one', async () => {
  await unchanged('bad bodies', async () => {
    for (const path of BODIES) {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp', 'x', '']) {
        checkProblem(await post(stack, path, '{}', { 'content-type': type }), 'unsupported_media_type', `${path} ${type}`);
      }
      checkProblem(await send(stack, { method: 'POST', path, body: '{}' }), 'unsupported_media_type', `${path}, no type`);
      for (const body of BAD_BODIES) {
        checkProblem(await post(stack, path, body), 'malformed', `${path} ${body.slice(0, 40)}`);
      }
      checkProblem(await post(stack, path, Buffer.from([0xff, 0xfe, 0x7b, 0x7d])), 'malformed', `${path}, not UTF-8`);
    }
  });
});

test('a body above 64 KiB is refused, announced or not', async () => {
  await unchanged('large bodies', async () => {
    for (const path of [...BODIES, '/v1/keys', '/v1/sessions']) {
      const proven = path === '/v1/keys' ? textBought : path === '/v1/sessions' ? clipBought : undefined;
      const headers = async () => (proven ? {
        authorization: `DPoP ${proven.receipt}`,
        dpop: await proof(buyer.device, { issuer: origin, path, token: proven.receipt }),
      } : {});
      const large = `{"order":"${'A'.repeat(MAX_BODY)}"}`;
      checkProblem(await post(stack, path, large, await headers()), 'body_too_large', path);
      checkProblem(await post(stack, path, large, { ...(await headers()), 'transfer-encoding': 'chunked' }), 'body_too_large', `${path}, chunked`);
      const fits = ' '.repeat(MAX_BODY - 1);
      const answer = checkProblem(await post(stack, path, `${fits}x`, await headers()), 'malformed', `${path}, exactly 64 KiB`);
      assert.equal(answer.status, 400);
    }
  });
});

test('a quote is for a work and an amount that its terms allow', async () => {
  const open = await publish(seller, { usd_micros: PRICE, pay_more: true });
  await refusedAndUnchanged('malformed', () => client.quote(text.work, { usdMicros: PRICE + 1 }), 'more than the price');
  await refusedAndUnchanged('malformed', () => client.quote(open.work, { usdMicros: PRICE - 1 }), 'less than the price');
  await refusedAndUnchanged('malformed', () => client.quote(open.work, { usdMicros: 10_000_000_001 }), 'more than anything costs');
  for (const usdMicros of [-1, 1.5, '10000', 2 ** 64]) {
    await refusedAndUnchanged('malformed', () => client.quote(open.work, { usdMicros }), `${usdMicros}`);
  }
  for (const work of ['', 'wrk_', 'wrk_x', text.work.toUpperCase(), `${text.work}a`, `${text.work.slice(0, -1)}1`, null, 5, {}]) {
    await refusedAndUnchanged('malformed', () => client.quote(work), JSON.stringify(work));
  }
});

test('packed bytes that are not there are refused', async () => {
  const path = `/f/${text.work}/1.satchel`;
  const size = text.packed.length;
  await unchanged('bad ranges', async () => {
    for (const range of [`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`, 'bytes=-0']) {
      const answer = await send(stack, { path, headers: { range } });
      checkProblem(answer, 'range_not_satisfiable', range);
      assert.equal(answer.headers.get('content-range'), `bytes */${size}`);
    }
    const others = [
      `/f/${text.work}/2.satchel`, `/f/${text.work}/0.satchel`, `/f/wrk_${'a'.repeat(52)}/1.satchel`, '/f/x/1.satchel',
      `/f/${text.work}`,
    ];
    for (const other of others) {
      assert.equal((await send(stack, { path: other })).status, 404, other);
    }
  });
});

test('asking for what nobody made leaves nothing at rest', async () => {
  const known = new Set(databases());
  const key = await newDeviceKey();
  const random = (prefix, bytes) => prefix + b32Encode(randomBytes(bytes));
  const nobody = b64uEncode(randomBytes(32));
  await refused('unknown_work', () => client.record(random('wrk_', 32)));
  await refused('unknown_work', () => client.quote(random('wrk_', 32)));
  for (const page of ['w', 'embed']) assert.equal((await send(stack, { path: `/${page}/${random('wrk_', 32)}` })).status, 404);
  assert.equal((await client.orderStatus(random('ord_', 20), key)).status, 'waiting');
  await refused('wrong_key', () => client.account(nobody, key));
  await refused('wrong_key', () => client.purchases(nobody, key));
  await refused('wrong_key', () => client.testMoney(nobody, key, { id: fundingId(), msat: 1 }));
  await refused('wrong_key', async () => client.order(await resigned(textBought, { account: nobody }, { key })));
  await refused('unknown_upload', () => client.signUpload(key, random('upl_', 20), { method: 'POST', key: 'x' }));
  const fresh = databases().filter((path) => !known.has(path));
  const filled = fresh.filter((path) => tablesOf(path).length > 0);
  assert.deepEqual(filled.map((path) => path.split('/').at(-2)), []);
  // The check itself finds tables where there are some.
  await newWallet(client);
  assert.ok(databases().some((path) => !known.has(path) && tablesOf(path).length > 0));
});

/** The runtime's databases, one for each object that was ever asked. */
function databases() {
  const entries = readdirSync(stack.state, { recursive: true, withFileTypes: true });
  return entries.filter(({ name }) => /^[0-9a-f]+\.sqlite$/.test(name)).map(({ parentPath, name }) => join(parentPath, name));
}

/** Names of an object's own tables. */
function tablesOf(path) {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").all().map(({ name }) => name);
  } finally {
    db.close();
  }
}

test('an unknown host is misdirected, and what is between workers is nowhere', async () => {
  const { port } = stack;
  const hosts = [
    'other.example', `other.example:${port}`, `127.0.0.1:${port}`, `localhost.other.example:${port}`,
    `wallet.localhost.:${port}`, `localhost:${port}x`, 'localhost:x', `localhost:${port}, evil.example`,
  ];
  for (const host of hosts) {
    for (const path of ['/', '/v1/config', `/w/${text.work}`, '/v1/health']) {
      checkProblem(await send(stack, { path, host }), 'misdirected_request', `${host}${path}`);
    }
  }
  for (const path of ['/internal/rate', '/v1/nothing', '/v1/internal/rate', `/v1/works/${text.work}/register`]) {
    const answer = await send(stack, { path });
    assert.equal(answer.status, 404, path);
    if (path.startsWith('/v1')) checkProblem(answer, 'not_found', path);
  }
});

// ---------------------------------------------------------------- copies and refunds

test('no copy is sold that is not there, and nothing is paid for it', async () => {
  const rare = await publish(seller, { usd_micros: PRICE, limit: 1 });
  const tooLate = await makeOrder(buyer, rare);
  await buy(stranger, rare);
  await settled(1);
  for (const of of ['order', 'the same order', 'quote']) {
    const action = () => (of === 'quote' ? client.quote(rare.work) : client.order(tooLate.jws));
    assert.equal((await refusedAndUnchanged('sold_out', action, of)).members.of, 'limit');
  }
  const jws = await resigned(tooLate, { msat: PRICE - 1 });
  assert.equal((await refusedAndUnchanged('order_conflict', () => client.order(jws))).members.member, 'msat');
  const given = await publish(seller, { usd_micros: PRICE, giveaway: 1 });
  const free = await makeOrder(buyer, given);
  await buy(stranger, given);
  assert.equal((await refusedAndUnchanged('sold_out', () => client.order(free.jws))).members.of, 'giveaway');
  assert.equal((await client.quote(given.work)).msat, PRICE, 'from now on for money');
});

test('a refund that is not the payee’s, too large, unfunded or another than before moves nothing', async () => {
  const poor = await newWallet(client);
  const work = await publish(seller, { usd_micros: PRICE, payee: poor.account });
  const { receipt } = await buy(buyer, work);
  const net = afterFee(PRICE, 500);
  await until('the payee is paid', async () => (await look(poor)).balance_msat === net);
  const { handle } = claimsOf(receipt);
  const sign = ({ account, device }, seq, msat, purchase = handle) => client.makeRefund({ key: device, account, purchase, seq, msat, ledger: 'test' });
  const refunded = async (...of) => client.refund(await sign(...of));
  await refusedAndUnchanged('unknown_sale', () => refunded(seller, 1, 1), 'of a work whose payee is another');
  await refusedAndUnchanged('unknown_sale', () => refunded(poor, 1, 1, `${handle.slice(0, -2)}AA`));
  await refusedAndUnchanged('refund_exceeds', () => refunded(poor, 1, PRICE + 1));
  await refusedAndUnchanged('refund_unfunded', () => refunded(poor, 1, PRICE));
  await refusedAndUnchanged('wrong_key', async () => client.refund(await sign({ ...poor, device: await newDeviceKey() }, 1, 1)));
  await refusedAndUnchanged('bad_signature', async () => client.refund((await sign(poor, 1, 1)).slice(0, -4) + 'AAAA'));
  await refunded(poor, 1, 1_000);
  await refusedAndUnchanged('refund_conflict', () => refunded(poor, 1, 1_001));
  assert.equal((await unchanged('a retry', () => refunded(poor, 1, 1_000))).replayed, true);
});

// ---------------------------------------------------------------- streaming

test('too many windows at once are refused with the time to wait, which is kept', async () => {
  const { device: key } = stranger;
  let { session, capability } = await client.session(PAID[1].foreign.receipt, key);
  for (let window = 0; window < 3; window += 1) ({ capability } = await client.windowKey(session, window, capability, key));
  const error = await refusedAndUnchanged('window_limit', () => client.windowKey(session, 5, capability, key));
  assert.ok(error.retryAfter >= 1 && error.retryAfter <= 5, `Retry-After: ${error.retryAfter}`);
  assert.equal(error.members.allowance.released, 3);
  await sleep(error.retryAfter * 1_000);
  await client.windowKey(session, 5, capability, key);
});

test('a fourth session ends the one that was idle longest', async () => {
  const listener = await newWallet(client);
  await fund(listener, PRICE);
  const { receipt } = await buy(listener, clip);
  const sessions = [];
  for (let i = 0; i < 4; i += 1) sessions.push(await client.session(receipt, listener.device));
  await settled(1);
  const [first, ...rest] = sessions;
  const ended = await refusedAndUnchanged('session_ended', () => client.windowKey(first.session, 0, first.capability, listener.device));
  assert.equal(ended.members.reason, 'replaced');
  for (const { session, capability } of rest) await client.windowKey(session, 0, capability, listener.device);
});

// ---------------------------------------------------------------- last: they change the rate and look back

test('without a fresh exchange rate nothing is quoted, and a fresh one heals it', async () => {
  const set = (time) => operate(stack, { cmd: 'set_rate', usd_micros_per_btc: 100_000_000_000, time, source: 'test', max_age_s: 60 });
  const fresh = await client.quote(text.work);
  await set(unix() - 1_000);
  const stale = async () => client.quote(text.work).then(() => false, (error) => error.code === 'rate_stale');
  await until('the old rate is seen', stale);
  await refusedAndUnchanged('rate_stale', () => client.quote(text.work));
  assert.equal((await look(buyer)).rate, null, 'no rate is shown that must not be used');
  await set(unix());
  await until('the fresh rate is seen', async () => !(await stale()));
  assert.equal((await client.quote(text.work)).msat, fresh.msat);
});

test('a webhook is refused by its address, its number, its id and its state', async () => {
  const { creator: key } = seller;
  const hook = await receiver();
  try {
    await refused('webhook_refused', () => client.addWebhook(key, { url: 'https://169.254.169.254/latest/meta-data/' }));
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push(await client.addWebhook(key, { url: hook.url, events: ['work.updated'] }));
    await refused('webhook_limit', () => client.addWebhook(key, { url: hook.url }));
    await refused('unknown_webhook', () => client.changeWebhook(key, `whk_${'a'.repeat(26)}`, 'test'));
    await refused('wrong_key', () => client.request('DELETE', `/v1/shops/${key.jkt}/webhooks/${made[0].id}`, { key: stranger.creator }));
    hook.answer(410);
    await client.changeWebhook(key, made[0].id, 'test');
    await until('it being switched off', async () => (await client.webhooks(key)).webhooks.some(({ state }) => state === 'disabled'));
    await refused('webhook_disabled', () => client.changeWebhook(key, made[0].id, 'test'));
    for (const { id } of made) await client.deleteWebhook(key, id);
  } finally {
    await hook.stop();
  }
});

test('a work off sale has no price, an unpaid key costs one, and oEmbed is JSON or XML', async () => {
  const withdrawn = await publish(seller, { usd_micros: PRICE });
  await client.setState(seller.creator, withdrawn, 'unpublished');
  await until('the withdrawal is seen', () => client.quote(withdrawn.work).then(() => false, ({ code }) => code === 'work_unpublished'));
  await refused('work_unpublished', () => client.quote(withdrawn.work));
  const asked = (path, headers = {}) => send(stack, { method: 'GET', path, headers });
  checkProblem(await asked(`/v1/keys/${text.work}`), 'payment_required');
  const elsewhere = { x402Version: 2, accepted: { scheme: 'exact', network: 'eip155:8453' }, payload: {} };
  checkProblem(await asked(`/v1/keys/${text.work}`, { 'payment-signature': Buffer.from(JSON.stringify(elsewhere)).toString('base64') }), 'payment_invalid');
  const page = encodeURIComponent(`${stack.origin}/w/${text.work}`);
  checkProblem(await asked(`/oembed?url=${page}&format=yaml`), 'format_unknown');
});

test('every documented code was met, but for those that no request can bring about', () => {
  // Faults of ours, or of a partner that is down (money.test.mjs).
  const unreachable = ['internal', 'order_pending', 'unavailable'];
  assert.deepEqual([...CODES.keys()].filter((code) => !seen.has(code) && code !== 'work_taken_down').sort(), unreachable.sort());
});
