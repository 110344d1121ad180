// The page's end of the pack worker.
import { SatchelError } from '../../../../sdk/js/src/errors.js';

function revive(error) {
  if (error.satchel) return new SatchelError(error.code, error.title, { detail: error.detail, next: error.next });
  return Object.assign(new Error(error.message), { name: error.name });
}

/** One worker, one call at a time; a new file or choice ends it and whatever it was doing. */
export class Packer {
  #worker;
  #reject;

  /** @param {string} url of the worker's script */
  constructor(url) {
    this.url = url;
  }

  async #call(call, request, onProgress) {
    if (this.#reject) this.stop();
    this.#worker ??= new Worker(this.url, { type: 'module' });
    const worker = this.#worker;
    try {
      return await new Promise((resolve, reject) => {
        this.#reject = reject;
        worker.onmessage = ({ data }) => {
          if (data.progress) onProgress?.(data.progress);
          else if (data.error) reject(revive(data.error));
          else resolve(data.result);
        };
        worker.onerror = (event) => {
          event.preventDefault();
          this.#worker = null;
          reject(new SatchelError('worker_failed', 'The part of this page that encrypts could not start', { detail: event.message ?? '', next: 'Load the page again, or update the browser.' }));
        };
        worker.postMessage({ call, request });
      });
    } finally {
      // Another call may have taken the place of this one.
      if (this.#worker === worker) this.#reject = null;
    }
  }

  /** @param {File} file @returns {Promise<object>} as `inspect` of the worker, with `stream.error` as an error */
  async inspect(file) {
    const found = await this.#call('inspect', { file });
    if (!found.stream.ok) found.stream.error = revive(found.stream.error);
    return found;
  }

  /** @param {object} request @param {(progress: object) => void} onProgress @returns {Promise<object>} as `pack` of the worker */
  pack(request, onProgress) {
    return this.#call('pack', request, onProgress);
  }

  /** Ends what is under way; its promise rejects with `aborted`. */
  stop() {
    this.#worker?.terminate();
    this.#worker = null;
    const reject = this.#reject;
    this.#reject = null;
    reject?.(new SatchelError('aborted', 'Stopped'));
  }
}
