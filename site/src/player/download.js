// Shows and saves a file that was bought as a download.
import { b64uDecode } from '../../../sdk/js/src/bytes.js';
import { words } from '../shared/i18n.js';
import { el, formatBytes } from '../shared/ui.js';
import { kindOf } from './kinds.js';
import { controls, mediaElement, start } from './media.js';
import { inOrder, readSegment } from './remote.js';
import { openSpool } from './spool.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);

/** Larger files are fetched for playing only when asked: somebody may be on a metered line. */
const AUTOLOAD = 64 * 1024 * 1024;

/** @yields {Uint8Array} the original file, piece by piece, each only if it is the creator's */
async function* plaintext(context, file, onProgress) {
  const { satchel } = file;
  const { client, receipt, key } = context;
  const { content_key: contentKey } = await client.contentKey(receipt, key);
  const keyOf = await satchel.unlock(b64uDecode(contentKey, 32));
  const { segments, manifest } = satchel;
  let done = 0;
  const one = (index) => readSegment(file, index, keyOf(segments[index].window));
  for await (const plain of inOrder(segments.length, one)) {
    done += plain.length;
    onProgress(manifest.size ? Math.floor((100 * done) / manifest.size) : 100);
    yield plain;
  }
}

/** @param {import('./main.js').Context} context @param {object} file as `openRemote` answers it */
export async function download(context, file) {
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
      media.addEventListener('error', () => say(`${text.cannotDecode}. ${text.save}.`));
      view.replaceChildren(media);
      start(media, context);
      void controls(media, kind);
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
