// Feeds decrypted segments to a <video> or <audio> by Media Source Extensions, always only a little ahead of the
// playhead: what was not asked for was not released, which is the whole point of a streamed work.

/** Windows after the one being played that may be fetched. No more: of what may be opened at once, something stays for a seek. */
const AHEAD = 1;
/** Seconds already played that stay in the buffer, so that a short step back costs nothing. */
const BEHIND_S = 30;
/** A hole shorter than this is stepped over: encoders start the first frame some milliseconds late. */
const GAP_S = 0.5;

/**
 * @typedef {object} Media what the feeder plays
 * @property {string} type for `addSourceBuffer`
 * @property {number} [durationMs]
 * @property {{window: number, startMs: number, init: boolean}[]} segments
 * @property {(index: number, signal: AbortSignal) => Promise<Uint8Array>} read plaintext of a segment
 * @property {(index: number, signal: AbortSignal) => AsyncIterable<Uint8Array>} [pieces] the same as it arrives, for a segment that
 *   somebody waits for; it throws at its end where what came was not the creator's
 */

const Source = () => self.ManagedMediaSource ?? self.MediaSource;

/** @param {string} type @returns {boolean} whether this browser can play `type` piece by piece */
export const canFeed = (type) => Boolean(Source()?.isTypeSupported(type));

/**
 * Plan of what to append next. Pure, so that it is tested without a browser.
 * @param {{window: number, startMs: number, init: boolean}[]} segments
 * @param {Set<number>} have segments in the buffer
 * @param {number} timeMs the playhead
 * @returns {number} index of the next segment; −1 when enough is buffered; −2 when all to the end is
 */
export function nextSegment(segments, have, timeMs) {
  for (let i = 0; i < segments.length && segments[i].init; i += 1) if (!have.has(i)) return i;
  let i = segmentAt(segments, timeMs);
  const limit = segments[i].window + AHEAD;
  while (i < segments.length && have.has(i)) i += 1;
  if (i === segments.length) return -2;
  return segments[i].window > limit ? -1 : i;
}

/** @returns {number} index of the last segment of samples that starts at or before `timeMs` */
export function segmentAt(segments, timeMs) {
  let at = segments.findIndex((segment) => !segment.init);
  if (at < 0) return segments.length - 1;
  let end = segments.length - 1;
  while (at < end) {
    const middle = Math.ceil((at + end) / 2);
    if (segments[middle].startMs <= timeMs) at = middle;
    else end = middle - 1;
  }
  return at;
}

/**
 * Attaches `work` to `media`. Returns at once; errors of reading and decoding go to `onError`, and playing goes on
 * after `retry()`.
 * @param {HTMLMediaElement} media
 * @param {Media} work
 * @param {{onError: (error: unknown) => void}} hooks
 * @returns {{retry: () => void, stop: () => void}}
 */
