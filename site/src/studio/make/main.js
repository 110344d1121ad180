// New work: choose a file → it is encrypted into this browser → title and price → upload → published.
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { randomBytes } from '../../../../sdk/js/src/bytes.js';
import { workId } from '../../../../sdk/js/src/ids.js';
import { MAX_COPIES, copiesLeft } from '../../../../sdk/js/src/terms.js';
import { MIN_PRICE, afterFee, formatBits, formatUsd, parseUsd, usdToMsat } from '../../../../sdk/js/src/money.js';
import { loadConfig } from '../../shared/config.js';
import { $, Pace, announce, copyRow, el, explain, formatBytes, formatClock, formatLeft, problemNotice } from '../../shared/ui.js';
import { ensureDelegated, walletClient, wordsOnce } from '../../shared/wallet-store.js';
import { readAccount } from '../../wallet/account.js';
import { Packer } from './packer.js';
import { keptFile, sweep } from './scratch.js';
import { addresses, fixWork, forgetWork, listWorks, publishWork, saveWork } from './works.js';

const packer = new Packer($('meta[name="satchel-pack-worker"]').content);
const form = $('#form');
const titleField = $('#title');
const priceField = $('#price');
const giveawayField = $('#giveaway');
const limitField = $('#limit');

/** What is being sold right now; null before a file is chosen. */
let draft = null;
/** Bytes are being encrypted or sent: leaving the page would stop that. */
let busy = false;
/** What the account says: rate, ledger. Prices in Bits wait for it. */
let account = null;
let uploading = null;

// ---------------------------------------------------------------- progress

const progress = {
  pace: null,
  quarter: 0,
  start(label, total, done = 0) {
    this.label = label;
    this.pace = new Pace(total);
    this.pace.restart(done);
    this.quarter = -1;
    $('#work-progress').hidden = false;
    $('#progress-label').textContent = label;
    $('#progress').classList.remove('done');
    $('#progress').value = 0;
    this.at(done);
  },
  at(done) {
    const { percent, rate, left } = this.pace.at(done);
    $('#progress').value = percent;
    $('#progress-percent').textContent = `${percent} %`;
    const words = [`${formatBytes(done)} of ${formatBytes(this.pace.total)}`, rate > 0 && `${formatBytes(rate)}/s`, rate > 0 && percent < 100 && formatLeft(left)];
    $('#progress-about').textContent = words.filter(Boolean).join(' · ');
    document.title = busy ? `${percent} % – Studio` : 'Studio – Satchel';
    // Screen readers hear quarters, not every percent.
    const quarter = Math.floor(percent / 25);
    if (quarter > this.quarter && quarter > 0 && quarter < 4) announce(`${this.label}: ${percent} percent`);
    this.quarter = Math.max(this.quarter, quarter);
  },
  say(text) {
    $('#progress-about').textContent = text;
  },
  done(label, about) {
    $('#progress-label').textContent = label;
    $('#progress').value = 100;
    $('#progress').classList.add('done');
    $('#progress-percent').textContent = '';
    $('#progress-about').textContent = about;
    announce(label);
    document.title = 'Studio – Satchel';
  },
};

function setBusy(value) {
  busy = value;
  if (!value) document.title = 'Studio – Satchel';
}

addEventListener('beforeunload', (event) => {
  if (busy) event.preventDefault();
});

function showProblem(error, ...actions) {
  $('#problem').replaceChildren(problemNotice(error, ...actions));
  $('#problem').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
}
const clearProblem = () => $('#problem').replaceChildren();
const button = (text, onclick, primary = false) => el('button', { type: 'button', class: `button compact${primary ? ' primary' : ''}`, textContent: text, onclick });

// ---------------------------------------------------------------- the file

/** Names of files become a name to save under: one path part, no control characters, at most 255 bytes. */
function cleanName(name) {
  let clean = name.toWellFormed().replace(/[/\\]/g, '_').replace(/\p{Cc}/gu, ' ').trim();
  if (clean === '' || clean === '.' || clean === '..') clean = 'file';
  const dot = clean.lastIndexOf('.');
  let [stem, ending] = dot > 0 && clean.length - dot <= 12 ? [clean.slice(0, dot), clean.slice(dot)] : [clean, ''];
  while (new TextEncoder().encode(stem + ending).length > 255) stem = [...stem].slice(0, -1).join('');
  return stem + ending;
}

