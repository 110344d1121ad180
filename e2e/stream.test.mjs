// The gate of streamed works on the bare runtime: what stops, when; how many sessions; which bytes; and edge-decrypted HLS as a
// player that knows nothing of us reads it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { bytesSource } from '../sdk/js/src/format.js';
import { planMp4 } from '../sdk/js/src/plan.js';
import { makeProof, newDeviceKey } from '../sdk/js/src/index.js';
import { buy, claimsOf, digestOf, fund, newWallet, operate, packWork, publish, putOnSale, register, unix, upload, intake } from './lib/actors.mjs';
import { makeFilm } from './browser/lib/media.mjs';
import { post, send } from './lib/http.mjs';
import { randomOf } from './lib/ranges.mjs';
import { openStack, scratch } from './lib/stack.mjs';
import { sleep } from './lib/until.mjs';

const run = promisify(execFile);
const SOAK = Boolean(process.env.SATCHEL_SOAK);
const RANGES = SOAK ? 10_000 : 400;
const RACERS = 50;
const PRICE = 100_000;
/** The promise: no key later than this after a takedown or refund was acknowledged. */
const PROMISE_MS = 45_000;

const media = scratch('stream-media');
after(media.remove);
const stack = await openStack({ name: 'stream', runtime: 'workerd', provoked: /Decryption failed/ });
const { client, origin } = stack;
const seller = await newWallet(client);
const buyer = await newWallet(client);
await fund(buyer, 100 * PRICE);
await fund(seller, 100 * PRICE);
const filmBytes = readFileSync(makeFilm(media.dir));
const plan = await planMp4(bytesSource(filmBytes));

/** A film on sale; `hls` allows standard players. */
async function film({ hls } = {}) {
  const work = await packWork(seller, { bytes: filmBytes, plan, use: 'stream', usd_micros: PRICE, title: 'The Crossing', name: 'crossing.mp4', mediaType: 'video/mp4' });
  const listing = hls === undefined ? undefined : { hls };
  await register(seller, work, { listing });
  await upload(seller, work);
  await intake(seller, work);
  const record = await putOnSale(seller, work, { listing });
  return { ...work, record };
}

const owned = async (work) => ({ work, ...(await buy(buyer, work)) });
const code = (doing) => doing.then(() => 'ok', (error) => error.code);
const get = (url, options = {}) => send(stack, { path: new URL(url).pathname, ...options });
const near = (url, name) => url.replace('index.m3u8', name);

const open = await film({ hls: true });
const shut = await film();

test('forged, foreign, replayed, ended and taken-down are told apart: 401, 403, 409, 410, 451', async () => {
  const { receipt } = await owned(shut);
  const key = buyer.device;
  const sessions = [];
  for (let n = 0; n < 4; n += 1) sessions.push(await client.session(receipt, key));
  const [first, second] = sessions.slice(0, 2);
  const ask = async ({ session }, token, dpop) => {
    const path = `/v1/sessions/${session}/windows/0`;
    const answer = await post(stack, path, {}, { authorization: `DPoP ${token}`, dpop: dpop ?? await makeProof(key, { issuer: origin, method: 'POST', path, token }) });
    return [answer.status, answer.json().code ?? 'ok', answer.json().reason];
  };
  assert.deepEqual(await ask(second, `x${second.capability}`), [401, 'capability_invalid', undefined]);
  assert.deepEqual(await ask(second, first.capability), [403, 'capability_elsewhere', undefined]);
  const path = `/v1/sessions/${second.session}/windows/0`;
  const once = await makeProof(key, { issuer: origin, method: 'POST', path, token: second.capability });
  assert.deepEqual(await ask(second, second.capability, once), [200, 'ok', undefined]);
  assert.deepEqual(await ask(second, second.capability, once), [409, 'proof_replayed', undefined]);
  assert.deepEqual(await ask(first, first.capability), [410, 'session_ended', 'replaced']);
  const stranger = await newDeviceKey();
  const foreign = await makeProof(stranger, { issuer: origin, method: 'POST', path, token: second.capability });
  assert.deepEqual(await ask(second, second.capability, foreign), [403, 'wrong_key', undefined]);
});

test('a client whose clock is five minutes off plays, and one that is further off is told to look at it', async () => {
  const { receipt } = await owned(await film());
  const path = '/v1/sessions';
  for (const [skew, status] of [[-299, 201], [299, 201], [-301, 401], [302, 401]]) {
    const dpop = await makeProof(buyer.device, { issuer: origin, method: 'POST', path, token: receipt, now: unix() + skew });
    const answer = await post(stack, path, {}, { authorization: `DPoP ${receipt}`, dpop });
    assert.equal(answer.status, status, `${skew} s: ${answer.text}`);
    if (status === 401) assert.match(answer.json().detail, /clock/);
  }
});

