// An uploader for Uppy: it keeps the files, their progress, pausing and cancelling; this sends them. Four parts are in
// flight across one file (the stock plugin sends one after another), the part with the header goes last, so that nobody
// can take an unfinished file for a whole one. What is done is saved as it happens, and a later visit goes on from there.
import { BasePlugin, Uppy } from '@uppy/core';
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { MEDIA_TYPE } from '../../../../sdk/js/src/format.js';
import { ask, either, partList, persist, putBlob, uploadIdOf } from './s3.js';

const IN_FLIGHT = 4;

/**
 * @typedef {object} UploadState kept with the work until it is published
 * @property {string} upload id at the issuer @property {string} key in the bucket
 * @property {number} part_size @property {number} parts @property {number} expires Unix seconds
 * @property {string} [uploadId] the storage's
 * @property {Record<string, string>} etags by part number @property {boolean} [complete]
 */
/**
 * @typedef {object} Job what is sent; Uppy carries it as a file's `data`
 * @property {number} size of the whole satchel
 * @property {(from: number, to: number, signal: AbortSignal) => Promise<Blob>} read waits until those bytes are there
 * @property {UploadState} state @property {(state: UploadState) => Promise<unknown>} save
 * @property {(request: object, signal?: AbortSignal) => Promise<{url: string, key?: string, headers?: object}>} sign Uppy's `signRequest`
 * @property {(error: SatchelError, seconds: number) => void} onWait
 */

/** Begins the multipart upload unless it has begun. @param {Job} job @param {AbortSignal} signal */
async function begin(job, signal) {
  const { state } = job;
  if (state.uploadId) return;
  state.uploadId = uploadIdOf(await persist(async () => {
    const signed = await job.sign({ method: 'POST', key: state.key, contentType: MEDIA_TYPE }, signal);
    if (signed.key) state.key = signed.key;
    return ask('POST', signed, undefined, signal);
  }, { signal, onWait: job.onWait }));
  await job.save(state);
}

/** Sends what was not sent yet. @param {Job} job @param {(bytes: number) => void} onProgress @param {AbortSignal} signal */
async function sendParts(job, onProgress, signal) {
  const { state, size } = job;
  const from = (part) => (part - 1) * state.part_size;
  const to = (part) => Math.min(part * state.part_size, size);
  const sent = new Map();
  const report = () => {
    let bytes = 0;
    for (let part = 1; part <= state.parts; part += 1) bytes += state.etags[part] ? to(part) - from(part) : sent.get(part) ?? 0;
    onProgress(bytes);
  };
  report();
  // One part that fails for good stops the others.
  const own = new AbortController();
  const both = either(signal, own.signal);
  const send = async (part) => {
    const body = await job.read(from(part), to(part), both);
    state.etags[part] = await persist(async () => {
      const signed = await job.sign({ method: 'PUT', key: state.key, uploadId: state.uploadId, partNumber: part }, both);
      sent.set(part, 0);
      return putBlob(signed, body, (bytes) => {
        sent.set(part, Math.min(bytes, body.size));
        report();
      }, both);
    }, { signal: both, onWait: job.onWait });
    report();
    await job.save(state);
  };
  const waiting = Array.from({ length: state.parts - 1 }, (_, i) => i + 2).filter((part) => !state.etags[part]);
  const lane = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) await send(part);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, () => lane().catch((error) => {
    own.abort();
    throw error;
  })));
  if (!state.etags[1]) await send(1);
}

/** @param {Job} job @param {AbortSignal} signal */
async function complete(job, signal) {
  const { state } = job;
  const list = partList(Array.from({ length: state.parts }, (_, i) => state.etags[i + 1]));
  let asked = false;
  await persist(async () => {
    const signed = await job.sign({ method: 'POST', key: state.key, uploadId: state.uploadId }, signal);
    const again = asked;
    asked = true;
    try {
      await ask('POST', signed, list, signal);
    } catch (error) {
      // An answer that was lost: the upload is gone because it is complete. Publishing tells if it isn't.
      if (!(again && error.code === 'upload_gone')) throw error;
    }
  }, { signal, onWait: job.onWait });
  state.complete = true;
  await job.save(state);
}

