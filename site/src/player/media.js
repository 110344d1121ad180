// The element that plays, for streams and downloads alike.
import { words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { present } from './media-session.js';
import { text as catalogue } from './text.js';

const t = words(catalogue);

/** @param {'audio'|'video'} kind @param {object} manifest @param {import('./main.js').Context} context @returns {HTMLMediaElement} */
export function mediaElement(kind, manifest, { emit, cover }) {
  const media = el(kind === 'audio' ? 'audio' : 'video', { controls: true, preload: 'auto' });
  media.setAttribute('aria-label', t.player(manifest.title));
  if (kind === 'video') media.playsInline = true;
  media.addEventListener('play', () => emit('play'), { once: true });
  present(media, manifest, cover);
  return media;
}

/** Browsers may refuse to start without a touch; then the controls are there. @param {HTMLMediaElement} media */
export const start = (media, { autoplay }) => {
  if (autoplay) media.play().catch(() => {});
};

/**
 * Our controls in place of the browser's, once they are loaded; where they can't be, the browser's stay.
 * @param {HTMLMediaElement} media in the page @param {'audio'|'video'} kind @param {{captions?: boolean}} [options]
 */
export async function controls(media, kind, options = {}) {
  try {
    const { dress } = await import('./controls.js');
    if (media.isConnected) dress(media, { kind, ...options });
  } catch (error) {
    console.warn('controls', error);
  }
}