test(`sessions raced by ${RACERS} clients: three at most, and no more windows than one client gets`, async () => {
  const { receipt } = await owned(await film());
  const opened = await Promise.all(Array.from({ length: RACERS }, () => client.session(receipt, buyer.device)));
  const asked = await Promise.all(opened.map(({ session, capability }, i) =>
    client.windowKey(session, i % 3, capability, buyer.device).then(() => 'ok', (error) => `${error.code} ${error.members.reason ?? ''}`)));
  const alive = asked.filter((told) => told === 'ok').length;
  assert.ok(alive >= 1 && alive <= 3, `${alive} sessions`);
  assert.ok(asked.every((told) => ['ok', 'session_ended replaced', 'session_ended unknown'].includes(told)), asked.join('\n'));
  console.log(`    ${RACERS} sessions raced, ${alive} alive`);
});

test(`${RANGES} random and hostile ranges of a packed file are the file’s own bytes, or correctly refused`, async () => {
  const packed = Buffer.from(shut.packed);
  const url = new URL(shut.record.versions[0].url).pathname;
  const whole = await send(stack, { path: url });
  assert.equal(digestOf(whole.bytes), digestOf(packed));
  const etag = whole.headers.get('etag');
  const random = randomOf(20_261_125);
  const counts = { 200: 0, 206: 0, 304: 0, 416: 0 };
  const one = async () => {
    const asked = random.range(packed.length, etag);
    const answer = await send(stack, { path: url, method: asked.method, headers: asked.headers });
    const what = JSON.stringify(asked);
    assert.equal(answer.status, asked.status, what);
    counts[answer.status] += 1;
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', what);
    if (answer.status === 416) return assert.equal(answer.headers.get('content-range'), `bytes */${packed.length}`, what);
    assert.equal(answer.headers.get('etag'), etag, what);
    if (answer.status === 304) return assert.equal(answer.bytes.length, 0, what);
    const [from, to] = asked.bytes;
    const length = to - from;
    assert.equal(answer.headers.get('content-length'), String(length), what);
    if (answer.status === 206) assert.equal(answer.headers.get('content-range'), `bytes ${from}-${to - 1}/${packed.length}`, what);
    assert.ok(answer.bytes.equals(asked.method === 'HEAD' ? Buffer.alloc(0) : packed.subarray(from, to)), what);
  };
  for (let done = 0; done < RANGES; done += 20) await Promise.all(Array.from({ length: 20 }, one));
  console.log(`    ${RANGES} ranges: ${Object.entries(counts).map(([status, n]) => `${n} × ${status}`).join(', ')}`);
  assert.ok(Object.values(counts).every((n) => n > 0), JSON.stringify(counts));
});

// ---------------------------------------------------------------- HLS

test('edge-decrypted HLS is off unless the creator allows it, and a forged path opens nothing', async () => {
  const { receipt } = await owned(shut);
  assert.equal(await code(client.hls(receipt, buyer.device)), 'hls_not_allowed');
  const { receipt: other } = await owned(open);
  const { url, session, expires } = await client.hls(other, buyer.device);
  assert.ok(expires >= unix() + 3_600 + plan.duration_ms / 1000 - 2, 'the duration and an hour');
  const [, token] = /\/hls\/([^/]+)\//.exec(url);
  const [json, tag] = token.split('.');
  const claims = JSON.parse(Buffer.from(json, 'base64url'));
  const forged = (change, mac = tag) => `${Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url')}.${mac}`;
  for (const bad of ['x', `${json}.`, `.${tag}`, `${json}.${tag.slice(0, -2)}AA`, forged({ exp: claims.exp + 1 }), forged({ work: shut.work }), forged({ session: `${session.slice(0, -1)}a` }), receiptOf(other)]) {
    const answer = await get(url.replace(token, bad));
    assert.equal(answer.status, 401, bad);
    assert.equal(answer.json().code, 'capability_invalid');
  }
  assert.equal((await get(near(url, '99.m4s'))).status, 404);
  assert.equal((await get(url, { method: 'POST' })).status, 405);
  const head = await get(near(url, '1.m4s'), { method: 'HEAD' });
  assert.deepEqual([head.status, head.bytes.length], [200, 0]);
});

/** Only what may stand in a path. */
const receiptOf = (receipt) => receipt.split('.').slice(0, 2).join('.');

