// What can be offered as streaming-only: exactly what a reader here can show without handing out the file. The studio
// offers streaming for these kinds and no others; the player picks its reader by the same table (docs/FORMAT.md §2).

/**
 * @typedef {object} Kind
 * @property {'video'|'audio'|'document'|'picture'} id
 * @property {'media'|'pages'|'image'} reader
 * @property {string[]} mediaTypes of the packed plaintext: sound and film are remuxed to one of these
 * @property {number} maxBytes of plaintext: a reader that needs the whole of it in memory says how much that may be
 * @property {{video?: string[], audio?: string[]}} [codecs] of media: families by the first part of their RFC 6381 name
 * @property {boolean} hls whether edge-decrypted HLS can be made of it (fragmented MP4 only)
 */

const MIB = 1_048_576;
/** H.264 and VP9 and AV1 are in every current browser; HEVC and Dolby sound only in some, so nobody can be promised them. */
const PICTURE_CODECS = ['avc1', 'avc3', 'vp09', 'av01'];
const SOUND_CODECS = ['mp4a.40', 'opus', 'flac'];

/** @type {Kind[]} */
export const KINDS = [
  { id: 'video', reader: 'media', mediaTypes: ['video/mp4'], maxBytes: Infinity, codecs: { video: PICTURE_CODECS, audio: SOUND_CODECS }, hls: true },
  { id: 'audio', reader: 'media', mediaTypes: ['audio/mp4'], maxBytes: Infinity, codecs: { audio: SOUND_CODECS }, hls: true },
  { id: 'audio', reader: 'media', mediaTypes: ['audio/mpeg'], maxBytes: Infinity, codecs: { audio: [] }, hls: false },
  { id: 'document', reader: 'pages', mediaTypes: ['application/pdf'], maxBytes: 512 * MIB, hls: false },
  { id: 'picture', reader: 'image', mediaTypes: ['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif'], maxBytes: 64 * MIB, hls: false },
];

const bare = (type) => type.split(';')[0].trim().toLowerCase();
const codecsOf = (mse) => (/;\s*codecs="?([^"]*)"?/.exec(mse)?.[1] ?? '').split(',').map((codec) => codec.trim()).filter(Boolean);
const inFamily = (codec, families) => families.some((family) => codec === family || codec.startsWith(`${family}.`));

/**
 * The kind a work is of, if it can be streaming-only.
 * @param {{mediaType: string, mse?: string, size?: number}} work `mse` with codecs, as `planMp4` and `planMp3` tell it; media
 *   without it is no kind
 * @returns {Kind|null}
 */
export function streamKind({ mediaType, mse, size = 0 }) {
  const kind = KINDS.find((one) => one.mediaTypes.includes(bare(mediaType)));
  if (!kind || size > kind.maxBytes) return null;
  if (!kind.codecs) return mse === undefined ? kind : null;
  if (mse === undefined || bare(mse) !== bare(mediaType)) return null;
  const families = [...(kind.codecs.video ?? []), ...(kind.codecs.audio ?? [])];
  const codecs = codecsOf(mse);
  if (families.length > 0 && codecs.length === 0) return null;
  return codecs.every((codec) => inFamily(codec, families)) ? kind : null;
}

/** @param {string} mediaType @returns {boolean} whether it is shown by a reader that is no media player: packed as it is, cut every MiB */
export const isRead = (mediaType) => KINDS.some((kind) => !kind.codecs && kind.mediaTypes.includes(bare(mediaType)));

/** What a browser can show by itself of a download. Anything else is for saving only: never a stranger's HTML on our origin. @param {string} mediaType */
export function kindOf(mediaType) {
  const type = bare(mediaType);
  if (type === 'application/pdf') return 'pdf';
  // An SVG is a document with scripts as soon as somebody opens it in a tab of its own.
  if (type === 'image/svg+xml') return 'other';
  const [kind] = type.split('/');
  return ['audio', 'video', 'image'].includes(kind) ? kind : 'other';
}
