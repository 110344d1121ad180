// What creators paste elsewhere, each with what visitors will see there.
import { copyRow, el } from '../../shared/ui.js';
import { addresses } from '../make/works.js';
import { t } from './words.js';

/** Markdown would end at these. */
const escaped = (text) => text.replace(/[\\[\]()*_`<>!]/g, (sign) => `\\${sign}`);

/** @param {{issuer: string, work: string, title: string}} work @returns {{badge: string, markdown: string, oembed: string}} */
export function badgeOf({ issuer, work, title }) {
  const { link } = addresses({ issuer, work });
  const badge = `${issuer}/badge/${work}.svg`;
  return { badge, markdown: `[![${escaped(t.badgeText(title))}](${badge})](${link})`, oembed: `${issuer}/oembed?url=${encodeURIComponent(link)}` };
}

const row = (label, what, value) => el('div', { class: 'field' }, el('span', { class: 'label', textContent: label }), copyRow(`${label} – ${what}`, value));

function preview({ issuer, work, title }, scheme) {
  const src = `${addresses({ issuer, work }).embed}?theme=${scheme}`;
  const label = t.previewOf(title, t.previewIn[scheme]);
  // It asks for the wallet in a window of its own, and plays.
  const allow = 'autoplay; fullscreen; encrypted-media';
  return el('figure', { class: `shop-preview ${scheme}` }, el('figcaption', { class: 'small muted', textContent: t.previewIn[scheme] }),
    el('div', { class: 'shop-stage' }, el('iframe', { class: 'embed', src, title: label, allow, loading: 'lazy' })));
}

/** @param {{issuer: string, work: string, title: string}} work @param {boolean} forSale @returns {HTMLElement[]} */
export function share(work, forSale) {
  const { link, snippet } = addresses(work);
  const { badge, markdown, oembed } = badgeOf(work);
  const { title } = work;
  return [
    row(t.shareLink, title, link),
    row(t.shareSnippet, title, snippet),
    row(t.shareBadge, title, markdown),
    forSale && el('p', {}, el('img', { class: 'shop-badge', src: badge, alt: t.badgeAlt(title), height: 28 })),
    row(t.shareOembed, title, oembed),
    forSale && el('h4', { textContent: t.previewHeading }),
    forSale && el('div', { class: 'shop-previews' }, preview(work, 'light'), preview(work, 'dark')),
  ].filter(Boolean);
}