class SatchelUploader extends BasePlugin {
  #stops = new Map(); // file id → what ends its sending now
  #resumes = new Map(); // file id → what lets a paused one go on

  constructor(uppy, options) {
    super(uppy, options);
    this.id = 'SatchelUploader';
    this.type = 'uploader';
  }

  install() {
    this.uppy.setState({ capabilities: { ...this.uppy.getState().capabilities, resumableUploads: true, individualCancellation: true } });
    this.uppy.addUploader((ids) => Promise.all(ids.map((id) => this.#run(id))));
    this.uppy.on('upload-pause', ({ id }, isPaused) => (isPaused ? this.#stops.get(id)?.abort() : this.#resumes.get(id)?.()));
    this.uppy.on('file-removed', ({ id }) => {
      this.#stops.get(id)?.abort();
      this.#resumes.get(id)?.();
    });
  }

  /** @returns {Promise<boolean>} false once the file was removed */
  async #resumed(id) {
    while (this.uppy.getFile(id)?.isPaused) await new Promise((resume) => this.#resumes.set(id, resume));
    this.#resumes.delete(id);
    return Boolean(this.uppy.getFile(id));
  }

  async #run(id) {
    const file = this.uppy.getFile(id);
    const job = file.data;
    this.uppy.emit('upload-start', [file]);
    const onProgress = (bytesUploaded) => {
      const now = this.uppy.getFile(id);
      if (now) this.uppy.emit('upload-progress', now, { uploadStarted: now.progress.uploadStarted, bytesUploaded, bytesTotal: job.size });
    };
    while (await this.#resumed(id)) {
      const stop = new AbortController();
      this.#stops.set(id, stop);
      try {
        if (!job.state.complete) {
          await begin(job, stop.signal);
          await sendParts(job, onProgress, stop.signal);
          await complete(job, stop.signal);
        }
        return void this.uppy.emit('upload-success', this.uppy.getFile(id), { status: 200, uploadURL: '' });
      } catch (error) {
        if (stop.signal.aborted) continue;
        return void this.uppy.emit('upload-error', this.uppy.getFile(id), error);
      } finally {
        this.#stops.delete(id);
      }
    }
  }
}

/** Uppy with our uploader: one for the page. */
export class Sender {
  #uppy = new Uppy({ id: 'studio', allowMultipleUploadBatches: true, logger: { debug() {}, warn() {}, error() {} } }).use(SatchelUploader);
  #ids = new Map(); // name → file id

  /**
   * Sends one satchel.
   * @param {string} name unique among what is being sent
   * @param {Job} job
   * @param {{onProgress: (bytes: number) => void}} hooks
   * @throws {SatchelError} `upload_gone`, `unknown_upload` (begin again with a new state), `storage_refused`, `storage_cors`, `network`, `aborted` by `cancel`
   */
  async send(name, job, { onProgress }) {
    const uppy = this.#uppy;
    const id = uppy.addFile({ name: `${name}.satchel`, type: MEDIA_TYPE, data: job, source: 'studio' });
    this.#ids.set(name, id);
    let failure = null;
    let done = false;
    const mine = (act) => (file, more) => file?.id === id && act(more);
    const hooks = { 'upload-progress': mine(({ bytesUploaded }) => onProgress(bytesUploaded)), 'upload-error': mine((error) => (failure = error)), 'upload-success': mine(() => (done = true)) };
    for (const [event, hook] of Object.entries(hooks)) uppy.on(event, hook);
    try {
      await uppy.upload();
    } finally {
      for (const [event, hook] of Object.entries(hooks)) uppy.off(event, hook);
      this.#ids.delete(name);
      if (uppy.getFile(id)) uppy.removeFile(id);
    }
    if (failure) throw failure;
    if (!done) throw new SatchelError('aborted', 'Stopped');
  }

  /** @param {string} name @returns {boolean} whether it is paused now */
  pauseResume(name) {
    return this.#uppy.pauseResume(this.#ids.get(name)) ?? false;
  }

  /** @param {string} name */
  cancel(name) {
    const id = this.#ids.get(name);
    if (id) this.#uppy.removeFile(id);
  }
}
