import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { concat, u32be } from '../src/bytes.js';
import * as format from '../src/format.js';
import { generateKey } from '../src/keys.js';
import { planMp3, planMp4, sniff } from '../src/plan.js';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'satchel-plan-'));
after(() => rmSync(folder, { recursive: true }));
const media = (name, ...args) => {
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...args, join(folder, name)]);
  return new Uint8Array(readFileSync(join(folder, name)));
};
const VIDEO = (seconds) => ['-f', 'lavfi', '-i', `testsrc=size=320x180:rate=24:duration=${seconds}`];
const SOUND = (seconds) => ['-f', 'lavfi', '-i', `sine=duration=${seconds}`];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '48', '-pix_fmt', 'yuv420p'];
const FRAGMENTED = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-f', 'mp4'];
const needs = { skip: !hasFfmpeg && 'ffmpeg is not installed' };

function checkPlan(plan, bytes) {
  assert.equal(plan.segments.reduce((sum, one) => sum + one.plain_len, 0), bytes.length);
  format.encodeTable(plan.segments);
  const starts = plan.segments.filter((one) => one.flags === 0);
  for (const [i, one] of starts.entries()) {
    const next = starts[i + 1];
    if (next && next.window === one.window) assert.ok(one.plain_len >= 262_144, 'a segment ends early only where its window does');
    if (next && next.window !== one.window) {
      const first = starts.find((s) => s.window === one.window);
      assert.ok(next.start_ms - first.start_ms >= 10_000);
    }
  }
}

test('fragmented MP4 with H.264 and AAC', needs, async () => {
  const bytes = media('av.mp4', ...VIDEO(25), ...SOUND(25), ...H264, '-profile:v', 'baseline', '-c:a', 'aac', ...FRAGMENTED);
  const plan = await planMp4(format.bytesSource(bytes));
  checkPlan(plan, bytes);
  assert.match(plan.mse, /^video\/mp4; codecs="avc1\.42C0[0-9A-F]{2}, mp4a\.40\.2"$/);
  assert.deepEqual(plan.segments[0], { plain_len: bytes.length - plan.segments.slice(1).reduce((n, s) => n + s.plain_len, 0), window: 0, start_ms: 0, flags: format.INIT });
  // Each segment but the first begins with a fragment.
  let at = plan.segments[0].plain_len;
  for (const segment of plan.segments.slice(1)) {
    assert.equal(Buffer.from(bytes.subarray(at + 4, at + 8)).toString(), 'moof');
    at += segment.plain_len;
  }
  assert.deepEqual(plan.segments.slice(1).map((s) => s.window).filter((w, i, all) => all.indexOf(w) === i), [0, 1, 2]);
  // ffmpeg delays the picture by the encoder's priming of the sound.
  for (const w of [1, 2]) assert.ok(Math.abs(plan.segments.find((s) => s.window === w).start_ms - w * 10_000) < 100);
  assert.ok(Math.abs(plan.duration_ms - 25_000) < 100, String(plan.duration_ms));
});

test('B-frames: presentation time, not decoding time', needs, async () => {
  const bytes = media('b.mp4', ...VIDEO(12), '-c:v', 'libx264', '-preset', 'veryfast', '-bf', '3', '-g', '24', '-pix_fmt', 'yuv420p', ...FRAGMENTED);
  const plan = await planMp4(format.bytesSource(bytes));
  checkPlan(plan, bytes);
  // Without an edit list (empty_moov) the first picture is shown two frames after its decoding time.
  assert.equal(plan.segments[1].start_ms, 83);
  assert.equal(plan.segments.find((s) => s.window === 1).start_ms, 10_083);
  const edited = media('e.mp4', ...VIDEO(3), '-c:v', 'libx264', '-bf', '3', '-g', '24', '-pix_fmt', 'yuv420p', '-movflags', '+frag_keyframe+delay_moov+default_base_moof', '-f', 'mp4');
  assert.equal((await planMp4(format.bytesSource(edited))).segments[1].start_ms, 0);
});

test('other codecs and sound alone', needs, async () => {
  const of = async (name, ...args) => (await planMp4(format.bytesSource(media(name, ...args, ...FRAGMENTED)))).mse;
  assert.equal(await of('a.mp4', ...SOUND(15), '-c:a', 'aac'), 'audio/mp4; codecs="mp4a.40.2"');
  assert.equal(await of('f.mp4', ...SOUND(3), '-c:a', 'flac', '-strict', '-2'), 'audio/mp4; codecs="flac"');
  assert.equal(await of('o.mp4', ...SOUND(3), '-c:a', 'libopus'), 'audio/mp4; codecs="opus"');
  assert.equal(await of('m.mp4', ...SOUND(3), '-c:a', 'libmp3lame'), 'audio/mp4; codecs="mp4a.6B"');
  assert.match(await of('v.mp4', ...VIDEO(2), '-c:v', 'libvpx-vp9', '-deadline', 'realtime'), /^video\/mp4; codecs="vp09\.\d\d\.\d\d\.08"$/);
});

test('an ordinary MP4 asks to be remuxed; damaged ones are refused', needs, async () => {
  const plain = media('plain.mp4', ...VIDEO(2), ...H264, '-movflags', '+faststart', '-f', 'mp4');
  await assert.rejects(planMp4(format.bytesSource(plain)), { code: 'not_fragmented' });
  const good = media('good.mp4', ...VIDEO(4), ...H264, ...FRAGMENTED);
  for (let cut = 0; cut < good.length - 1; cut += 61) {
    await assert.rejects(planMp4(format.bytesSource(good.subarray(0, cut))), { name: 'SatchelError' }, `cut at ${cut}`);
  }
  let survived = 0;
  for (let at = 0; at < 3000; at += 1) {
    const changed = good.slice();
    changed[at] ^= 0x80;
    // Bits without meaning here may change; but nothing other than a refusal or a sound plan may come out.
    try {
      const plan = await planMp4(format.bytesSource(changed));
      assert.equal(plan.segments.reduce((sum, one) => sum + one.plain_len, 0), good.length);
      survived += 1;
    } catch (error) {
      assert.equal(error.name, 'SatchelError', `byte ${at}: ${error.stack}`);
    }
  }
  assert.ok(survived < 3000);
});

