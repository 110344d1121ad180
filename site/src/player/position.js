// Where somebody stopped, kept in their browser only. A frame without storage forgets, and nothing else happens.

const PREFIX = 'satchel-at:';
/** Shorter works and the first and last seconds are not worth coming back to. */
const SHORTEST_S = 60;
const EDGE_S = 10;

const storage = () => {
  try {
    return self.localStorage;
  } catch {
    return null;
  }
};

/** @param {string} work @returns {number} seconds, or a page; 0 where nothing is known */
export function recall(work) {
  try {
    const value = Number(storage()?.getItem(PREFIX + work));
    return Number.isFinite(value) && value > 0 ? value : 0;
  } catch {
    return 0;
  }
}

/** @param {string} work @param {number} value 0 forgets */
export function remember(work, value) {
  try {
    if (value > 0) storage()?.setItem(PREFIX + work, String(Math.round(value)));
    else storage()?.removeItem(PREFIX + work);
  } catch { /* full or refused: it is only a convenience */ }
}

/**
 * Goes on where it stopped, and keeps noting where that is.
 * @param {HTMLMediaElement} media @param {string} work @param {number} duration seconds, as the manifest says
 * @returns {number} seconds it goes on at; 0 from the beginning
 */
export function resume(media, work, duration) {
  if (!(duration >= SHORTEST_S)) return 0;
  const within = (at) => at > EDGE_S && at < duration - EDGE_S;
  const note = () => remember(work, within(media.currentTime) ? media.currentTime : 0);
  let last = 0;
  media.addEventListener('timeupdate', () => {
    if (Math.abs(media.currentTime - last) < 5) return;
    last = media.currentTime;
    note();
  });
  for (const event of ['pause', 'ended']) media.addEventListener(event, note);
  addEventListener('pagehide', note);
  const at = recall(work);
  if (!within(at)) return 0;
  last = at;
  media.currentTime = at;
  return at;
}
