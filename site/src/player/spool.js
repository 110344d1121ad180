// Where plaintext goes that is too large for memory: a file in the browser's private file system, which takes no part
// in the page's memory and is removed when the page is gone.
import { SatchelError } from '../../../sdk/js/src/errors.js';

const FOLDER = 'player';
/** Up to here memory is the faster place. */
const IN_MEMORY = 67_108_864;
/** Without private files everything stays in memory: more than this would end the tab. */
export const MEMORY_LIMIT = 268_435_456;

/**
 * @typedef {object} Spool
 * @property {(bytes: Uint8Array) => Promise<void>} write in order
 * @property {(type: string) => Promise<Blob>} finish what was written; the spool must not be used afterwards
 * @property {() => Promise<void>} discard
 */

const noRoom = (cause) =>
  cause?.name === 'QuotaExceededError' ? new SatchelError('no_room', 'There is not enough room in this browser for the file', { cause }) : cause;

/** Removes what earlier pages left behind; a file in use is locked by its page. */
async function sweep(folder) {
  for await (const name of folder.keys()) {
    await navigator.locks.request(name, { ifAvailable: true }, (lock) => lock && folder.removeEntry(name).catch(() => {}));
  }
}

/** @returns {Promise<Spool|null>} null where a browser has no private files for us */
async function onDisk() {
  let folder;
  let target;
  const name = `${FOLDER}-${crypto.randomUUID()}`;
  try {
    folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
    await sweep(folder);
    // Held until the page is gone.
    await new Promise((held) => void navigator.locks.request(name, () => new Promise(() => held())));
    const file = await folder.getFileHandle(name, { create: true });
    target = { file, stream: await file.createWritable() };
  } catch {
    return null;
  }
  return {
    write: (bytes) => target.stream.write(bytes).catch((error) => { throw noRoom(error); }),
    finish: async (type) => {
      await target.stream.close().catch((error) => { throw noRoom(error); });
      return (await target.file.getFile()).slice(0, undefined, type);
    },
    discard: async () => {
      await target.stream.abort().catch(() => {});
      await folder.removeEntry(name).catch(() => {});
    },
  };
}

function inMemory() {
  let parts = [];
  return {
    write: async (bytes) => void parts.push(new Blob([bytes])),
    finish: async (type) => new Blob(parts, { type }),
    discard: async () => void (parts = []),
  };
}

/**
 * @param {number} size bytes that will be written
 * @returns {Promise<Spool>}
 * @throws {SatchelError} `too_large_here` if it fits neither disk nor memory; `no_room` while writing
 */
export async function openSpool(size) {
  if (size <= IN_MEMORY) return inMemory();
  const spool = await onDisk();
  if (spool) return spool;
  if (size <= MEMORY_LIMIT) return inMemory();
  throw new SatchelError('too_large_here', 'This browser can’t keep a file of this size');
}
