import assert from 'node:assert/strict';
import { test } from 'node:test';
import { b64uDecode, b64uEncode, utf8 } from '../src/bytes.js';
import { fundingId, isOrderId, isWorkId, orderId, workId } from '../src/ids.js';
import { keysFromWords, makeDelegation, newWords, readDelegation, tidyWords } from '../src/identity.js';
import { parseJws, signJws, verifyJws } from '../src/jws.js';
import { generateKey, keyFromSeed, sign, thumbprint, verify } from '../src/keys.js';
import { makeProof } from '../src/proof.js';

const hex = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
// RFC 8032 §7.1 test 1; RFC 8037 appendix A.3 gives the thumbprint of the same key.
const seed = hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');

test('RFC 8032 and RFC 8037 vectors', async () => {
  const key = await keyFromSeed(seed, { extractable: true });
  assert.equal(key.jwk.x, '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');
  assert.equal(key.jkt, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  assert.equal(Buffer.from(await sign(key, new Uint8Array(0))).toString('hex'), 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b');
});

test('keys are not extractable unless asked', async () => {
  for (const key of [await generateKey(), await keyFromSeed(seed)]) {
    assert.equal(key.privateKey.extractable, false);
    await assert.rejects(crypto.subtle.exportKey('pkcs8', key.privateKey));
    assert.ok(await verify(key.jwk, await sign(key, utf8('x')), utf8('x')));
    assert.equal(key.jkt, await thumbprint(key.jwk));
    assert.equal(key.jkt.length, 43);
  }
  assert.deepEqual(Object.keys((await generateKey()).jwk), ['kty', 'crv', 'x']);
});

test('a JWS is read strictly', async () => {
  const key = await generateKey();
  const jws = await signJws(key, { typ: 'satchel-order+jws', kid: key.jkt }, { a: 1 });
  assert.deepEqual(await verifyJws(jws, key.jwk, 'satchel-order+jws', ['kid']), { a: 1 });
  assert.deepEqual(parseJws(jws, 'satchel-order+jws', ['kid']).header, { alg: 'EdDSA', typ: 'satchel-order+jws', kid: key.jkt });
  await assert.rejects(verifyJws(jws, key.jwk, 'satchel-order+jws'), { code: 'malformed' });
  await assert.rejects(verifyJws(jws, key.jwk, 'satchel-receipt+jws', ['kid']), { code: 'bad_signature' });
  await assert.rejects(verifyJws(jws, (await generateKey()).jwk, 'satchel-order+jws', ['kid']), { code: 'bad_signature' });

  const [, payload, signature] = jws.split('.');
  const part = (text) => b64uEncode(utf8(text));
  const typ = '"typ":"satchel-order+jws","kid":"k"';
  for (const header of [`{"alg":"none",${typ}}`, `{"alg":"HS256",${typ}}`, `{"alg":"EdDSA","alg":"EdDSA",${typ}}`, `{"alg":"EdDSA","jku":"x",${typ}}`, `{${typ}}`, '[]', 'null', '{']) {
    await assert.rejects(verifyJws(`${part(header)}.${payload}.${signature}`, key.jwk, 'satchel-order+jws', ['kid']), (e) => ['malformed', 'bad_signature'].includes(e.code), header);
  }
  for (const bad of ['', '..', `${jws}.`, `${jws}=`, ` ${jws}`, jws.slice(0, -1), `${jws}A`, jws.replace('.', ''), jws.toLowerCase()]) {
    await assert.rejects(verifyJws(bad, key.jwk, 'satchel-order+jws', ['kid']), (e) => ['malformed', 'bad_signature'].includes(e.code));
  }
  // The last character of a 64-byte signature has four unused bits: another spelling of the same bytes.
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const twin = jws.slice(0, -1) + last[last.indexOf(jws.at(-1)) ^ 1];
  await assert.rejects(verifyJws(twin, key.jwk, 'satchel-order+jws', ['kid']), { code: 'malformed' });
});

test('a proof has the members of RFC 9449 and no more', async () => {
  const key = await generateKey();
  const proof = await makeProof(key, { issuer: 'http://localhost:8787', method: 'POST', path: '/v1/keys?x=1', token: 'abc', now: 1000, jti: 'j' });
  const { header, payload } = parseJws(proof, 'dpop+jwt', ['jwk']);
  assert.deepEqual(header, { alg: 'EdDSA', typ: 'dpop+jwt', jwk: key.jwk });
  assert.deepEqual(payload, { jti: 'j', htm: 'POST', htu: 'http://localhost:8787/v1/keys', iat: 1000, ath: 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0' });
  await verifyJws(proof, key.jwk, 'dpop+jwt', ['jwk']);
  const bare = parseJws(await makeProof(key, { issuer: 'https://a', method: 'GET', path: '/' }), 'dpop+jwt', ['jwk']).payload;
  assert.deepEqual(Object.keys(bare), ['jti', 'htm', 'htu', 'iat']);
});

test('ids', async () => {
  const key = await keyFromSeed(seed);
  const work = await workId(key.jwk, new Uint8Array(16));
  assert.match(work, /^wrk_[a-z2-7]{52}$/);
  assert.ok(isWorkId(work) && !isWorkId(work.toUpperCase()) && !isWorkId(`${work}a`) && !isWorkId(work.slice(0, -1)) && !isWorkId(null));
  const order = await orderId(work);
  assert.match(order, /^ord_[a-z2-7]{32}$/);
  assert.ok(isOrderId(order));
  // The first 12 characters hold 60 of the 64 bits that say which work it is.
  assert.equal(order.slice(0, 16), (await orderId(work)).slice(0, 16));
  assert.notEqual(order, await orderId(work));
  assert.match(fundingId(), /^fnd_[a-z2-7]{32}$/);
});

test('recovery words make root and creator key; a delegation is signed by the root', async () => {
  // A stand-in for the library: what matters here is what is made of its seed.
  const bip39 = {
    generateMnemonic: (list, bits) => Array((bits / 32) * 3).fill(list[0]).join(' '),
    validateMnemonic: (words) => words.split(' ').every((word) => word === 'abandon'),
    mnemonicToSeed: async () => new Uint8Array(64).fill(1),
  };
  assert.equal(newWords(bip39, ['abandon']).split(' ').length, 12);
  assert.equal(tidyWords('  Abandon\nABANDON '), 'abandon abandon');
  const words = Array(12).fill('abandon').join(' ');
  const { root, creator } = await keysFromWords(bip39, [], words);
  assert.notEqual(root.jkt, creator.jkt);
  assert.equal((await keysFromWords(bip39, [], words.toUpperCase())).root.jkt, root.jkt);
  assert.equal(root.privateKey.extractable, false);
  await assert.rejects(keysFromWords(bip39, [], `${words} abandon`), { code: 'malformed' });
  await assert.rejects(keysFromWords(bip39, [], words.replace('abandon', 'zoo')), { code: 'malformed' });

  const device = await generateKey();
  const jws = await makeDelegation(root, { issuer: 'https://a.example', key: device.jwk, now: 5 });
  assert.deepEqual(await verifyJws(jws, root.jwk, 'satchel-delegation+jws'), {
    aud: 'https://a.example', account: root.jkt, root: root.jwk, key: device.jwk, scope: ['spend', 'read'], max_order_msat: null, epoch: 0, iat: 5, exp: 31536005,
  });
  assert.equal(b64uDecode(root.jkt).length, 32);
  const capped = await makeDelegation(root, { issuer: 'https://a.example', key: device.jwk, maxOrderMsat: 5, maxTotalMsat: 50, epoch: 2, now: 5 });
  const { max_order_msat, max_total_msat, epoch } = parseJws(capped, 'satchel-delegation+jws').payload;
  assert.deepEqual([max_order_msat, max_total_msat, epoch], [5, 50, 2]);
  const daily = await makeDelegation(root, { issuer: 'https://a.example', key: device.jwk, scope: ['spend'], maxDayMsat: 7, backup: 'c2VhbA', now: 5 });
  assert.deepEqual(['max_day_msat', 'backup'].map((name) => parseJws(daily, 'satchel-delegation+jws').payload[name]), [7, 'c2VhbA']);
});

test('a delegation that was left is believed only from its root, for its issuer and its key', async () => {
  const [root, other, device] = [await generateKey(), await generateKey(), await generateKey()];
  const issuer = 'https://a.example';
  const jws = await makeDelegation(root, { issuer, key: device.jwk, scope: ['spend'], maxOrderMsat: 3, maxDayMsat: 9, epoch: 4, now: 5, exp: 90 });
  assert.deepEqual(await readDelegation(jws, { issuer, key: device }), {
    account: root.jkt, epoch: 4, scope: ['spend'], maxOrderMsat: 3, maxDayMsat: 9, issued: 5, expires: 90,
  });
  await assert.rejects(readDelegation(jws, { issuer, key: other }), { code: 'wrong_key' });
  await assert.rejects(readDelegation(jws, { issuer: 'https://b.example', key: device }), { code: 'wrong_key' });
  const [head, , signature] = jws.split('.');
  const forged = { ...parseJws(jws, 'satchel-delegation+jws').payload, max_day_msat: 10 };
  const middle = Buffer.from(JSON.stringify(forged)).toString('base64url');
  await assert.rejects(readDelegation(`${head}.${middle}.${signature}`, { issuer, key: device }), { code: 'bad_signature' });
  // Signed by whom it names as the root, but for another's account.
  const { signJws } = await import('../src/jws.js');
  const stolen = await signJws(other, { typ: 'satchel-delegation+jws' }, { ...forged, root: other.jwk });
  await assert.rejects(readDelegation(stolen, { issuer, key: device }), { code: 'wrong_key' });
});
