// Looks into sound and film for what can be shown before a sale: artwork, a frame, a clip. Loaded only when asked for.
import {
  ALL_FORMATS, BlobSource, BufferTarget, CanvasSink, Conversion, Input, Mp3OutputFormat, Mp4OutputFormat, Output, Quality, WebMOutputFormat,
} from 'mediabunny';

/** Films are shown no wider than this in a preview. */
const CLIP_WIDTH = 640;

async function withInput(file, act) {
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  try {
    return await act(input);
  } finally {
    input.dispose();
  }
}

/** @param {Blob} file @returns {Promise<number>} seconds; 0 if unknown */
export const durationOf = (file) => withInput(file, async (input) => ((await input.canRead()) ? input.computeDuration() : 0));

/** @param {Blob} file @returns {Promise<Blob|HTMLCanvasElement|OffscreenCanvas|null>} its artwork, else a frame a tenth into the film */
export const artworkOf = (file) => withInput(file, async (input) => {
  if (!(await input.canRead())) return null;
  const { images = [] } = await input.getMetadataTags();
  const best = images.find(({ kind }) => kind === 'coverFront') ?? images[0];
  if (best) return new Blob([best.data], { type: best.mimeType });
  const track = await input.getPrimaryVideoTrack();
  if (!track || !(await track.canDecode())) return null;
  const from = await track.getFirstTimestamp();
  const length = (await track.computeDuration()) - from;
  const shown = await new CanvasSink(track).getCanvas(from + length / 10);
  return shown?.canvas ?? null;
});

/** An audio file may say so in its first bytes: `M4A ` where the library writes `isom`. */
function branded(bytes, isFilm) {
  if (!isFilm && String.fromCharCode(...bytes.subarray(4, 12)) === 'ftypisom') bytes.set([0x4d, 0x34, 0x41, 0x20], 8);
  return bytes;
}

/** Ways to write a clip, the dearest to the original first. */
function waysFor(format, isFilm) {
  const copy = { mode: 'forced', shiftTolerance: Infinity };
  const smaller = { video: { width: CLIP_WIDTH, quality: new Quality('low') }, audio: { quality: new Quality('low') } };
  const mp4 = () => new Mp4OutputFormat({ fastStart: 'in-memory' });
  return [
    ...(format === 'MP3' ? [{ format: () => new Mp3OutputFormat({ xingHeader: false }), copy }] : []),
    { format: mp4, copy },
    { format: mp4, copy: false, ...smaller },
    { format: () => new WebMOutputFormat(), copy: false, ...smaller, audio: { ...smaller.audio, codec: 'opus' }, ...(isFilm && { video: { ...smaller.video, codec: 'vp9' } }) },
  ];
}

/**
 * A part of a sound or film, small enough for a preview.
 * @param {Blob} file @param {{start: number, length: number, bytes: number}} options seconds, and bytes at most
 * @returns {Promise<{bytes: Uint8Array|null, large: boolean}>} null if none fits; `large` if one was only too large
 */
export const clipOf = (file, { start, length, bytes: most }) => withInput(file, async (input) => {
  const isFilm = Boolean(await input.getPrimaryVideoTrack());
  let large = false;
  for (const { format, ...how } of waysFor((await input.getFormat()).name, isFilm)) {
    try {
      const target = new BufferTarget();
      const conversion = await Conversion.init({
        input, output: new Output({ format: format(), target }), tracks: 'primary', trim: { start, end: start + length }, tags: () => ({}), showWarnings: false, ...how,
      });
      const lost = conversion.discardedTracks.some(({ track, reason }) => reason !== 'discarded_by_user' && (track.isVideoTrack() || track.isAudioTrack()));
      if (!conversion.isValid || lost) continue;
      await conversion.execute();
      const bytes = branded(new Uint8Array(target.buffer), isFilm);
      if (bytes.length <= most) return { bytes, large: false };
      large = true;
    } catch { /* this way is not open in this browser or to this file: the next may be */ }
  }
  return { bytes: null, large };
});
