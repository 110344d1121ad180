// Rows of streaming: the edge's gate over bytes, its refusals, decryption in passing, keys of windows.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { SatchelClient, format, generateKey, makeProof, randomBytes, workId } from '../sdk/js/src/index.js';
import { inRoot } from '../tools/proc.mjs';
import { inParallel, makeAccounts } from './fixtures.mjs';
import { compare, runOnce } from './measure.mjs';

const KIB = 1024;
const CONNECTIONS = 32;
const SEGMENTS = 32;
/** Proofs that a playback remembers at once: of each purchase so many windows can be asked for in ten minutes. */
const PROOFS = 900;
const TERMS = { pay_more: false, usd_micros: 1_000, use: 'stream' };

/** A streamed work whose segments all have `plain` bytes, `perWindow` a window; the creator allows other players. */
async function sellFilm(stack, plain, perWindow) {
  const [creator, seller] = [await generateKey(), await generateKey()];
  const client = new SatchelClient({ issuer: stack.issuer });
  const nonce = randomBytes(16);
  const work = { work: await workId(creator.jwk, nonce), nonce };
  const segments = Array.from({ length: SEGMENTS }, (_, i) => ({ plain_len: plain, window: Math.floor(i / perWindow), start_ms: Math.floor((i * 10_000) / perWindow), flags: 0 }));
  const bytes = Buffer.concat(Array.from({ length: (plain * SEGMENTS) / (64 * KIB) }, () => randomBytes(64 * KIB)));
  const parts = [];
  const about = { creatorKey: creator, nonce, issuer: stack.issuer, title: 'A film', name: 'film.mp4', mediaType: 'video/mp4', terms: TERMS, segments, mse: 'video/mp4; codecs="avc1.42C01E"', durationMs: Math.ceil(SEGMENTS / perWindow) * 10_000 };
  const packed = await format.packTo({ write: (at, chunk) => void parts.push([at, chunk.slice()]) }, format.bytesSource(bytes), about);
  const whole = Buffer.alloc(packed.size);
  for (const [at, chunk] of parts) whole.set(chunk, at);
  await client.register(creator, work, { title: 'A film', mediaType: 'video/mp4', terms: TERMS, payee: seller.jkt, listing: { hls: true } });
  stack.bucket.bucket.put(`${work.work}/1.satchel`, whole);
  await client.intake(creator, work, packed);
  await client.publish(creator, work, { manifest: packed.manifest, terms: TERMS, listing: { hls: true } });
  const sealed = format.sealedLength(plain);
  return { ...work, bytes, plain, perWindow, sealed, first: packed.size - sealed * SEGMENTS };
}

/** A receipt for a work, and the key that it is for. */
async function buy(stack, { account, device }, { work }) {
  const client = new SatchelClient({ issuer: stack.issuer });
  const quote = await client.quote(work);
  const { jws } = await client.makeOrder({ key: device, account, quote, cnf: device.jkt });
  return { client, device, receipt: (await client.order(jws)).receipt };
}

const films = (bench, stack) =>
  bench.once('films', async () => {
    const [small, large] = [await sellFilm(stack, 64 * KIB, 16), await sellFilm(stack, 1024 * KIB, 4)];
    const plan = Object.fromEntries([small, large].map(({ work, plain, sealed, first, perWindow }) => [work, { plain, sealed, first, perWindow }]));
    await fetch(`http://127.0.0.1:${stack.ports['js-hls']}/`, { method: 'PUT', body: JSON.stringify(plan) });
    const [buyer] = await makeAccounts(stack, 1);
    for (const film of [small, large]) {
      const { client, device, receipt } = await buy(stack, buyer, film);
      const { url } = await client.hls(receipt, device);
      film.token = /\/hls\/([^/]+)\//.exec(url)[1];
    }
    return { small, large, buyer };
  });

