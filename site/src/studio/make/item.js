// One file on its way: chosen, encrypted, offered, sent, published. A row of the dashboard with its own form.
import { randomBytes } from '../../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { bodySize } from '../../../../sdk/js/src/format.js';
import { announce, el, formatBytes, formatClock } from '../../shared/ui.js';
import { ensureDelegated } from '../../shared/wallet-store.js';
import { problemNotice, said, sayError } from './problems.js';
import { GrowingBody, wholeBody } from './body.js';
import { button, freshId } from './fields.js';
import { WorkForm } from './form.js';
import { codecsOf, plays, streamKind, typeOf } from './kinds.js';
import { cleanName, titleFrom } from './names.js';
import { Packer } from './packer.js';
import { Progress } from './progress.js';
import { MEMORY_LIMIT, keptBody, removeKept } from './scratch.js';
import { doneBlock, shareBlock } from './share.js';
import { t } from './words.js';
import { forgetWork, publishWork, saveWork } from './works.js';

const SAVE_AFTER_MS = 400;
const endingOf = (name) => (name.includes('.') ? name.split('.').pop() : t.file).slice(0, 4).toUpperCase();

/**
 * @typedef {object} Studio what all items share
 * @property {import('../main.js').Context} context @property {import('./uploader.js').Sender} sender @property {string} workerUrl
 * @property {<T>(act: () => Promise<T>) => Promise<T>} inTurn one packing after another
 * @property {object} money @property {() => void} changed something began, ended or moved @property {(item: Item) => void} removed
 */

export class Item {
  #packer;
  #attempt = null; // {id, use, contentKey, planned, packed}: the packing under way, or the one that is done
  #found = null; // what inspecting the file gave
  #saving;
  #begun = Promise.resolve();
  #sending = null; // AbortController
  #packBar = new Progress('packing');
  #pauseButton = button(t.pause, () => this.#pauseResume());
  #sendBar = new Progress('sending', this.#pauseButton);
  #problem = el('div', { class: 'item-problem' });
  #about = el('div', { class: 'muted small numbers file-about' });
  #note = el('p', { class: 'notice warn item-note', hidden: true });
  #again = el('input', { type: 'file', class: 'visually-hidden', id: freshId('again') });

