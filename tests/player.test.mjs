// What the player decides without a browser: which segment is next, and which source is read.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { generateKey, randomBytes } from '../sdk/js/src/index.js';
import { noise } from '../e2e/lib/actors.mjs';
import { bytesSource, packTo } from '../sdk/js/src/format.js';
import { nextSegment, segmentAt } from '../site/src/player/mse.js';
import { openRemote, openUrl, readPieces, readSegment } from '../site/src/player/remote.js';
import { readCaptions, readInit } from '../site/src/player/timed.js';

const segments = [{ window: 0, startMs: 0, init: true }, ...Array.from({ length: 12 }, (_, i) => ({ window: Math.floor(i / 2), startMs: i * 5_000, init: false }))];

test('what comes next begins with initialisation data and goes one window ahead of the playhead', () => {
  const have = new Set();
  const order = [];
  for (let next = nextSegment(segments, have, 0); next >= 0; next = nextSegment(segments, have, 0)) {
    order.push(next);
    have.add(next);
  }
  assert.deepEqual(order, [0, 1, 2, 3, 4]);
  assert.equal(nextSegment(segments, have, 0), -1);
  assert.equal(nextSegment(segments, have, 50_000), 11, 'a seek asks for what lies there and for nothing before it');
  for (let i = 0; i < segments.length; i += 1) have.add(i);
  assert.equal(nextSegment(segments, have, 50_000), -2);
  assert.equal(segmentAt(segments, 9_999), 2);
});

// ---------------------------------------------------------------- sources

const plain = noise(3_000_000);
const creatorKey = await generateKey();
const nonce = randomBytes(16);
const pieces = [];
const packed = await packTo({ write: (at, chunk) => void pieces.push([at, chunk.slice()]) }, bytesSource(plain), {
  creatorKey, nonce, issuer: 'https://satchel.example', title: 'A film', name: 'film.bin', mediaType: 'application/pdf', terms: { pay_more: false, usd_micros: 1_000, use: 'stream' },
});
const whole = Buffer.alloc(packed.size);
for (const [at, chunk] of pieces) whole.set(chunk, at);

