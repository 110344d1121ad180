// Reads a packed file by HTTP ranges, from whichever of its sources answers: the header and what follows it with one
// request, then any segment with one more. All sources hold the same public bytes; what is not the creator's is noticed
// wherever it came from (docs/FORMAT.md §4).
import { concat, equal } from '../../../sdk/js/src/bytes.js';
import * as cobblestone from '../../../sdk/js/src/cobblestone.js';
import { leafHash, openHeader, segmentContext, segmentKey } from '../../../sdk/js/src/format.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { sleep } from '../../../sdk/js/src/client.js';

/** The first request: most headers are 16 KiB, and the beginning of the work comes with it. */
const HEAD = 1_048_576;
/** Runs of segments kept while they arrive: what is played, and what comes next. */
const SPANS = 2;
/** Chunks of a segment that are opened together while it arrives, at most. */
const PIECE = 8;
/** Pauses before reading the same range again, where there is no other source. */
const RETRIES_MS = [400, 1500, 4000];
/** A source that has not begun to answer by then is slower than trying another. */
const PATIENCE_MS = 8000;

/** Bytes of the whole file, where the server lets other pages read that. */
function sizeOf({ headers }) {
  const [, size] = /^bytes \d+-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
  return size === undefined ? undefined : Number(size);
}

