// Opens what was bought: loaded only after a purchase, so the frame stays small before it.
import { b64uDecode } from '../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { INIT } from '../../../sdk/js/src/format.js';
import { parseJws } from '../../../sdk/js/src/jws.js';
import { text as catalogue } from '../frame/text.js';
import { words } from '../shared/i18n.js';
import { el, formatBytes } from '../shared/ui.js';
import { canFeed, feed } from './mse.js';
import { inOrder, openRemote } from './remote.js';
import { WindowKeys } from './session.js';
import { openSpool } from './spool.js';

const text = words(catalogue);

/** Larger files are fetched for playing only when asked: somebody may be on a metered line. */
const AUTOLOAD = 64 * 1024 * 1024;

/**
 * @typedef {object} Context
 * @property {HTMLElement} stage where the player goes
 * @property {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @property {import('../../../sdk/js/src/keys.js').Key} key the receipt is bound to
 * @property {string} receipt
 * @property {{version: number, url: string, digest: string}} [shown] what the page was rendered with
 * @property {{satchel: import('../../../sdk/js/src/format.js').Satchel, read: (from: number, to: number, signal?: AbortSignal) => Promise<Uint8Array>}} [file]
 *   the buyer's own copy; the shop's is read only if the receipt is for another version
 * @property {boolean} autoplay
 * @property {(message: string) => void} say
 * @property {(error: unknown, retry: () => void) => void} fail
 * @property {(type: 'play') => void} emit
 */

/** What a browser can show by itself. Anything else is for saving only: never a stranger's HTML on our origin. */
export function kindOf(mediaType) {
  const type = mediaType.split(';')[0].trim().toLowerCase();
  if (type === 'application/pdf') return 'pdf';
  const [kind] = type.split('/');
  // An SVG is a document with scripts as soon as somebody opens it in a tab of its own.
  if (type === 'image/svg+xml') return 'other';
  return ['audio', 'video', 'image'].includes(kind) ? kind : 'other';
}

/** The file a receipt speaks of: what the page shows, or an older version from the record. */
async function locate({ client, shown }, claims) {
  if (shown?.version === claims.version && shown.url) return { url: shown.url, digest: shown.digest };
  const record = await client.record(claims.work);
  const version = record.versions.find((entry) => entry.version === claims.version);
  if (!version) throw new SatchelError('wrong_file', 'The version that was bought is not in the record');
  return { url: version.url, digest: version.manifest_digest };
}

async function fromShop(context, claims) {
  const { url, digest } = await locate(context, claims);
  if (digest !== claims.manifest_digest) throw new SatchelError('wrong_file', 'Record and receipt name different files');
  const { issuer } = context.client;
  return openRemote(new URL(url, issuer).href, { issuer, work: claims.work, version: claims.version, digest });
}

/**
 * Shows the player or the file in `context.stage`.
 * @param {Context} context
 * @returns {Promise<void>} when the first thing is on screen; later errors go to `context.fail`
 */
export async function openWork(context) {
  const { stage, receipt } = context;
  const retry = () => openWork(context);
  try {
    stage.replaceChildren();
    const claims = parseJws(receipt, 'satchel-receipt+jws', ['kid']).payload;
    const file = context.file?.satchel.digest === claims.manifest_digest ? context.file : await fromShop(context, claims);
    if (claims.rights === 'stream') stream(context, file);
    else await download(context, file);
  } catch (error) {
    context.fail(error, retry);
  }
}

/** Lock-screen title, and one "play" event for the page around. */
function announce(media, manifest, { emit }) {
  media.addEventListener('play', () => emit('play'), { once: true });
  media.addEventListener('play', () => {
    if (!('mediaSession' in navigator)) return;
    navigator.mediaSession.metadata = new MediaMetadata({ title: manifest.title, artist: text.artist(new URL(manifest.issuer).host) });
  });
}

function mediaElement(kind, manifest, context) {
  const media = el(kind === 'audio' ? 'audio' : 'video', { controls: true, preload: 'auto' });
  media.setAttribute('aria-label', text.player(manifest.title));
  if (kind === 'video') media.playsInline = true;
  announce(media, manifest, context);
  return media;
}

/** Browsers may refuse to start without a touch; then the controls are there. */
const start = (media, { autoplay }) => {
  if (autoplay) media.play().catch(() => {});
};

function stream(context, { satchel, read }) {
  const { stage, client, receipt, key, say, fail } = context;
  const { manifest } = satchel;
  const type = manifest.mse ?? manifest.media_type;
  const kind = kindOf(manifest.media_type) === 'audio' ? 'audio' : 'video';
  if (!canFeed(type)) throw new SatchelError('cannot_play', text.cannotPlay[0], { next: text.cannotPlay[1] });
  const media = mediaElement(kind, manifest, context);
  media.setAttribute('controlslist', 'nodownload');
  // Being asked to wait matters only to somebody who is waiting.
  const keys = new WindowKeys({
    client, receipt, key,
    onWait: (seconds) => {
      if (media.readyState < 3 && !media.ended) say(text.pausedForWindow(seconds));
    },
  });
  const segments = satchel.segments.map((segment) => ({ window: segment.window, startMs: segment.start_ms, init: (segment.flags & INIT) !== 0 }));
  const feeding = feed(media, {
    type,
    durationMs: manifest.duration_ms,
    segments,
    read: async (index, signal) => {
      const { from, to } = satchel.segmentRange(index);
      const [windowKey, bytes] = await Promise.all([keys.key(segments[index].window, signal), read(from, to, signal)]);
      return satchel.openSegment(index, bytes, windowKey);
    },
  }, {
    onError: (error) => {
      const known = error?.name === 'EncodingError' || error?.name === 'NotSupportedError';
      fail(known ? new SatchelError('cannot_decode', text.cannotDecode[0], { next: text.cannotDecode[1] }) : error, () => {
        keys.restart();
        say('');
        feeding.retry();
      });
    },
  });
  media.addEventListener('playing', () => say(''));
  stage.replaceChildren(media, el('p', { class: 'hint', textContent: text.lock }));
  say('');
  start(media, context);
}