  /** @param {Studio} studio @param {import('./works.js').Work} work a draft, or one from an earlier visit */
  constructor(studio, work) {
    this.studio = studio;
    this.work = work;
    this.#packer = new Packer(studio.workerUrl);
    this.form = new WorkForm({
      payee: studio.context.wallet.account, submit: work.replaces ? t.publishVersion : t.publish,
      onInput: () => this.#saveSoon(), onUse: () => this.#repack(), onSubmit: () => this.publish(),
    });
    this.form.money(studio.money);
    const { name } = work.source;
    const heading = el('h2', { class: 'truncate file-name', id: freshId('file'), textContent: name });
    const remove = button(t.remove, () => this.remove(), { label: t.removeOf(name) });
    this.#again.addEventListener('change', () => this.#again.files[0] && this.choose(this.#again.files[0]));
    this.again = el('div', { class: 'row', hidden: true }, this.#again, el('label', { class: 'button primary', htmlFor: this.#again.id, textContent: t.chooseAgain(name) }));
    this.head = el('div', { class: 'chosen' }, el('span', { class: 'kind', 'aria-hidden': 'true', textContent: endingOf(name) }), el('div', { class: 'chosen-text' }, heading, this.#about), remove);
    this.share = shareBlock(work);
    this.fold = el('details', { class: 'form-fold', open: true }, el('summary', { textContent: t.fold }), this.form.element);
    this.element = el('li', { class: 'card stack item', 'aria-labelledby': heading.id }, this.head, this.#problem, this.#note, this.again, this.#packBar.element, this.#sendBar.element, this.fold, this.share);
    this.form.fill({ title: titleFrom(name, t.untitled), ...work.form });
    this.#describe();
  }

  /** Leaving the page now would stop something. */
  get busy() {
    return Boolean(this.#sending) || (this.#attempt !== null && !this.#attempt.done && !this.#attempt.failed);
  }

  /** @returns {number|null} what the title of the page says */
  get percent() {
    return this.#sendBar.percent ?? this.#packBar.percent;
  }

  #describe(more = '') {
    this.#about.textContent = [formatBytes(this.work.source.size), more].filter(Boolean).join(' · ');
  }

  #saveSoon() {
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.save().catch(() => {}), SAVE_AFTER_MS);
  }

  /** Keeps what was typed, and what is known of the work. */
  async save() {
    clearTimeout(this.#saving);
    if (this.gone || this.work.state === 'published') return;
    this.work.form = this.form.values();
    this.work.title = this.work.form.title;
    await saveWork(this.work);
  }

  // ------------------------------------------------------------ beginning

  /** Begins with a file, or begins again with it: always under a key of its own. @param {File} file */
  async choose(file) {
    this.#begun = this.#begin(file);
    await this.#begun;
    // It was asked to be published before the page went away.
    if (!this.gone && this.work.offer && !this.#sending) await this.#send();
  }

  async #begin(file) {
    const { source } = this.work;
    const same = source.name === file.name && source.size === file.size;
    this.#drop();
    if (!same) Object.assign(this.work, { offer: undefined, source: { name: file.name, size: file.size, type: file.type } });
    this.#tell(same ? '' : t.otherFile(source.name));
    this.again.hidden = true;
    this.fold.hidden = false;
    this.file = file;
    this.#describe();
    await this.save();
    await this.#look();
    if (this.gone) return;
    if (this.work.offer) this.form.use = this.work.offer.terms.use;
    this.#pack();
  }

  /** Whatever was packed is of no use any more. */
  #drop() {
    const { packed } = this.work;
    if (packed?.kept) removeKept(packed.id);
    Object.assign(this.work, { packed: undefined, header: undefined, manifest: undefined, upload: undefined, state: 'draft' });
  }

  /** Goes on where an earlier visit stopped. */
  async restore() {
    const { packed, offer } = this.work;
    const blob = packed?.kept ? await keptBody(packed.id) : null;
    if (!blob || blob.size !== packed.bodySize) {
      const lost = Boolean(packed);
      this.#drop();
      this.#tell(lost ? t.gone : t.interrupted);
      this.again.hidden = false;
      this.fold.hidden = true;
      return;
    }
    this.form.cover.of(null, packed.mediaType);
    await this.form.clip.of(null, packed.mediaType);
    this.form.fixUse(packed.use, packed.use === 'stream' ? t.wasStream : t.wasDownload);
    this.#attempt = { id: packed.id, use: packed.use, done: true, planned: Promise.resolve({ packing: packed, body: wholeBody(blob) }), packed: Promise.resolve(packed) };
    this.#packBar.done(t.encrypted, t.packedBefore);
    if (offer) await this.#send();
  }

  async #look() {
    const type = typeOf(this.file);
    this.form.cover.of(this.file, type);
    this.#packBar.wait(t.reading);
    this.form.clip.of(this.file, type).then(() => this.form.clip.fill(this.work.form?.clip)).catch(() => {});
    try {
      this.#found = (await this.#packer.inspect(this.file)).stream;
    } catch (error) {
      this.#found = { ok: false, error };
    }
    this.#offerStream(this.#found);
    if (this.work.form?.use) this.form.use = this.work.form.use;
  }

  #offerStream(found) {
    if (!found.ok) {
      const { codec } = found.error.members ?? {};
      this.form.offerStream({ enabled: false, why: codec ? t.streamCodec(codec) : t.streamKinds });
    } else if (found.mse && !plays(found.mse)) this.form.offerStream({ enabled: false, why: t.streamHere(codecsOf(found.mse)) });
    else this.form.offerStream({ enabled: true, note: found.how === 'remux' ? t.remuxed : '' });
  }

  // ------------------------------------------------------------ packing

  #repack() {
    if (this.#found && this.#attempt?.use !== this.form.use) this.#pack();
  }

  /** Encrypts under a key that is made now and used for nothing else. */
  #pack() {
    this.#packer.stop();
    this.#drop();
    const { use } = this.form;
    const attempt = { use, id: `pack-${Date.now()}-${Math.random().toString(36).slice(2, 10)}`, contentKey: randomBytes(32) };
    this.#attempt = attempt;
    let plan;
    attempt.planned = new Promise((resolve, reject) => (plan = { resolve, reject }));
    attempt.planned.catch(() => {});
    this.#packBar.wait(t.waiting);
    attempt.packed = this.studio.inTurn(() => this.#encrypt(attempt, plan));
    attempt.packed.catch((error) => {
      plan.reject(error);
      this.#packFailed(error, attempt);
    });
    this.studio.changed();
  }

