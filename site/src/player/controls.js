// The controls around a playing element, loaded when something plays: a page that is only looked at stays small.
import 'media-chrome/dist/media-controller.js';
import 'media-chrome/dist/media-control-bar.js';
import 'media-chrome/dist/media-play-button.js';
import 'media-chrome/dist/media-seek-backward-button.js';
import 'media-chrome/dist/media-seek-forward-button.js';
import 'media-chrome/dist/media-time-range.js';
import 'media-chrome/dist/media-time-display.js';
import 'media-chrome/dist/media-mute-button.js';
import 'media-chrome/dist/media-volume-range.js';
import 'media-chrome/dist/media-captions-button.js';
import 'media-chrome/dist/media-playback-rate-button.js';
import 'media-chrome/dist/media-pip-button.js';
import 'media-chrome/dist/media-fullscreen-button.js';
import 'media-chrome/dist/media-loading-indicator.js';
import 'media-chrome/dist/lang/de.js';
import { setLanguage } from 'media-chrome/dist/utils/i18n.js';
import { lang } from '../shared/i18n.js';
import { el } from '../shared/ui.js';

setLanguage(lang());

/** Parts whose visible text is another than their name: who speaks to the page says what they see (WCAG 2.5.3). */
const SHOWS_TEXT = new Map([['media-time-display', 'slot, span, time'], ['media-playback-rate-button', 'slot[name="icon"]']]);

/** Puts what a part shows in front of the name it gives itself. @param {HTMLElement} part @param {string} places where in its shadow root */
function sayWhatIsShown(part, places) {
  const name = () => {
    const shown = [...part.shadowRoot.querySelectorAll(places)].map((place) => place.textContent.trim()).filter(Boolean).at(-1);
    const label = part.getAttribute('aria-label') ?? '';
    if (shown && label && !label.includes(shown)) part.setAttribute('aria-label', `${shown}, ${label}`);
  };
  new MutationObserver(name).observe(part, { attributes: true, attributeFilter: ['aria-label', 'aria-valuetext'] });
  queueMicrotask(name);
}

/**
 * Puts controls around an element that is in the page. Keys work when the player has the focus: space, arrows, M, F, C.
 * @param {HTMLMediaElement} media @param {{kind: 'audio'|'video', captions?: boolean}} options
 */
export function dress(media, { kind, captions = false }) {
  const controller = el('media-controller', { class: `player ${kind}` });
  controller.toggleAttribute('audio', kind === 'audio');
  // Positions are remembered by us, per work; volume by nobody: a frame in a stranger's page has no say in another's.
  for (const name of ['novolumepref', 'nosubtitleslangpref']) controller.setAttribute(name, '');
  const parts = [
    ['media-play-button'],
    ['media-seek-backward-button', { seekoffset: '10' }],
    ['media-seek-forward-button', { seekoffset: '10' }],
    ['media-time-range'],
    ['media-time-display', { showduration: '' }],
    ['media-mute-button'],
    ['media-volume-range'],
    captions && ['media-captions-button'],
    ['media-playback-rate-button', { rates: '0.75 1 1.25 1.5 2' }],
    kind === 'video' && ['media-pip-button'],
    kind === 'video' && ['media-fullscreen-button'],
  ];
  const bar = el('media-control-bar');
  for (const [tag, attributes] of parts.filter(Boolean)) {
    const part = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) part.setAttribute(name, value);
    if (SHOWS_TEXT.has(tag)) sayWhatIsShown(part, SHOWS_TEXT.get(tag));
    bar.append(part);
  }
  media.replaceWith(controller);
  media.controls = false;
  media.slot = 'media';
  if (kind === 'video') controller.append(el('media-loading-indicator', { slot: 'centered-chrome' }));
  controller.append(media, bar);
  return controller;
}
