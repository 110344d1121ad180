// Captions and chapters that a film carries in its own file: a timed-text track (3GPP text or WebVTT in MP4) and the chapter list
// that tools write beside the tracks. They are the creator's bytes like all others, and opened window by window with them. Pure:
// bytes in, words out; whatever is not as expected is no caption.

const text = new TextDecoder();
const u32 = (bytes, at) => (at + 4 <= bytes.length ? ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0 : 0);
const u64 = (bytes, at) => u32(bytes, at) * 2 ** 32 + u32(bytes, at + 4);
const four = (bytes, at) => String.fromCharCode(...bytes.subarray(at, at + 4));

/** @yields {{type: string, at: number, from: number, to: number}} boxes of [from, to): where each begins, and its contents */
function* boxes(bytes, from = 0, to = bytes.length) {
  for (let at = from; at + 8 <= to; ) {
    let size = u32(bytes, at);
    let head = 8;
    if (size === 1) {
      size = u64(bytes, at + 8);
      head = 16;
    }
    if (size === 0) size = to - at;
    if (size < head || at + size > to) return;
    yield { type: four(bytes, at + 4), at, from: at + head, to: at + size };
    at += size;
  }
}

function find(bytes, [type, ...rest], from, to) {
  for (const box of boxes(bytes, from, to)) {
    if (box.type === type) return rest.length ? find(bytes, rest, box.from, box.to) : box;
  }
  return null;
}

/** Nero's list, which ffmpeg and others write: times in 100 ns. */
function chaptersOf(bytes, moov) {
  const box = find(bytes, ['udta', 'chpl'], moov.from, moov.to);
  if (!box) return [];
  let at = box.from + 4 + (bytes[box.from] === 1 ? 4 : 0);
  const found = [];
  for (let left = bytes[at++] ?? 0; left > 0 && at + 9 <= box.to; left -= 1) {
    const length = bytes[at + 8];
    found.push({ startMs: Math.round(u64(bytes, at) / 10_000), title: text.decode(bytes.subarray(at + 9, Math.min(at + 9 + length, box.to))) });
    at += 9 + length;
  }
  return found;
}

function languageOf(packed) {
  const code = String.fromCharCode(...[10, 5, 0].map((shift) => ((packed >> shift) & 31) + 0x60));
  return /^[a-z]{3}$/.test(code) && code !== 'und' ? code : '';
}

function trackOf(bytes, trak) {
  const at = (path) => find(bytes, path, trak.from, trak.to);
  const [tkhd, mdhd, hdlr, stsd] = [at(['tkhd']), at(['mdia', 'mdhd']), at(['mdia', 'hdlr']), at(['mdia', 'minf', 'stbl', 'stsd'])];
  if (!tkhd || !mdhd || !hdlr || !stsd || !['text', 'sbtl', 'subt', 'clcp'].includes(four(bytes, hdlr.from + 8))) return null;
  const kind = four(bytes, stsd.from + 12);
  if (kind !== 'tx3g' && kind !== 'wvtt') return null;
  const wide = bytes[mdhd.from] === 1;
  return {
    id: u32(bytes, tkhd.from + (bytes[tkhd.from] === 1 ? 20 : 12)), kind,
    timescale: u32(bytes, mdhd.from + (wide ? 20 : 12)) || 1,
    language: languageOf(u32(bytes, mdhd.from + (wide ? 32 : 20)) >>> 16),
  };
}

/**
 * @param {Uint8Array} init initialisation data of a film in MP4
 * @returns {{chapters: {startMs: number, title: string}[], captions: {id: number, kind: string, timescale: number, language: string, duration: number}|null}}
 */
export function readInit(init) {
  const moov = find(init, ['moov'], 0, init.length);
  if (!moov) return { chapters: [], captions: null };
  let captions = null;
  for (const box of boxes(init, moov.from, moov.to)) {
    if (box.type === 'trak') captions ??= trackOf(init, box);
  }
  const mvex = find(init, ['mvex'], moov.from, moov.to);
  if (captions && mvex) {
    for (const { type, from } of boxes(init, mvex.from, mvex.to)) {
      if (type === 'trex' && u32(init, from + 4) === captions.id) Object.assign(captions, { duration: u32(init, from + 12), size: u32(init, from + 16) });
    }
  }
  return { chapters: chaptersOf(init, moov), captions };
}

