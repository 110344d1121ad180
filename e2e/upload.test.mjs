// Uploading: signed for one upload, one creator, one size; resumed, completed once, cancelled, abandoned. Against
// wrangler's own S3 endpoint, which has no ListParts, and against the bucket in memory, which has.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { MIB, download, digestOf, intake, newWallet, noise, operate, packWork, publish, putOnSale, register } from './lib/actors.mjs';
import { refused } from './lib/problem.mjs';
import { openStack } from './lib/stack.mjs';
import { ask, begin, done, partList } from './lib/storage.mjs';
import { until } from './lib/until.mjs';

const IDLE_S = 4;
const [wrangler, workerd] = await Promise.all([
  openStack({ name: 'upload' }),
  openStack({ name: 'upload-idle', runtime: 'workerd', vars: { upload: { UPLOAD_IDLE_S: String(IDLE_S), MAX_PACKED_BYTES: String(40 * MIB) } } }),
]);
const creator = await newWallet(wrangler.client);

/** A registered work of three parts, the last of them short. */
async function draft(wallet, bytes = 16 * MIB) {
  const work = await packWork(wallet, { bytes: noise(bytes) });
  await register(wallet, work);
  return work;
}

test('an upload goes on after its client has forgotten everything but its names, and is what was packed', async () => {
  const work = await draft(creator);
  const first = await begin(creator, work);
  assert.deepEqual([first.parts, first.part_size], [3, 8 * MIB]);
  const uploadId = await first.create();
  // The tags of parts that arrived go along with the next request.
  const three = await first.part(uploadId, 3);
  const told = { method: 'PUT', uploadId, partNumber: 2, sent: [{ partNumber: 3, etag: three.replaceAll('"', '') }] };
  await done('PUT', await first.sign(told), first.piece(2));

  const listed = await first.sign({ method: 'GET', uploadId });
  assert.deepEqual(listed.sent, [{ partNumber: 3, etag: three.replaceAll('"', '') }], 'part 2 was never reported, and this storage lists none');
  const { text, headers } = await done('GET', listed);
  assert.equal(headers.get('content-type'), 'application/xml');
  assert.equal(headers.get('access-control-allow-origin'), '*');
  assert.match(text, /<Part><PartNumber>3<\/PartNumber><ETag>&quot;[^<]+&quot;<\/ETag><Size>\d+<\/Size><\/Part>/);

  const tags = [await first.part(uploadId, 1), await first.part(uploadId, 2), listed.sent[0].etag];
  assert.equal((await first.complete(uploadId, tags)).status, 200);
  for (const method of ['GET', 'POST']) {
    const error = await refused('upload_ended', () => first.sign({ method, uploadId }));
    assert.equal(error.members.state, 'complete');
  }
  await intake(creator, work);
  const record = await putOnSale(creator, work);
  assert.equal(digestOf(await download(record)), digestOf(work.packed));
});

test('many parts are signed in one request, each for its own bytes', async () => {
  const work = await draft(creator);
  const upload = await begin(creator, work);
  const uploadId = await upload.create();
  const { urls } = await upload.sign({ method: 'PUT', uploadId, partNumbers: [1, 3, 2] });
  assert.equal(urls.length, 3);
  const [one, three] = urls.map((url) => ({ url }));
  await done('PUT', three, upload.piece(3));
  for (const [signed, bytes, what] of [
    [one, upload.piece(3), 'fewer bytes'], [three, noise(upload.piece(3).length + 1), 'more bytes'], [one, new Uint8Array(0), 'none'],
    [{ url: three.url.replace('partNumber=3', 'partNumber=2') }, upload.piece(3), 'another part'],
    [{ url: three.url.replace('Expires=900', 'Expires=9000') }, upload.piece(3), 'a longer life'],
    [{ url: three.url.replace(/wrk_./, 'wrk_z') }, upload.piece(3), 'another object'],
  ]) {
    const answer = await ask('PUT', signed, bytes);
    assert.equal(answer.status, 403, `${what}: ${answer.text}`);
  }
});