/** A server of the packed file that behaves as `ways` says, one after another. */
async function mirror(way) {
  const asked = [];
  const server = createServer((request, response) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range).map(Number);
    const end = Math.min(to + 1, whole.length);
    asked.push([from, end]);
    const did = way(asked.length, from);
    if (did === 'dead') return request.socket.destroy();
    if (did === 'gone') return response.writeHead(404).end();
    if (did === 'busy') return response.writeHead(503).end();
    const bytes = Buffer.from(whole.subarray(from, end));
    if (did === 'altered' && from > 0) bytes[10] ^= 1;
    if (did === 'header altered') bytes[100] ^= 1;
    response.writeHead(206, { 'content-range': `bytes ${from}-${end - 1}/${whole.length}`, 'content-length': bytes.length });
    if (did === 'cut') return response.write(bytes.subarray(0, 100), () => request.socket.destroy());
    response.end(bytes);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}/film.satchel`, asked };
}

const expected = { issuer: 'https://satchel.example', work: packed.work, version: 1, digest: packed.digest };
/** Reads everything from these sources and compares it. */
async function readAll(...mirrors) {
  const heard = [];
  const file = await openRemote(mirrors.map(({ url }) => url), expected, undefined, (url) => heard.push(mirrors.findIndex((one) => one.url === url)));
  const keyOf = await file.satchel.unlock(packed.contentKey);
  const read = [];
  for (const [i, { window }] of file.satchel.segments.entries()) read.push(await readSegment(file, i, keyOf(window)));
  assert.ok(Buffer.concat(read).equals(Buffer.from(plain)));
  return heard;
}

test('the header and the beginning come with one request', async () => {
  const shop = await mirror(() => 'ok');
  const { satchel, read } = await openRemote(shop.url, expected);
  const { from, to } = satchel.segmentRange(0);
  if (to < 1_048_576) await read(from, to);
  assert.equal(shop.asked.length, 1);
});

test('a source that is dead, gone, busy, cut short or altered is left for the next, wherever it fails', async () => {
  for (const fails of ['dead', 'gone', 'busy', 'cut', 'altered', 'header altered']) {
    const bad = await mirror(() => fails);
    const good = await mirror(() => 'ok');
    assert.deepEqual(await readAll(bad, good), [1], fails);
    const later = await mirror((n) => (n > 1 ? fails : 'ok'));
    const other = await mirror(() => 'ok');
    if (fails !== 'header altered') assert.deepEqual(await readAll(later, other), [1], `${fails}, later`);
  }
});

test('where no source is left it says why', async () => {
  const gone = await mirror(() => 'gone');
  await assert.rejects(openUrl([gone.url, gone.url]), { code: 'truncated' });
  const altered = await mirror(() => 'altered');
  await assert.rejects(readAll(altered), { code: 'tampered' });
  const wrong = await mirror(() => 'ok');
  await assert.rejects(openRemote(wrong.url, { ...expected, version: 2 }), { code: 'wrong_file' });
});

test('a source that recovers is read on', async () => {
  const shaky = await mirror((n) => (n === 2 ? 'busy' : 'ok'));
  assert.deepEqual(await readAll(shaky), []);
});

test('captions and chapters are read from the film’s own boxes, and hostile ones are no captions', async () => {
  const box = (type, ...parts) => {
    const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(type, 4, 'latin1');
    return Buffer.concat([head, body]);
  };
  const n = (...values) => Buffer.concat(values.map((value) => { const four = Buffer.alloc(4); four.writeUInt32BE(value); return four; }));
  const track = (kind, handler) => box('trak', box('tkhd', n(0, 0, 0, 7, 0)), box('mdia', box('mdhd', n(0, 0, 0, 1000, 0), [0x15, 0xc7, 0, 0]), box('hdlr', n(0, 0), handler, n(0, 0, 0)), box('minf', box('stbl', box('stsd', n(0, 1), box(kind, n(0, 0)))))));
  const chapter = (ms, title) => Buffer.concat([n(0, ms * 10_000), Buffer.from([title.length]), Buffer.from(title)]);
  const chapters = box('udta', box('chpl', [1, 0, 0, 0], n(0), [2], chapter(0, 'One'), chapter(5_000, 'Two')));
  const init = Buffer.concat([box('ftyp', 'iso5'), box('moov', track('wvtt', 'text'), box('mvex', box('trex', n(0, 7, 1, 2_000, 0, 0))), chapters)]);
  const read = readInit(init);
  assert.deepEqual(read.chapters, [{ startMs: 0, title: 'One' }, { startMs: 5_000, title: 'Two' }]);
  assert.equal(read.captions.language, 'eng');
  const cue = box('vttc', box('payl', 'Hello <b>there</b>'));
  const moof = (offset) => box('moof', box('traf', box('tfhd', n(0x20000, 7)), box('tfdt', n(0, 4_000)), box('trun', n(0x201, 2, offset), n(cue.length), n(box('vtte').length))));
  const segment = Buffer.concat([moof(moof(0).length + 8), box('mdat', cue, box('vtte'))]);
  assert.deepEqual(readCaptions(segment, read.captions), [{ from: 4, to: 6, text: 'Hello <b>there</b>' }]);
  assert.deepEqual(readInit(Buffer.from('nonsense')), { chapters: [], captions: null });
  // Any byte changed, any end cut off: words or none, never an exception or an endless loop.
  for (let i = 0; i < 20_000; i += 1) {
    const [a, b] = [Buffer.from(init), Buffer.from(segment)];
    for (const bytes of [a, b]) {
      for (let k = i % 4; k >= 0; k -= 1) bytes[Math.floor(Math.random() * bytes.length)] = Math.random() * 256;
    }
    const { captions } = readInit(a.subarray(0, 1 + Math.floor(Math.random() * a.length)));
    readCaptions(b.subarray(0, 1 + Math.floor(Math.random() * b.length)), captions ?? read.captions);
  }
});

test('a segment is opened as it arrives, the rest of its window comes with the same request, and an altered one is told at its end', async () => {
  const good = await mirror(() => 'ok');
  const file = await openRemote(good.url, expected);
  const keyOf = await file.satchel.unlock(packed.contentKey);
  const from = file.satchel.segmentRange(1).from;
  file.ahead(from, file.satchel.segmentRange(2).to, file.satchel.segmentRange(1).to);
  for (const i of [1, 2]) {
    const pieces = [];
    for await (const piece of readPieces(file, i, keyOf(i))) pieces.push(piece);
    assert.ok(pieces.length > 5);
    assert.ok(Buffer.concat(pieces).equals(Buffer.from(plain.subarray(i * 1_048_576, Math.min(plain.length, (i + 1) * 1_048_576)))));
  }
  assert.equal(good.asked.length, 2);
  const altered = await mirror((n) => (n > 1 ? 'altered' : 'ok'));
  const bad = await openRemote(altered.url, expected);
  await assert.rejects(async () => { for await (const piece of readPieces(bad, 2, keyOf(2))) assert.ok(piece); }, { code: /tampered|wrong_key/ });
});