  #current(attempt) {
    if (this.#attempt !== attempt || this.gone) throw new SatchelError('aborted', 'Stopped');
  }

  async #encrypt(attempt, plan) {
    this.#current(attempt);
    const { use, id, contentKey } = attempt;
    const streamed = use === 'stream';
    const name = cleanName(this.file.name);
    const remuxed = streamed && this.#found.how === 'remux';
    const mediaType = streamed ? this.#found.mediaType : typeOf(this.file);
    const about = { id, use, contentKey, mediaType, name: remuxed ? cleanName(name.replace(/\.[^.]{1,8}$/, '') + (mediaType.startsWith('audio') ? '.m4a' : '.mp4')) : name };
    let body;
    let phase = '';
    const onNews = (news) => {
      if (this.#attempt !== attempt) return;
      if (news.phase === 'plan') {
        // What comes out of remuxing is what counts.
        if (remuxed && !(streamKind({ mediaType, mse: news.mse }) && plays(news.mse))) return void this.#packer.stop();
        body = new GrowingBody(bodySize(news.segments));
        if (!news.kept) this.#tell(t.inMemory(formatBytes(MEMORY_LIMIT)));
        plan.resolve({ packing: { ...about, segments: news.segments, mse: news.mse, durationMs: news.durationMs }, body });
        return;
      }
      if (news.phase === 'piece') return void body.grow(news.piece);
      if (news.phase !== phase) this.#packBar.start(news.phase === 'pack' ? t.encrypting : t.preparing, news.total);
      phase = news.phase;
      this.#packBar.at(news.done);
      this.studio.changed();
    };
    let packed;
    try {
      packed = await this.#packer.pack({ id, work: this.work.work, contentKey, file: this.file, use, how: this.#found.how }, onNews);
    } catch (error) {
      body?.fail(error);
      throw error;
    }
    this.#current(attempt);
    const whole = { ...about, ...packed };
    attempt.done = true;
    // From here on a reload costs nothing: the key is kept with what it has encrypted.
    this.work.packed = whole;
    await this.save();
    this.#packBar.done(t.encrypted, [t.encryptedAbout(formatBytes(packed.bodySize)), packed.durationMs && formatClock(packed.durationMs / 1000)].filter(Boolean).join(' · '));
    this.studio.changed();
    return whole;
  }

  #packFailed(error, attempt) {
    if (this.#attempt !== attempt || this.gone) return;
    attempt.failed = true;
    this.#packBar.hide();
    this.studio.changed();
    // Another file has this one's place; or what came out of remuxing is not played here.
    if (error.code === 'aborted' && attempt.use === 'stream') {
      this.#found = { ok: false, error };
      this.#offerStream(this.#found);
      return void this.#pack();
    }
    this.#showProblem(this.#roomProblem(error), () => this.#pack());
  }