export function feed(media, work, { onError }) {
  const Kind = Source();
  const source = new Kind();
  const { segments } = work;
  const have = new Set();
  const rescued = new Map();
  const reads = new Map();
  let buffer = null;
  let run = new AbortController();
  let busy = false;
  let stopped = false;
  let failed = false;
  let last = -1;
  // Somebody waits for what comes next: after the start and after a jump.
  let urgent = true;

  // Safari gives a ManagedMediaSource to elements only that can't be cast elsewhere.
  if (Kind === self.ManagedMediaSource) media.disableRemotePlayback = true;
  const url = URL.createObjectURL(source);
  media.src = url;

  const now = () => media.currentTime * 1000;
  const covered = (seconds) => {
    for (let i = 0; i < media.buffered.length; i += 1) {
      if (media.buffered.start(i) <= seconds && seconds < media.buffered.end(i)) return true;
    }
    return false;
  };

  /** One operation on the source buffer: it does one at a time and says when it is done. */
  const settle = (start) =>
    new Promise((resolve, reject) => {
      const done = (event) => {
        buffer.removeEventListener('updateend', done);
        buffer.removeEventListener('error', done);
        if (event.type === 'error') reject(new DOMException('The browser could not decode this part', 'EncodingError'));
        else resolve();
      };
      buffer.addEventListener('updateend', done);
      buffer.addEventListener('error', done);
      try {
        start();
      } catch (error) {
        buffer.removeEventListener('updateend', done);
        buffer.removeEventListener('error', done);
        reject(error);
      }
    });

  /** Removes segments [from, to) from the buffer. */
  const forget = async (from, to) => {
    const start = from < segments.length ? segments[from].startMs / 1000 : Infinity;
    const end = to < segments.length ? segments[to].startMs / 1000 : Infinity;
    let any = false;
    for (let i = from; i < to; i += 1) if (!segments[i].init && have.delete(i)) any = true;
    if (any && start < end) await settle(() => buffer.remove(start, end));
  };

  const evict = async (behind) => {
    const first = segments.findIndex((segment) => !segment.init);
    const keep = segmentAt(segments, Math.max(0, now() - behind * 1000));
    if (keep > first) await forget(first, keep);
  };

  // Raw audio (MP3) has no timestamps of its own: after a jump it is told where it stands.
  const place = (index) => {
    if (buffer.mode === 'sequence' && index !== last + 1) buffer.timestampOffset = segments[index].startMs / 1000;
  };

  /** Appends a segment while it arrives. @returns {Promise<boolean>} false where it has to be read again as a whole */
  const appendPieces = async (index, mine) => {
    place(index);
    try {
      for await (const piece of work.pieces(index, mine.signal)) {
        if (mine !== run || stopped) break;
        if (piece.length > 0) await settle(() => buffer.appendBuffer(piece));
      }
    } catch (error) {
      if (source.readyState === 'open') buffer.abort();
      if (mine !== run || stopped || error.code === 'tampered' || error.name === 'QuotaExceededError') return false;
      throw error;
    }
    if (mine !== run || stopped) {
      // Half of a fragment is no fragment.
      if (source.readyState === 'open') buffer.abort();
      return false;
    }
    have.add(index);
    last = index;
    return true;
  };

  const append = async (index, bytes) => {
    place(index);
    try {
      await settle(() => buffer.appendBuffer(bytes));
    } catch (error) {
      if (error.name !== 'QuotaExceededError') throw error;
      // The browser's buffer is full: keep what is about to be played and nothing else.
      await evict(2);
      await forget(Math.min(index + 1, segments.length), segments.length);
      await settle(() => buffer.appendBuffer(bytes));
    }
    have.add(index);
    last = index;
  };

  /** Reads one segment, and begins with the one after it, so that network and decoder work at the same time. */
  const read = (index) => {
    const one = (i) => {
      if (!reads.has(i)) {
        const reading = work.read(i, run.signal);
        reading.catch(() => {});
        reads.set(i, reading);
      }
      return reads.get(i);
    };
    const wanted = one(index);
    const after = nextSegment(segments, new Set([...have, index]), now());
    // What somebody waits for comes alone and as it arrives.
    if (after > index && !urgent) one(after);
    return wanted;
  };

  const pump = async () => {
    if (busy || stopped || failed || !buffer) return;
    busy = true;
    try {
      while (!stopped) {
        // iOS says when it wants data; feeding at other times is thrown away.
        if (source.streaming === false) break;
        const index = nextSegment(segments, have, now());
        if (index === -2 && source.readyState === 'open') source.endOfStream();
        if (index < 0) break;
        const mine = run;
        if (urgent && work.pieces && !segments[index].init) {
          urgent = false;
          await appendPieces(index, mine);
          continue;
        }
        let bytes;
        try {
          bytes = await read(index);
        } catch (error) {
          if (mine !== run || stopped) continue;
          throw error;
        } finally {
          if (mine === run) reads.delete(index);
        }
        // The viewer has jumped meanwhile: what was read for the old place may not be wanted.
        if (mine !== run) continue;
        await append(index, bytes);
        await evict(BEHIND_S);
      }
    } catch (error) {
      if (!stopped) {
        failed = true;
        reads.clear();
        onError(error);
      }
    } finally {
      busy = false;
    }
  };

  const jump = () => {
    if (covered(media.currentTime)) return void pump();
    run.abort();
    run = new AbortController();
    reads.clear();
    rescued.clear();
    urgent = true;
    pump();
  };

  /** The playhead stands where nothing is: either a small hole, or the browser threw something away by itself. */
  const rescue = () => {
    const at = media.currentTime;
    if (stopped || busy || covered(at)) return;
    for (let i = 0; i < media.buffered.length; i += 1) {
      const start = media.buffered.start(i);
      if (start > at && start - at < GAP_S) {
        media.currentTime = start + 0.001;
        return;
      }
    }
    const index = segmentAt(segments, now());
    const tries = rescued.get(index) ?? 0;
    if (have.has(index) && tries < 2) {
      rescued.set(index, tries + 1);
      have.delete(index);
      pump();
    }
  };

  const events = [['seeking', jump], ['timeupdate', pump], ['play', pump], ['waiting', rescue]];
  for (const [name, act] of events) media.addEventListener(name, act);
  const timer = setInterval(() => {
    if (!media.paused || media.seeking) rescue();
    pump();
  }, 1000);
  source.addEventListener('startstreaming', pump);
  source.addEventListener('sourceopen', () => {
    if (buffer) return;
    URL.revokeObjectURL(url);
    try {
      if (work.durationMs) source.duration = work.durationMs / 1000;
      buffer = source.addSourceBuffer(work.type);
    } catch (error) {
      onError(error);
      return;
    }
    pump();
  });

  return {
    retry() {
      failed = false;
      jump();
    },
    stop() {
      stopped = true;
      run.abort();
      clearInterval(timer);
      for (const [name, act] of events) media.removeEventListener(name, act);
      media.removeAttribute('src');
      media.load();
    },
  };
}
