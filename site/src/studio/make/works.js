// A creator's works as this browser knows them, and the steps from a packed file to a published work. Every step
// may be repeated: registering again is the same record, parts that arrived are known, a key taken in twice is one.
import { sha256 } from '../../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { buildHeader } from '../../../../sdk/js/src/format.js';
import * as db from '../../shared/db.js';
import { putBlob, persist } from './s3.js';
import { removeKept } from './scratch.js';

/**
 * @typedef {object} Work
 * @property {string} work @property {Uint8Array} nonce @property {string} issuer @property {number} version
 * @property {Work} [replaces] what is for sale now, where this is a new version of it
 * @property {number} created Unix milliseconds
 * @property {'draft'|'uploading'|'published'} state
 * @property {string} title @property {import('../../../../sdk/js/src/format.js').Terms} terms @property {number} size plaintext bytes
 * @property {object} [listed] what is shown with the version that is replaced, apart from what the form asks for
 * @property {object} [form] what was typed so far @property {{name: string, size: number, type: string}} source the file that was chosen
 * @property {Packed} [packed] once packing has finished: before that its content key is nowhere, and never used again
 * @property {Offer} [offer] once publishing was asked for @property {Uint8Array} [header] @property {string} [manifest] its JWS
 * @property {import('./uploader.js').UploadState} [upload]
 */
/**
 * @typedef {object} Packed
 * @property {string} id of the packing, and of its file if `kept` @property {boolean} kept @property {Uint8Array} contentKey
 * @property {'download'|'stream'} use @property {string} mediaType @property {string} name @property {string} [mse] @property {number} [durationMs]
 * @property {import('../../../../sdk/js/src/format.js').Segment[]} segments @property {Uint8Array} leaves @property {number} bodySize
 */
/**
 * @typedef {object} Offer what buyers are shown
 * @property {string} title @property {object} terms @property {object[]} [splits] @property {object} [listing]
 * @property {{blob: Blob, width: number, height: number}} [cover] @property {boolean} [coverSent] @property {Uint8Array} [preview] @property {number} signed Unix seconds
 */

/** @returns {Promise<Work[]>} newest first */
export const listWorks = async () => (await db.getAll('works')).sort((a, b) => b.created - a.created);

/** @param {string} work @returns {Promise<Work|undefined>} */
export const readWork = (work) => db.get('works', work);

/** @param {Work} work */
export const saveWork = (work) => db.put('works', work.work, work);

/** Forgets in this browser what was not published; the version that is for sale stays. @param {Work} work */
export async function forgetWork(work) {
  if (work.replaces) await saveWork(work.replaces);
  else await db.remove('works', work.work);
  if (work.packed?.kept) await removeKept(work.packed.id);
}

/** @param {Work} work @returns {{link: string, snippet: string, embed: string}} */
export const addresses = ({ issuer, work }) => ({
  link: `${issuer}/w/${work}`,
  snippet: `<script async src="${issuer}/widget.js" data-work="${work}"></script>`,
  embed: `${issuer}/embed/${work}`,
});

/** Everything before the body. Title and price are fixed by it for this version. */
const headerOf = ({ nonce, version, issuer, offer }, packed, creator) =>
  buildHeader({
    creatorKey: creator, nonce, version, issuer, title: offer.title, name: packed.name, mediaType: packed.mediaType,
    mse: packed.use === 'stream' ? packed.mse : undefined, durationMs: packed.durationMs, terms: offer.terms,
    contentKey: packed.contentKey, segments: packed.segments, leaves: packed.leaves, preview: offer.preview, created: offer.signed,
  });

/** Digests have a fixed length, so a header with blank ones is as long as the real one. */
const reserved = async (work, packed, creator) =>
  (await headerOf(work, { ...packed, leaves: new Uint8Array(packed.segments.length * 32) }, creator)).header.length;

/** A storage that has just closed an upload may need a moment before another part sees it. */
const notReady = (error) => {
  if (error.code === 'not_ready') error.status = 503;
  throw error;
};

/**
 * Sends a cover to its own place.
 * @param {{blob: Blob, width: number, height: number}} cover
 * @param {{client: import('../../../../sdk/js/src/client.js').SatchelClient, creator: import('../../../../sdk/js/src/keys.js').Key, id: {work: string, nonce: Uint8Array}, tries?: object}} options
 * @returns {Promise<{url: string, width: number, height: number, media_type: string}>} the member of the listing
 */
