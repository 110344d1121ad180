// The studio's shell: three views of one page, by the hash. Each is loaded when it is first shown and stays from then
// on, so that an upload goes on while its creator looks at the shop.
import { loadConfig } from '../shared/config.js';
import { fill, languageSwitch, words } from '../shared/i18n.js';
import { $, announce, el, problemNotice } from '../shared/ui.js';
import { createWallet, walletClient } from '../shared/wallet-store.js';
import { text } from './text.js';

/**
 * @typedef {object} Context what every view is given
 * @property {import('../../../sdk/js/src/client.js').SatchelClient} client of this host's routes
 * @property {import('../shared/wallet-store.js').Wallet} wallet the creator's
 * @property {import('../shared/config.js').Config} config
 * @property {(text: string, urgent?: boolean) => void} announce to screen readers
 * @property {(error: unknown, ...actions: Node[]) => void} showProblem above the view
 * @property {(hash: string) => void} go to `#make`, `#shop`, `#account`, with `?name=value` behind
 * @property {(work: string) => void} replace begins a new version of a work of this creator
 */

/** How a view begins: `mount` fills an empty element; `shown`, if it answers one, is called with the hash's parameters. */
const VIEWS = {
  make: async (root, context) => (await import('./make/main.js')).mountMake(root, context),
  shop: async (root, context) => (await import('./shop/main.js')).mountShop(root, context),
  account: async (root, context) => (await import('./account.js')).mountAccount(root, context),
};
const FIRST = 'make';

function showProblem(error, ...actions) {
  const place = $('#problem');
  place.replaceChildren(...(error ? [problemNotice(error, ...actions)] : []));
  place.firstElementChild?.scrollIntoView({ block: 'nearest' });
}

const go = (hash) => {
  location.hash = hash;
};

/** @returns {{name: string, query: URLSearchParams}} a hash of another kind is the first view's */
function wanted() {
  const [name, query = ''] = location.hash.slice(1).split('?');
  return { name: Object.hasOwn(VIEWS, name) ? name : FIRST, query: new URLSearchParams(query) };
}

let context;
const mounted = new Map();

/** Loads a view once; one that failed to load is tried again when it is shown again. */
function mount(name) {
  if (!mounted.has(name)) {
    const loading = VIEWS[name]($(`#view-${name}`), context);
    mounted.set(name, loading);
    loading.catch(() => mounted.delete(name));
  }
  return mounted.get(name);
}

async function show({ moveFocus = true } = {}) {
  const { name, query } = wanted();
  for (const view of Object.keys(VIEWS)) {
    $(`#view-${view}`).hidden = view !== name;
    const link = $(`#go-${view}`);
    if (view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  showProblem(null);
  if (moveFocus) {
    // The view, not its first field: what has changed is read from its beginning.
    $(`#view-${name}`).focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }
  if (!context.wallet.creator && name !== 'account') {
    // Let in by another device: what a creator does needs the key that is there.
    const { text } = await import('../identity/parts.js');
    return $(`#view-${name}`).replaceChildren(el('p', { class: 'notice warn', textContent: text.studioNone }));
  }
  try {
    (await mount(name))?.shown?.(query);
  } catch (error) {
    showProblem(error);
  }
}

fill(document, words(text));
languageSwitch();

// A hash of its own would be taken for a view.
$('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  $('#main').focus();
});

try {
  const [config, client, wallet] = await Promise.all([loadConfig(), walletClient(), createWallet()]);
  const replace = (work) => go(`#make?replace=${encodeURIComponent(work)}`);
  context = { client, wallet, config, announce, showProblem, go, replace };
  addEventListener('hashchange', () => show());
  await show({ moveFocus: false });
} catch (error) {
  showProblem(error);
}
