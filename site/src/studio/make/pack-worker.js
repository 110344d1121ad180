// Reads, remuxes and encrypts in a worker, so that the page stays quick. Ciphertext goes to the origin private
// file system, from where it is uploaded: it is on disk, so an upload can go on after a reload.
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { blobSource, packBody, planFixed } from '../../../../sdk/js/src/format.js';
import { planMp3, planMp4, sniff } from '../../../../sdk/js/src/plan.js';
import { Scratch } from './scratch.js';

/** What `inspect` found, for `pack` to use: the page asks for both with the same file. */
let seen = null;

/**
 * @param {{file: File}} request
 * @returns {Promise<{kind: string, stream: {ok: true, how: 'as-is'|'remux', mse: string, mediaType: string} | {ok: false, error: SatchelError}}>}
 */
async function inspect({ file }) {
  const kind = sniff(new Uint8Array(await file.slice(0, 4096).arrayBuffer()));
  seen = { file, plan: null };
  try {
    if (kind === 'mp3') {
      seen.plan = await planMp3(blobSource(file));
      return { kind, stream: { ok: true, how: 'as-is', mse: seen.plan.mse, mediaType: 'audio/mpeg' } };
    }
    if (kind === 'mp4') {
      try {
        seen.plan = await planMp4(blobSource(file));
        return { kind, stream: { ok: true, how: 'as-is', mse: seen.plan.mse, mediaType: seen.plan.mse.split(';')[0] } };
      } catch (error) {
        if (error.code !== 'not_fragmented') throw error;
      }
    }
    if (kind === 'other' && !/^(audio|video)\//.test(file.type)) {
      throw new SatchelError('not_streamable', 'Streaming is for sound and film', { detail: 'A document or archive is read whole.', next: 'Offer it as a download.' });
    }
    const { inspect: look } = await import('./remux.js');
    return { kind, stream: { ok: true, how: 'remux', ...(await look(file)) } };
  } catch (error) {
    return { kind, stream: { ok: false, error: plain(error) } };
  }
}

/** Where packing goes; in memory where the browser has no private files, up to a size that tabs survive. */
async function room(id, bytes) {
  const estimate = await navigator.storage?.estimate?.().catch(() => null);
  const free = estimate ? estimate.quota - estimate.usage : Infinity;
  if (bytes > free) throw new SatchelError('no_space', 'There is not enough space in this browser', { detail: `The encrypted copy needs ${Math.ceil(bytes / 1e6)} MB.`, next: 'Free some disk space, or leave the private window, and try again.' });
  return Scratch.create(id, bytes);
}

/**
 * Remuxes if needed and encrypts.
 * @param {{id: string, work: string, contentKey: Uint8Array, file: File, use: 'download'|'stream', how: 'as-is'|'remux'}} request
 * @param {(progress: {phase: 'prepare'|'pack', done: number, total: number}) => void} tell
 */
async function pack({ id, work, contentKey, file, use, how }, tell) {
  if (seen?.file !== file) seen = { file, plan: null };
  let source = file;
  let plan = use === 'stream' ? seen.plan : null;
  let temporary = null;
  if (use === 'stream' && how === 'remux') {
    const { remux } = await import('./remux.js');
    temporary = await room(`${id}.mp4`, file.size * 2);
    tell({ phase: 'prepare', done: 0, total: file.size });
    await remux(file, (at, bytes) => temporary.write(at, bytes), (part) => tell({ phase: 'prepare', done: Math.round(part * file.size), total: file.size }));
    source = await temporary.finish();
    plan = await planMp4(blobSource(source));
  } else if (use === 'stream' && !plan) {
    plan = await (sniff(new Uint8Array(await file.slice(0, 4096).arrayBuffer())) === 'mp3' ? planMp3 : planMp4)(blobSource(file));
  }
  const segments = plan?.segments ?? planFixed(source.size);
  const scratch = await room(id, source.size * 1.01 + 100_000);
  const body = await packBody({
    work, contentKey, segments, source: blobSource(source),
    write: (at, bytes) => scratch.write(at, bytes),
    onProgress: (done) => tell({ phase: 'pack', done, total: source.size }),
  });
  const packed = await scratch.finish();
  await temporary?.remove();
  return { segments, leaves: body.leaves, bodySize: body.bodySize, mse: plan?.mse, durationMs: plan?.duration_ms, blob: packed, kept: scratch.kept };
}

/** Errors cross to the page as data: a class doesn't survive the way. */
function plain(error) {
  if (error?.name === 'SatchelError') return { satchel: true, code: error.code, title: error.title, detail: error.detail, next: error.next };
  return { satchel: false, name: error?.name ?? 'Error', message: String(error?.message ?? error) };
}

const calls = { inspect, pack };

addEventListener('message', async ({ data: { call, request } }) => {
  let last = 0;
  const tell = (progress) => {
    // A message per segment would keep the page busy; ten a second look smooth.
    const now = performance.now();
    if (now - last < 100 && progress.done !== progress.total) return;
    last = now;
    postMessage({ progress });
  };
  try {
    postMessage({ result: await calls[call](request, tell) });
  } catch (error) {
    postMessage({ error: plain(error) });
  }
});