export async function sendCover({ blob, width, height }, { client, creator, id, tries = {} }) {
  const digest = await sha256(new Uint8Array(await blob.arrayBuffer()));
  const url = await persist(async () => {
    const signed = await client.startCover(creator, id, { size: blob.size, mediaType: blob.type, sha256: digest });
    try {
      await putBlob(signed, blob, () => {}, tries.signal);
    } catch (error) {
      // There already: its name is its hash, and `if-none-match` keeps it from being written twice.
      if (error.status !== 412) throw error;
    }
    return signed.cover_url;
  }, tries);
  return { url, width, height, media_type: blob.type };
}

/**
 * Registers, uploads, hands over the key, publishes. Goes on where an earlier try stopped.
 * @param {Work} work with its `offer`; changed and saved as steps are done
 * @param {{client: import('../../../../sdk/js/src/client.js').SatchelClient, creator: import('../../../../sdk/js/src/keys.js').Key, payee: string,
 *   packing: object, packed: Promise<Packed>, body: {size: number, read: Function}, sender: import('./uploader.js').Sender,
 *   onProgress: (bytes: number, total: number) => void, onStep: (step: 'register'|'upload'|'finish') => void,
 *   onWait?: (error: Error, seconds: number) => void, signal?: AbortSignal}} options `packing` is the plan and the key, `packed` comes
 *   true when `body` is whole
 * @returns {Promise<Work>} published
 * @throws {SatchelError}
 */
export async function publishWork(work, { client, creator, payee, packing, packed, body, sender, onProgress, onStep, onWait, signal }) {
  const tries = { signal, onWait };
  const id = { work: work.work, nonce: work.nonce };
  const { version, offer } = work;
  // Before the body is whole nothing of this is kept: a packing that is cut off begins anew, under another key.
  const save = async () => work.packed && saveWork(work);

  onStep('register');
  const { title, terms } = offer;
  if (!work.replaces) await persist(() => client.register(creator, id, { title, mediaType: packing.mediaType, terms, payee, ...(offer.splits && { splits: offer.splits }) }), tries);
  if (offer.cover && !offer.coverSent) {
    offer.listing = { ...offer.listing, cover: await sendCover(offer.cover, { client, creator, id, tries }) };
    offer.coverSent = true;
  }
  await save();

  onStep('upload');
  const front = work.header?.length ?? (await reserved(work, packing, creator));
  const size = front + body.size;
  // Signed once and then kept: a header signed again would not fit what was sent already.
  const header = (async () => {
    if (!work.header) {
      const made = await headerOf(work, await packed, creator);
      if (made.header.length !== front) throw new SatchelError('malformed', 'The front of the satchel changed its length');
      Object.assign(work, { header: made.header, manifest: made.manifest, state: 'uploading' });
      await save();
    }
    return new Blob([work.header]);
  })();
  header.catch(() => {});
  const read = async (from, to, stop) => {
    const parts = [];
    if (from < front) parts.push((await header).slice(from, Math.min(to, front)));
    if (to > front) parts.push(await body.read(Math.max(from, front) - front, to - front, stop));
    return new Blob(parts);
  };
  for (let begun = 0; !work.upload?.complete; ) {
    if (!work.upload || work.upload.size !== size || work.upload.expires < Date.now() / 1000 + 60) {
      const started = await persist(() => client.startUpload(creator, id, { version, size }), tries);
      work.upload = { ...started, etags: {} };
      begun += 1;
      await save();
    }
    const state = work.upload;
    const sign = (request, stop) => client.signUpload(creator, state.upload, request, { signal: stop });
    try {
      await sender.send(work.work, { size, read, state, save, sign, onWait }, { onProgress: (bytes) => onProgress(bytes, size) });
    } catch (error) {
      // Storage or issuer has forgotten the upload (they do after days): once more from the start.
      if (!['upload_gone', 'unknown_upload'].includes(error.code) || begun > 1) throw error;
      work.upload = null;
    }
  }

  onStep('finish');
  await header;
  const { contentKey } = await packed;
  const { splits, listing } = offer;
  await persist(() => client.intake(creator, id, { version, contentKey, manifest: work.manifest }), tries);
  await persist(() => client.publish(creator, id, { version, manifest: work.manifest, terms, ...(splits && { splits }), ...(listing && { listing }) }).catch(notReady), tries);
  // The key is with the issuer now; here it would only lie about. So would what was typed.
  const { work: name, nonce, issuer, created, source } = work;
  const published = { work: name, nonce, issuer, version, created, source, state: 'published', title, terms, size: packing.segments.reduce((sum, segment) => sum + segment.plain_len, 0) };
  await saveWork(published);
  if (work.packed?.kept) await removeKept(work.packed.id);
  return { ...published, listing };
}
