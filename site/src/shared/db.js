// IndexedDB with promises: as much of it as these pages need. One database per host for wallet and studio.

const NAME = 'satchel';
const STORES = ['wallet', 'works'];
let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    request.onsuccess = () => {
      // A later version of this page in another tab must be able to upgrade.
      request.result.onversionchange = () => request.result.close();
      request.result.onclose = () => (opened = undefined);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another tab keeps an older version of this page open'));
  });
  opened.catch(() => (opened = undefined));
  return opened;
}

/** Runs one request in a transaction of its own; resolves when it is durable. */
async function run(store, mode, act) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode, { durability: 'strict' });
    const request = act(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error ?? request.error);
  });
}

/** @param {'wallet'|'works'} store @param {string} key @returns {Promise<any>} undefined if absent */
export const get = (store, key) => run(store, 'readonly', (s) => s.get(key));
/** @param {'wallet'|'works'} store @returns {Promise<any[]>} */
export const getAll = (store) => run(store, 'readonly', (s) => s.getAll());
/** @param {'wallet'|'works'} store @param {string} key @param {any} value CryptoKeys are stored as they are */
export const put = (store, key, value) => run(store, 'readwrite', (s) => s.put(value, key));
/** As `put`, but rejects with `ConstraintError` if the key is taken. */
export const add = (store, key, value) => run(store, 'readwrite', (s) => s.add(value, key));
/** @param {'wallet'|'works'} store @param {string} key */
export const remove = (store, key) => run(store, 'readwrite', (s) => s.delete(key));

/** Deletes a database, whoever has it open. @param {string} name @returns {Promise<void>} */
export const drop = (name) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
    // Other tabs close theirs when they are told (`onversionchange`); the deletion happens then.
    request.onblocked = () => resolve();
  });

/** Everything of wallet and studio. */
export async function erase() {
  (await open()).close();
  opened = undefined;
  await drop(NAME);
}
