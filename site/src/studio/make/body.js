// The encrypted body of a satchel as the uploader reads it: whole on disk, or growing while it is being packed.
import { SatchelError } from '../../../../sdk/js/src/errors.js';

const stopped = () => new SatchelError('aborted', 'Stopped');

/** @param {Blob} blob @returns {{size: number, read: (from: number, to: number) => Promise<Blob>}} */
export const wholeBody = (blob) => ({ size: blob.size, read: async (from, to) => blob.slice(from, to) });

/** A body that is being written: whoever asks for bytes waits until they are there. */
export class GrowingBody {
  #written = 0;
  #readers = new Set();
  #blob = null;
  #failure = null;

  /** @param {number} size it will have @param {(from: number, to: number) => Promise<Blob>} readWritten */
  constructor(size, readWritten) {
    this.size = size;
    this.readWritten = readWritten;
  }

  /** @param {number} written bytes that are there now */
  grow(written) {
    this.#written = Math.max(this.#written, written);
    this.#wake();
  }

  /** @param {Blob} blob the whole of it */
  finish(blob) {
    this.#blob = blob;
    this.grow(this.size);
  }

  /** @param {unknown} error why it will never be whole */
  fail(error) {
    this.#failure = error;
    this.#wake();
  }

  #wake() {
    for (const check of [...this.#readers]) check();
  }

  /** @param {number} bytes @param {AbortSignal} [signal] @returns {Promise<void>} once so many bytes are there */
  #until(bytes, signal) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!this.#failure && !signal?.aborted && this.#written < bytes) return;
        this.#readers.delete(check);
        signal?.removeEventListener('abort', check);
        if (this.#failure) reject(this.#failure);
        else if (signal?.aborted) reject(stopped());
        else resolve();
      };
      this.#readers.add(check);
      signal?.addEventListener('abort', check);
      check();
    });
  }

  /** @param {number} from @param {number} to @param {AbortSignal} [signal] @returns {Promise<Blob>} */
  async read(from, to, signal) {
    await this.#until(to, signal);
    return this.#blob ? this.#blob.slice(from, to) : this.readWritten(from, to);
  }
}
