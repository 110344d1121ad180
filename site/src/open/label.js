// What a satchel says of itself, once its signature holds; before that nothing of it is shown.
import { thumbprint } from '../../../sdk/js/src/keys.js';
import { previewType } from '../../../sdk/js/src/preview.js';
import { el, formatBytes, formatClock } from '../shared/ui.js';
import { facts, notice } from '../wallet/view.js';
import { text } from './text.js';

/** The plain preview, if it is a picture, sound or film; anything else a stranger put there stays unseen. */
async function previewOf(satchel, read, signal) {
  if (!satchel.previewLen) return null;
  let bytes;
  try {
    bytes = await satchel.readPreview((from, to) => read(from, to, signal));
  } catch (error) {
    if (signal.aborted) throw error;
    return notice(text.previewBroken, 'warn');
  }
  const type = previewType(bytes);
  if (!type) return null;
  const src = URL.createObjectURL(new Blob([bytes], { type }));
  // The bytes are let go with the next file.
  signal.addEventListener('abort', () => URL.revokeObjectURL(src));
  const [kind] = type.split('/');
  const { title } = satchel.manifest;
  if (kind === 'image') return el('img', { class: 'cover', src, alt: text.cover(title) });
  const media = el(kind, { class: kind === 'video' ? 'cover' : 'sample', src, controls: true, preload: 'metadata' });
  media.setAttribute('aria-label', text.sample(title));
  return media;
}

/**
 * @param {import('../../../sdk/js/src/format.js').Satchel} satchel @param {Function} read @param {AbortSignal} signal
 * @returns {Promise<HTMLElement>}
 */
export async function labelOf(satchel, read, signal) {
  const { manifest } = satchel;
  const jkt = await thumbprint(manifest.creator);
  return el('section', { class: 'card stack', 'aria-labelledby': 'title' },
    el('h2', { id: 'title', textContent: manifest.title }),
    await previewOf(satchel, read, signal),
    el('p', {}, el('span', { class: 'badge good', textContent: text.verified })),
    facts(
      [text.shop, manifest.issuer],
      [text.use, text.useValue[manifest.terms.use]],
      [text.type, manifest.media_type],
      [text.size, formatBytes(manifest.size)],
      manifest.duration_ms && [text.duration, formatClock(manifest.duration_ms / 1000)],
      [text.name, manifest.name],
      [text.packed, new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(manifest.created * 1000)],
      [text.creator, el('code', { textContent: jkt })],
    ));
}
