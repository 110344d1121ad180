// Plays a streamed work: segments fed to a media element, each opened by the key of its window.
import { concat } from '../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { INIT } from '../../../sdk/js/src/format.js';
import { words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { controls, mediaElement, start } from './media.js';
import { canFeed, feed } from './mse.js';
import { otherPlayer } from './other.js';
import { recall, remember, resume } from './position.js';
import { readPieces, readSegment } from './remote.js';
import { text as catalogue } from './text.js';
import { follow } from './timed.js';

const t = words(catalogue);
/** Longest range that is asked for at once, bytes. */
const MOST_RANGE = 4_194_304;

/** 3725 → `1:02:05` @param {number} seconds */
export function clock(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return [...(h ? [h, String(m).padStart(2, '0')] : [m]), String(s).padStart(2, '0')].join(':');
}

/** What a refusal means to whoever watches. @param {any} error */
export function told(error) {
  if (error?.name === 'EncodingError' || error?.name === 'NotSupportedError') {
    return new SatchelError('cannot_decode', t.cannotDecode, { next: t.cannotDecodeNext });
  }
  if (error?.code === 'session_ended') {
    const refunded = error.members?.reason === 'purchase_ended';
    return new SatchelError(refunded ? 'purchase_ended' : 'session_replaced', refunded ? t.refunded : t.elsewhere, { next: refunded ? t.refundedNext : t.elsewhereNext });
  }
  return error;
}

/**
 * @param {import('./main.js').Context} context
 * @param {object} file as `openRemote` answers it
 * @param {import('./session.js').WindowKeys} keys
 * @param {{listing?: Promise<void>, short: string}} more when `context.listing` is there; the receipt's short id
 */
export function stream(context, file, keys, { listing, short }) {
  const { stage, say, fail } = context;
  const { satchel } = file;
  const { manifest } = satchel;
  const type = manifest.mse ?? manifest.media_type;
  const kind = manifest.media_type.startsWith('audio/') ? 'audio' : 'video';
  // Whether other players are allowed is in the record, which nobody waits for.
  listing?.then(() => {
    const other = otherPlayer(context);
    if (other) stage.append(other);
  });
  if (!canFeed(type)) {
    stage.replaceChildren();
    throw new SatchelError('cannot_play', t.cannotPlay, { next: t.cannotPlayNext });
  }
  const media = mediaElement(kind, manifest, context);
  media.setAttribute('controlslist', 'nodownload');
  // Being asked to wait matters only to somebody who is waiting.
  keys.onWait = (seconds) => {
    if (media.readyState < 3 && !media.ended) say(t.pausedForWindow(seconds));
  };
  const segments = satchel.segments.map((segment) => ({ window: segment.window, startMs: segment.start_ms, init: (segment.flags & INIT) !== 0 }));
  // The rest of the window comes with the same request: a seek is one range, and an hour of film a few hundred.
  const ahead = (index, signal) => {
    const { from, to: first } = satchel.segmentRange(index);
    let to = first;
    for (let i = index + 1; segments[i]?.window === segments[index].window && satchel.segmentRange(i).to - from <= MOST_RANGE; i += 1) to = satchel.segmentRange(i).to;
    file.ahead?.(from, to, first, signal);
  };
  const carried = follow(media, t);
  let begun = false;
  const feeding = feed(media, {
    type,
    durationMs: manifest.duration_ms,
    segments,
    async *pieces(index, signal) {
      ahead(index, signal);
      const all = [];
      for await (const piece of readPieces(file, index, keys.key(segments[index].window, signal), signal)) {
        all.push(piece);
        yield piece;
      }
      carried.part(concat(...all));
    },
    read: async (index, signal) => {
      ahead(index, signal);
      const bytes = await readSegment(file, index, keys.key(segments[index].window, signal), signal);
      if (!segments[index].init) carried.part(bytes);
      if (begun) return bytes;
      begun = true;
      const { captions, chapters } = segments[index].init ? carried.init(bytes) : { captions: false, chapters: [] };
      if (chapters.length > 1) stage.append(chapterList(media, chapters));
      void controls(media, kind, { captions });
      return bytes;
    },
  }, {
    onError: (error) => fail(told(error), () => {
      keys.restart();
      say('');
      feeding.retry();
    }),
  });
  media.addEventListener('playing', () => say(''));
  const mark = context.mark && el('p', { class: 'mark hint', textContent: t.mark(short) });
  stage.replaceChildren(media, el('p', { class: 'hint', textContent: t.lock }), ...(mark ? [mark] : []));
  say('');
  const at = resume(media, manifest.work, (manifest.duration_ms ?? 0) / 1000);
  if (at > 0) {
    const again = el('button', {
      type: 'button', class: 'button compact', textContent: t.fromStart,
      onclick: () => {
        remember(manifest.work, 0);
        media.currentTime = 0;
        say('');
        again.remove();
      },
    });
    say(t.resumed(clock(at)));
    stage.append(again);
  }
  start(media, context);
  return feeding;
}

/** The film's own chapters, each a button that goes there. */
function chapterList(media, chapters) {
  const go = ({ startMs }) => {
    media.currentTime = startMs / 1000;
    media.play().catch(() => {});
  };
  const items = chapters.map((chapter) => el('li', {}, el('button', { type: 'button', class: 'link', textContent: `${clock(chapter.startMs / 1000)} ${chapter.title}`, onclick: () => go(chapter) })));
  return el('details', { class: 'chapters' }, el('summary', { textContent: t.chapters }), el('ol', {}, ...items));
}

/** The window that is wanted first: the one where somebody stopped. @param {object} satchel */
export function firstWindow(satchel) {
  const at = recall(satchel.manifest.work);
  return at > 0 ? satchel.segments[satchel.segmentAt(at * 1000)].window : 0;
}