for (const [name, args] of Object.entries({ 'cbr.mp3': ['-b:a', '128k'], 'vbr.mp3': ['-q:a', '4'], 'tagged.mp3': ['-b:a', '320k', '-metadata', 'title=Night Train', '-write_id3v1', '1'], 'low.mp3': ['-ar', '22050', '-ac', '1', '-b:a', '48k'] })) {
  test(`MP3: ${name}`, needs, async () => {
    const bytes = media(name, ...SOUND(34), '-c:a', 'libmp3lame', ...args);
    const plan = await planMp3(format.bytesSource(bytes));
    checkPlan(plan, bytes);
    assert.equal(plan.mse, 'audio/mpeg');
    assert.equal(plan.segments[0].flags, format.INIT);
    assert.ok(Math.abs(plan.duration_ms - 34_000) < 150, String(plan.duration_ms));
    assert.equal(plan.segments.at(-1).window, 3);
    let at = 0;
    for (const segment of plan.segments) {
      if (segment.flags === 0) assert.ok(bytes[at] === 0xff && (bytes[at + 1] & 0xe0) === 0xe0, 'begins with a frame');
      at += segment.plain_len;
    }
    assert.equal(sniff(bytes.subarray(0, 64)), 'mp3');
  });
}

test('MP3: damage in the middle is stepped over, noise is refused', needs, async () => {
  const bytes = media('hurt.mp3', ...SOUND(20), '-c:a', 'libmp3lame', '-b:a', '128k');
  bytes.fill(0, 100_000, 105_000);
  const plan = await planMp3(format.bytesSource(bytes));
  checkPlan(plan, bytes);
  for (const noise of [new Uint8Array(0), new Uint8Array(3), new Uint8Array(5000), new Uint8Array(5000).fill(0xff), crypto.getRandomValues(new Uint8Array(60_000))]) {
    await assert.rejects(planMp3(format.bytesSource(noise)), { name: 'SatchelError' });
  }
});

test('a packed stream opens window by window', needs, async () => {
  const bytes = media('pack.mp4', ...VIDEO(25), ...SOUND(25), ...H264, '-c:a', 'aac', ...FRAGMENTED);
  const plan = await planMp4(format.bytesSource(bytes));
  let file = new Uint8Array(0);
  const sink = { write(at, part) {
    const grown = new Uint8Array(Math.max(file.length, at + part.length));
    grown.set(file);
    grown.set(part, at);
    file = grown;
  } };
  const creatorKey = await generateKey();
  const { contentKey } = await format.packTo(sink, format.bytesSource(bytes), {
    creatorKey, nonce: new Uint8Array(16), issuer: 'https://a.example', title: 't', name: 'n.mp4', mediaType: 'video/mp4', mse: plan.mse, durationMs: plan.duration_ms,
    terms: { usd_micros: 100, use: 'stream', pay_more: false }, segments: plan.segments,
  });
  const satchel = await format.openHeader(async (from, to) => file.slice(from, to), { size: file.length });
  assert.equal(satchel.windows, 3);
  const keyOf = await satchel.unlock(contentKey);
  const parts = [];
  for (let window = 0; window < satchel.windows; window += 1) {
    const { first, last } = satchel.windowSegments(window);
    for (let i = first; i <= last; i += 1) {
      const { from, to } = satchel.segmentRange(i);
      parts.push(await satchel.openSegment(i, file.slice(from, to), await keyOf(window)));
    }
  }
  assert.deepEqual(concat(...parts), bytes);
  assert.equal(satchel.segments[satchel.segmentAt(0)].start_ms, 0);
  assert.equal(satchel.segmentAt(0), 1, 'not the initialisation data');
  assert.equal(satchel.segments[satchel.segmentAt(19_999)].window, 1);
  assert.equal(satchel.segmentAt(1e9), satchel.segments.length - 1);
});

test('an MP4 of more boxes than the limit is refused', async () => {
  const box = (type, length) => concat(u32be(length), new TextEncoder().encode(type), new Uint8Array(length - 8));
  const free = box('free', 8);
  const file = new Uint8Array(16 + 8 * 1_048_576);
  file.set(box('ftyp', 16));
  for (let at = 16; at < file.length; at += 8) file.set(free, at);
  await assert.rejects(planMp4(format.bytesSource(file)), { code: 'not_streamable', detail: 'It consists of too many pieces' });
  await assert.rejects(planMp4(format.bytesSource(concat(file.subarray(0, 16), u32be(16_777_217 + 8), new TextEncoder().encode('moof'), new Uint8Array(16_777_217)))), { code: 'malformed' });
});

test('kinds are told by content', () => {
  const text = (s) => new TextEncoder().encode(s);
  assert.equal(sniff(concat(u32be(24), text('ftypisom....'))), 'mp4');
  assert.equal(sniff(Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3, 0, 0, 0, 0, 0, 0, 0, 0)), 'webm');
  assert.equal(sniff(text('ID3.........')), 'mp3');
  assert.equal(sniff(text('%PDF-1.7....')), 'other');
  assert.equal(sniff(new Uint8Array(0)), 'other');
});
