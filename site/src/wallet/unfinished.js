// What became of orders whose answer never came. Sending the very same order again is safe, and the only way to know.
import { explain } from '../shared/problems.js';
import { usd, words } from '../shared/i18n.js';
import { el } from '../shared/ui.js';
import { dropOrder, keepOrder, unfinished } from '../approve/orders.js';
import { section } from '../identity/parts.js';
import { action } from './view.js';
import { text as catalogue } from './text.js';

const text = words(catalogue);

/** A refusal says that nothing was written; anything else is no answer. */
const isNo = (error) => error.status >= 400 && error.status < 500 && error.status !== 429 && error.code !== 'order_pending';

function line(client, issuer, kept) {
  const said = el('span', { class: 'muted small', role: 'status', textContent: text.unfinishedAsk });
  const more = el('span', {});
  const find = async () => {
    said.textContent = text.unfinishedAsk;
    more.replaceChildren();
    try {
      await client.order(kept.jws);
      await keepOrder({ ...kept, state: 'posted' });
      said.textContent = text.unfinishedPaid(usd(kept.shown.usd_micros));
      more.replaceChildren(el('a', { class: 'button compact', href: `${issuer}/w/${kept.shown.work}#owned`, textContent: text.unfinishedOpen }));
    } catch (error) {
      const { title } = explain(error);
      if (isNo(error)) {
        await dropOrder(kept.order);
        said.textContent = text.unfinishedRefused(title);
      } else {
        said.textContent = title;
        more.replaceChildren(action(text.again, find, 'compact'));
      }
    }
  };
  find();
  return el('li', { class: 'purchase' }, el('div', { class: 'what' }, el('strong', { textContent: kept.shown.title }), said), more);
}

/**
 * @param {import('../../../sdk/js/src/client.js').SatchelClient} client @param {string} issuer
 * @returns {Promise<HTMLElement|null>} null where every order has its answer
 */
export async function unfinishedSection(client, issuer) {
  const open = await unfinished().catch(() => []);
  if (open.length === 0) return null;
  return section('unfinished', text.unfinished, el('p', { class: 'muted', textContent: text.unfinishedHint }), el('ul', { class: 'purchases' }, ...open.map((kept) => line(client, issuer, kept))));
}
