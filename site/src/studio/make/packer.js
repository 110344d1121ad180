// The page's end of a pack worker.
import { SatchelError } from '../../../../sdk/js/src/errors.js';

function revive(error) {
  if (error.satchel) return new SatchelError(error.code, error.title, { detail: error.detail, next: error.next, members: error.members });
  return Object.assign(new Error(error.message), { name: error.name });
}

/** A worker for one file. `stop` ends it and whatever it was doing. */
export class Packer {
  #worker;
  #calls = new Map();
  #count = 0;

  /** @param {string} url of the worker's script */
  constructor(url) {
    this.url = url;
  }

  #start() {
    const worker = new Worker(this.url, { type: 'module' });
    worker.onmessage = ({ data: { id, news, error, result } }) => {
      const call = this.#calls.get(id);
      if (!call) return;
      if (news) return void call.onNews?.(news);
      this.#calls.delete(id);
      if (error) call.reject(revive(error));
      else call.resolve(result);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new SatchelError('worker_failed', 'The part of this page that encrypts could not start', { detail: event.message ?? '', next: 'Load the page again, or update the browser.' }));
    };
    return worker;
  }

  #call(call, request, onNews) {
    this.#worker ??= this.#start();
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, onNews });
      this.#worker.postMessage({ id, call, request });
    });
  }

  /** @param {File} file @returns {Promise<object>} as `inspect` of the worker, with `stream.error` as an error */
  async inspect(file) {
    const found = await this.#call('inspect', { file });
    if (!found.stream.ok) found.stream.error = revive(found.stream.error);
    return found;
  }

  /** @param {object} request @param {(news: object) => void} onNews @returns {Promise<object>} as `pack` of the worker */
  pack(request, onNews) {
    return this.#call('pack', request, onNews);
  }

  #end(error) {
    this.#worker?.terminate();
    this.#worker = null;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(error);
  }

  /** Ends what is under way; its promises reject with `aborted`. */
  stop() {
    this.#end(new SatchelError('aborted', 'Stopped'));
  }
}