function wordsOf(bytes, kind) {
  if (kind === 'tx3g') return text.decode(bytes.subarray(2, 2 + ((bytes[0] << 8) | bytes[1])));
  const lines = [];
  for (const { type, from, to } of boxes(bytes)) {
    const payload = type === 'vttc' && find(bytes, ['payl'], from, to);
    if (payload) lines.push(text.decode(bytes.subarray(payload.from, payload.to)));
  }
  return lines.join('\n');
}

/** One run of samples: where each lies and when it is. */
function* samplesOf(bytes, traf, moofAt, track) {
  const tfhd = find(bytes, ['tfhd'], traf.from, traf.to);
  const tfdt = find(bytes, ['tfdt'], traf.from, traf.to);
  if (!tfhd || !tfdt || u32(bytes, tfhd.from + 4) !== track.id) return;
  const flags = u32(bytes, tfhd.from) & 0xff_ffff;
  let at = tfhd.from + 8;
  const take = (bit, width, fallback) => {
    if (!(flags & bit)) return fallback;
    at += width;
    return width === 8 ? u64(bytes, at - 8) : u32(bytes, at - 4);
  };
  const base = take(0x1, 8, moofAt);
  take(0x2, 4);
  const [duration, size] = [take(0x8, 4, track.duration ?? 0), take(0x10, 4, track.size ?? 0)];
  let time = bytes[tfdt.from] === 1 ? u64(bytes, tfdt.from + 4) : u32(bytes, tfdt.from + 4);
  for (const run of boxes(bytes, traf.from, traf.to)) {
    if (run.type !== 'trun') continue;
    const has = u32(bytes, run.from) & 0xff_ffff;
    let entry = run.from + 8;
    let place = base;
    if (has & 0x1) {
      place += u32(bytes, entry) | 0;
      entry += 4;
    }
    if (has & 0x4) entry += 4;
    const one = (bit, fallback) => {
      if (!(has & bit)) return fallback;
      entry += 4;
      return u32(bytes, entry - 4);
    };
    for (let left = u32(bytes, run.from + 4); left > 0 && entry <= run.to; left -= 1) {
      const lasts = one(0x100, duration);
      const length = one(0x200, size);
      one(0x400);
      one(0x800);
      if (place + length > bytes.length) return;
      yield { time, lasts, bytes: bytes.subarray(place, place + length) };
      time += lasts;
      place += length;
    }
  }
}

/**
 * @param {Uint8Array} segment fragments of the film @param {object} track `captions` of `readInit`
 * @returns {{from: number, to: number, text: string}[]} seconds
 */
export function readCaptions(segment, track) {
  const found = [];
  for (const moof of boxes(segment)) {
    if (moof.type !== 'moof') continue;
    for (const traf of boxes(segment, moof.from, moof.to)) {
      if (traf.type !== 'traf') continue;
      for (const sample of samplesOf(segment, traf, moof.at, track)) {
        const words = wordsOf(sample.bytes, track.kind).trim();
        const from = sample.time / track.timescale;
        if (words && sample.lasts > 0) found.push({ from, to: from + sample.lasts / track.timescale, text: words });
      }
    }
  }
  return found;
}

/**
 * Puts captions and chapters of a film into its element, as its parts are opened.
 * @param {HTMLMediaElement} media @param {{captions: string, chapters: string}} names
 * @returns {{init: (bytes: Uint8Array) => {captions: boolean, chapters: object[]}, part: (bytes: Uint8Array) => void}}
 */
export function follow(media, names) {
  const known = new Set();
  let track = null;
  let shown = null;
  return {
    init(bytes) {
      const { chapters, captions } = readInit(bytes);
      if (captions && !shown) {
        track = captions;
        shown = media.addTextTrack('captions', names.captions, captions.language);
        shown.mode = 'disabled';
      }
      return { captions: Boolean(shown), chapters };
    },
    part(bytes) {
      if (!shown) return;
      for (const { from, to, text: words } of readCaptions(bytes, track)) {
        const name = `${from} ${words}`;
        if (known.has(name)) continue;
        known.add(name);
        // A stranger's words: markup in them is shown as it stands.
        shown.addCue(new VTTCue(from, to, words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')));
      }
    },
  };
}
