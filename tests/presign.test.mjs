// The worker's signatures against those of other people's programs: on random keys, with everything that one of them
// might spell differently, each URL must be the same, parameter by parameter (their order is each program's own).
// SATCHEL_SOAK=1 compares more.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { before, test } from 'node:test';
import { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import { AwsClient } from 'aws4fetch';
import { inRoot } from '../tools/proc.mjs';

const COUNT = process.env.SATCHEL_SOAK ? 50_000 : 2_000;
const LIFE = 900;
const CREDENTIALS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

/** A generator of numbers from 0 to below 1 that gives the same for the same seed (mulberry32). */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seed = Number(process.env.SATCHEL_SEED ?? Date.now() % 2 ** 31);
const random = numbers(seed);
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const PIECES = [
  ' ', '  ', '+', '%', '%25', '%2F', '%2f', '%zz', '/', '//', '.', '..', '/../', '/./', '~', '=', '&', '?', '#', ';', ':', '@', '!', "'", '(', ')', '*',
  ',', '$', '[', ']', '{', '}', '|', '\\', '^', '`', '"', '<', '>', '\t', '\u00a0', 'é', 'e\u0301', 'ß', '日本', '🎵', '👩‍👩‍👧', '\u202e', '\ufeff', '\u0000', '\u001f', '\u007f',
  'a', 'Z', '0', '-', '_', 'wrk_aa', '1.satchel', 'X-Amz-Signature=', 'uploadId',
];
const wild = (most) => Array.from({ length: below(most) }, () => pick(PIECES)).join('');

const STEPS = [
  () => ({ method: 'GET', query: {}, headers: {} }),
  () => ({ method: 'POST', query: { uploads: '' }, headers: { 'content-type': 'application/vnd.satchel' } }),
  () => ({ method: 'PUT', query: { partNumber: String(1 + below(10_000)), uploadId: wild(9) || 'x' }, headers: { 'content-length': String(below(2 ** 40)) } }),
  () => ({ method: 'POST', query: { uploadId: wild(9) || 'x' }, headers: { 'content-type': 'application/xml', 'if-none-match': '*' } }),
  () => ({ method: 'DELETE', query: { uploadId: wild(9) || 'x' }, headers: {} }),
  () => ({ method: 'PUT', query: {}, headers: { 'content-length': '9', 'content-type': 'image/png', 'if-none-match': '*', 'x-amz-checksum-sha256': `${wild(3).replace(/[^ -~]/g, '').trim()}a=` } }),
];
const ORIGINS = ['https://account.r2.cloudflarestorage.com', 'https://bucket.s3.eu-central-1.amazonaws.com', 'http://127.0.0.1:9000', 'https://s3.example:8443'];

/** A request, and the time it is signed: some of them on both sides of midnight. */
function makeCase() {
  const now = 1_800_000_000 + below(400) * 21_600 + pick([0, 57_599, 57_600]);
  const key = (wild(12) || 'k') + pick(['', '', 'x'.repeat(below(900))]);
  return { ...pick(STEPS)(), origin: pick(ORIGINS), path: `/${key}`, now };
}

/** What the worker's own code makes of them. */
async function ours(cases, credentials) {
  const args = ['run', '--quiet', '-p', 'satchel-upload-worker', '--example', 'presign'];
  const child = spawn('cargo', args, { cwd: inRoot(), stdio: ['pipe', 'pipe', 'inherit'] });
  const out = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  const lines = cases.map(({ method, origin, path, query, headers, now }) => JSON.stringify({
    method, origin, path, query, headers, now, life: LIFE, region: 'auto',
    access_key_id: credentials.accessKeyId, secret_access_key: credentials.secretAccessKey, session_token: credentials.sessionToken,
  }));
  child.stdin.end(`${lines.join('\n')}\n`);
  const code = await new Promise((done) => child.once('close', done));
  assert.equal(code, 0, 'the program that signs failed');
  return Buffer.concat(out).toString().trimEnd().split('\n');
}

/** Path and sorted parameters of a URL, each as it is spelled. */
function takenApart(url) {
  const at = url.indexOf('?');
  return [url.slice(0, at), ...url.slice(at + 1).split('&').sort()];
}

const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const encodedPath = (path) => path.split('/').map(encode).join('/');
const told = ({ method, path, query }) => `seed ${seed}: ${method} ${JSON.stringify(path)} ${JSON.stringify(query)}`;

// The SDK states in the URL that the payload is not signed, which is what no statement means: for it ours are signed
// with that parameter too, to compare the rest.
const stating = (one) => ({ ...one, query: { ...one.query, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' } });

const cases = Array.from({ length: COUNT }, makeCase);
let urls;
let stated;
before(async () => {
  urls = await ours(cases, CREDENTIALS);
  stated = await ours(cases.map(stating), CREDENTIALS);
  assert.deepEqual([urls.length, stated.length], [COUNT, COUNT]);
}, { timeout: 600_000 });

test(`${COUNT} URLs are those of the AWS SDK's presigner`, async () => {
  const presigner = new S3RequestPresigner({ region: 'auto', sha256: Sha256, credentials: CREDENTIALS });
  for (const [i, one] of cases.entries()) {
    const { hostname, port, protocol } = new URL(one.origin);
    const request = {
      method: one.method, protocol, hostname, port: port ? Number(port) : undefined, path: encodedPath(one.path),
      query: { ...one.query }, headers: { ...one.headers },
    };
    // Headers stay headers (it would move `x-amz-…` to the query); it never signs `content-type` unless told to.
    const signed = await presigner.presign(request, {
      expiresIn: LIFE, signingDate: new Date(one.now * 1000), signableHeaders: new Set(Object.keys(one.headers).concat('host')),
      unhoistableHeaders: new Set(Object.keys(one.headers)),
    });
    const theirs = Object.entries(signed.query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
    assert.deepEqual(takenApart(stated[i]), [`${one.origin}${signed.path}`, ...theirs.sort()], told(one));
  }
});

test(`${COUNT} URLs are those of aws4fetch, but for what no URL object can hold`, async () => {
  const client = new AwsClient({ ...CREDENTIALS, service: 's3', region: 'auto' });
  let compared = 0;
  for (const [i, one] of cases.entries()) {
    // `.` and `..` are resolved by every URL parser before aws4fetch sees them; S3 keys keep them, and so do we.
    if (one.path.split('/').some((segment) => ['.', '..'].includes(segment))) continue;
    const url = new URL(one.origin + encodedPath(one.path));
    for (const [name, value] of Object.entries(one.query)) url.searchParams.set(name, value);
    url.searchParams.set('X-Amz-Expires', String(LIFE));
    const datetime = new Date(one.now * 1000).toISOString().replace(/[:-]|\.\d{3}/g, '');
    const signed = await client.sign(url, { method: one.method, headers: one.headers, aws: { signQuery: true, allHeaders: true, datetime } });
    // A URL object spells the query its own way (`+` for a space): compared by what it says, and by the signature.
    const [theirs, mine] = [new URL(signed.url), new URL(urls[i])];
    assert.equal(mine.pathname, theirs.pathname, told(one));
    assert.deepEqual([...mine.searchParams].sort(), [...theirs.searchParams].sort(), told(one));
    compared += 1;
  }
  assert.ok(compared > COUNT / 2, `${compared} were compared`);
});

test('a lent key is signed with its token as the SDK does', async () => {
  const credentials = { ...CREDENTIALS, sessionToken: 'FwoGZXIvYXdzE+/=' };
  const presigner = new S3RequestPresigner({ region: 'auto', sha256: Sha256, credentials });
  const some = cases.slice(0, 50).map((one) => ({ ...one, headers: {} }));
  const mine = await ours(some.map(stating), credentials);
  for (const [i, one] of some.entries()) {
    const { hostname, port, protocol } = new URL(one.origin);
    const request = { method: one.method, protocol, hostname, port: port ? Number(port) : undefined, path: encodedPath(one.path), query: { ...one.query }, headers: {} };
    const signed = await presigner.presign(request, { expiresIn: LIFE, signingDate: new Date(one.now * 1000) });
    const theirs = Object.entries(signed.query).map(([name, value]) => `${encode(name)}=${encode(value)}`);
    assert.deepEqual(takenApart(mine[i]), [`${one.origin}${signed.path}`, ...theirs.sort()], told(one));
  }
});

/** SHA-256 and HMAC as the SDK asks for them. */
class Sha256 {
  constructor(secret) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data) {
    this.hash.update(bytesOf(data));
  }

  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

const bytesOf = (data) => (typeof data === 'string' ? Buffer.from(data) : ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data));
