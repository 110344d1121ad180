// Where to cut media for streaming (docs/FORMAT.md §2): fragmented MP4 at its fragments, MP3 at its frames.
// Reads headers only, so a plan of a large file costs little more than a walk over its boxes.
// shared/format/src/plan/ gives the same plans in Rust; cli/tests/it/stream.rs compares them.
import { readU32 } from './bytes.js';
import { SatchelError, check } from './errors.js';
import { INIT, LIMITS, checkSegments } from './format.js';

const WINDOW_MS = 10_000;
const ENOUGH = 262_144;
/** A fragment that can't be decoded on its own joins the one before, up to this many bytes: memory stays bounded. */
const JOIN_LIMIT = 33_554_432;
const MOOV_LIMIT = 67_108_864;
const MOOF_LIMIT = 16_777_216;
/** Most boxes an MP4 may consist of. */
const BOX_LIMIT = 1_048_576;
/** Every sampling rate of MP3 divides it: sums of frames are whole numbers, so exact. */
const TICKS_PER_SECOND = 14_112_000;

/** @typedef {{segments: import('./format.js').Segment[], mse: string, duration_ms: number}} StreamPlan */

const refused = (detail, next) => new SatchelError('not_streamable', 'This file cannot be streamed as it is', { detail, next });
const OFFER = 'Offer it as a download, or convert it to MP4 (H.264 and AAC) or MP3.';

/**
 * Gathers fragments into segments and windows.
 * @param {AsyncIterable<{length: number, start_ms: number}> | Iterable<{length: number, start_ms: number}>} fragments
 * @param {number} init bytes before the first fragment
 * @returns {Promise<import('./format.js').Segment[]>}
 */
async function gather(fragments, init) {
  const segments = init > 0 ? [{ plain_len: init, window: 0, start_ms: 0, flags: INIT }] : [];
  let windowStart = null;
  let current = null;
  for await (const { length, start_ms } of fragments) {
    // Clocks of some encoders step back by a millisecond; the table may not.
    const start = Math.max(0, Math.round(start_ms), segments.at(-1)?.start_ms ?? 0);
    check(start <= 0xffffffff, 'a time beyond what the table can hold');
    windowStart ??= start;
    const turn = start >= windowStart + WINDOW_MS;
    if (!current || turn || current.plain_len >= ENOUGH) {
      if (turn) windowStart = start;
      current = { plain_len: 0, window: current ? current.window + (turn ? 1 : 0) : 0, start_ms: start, flags: 0 };
      segments.push(current);
      // Refused below; what a table can't hold need not be gathered.
      if (segments.length > LIMITS.segments) break;
    }
    current.plain_len += length;
  }
  checkSegments(segments);
  return segments;
}

// ---------------------------------------------------------------- MP4

/** Boxes of [from, to) from a source: type, start of content and end. Reads 16 bytes each. */
async function* topBoxes(source) {
  for (let at = 0; at + 8 <= source.size; ) {
    const head = await source.read(at, Math.min(at + 16, source.size));
    const box = boxAt(head, 0, source.size - at);
    yield { type: box.type, from: at, content: at + box.head, to: at + box.size };
    at += box.size;
  }
}

function boxAt(bytes, at, room) {
  const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
  let size = readU32(bytes, at);
  let head = 8;
  if (size === 1) {
    check(at + 16 <= bytes.length, 'MP4: box ends too early');
    size = readU32(bytes, at + 8) * 2 ** 32 + readU32(bytes, at + 12);
    head = 16;
  } else if (size === 0) size = room;
  if (size < head || size > room) throw refused('The file is damaged or cut short', 'Export it again.');
  return { type, size, head };
}

/** Children of a box held in memory: `[type, bytes of its content]`. */
function* children(bytes, from = 0) {
  for (let at = from; at + 8 <= bytes.length; ) {
    const box = boxAt(bytes, at, bytes.length - at);
    yield [box.type, bytes.subarray(at + box.head, at + box.size)];
    at += box.size;
  }
}

