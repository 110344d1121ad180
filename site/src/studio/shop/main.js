// The creator's works as this browser knows them.
import { formatUsd } from '../../../../sdk/js/src/money.js';
import { el } from '../../shared/ui.js';
import { addresses, listWorks } from '../make/works.js';

/** @param {HTMLElement} root empty @param {import('../main.js').Context} _context */
export async function mountShop(root, _context) {
  const list = el('ul', { class: 'works' });
  root.append(el('h1', { textContent: 'Your works' }), list);
  const shown = async () => {
    const works = (await listWorks()).filter(({ state }) => state === 'published');
    list.replaceChildren(...works.map((work) => el('li', { class: 'work' }, el('a', { href: addresses(work).link, textContent: work.title }), el('span', { class: 'muted', textContent: formatUsd(work.terms.usd_micros) }))));
  };
  return { shown };
}
