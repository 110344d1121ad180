// A creator's works as this browser knows them, and the steps from a packed file to a published work. Every step
// may be repeated: registering again is the same record, parts that arrived are known, a key taken in twice is one.
import { buildHeader } from '../../../../sdk/js/src/format.js';
import * as db from '../../shared/db.js';
import { removeKept } from './scratch.js';
import { persist, upload } from './upload.js';

/**
 * @typedef {object} Work
 * @property {string} work @property {Uint8Array} nonce @property {string} issuer
 * @property {string} title @property {import('../../../../sdk/js/src/format.js').Terms} terms
 * @property {string} name @property {string} mediaType @property {number} size plaintext bytes
 * @property {number} created Unix milliseconds
 * @property {'uploading'|'published'} state
 * @property {string} [manifest] its JWS, for later changes of the terms
 * @property {object} [packed] until it is published: what `pack` gave, the header, the content key, the upload's state
 */

/** @returns {Promise<Work[]>} newest first */
export const listWorks = async () => (await db.getAll('works')).sort((a, b) => b.created - a.created);

/** @param {Work} work */
export const saveWork = (work) => db.put('works', work.work, work);

/** Forgets it in this browser only. @param {Work} work */
export async function forgetWork(work) {
  await db.remove('works', work.work);
  if (work.packed?.file) await removeKept(work.packed.file).catch(() => {});
}

/** @param {Work} work @returns {{link: string, snippet: string, embed: string}} */
export const addresses = ({ issuer, work }) => ({
  link: `${issuer}/w/${work}`,
  snippet: `<script async src="${issuer}/widget.js" data-work="${work}"></script>`,
  embed: `${issuer}/embed/${work}`,
});

/**
 * Signs the header: from here on title and price are fixed for this version.
 * @param {{work: string, nonce: Uint8Array, issuer: string, title: string, terms: object, file: {name: string, mediaType: string},
 *   packed: object, contentKey: Uint8Array, creator: import('../../../../sdk/js/src/keys.js').Key}} draft
 * @returns {Promise<Work>} saved
 */
export async function fixWork({ work, nonce, issuer, title, terms, file, packed, contentKey, creator }) {
  const { header, manifest } = await buildHeader({
    creatorKey: creator, nonce, issuer, title, name: file.name, mediaType: file.mediaType, mse: terms.use === 'stream' ? packed.mse : undefined,
    durationMs: packed.durationMs, terms, contentKey, segments: packed.segments, leaves: packed.leaves,
  });
  const made = {
    work, nonce, issuer, title, terms, name: file.name, mediaType: file.mediaType, created: Date.now(), state: 'uploading', manifest,
    size: packed.segments.reduce((sum, segment) => sum + segment.plain_len, 0),
    packed: { file: packed.kept ? packed.id : null, bodySize: packed.bodySize, header, contentKey, upload: null },
  };
  await saveWork(made);
  return made;
}

/** A storage that has just closed an upload may need a moment before another part sees it. */
const notReady = (error) => {
  if (error.code === 'not_ready') error.status = 503;
  throw error;
};

/**
 * Registers, uploads, hands over the key, publishes. Goes on where an earlier try stopped.
 * @param {Work} work changed and saved as steps are done
 * @param {{client: import('../../../../sdk/js/src/client.js').SatchelClient, creator: import('../../../../sdk/js/src/keys.js').Key, payee: string,
 *   body: Blob, onProgress: (bytes: number, total: number) => void, onStep: (step: 'register'|'upload'|'finish') => void,
 *   onWait?: (error: Error, seconds: number) => void, signal?: AbortSignal}} options `body` is the packed body
 * @returns {Promise<Work>} published
 * @throws {SatchelError}
 */
export async function publishWork(work, { client, creator, payee, body, onProgress, onStep, onWait, signal }) {
  const { packed } = work;
  const tries = { signal, onWait };
  const id = { work: work.work, nonce: work.nonce };
  // The body stays on disk: joining blobs copies nothing.
  const blob = new Blob([packed.header, body]);
  onStep('register');
  await persist(() => client.register(creator, id, { title: work.title, mediaType: work.mediaType, terms: work.terms, payee }), tries);

  onStep('upload');
  for (let begun = 0; !packed.upload?.complete; ) {
    if (!packed.upload || packed.upload.expires < Date.now() / 1000 + 60) {
      const started = await persist(() => client.startUpload(creator, id, { size: blob.size }), tries);
      packed.upload = { ...started, etags: {} };
      begun += 1;
      await saveWork(work);
    }
    try {
      await upload({ client, creator, state: packed.upload, blob, save: () => saveWork(work), onProgress: (bytes) => onProgress(bytes, blob.size), onWait, signal });
    } catch (error) {
      // Storage or issuer has forgotten the upload (they do after days): once more from the start.
      if (!['upload_gone', 'unknown_upload'].includes(error.code) || begun > 1) throw error;
      packed.upload = null;
    }
  }

  onStep('finish');
  await persist(() => client.intake(creator, id, { contentKey: packed.contentKey, manifest: work.manifest }), tries);
  await persist(() => client.publish(creator, id, { manifest: work.manifest, terms: work.terms }).catch(notReady), tries);
  // The key is with the issuer now; here it would only lie about.
  const published = { ...work, state: 'published', packed: undefined };
  await saveWork(published);
  if (packed.file) await removeKept(packed.file).catch(() => {});
  return published;
}
