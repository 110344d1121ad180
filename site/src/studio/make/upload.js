// Sends a satchel to the storage's S3 endpoint by presigned URLs: four parts in flight, the part with the header
// last, so that nobody can take an unfinished file for a whole one. What is done is saved as it happens, and a
// later visit goes on from there.
import { sleep } from '../../../../sdk/js/src/client.js';
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { MEDIA_TYPE } from '../../../../sdk/js/src/format.js';

const IN_FLIGHT = 4;
const TRIES = 8;

/**
 * @typedef {object} UploadState kept with the work until it is published
 * @property {string} upload id at the issuer @property {string} key in the bucket
 * @property {number} part_size @property {number} parts @property {number} expires Unix seconds
 * @property {string} [uploadId] the storage's
 * @property {Record<string, string>} etags by part number @property {boolean} [complete]
 */

function s3Problem(status, text) {
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1] ?? '';
  return new SatchelError(code === 'NoSuchUpload' || status === 404 ? 'upload_gone' : 'storage_refused', 'The storage did not take the file', {
    status, detail: `${code || 'no code'}, HTTP ${status}`, next: 'Try again; what was sent is kept.',
  });
}

const offline = (cause) => new SatchelError('network', 'The connection was lost', { next: 'The upload goes on when it is back.', cause });

/** Signed headers this page sets; length and host are the browser's own, and it sends the same. */
const settable = (headers) => Object.entries(headers ?? {}).filter(([name]) => !['content-length', 'host'].includes(name.toLowerCase()));

/** PUT with progress, which `fetch` does not tell. @returns {Promise<string>} the part's ETag */
function putPart(url, headers, body, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const settle = (act, value) => {
      signal?.removeEventListener('abort', abort);
      act(value);
    };
    request.open('PUT', url);
    for (const [name, value] of settable(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = () => {
      if (request.status < 200 || request.status > 299) return settle(reject, s3Problem(request.status, request.responseText));
      const etag = request.getResponseHeader('etag');
      if (etag) return settle(resolve, etag);
      return settle(reject, new SatchelError('storage_cors', 'The storage hides what this page needs', { detail: 'Its CORS rules do not expose ETag.', next: 'Tell whoever runs this shop.' }));
    };
    request.onerror = () => settle(reject, offline());
    request.ontimeout = () => settle(reject, offline());
    request.onabort = () => settle(reject, new SatchelError('aborted', 'Stopped'));
    if (signal?.aborted) return settle(reject, new SatchelError('aborted', 'Stopped'));
    signal?.addEventListener('abort', abort, { once: true });
    return request.send(body);
  });
}

/** A request to the storage other than a part. @returns {Promise<string>} XML */
async function s3(method, { url, headers }, body, signal) {
  let answer;
  let text;
  try {
    answer = await fetch(url, { method, headers: Object.fromEntries(settable(headers)), body, signal, credentials: 'omit' });
    text = await answer.text();
  } catch (cause) {
    throw signal?.aborted ? new SatchelError('aborted', 'Stopped') : offline(cause);
  }
  // S3 may answer 200 and put the error into the body.
  if (!answer.ok || /<Error>/.test(text)) throw s3Problem(answer.status, text);
  return text;
}

/** Worth another try. A storage's 403 is: the signature has expired, and the next try signs anew. */
const passing = (error) =>
  error.code === 'network' || error.status === 408 || error.status === 429 || error.status >= 500 || (error.code === 'storage_refused' && error.status === 403);

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
      if (!passing(error) || tried >= TRIES) throw error;
      // Jitter keeps four parts from coming back at the same moment.
      const ms = Math.max(error.retryAfter * 1000 || 0, Math.min(20_000, 500 * 2 ** tried) * (0.5 + Math.random() / 2));
      onWait?.(error, ms / 1000);
      await sleep(ms, signal);
    }
  }
}

/**
 * @param {{client: import('../../../../sdk/js/src/client.js').SatchelClient, creator: import('../../../../sdk/js/src/keys.js').Key,
 *   state: UploadState, blob: Blob, save: (state: UploadState) => Promise<unknown>, onProgress: (bytes: number) => void,
 *   onWait?: (error: SatchelError, seconds: number) => void, signal?: AbortSignal}} options `blob` is the whole satchel
 * @throws {SatchelError} `upload_gone` (begin again with a new state), `storage_refused`, `storage_cors`, `network`, `aborted`
 */
export async function upload({ client, creator, state, blob, save, onProgress, onWait, signal }) {
  if (state.complete) return;
  const tries = { signal, onWait };
  const sign = (request) => client.signUpload(creator, state.upload, { key: state.key, ...request }, { signal });

  if (!state.uploadId) {
    const xml = await persist(async () => {
      const signed = await sign({ method: 'POST', contentType: MEDIA_TYPE });
      if (signed.key) state.key = signed.key;
      return s3('POST', signed, undefined, signal);
    }, tries);
    const id = new DOMParser().parseFromString(xml, 'application/xml').querySelector('UploadId')?.textContent;
    if (!id) throw s3Problem(200, xml);
    state.uploadId = id;
    await save(state);
  }

  const sizeOf = (part) => Math.min(state.part_size, blob.size - (part - 1) * state.part_size);
  const sent = new Map();
  const report = () => {
    let bytes = 0;
    for (let part = 1; part <= state.parts; part += 1) bytes += state.etags[part] ? sizeOf(part) : Math.min(sent.get(part) ?? 0, sizeOf(part));
    onProgress(bytes);
  };
  report();

  // One part that fails for good stops the others, and the pause button stops all.
  const own = new AbortController();
  const stop = () => own.abort();
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  const send = async (part) => {
    const body = blob.slice((part - 1) * state.part_size, (part - 1) * state.part_size + sizeOf(part));
    state.etags[part] = await persist(async () => {
      const signed = await sign({ method: 'PUT', uploadId: state.uploadId, partNumber: part });
      sent.set(part, 0);
      return putPart(signed.url, signed.headers, body, (bytes) => {
        sent.set(part, bytes);
        report();
      }, own.signal);
    }, { signal: own.signal, onWait });
    report();
    await save(state);
  };
  try {
    const waiting = [];
    for (let part = 2; part <= state.parts; part += 1) if (!state.etags[part]) waiting.push(part);
    const lane = async () => {
      for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) await send(part);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => lane().catch((error) => {
      own.abort();
      throw error;
    })));
    if (!state.etags[1]) await send(1);
  } finally {
    signal?.removeEventListener('abort', stop);
  }

  const list = Array.from({ length: state.parts }, (_, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${xmlText(state.etags[i + 1])}</ETag></Part>`).join('');
  let asked = false;
  await persist(async () => {
    const signed = await sign({ method: 'POST', uploadId: state.uploadId });
    const again = asked;
    asked = true;
    try {
      await s3('POST', signed, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list}</CompleteMultipartUpload>`, signal);
    } catch (error) {
      // An answer that was lost: the upload is gone because it is complete. Publishing tells if it isn't.
      if (!(again && error.code === 'upload_gone')) throw error;
    }
  }, tries);
  state.complete = true;
  await save(state);
}

const xmlText = (text) => text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
