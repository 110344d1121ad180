// The same worker, configured for other people's S3 servers, by path and by host name. They are installed for a soak
// only; what can be said without them is said always.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketUrl, corsXml, putCors, signedRequest } from '../tools/cors.mjs';
import { MIB, digestOf, newWallet, noise, packWork, register } from './lib/actors.mjs';
import { BUCKET, CREDENTIALS, ask, startMoto, startS3s } from './lib/s3-servers.mjs';
import { openStack, scratch } from './lib/stack.mjs';
import { partList, uploadIdOf } from './lib/storage.mjs';

const SOAK = Boolean(process.env.SATCHEL_SOAK);
const REGION = 'eu-central-1';
const wrangler = await openStack({ name: 's3' });
const wallet = async (stack) => newWallet(stack.client);

test('the request that sets a bucket’s CORS document is signed as wrangler’s own endpoint wants it', async () => {
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = wrangler.secretsOf('upload');
  const where = { endpoint: wrangler.s3Endpoint, bucket: BUCKET };
  const send = async (credentials, xml = corsXml(['https://wallet.example'])) => {
    const { url, ...init } = signedRequest(where, 'PUT', 'cors', xml, credentials);
    return (await fetch(url, init)).status;
  };
  // It has no such operation, and says so to whoever may ask.
  assert.equal(await send({ accessKeyId, secretAccessKey }), 501);
  assert.equal(await send({ accessKeyId, secretAccessKey: `${secretAccessKey}x` }), 403);
  await assert.rejects(putCors(where, ['https://wallet.example'], { accessKeyId, secretAccessKey }), /501/);
  const url = (style) => bucketUrl({ endpoint: 'https://s3.example/a/', bucket: 'b', style }).href;
  assert.deepEqual([url('path'), url('virtual')], ['https://s3.example/a/b', 'https://b.s3.example/a/']);
  assert.throws(() => url('host'), /path or virtual/);
});

/** A work of two parts through a server: sent, listed, completed, read again, not replaced, another thrown away. */
async function journey({ endpoint }, style) {
  const vars = {
    S3_ENDPOINT: endpoint, S3_BUCKET: BUCKET, S3_STYLE: style, S3_REGION: REGION,
    S3_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, S3_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  };
  const stack = await openStack({ name: `s3-${style}`, runtime: 'workerd', vars: { upload: vars } });
  const creator = await wallet(stack);
  const work = await packWork(creator, { bytes: noise(9 * MIB) });
  await register(creator, work);
  const upload = await stack.client.startUpload(creator.creator, work, { size: work.packed.length });
  const sign = (request) => stack.client.signUpload(creator.creator, upload.upload, { key: upload.key, ...request });
  const good = async (method, signed, body) => {
    const answer = await ask(method, signed, body);
    assert.ok(answer.status < 300 && !answer.code, `${method} ${signed.url}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const create = async () => uploadIdOf((await good('POST', await sign({ method: 'POST' }))).text);
  const uploadId = await create();
  const piece = (number) => work.packed.subarray((number - 1) * upload.part_size, number * upload.part_size);
  const { urls } = await sign({ method: 'PUT', uploadId, partNumbers: [1, 2] });
  const address = new URL(urls[0]);
  assert.equal(address.hostname, style === 'virtual' ? `${BUCKET}.localhost` : 'localhost');
  assert.equal(address.pathname, `${style === 'virtual' ? '' : `/${BUCKET}`}/${upload.key}`);
  const tags = [];
  for (const [i, url] of urls.entries()) {
    tags.push((await good('PUT', { url }, piece(i + 1))).headers.etag.replaceAll('"', ''));
    // s3s-fs lists parts without their ETag, moto not in S3's words: what was reported counts then.
    const sent = tags.map((etag, at) => ({ partNumber: at + 1, etag }));
    assert.deepEqual((await sign({ method: 'GET', uploadId, sent })).sent, sent);
  }
  const complete = await sign({ method: 'POST', uploadId });
  await good('POST', complete, Buffer.from(partList(tags)));

  const other = await create();
  await good('DELETE', await sign({ method: 'DELETE', uploadId: other }));
  return { address, complete, stack, upload, work, sign };
}

for (const style of ['path', 'virtual']) {
  test(`s3s-fs takes an upload, ${style === 'path' ? 'its bucket named by the path' : 'its bucket named by the host'}`, { skip: !SOAK && 'a soak installs it', timeout: 900_000 }, async () => {
    const server = await startS3s(scratch(`s3s-${style}`).dir, style);
    try {
      const done = await journey(server, style);
      const { url, headers } = done.complete;
      const forged = `${url.slice(0, -1)}${url.endsWith('0') ? 1 : 0}`;
      assert.equal((await ask('POST', { url: forged, headers }, Buffer.from('x'))).status, 403, 'it verifies what we sign');
    } finally {
      await server.stop();
    }
  });
}

test('moto takes an upload and the CORS document', { skip: !SOAK && 'a soak installs it', timeout: 900_000 }, async (t) => {
  const server = await startMoto();
  if (server.missing) return void t.skip(server.missing);
  try {
    const done = await journey(server, 'path');
    const stored = await ask('GET', { url: `${server.endpoint}/${BUCKET}/${done.upload.key}` });
    assert.equal(digestOf(stored.bytes), digestOf(done.work.packed));
    assert.equal(stored.headers['content-type'], 'application/vnd.satchel');
    const where = { endpoint: server.endpoint, bucket: BUCKET, region: REGION };
    await putCors(where, ['https://wallet.example'], CREDENTIALS);
    const { url, ...init } = signedRequest(where, 'GET', 'cors', undefined, CREDENTIALS);
    const kept = await (await fetch(url, init)).text();
    for (const text of ['https://wallet.example', 'if-none-match', 'x-amz-checksum-sha256', 'ETag', 'DELETE']) assert.ok(kept.includes(text), kept);
  } finally {
    await server.stop();
  }
});