const TYPES = { mp3: 'audio/mpeg', mp4: 'video/mp4', m4a: 'audio/mp4', pdf: 'application/pdf', epub: 'application/epub+zip', zip: 'application/zip', flac: 'audio/flac', wav: 'audio/wav', jpg: 'image/jpeg', png: 'image/png', txt: 'text/plain' };

function typeOf(file) {
  const ending = file.name.split('.').pop().toLowerCase();
  return /^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type.toLowerCase() : TYPES[ending] ?? 'application/octet-stream';
}

/** Title to begin with: the file's name as a person would say it. */
function titleFrom(name) {
  const words = name.replace(/\.[^.]{1,8}$/, '').replace(/[_]+/g, ' ').replace(/\s+/g, ' ').trim();
  return [...words].slice(0, 200).join('') || 'Untitled';
}

function describe(file, about = '') {
  const ending = file.name.includes('.') ? file.name.split('.').pop() : 'file';
  $('#kind').textContent = ending.slice(0, 4).toUpperCase();
  $('#file-name').textContent = file.name;
  $('#file-about').textContent = [formatBytes(file.size), about].filter(Boolean).join(' · ');
}

async function choose(file) {
  clearProblem();
  packer.stop();
  if (file.size === 0) {
    showProblem(new SatchelError('empty', 'This file is empty', { next: 'Choose a file with something in it. Folders have to be packed into a ZIP file first.' }));
    return;
  }
  const mine = (draft = { file, id: `pack-${Date.now()}-${Math.random().toString(36).slice(2, 8)}`, ready: null, publishWhenReady: false });
  $('#drop').hidden = true;
  $('#chosen').hidden = false;
  describe(file);
  titleField.value ||= titleFrom(file.name);
  $('#details').hidden = false;
  $('#submit-row').hidden = false;
  $('#use-stream').disabled = true;
  form.elements.use.value = 'download';
  $('#stream-note').hidden = true;
  setLocked(false);
  announce(`${file.name} chosen`);
  // On phones a keyboard would cover what has just appeared.
  if (matchMedia('(pointer: fine)').matches) {
    titleField.focus({ preventScroll: true });
    titleField.select();
  }
  setBusy(true);
  progress.start('Reading the file', file.size);
  try {
    const wallet = await identity();
    const { issuer } = await loadConfig();
    mine.issuer = issuer;
    mine.nonce = randomBytes(16);
    mine.work = await workId(wallet.creator.jwk, mine.nonce);
    showShare(mine);
    mine.found = await packer.inspect(file);
    if (draft !== mine) return;
    offerStream(mine.found.stream);
    await encrypt(mine);
  } catch (error) {
    failed(error, mine);
  }
}

function failed(error, mine) {
  if (error.code === 'aborted' || draft !== mine) return;
  setBusy(false);
  $('#work-progress').hidden = true;
  setLocked(false);
  mine.publishWhenReady = false;
  showProblem(error, button('Choose another file', startOver), button('Try again', () => choose(mine.file), true));
}

/** What this browser's player refuses is not sold for streaming. @param {string} mse */
const plays = (mse) => (window.ManagedMediaSource ?? window.MediaSource)?.isTypeSupported(mse) ?? false;

/** Says whether and how it can be streamed; a kind or codec that players can't show is not offered at all. */
function offerStream(stream) {
  const note = $('#stream-note');
  let why = '';
  if (!stream.ok) why = explain(stream.error).text || stream.error.title;
  else if (!plays(stream.mse)) why = `This browser cannot play what is in it (${stream.mse}), and others could not either. Convert it to H.264 and AAC, or offer it as a download.`;
  $('#use-stream').disabled = why !== '';
  note.hidden = why === '';
  note.textContent = why && `Streaming is not offered for this file. ${why}`;
  if (!why && stream.how === 'remux') {
    note.hidden = false;
    note.textContent = 'For streaming, the film or song is rearranged so that players can begin anywhere. Picture and sound stay as they are.';
  }
}

