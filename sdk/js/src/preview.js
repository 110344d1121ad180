// What a preview is: told by its first bytes, and by nothing else (docs/FORMAT.md §1).
import { isMp3Frame } from './plan.js';

/** Bytes of a preview's beginning that `previewType` looks at. */
const SNIFF_BYTES = 64;
/** The EBML element `DocType` that says `webm`, where Matroska says something else. */
const WEBM = '\x42\x82\x84webm';
const BRANDS = {
  avif: 'image/avif', avis: 'image/avif', 'M4A ': 'audio/mp4', 'M4B ': 'audio/mp4',
  isom: 'video/mp4', iso2: 'video/mp4', iso4: 'video/mp4', iso5: 'video/mp4', iso6: 'video/mp4',
  mp41: 'video/mp4', mp42: 'video/mp4', avc1: 'video/mp4', dash: 'video/mp4', 'M4V ': 'video/mp4',
};

/**
 * The kind of a preview that a reader may show.
 * @param {Uint8Array} bytes the preview, or its first 64 bytes
 * @returns {string|null} its media type; null for anything that is not shown
 */
export function previewType(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, SNIFF_BYTES));
  const begins = (start) => text.startsWith(start);
  if (begins('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (begins('\xff\xd8\xff')) return 'image/jpeg';
  if (begins('GIF87a') || begins('GIF89a')) return 'image/gif';
  if (begins('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  if (text.slice(4, 8) === 'ftyp') {
    const brand = text.slice(8, 12);
    return Object.hasOwn(BRANDS, brand) ? BRANDS[brand] : null;
  }
  if (begins('OggS')) return 'audio/ogg';
  if (begins('\x1a\x45\xdf\xa3') && text.includes(WEBM)) return 'video/webm';
  if (begins('ID3') || isMp3Frame(bytes)) return 'audio/mpeg';
  return null;
}
