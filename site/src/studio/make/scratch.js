import { SatchelError } from '../../../../sdk/js/src/errors.js';

const FOLDER = 'studio';
/** A body lies in pieces: each, once it is closed, can be sent while the next is written. */
const PIECE = 16_777_216;
const PIECES = 256;
/** Where the browser has no private files, or too little room: ciphertext stays in memory. More than this would end the tab. */
export const MEMORY_LIMIT = 268_435_456;

const folder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });

/** Chromium tells pages no more than this, however much there is: then only writing shows. */
const MOST_TOLD = 10_737_418_240;

/** Bytes this browser lets the page keep; Infinity where it doesn't say. */
async function room() {
  const estimate = await navigator.storage?.estimate?.().catch(() => null);
  const told = estimate ? estimate.quota - estimate.usage : Infinity;
  return told >= MOST_TOLD ? Infinity : told;
}

const tooLarge = (size) => new SatchelError('no_room', 'This browser cannot keep a file of this size', { members: { size, limit: MEMORY_LIMIT } });

/** @throws {SatchelError|DOMException} `no_room`; or why there is no private file system */
async function roomy(size) {
  // Asked before anything is written: a disk that is full in the middle has cost an hour.
  if (size > (await room())) throw new DOMException('no space', 'QuotaExceededError');
  return folder();
}

async function openFile(directory, name) {
  const file = await directory.getFileHandle(name, { create: true });
  const handle = await file.createSyncAccessHandle();
  handle.truncate(0);
  return { file, handle };
}

function writeAll(handle, at, bytes) {
  for (let done = 0; done < bytes.length; ) {
    const written = handle.write(bytes.subarray(done), { at: at + done });
    // A full disk shows as a short write before it shows as an error.
    if (written === 0) throw new DOMException('no space', 'QuotaExceededError');
    done += written;
  }
}

function closed({ file, handle }) {
  handle.close();
  return file.getFile();
}

/** Puts on the disk what the system still holds. */
async function settle(file) {
  const handle = await file.createSyncAccessHandle();
  handle.flush();
  handle.close();
}

/** A file of the origin private file system, written in a worker at any place; or memory where there is no such thing or no room. */
export class Scratch {
  #name;
  #directory;
  #open;
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
      scratch.#directory = await roomy(size);
      scratch.#open = await openFile(scratch.#directory, name);
    } catch {
      if (size > MEMORY_LIMIT) throw tooLarge(size);
    }
    return scratch;
  }

  /** @param {number} at @param {Uint8Array} bytes in memory only from the end on */
  write(at, bytes) {
    if (this.#open) return writeAll(this.#open.handle, at, bytes);
    if (at !== this.#length) throw new Error('memory scratch is written in order');
    this.#parts.push(new Blob([bytes]));
    this.#length += bytes.length;
  }

  /** @returns {Promise<Blob>} what was written; on disk, so that slices cost no memory */
  finish() {
    return this.#open ? closed(this.#open) : Promise.resolve(new Blob(this.#parts));
  }

  async remove() {
    if (this.#open) await this.#directory.removeEntry(this.#name);
    this.#parts = [];
  }
}

/** A body, written from its beginning to its end in pieces; or in memory, as above. */
export class Pieces {
  #folder = null;
  #open = null;
  #files = [];
  #length = 0;

  /**
   * @param {string} name @param {number} size bytes it may become
   * @param {(piece: Blob) => void} onPiece hears of each piece that will not change any more
   * @throws {SatchelError} `no_room` if it fits neither disk nor memory
   */
  static async create(name, size, onPiece) {
    const pieces = new Pieces();
    pieces.onPiece = onPiece;
    pieces.most = Math.max(PIECE, Math.ceil(size / PIECES));
    try {
      pieces.#folder = await (await roomy(size)).getDirectoryHandle(name, { create: true });
      pieces.#open = await openFile(pieces.#folder, '0');
    } catch {
      pieces.#folder = null;
      if (size > MEMORY_LIMIT) throw tooLarge(size);
    }
    return pieces;
  }

  /** Whether it survives a reload. */
  get kept() {
    return this.#folder !== null;
  }

  /** @param {Uint8Array} bytes what comes next */
  async write(bytes) {
    if (!this.#folder) return void this.onPiece(new Blob([bytes]));
    if (this.#length >= this.most) {
      await this.#close();
      this.#length = 0;
      this.#open = await openFile(this.#folder, String(this.#files.length));
    }
    writeAll(this.#open.handle, this.#length, bytes);
    this.#length += bytes.length;
  }

  async #close() {
    this.#files.push(this.#open.file);
    this.onPiece(await closed(this.#open));
  }

  /** Only now all of it is put on the disk: until then the system has written most, and nobody had to wait for it. */
  async finish() {
    if (!this.#folder) return;
    await this.#close();
    for (const file of this.#files) await settle(file);
  }
}

/** @param {string} name @returns {Promise<Blob|null>} a body kept from an earlier visit */
export async function keptBody(name) {
  try {
    const directory = await (await folder()).getDirectoryHandle(name);
    const pieces = [];
    for await (const [piece, handle] of directory.entries()) pieces[Number(piece)] = await handle.getFile();
    return new Blob(pieces);
  } catch {
    return null;
  }
}

/** Removes a body kept from packing; one that isn't there is fine. @param {string} name */
export async function removeKept(name) {
  try {
    await (await folder()).removeEntry(name, { recursive: true });
  } catch { /* gone already, or never was */ }
}

/** Removes what no unfinished work needs. @param {Set<string>} needed names */
export async function sweep(needed) {
  try {
    const directory = await folder();
    for await (const name of directory.keys()) if (!needed.has(name)) await directory.removeEntry(name, { recursive: true }).catch(() => {});
  } catch { /* no private files here: nothing to sweep */ }
}
