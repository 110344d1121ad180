// Rearranges sound and film into fragmented MP4 without touching the pictures and sounds themselves. Loaded only
// when a file needs it: the library is larger than the rest of the studio.
import { ADTS, BlobSource, Conversion, FLAC, Input, MATROSKA, MP4, Mp4OutputFormat, OGG, Output, QTFF, StreamTarget, WEBM } from 'mediabunny';
import { SatchelError } from '../../../../sdk/js/src/errors.js';

const FORMATS = [ADTS, MP4, QTFF, WEBM, MATROSKA, OGG, FLAC];

const refused = (codec) => new SatchelError('not_streamable', 'This file cannot be streamed', { members: { codec } });

async function primaryTracks(input) {
  const tracks = [await input.getPrimaryVideoTrack(), await input.getPrimaryAudioTrack()].filter(Boolean);
  if (tracks.length === 0) throw refused('');
  return tracks;
}

/**
 * What the file would be after remuxing, from its headers only.
 * @param {Blob} file
 * @returns {Promise<{mse: string, mediaType: string}>}
 * @throws {SatchelError} `not_streamable`
 */
export async function inspect(file) {
  const input = new Input({ source: new BlobSource(file), formats: FORMATS });
  try {
    if (!(await input.canRead())) throw refused('');
    const tracks = await primaryTracks(input);
    const format = new Mp4OutputFormat({ fastStart: 'fragmented' });
    const codecs = [];
    for (const track of tracks) {
      const codec = await track.getCodec();
      if (!codec || !format.getSupportedCodecs().includes(codec)) throw refused(codec ?? '');
      codecs.push(await track.getCodecParameterString());
    }
    const kind = tracks.some((track) => track.isVideoTrack()) ? 'video/mp4' : 'audio/mp4';
    return { mse: `${kind}; codecs="${codecs.join(', ')}"`, mediaType: kind };
  } finally {
    input.dispose();
  }
}

/**
 * @param {Blob} file
 * @param {(at: number, bytes: Uint8Array) => void} write
 * @param {(part: number) => void} onProgress 0 … 1
 * @throws {SatchelError} `not_streamable`
 */
export async function remux(file, write, onProgress) {
  const input = new Input({ source: new BlobSource(file), formats: FORMATS });
  try {
    const target = new StreamTarget(new WritableStream({ write: (chunk) => write(chunk.position, chunk.data) }), { chunked: true, chunkSize: 4_194_304 });
    const output = new Output({ format: new Mp4OutputFormat({ fastStart: 'fragmented', minimumFragmentDuration: 1 }), target });
    const conversion = await Conversion.init({
      input,
      output,
      tracks: 'primary',
      // Never transcode: slow here, and a creator's pictures and sounds stay as they made them.
      copy: { mode: 'forced', shiftTolerance: Infinity },
      // Tags may name people, places and cameras, and are not needed to play.
      tags: () => ({}),
      showWarnings: false,
    });
    const lost = conversion.discardedTracks.filter(({ track, reason }) => reason !== 'discarded_by_user' && (track.isVideoTrack() || track.isAudioTrack()));
    if (!conversion.isValid || lost.length > 0) throw refused(lost[0]?.track.codec ?? '');
    conversion.onProgress = onProgress;
    await conversion.execute();
  } finally {
    input.dispose();
  }
}
