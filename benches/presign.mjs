// Presigning: our sign endpoint beside the two programs that others do it with, and beside a worker that does nothing.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { esbuild } from '../tools/build.mjs';
import { freePort, inRoot, must } from '../tools/proc.mjs';
import { publicOrigin } from '../tools/stack.mjs';
import { startWorkerd } from '../tools/workerd.mjs';
import { compare, runOnce } from './measure.mjs';
import { scratch } from './serve.mjs';
import { SatchelClient, generateKey, makeProof, randomBytes, workId } from '../sdk/js/src/index.js';

const CONNECTIONS = 32;
const AT_ONCE = 100;
const SIZE = 9_000 * 8 * 1024 * 1024;
const UPLOAD_ID = '2~AbCdEf0123456789.abcdefghijklmnopqrstuvwxyz_0123456789-';
const PEERS = ['aws4fetch', 'sdk', 'hello'];
const JSON_TYPE = { 'content-type': 'application/json' };

/** A peer's worker with the package in it, as its users would build it. */
async function bundled(name, dir) {
  const source = inRoot('benches', 'twins', name === 'hello' ? 'hello.mjs' : `presign-${name}.mjs`);
  const out = join(dir, `peer-${name}.mjs`);
  const args = [source, '--bundle', '--minify', '--format=esm', '--platform=browser', '--conditions=worker,browser', `--outfile=${out}`];
  await must(esbuild(), [...args, '--log-level=error']);
  return out;
}

/** A stack of ours and the peers, and an upload that was begun. */
export async function begin() {
  const dir = scratch('memory');
  const ports = { gateway: await freePort(), upload: await freePort() };
  for (const peer of PEERS) ports[peer] = await freePort();
  const vars = { S3_ENDPOINT: 'https://account.r2.cloudflarestorage.com', S3_BUCKET: 'satchel-files', S3_ACCESS_KEY_ID: 'A'.repeat(32), S3_SECRET_ACCESS_KEY: 's'.repeat(64) };
  const extra = [];
  for (const name of PEERS) extra.push({ name: `peer-${name}`, modules: [await bundled(name, dir)], port: ports[name], vars });
  const stack = await startWorkerd({ dir, port: ports.gateway, sockets: { upload: ports.upload }, vars: { upload: { ...vars, MAX_PACKED_BYTES: String(SIZE) } }, extra });
  const client = new SatchelClient({ issuer: publicOrigin(ports.gateway) });
  const creator = await generateKey();
  const nonce = randomBytes(16);
  const work = { work: await workId(creator.jwk, nonce), nonce };
  const terms = { pay_more: false, usd_micros: 250_000, use: 'download' };
  await client.register(creator, work, { title: 'A film', mediaType: 'video/mp4', terms, payee: creator.jkt });
  const upload = await client.startUpload(creator, work, { size: SIZE });
  const stop = async () => {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { ...stack, ports, client, creator, upload, vars, stop };
}

const numbers = (count) => Array.from({ length: count }, (_, i) => i + 1);

/** `count` parts as ours and as the peers are asked for them. */
export async function asked({ client, creator, upload: { upload, key, part_size: size } }, count) {
  const path = `/v1/uploads/${upload}/sign`;
  const many = count > 1 ? { partNumbers: numbers(count) } : { partNumber: 1 };
  const body = JSON.stringify({ method: 'PUT', key, uploadId: UPLOAD_ID, ...many });
  const request = async () => ({ path, method: 'POST', body, headers: { ...JSON_TYPE, dpop: await makeProof(creator, { issuer: client.issuer, method: 'POST', path }) } });
  const theirs = { key, uploadId: UPLOAD_ID, partNumbers: numbers(count), sizes: numbers(count).map(() => size) };
  return { request, theirs: { path: '/', method: 'POST', body: JSON.stringify(theirs), headers: JSON_TYPE } };
}

async function answer(port, { path, ...init }) {
  const found = await fetch(`http://127.0.0.1:${port}${path}`, init);
  if (!found.ok) throw new Error(`${path}: ${found.status} ${await found.text()}`);
  return found.json();
}

/** The signed parameters of a URL, but for those that name the program. */
function signedOf(url, dropped = []) {
  const query = [...new URL(url).searchParams].filter(([name]) => !dropped.includes(name)).sort();
  return JSON.stringify([new URL(url).pathname, ...query]);
}

/** Both sign the same: with aws4fetch to the letter, with the SDK but for two parameters that it adds. */
async function same({ ports }, peer, { request, theirs }, own) {
  const { urls = [own] } = await answer(ports.upload, await request());
  const datetime = new URL(urls[0]).searchParams.get('X-Amz-Date');
  const got = await answer(ports[peer], { ...theirs, body: JSON.stringify({ ...JSON.parse(theirs.body), datetime }) });
  const dropped = peer === 'sdk' ? ['X-Amz-Signature', 'X-Amz-Date', 'X-Amz-Content-Sha256', 'x-id'] : [];
  for (const [i, url] of urls.entries()) {
    const [ours, their] = [signedOf(url, dropped), signedOf(got.urls[i], dropped)];
    if (ours !== their) throw new Error(`presign ${peer}: not the same\n  ours   ${ours}\n  theirs ${their}`);
  }
}

async function measured(bench, stack, name, peer, { at = peer, ours, theirs, count = 1 }) {
  const { seconds, rounds } = bench;
  const take = async (who) => {
    const [port, requests] = who === 'ours' ? [stack.ports.upload, await ours()] : [stack.ports[at], [theirs]];
    // Told what to expect, the same client asks both: wrk could not send a body.
    return runOnce(bench.load, stack.pid, { port, host: `localhost:${stack.ports.gateway}`, requests, seconds, connections: CONNECTIONS, expect: 200 });
  };
  for (const who of ['ours', 'theirs']) await take(who);
  const row = await compare({ rounds, take });
  const each = (cpu) => Number((cpu / count).toPrecision(3));
  return { name, peer, ...row, ...(count > 1 && { urls: count, url_us: each(row.cpu_us), peer_url_us: each(row.peer_cpu_us) }) };
}

/** Rows `presign …`. */
export async function presign(bench) {
  const stack = await bench.once('presign', begin);
  const rows = [];
  for (const [peer, count] of [['aws4fetch', AT_ONCE], ['sdk', AT_ONCE]]) {
    const { request, theirs } = await asked(stack, count);
    await same(stack, peer, { request, theirs });
    rows.push(await measured(bench, stack, `presign ${peer}`, peer, { ours: async () => [await request()], theirs, count }));
  }
  const { request } = await asked(stack, 1);
  const hello = { path: '/', method: 'POST', body: '{}', headers: JSON_TYPE };
  const fresh = bench.smoke ? 16 : 4_000;
  const manyProofs = () => Promise.all(numbers(fresh).map(() => request()));
  rows.push(await measured(bench, stack, 'presign endpoint', 'js hello', { at: 'hello', ours: async () => [await request()], theirs: hello }));
  rows.push(await measured(bench, stack, 'presign endpoint, a proof each', 'js hello', { at: 'hello', ours: manyProofs, theirs: hello }));
  return rows;
}
