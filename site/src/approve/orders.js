// Signed orders by id, kept before they are sent: after a lost answer, a closed popup or a reload the very same
// order is sent again, and the ledger answers it the same way.

/**
 * @typedef {object} Kept
 * @property {string} order
 * @property {string} jws
 * @property {string} jkt key the receipt is for
 * @property {{title: string, work: string, usd_micros: number, msat: number, ledger: string}} shown what was approved
 * @property {'sent'|'posted'} state `sent`: the answer is not known yet
 */

const NAME = 'satchel-orders';

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let opening = null;
const orders = async (mode) => {
  opening ??= (() => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore('orders', { keyPath: 'order' });
    return done(request).then((base) => {
      // Erasing this browser must not wait for a window that stands open.
      base.onversionchange = () => base.close();
      return base;
    });
  })();
  return (await opening).transaction('orders', mode, { durability: 'strict' }).objectStore('orders');
};

/** @param {string} order @returns {Promise<Kept|undefined>} */
export const keptOrder = async (order) => done((await orders('readonly')).get(order));

/** @param {Kept} kept resolves when it is on disk */
export async function keepOrder(kept) {
  const store = await orders('readwrite');
  await new Promise((resolve, reject) => {
    store.transaction.oncomplete = resolve;
    store.transaction.onerror = () => reject(store.transaction.error);
    store.put(kept);
  });
}

/** After a definite refusal: the id may be used for a new approval. @param {string} order */
export const dropOrder = async (order) => done((await orders('readwrite')).delete(order));

/** Orders whose answer never came: a window was closed, or the connection was lost. @returns {Promise<Kept[]>} */
export const unfinished = async () => (await done((await orders('readonly')).getAll())).filter(({ state }) => state === 'sent');
