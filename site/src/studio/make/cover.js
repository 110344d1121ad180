// The cover: a picture that is chosen, or taken from the file; cropped and made small here, and shown as buyers see it.
import { el, formatBytes } from '../../shared/ui.js';
import { button, freshId } from './fields.js';
import { familyOf } from './kinds.js';
import { encodePicture, readPicture } from './pictures.js';
import { t } from './words.js';

const SIDE = 1200;
const BYTES = 1_048_576;

export class Cover {
  #picture = null; // what it is made from, while this page is open
  #made = null; // {blob, width, height}
  #url = '';
  #image = el('img', { alt: t.coverAlt, hidden: true });
  #about = el('span', { class: 'hint small numbers' });
  #problem = el('span', { class: 'problem', role: 'alert', hidden: true });
  #file = el('input', { type: 'file', accept: 'image/*', class: 'visually-hidden', id: freshId('cover'), name: 'cover' });
  #fromFile = button(t.coverFromFile, () => this.#take());
  #remove = button(t.coverRemove, () => this.clear());
  #shape = el('select', { id: freshId('shape'), name: 'shape' }, ...Object.entries(t.shapes).map(([value, textContent]) => el('option', { value, textContent })));

  /** @param {{onInput: () => void}} options */
  constructor({ onInput }) {
    this.onInput = onInput;
    this.#file.addEventListener('change', async () => {
      const [file] = this.#file.files;
      this.#file.value = '';
      if (file) await this.#from(async () => file, t.coverBad);
    });
    this.#shape.addEventListener('change', () => this.#make());
    this.shapeField = el('div', { class: 'field shape', hidden: true }, el('label', { htmlFor: this.#shape.id, textContent: t.coverShape }), this.#shape);
    this.#remove.hidden = true;
    this.element = el('div', { class: 'cover', role: 'group', 'aria-label': t.cover },
      el('div', { class: 'tile' }, this.#image, el('span', { class: 'tile-empty', 'aria-hidden': 'true', textContent: t.cover })),
      el('div', { class: 'stack tight' },
        el('strong', { textContent: t.cover }), el('span', { class: 'hint', textContent: t.coverHint }),
        el('div', { class: 'row' }, this.#file, el('label', { class: 'button compact', htmlFor: this.#file.id, textContent: t.coverChoose }), this.#fromFile, this.#remove),
        this.shapeField, this.#about, this.#problem));
  }

  /** @param {File|null} file what is being sold @param {string} type its media type */
  of(file, type) {
    this.source = file;
    this.family = familyOf(type);
    this.#fromFile.hidden = !file || !['sound', 'film', 'picture'].includes(this.family);
    if (!this.#made) this.#shape.value = this.family === 'film' ? 'wide' : 'square';
  }

  async #take() {
    await this.#from(async () => {
      if (this.family === 'picture') return this.source;
      const { artworkOf } = await import('./media.js');
      return artworkOf(this.source);
    }, t.coverNone);
  }

  async #from(find, otherwise) {
    this.#problem.hidden = true;
    this.element.setAttribute('aria-busy', 'true');
    try {
      const found = await find();
      if (!found) throw new Error('none');
      this.#picture = found instanceof Blob ? await readPicture(found) : found;
      await this.#make();
    } catch {
      this.#problem.textContent = otherwise;
      this.#problem.hidden = false;
    } finally {
      this.element.removeAttribute('aria-busy');
    }
  }

  async #make() {
    if (this.#picture) this.show(await encodePicture(this.#picture, { shape: this.#shape.value, side: SIDE, bytes: BYTES }));
    this.onInput();
  }

  /** @param {{blob: Blob, width: number, height: number}|null} made */
  show(made) {
    this.#made = made;
    URL.revokeObjectURL(this.#url);
    this.#url = made ? URL.createObjectURL(made.blob) : '';
    if (made) this.#image.src = this.#url;
    this.#image.hidden = !made;
    this.#remove.hidden = !made;
    this.shapeField.hidden = !this.#picture;
    this.#about.textContent = made ? t.coverSize(made.width, made.height, formatBytes(made.blob.size)) : '';
  }

  clear() {
    this.#picture = null;
    this.show(null);
    this.onInput();
    this.#file.focus();
  }

  /** @returns {{blob: Blob, width: number, height: number}|null} */
  get value() {
    return this.#made;
  }
}