/** Both peers asked for the same path over and over, each at its own socket. */
async function asked(bench, stack, { name, peer, ours, theirs = ours, expect, alike }) {
  const answers = [];
  for (const [worker, path] of [['hls', ours], ['js-hls', theirs]]) {
    const answer = await fetch(`http://127.0.0.1:${stack.ports[worker]}${path}`);
    answers.push({ status: answer.status, length: answer.headers.get('content-length'), bytes: Buffer.from(await answer.arrayBuffer()) });
  }
  assert.equal(answers[0].status, expect ?? 200, `${name}: ${answers[0].bytes.subarray(0, 300)}`);
  assert.equal(answers[1].status, answers[0].status, `${name}: the twin: ${answers[1].bytes.subarray(0, 300)}`);
  if (!expect) assert.equal(answers[0].bytes.length, answers[1].bytes.length, name);
  if (alike) assert.ok(answers[0].bytes.equals(answers[1].bytes), `${name}: other bytes`);
  const job = (who) => ({ port: stack.ports[who === 'ours' ? 'hls' : 'js-hls'], host: `localhost:${stack.ports.gateway}`, requests: [{ path: who === 'ours' ? ours : theirs }], seconds: bench.seconds, connections: CONNECTIONS, expect });
  const take = (who) => runOnce(bench.load, stack.pid, job(who));
  for (const who of ['ours', 'theirs']) await take(who);
  return { name, peer, ...(await compare({ rounds: bench.rounds, take })) };
}

export async function hls(bench) {
  const stack = await bench.stack('memory');
  const { small, large } = await films(bench, stack);
  const forged = `${small.token.slice(0, -6)}AAAAAA`;
  const rows = [
    await asked(bench, stack, { name: 'hls gate 64 KiB', peer: 'js gate by WebCrypto, same origin', ours: `/hls/${small.token}/1.bin`, alike: true }),
    await asked(bench, stack, { name: 'hls gate refusal', peer: 'js gate by WebCrypto', ours: `/hls/${forged}/1.bin`, expect: 401 }),
    await asked(bench, stack, { name: 'hls open 64 KiB', peer: 'crypto.subtle alone, same origin', ours: `/hls/${small.token}/1.m4s`, theirs: `/bare/${small.work}/1.m4s` }),
    await asked(bench, stack, { name: 'hls open 1 MiB', peer: 'crypto.subtle alone, same origin', ours: `/hls/${large.token}/1.m4s`, theirs: `/bare/${large.work}/1.m4s` }),
  ];
  rows.push(await besideX402(bench, stack, small));
  // What a viewer's hour costs: 4 Mbit/s in segments of 1 MiB, a key for each ten seconds.
  const perHour = (cpuUs) => Number(((cpuUs * (4e6 / 8) * 3600) / (1024 * KIB) / 1e6).toPrecision(3));
  rows[3].cpu_s_per_viewer_hour = perHour(rows[3].cpu_us);
  rows[3].usd_per_viewer_hour = Number((rows[3].cpu_s_per_viewer_hour * 1000 * 2e-8 + ((4e6 / 8) * 3600) / (1024 * KIB) * (2 * 3e-7 + 3.6e-7) + 360 * (1.5e-7 + 1e-6)).toPrecision(3));
  return rows;
}

/** The same bytes behind x402's own middleware for Express, every request with a payment that its facilitator believes. */
async function besideX402(bench, stack, film) {
  const child = fork(inRoot('benches', 'twins', 'x402.mjs'), [String(film.sealed)]);
  try {
    const { port } = await new Promise((done, failed) => child.once('message', done).once('exit', failed));
    const unpaid = await fetch(`http://127.0.0.1:${port}/part`);
    assert.equal(unpaid.status, 402);
    const { resource, accepts } = JSON.parse(Buffer.from(unpaid.headers.get('payment-required'), 'base64'));
    const payment = Buffer.from(JSON.stringify({ x402Version: 2, resource, accepted: accepts[0], payload: { proof: 'x' } })).toString('base64');
    const peers = {
      ours: { pid: stack.pid, port: stack.ports.hls, request: { path: `/hls/${film.token}/1.bin` } },
      theirs: { pid: child.pid, port, request: { path: '/part', headers: { 'payment-signature': payment } } },
    };
    const take = (who) => {
      const { pid, port: at, request } = peers[who];
      return runOnce(bench.load, pid, { port: at, host: `localhost:${who === 'ours' ? stack.ports.gateway : at}`, requests: [request], seconds: bench.seconds, connections: CONNECTIONS });
    };
    const paid = await fetch(`http://127.0.0.1:${port}/part`, { headers: peers.theirs.request.headers });
    assert.equal((await paid.arrayBuffer()).byteLength, film.sealed, 'x402 gives no bytes');
    for (const who of ['ours', 'theirs']) await take(who);
    return { name: 'hls x402', peer: '@x402/express on Node, a facilitator that believes', ...(await compare({ rounds: bench.rounds, take })) };
  } finally {
    child.disconnect();
  }
}

