// Reads the label of a .satchel file that is on the visitor's own disk, and leads to the shop that sells it.
import { SatchelClient } from '../../../sdk/js/src/client.js';
import { blobSource, openHeader } from '../../../sdk/js/src/format.js';
import { thumbprint } from '../../../sdk/js/src/keys.js';
import { formatUsd } from '../../../sdk/js/src/money.js';
import { explain } from '../frame/problems.js';
import { loadConfig } from '../shared/config.js';
import { $, el, formatBytes, formatClock } from '../shared/ui.js';
import { alertBox, facts, notice } from '../wallet/view.js';
import { text } from './text.js';

const drop = $('#drop');
const input = $('#file');
const result = $('#result');
/** Only the file chosen last may write its answer. */
let turn = 0;

const price = (micros) => (micros === 0 ? text.free : formatUsd(micros));

async function label({ manifest }) {
  const jkt = await thumbprint(manifest.creator);
  return el('section', { class: 'card stack', 'aria-labelledby': 'title' },
    el('h2', { id: 'title', textContent: manifest.title }),
    el('p', {}, el('span', { class: 'badge good', textContent: text.verified })),
    facts(
      [text.shop, manifest.issuer],
      [text.use, text.useValue[manifest.terms.use]],
      [text.type, manifest.media_type],
      [text.size, formatBytes(manifest.size)],
      manifest.duration_ms && [text.duration, formatClock(manifest.duration_ms / 1000)],
      [text.name, manifest.name],
      [text.packed, new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(manifest.created * 1000)],
      [text.creator, el('code', { textContent: jkt })],
    ));
}

/** What the shop says of this file. Only our own is asked: strangers don't learn what lies on somebody's disk. */
async function offer(satchel, issuer) {
  const { manifest, digest } = satchel;
  const page = `${manifest.issuer}/w/${manifest.work}`;
  const { host } = new URL(manifest.issuer);
  if (manifest.issuer !== issuer) {
    return [notice(text.otherShop(manifest.issuer), 'warn'), facts([text.priceUnchecked, price(manifest.terms.usd_micros)]), el('p', {}, el('a', { class: 'button', href: page, rel: 'noopener noreferrer nofollow', textContent: text.goTo(host) }))];
  }
  const link = (words, kind = '') => el('p', {}, el('a', { class: `button ${kind}`, href: page, textContent: words }));
  const record = await new SatchelClient({ issuer, base: location.origin }).record(manifest.work);
  const known = record.versions.find((entry) => entry.version === manifest.version);
  // Digest and signer both, before any price of today is shown beside this file.
  if (!known || known.manifest_digest !== digest || known.signer !== (await thumbprint(manifest.creator))) return [alertBox(text.mismatch), link(text.see)];
  if (record.state !== 'published') return [notice(text.notForSale[record.state] ?? '', 'warn'), link(text.see)];
  const words = record.version === manifest.version ? text.matches(host) : text.older(host);
  return [notice(words, 'good'), facts([text.price, price(manifest.terms.usd_micros)], [text.priceNow, price(record.terms.usd_micros)]), link(text.buy(price(record.terms.usd_micros)), 'primary large'), el('p', { class: 'muted small', textContent: text.after })];
}

async function read(file) {
  turn += 1;
  const mine = turn;
  const put = (...nodes) => mine === turn && result.replaceChildren(...nodes);
  put(el('p', { class: 'muted', textContent: text.reading }));
  let card = null;
  try {
    const satchel = await openHeader(blobSource(file).read, { size: file.size });
    const { issuer } = await loadConfig();
    card = await label(satchel);
    put(card, el('p', { class: 'muted', textContent: text.checking(new URL(satchel.manifest.issuer).host) }));
    put(card, ...(await offer(satchel, issuer)));
  } catch (error) {
    put(...[card, alertBox(explain(error))].filter(Boolean));
  }
}

input.addEventListener('change', () => {
  const [file] = input.files;
  // The same file chosen again should be read again.
  input.value = '';
  if (file) read(file);
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
  if (files.length > 1) result.replaceChildren(notice(text.oneFile, 'warn'));
  else if (files[0]) read(files[0]);
});
