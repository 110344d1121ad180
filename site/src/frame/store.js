// What this frame keeps: its key, and per work the order under way and the receipt. In a frame of another site this
// storage is partitioned by browsers, or refused altogether; then everything lives in memory until the page is left.
import { generateKey } from '../../../sdk/js/src/keys.js';

const NAME = 'satchel-frame';
/** A database that neither opens nor fails must not hold up the price. */
const PATIENCE_MS = 2500;

/**
 * @typedef {object} Entry what is known of one work
 * @property {string} work
 * @property {string} [order] id made before the wallet is opened
 * @property {boolean} [asked] whether the wallet was opened with it
 * @property {string} [receipt]
 */

/**
 * @typedef {object} Store
 * @property {boolean} lasting false when everything is forgotten on leaving the page
 * @property {import('../../../sdk/js/src/keys.js').Key} key
 * @property {(work: string) => Promise<Entry>} get
 * @property {(entry: Entry) => Promise<void>} put replaces what is kept of the work
 */

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function openDatabase() {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('the database does not answer')), PATIENCE_MS);
    // Where third-party storage is blocked the property itself may throw, the call, or the request may fail.
    const request = self.indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('keys');
      request.result.createObjectStore('works', { keyPath: 'work' });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('the database is blocked'));
  });
}

/** The key of this frame. Two frames of one page may start together: whichever stores first wins. */
async function keptKey(database) {
  const kept = await done(database.transaction('keys').objectStore('keys').get('frame'));
  if (kept) return kept;
  const fresh = await generateKey();
  const keys = database.transaction('keys', 'readwrite').objectStore('keys');
  const first = await done(keys.get('frame'));
  if (first) return first;
  await done(keys.put(fresh, 'frame'));
  return fresh;
}

/**
 * Storage that lasts where the browser allows it, memory elsewhere.
 * @returns {Promise<Store>}
 * @throws {import('../../../sdk/js/src/errors.js').SatchelError} `browser_too_old` where no key can be made
 */
export async function openStore() {
  try {
    const database = await openDatabase();
    const key = await keptKey(database);
    const works = (mode) => database.transaction('works', mode).objectStore('works');
    return {
      lasting: true,
      key,
      get: async (work) => (await done(works('readonly').get(work))) ?? { work },
      put: async (entry) => {
        await done(works('readwrite').put(entry));
      },
    };
  } catch {
    const works = new Map();
    return {
      lasting: false,
      key: await generateKey(),
      get: async (work) => works.get(work) ?? { work },
      put: async (entry) => {
        works.set(entry.work, entry);
      },
    };
  }
}
