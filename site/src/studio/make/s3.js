// Requests to the storage's S3 endpoint by presigned URLs, and how long they are tried.
import { sleep } from '../../../../sdk/js/src/client.js';
import { SatchelError } from '../../../../sdk/js/src/errors.js';

/** Tries of what the storage refuses for the moment. */
const TRIES = 10;
/** Tries of what doesn't reach it at all: about half an hour, and at once when the browser says it is online again. */
const TRIES_OFFLINE = 90;
const LONGEST_WAIT_MS = 20_000;
/** A connection that takes no byte for so long is given up: it may stay open for ever. */
const STALL_MS = 20_000;

function refused(status, text) {
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1] ?? '';
  return new SatchelError(code === 'NoSuchUpload' || status === 404 ? 'upload_gone' : 'storage_refused', 'The storage did not take the file', {
    status, detail: `${code || 'no code'}, HTTP ${status}`, next: 'Try again; what was sent is kept.',
  });
}

const offline = (cause) => new SatchelError('network', 'The connection was lost', { next: 'The upload goes on when it is back.', cause });
const stopped = () => new SatchelError('aborted', 'Stopped');

/** Signed headers this page sets; length and host are the browser's own, and it sends the same. */
const settable = (headers) => Object.entries(headers ?? {}).filter(([name]) => !['content-length', 'host'].includes(name.toLowerCase()));

/**
 * PUT with progress, which `fetch` does not tell.
 * @param {{url: string, headers?: Record<string, string>}} signed @param {Blob} body
 * @param {(bytes: number) => void} onSent @param {AbortSignal} [signal]
 * @returns {Promise<string>} the ETag
 */
export function putBlob({ url, headers }, body, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let watch;
    let stalled = false;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => {
        stalled = true;
        request.abort();
      }, STALL_MS);
    };
    const abort = () => request.abort();
    const settle = (act, value) => {
      clearTimeout(watch);
      signal?.removeEventListener('abort', abort);
      act(value);
    };
    request.open('PUT', url);
    for (const [name, value] of settable(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      alive();
      onSent(event.loaded);
    };
    request.onload = () => {
      if (request.status < 200 || request.status > 299) return settle(reject, refused(request.status, request.responseText));
      const etag = request.getResponseHeader('etag');
      if (etag) return settle(resolve, etag);
      return settle(reject, new SatchelError('storage_cors', 'The storage hides what this page needs', { detail: 'Its CORS rules do not expose ETag.', next: 'Tell whoever runs this shop.' }));
    };
    request.onerror = () => settle(reject, offline());
    request.onabort = () => settle(reject, stalled ? offline() : stopped());
    if (signal?.aborted) return settle(reject, stopped());
    signal?.addEventListener('abort', abort, { once: true });
    alive();
    return request.send(body);
  });
}

/** Aborts as soon as one of them does; `AbortSignal.any` is younger than some browsers we serve. @param {...(AbortSignal|undefined)} signals */
export function either(...signals) {
  const own = new AbortController();
  for (const signal of signals) {
    if (signal?.aborted) own.abort(signal.reason);
    signal?.addEventListener('abort', () => own.abort(signal.reason), { once: true, signal: own.signal });
  }
  return own.signal;
}

/** A request other than a part. @returns {Promise<string>} XML */
export async function ask(method, { url, headers }, body, signal) {
  let answer;
  let text;
  try {
    answer = await fetch(url, { method, headers: Object.fromEntries(settable(headers)), body, signal: either(signal, AbortSignal.timeout(3 * STALL_MS)), credentials: 'omit' });
    text = await answer.text();
  } catch (cause) {
    throw signal?.aborted ? stopped() : offline(cause);
  }
  // S3 may answer 200 and put the error into the body.
  if (!answer.ok || /<Error>/.test(text)) throw refused(answer.status, text);
  return text;
}

/** @param {string} xml @returns {string} @throws {SatchelError} `storage_refused` */
export function uploadIdOf(xml) {
  const id = new DOMParser().parseFromString(xml, 'application/xml').querySelector('UploadId')?.textContent;
  if (!id) throw refused(200, xml);
  return id;
}

const escaped = (text) => text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** @param {string[]} etags of parts 1, 2, … @returns {string} XML */
export const partList = (etags) =>
  `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`).join('')}</CompleteMultipartUpload>`;

/** Worth another try. A storage's 403 is: the signature has expired, and the next try signs anew. */
const passing = (error) =>
  error.code === 'network' || error.status === 408 || error.status === 429 || error.status >= 500 || (error.code === 'storage_refused' && error.status === 403);

/** Waits, but not longer than until the browser is online again. */
function pause(ms, signal, isOffline) {
  if (!isOffline) return sleep(ms, signal);
  const woken = new AbortController();
  const wake = () => woken.abort();
  addEventListener('online', wake, { once: true });
  return sleep(ms, either(signal, woken.signal))
    .catch((error) => {
      if (signal?.aborted) throw error;
    })
    .finally(() => removeEventListener('online', wake));
}

/**
 * Tries until it works, waiting longer each time.
 * @template T @param {() => Promise<T>} act signs anew each time: signatures expire
 * @param {{signal?: AbortSignal, onWait?: (error: SatchelError, seconds: number) => void}} [options]
 * @returns {Promise<T>}
 */
export async function persist(act, { signal, onWait } = {}) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await act();
    } catch (error) {
      const isOffline = error.code === 'network';
      if (!passing(error) || tried >= (isOffline ? TRIES_OFFLINE : TRIES)) throw error;
      // Jitter keeps four parts from coming back at the same moment.
      const ms = Math.max(error.retryAfter * 1000 || 0, Math.min(LONGEST_WAIT_MS, 250 * 2 ** tried) * (0.5 + Math.random() / 2));
      onWait?.(error, ms / 1000);
      await pause(ms, signal, isOffline);
    }
  }
}