/** @yields {Uint8Array} the original file, piece by piece, each only if it is the creator's */
async function* plaintext(context, { satchel, read }, onProgress) {
  const { client, receipt, key } = context;
  const { content_key: contentKey } = await client.contentKey(receipt, key);
  const keyOf = await satchel.unlock(b64uDecode(contentKey, 32));
  const { segments, manifest } = satchel;
  let done = 0;
  const one = async (index) => {
    const { from, to } = satchel.segmentRange(index);
    return satchel.openSegment(index, await read(from, to), await keyOf(segments[index].window));
  };
  for await (const plain of inOrder(segments.length, one)) {
    done += plain.length;
    onProgress(manifest.size ? Math.floor((100 * done) / manifest.size) : 100);
    yield plain;
  }
}

async function download(context, file) {
  const { stage, say, fail } = context;
  const { manifest } = file.satchel;
  const kind = kindOf(manifest.media_type);
  const view = el('div', { class: 'view' });
  const bar = el('progress', { max: 100, value: 0, hidden: true });
  bar.setAttribute('aria-label', text.progress);
  const row = el('p', { class: 'actions' });
  const about = el('p', { class: 'hint', textContent: `${manifest.name} · ${formatBytes(manifest.size)}` });
  stage.replaceChildren(view, bar, row, about);

  let loading = null;
  const meter = (words) => {
    let shown = -1;
    return (percent) => {
      bar.value = percent;
      // A screen reader should hear a handful of steps, not a hundred.
      if (percent === 100 || percent >= shown + 25) say(words((shown = percent)));
    };
  };
  /** The whole file, fetched once; a large one lies on disk. */
  const load = () => {
    loading ??= (async () => {
      const spool = await openSpool(manifest.size);
      bar.hidden = false;
      try {
        for await (const plain of plaintext(context, file, meter(text.fetching))) await spool.write(plain);
        return await spool.finish(manifest.media_type);
      } catch (error) {
        await spool.discard();
        throw error;
      } finally {
        bar.hidden = true;
      }
    })();
    loading.catch(() => {
      loading = null;
    });
    return loading;
  };

  /** A link that saves. As `application/octet-stream`, so that no browser is tempted to run it here instead. */
  const saveLink = (blob) => {
    const href = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
    return el('a', { class: 'button primary compact', href, download: manifest.name, textContent: text.save, onclick: () => say(text.savedAs(manifest.name)) });
  };
  const canStreamToDisk = self.top === self && 'showSaveFilePicker' in self;

  const save = async () => {
    let target = null;
    try {
      if (!canStreamToDisk || loading) {
        const link = saveLink(await load());
        row.firstChild.replaceWith(link);
        link.click();
        return;
      }
      const handle = await self.showSaveFilePicker({ suggestedName: manifest.name });
      target = await handle.createWritable();
      bar.hidden = false;
      for await (const plain of plaintext(context, file, meter(text.savePart))) await target.write(plain);
      await target.close();
      say(text.saved(manifest.name));
    } catch (error) {
      // Nothing half-written stays: what was written so far goes to a file the browser throws away.
      await target?.abort().catch(() => {});
      if (error?.name !== 'AbortError') fail(error, save);
    } finally {
      bar.hidden = true;
    }
  };

  const show = async () => {
    const blob = await load();
    const href = URL.createObjectURL(blob);
    if (kind === 'image') {
      view.replaceChildren(el('img', { src: href, alt: manifest.title }));
    } else if (kind === 'pdf') {
      row.append(el('a', { class: 'button compact', href, target: '_blank', rel: 'noopener', textContent: text.openDocument }));
    } else {
      const media = mediaElement(kind, manifest, context);
      media.src = href;
      media.addEventListener('error', () => say(`${text.cannotDecode[0]}. ${text.save}.`));
      view.replaceChildren(media);
      start(media, context);
    }
    row.firstChild.replaceWith(saveLink(blob));
    say('');
  };
  const tryShow = async () => {
    try {
      await show();
    } catch (error) {
      fail(error, tryShow);
    }
  };

  row.append(el('button', { type: 'button', class: 'button primary compact', textContent: text.save, onclick: save }));
  say('');
  if (kind === 'other') return;
  if (manifest.size <= AUTOLOAD) {
    await tryShow();
    return;
  }
  const words = kind === 'audio' || kind === 'video' ? text.playHere : text.showHere;
  const later = el('button', { type: 'button', class: 'button compact', textContent: words(formatBytes(manifest.size)) });
  later.onclick = () => {
    later.remove();
    tryShow();
  };
  row.append(later);
}