  #roomProblem(error) {
    if (!['no_room', 'QuotaExceededError'].includes(error.code ?? error.name)) return error;
    const size = error.members?.size ?? this.work.source.size;
    return said('no_room', t.noRoomTitle, { detail: t.noRoom(formatBytes(size), formatBytes(MEMORY_LIMIT)) });
  }

  // ------------------------------------------------------------ publishing

  async publish() {
    if (this.#sending) return;
    this.fold.open = true;
    const offer = await this.form.read();
    if (!offer) return;
    this.#problem.replaceChildren();
    // A quick hand presses before the file was looked into.
    await this.#begun;
    if (this.#sending || !this.#attempt) return;
    const { listed } = this.work;
    this.work.offer = { ...offer, ...(listed && { listing: { ...listed, ...offer.listing } }), signed: Math.floor(Date.now() / 1000) };
    this.work.terms = offer.terms;
    await this.save();
    if (!this.#attempt.done) announce(t.publishSoon);
    await this.#send();
  }

  async #send() {
    const { client, wallet } = this.studio.context;
    const attempt = this.#attempt;
    this.form.lock(true);
    // What was written is fixed now; what is wanted meanwhile is the link.
    this.fold.hidden = true;
    this.share.open = true;
    this.#sending = new AbortController();
    this.#pauseButton.hidden = true;
    this.#sendBar.wait(t.registering);
    if (!attempt.done) this.#sendBar.say(t.publishSoon);
    this.studio.changed();
    try {
      const { packing, body } = await attempt.planned;
      await ensureDelegated(wallet, client).catch(() => {});
      const published = await publishWork(this.work, {
        client, creator: wallet.creator, payee: wallet.account, packing, packed: attempt.packed, body, sender: this.studio.sender, signal: this.#sending.signal,
        onStep: (step) => this.#step(step, body.size),
        onProgress: (sent, total) => {
          if (this.#sendBar.total !== total) this.#sendBar.start(t.uploading, total, sent);
          this.#sendBar.at(sent);
          this.studio.changed();
        },
        onWait: (error, seconds) => this.#sendBar.say(t.retry(sayError(error).title, Math.ceil(seconds))),
      });
      await this.#done(published);
    } catch (error) {
      this.#sendFailed(error);
    } finally {
      this.#sending = null;
      this.studio.changed();
    }
  }

  #step(step, size) {
    this.#pauseButton.hidden = step !== 'upload';
    if (step === 'upload') {
      this.#sendBar.start(t.uploading, size);
      this.#namePause(false);
    }
    if (step === 'finish') this.#sendBar.say(t.finishing);
  }

  #namePause(paused) {
    const { name } = this.work.source;
    this.#pauseButton.textContent = paused ? t.resume : t.pause;
    this.#pauseButton.setAttribute('aria-label', paused ? t.resumeOf(name) : t.pauseOf(name));
  }

  #pauseResume() {
    const paused = this.studio.sender.pauseResume(this.work.work);
    this.#namePause(paused);
    this.#sendBar.name(paused ? t.paused : t.uploading);
    if (paused) this.#sendBar.say(t.pausedAbout);
    announce(paused ? t.paused : t.uploading);
  }

  #sendFailed(error) {
    if (this.gone) return;
    if (this.#attempt?.failed || error.code === 'aborted') {
      // What was to be sent could not be packed: that is said already, and the form is open again.
      this.#reopen();
      return;
    }
    this.#pauseButton.hidden = true;
    this.#sendBar.say(t.stopped);
    if (!this.work.header && !this.work.upload?.uploadId) {
      this.#reopen();
      return void this.#showProblem(error, () => this.publish());
    }
    this.#showProblem(error, () => this.#send());
  }

  /** Nothing was fixed yet: it may be written differently. */
  #reopen() {
    this.work.offer = undefined;
    this.form.lock(false);
    this.fold.hidden = false;
    this.fold.open = true;
    this.#sendBar.hide();
  }

  #showProblem(error, again) {
    this.#problem.replaceChildren(problemNotice(error, button(t.again, () => {
      this.#problem.replaceChildren();
      again();
    }, { primary: true })));
    this.#problem.scrollIntoView({ block: 'nearest' });
  }

  #tell(text) {
    this.#note.textContent = text;
    this.#note.hidden = text === '';
  }

  async #done(published) {
    this.work = published;
    this.#packer.stop();
    // Its next version may be made here or in another tab.
    this.release?.();
    const block = await doneBlock(published, this.studio.context.wallet);
    this.element.replaceChildren(this.head, block);
    this.element.classList.add('is-done');
    const heading = block.querySelector('.done-heading');
    if (this.element.contains(document.activeElement) || document.activeElement === document.body) heading.focus({ preventScroll: true });
    announce(t.published);
  }

  /** Takes it off the list; what was not published is forgotten. */
  async remove() {
    this.gone = true;
    clearTimeout(this.#saving);
    this.#sending?.abort();
    this.studio.sender.cancel(this.work.work);
    this.#packer.stop();
    if (this.#attempt && !this.#attempt.done) removeKept(this.#attempt.id);
    if (this.work.state !== 'published') await forgetWork(this.work);
    this.element.remove();
    this.release?.();
    this.studio.removed(this);
  }
}
