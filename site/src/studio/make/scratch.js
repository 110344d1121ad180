import { SatchelError } from '../../../../sdk/js/src/errors.js';

const FOLDER = 'studio';
/** Without private files ciphertext stays in memory: more than this would end the tab. */
const MEMORY_LIMIT = 268_435_456;

const folder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });

/** A file of the origin private file system, written in a worker; or memory where there is no such thing. */
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
   * @throws {SatchelError} `no_storage` if it fits neither disk nor memory
   */
  static async create(name, size) {
    const scratch = new Scratch();
    scratch.#name = name;
    try {
      scratch.#directory = await folder();
      scratch.#file = await scratch.#directory.getFileHandle(name, { create: true });
      scratch.#handle = await scratch.#file.createSyncAccessHandle();
      scratch.#handle.truncate(0);
    } catch (cause) {
      scratch.#handle = null;
      if (size > MEMORY_LIMIT) throw new SatchelError('no_storage', 'This browser cannot keep a file of this size', { next: 'Leave the private window, or use another browser.', cause });
    }
    return scratch;
  }

  /** Whether it survives a reload. */
  get kept() {
    return this.#file !== undefined && this.#parts.length === 0;
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

  /** @returns {Promise<Blob>} what was written; on disk, so that slices cost no memory */
  async finish() {
    if (!this.#handle) return new Blob(this.#parts);
    this.#handle.flush();
    this.#handle.close();
    return this.#file.getFile();
  }

  async remove() {
    if (this.#handle) await this.#directory.removeEntry(this.#name);
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
export const removeKept = async (name) => (await folder()).removeEntry(name).catch(() => {});

/** Removes files that no unfinished work needs. @param {Set<string>} needed names */
export async function sweep(needed) {
  try {
    const directory = await folder();
    for await (const name of directory.keys()) if (!needed.has(name)) await directory.removeEntry(name).catch(() => {});
  } catch { /* no private files here: nothing to sweep */ }
}
