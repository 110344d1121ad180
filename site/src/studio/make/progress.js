// A bar with what is done, how fast, and how long it takes still.
import { Pace, announce, el, formatBytes, formatLeft } from '../../shared/ui.js';
import { freshId } from './fields.js';
import { t } from './words.js';

export class Progress {
  #label = el('strong', { class: 'progress-label', id: freshId('progress') });
  #percent = el('span', { class: 'numbers progress-percent' });
  #bar = el('progress', { max: 100, value: 0, 'aria-labelledby': this.#label.id });
  #about = el('span', { class: 'numbers progress-about' });
  #pace = null;
  #quarter = -1;

  /** @param {string} kind class of the block @param {...Node} buttons */
  constructor(kind, ...buttons) {
    this.element = el('div', { class: `progress-block ${kind}`, hidden: true },
      el('div', { class: 'row spread' }, this.#label, this.#percent), this.#bar, el('div', { class: 'row spread muted small' }, this.#about, ...buttons));
  }

  /** Percent now; null while nothing is under way. @type {number|null} */
  percent = null;

  /** @param {string} label @param {number} total bytes */
  start(label, total, done = 0) {
    this.label = label;
    this.#pace = new Pace(total);
    this.#pace.restart(done);
    this.#quarter = -1;
    this.element.hidden = false;
    this.#label.textContent = label;
    this.#bar.classList.remove('done');
    this.at(done);
  }

  get total() {
    return this.#pace?.total;
  }

  /** @param {number} done bytes */
  at(done) {
    const { percent, rate, left } = this.#pace.at(done);
    this.percent = percent;
    this.#bar.value = percent;
    this.#percent.textContent = `${percent} %`;
    const words = [t.uploadingAbout(formatBytes(done), formatBytes(this.#pace.total)), rate > 0 && `${formatBytes(rate)}/s`, rate > 0 && percent < 100 && formatLeft(left)];
    this.#about.textContent = words.filter(Boolean).join(' · ');
    // Screen readers hear quarters, not every percent.
    const quarter = Math.floor(percent / 25);
    if (quarter > this.#quarter && quarter > 0 && quarter < 4) announce(t.percentSaid(this.label, percent));
    this.#quarter = Math.max(this.#quarter, quarter);
  }

  /** Something is going on that has no measure. @param {string} label */
  wait(label) {
    this.element.hidden = false;
    this.#label.textContent = label;
    this.#percent.textContent = '';
    this.#about.textContent = '';
    this.#bar.classList.remove('done');
    this.#bar.value = 0;
  }

  /** @param {string} label */
  name(label) {
    this.#label.textContent = label;
  }

  /** @param {string} text */
  say(text) {
    this.#about.textContent = text;
  }

  done(label, about) {
    this.percent = null;
    this.element.hidden = false;
    this.#label.textContent = label;
    this.#bar.value = 100;
    this.#bar.classList.add('done');
    this.#percent.textContent = '';
    this.#about.textContent = about;
    announce(label);
  }

  hide() {
    this.percent = null;
    this.element.hidden = true;
  }
}