test('its fragments are the film’s own bytes, and ffmpeg plays all of it from the playlist and ends cleanly', async () => {
  const { receipt } = await owned(await film({ hls: true }));
  const { url } = await client.hls(receipt, buyer.device);
  const index = await get(url);
  assert.equal(index.headers.get('content-type'), 'application/vnd.apple.mpegurl');
  assert.match(index.text, /CODECS="avc1\.[0-9A-F]+,mp4a\.40\.2"/);
  const list = (await get(near(url, 'media.m3u8'))).text;
  const names = [...list.matchAll(/^(?:#EXT-X-MAP:URI="(\d+\.mp4)"|(\d+\.m4s))$/gm)].map(([, init, piece]) => init ?? piece);
  assert.equal(names.length, plan.segments.length);
  const seconds = [...list.matchAll(/#EXTINF:([\d.]+)/g)].reduce((sum, [, s]) => sum + Number(s), 0);
  assert.ok(Math.abs(seconds * 1000 - plan.duration_ms) < 50, `${seconds} s`);
  const pieces = [];
  for (const name of names) {
    const answer = await get(near(url, name));
    assert.equal(answer.status, 200, `${name}: ${answer.text.slice(0, 200)}`);
    assert.equal(answer.headers.get('content-length'), String(answer.bytes.length));
    pieces.push(answer.bytes);
  }
  assert.equal(digestOf(Buffer.concat(pieces)), digestOf(filmBytes));
  // "Native": a player that knows nothing of us.
  const probe = JSON.parse((await run('ffprobe', ['-v', 'error', '-show_entries', 'format=duration:stream=codec_name', '-of', 'json', url])).stdout);
  assert.ok(Math.abs(Number(probe.format.duration) - 24) < 0.3, probe.format.duration);
  assert.deepEqual(probe.streams.map(({ codec_name: name }) => name).sort(), ['aac', 'h264']);
  const frames = async (...args) => Number(/frame=\s*(\d+)/.exec((await run('ffmpeg', ['-nostdin', '-v', 'error', '-stats', ...args, '-an', '-f', 'null', '-'])).stderr.split('\r').at(-1))?.[1]);
  // To the end. Its seeking is of no use as a witness: this ffmpeg (5.1) finds nothing after a seek in its own fMP4 playlists either.
  assert.equal(await frames('-i', url), 24 * 24);
});

test('a segment that was altered where it lies is cut off before its end', async () => {
  const work = await film({ hls: true });
  const { receipt } = await owned(work);
  const { url } = await client.hls(receipt, buyer.device);
  const whole = await get(near(url, '2.m4s'));
  assert.equal(whole.status, 200);
  const key = new URL(work.record.versions[0].url).pathname.replace('/f/', '');
  const { packed } = work;
  const altered = Buffer.from(packed);
  // The last byte of the file lies in the last segment's last tag.
  altered[altered.length - 1] ^= 1;
  stack.bucket.bucket.put(key, altered, { etag: stack.bucket.bucket.head(key).etag });
  const last = plan.segments.length - 1;
  const broken = await get(near(url, `${last}.m4s`)).catch((error) => error);
  assert.ok(broken instanceof Error || broken.bytes.length < plan.segments[last].plain_len, 'no whole segment');
});

// ---------------------------------------------------------------- what stops

test('no key and no fragment leaves later than 45 s after a refund or takedown is acknowledged', { timeout: 120_000 }, async () => {
  const [refunded, gone, goneByPath, refundedByPath] = await Promise.all([film(), film(), film({ hls: true }), film({ hls: true })]);
  const player = async (work) => {
    const { receipt } = await owned(work);
    let { session, capability } = await client.session(receipt, buyer.device);
    return { receipt, ask: async () => ({ capability } = await client.windowKey(session, 0, capability, buyer.device)) };
  };
  const path = async (work) => {
    const { receipt } = await owned(work);
    const { url } = await client.hls(receipt, buyer.device);
    return {
      receipt,
      ask: async () => {
        const answer = await get(near(url, '1.m4s'));
        if (answer.status !== 200) throw Object.assign(new Error(answer.text), { code: answer.json().code, members: answer.json() });
      },
    };
  };
  const refund = async ({ receipt }) => {
    const jws = await client.makeRefund({ key: seller.device, account: seller.account, purchase: claimsOf(receipt).handle, msat: claimsOf(receipt).msat, ledger: 'test' });
    await client.refund(jws);
  };
  const takeDown = (work) => operate(stack, { cmd: 'take_down', work: work.work });
  const cases = [
    ['window key, refund', await player(refunded), refund, 'session_ended', 'purchase_ended'],
    ['window key, takedown', await player(gone), () => takeDown(gone), 'work_taken_down'],
    ['HLS fragment, takedown', await path(goneByPath), () => takeDown(goneByPath), 'work_taken_down'],
    ['HLS fragment, refund', await path(refundedByPath), refund, 'session_ended', 'purchase_ended'],
  ];
  await Promise.all(cases.map(async ([what, viewer, stop, expected, reason]) => {
    await viewer.ask();
    await stop(viewer);
    const from = Date.now();
    let last = from;
    for (;;) {
      try {
        await viewer.ask();
        last = Date.now();
        assert.ok(last - from < PROMISE_MS, `${what}: still released after ${last - from} ms`);
      } catch (error) {
        assert.equal(error.code, expected, what);
        if (reason) assert.equal(error.members.reason, reason, what);
        break;
      }
      await sleep(500);
    }
    console.log(`    ${what}: last released ${((last - from) / 1000).toFixed(1)} s after it was acknowledged, refused as ${expected}`);
  }));
});
