import { SatchelError } from '../../../../sdk/js/src/errors.js';

const FOLDER = 'studio';
/** Where the browser has no private files, or too little room: ciphertext stays in memory. More than this would end the tab. */
export const MEMORY_LIMIT = 268_435_456;

const folder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });

/** Bytes this browser lets the page keep; Infinity where it doesn't say. */
async function room() {
  const estimate = await navigator.storage?.estimate?.().catch(() => null);
  return estimate ? estimate.quota - estimate.usage : Infinity;
}

const tooLarge = (size) => new SatchelError('no_room', 'This browser cannot keep a file of this size', { members: { size, limit: MEMORY_LIMIT } });

/** A file of the origin private file system, written in a worker; or memory where there is no such thing or no room. */
export class Scratch {
  #name;
  #directory;
  #file;
  #handle;
  #parts = [];
  #length = 0;

  /**
   * @param {string} name @param {number} size bytes it may become
   * @returns {Promise<Scratch>}
   * @throws {SatchelError} `no_room` if it fits neither disk nor memory
   */
  static async create(name, size) {
    const scratch = new Scratch();
    scratch.#name = name;
    try {
      // Asked before anything is written: a disk that is full in the middle has cost an hour.
      if (size > (await room())) throw new DOMException('no space', 'QuotaExceededError');
      scratch.#directory = await folder();
      scratch.#file = await scratch.#directory.getFileHandle(name, { create: true });
      scratch.#handle = await scratch.#file.createSyncAccessHandle();
      scratch.#handle.truncate(0);
    } catch {
      scratch.#handle = null;
      scratch.#file = undefined;
      if (size > MEMORY_LIMIT) throw tooLarge(size);
    }
    return scratch;
  }

  /** Whether it survives a reload. */
  get kept() {
    return this.#file !== undefined;
  }

  /** @param {number} at @param {Uint8Array} bytes in memory only from the end on */
  write(at, bytes) {
    if (this.#handle) {
      for (let done = 0; done < bytes.length; ) {
        const written = this.#handle.write(bytes.subarray(done), { at: at + done });
        // A full disk shows as a short write before it shows as an error.
        if (written === 0) throw new DOMException('no space', 'QuotaExceededError');
        done += written;
      }
      return;
    }
    if (at !== this.#length) throw new Error('memory scratch is written in order');
    this.#parts.push(new Blob([bytes]));
    this.#length += bytes.length;
  }

  /** What was written already, while more is being written. @param {number} from @param {number} to @returns {Promise<Blob>} */
  async read(from, to) {
    if (!this.#handle) return (this.#file ? await this.#file.getFile() : new Blob(this.#parts)).slice(from, to);
    const bytes = new Uint8Array(to - from);
    for (let done = 0; done < bytes.length; ) {
      const read = this.#handle.read(bytes.subarray(done), { at: from + done });
      if (read === 0) throw new Error('scratch ends too early');
      done += read;
    }
    return new Blob([bytes]);
  }

  /** @returns {Promise<Blob>} what was written; on disk, so that slices cost no memory */
  async finish() {
    if (!this.#handle) return new Blob(this.#parts);
    this.#handle.flush();
    this.#handle.close();
    this.#handle = null;
    return this.#file.getFile();
  }

  async remove() {
    this.#handle?.close();
    if (this.#file) await this.#directory.removeEntry(this.#name);
    this.#parts = [];
  }
}

/** @param {string} name @returns {Promise<File|null>} a file kept from an earlier visit */
export async function keptFile(name) {
  try {
    return await (await (await folder()).getFileHandle(name)).getFile();
  } catch {
    return null;
  }
}

/** Removes a file kept from packing; one that isn't there is fine. @param {string} name */
export async function removeKept(name) {
  try {
    await (await folder()).removeEntry(name);
  } catch { /* gone already, or never was */ }
}

/** Removes files that no unfinished work needs. @param {Set<string>} needed names */
export async function sweep(needed) {
  try {
    const directory = await folder();
    for await (const name of directory.keys()) if (!needed.has(name)) await directory.removeEntry(name).catch(() => {});
  } catch { /* no private files here: nothing to sweep */ }
}
