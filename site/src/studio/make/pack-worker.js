// Reads, remuxes and encrypts in a worker, so that the page stays quick. Ciphertext goes to the origin private
// file system, from where it is uploaded: it is on disk, so an upload can go on after a reload. Each piece that is
// whole goes to the page at once, which may send it while the next is being written.
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { blobSource, packBody, planFixed } from '../../../../sdk/js/src/format.js';
import { planMp3, planMp4, sniff } from '../../../../sdk/js/src/plan.js';
import { codecsOf, isRead, streamKind, typeOf } from './kinds.js';
import { Pieces, Scratch } from './scratch.js';

/** What `inspect` found, for `pack` to use. */
let plan = null;

const refused = (codec) => new SatchelError('not_streamable', 'This file cannot be streamed', { members: { codec } });
const head = async (file) => new Uint8Array(await file.slice(0, 4096).arrayBuffer());

/** @returns {Promise<{how: 'as-is'|'remux', mse?: string, mediaType: string}>} @throws {SatchelError} `not_streamable` */
async function lookAt(file) {
  const mediaType = typeOf(file);
  // Pages and pictures are read from their bytes as they are.
  if (isRead(mediaType)) return { how: 'as-is', mediaType };
  const kind = sniff(await head(file));
  if (kind === 'mp3') {
    plan = await planMp3(blobSource(file));
    return { how: 'as-is', mse: plan.mse, mediaType: 'audio/mpeg' };
  }
  if (kind === 'mp4') {
    try {
      plan = await planMp4(blobSource(file));
      return { how: 'as-is', mse: plan.mse, mediaType: plan.mse.split(';')[0] };
    } catch (error) {
      if (error.code !== 'not_fragmented') throw error;
    }
  }
  if (kind === 'other' && !/^(audio|video)\//.test(file.type)) throw refused('');
  const { inspect } = await import('./remux.js');
  return { how: 'remux', ...(await inspect(file)) };
}

/**
 * @param {{file: File}} request
 * @returns {Promise<{stream: {ok: true, how: 'as-is'|'remux', mse?: string, mediaType: string} | {ok: false, error: object}}>}
 */
async function inspect({ file }) {
  plan = null;
  try {
    const found = await lookAt(file);
    if (!streamKind({ ...found, size: file.size })) throw refused(found.mse ? codecsOf(found.mse) : '');
    return { stream: { ok: true, ...found } };
  } catch (error) {
    return { stream: { ok: false, error: plain(error) } };
  }
}

/** A read of a file costs as much as a megabyte of it: larger ones than a segment halve the time. */
const BLOCK = 8_388_608;

/** The file from its beginning to its end, read in blocks; the last two are kept. @param {Blob} file */
function sourceInBlocks(file) {
  const blocks = new Map();
  const block = (index) => {
    if (!blocks.has(index)) {
      blocks.delete(index - 2);
      const bytes = file.slice(index * BLOCK, (index + 1) * BLOCK).arrayBuffer();
      blocks.set(index, bytes.then((buffer) => new Uint8Array(buffer)));
    }
    return blocks.get(index);
  };
  const read = async (from, to) => {
    const first = Math.floor(from / BLOCK);
    const within = from - first * BLOCK;
    const bytes = await block(first);
    if (within + to - from <= bytes.length) return bytes.subarray(within, within + to - from);
    return new Uint8Array(await file.slice(from, to).arrayBuffer());
  };
  return { size: file.size, read };
}

/** The file as fragments, in a second scratch file. */
async function remuxed(file, name, tell) {
  const { remux } = await import('./remux.js');
  const scratch = await Scratch.create(name, file.size * 1.1 + 4_194_304);
  const at = (part) => tell({ phase: 'prepare', done: Math.round(part * file.size), total: file.size });
  at(0);
  await remux(file, (from, bytes) => scratch.write(from, bytes), at);
  return { scratch, source: await scratch.finish() };
}

/**
 * Remuxes if needed and encrypts. `tell` hears of the plan before the first byte is encrypted.
 * @param {{id: string, work: string, contentKey: Uint8Array, file: File, use: 'download'|'stream', how: 'as-is'|'remux'}} request
 * @param {(news: object) => void} tell
 */
async function pack({ id, work, contentKey, file, use, how }, tell) {
  let source = file;
  let temporary = null;
  let streamed = use === 'stream' ? plan : null;
  if (use === 'stream' && how === 'remux') {
    ({ scratch: temporary, source } = await remuxed(file, `${id}.mp4`, tell));
    streamed = await planMp4(blobSource(source));
  } else if (use === 'stream' && !isRead(typeOf(file))) {
    streamed ??= await (sniff(await head(file)) === 'mp3' ? planMp3 : planMp4)(blobSource(file));
  }
  const segments = streamed?.segments ?? planFixed(source.size);
  const body = await Pieces.create(id, source.size * 1.01 + 100_000, (piece) => tell({ phase: 'piece', piece }));
  const about = { segments, mse: streamed?.mse, durationMs: streamed?.duration_ms, kept: body.kept };
  tell({ phase: 'plan', ...about });
  const packed = await packBody({
    work, contentKey, segments, source: sourceInBlocks(source),
    write: (at, bytes) => body.write(bytes),
    onProgress: (done) => tell({ phase: 'pack', done, total: source.size }),
  });
  await body.finish();
  await temporary?.remove();
  return { ...about, leaves: packed.leaves, bodySize: packed.bodySize };
}

/** Errors cross to the page as data: a class doesn't survive the way. */
function plain(error) {
  if (error?.name === 'SatchelError') return { satchel: true, code: error.code, title: error.title, detail: error.detail, next: error.next, members: error.members };
  return { satchel: false, name: error?.name ?? 'Error', message: String(error?.message ?? error) };
}

const calls = { inspect, pack };

addEventListener('message', async ({ data: { id, call, request } }) => {
  let last = 0;
  const tell = (news) => {
    // A message per segment would keep the page busy; ten a second look smooth.
    const now = performance.now();
    if (news.done !== undefined && news.done !== news.total && now - last < 100) return;
    if (news.done !== undefined) last = now;
    postMessage({ id, news });
  };
  try {
    postMessage({ id, result: await calls[call](request, tell) });
  } catch (error) {
    postMessage({ id, error: plain(error) });
  }
});