async function encrypt(mine) {
  packer.stop();
  const use = form.elements.use.value;
  const { stream } = mine.found;
  // A key is never used for two packings.
  const attempt = { use, contentKey: randomBytes(32), id: `${mine.id}-${Math.random().toString(36).slice(2, 6)}` };
  mine.attempt = attempt;
  mine.ready = null;
  setBusy(true);
  let phase = '';
  const labels = { prepare: 'Preparing for streaming', pack: 'Encrypting in your browser' };
  progress.start(labels[use === 'stream' && stream.how === 'remux' ? 'prepare' : 'pack'], mine.file.size);
  const packed = await packer.pack({ id: attempt.id, work: mine.work, contentKey: attempt.contentKey, file: mine.file, use, how: stream.how }, (now) => {
    if (mine.attempt !== attempt) return;
    if (now.phase !== phase) progress.start(labels[now.phase], now.total);
    phase = now.phase;
    progress.at(now.done);
  });
  if (mine.attempt !== attempt || draft !== mine) return;
  if (use === 'stream' && !plays(packed.mse)) {
    form.elements.use.value = 'download';
    offerStream({ ok: true, mse: packed.mse });
    return encrypt(mine);
  }
  mine.ready = { ...packed, id: attempt.id };
  setBusy(false);
  progress.done('Encrypted', `${formatBytes(packed.bodySize)} in this browser${packed.durationMs ? ` · ${formatClock(packed.durationMs / 1000)}` : ''}`);
  if (mine.publishWhenReady) await publish(mine);
}

function startOver() {
  packer.stop();
  draft = null;
  setBusy(false);
  clearProblem();
  setLocked(false);
  form.reset();
  form.hidden = false;
  $('#intro').hidden = false;
  for (const id of ['#chosen', '#details', '#share', '#submit-row', '#work-progress', '#done']) $(id).hidden = true;
  $('#drop').hidden = false;
  $('#preview').replaceChildren();
  for (const field of [titleField, priceField, giveawayField, limitField]) say(field, '');
  $('#copies').open = false;
  showPrice();
  $('#file').focus();
}

// ---------------------------------------------------------------- title and price

function say(field, text) {
  const shown = $(`#${field.id}-problem`);
  shown.textContent = text;
  shown.hidden = text === '';
  if (text) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}

const readTitle = () => titleField.value.toWellFormed().replace(/\p{Cc}/gu, ' ').replace(/\s+/g, ' ').trim();

/** @returns {number} usd_micros @throws {SatchelError} `bad_price` */
function readPrice() {
  const micros = parseUsd(priceField.value);
  if (micros < MIN_PRICE) throw new SatchelError('bad_price', `The smallest price is ${formatUsd(MIN_PRICE)}`);
  return micros;
}

/** What the price is in Bits at this moment, and what is left of it after the fee. */
async function showPrice() {
  const about = $('#price-about');
  const { feeBps } = await loadConfig();
  const fee = account?.fee_bps ?? feeBps;
  let micros;
  try {
    micros = readPrice();
  } catch {
    about.textContent = 'In US dollars. A few cents is fine: the smallest price is $0.0001.';
    return;
  }
  const rate = account?.rate?.usd_micros_per_btc;
  const parts = [];
  if (rate) parts.push(`${formatUsd(micros)} is ${formatBits(usdToMsat(micros, rate))} at the current rate.`);
  parts.push(`You keep ${formatUsd(afterFee(micros, fee))} of each sale; the fee is ${(fee / 100).toLocaleString()} %.`);
  if (account?.ledger === 'test') parts.push('This shop uses test money, which is worth nothing.');
  about.textContent = parts.join(' ');
}

