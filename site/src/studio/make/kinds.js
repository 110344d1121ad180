// What kind a file is, and what can be made of it. What can be streamed is the player's table: one for all pages.
export { isRead, streamKind } from '../../player/kinds.js';

/** What of a media type with its `codecs` is in no row of that table, for people. @param {string} mse @returns {string} */
export const codecsOf = (mse) => /codecs="([^"]*)"/.exec(mse)?.[1] ?? mse;

/** Whether this browser's own player takes it piece by piece. @param {string} mse */
export const plays = (mse) => (globalThis.ManagedMediaSource ?? globalThis.MediaSource)?.isTypeSupported(mse) ?? false;

const TYPES = {
  mp3: 'audio/mpeg', m4a: 'audio/mp4', aac: 'audio/aac', flac: 'audio/flac', wav: 'audio/wav', ogg: 'audio/ogg', opus: 'audio/ogg',
  mp4: 'video/mp4', m4v: 'video/mp4', mov: 'video/quicktime', mkv: 'video/x-matroska', webm: 'video/webm',
  pdf: 'application/pdf', epub: 'application/epub+zip', zip: 'application/zip', txt: 'text/plain', md: 'text/markdown',
  jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp', gif: 'image/gif', avif: 'image/avif', svg: 'image/svg+xml',
};

/** @param {{name: string, type: string}} file @returns {string} its media type: the browser's, else by the ending */
export function typeOf({ name, type }) {
  const ending = name.split('.').pop().toLowerCase();
  return /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type.toLowerCase() : TYPES[ending] ?? 'application/octet-stream';
}

/** What a clip or a cover can be made from. @param {string} type @returns {'sound'|'film'|'picture'|'text'|'other'} */
export function familyOf(type) {
  if (type.startsWith('audio/')) return 'sound';
  if (type.startsWith('video/')) return 'film';
  if (/^image\/(png|jpeg|gif|webp|avif|svg\+xml)$/.test(type)) return 'picture';
  if (type === 'text/plain' || type === 'text/markdown') return 'text';
  return 'other';
}
