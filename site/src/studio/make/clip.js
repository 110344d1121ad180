// The preview: a part of the work that everybody may hear or see, made here by the creator's wish.
import { LIMITS } from '../../../../sdk/js/src/format.js';
import { previewType } from '../../../../sdk/js/src/preview.js';
import { el, formatBytes, formatClock } from '../../shared/ui.js';
import { button, checkbox, fold, freshId } from './fields.js';
import { familyOf } from './kinds.js';
import { drawLines, encodePicture, readPicture } from './pictures.js';
import { Wrong } from './read.js';
import { t } from './words.js';

const LENGTH = { least: 3, usual: 20, most: 60 };
const PICTURE = { side: 900, bytes: 524_288 };
/** Text is looked for no further than this. */
const TEXT_BYTES = 65_536;

function slider(name, label, says) {
  const control = el('input', { type: 'range', id: freshId(name), name, min: '0', max: '0', step: '1', value: '0' });
  const out = el('output', { class: 'numbers', htmlFor: control.id });
  const show = () => {
    out.textContent = says(Number(control.value));
    control.setAttribute('aria-valuetext', out.textContent);
  };
  control.addEventListener('input', show);
  const element = el('div', { class: 'field slider' }, el('div', { class: 'row spread' }, el('label', { htmlFor: control.id, textContent: label }), out), control);
  const set = (value, max, min = 0) => {
    Object.assign(control, { min: String(min), max: String(max), value: String(value) });
    show();
  };
  return { element, control, set, get value() { return Number(control.value); } };
}

export class Clip {
  #on = checkbox({ name: 'clip', label: t.clipOn });
  #start = slider('clip-start', t.clipStart, formatClock);
  #length = slider('clip-length', t.clipLength, t.seconds);
  #lines = slider('clip-lines', t.clipLines, t.lines);
  #note = el('span', { class: 'hint', role: 'status' });
  #problem = el('span', { class: 'problem', role: 'alert', hidden: true });
  #shown = el('div', { class: 'clip-shown' });
  #make = button(t.clipMake, () => this.#preview());
  #made = null; // {key, bytes}
  #url = '';

  /** @param {{onInput: () => void}} options */
  constructor({ onInput }) {
    this.controls = el('div', { class: 'stack tight', hidden: true }, this.#start.element, this.#length.element, this.#lines.element, el('div', { class: 'row' }, this.#make), this.#shown);
    this.element = fold('clip', t.clip, el('p', { class: 'hint', textContent: t.clipHint }), this.#on.element, this.controls, this.#note, this.#problem);
    this.element.addEventListener('input', () => {
      this.controls.hidden = !this.#on.control.checked;
      this.#problem.hidden = true;
      onInput();
    });
  }

  /** @param {File|null} file what is being sold @param {string} type */
  async of(file, type) {
    this.source = file;
    this.family = familyOf(type);
    const kind = { sound: 'media', film: 'media' }[this.family] ?? this.family;
    this.#on.control.disabled = !file || kind === 'other';
    this.#note.textContent = kind === 'other' ? t.clipNone : file || this.#made ? '' : t.clipNoFile;
    this.#start.element.hidden = this.#length.element.hidden = kind !== 'media';
    this.#lines.element.hidden = kind !== 'text';
    this.#lines.set(20, 60, 3);
    this.#length.set(LENGTH.usual, LENGTH.most, LENGTH.least);
    if (!file || kind !== 'media') return;
    const { durationOf } = await import('./media.js');
    const seconds = Math.floor(await durationOf(file).catch(() => 0));
    this.#on.control.disabled = seconds < 1;
    if (seconds < 1) this.#note.textContent = t.clipBad;
    this.#start.set(0, Math.max(0, seconds - 1));
    this.#length.set(Math.min(LENGTH.usual, seconds), Math.min(LENGTH.most, seconds), Math.min(LENGTH.least, seconds));
  }

  values() {
    return { on: this.#on.control.checked, start: this.#start.value, length: this.#length.value, lines: this.#lines.value };
  }

  fill({ on = false } = {}) {
    this.#on.control.checked = on && !this.#on.control.disabled;
    this.controls.hidden = !this.#on.control.checked;
    this.element.open ||= this.#on.control.checked;
  }

  /** @returns {Promise<Uint8Array|undefined>} undefined where none is wanted @throws {Wrong} and says why beside it */
  async read() {
    if (!this.#on.control.checked || !this.source) return undefined;
    const key = JSON.stringify(this.values());
    if (this.#made?.key === key) return this.#made.bytes;
    this.#note.textContent = t.clipMaking;
    try {
      const bytes = await this.#bytes();
      this.#made = { key, bytes };
      this.#note.textContent = t.clipReady(formatBytes(bytes.length));
      return bytes;
    } catch (error) {
      this.#note.textContent = '';
      this.#problem.textContent = error instanceof Wrong ? error.message : t.clipBad;
      this.#problem.hidden = false;
      this.element.open = true;
      throw error instanceof Wrong ? error : new Wrong(t.clipBad);
    }
  }

  async #bytes() {
    const asBytes = async ({ blob }) => new Uint8Array(await blob.arrayBuffer());
    if (this.family === 'picture') return asBytes(await encodePicture(await readPicture(this.source), PICTURE));
    if (this.family === 'text') {
      const lines = (await this.source.slice(0, TEXT_BYTES).text()).split(/\r\n?|\n/).slice(0, this.#lines.value);
      return asBytes(await encodePicture(drawLines(lines), { side: 4096, bytes: PICTURE.bytes }));
    }
    const { clipOf } = await import('./media.js');
    const { bytes, large } = await clipOf(this.source, { start: this.#start.value, length: this.#length.value, bytes: LIMITS.preview });
    if (!bytes) throw new Wrong(large ? t.clipLarge(formatBytes(LIMITS.preview)) : t.clipBad);
    if (!previewType(bytes)) throw new Wrong(t.clipBad);
    return bytes;
  }

  async #preview() {
    this.#make.disabled = true;
    try {
      const bytes = await this.read();
      if (!bytes) return;
      const type = previewType(bytes);
      URL.revokeObjectURL(this.#url);
      this.#url = URL.createObjectURL(new Blob([bytes], { type }));
      const tag = { image: 'img', audio: 'audio', video: 'video' }[type.split('/')[0]];
      this.#shown.replaceChildren(el(tag, { src: this.#url, ...(tag === 'img' ? { alt: t.clip } : { controls: true, 'aria-label': t.clip }) }));
    } catch { /* said beside it */ } finally {
      this.#make.disabled = false;
    }
  }
}
