// Reads a packed file by HTTP ranges: the header once, then any segment with one request.
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { openHeader } from '../../../sdk/js/src/format.js';
import { sleep } from '../../../sdk/js/src/client.js';

/** Most headers are one unit of 16 KiB; longer ones cost a second request. */
const HEAD = 16_384;
/** Pauses before reading the same range again. */
const RETRIES_MS = [400, 1500, 4000];

/** Bytes of the whole file, where the server lets other pages read that. */
function sizeOf({ headers }) {
  const [, size] = /^bytes \d+-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
  return size === undefined ? undefined : Number(size);
}

async function fetchRange(url, from, to, signal) {
  for (let attempt = 0; ; attempt += 1) {
    let problem;
    try {
      const answer = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` }, credentials: 'omit', signal });
      if (answer.status === 206) return { bytes: new Uint8Array(await answer.arrayBuffer()), size: sizeOf(answer) };
      await answer.body?.cancel();
      if (answer.status === 200) throw new SatchelError('no_ranges', 'The server of this file sends it whole only');
      problem = new SatchelError(answer.status >= 500 || answer.status === 429 ? 'unavailable' : 'truncated', 'This part of the file is not there', { status: answer.status });
      if (problem.code === 'truncated') throw problem;
    } catch (cause) {
      if (signal?.aborted) throw new SatchelError('aborted', 'Stopped', { cause });
      if (cause instanceof SatchelError) throw cause;
      problem = new SatchelError('network', 'No connection to the file', { cause });
    }
    if (attempt >= RETRIES_MS.length) throw problem;
    await sleep(RETRIES_MS[attempt], signal);
  }
}

/**
 * A file behind an address, read by ranges.
 * @param {string} url @param {AbortSignal} [signal]
 * @returns {Promise<{read: (from: number, to: number, signal?: AbortSignal) => Promise<Uint8Array>, size?: number}>}
 *   `size` of the file where the server tells it
 * @throws {SatchelError} `network`, `no_ranges`, `truncated`, `unavailable`
 */
export async function openUrl(url, signal) {
  const { bytes: head, size } = await fetchRange(url, 0, HEAD, signal);
  const read = async (from, to, inner = signal) => (to <= head.length ? head.slice(from, to) : (await fetchRange(url, from, to, inner)).bytes);
  return { read, size };
}

/**
 * Opens the file behind `url` and checks that it is the one the issuer's record and the receipt speak of.
 * @param {string} url
 * @param {{issuer: string, work: string, version: number, digest: string}} expected `digest` of the manifest
 * @param {AbortSignal} [signal]
 * @returns {Promise<{satchel: import('../../../sdk/js/src/format.js').Satchel,
 *   read: (from: number, to: number, signal?: AbortSignal) => Promise<Uint8Array>}>}
 * @throws {SatchelError} `wrong_file` and whatever `openHeader` throws
 */
export async function openRemote(url, { issuer, work, version, digest }, signal) {
  const { read } = await openUrl(url, signal);
  const satchel = await openHeader(read);
  const { manifest } = satchel;
  if (satchel.digest !== digest || manifest.work !== work || manifest.version !== version || manifest.issuer !== issuer) {
    throw new SatchelError('wrong_file', 'The file does not match the record of the shop');
  }
  return { satchel, read };
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
