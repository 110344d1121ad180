// Documents and pictures that are streamed: page by page in a canvas, each part opened by the key of its window, nothing to save.
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { recall, remember } from './position.js';
import { readSegment } from './remote.js';
import { told } from './stream.js';
import { text as catalogue } from './text.js';

const t = words(catalogue);
/** Widest side of what is drawn, device pixels: a canvas beyond it is refused by some browsers. */
const MOST_PIXELS = 4096;
const ZOOMS = [1, 1.25, 1.5, 2, 3];

/** Plaintext of a work that is cut at fixed places, read where it is asked for; parts are kept once opened. */
class Plain {
  #parts = new Map();
  #starts;

  constructor(file, keys) {
    this.file = file;
    this.keys = keys;
    let at = 0;
    this.#starts = [...file.satchel.segments.map(({ plain_len: length }) => (at += length) - length), at];
  }

  get size() {
    return this.#starts.at(-1);
  }

  #part(index) {
    if (!this.#parts.has(index)) {
      const { window } = this.file.satchel.segments[index];
      const part = readSegment(this.file, index, this.keys.key(window));
      part.catch(() => this.#parts.delete(index));
      this.#parts.set(index, part);
    }
    return this.#parts.get(index);
  }

  /** @param {number} from @param {number} to @returns {Promise<Uint8Array>} */
  async read(from, to) {
    const out = new Uint8Array(to - from);
    for (let i = 0; i + 1 < this.#starts.length; i += 1) {
      const [start, end] = [this.#starts[i], this.#starts[i + 1]];
      if (end <= from || start >= to) continue;
      const part = await this.#part(i);
      out.set(part.subarray(Math.max(0, from - start), Math.min(end, to) - start), Math.max(0, start - from));
    }
    return out;
  }

  /** All of it, telling how far it is. @param {(percent: number) => void} onProgress */
  async all(onProgress) {
    const out = new Uint8Array(this.size);
    for (let i = 0; i + 1 < this.#starts.length; i += 1) {
      out.set(await this.#part(i), this.#starts[i]);
      onProgress(Math.floor((100 * this.#starts[i + 1]) / Math.max(1, this.size)));
    }
    return out;
  }
}

/** The receipt's short id in a corner: a courtesy lock has a trace, too. */
function stamp(canvas, label) {
  const draw = canvas.getContext('2d');
  const size = Math.max(10, Math.round(canvas.width / 70));
  draw.save();
  draw.setTransform(1, 0, 0, 1, 0, 0);
  draw.font = `${size}px sans-serif`;
  draw.textAlign = 'right';
  draw.globalAlpha = 0.55;
  draw.lineWidth = Math.max(1, size / 6);
  draw.strokeStyle = '#fff';
  draw.fillStyle = '#333';
  const [x, y] = [canvas.width - size / 2, canvas.height - size / 2];
  draw.strokeText(label, x, y);
  draw.fillText(label, x, y);
  draw.restore();
}

const button = (words, act) => el('button', { type: 'button', class: 'button compact', textContent: words, onclick: act });

async function picture(context, plain, manifest, label) {
  const { stage, say } = context;
  const bytes = await plain.all((percent) => say(t.loadingPicture(percent)));
  const image = await createImageBitmap(new Blob([bytes], { type: manifest.media_type }));
  const scale = Math.min(1, MOST_PIXELS / Math.max(image.width, image.height));
  const canvas = el('canvas', { class: 'sheet', width: Math.round(image.width * scale), height: Math.round(image.height * scale), role: 'img' });
  canvas.setAttribute('aria-label', t.picture(manifest.title));
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  if (label) stamp(canvas, label);
  stage.replaceChildren(el('div', { class: 'reader' }, canvas), el('p', { class: 'hint', textContent: t.lock }));
  say('');
  context.emit('play');
}

async function openPdf(plain) {
  const [pdf, worker] = await Promise.all([import('pdfjs-dist/build/pdf.mjs'), import('pdfjs-dist/build/pdf.worker.mjs')]);
  // In this page rather than a worker: a sandboxed frame may start none, and its origin could load no script for it.
  globalThis.pdfjsWorker = worker;
  class Source extends pdf.PDFDataRangeTransport {
    constructor() {
      super(plain.size, null);
      this.failed = new Promise((_, reject) => (this.reject = reject));
      this.failed.catch(() => {});
    }

    async requestDataRange(from, to) {
      try {
        this.onDataRange(from, await plain.read(from, to));
      } catch (error) {
        this.reject(error);
      }
    }
  }
  const source = new Source();
  // No eval, no fonts by style sheets, nothing fetched by itself: our policy allows none of it.
  const loading = pdf.getDocument({ range: source, length: plain.size, disableStream: true, disableAutoFetch: true, rangeChunkSize: 262_144, disableFontFace: true, useSystemFonts: false, enableXfa: false, isEvalSupported: false, useWasm: false, verbosity: 0 });
  const book = await Promise.race([loading.promise, source.failed]);
  return { book, failed: source.failed };
}

async function pages(context, plain, manifest, label) {
  const { stage, say, fail, emit } = context;
  const { book, failed } = await openPdf(plain);
  const count = book.numPages;
  let page = Math.min(count, Math.max(1, recall(manifest.work)));
  let zoom = 0;
  let turn = 0;
  const canvas = el('canvas', { class: 'sheet', role: 'img' });
  // What the page says, for whoever does not see it.
  const spoken = el('div', { class: 'visually-hidden' });
  const field = el('input', { type: 'number', class: 'page-number', min: 1, max: count, value: page });
  field.setAttribute('aria-label', t.goToPage);
  const where = el('span', { class: 'muted' });
  const sheet = el('div', { class: 'reader', tabIndex: 0 }, canvas, spoken);

  const draw = async () => {
    const mine = (turn += 1);
    field.value = String(page);
    where.textContent = t.page(page, count);
    const late = setTimeout(() => mine === turn && say(t.loadingPage(page)), 400);
    try {
      const opened = await Promise.race([book.getPage(page), failed]);
      const size = opened.getViewport({ scale: 1 });
      const wide = Math.max(280, sheet.clientWidth || 640) * (self.devicePixelRatio || 1) * ZOOMS[zoom];
      const scale = Math.min(wide / size.width, MOST_PIXELS / Math.max(size.width, size.height));
      const viewport = opened.getViewport({ scale });
      const drawn = el('canvas', { width: Math.floor(viewport.width), height: Math.floor(viewport.height) });
      await Promise.race([opened.render({ canvas: drawn, canvasContext: drawn.getContext('2d'), viewport }).promise, failed]);
      if (mine !== turn) return;
      if (label) stamp(drawn, label);
      canvas.width = drawn.width;
      canvas.height = drawn.height;
      canvas.classList.toggle('zoomed', zoom > 0);
      canvas.style.setProperty('--zoom', String(ZOOMS[zoom]));
      canvas.getContext('2d').drawImage(drawn, 0, 0);
      canvas.setAttribute('aria-label', t.page(page, count));
      const words = await opened.getTextContent();
      if (mine === turn) spoken.textContent = words.items.map((item) => item.str).join(' ');
      remember(manifest.work, page > 1 ? page : 0);
      say('');
    } catch (error) {
      if (mine === turn) fail(told(error), draw);
    } finally {
      clearTimeout(late);
    }
  };
  const go = (to) => {
    const wanted = Math.min(count, Math.max(1, Math.round(to) || 1));
    if (wanted === page) return;
    page = wanted;
    void draw();
  };
  const magnify = (step) => {
    zoom = Math.min(ZOOMS.length - 1, Math.max(0, zoom + step));
    void draw();
  };
  field.addEventListener('change', () => go(Number(field.value)));
  const keys = { ArrowRight: () => go(page + 1), PageDown: () => go(page + 1), ArrowLeft: () => go(page - 1), PageUp: () => go(page - 1), Home: () => go(1), End: () => go(count), '+': () => magnify(1), '-': () => magnify(-1) };
  sheet.addEventListener('keydown', (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  const bar = el('div', { class: 'actions reader-bar' }, button(t.previousPage, () => go(page - 1)), field, where, button(t.nextPage, () => go(page + 1)), button(t.smaller, () => magnify(-1)), button(t.larger, () => magnify(1)));
  stage.replaceChildren(bar, sheet, el('p', { class: 'hint', textContent: t.lock }));
  await draw();
  emit('play');
}

/**
 * @param {import('./main.js').Context} context @param {object} file as `openRemote` answers it
 * @param {import('./session.js').WindowKeys} keys @param {string} short id of the receipt
 */
export async function read(context, file, keys, short) {
  const { manifest } = file.satchel;
  keys.onWait = (seconds) => context.say(t.pausedForWindow(seconds));
  const plain = new Plain(file, keys);
  const label = context.mark === false ? '' : t.mark(short);
  try {
    if (manifest.media_type.startsWith('image/')) await picture(context, plain, manifest, label);
    else await pages(context, plain, manifest, label);
  } catch (error) {
    if (error instanceof SatchelError) throw error;
    throw new SatchelError('cannot_show', t.cannotShow, { next: t.cannotShowNext, cause: error });
  }
}
