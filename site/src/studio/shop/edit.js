// Changing how a work is offered: the form it was made with, without the file.
import { usdText } from '../../../../sdk/js/src/money.js';
import { problemBox } from '../../wallet/view.js';
import { el } from '../../shared/ui.js';
import { WorkForm } from '../make/form.js';
import { sendCover } from '../make/works.js';
import { t } from './words.js';

const percent = (bps) => `${Math.floor(bps / 100)}${bps % 100 ? `.${String(bps % 100).padStart(2, '0')}` : ''}`;

/** The cover that is shown now, as a file of its own. @returns {Promise<{blob: Blob, width: number, height: number}|null>} */
async function coverOf(listing) {
  if (!listing?.cover) return null;
  const { url, width, height } = listing.cover;
  const answer = await fetch(url, { credentials: 'omit' });
  if (!answer.ok) return null;
  return { blob: await answer.blob(), width, height };
}

/**
 * @param {{shown: object, id: {work: string, nonce: Uint8Array}, context: import('../main.js').Context, money: object, onSaved: (record: object, splits?: object[]) => void}} options
 *   `shown` is the work as the shop shows it
 * @returns {Promise<HTMLElement[]>}
 */
export async function edit({ shown, id, context: { client, wallet }, money, onSaved }) {
  const { record, splits } = shown;
  const { terms, listing = {} } = record;
  const said = el('div');
  const form = new WorkForm({ payee: wallet.account, submit: t.save, onInput: () => said.replaceChildren(), onUse: () => {}, onSubmit: () => save() });
  const old = await coverOf(listing).catch(() => null);
  form.money(money);
  form.fill({
    title: record.title, price: usdText(terms.usd_micros), use: terms.use, payMore: terms.pay_more, description: listing.description ?? '',
    suggest: (listing.suggest ?? []).map(usdText), giveaway: String(terms.giveaway ?? ''), limit: String(terms.limit ?? ''),
    splits: (splits ?? []).map(({ account, bps }) => ({ account, percent: percent(bps) })), ...(old && { cover: old }),
  });
  // Both are in the file: another one is a new version.
  form.clip.element.hidden = true;
  form.element.querySelector('.choices')?.closest('fieldset')?.setAttribute('hidden', '');
  form.cover.of(null, record.media_type);

  async function save() {
    const offer = await form.read();
    if (!offer) return;
    form.lock(true, t.saving);
    try {
      const cover = offer.cover && (offer.cover.blob === old?.blob ? listing.cover : await sendCover(offer.cover, { client, creator: wallet.creator, id }));
      // A cover that could not be read just now stays what it is.
      const kept = !old && !offer.cover ? listing.cover : cover;
      const next = { ...offer.listing, ...(kept && { cover: kept }), ...(listing.monetization && { monetization: listing.monetization }) };
      const changed = await client.update(wallet.creator, id, { title: offer.title, terms: { ...offer.terms, use: terms.use }, splits: offer.splits, ...(Object.keys(next).length > 0 && { listing: next }) });
      onSaved(changed, offer.splits);
    } catch (error) {
      said.replaceChildren(problemBox(error));
    } finally {
      form.lock(false);
    }
  }

  return [el('p', { class: 'notice', textContent: t.editHint }), form.element, said];
}
