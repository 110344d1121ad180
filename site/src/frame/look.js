// The site's own accent, corners and font, as far as they can't be used against who reads the price: text on the
// button is black or white, whichever can be read, and nothing is made invisible.

const READABLE = 4.5;
const MAX_RADIUS = 24;

/** The colour as the browser understands it, opaque, or null. */
function parse(colour) {
  if (typeof colour !== 'string' || colour.length > 64 || !CSS.supports('color', colour)) return null;
  const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = probe.getImageData(0, 0, 1, 1).data;
  return alpha === 255 ? [red, green, blue] : null;
}

/** WCAG's relative luminance. */
function luminance(rgb) {
  const [red, green, blue] = rgb.map((part) => {
    const s = part / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);

/**
 * @param {unknown} colour
 * @returns {{accent: string, onAccent: string}|null} null if it is no opaque colour
 */
export function accentOf(colour) {
  const rgb = parse(colour);
  if (!rgb) return null;
  const own = luminance(rgb);
  // What is too light for white is light enough for black.
  const onAccent = contrast(own, 1) >= READABLE ? '#fff' : '#000';
  return { accent: `rgb(${rgb.join(' ')})`, onAccent };
}

/** @param {{accent?: unknown, radius?: unknown, font?: unknown}} look from the page around: a stranger's input */
export function wear({ accent, radius, font }) {
  const { style } = document.documentElement;
  const colours = accentOf(accent);
  if (colours) {
    style.setProperty('--accent', colours.accent);
    style.setProperty('--accent-hover', `color-mix(in srgb, ${colours.accent} 88%, black)`);
    style.setProperty('--on-accent', colours.onAccent);
  }
  const corner = /^(\d{1,3}(?:\.\d+)?)px$/.exec(radius)?.[1];
  if (corner !== undefined) {
    style.setProperty('--radius', `${Math.min(Number(corner), MAX_RADIUS)}px`);
    style.setProperty('--button-radius', `${Math.min(Number(corner) * 9, 999)}px`);
  }
  if (typeof font === 'string' && font.length <= 200 && font && CSS.supports('font-family', font)) style.setProperty('--font', font);
}
