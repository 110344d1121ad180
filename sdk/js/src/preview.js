// What a plain preview is, told by its first bytes (docs/FORMAT.md §1): a file's own word for it is a stranger's.
const ascii = (bytes, at, text) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
const starts = (bytes, ...first) => first.every((byte, i) => bytes[i] === byte);

/** @param {Uint8Array} bytes @returns {string|null} its media type; null for anything a page should not show */
export function previewType(bytes) {
  if (starts(bytes, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'image/png';
  if (starts(bytes, 0xff, 0xd8, 0xff)) return 'image/jpeg';
  return null;
}
