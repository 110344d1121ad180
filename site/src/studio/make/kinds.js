// What can be sold to stream: kinds and codecs that our player shows in every current browser (docs/FORMAT.md, "Kinds
// that stream"). The one table: the form offers by it, the worker remuxes by it, nothing else decides.

/** How each kind of a streamed work is shown. */
export const SHOWN = { 'audio/mpeg': 'sound', 'audio/mp4': 'sound', 'video/mp4': 'film' };

/** H.264 that decoders of phones and televisions have: Baseline, Main, Extended, High; 8 bits, 4:2:0. */
const H264_PROFILES = new Set([0x42, 0x4d, 0x58, 0x64]);

/**
 * Codecs in fragmented MP4, by what mediabunny and the `codecs` parameter call them. Left out because some current
 * browser does not play them: HEVC, VP8, VP9, AV1; MP3, AC-3, Vorbis and PCM inside MP4.
 */
const CODECS = [
  { name: 'H.264', kind: 'video', test: (codec) => /^avc[13]\.([0-9a-f]{2})/i.test(codec) && H264_PROFILES.has(Number.parseInt(codec.slice(5, 7), 16)) },
  { name: 'AAC', kind: 'audio', test: (codec) => /^mp4a\.40\.(2|5|29|02|05)$/i.test(codec) },
  { name: 'FLAC', kind: 'audio', test: (codec) => /^flac$/i.test(codec) },
  { name: 'Opus', kind: 'audio', test: (codec) => /^opus$/i.test(codec) },
];

/**
 * Whether what a file holds is in the table.
 * @param {string} mse a media type with its `codecs` parameter
 * @returns {{ok: true} | {ok: false, codec: string}} the first codec that is not
 */
export function judge(mse) {
  const [type, list] = [mse.split(';')[0].trim(), /codecs="([^"]*)"/.exec(mse)?.[1]];
  if (!Object.hasOwn(SHOWN, type)) return { ok: false, codec: type };
  if (type === 'audio/mpeg') return { ok: true };
  const codecs = (list ?? '').split(',').map((codec) => codec.trim());
  const other = codecs.find((codec) => !CODECS.some(({ test }) => test(codec)));
  return other === undefined ? { ok: true } : { ok: false, codec: other || type };
}

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