/** @returns {number|undefined} copies; undefined where they are not counted @throws {SatchelError} `bad_count` */
function readCount(field) {
  // Thousands may be grouped; a point or comma anywhere else is no whole number.
  const written = field.value.trim();
  const digits = /^\d{1,3}([\s,.'’]\d{3})+$/.test(written) ? written.replace(/\D/g, '') : written;
  if (digits === '') return undefined;
  const count = Number(digits);
  if (!/^\d{1,9}$/.test(digits) || count < 1) throw new SatchelError('bad_count', 'Write a whole number, 1 or more, or leave it empty');
  if (count > MAX_COPIES) throw new SatchelError('bad_count', `At most ${MAX_COPIES.toLocaleString()} copies`);
  return count;
}

/** @returns {{giveaway?: number, limit?: number}} and says beside each field what is wrong with it */
function readCopies() {
  const counts = {};
  for (const field of [giveawayField, limitField]) {
    try {
      const count = readCount(field);
      if (count !== undefined) counts[field.id] = count;
      say(field, '');
    } catch (error) {
      say(field, error.title);
    }
  }
  if (counts.giveaway > counts.limit) say(giveawayField, `There are only ${counts.limit.toLocaleString()} copies to give away`);
  return counts;
}

/** What is said of counted copies. @param {import('../../../../sdk/js/src/format.js').Terms} terms @returns {string[]} */
const copiesWords = ({ giveaway, limit }) => [
  giveaway && `the first ${giveaway === 1 ? 'copy is' : `${giveaway.toLocaleString()} copies are`} free`,
  limit && `limited to ${limit.toLocaleString()} ${limit === 1 ? 'copy' : 'copies'}`,
].filter(Boolean);

function validate() {
  const title = readTitle();
  say(titleField, title ? '' : 'Give it a title');
  let micros = 0;
  try {
    micros = readPrice();
    say(priceField, '');
  } catch (error) {
    say(priceField, error.title);
  }
  const copies = readCopies();
  const wrong = form.querySelector('[aria-invalid="true"]');
  if (wrong) $('#copies').open ||= $('#copies').contains(wrong);
  wrong?.focus();
  return wrong ? null : { title, terms: { usd_micros: micros, use: form.elements.use.value, pay_more: false, ...copies } };
}

// ---------------------------------------------------------------- publishing

function setLocked(locked) {
  $('#details').disabled = locked;
  $('#change').disabled = locked;
  $('#publish').disabled = locked;
  $('#submit-note').textContent = '';
}

function showShare({ work, issuer }) {
  const { link, snippet } = addresses({ work, issuer });
  $('#share-rows').replaceChildren(copyRow('share link', link), copyRow('snippet', snippet));
  $('#share').hidden = false;
}

let wallet = null;
const identity = async () => wallet;

async function publish(mine) {
  const valid = validate();
  if (!valid) return;
  clearProblem();
  if (!mine.ready) {
    mine.publishWhenReady = true;
    setLocked(true);
    // Title and price may not change any more, but the choice to stop may.
    $('#change').disabled = false;
    $('#submit-note').textContent = 'It is uploaded and published as soon as it is encrypted.';
    announce('It is published as soon as it is encrypted');
    return;
  }
  setLocked(true);
  const { attempt, ready } = mine;
  const streamed = attempt.use === 'stream';
  const name = cleanName(mine.file.name);
  const remuxed = streamed && mine.found.stream.how === 'remux';
  const mediaType = streamed ? mine.found.stream.mediaType : typeOf(mine.file);
  const saved = remuxed ? cleanName(name.replace(/\.[^.]{1,8}$/, '') + (mediaType.startsWith('audio') ? '.m4a' : '.mp4')) : name;
  try {
    const { creator } = await identity();
    mine.fixed ??= await fixWork({
      work: mine.work, nonce: mine.nonce, issuer: mine.issuer, ...valid, file: { name: saved, mediaType }, packed: ready, contentKey: attempt.contentKey, creator,
    });
    await send(mine.fixed, ready.blob);
    done(mine.fixed);
  } catch (error) {
    sendFailed(error, () => publish(mine), () => {
      startOver();
      return showWorks();
    });
  }
}

/** Uploads and publishes with the progress bar; one tab per work. */
async function send(work, body) {
  const run = async (lock) => {
    if (lock === null) throw new SatchelError('other_tab', 'Another tab is uploading this work', { next: 'Go on there, or close it and try again here.' });
    const me = await identity();
    const client = await walletClient();
    await ensureDelegated(me, client).catch(() => {});
    setBusy(true);
    try {
      for (;;) {
        uploading = new AbortController();
        try {
          await attempt(work, body, me, client, uploading.signal);
          return;
        } catch (error) {
          if (error.code !== 'aborted') throw error;
          await paused();
        }
      }
    } finally {
      uploading = null;
      $('#pause').hidden = true;
      setBusy(false);
    }
  };
  if (!navigator.locks) return run();
  return navigator.locks.request(`upload ${work.work}`, { ifAvailable: true }, run);
}

async function attempt(work, body, me, client, signal) {
  let step = '';
  const published = await publishWork(work, {
    client, creator: me.creator, payee: me.account, body, signal,
    onStep: (now) => {
      step = now;
      if (step === 'register') progress.start('Uploading', body.size);
      if (step === 'finish') {
        $('#pause').hidden = true;
        progress.say('Handing over the key and publishing …');
      } else $('#pause').hidden = false;
    },
    onProgress: (sent, total) => {
      if (progress.pace.total !== total) progress.start('Uploading', total, sent);
      progress.at(sent);
    },
    onWait: (error, seconds) => progress.say(`${error.title}. Next try in ${Math.ceil(seconds)} s …`),
  });
  Object.assign(work, published);
}

const pauseButton = $('#pause');
let resume = null;
function paused() {
  $('#progress-label').textContent = 'Paused';
  progress.say('What was sent is kept.');
  pauseButton.textContent = 'Resume';
  announce('Paused');
  setBusy(false);
  return new Promise((resolve) => {
    resume = () => {
      resume = null;
      pauseButton.textContent = 'Pause';
      setBusy(true);
      resolve();
    };
  });
}
pauseButton.addEventListener('click', () => (resume ? resume() : uploading?.abort()));

function sendFailed(error, again, giveUp) {
  if (error.code === 'aborted') return;
  setBusy(false);
  progress.say('Stopped. What was sent is kept.');
  showProblem(error, button('Later', giveUp), button('Try again', () => {
    clearProblem();
    again();
  }, true));
}

async function done(work) {
  progress.done('Published', '');
  form.hidden = true;
  $('#intro').hidden = true;
  $('#work-progress').hidden = true;
  const { link, snippet, embed } = addresses(work);
  $('#done-text').replaceChildren(el('span', { textContent: `“${work.title}” is for sale for ${[formatUsd(work.terms.usd_micros), ...copiesWords(work.terms)].join(', ')}. ` }), el('a', { href: link, target: '_blank', rel: 'noopener', textContent: 'See its page' }));
  $('#done-rows').replaceChildren(copyRow('share link', link), copyRow('snippet', snippet));
  $('#preview').replaceChildren(el('iframe', { class: 'embed', src: embed, title: `Preview: ${work.title}`, allow: 'autoplay; fullscreen; encrypted-media; picture-in-picture; clipboard-write', loading: 'lazy' }));
  $('#done').hidden = false;
  $('#done-heading').focus();
  announce('Published');
  $('#words').hidden = !(await wordsOnce(wallet));
  draft = null;
  await showWorks();
}

// ---------------------------------------------------------------- my works

const STATES = { uploading: ['warn', 'Not uploaded yet'], draft: ['warn', 'Not published yet'], published: ['good', 'For sale'], unpublished: ['', 'Not for sale'], taken_down: ['bad', 'Taken down'] };

/** What the shop counts of them now; nothing where it was not asked yet. */
function stockWords({ terms, stock }) {
  if (!stock) return '';
  const { free, left } = copiesLeft({ terms, stock });
  return [terms.giveaway && `${free.toLocaleString()} free left`, terms.limit && (left === 0 ? 'sold out' : `${left.toLocaleString()} left`)].filter(Boolean).join(' · ');
}

function workItem(work, state) {
  const { link, snippet } = addresses(work);
  const [tone, text] = STATES[state] ?? ['', state];
  const head = el('div', { class: 'work-head' }, el('h3', { textContent: work.title }), el('span', { class: `badge ${tone}`, textContent: text }));
  const about = el('div', { class: 'muted small numbers', textContent: [formatUsd(work.terms.usd_micros), ...copiesWords(work.terms), stockWords(work), work.terms.use === 'stream' ? 'streaming' : 'download', formatBytes(work.size), new Date(work.created).toLocaleDateString()].filter(Boolean).join(' · ') });
  const item = el('li', { class: 'work' }, head, about);
  if (state === 'uploading') {
    const go = button('Continue the upload', () => resumeWork(work, item), true);
    const drop = button('Discard', async () => {
      await forgetWork(work);
      await showWorks();
    });
    go.setAttribute('aria-label', `Continue the upload of ${work.title}`);
    drop.setAttribute('aria-label', `Discard ${work.title}`);
    item.append(el('div', { class: 'row' }, go, drop));
  } else {
    item.append(el('details', {}, el('summary', { textContent: 'Link and snippet' }), el('div', { class: 'stack' }, copyRow(`link of ${work.title}`, link), copyRow(`snippet of ${work.title}`, snippet))));
  }
  return item;
}

async function resumeWork(work, item) {
  if (busy) return;
  clearProblem();
  const body = work.packed.file ? await keptFile(work.packed.file) : null;
  if (!body || body.size !== work.packed.bodySize) {
    await forgetWork(work);
    await showWorks();
    showProblem(new SatchelError('gone', 'The encrypted copy is no longer in this browser', { next: 'Choose the file again; nothing was published.' }));
    return;
  }
  item.remove();
  startOver();
  $('#drop').hidden = true;
  $('#intro').hidden = true;
  $('#chosen').hidden = false;
  $('#kind').textContent = work.name.split('.').pop().slice(0, 4).toUpperCase();
  $('#file-name').textContent = work.title;
  $('#file-about').textContent = `${formatBytes(work.size)} · ${formatUsd(work.terms.usd_micros)}`;
  $('#change').disabled = true;
  showShare(work);
  try {
    await send(work, body);
    await done(work);
  } catch (error) {
    sendFailed(error, () => resumeWork(work, item), () => {
      startOver();
      return showWorks();
    });
  }
}

async function showWorks() {
  const works = await listWorks();
  const list = $('#works-list');
  list.replaceChildren(...works.map((work) => workItem(work, work.state)));
  $('#works').hidden = works.length === 0;
  // The issuer's word counts: it may have taken a work down since.
  const client = await walletClient();
  works.forEach(async (work, i) => {
    if (work.state !== 'published') return;
    try {
      const { state, terms, title, stock } = await client.record(work.work);
      const current = { ...work, title, terms };
      list.children[i]?.replaceWith(workItem({ ...current, stock }, state));
      await saveWork({ ...current, state: 'published' });
    } catch { /* offline: what is known stays */ }
  });
}

// ---------------------------------------------------------------- wiring

$('#file').addEventListener('change', (event) => {
  const [file] = event.target.files;
  event.target.value = '';
  if (file) choose(file);
});
$('#change').addEventListener('click', startOver);
$('#another').addEventListener('click', startOver);

for (const type of ['dragenter', 'dragover']) {
  addEventListener(type, (event) => {
    // Anywhere on the page: a file dropped beside the target would make the browser leave the page.
    event.preventDefault();
    const welcome = !busy && !form.hidden && [...event.dataTransfer.types].includes('Files');
    event.dataTransfer.dropEffect = welcome ? 'copy' : 'none';
    document.body.classList.toggle('dropping', welcome);
  });
}
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.body.classList.remove('dropping');
});
addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  const [file] = event.dataTransfer.files;
  if (file && !busy && !form.hidden) {
    titleField.value = '';
    choose(file);
  }
});

