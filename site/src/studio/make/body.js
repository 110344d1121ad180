// The encrypted body of a satchel as the uploader reads it: whole on disk, or growing while it is being packed.
import { SatchelError } from '../../../../sdk/js/src/errors.js';

const stopped = () => new SatchelError('aborted', 'Stopped');

/** @param {Blob} blob @returns {{size: number, read: (from: number, to: number) => Promise<Blob>}} */
export const wholeBody = (blob) => ({ size: blob.size, read: async (from, to) => blob.slice(from, to) });

/** A body that is being written: whoever asks for bytes waits until they are there. */
export class GrowingBody {
  #pieces = [];
  #length = 0;
  #readers = new Set();
  #failure = null;

  /** @param {number} size it will have */
  constructor(size) {
    this.size = size;
  }

  /** @param {Blob} piece what comes next, and will not change */
  grow(piece) {
    this.#pieces.push({ from: this.#length, blob: piece });
    this.#length += piece.size;
    this.#wake();
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
        if (!this.#failure && !signal?.aborted && this.#length < bytes) return;
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

  /** @param {number} from @param {number} to @param {AbortSignal} [signal] @returns {Promise<Blob>} made of slices: nothing is copied */
  async read(from, to, signal) {
    await this.#until(to, signal);
    const touched = this.#pieces.filter((piece) => piece.from < to && piece.from + piece.blob.size > from);
    return new Blob(touched.map((piece) => piece.blob.slice(Math.max(0, from - piece.from), to - piece.from)));
  }
}