test('what is asked for wrongly is refused and changes nothing', async () => {
  const work = await draft(creator);
  const stranger = await newWallet(wrangler.client);
  const upload = await begin(creator, work);
  const uploadId = await upload.create();
  const { sign } = upload;
  const etag = 'a'.repeat(32);
  for (const [code, request] of [
    ['malformed', { method: 'PUT', uploadId, partNumber: 10_001 }],
    ['malformed', { method: 'PUT', uploadId, partNumber: 4 }],
    ['malformed', { method: 'PUT', uploadId, partNumbers: [] }],
    ['malformed', { method: 'PUT', uploadId, partNumbers: [1, 4] }],
    ['malformed', { method: 'PUT', uploadId, partNumbers: Array(101).fill(1) }],
    ['malformed', { method: 'PUT', uploadId, partNumbers: [1], partNumber: 1 }],
    ['malformed', { method: 'PUT', uploadId, partNumber: 1, sent: [{ partNumber: 4, etag }] }],
    ['malformed', { method: 'PUT', uploadId, partNumber: 1, sent: [{ partNumber: 1, etag: '<x>' }] }],
    ['malformed', { method: 'PUT', uploadId, partNumber: 1, sent: [{ partNumber: 1, etag, size: 1 }] }],
    ['malformed', { method: 'PUT', uploadId, partNumber: 1, sent: Array(101).fill({ partNumber: 1, etag }) }],
    ['malformed', { method: 'POST', sent: [{ partNumber: 1, etag }] }],
    ['malformed', { method: 'GET' }],
    ['malformed', { method: 'DELETE' }],
    ['malformed', { method: 'PUT', contentType: 'application/vnd.satchel' }],
  ]) await refused(code, () => sign(request), JSON.stringify(request).slice(0, 100));
  await refused('wrong_key', () => wrangler.client.signUpload(stranger.creator, upload.upload, { key: upload.key, method: 'GET', uploadId }));
  assert.deepEqual((await sign({ method: 'GET', uploadId })).sent, []);

  const list = new URL((await sign({ method: 'GET', uploadId })).url);
  for (const change of [
    (url) => url.searchParams.set('expires', '9999999999'), (url) => url.searchParams.delete('signature'),
    (url) => url.searchParams.set('of', 'AAAA'), (url) => { url.pathname = url.pathname.replace(/upl_\w/, 'upl_z'); },
  ]) {
    const url = new URL(list);
    change(url);
    const answer = await fetch(url);
    assert.equal((await answer.json()).code, 'proof_invalid', url.href);
  }
});

test('a forged list of parts puts nothing together', async () => {
  const work = await draft(creator);
  const upload = await begin(creator, work);
  const uploadId = await upload.create();
  const tags = [];
  for (const number of [1, 2, 3]) tags.push(await upload.part(uploadId, number));
  const signed = await upload.sign({ method: 'POST', uploadId });
  const forged = ['', partList([]), partList(['"00"', ...tags.slice(1)]), partList([...tags, tags[0]]), '<x', 'x'.repeat(1_000)];
  for (const list of forged) {
    const answer = await ask('POST', signed, list);
    assert.ok(answer.status >= 400 && answer.status < 500, `${list.slice(0, 100)}: ${answer.status} ${answer.text}`);
  }
  assert.equal((await fetch(`${wrangler.origin}/f/${upload.key}`)).status, 404, 'nothing is there');
  // Fewer parts than planned are an object, but none that is ever sold, and the version's place is taken.
  await done('POST', signed, partList(tags.slice(0, 2)));
  await intake(creator, work);
  await refused('not_ready', () => putOnSale(creator, work));
  await refused('work_conflict', () => begin(creator, work));
});

test('bytes on sale are never replaced, also not by what was signed before they were', async () => {
  const work = await draft(creator, MIB);
  const [upload, rival] = [await begin(creator, work), await begin(creator, work)];
  const ids = [await upload.create(), await rival.create()];
  const evil = noise(work.packed.length);
  const { headers } = await done('PUT', await rival.sign({ method: 'PUT', uploadId: ids[1], partNumber: 1 }), evil);
  const late = await rival.sign({ method: 'POST', uploadId: ids[1] });
  assert.equal(late.headers['if-none-match'], '*');

  assert.equal((await upload.complete(ids[0], [await upload.part(ids[0], 1)])).status, 200);
  await intake(creator, work);
  const record = await putOnSale(creator, work);
  const list = partList([headers.get('etag')]);
  const refusal = await ask('POST', late, list);
  assert.deepEqual([refusal.status, refusal.code], [412, 'PreconditionFailed']);
  const { 'if-none-match': _, ...unconditional } = late.headers;
  assert.equal((await ask('POST', { ...late, headers: unconditional }, list)).status, 403, 'the condition is signed');
  await refused('upload_ended', () => rival.sign({ method: 'POST', uploadId: ids[1] }));
  await refused('work_conflict', () => begin(creator, work));
  assert.equal(digestOf(await download(record)), digestOf(work.packed));
});

test('a cancelled upload is over, and another can begin', async () => {
  const work = await draft(creator, MIB);
  const upload = await begin(creator, work);
  const uploadId = await upload.create();
  const tag = await upload.part(uploadId, 1);
  const part = await upload.sign({ method: 'PUT', uploadId, partNumber: 1 });
  const complete = await upload.sign({ method: 'POST', uploadId });
  await done('DELETE', await upload.sign({ method: 'DELETE', uploadId }));
  const error = await refused('upload_ended', () => upload.sign({ method: 'PUT', uploadId, partNumber: 1 }));
  assert.equal(error.members.state, 'abandoned');
  for (const [method, signed, body] of [['PUT', part, upload.piece(1)], ['POST', complete, partList([tag])]]) {
    const answer = await ask(method, signed, body);
    assert.ok(answer.status >= 400, `${method}: ${answer.status} ${answer.text}`);
  }
  const again = await upload.create();
  assert.equal((await upload.complete(again, [await upload.part(again, 1)])).status, 200);
});

