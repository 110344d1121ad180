// Pictures made smaller in the browser, so that what is shown to everybody is light and carries no place or camera.

/** @param {'square'|'wide'|'whole'} shape @param {number} width @param {number} height @returns {{x: number, y: number, w: number, h: number}} the middle of it */
export function cropOf(shape, width, height) {
  const ratio = { square: 1, wide: 16 / 9 }[shape] ?? width / height;
  const w = Math.min(width, Math.round(height * ratio));
  const h = Math.min(height, Math.round(width / ratio));
  return { x: Math.floor((width - w) / 2), y: Math.floor((height - h) / 2), w, h };
}

/** What a browser that can't write WebP answers instead is a PNG. */
async function written(canvas, quality) {
  const webp = await canvas.convertToBlob({ type: 'image/webp', quality });
  return webp.type === 'image/webp' ? webp : canvas.convertToBlob({ type: 'image/jpeg', quality });
}

/**
 * @param {ImageBitmap|OffscreenCanvas|HTMLCanvasElement} picture
 * @param {{shape?: 'square'|'wide'|'whole', side: number, bytes: number}} options longest side, and bytes at most
 * @returns {Promise<{blob: Blob, width: number, height: number}>}
 */
export async function encodePicture(picture, { shape = 'whole', side, bytes }) {
  const { x, y, w, h } = cropOf(shape, picture.width, picture.height);
  for (let scale = Math.min(1, side / Math.max(w, h)); ; scale *= 0.8) {
    const [width, height] = [Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale))];
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext('2d');
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(picture, x, y, w, h, 0, 0, width, height);
    for (const quality of [0.86, 0.7, 0.5]) {
      const blob = await written(canvas, quality);
      if (blob.size <= bytes) return { blob, width, height };
    }
  }
}

/** @param {Blob} blob @returns {Promise<ImageBitmap>} @throws {DOMException} if it is no picture */
export async function readPicture(blob) {
  try {
    return await createImageBitmap(blob);
  } catch (error) {
    if (blob.type !== 'image/svg+xml') throw error;
    // Browsers draw these only from an element.
    const image = new Image();
    image.src = URL.createObjectURL(blob);
    try {
      await image.decode();
      const canvas = new OffscreenCanvas(image.naturalWidth || 1024, image.naturalHeight || 1024);
      canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.transferToImageBitmap();
    } finally {
      URL.revokeObjectURL(image.src);
    }
  }
}

/** The first lines of a text as a picture of paper: a preview is a picture or a sample (docs/FORMAT.md §1). @param {string[]} lines @returns {OffscreenCanvas} */
export function drawLines(lines) {
  const [size, step, margin, width] = [22, 32, 40, 900];
  const measure = new OffscreenCanvas(1, 1).getContext('2d');
  const font = `${size}px ui-serif, Georgia, serif`;
  measure.font = font;
  const rows = lines.flatMap((line) => wrap(line, (text) => measure.measureText(text).width <= width - 2 * margin)).slice(0, 80);
  const canvas = new OffscreenCanvas(width, 2 * margin + Math.max(1, rows.length) * step);
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fffdf9';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = '#231d18';
  pen.font = font;
  pen.textBaseline = 'middle';
  rows.forEach((row, i) => pen.fillText(row, margin, margin + (i + 0.5) * step));
  return canvas;
}

function wrap(line, fits) {
  const rows = [''];
  for (const word of line.replace(/\t/g, '    ').split(' ')) {
    const longer = rows.at(-1) === '' ? word : `${rows.at(-1)} ${word}`;
    if (fits(longer) || rows.at(-1) === '') rows[rows.length - 1] = longer;
    else rows.push(word);
  }
  return rows;
}