const child = (bytes, type, from) => {
  for (const [name, content] of children(bytes, from)) if (name === type) return content;
  return null;
};
const descend = (bytes, ...types) => types.reduce((content, type) => content && child(content, type), bytes);
const u64 = (bytes, at) => readU32(bytes, at) * 2 ** 32 + readU32(bytes, at + 4);
const hex2 = (...bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('');
const dec2 = (value) => String(value).padStart(2, '0');

function readTrack(trak) {
  const tkhd = child(trak, 'tkhd');
  const mdhd = descend(trak, 'mdia', 'mdhd');
  const hdlr = descend(trak, 'mdia', 'hdlr');
  const stsd = descend(trak, 'mdia', 'minf', 'stbl', 'stsd');
  check(tkhd && mdhd && hdlr && stsd, 'MP4: track without its boxes');
  const kind = String.fromCharCode(...hdlr.subarray(8, 12));
  const elst = descend(trak, 'edts', 'elst');
  return {
    id: readU32(tkhd, tkhd[0] === 1 ? 20 : 12),
    kind: kind === 'vide' ? 'video' : kind === 'soun' ? 'audio' : 'other',
    timescale: readU32(mdhd, mdhd[0] === 1 ? 20 : 12),
    codec: codecOf(stsd, kind),
    shift: elst ? editShift(elst) : 0,
  };
}

/** Media time at which presentation begins: the first edit that isn't empty. */
function editShift(elst) {
  const wide = elst[0] === 1;
  for (let i = 0, at = 8; i < readU32(elst, 4); i += 1, at += wide ? 20 : 12) {
    const time = wide ? u64(elst, at + 8) : readU32(elst, at + 4);
    if (time !== (wide ? 2 ** 64 - 1 : 2 ** 32 - 1) && time < 2 ** 53) return time;
  }
  return 0;
}

/** The codec's name for MSE (RFC 6381), or null where this code doesn't know it. */
function codecOf(stsd, kind) {
  for (const [type, entry] of children(stsd, 8)) {
    const config = (name, least = 0) => {
      const found = child(entry, name, kind === 'vide' ? 78 : 28 + (entry[9] === 1 ? 16 : 0));
      check(!found || found.length >= least, 'MP4: a codec’s configuration ends too early');
      return found;
    };
    if (type === 'avc1' || type === 'avc3') {
      const avcc = config('avcC', 4);
      return avcc && `${type}.${hex2(avcc[1], avcc[2], avcc[3])}`;
    }
    if (type === 'hvc1' || type === 'hev1') {
      const hvcc = config('hvcC', 13);
      return hvcc && `${type}.${hevc(hvcc)}`;
    }
    if (type === 'vp09') {
      const vpcc = config('vpcC', 7);
      return vpcc && `vp09.${dec2(vpcc[4])}.${dec2(vpcc[5])}.${dec2(vpcc[6] >> 4)}`;
    }
    if (type === 'av01') {
      const av1c = config('av1C', 3);
      if (!av1c) return null;
      const depth = av1c[2] & 0x40 ? (av1c[2] & 0x20 ? 12 : 10) : 8;
      return `av01.${av1c[1] >> 5}.${dec2(av1c[1] & 31)}${av1c[2] & 0x80 ? 'H' : 'M'}.${dec2(depth)}`;
    }
    if (type === 'mp4a') {
      const esds = config('esds') ?? (child(entry, 'wave', 28) && descend(child(entry, 'wave', 28), 'esds'));
      return esds && aac(esds);
    }
    if (type === 'Opus') return 'opus';
    if (type === 'fLaC') return 'flac';
    if (type === '.mp3') return 'mp4a.6B';
    if (type === 'ac-3' || type === 'ec-3') return type;
    return null;
  }
  return null;
}

function hevc(hvcc) {
  const space = ['', 'A', 'B', 'C'][hvcc[1] >> 6];
  let flags = readU32(hvcc, 2);
  let reversed = 0;
  for (let i = 0; i < 32; i += 1, flags >>>= 1) reversed = ((reversed << 1) | (flags & 1)) >>> 0;
  const constraints = [...hvcc.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  const tail = constraints.map((byte) => `.${byte.toString(16).toUpperCase()}`).join('');
  return `${space}${hvcc[1] & 31}.${reversed.toString(16).toUpperCase()}.${hvcc[1] & 32 ? 'H' : 'L'}${hvcc[12]}${tail}`;
}

/** ISO 14496-1 descriptors: ES (3) → decoder config (4) → specific info (5). */
function aac(esds) {
  let at = 4;
  const descriptor = (tag) => {
    if (esds[at] !== tag) return false;
    at += 1;
    while (esds[at] & 0x80) at += 1;
    at += 1;
    return true;
  };
  if (!descriptor(3)) return null;
  const flags = esds[at + 2];
  at += 3 + (flags & 0x80 ? 2 : 0) + (flags & 0x20 ? 2 : 0);
  if (flags & 0x40) at += 1 + esds[at];
  if (!descriptor(4)) return null;
  const type = esds[at];
  if (type === undefined) return null;
  at += 13;
  if (type !== 0x40) return `mp4a.${hex2(type)}`;
  if (!descriptor(5)) return 'mp4a.40.2';
  let object = esds[at] >> 3;
  if (object === 31) object = 32 + ((esds[at] & 7) << 3) + (esds[at + 1] >> 5);
  return `mp4a.40.${object}`;
}

/** What a `moof` says of the track that times are taken from. */
function readFragment(moof, track, defaults) {
  for (const [type, traf] of children(moof)) {
    const tfhd = type === 'traf' && child(traf, 'tfhd');
    if (!tfhd || readU32(tfhd, 4) !== track.id) continue;
    const has = readU32(tfhd, 0) & 0xffffff;
    let at = 8 + (has & 1 ? 8 : 0) + (has & 2 ? 4 : 0);
    let { duration, flags } = defaults.get(track.id) ?? { duration: 0, flags: 0 };
    if (has & 8) {
      duration = readU32(tfhd, at);
      at += 4;
    }
    if (has & 16) at += 4;
    if (has & 32) flags = readU32(tfhd, at);
    const tfdt = child(traf, 'tfdt');
    if (!tfdt) throw refused('A fragment has no start time', OFFER);
    const start = tfdt[0] === 1 ? u64(tfdt, 4) : readU32(tfdt, 4);
    let length = 0;
    let first = null;
    for (const [name, trun] of children(traf)) {
      if (name !== 'trun') continue;
      const run = readRun(trun, duration, flags);
      first ??= run;
      length += run.duration;
    }
    return { start: start + (first?.offset ?? 0), end: start + length, sync: !((first?.flags ?? flags) & 0x10000) };
  }
  return null;
}

function readRun(trun, defaultDuration, defaultFlags) {
  const has = readU32(trun, 0) & 0xffffff;
  const count = readU32(trun, 4);
  let at = 8 + (has & 1 ? 4 : 0);
  let flags = defaultFlags;
  if (has & 4) {
    flags = readU32(trun, at);
    at += 4;
  }
  const step = [0x100, 0x200, 0x400, 0x800].reduce((sum, bit) => sum + (has & bit ? 4 : 0), 0);
  check(at + step * count <= trun.length, 'MP4: trun ends too early');
  let duration = has & 0x100 ? 0 : defaultDuration * count;
  if (has & 0x100) for (let i = 0; i < count; i += 1) duration += readU32(trun, at + i * step);
  const before = (bit) => (has & bit ? 4 : 0);
  if (count > 0 && has & 0x400 && !(has & 4)) flags = readU32(trun, at + before(0x100) + before(0x200));
  // Version 1 offsets are signed; version 0 ones above 2^31 are not real either.
  const offset = count > 0 && has & 0x800 ? readU32(trun, at + before(0x100) + before(0x200) + before(0x400)) | 0 : 0;
  return { duration, flags, offset };
}

/**
 * @param {import('./format.js').Source} source a fragmented MP4
 * @returns {Promise<StreamPlan>}
 * @throws {SatchelError} `not_fragmented` (remux it first), `not_streamable`, `malformed`
 */
export async function planMp4(source) {
  // A fragment begins with what is written before its moof and ends where the next begins.
  const LEAD = new Set(['styp', 'sidx', 'emsg', 'prft', 'free', 'skip']);
  let moov = null;
  let first = '';
  let end = 0;
  let count = 0;
  let lead = null;
  const starts = [];
  for await (const box of topBoxes(source)) {
    first ||= box.type;
    count += 1;
    if (count > BOX_LIMIT) throw refused('It consists of too many pieces', OFFER);
    if (box.type === 'moov') {
      check(box.to - box.content <= MOOV_LIMIT, 'MP4: moov is too large');
      moov = await source.read(box.content, box.to);
    }
    if (box.type === 'moof') {
      check(box.to - box.content <= MOOF_LIMIT, 'MP4: moof is too large');
      // What leads up to the first fragment is part of the initialisation data.
      starts.push({ from: starts.length > 0 ? lead ?? box.from : box.from, moof: box });
    }
    lead = LEAD.has(box.type) ? lead ?? box.from : null;
    end = box.to;
  }
  if (first !== 'ftyp' && !moov) throw refused('It is not an MP4 file', OFFER);
  if (!moov || end !== source.size) throw refused('The file is damaged or cut short', 'Export it again.');
  const mvex = child(moov, 'mvex');
  if (!mvex || starts.length === 0) throw new SatchelError('not_fragmented', 'This MP4 has to be rearranged for streaming', { next: 'Remux it to fragmented MP4.' });

  const tracks = [];
  const defaults = new Map();
  for (const [type, content] of children(moov)) if (type === 'trak') tracks.push(readTrack(content));
  for (const [type, trex] of children(mvex)) if (type === 'trex') defaults.set(readU32(trex, 4), { duration: readU32(trex, 12), flags: readU32(trex, 20) });
  const media = tracks.filter((track) => track.kind !== 'other');
  const track = media.find((one) => one.kind === 'video') ?? media[0];
  if (!track) throw refused('It has neither sound nor picture', OFFER);
  if (media.some((one) => !one.codec)) throw refused('It holds a kind of sound or picture that players here do not know', OFFER);
  check(track.timescale > 0, 'MP4: timescale');

  const init = starts[0].from;
  let ends = 0;
  async function* fragments() {
    let open = null;
    for (const [i, { from, moof }] of starts.entries()) {
      const length = (starts[i + 1]?.from ?? source.size) - from;
      const found = readFragment(await source.read(moof.content, moof.to), track, defaults);
      if (found) ends = Math.max(ends, found.end - track.shift);
      // Only a fragment of the timing track that begins with a key frame is a point to seek to.
      const cut = found?.sync || (open?.length ?? 0) + length > JOIN_LIMIT;
      if (open && !cut) {
        open.length += length;
        continue;
      }
      if (open) yield open;
      open = { length, start_ms: found ? ((found.start - track.shift) * 1000) / track.timescale : 0 };
    }
    if (open) yield open;
  }
  const segments = await gather(fragments(), init);
  const codecs = media.map((one) => one.codec).join(', ');
  const duration_ms = Math.max(0, Math.round((ends * 1000) / track.timescale));
  check(Number.isSafeInteger(duration_ms), 'MP4: it lasts longer than can be written');
  return { segments, mse: `${track.kind}/mp4; codecs="${codecs}"`, duration_ms };
}

// ---------------------------------------------------------------- MP3

const KBPS = {
  1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const HERTZ = [44100, 48000, 32000];

/** MPEG-1/2/2.5 Layer III frame header, or null. */
function frameAt(bytes, at) {
  if (at + 4 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1] & 0xe6) !== 0xe2) return null;
  const version = (bytes[at + 1] >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const rate = (bytes[at + 2] >> 2) & 3;
  const kbps = KBPS[version === 3 ? 1 : 2][bytes[at + 2] >> 4];
  if (version === 1 || rate === 3 || !kbps) return null;
  const hertz = HERTZ[rate] / (version === 3 ? 1 : version === 2 ? 2 : 4);
  const samples = version === 3 ? 1152 : 576;
  return { length: Math.floor(((samples / 8) * kbps * 1000) / hertz) + ((bytes[at + 2] >> 1) & 1), samples, hertz, mono: bytes[at + 3] >> 6 === 3, version };
}

/** @param {Uint8Array} bytes @returns {boolean} whether they begin with the header of an MP3 frame */
export const isMp3Frame = (bytes) => frameAt(bytes, 0) !== null;

/** Whether a frame carries an encoder's table (Xing, Info, VBRI) and no sound. */
function isTable(bytes, at, frame) {
  const side = frame.version === 3 ? (frame.mono ? 17 : 32) : frame.mono ? 9 : 17;
  const tag = (from) => String.fromCharCode(...bytes.subarray(from, from + 4));
  return ['Xing', 'Info'].includes(tag(at + 4 + side)) || tag(at + 36) === 'VBRI';
}

/** Walks the frames with one buffer of a mebibyte. Yields offset, samples and rate of each. */
async function* mp3Frames(source, from) {
  const STEP = 1_048_576;
  let base = from;
  let bytes = await source.read(base, Math.min(base + STEP, source.size));
  let at = 0;
  for (;;) {
    if (at + 2048 > bytes.length && base + bytes.length < source.size) {
      base += at;
      bytes = await source.read(base, Math.min(base + STEP, source.size));
      at = 0;
    }
    const frame = frameAt(bytes, at);
    if (!frame) {
      if (base + at >= source.size || isTrailer(bytes, at)) return;
      // Damage inside the music is skipped as a player would: to the next header that another one follows.
      let next = at + 1;
      while (next + 4 <= bytes.length && !follows(bytes, next)) next += 1;
      if (next + 4 > bytes.length) {
        if (base + bytes.length >= source.size) return;
        at = Math.max(at + 1, bytes.length - 2048);
        continue;
      }
      at = next;
      continue;
    }
    if (base + at + frame.length > source.size) return;
    yield { offset: base + at, ...frame, table: isTable(bytes, at, frame) };
    at += frame.length;
  }
}

const isTrailer = (bytes, at) => ['TAG', 'APE'].includes(String.fromCharCode(...bytes.subarray(at, at + 3)));

function follows(bytes, at) {
  const frame = frameAt(bytes, at);
  return frame && (at + frame.length + 4 > bytes.length || frameAt(bytes, at + frame.length) !== null);
}

/** @param {Uint8Array} head at least 10 bytes @returns {number} bytes of the ID3v2 tag at the file's start */
function id3Length(head) {
  if (String.fromCharCode(...head.subarray(0, 3)) !== 'ID3' || head.length < 10) return 0;
  const size = (head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9];
  return 10 + size + (head[5] & 0x10 ? 10 : 0);
}

/**
 * @param {import('./format.js').Source} source an MP3 file; its bytes stay as they are
 * @returns {Promise<StreamPlan>} what comes before the first sound (tags, encoder's table) is initialisation data
 * @throws {SatchelError} `not_streamable`
 */
export async function planMp3(source) {
  const tag = id3Length(await source.read(0, Math.min(10, source.size)));
  let init = null;
  let ticks = 0;
  let previous = null;
  let count = 0;
  async function* fragments() {
    for await (const frame of mp3Frames(source, Math.min(tag, source.size))) {
      if (init === null && frame.table) continue;
      init ??= frame.offset;
      if (previous !== null) yield { length: frame.offset - previous.offset, start_ms: previous.start_ms };
      previous = { offset: frame.offset, start_ms: (ticks * 1000) / TICKS_PER_SECOND };
      ticks += frame.samples * (TICKS_PER_SECOND / frame.hertz);
      count += 1;
    }
    // What follows the last frame (ID3v1, APE) stays with it.
    if (previous) yield { length: source.size - previous.offset, start_ms: previous.start_ms };
  }
  const list = await gather(fragments(), 0).catch((error) => {
    if (count === 0) return null;
    throw error;
  });
  // A few bytes that look like a header are no music: ask for a quarter of a second of it.
  if (!list || count < 10) throw refused('No MP3 sound was found in it', OFFER);
  const segments = init > 0 ? [{ plain_len: init, window: 0, start_ms: 0, flags: INIT }, ...list] : list;
  checkSegments(segments);
  return { segments, mse: 'audio/mpeg', duration_ms: Math.round((ticks * 1000) / TICKS_PER_SECOND) };
}

/** @param {Uint8Array} head the file's first 12 bytes or more @returns {'mp4'|'mp3'|'webm'|'other'} by content; names and media types lie */
export function sniff(head) {
  const four = (at) => String.fromCharCode(...head.subarray(at, at + 4));
  if (['ftyp', 'styp', 'moov', 'moof'].includes(four(4)) || (four(4) === 'wide' || four(4) === 'mdat')) return 'mp4';
  if (head.length >= 4 && readU32(head, 0) === 0x1a45dfa3) return 'webm';
  if (four(0).startsWith('ID3') || frameAt(head, 0)) return 'mp3';
  return 'other';
}