test('a storage that lists parts is believed, whatever was reported; a deployment says what is too large', async () => {
  const wallet = await newWallet(workerd.client);
  const work = await draft(wallet);
  const upload = await begin(wallet, work);
  const uploadId = await upload.create();
  const etag = (await upload.part(uploadId, 2)).replaceAll('"', '');
  const false_ = [{ partNumber: 1, etag: 'f'.repeat(32) }];
  const { sent, url } = await upload.sign({ method: 'GET', uploadId, sent: false_ });
  assert.deepEqual(sent, [{ partNumber: 2, etag }]);
  assert.match((await done('GET', { url })).text, new RegExp(`<Part><PartNumber>2</PartNumber><ETag>&quot;${etag}&quot;</ETag><Size>${8 * MIB}</Size></Part><IsTruncated>`));
  const error = await refused('malformed', () => begin(wallet, work, { size: 40 * MIB + 1 }));
  assert.equal(error.members.limit, 40 * MIB);
});

test('an upload that nobody goes on with is thrown away on time, and says so', { timeout: 120_000 }, async () => {
  const wallet = await newWallet(workerd.client);
  const [work, sold] = [await draft(wallet), await draft(wallet, MIB)];
  const upload = await begin(wallet, work);
  const ids = [await upload.create(), await upload.create()];
  await upload.part(ids[0], 1);
  await upload.part(ids[1], 2);
  const kept = await begin(wallet, sold);
  const whole = await kept.create();
  assert.equal((await kept.complete(whole, [await kept.part(whole, 1)])).status, 200);

  const { bucket } = workerd.bucket;
  const left = (id) => {
    try {
      return bucket.parts(upload.key, id).length;
    } catch (error) {
      return error.s3Code;
    }
  };
  assert.deepEqual(ids.map(left), [1, 1]);
  await until('its parts are thrown away', () => ids.every((id) => left(id) === 'NoSuchUpload'), { ms: 90_000 });
  const error = await refused('upload_ended', () => upload.sign({ method: 'GET', uploadId: ids[0] }));
  assert.equal(error.members.state, 'abandoned');
  await refused('upload_ended', () => upload.sign({ method: 'POST' }));
  await until('the other says that it is complete', async () => {
    const other = await refused('upload_ended', () => kept.sign({ method: 'GET', uploadId: whole }));
    return other.members.state === 'complete';
  }, { ms: 30_000, every: 500 });
  await intake(wallet, sold);
  assert.equal((await putOnSale(wallet, sold)).state, 'published');
});

test('a cover is one picture of the work: its bytes, its type, never replaced, and nothing but a picture', async () => {
  for (const [stack, wallet] of [[wrangler, creator], [workerd, await newWallet(workerd.client)]]) {
    const work = await publish(wallet, { bytes: noise(1_000) });
    const picture = noise(5_000);
    const sha256 = createHash('sha256').update(picture).digest();
    const details = { size: picture.length, mediaType: 'image/png', sha256 };
    const start = (more) => wallet.client.startCover(wallet.creator, work, { ...details, ...more });
    const signed = await start();
    assert.equal(signed.cover_url, `${stack.origin}/f/${work.work}/cover-${sha256.toString('base64url')}.png`);
    const origin = { origin: stack.walletOrigin };
    for (const [bytes, headers, status] of [
      [noise(5_000), {}, /400/], [picture.subarray(1), {}, /40[03]/], [picture, { 'content-type': 'text/html' }, /403/],
      [picture, { 'if-none-match': '"x"' }, /403/], [picture, { 'x-amz-checksum-sha256': 'x' }, /40[03]/],
    ]) {
      const answer = await ask('PUT', signed, bytes, { ...origin, ...headers });
      assert.match(String(answer.status), status, `${JSON.stringify(headers)}: ${answer.text}`);
    }
    assert.equal((await fetch(signed.cover_url)).status, 404);
    await done('PUT', signed, picture, origin);
    assert.equal((await ask('PUT', signed, picture, origin)).status, 412);
    const shown = await fetch(signed.cover_url);
    assert.deepEqual(Buffer.from(await shown.arrayBuffer()), Buffer.from(picture));
    const header = (name) => shown.headers.get(name);
    assert.equal(header('content-type'), 'image/png');
    assert.equal(header('content-security-policy'), "sandbox; default-src 'none'");
    assert.equal(header('x-content-type-options'), 'nosniff');
    assert.match(header('cache-control'), /immutable/);
    assert.equal(header('content-disposition'), null);

    const listing = { cover: { url: signed.cover_url, width: 10, height: 10, media_type: 'image/png' } };
    const { terms, title } = work;
    const record = await wallet.client.update(wallet.creator, work, { title, terms, listing });
    assert.deepEqual(record.listing, listing);
    for (const bad of [{ size: 0 }, { size: MIB + 1 }, { mediaType: 'image/svg+xml' }, { mediaType: 'text/html' }]) {
      await refused('malformed', () => start(bad), JSON.stringify(bad));
    }
    const stranger = await newWallet(wallet.client);
    await refused('wrong_key', () => wallet.client.startCover(stranger.creator, work, details));
    await operate(stack, { cmd: 'take_down', work: work.work });
    await refused('work_taken_down', () => start());
  }
});
