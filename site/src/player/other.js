// For players that can't decrypt, where the creator allows it: the address of a playlist.
import { words } from '../shared/i18n.js';
import { copyButton, el } from '../shared/ui.js';
import { text as catalogue } from './text.js';

const t = words(catalogue);

/** @param {import('./main.js').Context} context @returns {HTMLElement|null} nothing unless the creator allows it */
export function otherPlayer({ client, receipt, key, listing, fail }) {
  if (listing?.hls !== true) return null;
  const box = el('details', { class: 'other-player' }, el('summary', { textContent: t.otherPlayer }), el('p', { class: 'hint', textContent: t.otherPlayerHint }));
  const open = async () => {
    if (!box.open || box.querySelector('code')) return;
    try {
      const { url } = await client.hls(receipt, key);
      const shown = el('code', { class: 'value', textContent: url });
      box.append(el('p', { class: 'copy' }, shown, copyButton(() => url, shown)));
    } catch (error) {
      box.open = false;
      fail(error, () => (box.open = true));
    }
  };
  box.addEventListener('toggle', open);
  return box;
}
