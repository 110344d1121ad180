// The lock screen, the keyboard's media keys, headphones: title, pictures of the page's icon, and the keys that seek.
import { text as catalogue } from './text.js';
import { words } from '../shared/i18n.js';

const t = words(catalogue);
const STEP_S = 10;

/** @param {HTMLMediaElement} media @param {{title: string, issuer: string}} manifest @param {string} [cover] address of a picture */
export function present(media, manifest, cover) {
  const { mediaSession: session } = navigator;
  if (!session) return;
  const set = (action, handler) => {
    try {
      session.setActionHandler(action, handler);
    } catch { /* an action this browser does not know */ }
  };
  const seek = (to) => {
    media.currentTime = Math.min(Math.max(0, to), media.duration || to);
  };
  const place = () => {
    if (!Number.isFinite(media.duration) || media.duration <= 0) return;
    session.setPositionState?.({ duration: media.duration, position: Math.min(media.currentTime, media.duration), playbackRate: media.playbackRate || 1 });
  };
  media.addEventListener('play', () => {
    session.metadata = new MediaMetadata({ title: manifest.title, artist: t.artist(new URL(manifest.issuer).host), ...(cover && { artwork: [{ src: cover }] }) });
    set('play', () => void media.play());
    set('pause', () => media.pause());
    set('seekbackward', ({ seekOffset }) => seek(media.currentTime - (seekOffset ?? STEP_S)));
    set('seekforward', ({ seekOffset }) => seek(media.currentTime + (seekOffset ?? STEP_S)));
    set('seekto', ({ seekTime }) => seek(seekTime));
    set('stop', () => media.pause());
  });
  for (const event of ['durationchange', 'seeked', 'ratechange', 'play', 'pause']) media.addEventListener(event, place);
}
