// Opens any .satchel file, from the visitor's own disk or from a link: shows what it is, buys it from the shop that
// sells it, plays or saves it from the very file.
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { blobSource, openHeader } from '../../../sdk/js/src/format.js';
import { explain } from '../frame/problems.js';
import { openUrl } from '../player/remote.js';
import { $, el } from '../shared/ui.js';
import { alertBox, notice } from '../wallet/view.js';
import { labelOf } from './label.js';
import { Shop } from './shop.js';
import { text } from './text.js';

const drop = $('#drop');
const input = $('#file');
const link = $('#link');
const label = $('#label');
const place = $('#shop');
/** Ends what the file before had begun. */
let turn = new AbortController();

/** Only satchels are fetched, only without credentials; a page may not send people's browsers anywhere else. */
function addressOf(typed) {
  let url;
  try {
    url = new URL(typed.includes('://') ? typed : `https://${typed}`);
  } catch {
    throw new SatchelError('bad_link', ...text.badLink);
  }
  if (!['https:', 'http:'].includes(url.protocol)) throw new SatchelError('bad_link', ...text.badLink);
  // What stands behind # is never sent.
  url.hash = '';
  return url.href;
}

async function fromLink(typed, signal) {
  const url = addressOf(typed);
  try {
    return await openUrl(url, signal);
  } catch (error) {
    const words = text.linkFailed[error.code];
    throw words ? new SatchelError(`link_${error.code}`, ...words) : error;
  }
}

/** A copy that ends early can be shown, but is not worth paying for yet. */
function lackOf(satchel, size) {
  if (size === undefined || size >= satchel.size) return null;
  const whole = satchel.segments.filter((_, i) => satchel.segmentRange(i).to <= size).length;
  return notice(text.cutShort(satchel.size - size, whole, satchel.segments.length), 'warn');
}

/** @param {(signal: AbortSignal) => Promise<{read: Function, size?: number}>} source */
async function show(source) {
  turn.abort();
  turn = new AbortController();
  const { signal } = turn;
  place.replaceChildren();
  label.replaceChildren(el('p', { class: 'muted', textContent: text.reading }));
  let card = null;
  try {
    const { read, size } = await source(signal);
    const satchel = await openHeader(read);
    if (size > satchel.size) throw new SatchelError('file_too_long', ...text.tooLong);
    card = await labelOf(satchel, read, signal);
    if (signal.aborted) return;
    const lack = lackOf(satchel, size);
    label.replaceChildren(...[card, lack].filter(Boolean));
    await new Shop({ satchel, read, place, signal, whole: lack === null }).begin();
  } catch (error) {
    if (signal.aborted) return;
    const { title, next } = explain(error);
    label.replaceChildren(...[card, alertBox({ title, next })].filter(Boolean));
  }
}

const fromDisk = (file) => show(async () => ({ ...blobSource(file), size: file.size }));

input.addEventListener('change', () => {
  const [file] = input.files;
  // The same file chosen again should be read again.
  input.value = '';
  if (file) fromDisk(file);
});
$('#by-link').addEventListener('submit', (event) => {
  event.preventDefault();
  const typed = link.value.trim();
  if (typed) show((signal) => fromLink(typed, signal));
  else link.focus();
});
for (const name of ['dragenter', 'dragover']) {
  addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
}
for (const name of ['dragleave', 'drop']) addEventListener(name, () => drop.classList.remove('over'));
addEventListener('drop', (event) => {
  event.preventDefault();
  const { files } = event.dataTransfer;
  if (files.length > 1) label.replaceChildren(notice(text.oneFile, 'warn'));
  else if (files[0]) fromDisk(files[0]);
});

/** A link to this page can name a satchel: `/open#url=https://…`. In the fragment, so that no server's log has it. */
function named() {
  const url = new URLSearchParams(location.hash.slice(1)).get('url');
  if (!url) return;
  link.value = url;
  show((signal) => fromLink(url, signal));
}
addEventListener('hashchange', named);
named();
