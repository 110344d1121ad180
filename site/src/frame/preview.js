// The plain preview of a work: a piece of the packed file that everybody may see (docs/FORMAT.md), fetched when asked for.
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { el } from '../shared/ui.js';

/** More than any preview the studio makes. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_TEXT = 20_000;

/** Only kinds that a browser shows by itself and that can't run anything. */
function elementFor(type, label) {
  const [kind] = type.split('/');
  if (kind === 'audio' || kind === 'video') return el(kind, { controls: true, playsInline: true, 'aria-label': label });
  if (kind === 'image' && type !== 'image/svg+xml') return el('img', { alt: label });
  return null;
}

/**
 * @param {{url: string, place: string, type: string, label: string}} preview `place` is `OFFSET+LENGTH` in the packed file
 * @returns {Promise<HTMLElement>} what shows it
 * @throws {SatchelError} `network`, `cannot_show`
 */
export async function showPreview({ url, place, type, label }) {
  const [from, length] = place.split('+').map(Number);
  const plain = type.split(';')[0].trim().toLowerCase();
  const shown = elementFor(plain, label);
  if (!(length > 0 && length <= MOST_BYTES) || !(shown || plain === 'text/plain')) throw new SatchelError('cannot_show', label);
  const answer = await fetch(url, { headers: { range: `bytes=${from}-${from + length - 1}` } }).catch((cause) => {
    throw new SatchelError('network', label, { cause });
  });
  if (answer.status !== 206) throw new SatchelError(answer.ok ? 'no_ranges' : 'unavailable', label);
  const bytes = await answer.arrayBuffer();
  if (!shown) return el('p', { class: 'excerpt', dir: 'auto', textContent: new TextDecoder().decode(bytes).slice(0, MOST_TEXT) });
  shown.src = URL.createObjectURL(new Blob([bytes], { type: plain }));
  shown.play?.().catch(() => {});
  return shown;
}