/** @returns {Promise<Response>} the 206 of one source @throws {SatchelError} `passing` on its members where trying again may help */
async function ask(url, from, to, signal, patience) {
  const slow = new AbortController();
  const timer = patience && setTimeout(() => slow.abort(), PATIENCE_MS);
  let answer;
  try {
    answer = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` }, credentials: 'omit', signal: signal ? AbortSignal.any([signal, slow.signal]) : slow.signal });
  } catch (cause) {
    if (signal?.aborted) throw new SatchelError('aborted', 'Stopped', { cause });
    throw new SatchelError('network', 'No connection to the file', { cause, members: { passing: true } });
  } finally {
    clearTimeout(timer);
  }
  if (answer.status === 206) return answer;
  await answer.body?.cancel().catch(() => {});
  if (answer.status === 200) throw new SatchelError('no_ranges', 'The server of this file sends it whole only');
  const passing = answer.status >= 500 || answer.status === 429;
  throw new SatchelError(passing ? 'unavailable' : 'truncated', 'This part of the file is not there', { status: answer.status, members: { passing } });
}

async function bytesOf(answer, signal) {
  try {
    return new Uint8Array(await answer.arrayBuffer());
  } catch (cause) {
    if (signal?.aborted) throw new SatchelError('aborted', 'Stopped', { cause });
    throw new SatchelError('network', 'No connection to the file', { cause, members: { passing: true } });
  }
}

/** A range as it arrives: whoever needs the first of it does not wait for the last. */
class Beginning {
  #bytes;
  #have = 0;
  #ended = false;
  #error = null;
  #wake = [];

  constructor(answer, length) {
    this.#bytes = new Uint8Array(length);
    this.#fill(answer.body.getReader());
  }

  async #fill(reader) {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const room = this.#bytes.length - this.#have;
        this.#bytes.set(value.length > room ? value.subarray(0, room) : value, this.#have);
        this.#have += Math.min(room, value.length);
        this.#tell();
      }
    } catch (error) {
      this.#error = error;
    }
    this.#ended = true;
    this.#tell();
  }

  #tell() {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  get length() {
    return this.#bytes.length;
  }

  /** Bytes [from, to), or null where they do not come with it. */
  async read(from, to, signal) {
    if (to > this.#bytes.length) return null;
    while (this.#have < to && !this.#ended) {
      if (signal?.aborted) throw new SatchelError('aborted', 'Stopped');
      await new Promise((wake) => {
        this.#wake.push(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    }
    return this.#have >= to ? this.#bytes.slice(from, to) : null;
  }
}

/**
 * A file behind one or more addresses, read by ranges. A source that fails is left for the next one; only when none is left
 * does reading wait and begin again with the first.
 * @param {string|string[]} urls the shop's first, then mirrors
 * @param {AbortSignal} [signal]
 * @param {(url: string) => void} [onSource] hears that another source is read from now on
 * @returns {Promise<{read: (from: number, to: number, signal?: AbortSignal) => Promise<Uint8Array>, size?: number, ahead: (from: number, to: number, first: number, signal?: AbortSignal) => void, blame: () => boolean}>}
 *   `size` of the file where the server tells it; `ahead` asks for [from, to) with one request, for the reads that follow, unless
 *   [from, first) is on its way; `blame` leaves a source whose bytes are not the creator's, `false` where no other is left
 * @throws {SatchelError} `network`, `no_ranges`, `truncated`, `unavailable`
 */
export async function openUrl(urls, signal, onSource) {
  const sources = [...new Set([urls].flat())];
  const bad = new Set();
  let at = 0;
  /** The next source that is not known to be bad; `false` where there is none but this. */
  const next = () => {
    for (let step = 1; step < sources.length; step += 1) {
      const other = (at + step) % sources.length;
      if (bad.has(other)) continue;
      at = other;
      onSource?.(sources[at]);
      return true;
    }
    return false;
  };
  const request = async (from, to, inner, use) => {
    let problem;
    for (let round = 0; ; round += 1) {
      for (let tried = 0; tried < sources.length; tried += 1) {
        const used = at;
        try {
          return await use(await ask(sources[at], from, to, inner, sources.length > 1), inner);
        } catch (error) {
          if (error.code === 'aborted') throw error;
          // What most is wrong: of a mirror that is not there and a shop that is, the shop's word counts.
          problem = problem && !error.members.passing ? problem : error;
          if (at === used && !next()) break;
        }
      }
      if (!problem.members.passing || round >= RETRIES_MS.length) throw problem;
      await sleep(RETRIES_MS[round], inner);
    }
  };
  let size;
  let beginning = await request(0, HEAD, signal, async (answer) => {
    size = sizeOf(answer);
    const [, last] = /^bytes 0-(\d+)\//.exec(answer.headers.get('content-range') ?? '') ?? [];
    return new Beginning(answer, last === undefined ? Math.min(HEAD, Number(answer.headers.get('content-length')) || HEAD) : Number(last) + 1);
  });
  const spans = [];
  const covers = (span, from, to) => span.from <= from && to <= span.to;
  const fromSpan = async (from, to, inner) => {
    const span = spans.find((one) => covers(one, from, to));
    if (!span) return null;
    const known = await span.body.then((body) => body.read(from - span.from, to - span.from, inner)).catch(() => null);
    if (!known && spans.includes(span)) spans.splice(spans.indexOf(span), 1);
    return known;
  };
  const read = async (from, to, inner = signal) => {
    const known = (await beginning?.read(from, to, inner)) ?? (await fromSpan(from, to, inner));
    return known ?? request(from, to, inner, bytesOf);
  };
  const ahead = (from, to, first, inner = signal) => {
    if ((beginning && first <= beginning.length) || spans.some((span) => covers(span, from, first))) return;
    const body = request(from, to, inner, async (answer) => new Beginning(answer, to - from));
    body.catch(() => {});
    spans.unshift({ from, to, body });
    spans.length = Math.min(spans.length, SPANS);
  };
  const blame = () => {
    bad.add(at);
    beginning = null;
    spans.length = 0;
    return next();
  };
  return { read, size, ahead, blame };
}

/**
 * Opens the file behind `urls` and checks that it is the one the issuer's record and the receipt speak of.
 * @param {string|string[]} urls
 * @param {{issuer: string, work: string, version: number, digest: string}} expected `digest` of the manifest
 * @param {AbortSignal} [signal] @param {(url: string) => void} [onSource]
 * @returns {Promise<{satchel: import('../../../sdk/js/src/format.js').Satchel,
 *   read: (from: number, to: number, signal?: AbortSignal) => Promise<Uint8Array>, blame: () => boolean}>}
 * @throws {SatchelError} `wrong_file` and whatever `openHeader` throws
 */
export async function openRemote(urls, { issuer, work, version, digest }, signal, onSource) {
  const { read, ahead, blame } = await openUrl(urls, signal, onSource);
  for (;;) {
    let satchel;
    try {
      satchel = await openHeader(read);
      const { manifest } = satchel;
      if (satchel.digest !== digest || manifest.work !== work || manifest.version !== version || manifest.issuer !== issuer) {
        throw new SatchelError('wrong_file', 'The file does not match the record of the shop');
      }
      return { satchel, read, ahead, blame };
    } catch (error) {
      // Another source may have the right one.
      if (['aborted', 'network', 'unavailable'].includes(error.code) || !blame()) throw error;
    }
  }
}

/**
 * One segment's plaintext. A source that sends something else is left, and the segment read again.
 * @param {{satchel: import('../../../sdk/js/src/format.js').Satchel, read: Function, blame?: () => boolean}} file
 * @param {number} index @param {Promise<Uint8Array>|Uint8Array} key of its window @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array>}
 */
export async function readSegment({ satchel, read, blame }, index, key, signal) {
  const { from, to } = satchel.segmentRange(index);
  for (;;) {
    const [windowKey, bytes] = await Promise.all([key, read(from, to, signal)]);
    try {
      return await satchel.openSegment(index, bytes, windowKey);
    } catch (error) {
      if (!['tampered', 'truncated'].includes(error.code) || !blame?.()) throw error;
    }
  }
}

/**
 * One segment's plaintext as it arrives, for whoever waits for its beginning. Each chunk's tag was verified; that all of it is what
 * the creator signed shows at its end, where this throws if it is not (docs/FORMAT.md §4): what came before is unproven until then.
 * @param {{satchel: import('../../../sdk/js/src/format.js').Satchel, read: Function}} file
 * @param {number} index @param {Promise<Uint8Array>|Uint8Array} key of its window @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* readPieces({ satchel, read }, index, key, signal) {
  const { from, to } = satchel.segmentRange(index);
  const { work } = satchel.manifest;
  const [windowKey, prefix] = await Promise.all([key, read(from, from + cobblestone.PREFIX, signal)]);
  const [own, context] = [await segmentKey(windowKey, work, index), segmentContext(work, index)];
  const sealed = [prefix];
  const SEALED = cobblestone.CHUNK + 16;
  for (let at = from + cobblestone.PREFIX, chunk = 0, count = 1; at < to; count = Math.min(count * 2, PIECE)) {
    const end = Math.min(at + count * SEALED, to);
    const bytes = await read(at, end, signal);
    sealed.push(bytes);
    yield await cobblestone.openChunks(own, context, prefix, to - from, chunk, bytes);
    chunk += count;
    at = end;
  }
  if (!equal(await leafHash(concat(...sealed)), satchel.segments[index].leaf)) {
    throw new SatchelError('tampered', 'This file is not the one its creator signed', { next: 'Download the file again.' });
  }
}

/**
 * Runs `one(0) … one(count − 1)`, a few at a time, and yields the results in order.
 * @template T
 * @param {number} count @param {(index: number) => Promise<T>} one @param {number} [width] how many at once
 * @returns {AsyncGenerator<T>}
 */
export async function* inOrder(count, one, width = 3) {
  const running = [];
  for (let next = 0; next < count || running.length > 0; ) {
    while (next < count && running.length < width) {
      const job = one(next);
      // A failure is thrown when its turn comes; until then it is not "unhandled".
      job.catch(() => {});
      running.push(job);
      next += 1;
    }
    yield await running.shift();
  }
}