/** Capabilities as stream makes them, good for longer: none is asked for anew within a run. */
function capabilityOf({ CAPABILITY_KEY }, claims) {
  const said = Buffer.from(JSON.stringify(claims));
  const tag = createHmac('sha256', Buffer.from(CAPABILITY_KEY, 'base64url')).update('satchel/v1 capability\0').update(said).digest('base64url');
  return `${said.toString('base64url')}.${tag}`;
}

/** As many requests for windows as are asked for, each with a proof nobody has seen, spread over purchases. */
async function windows(stack, film, count) {
  const accounts = await makeAccounts(stack, Math.max(4, Math.ceil(count / PROOFS)));
  const viewers = await inParallel(accounts.length, async (i) => {
    const { client, device, receipt } = await buy(stack, accounts[i], film);
    const { session, capability } = await client.session(receipt, device);
    const says = JSON.parse(Buffer.from(capability.split('.')[0], 'base64url'));
    const token = capabilityOf(stack.secrets, { ...says, exp: says.exp + 600 });
    return { device, session, token };
  });
  return inParallel(count, async (i) => {
    const { device, session, token } = viewers[i % viewers.length];
    const path = `/v1/sessions/${session}/windows/${Math.floor(i / viewers.length) % 3}`;
    const dpop = await makeProof(device, { issuer: stack.issuer, method: 'POST', path, token });
    return { method: 'POST', path, headers: { 'content-type': 'application/json', authorization: `DPoP ${token}`, dpop }, body: '{}' };
  });
}

export async function windowKeys(bench) {
  const stack = await bench.stack('memory');
  const film = await bench.once('film of windows', () => sellFilm(stack, 64 * KIB, 4));
  const host = `localhost:${stack.ports.gateway}`;
  const send = (who, requests) => runOnce(bench.load, stack.pid, { port: stack.ports[who === 'ours' ? 'stream' : 'js-stream'], host, requests, connections: CONNECTIONS });
  const [probe] = await windows(stack, film, 1);
  const keys = [];
  for (const worker of ['stream', 'js-stream']) {
    const answer = await fetch(`http://127.0.0.1:${stack.ports[worker]}${probe.path}`, { method: 'POST', headers: probe.headers, body: probe.body });
    const told = await answer.json();
    assert.equal(answer.status, 200, `${worker}: ${JSON.stringify(told)}`);
    keys.push(told.key);
  }
  assert.equal(keys[0], keys[1], 'stream window: the twin derives another key');
  const size = bench.smoke ? 32 : Math.min(4_000, Math.ceil(700 * bench.seconds));
  for (const who of ['ours', 'theirs']) await send(who, await windows(stack, film, bench.smoke ? 16 : 512));
  // Proofs are good once for each peer: they know nothing of each other.
  let given = [];
  const take = async (who, turn) => {
    if (who === 'ours' && turn === 0) given = [await windows(stack, film, size), await windows(stack, film, size)];
    return send(who, given[turn]);
  };
  return { name: 'stream window', peer: 'js, the same HMAC, proof and one object', ...(await compare({ rounds: bench.rounds, take })) };
}