titleField.addEventListener('input', () => say(titleField, ''));
priceField.addEventListener('input', () => {
  say(priceField, '');
  showPrice();
});
for (const field of [giveawayField, limitField]) {
  field.addEventListener('input', () => say(field, ''));
  field.addEventListener('blur', readCopies);
}
priceField.addEventListener('blur', () => {
  if (!priceField.value.trim()) return;
  try {
    readPrice();
  } catch (error) {
    say(priceField, error.title);
  }
});
for (const radio of form.elements.use) {
  radio.addEventListener('change', () => {
    const mine = draft;
    if (mine?.found && mine.attempt?.use !== form.elements.use.value) encrypt(mine).catch((error) => failed(error, mine));
  });
}
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (draft) publish(draft);
});

/** Files of packings that were never published go when no other studio tab could be using them. */
async function cleanUp() {
  const works = await listWorks();
  const needed = new Set(works.map((work) => work.packed?.file).filter(Boolean));
  if (!navigator.locks) return;
  await navigator.locks.request('studio tab', { ifAvailable: true }, (lock) => lock && sweep(needed));
  navigator.locks.request('studio tab', { mode: 'shared' }, () => new Promise(() => {}));
}

async function learnRate() {
  const me = await identity();
  const client = await walletClient();
  ({ wallet, account } = await readAccount(client, me));
  await showPrice();
}

/** @param {HTMLElement} _root holds the form already @param {import('../main.js').Context} context */
export async function mountMake(_root, context) {
  wallet = context.wallet;
  await cleanUp().catch(() => {});
  await showWorks().catch((error) => showProblem(error));
  // Prices in Bits are a courtesy here.
  learnRate().catch(() => {});
}
