// What a creator passes on: link and snippet while it is being sent, and the whole page of it once it is published.
import { formatUsd } from '../../../../sdk/js/src/money.js';
import { copyRow, el } from '../../shared/ui.js';
import { wordsOnce } from '../../shared/wallet-store.js';
import { freshId } from './fields.js';
import { here, t } from './words.js';
import { addresses } from './works.js';

const rows = (work) => {
  const { link, snippet } = addresses(work);
  return [copyRow(t.shareLink, link), copyRow(t.snippet, snippet)];
};

/** @param {object} work @returns {HTMLElement} */
export function shareBlock(work) {
  return el('details', { class: 'more share' }, el('summary', { textContent: t.share }),
    el('div', { class: 'stack inner' }, el('span', { class: 'badge', textContent: t.shareState }), ...rows(work)));
}

/** What is said of an offer. @param {import('../../../../sdk/js/src/format.js').Terms} terms @returns {string} */
function offerWords({ usd_micros, pay_more, giveaway, limit }) {
  const count = (n) => n.toLocaleString(here);
  return [
    `${formatUsd(usd_micros, here)}${pay_more ? ` ${t.orMore}` : ''}`,
    giveaway && t.freeCopies(giveaway, count(giveaway)),
    limit && t.limitedTo(limit, count(limit)),
  ].filter(Boolean).join(', ');
}

/** @param {object} work published @param {object} wallet @returns {Promise<HTMLElement>} with a heading that can have the focus */
export async function doneBlock(work, wallet) {
  const { link, embed } = addresses(work);
  const said = work.version > 1 ? t.publishedVersion(work.title) : t.publishedText(work.title, offerWords(work.terms));
  const allow = 'autoplay; fullscreen; encrypted-media; picture-in-picture; clipboard-write';
  const heading = el('h3', { class: 'done-heading', tabIndex: -1, textContent: t.published, id: freshId('done') });
  return el('div', { class: 'stack roomy done-block' },
    el('div', { class: 'notice good' }, heading, el('p', { class: 'done-text' }, el('span', { textContent: said }), el('a', { href: link, target: '_blank', rel: 'noopener', textContent: t.seePage }))),
    el('div', { class: 'stack' }, el('h4', { textContent: t.share }), el('div', { class: 'stack done-rows' }, ...rows(work)), el('p', { class: 'muted small', textContent: t.snippetHint })),
    el('div', { class: 'stack' }, el('h4', { textContent: t.previewHeading }), el('iframe', { class: 'embed', src: embed, title: t.previewOf(work.title), allow, loading: 'lazy' })),
    (await wordsOnce(wallet).catch(() => null)) && el('div', { class: 'notice warn' }, el('strong', { textContent: t.wordsHeading }), el('span', { textContent: t.wordsText }),
      el('div', { class: 'row' }, el('a', { class: 'button compact', href: '#account', textContent: t.wordsGo }))));
}
