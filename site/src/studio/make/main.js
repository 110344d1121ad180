// New work: files are chosen, encrypted into this browser, offered for a price, sent, published. Several at a time, each
// in a row of its own.
import { randomBytes } from '../../../../sdk/js/src/bytes.js';
import { workId } from '../../../../sdk/js/src/ids.js';
import { $, announce, el } from '../../shared/ui.js';
import { readAccount } from '../../wallet/account.js';
import { Item } from './item.js';
import { problemNotice, said } from './problems.js';
import { nextVersion } from './replace.js';
import { sweep } from './scratch.js';
import { Sender } from './uploader.js';
import { t } from './words.js';
import { listWorks } from './works.js';

const ARROW = 'M24 31V9m0 0-8 8m8-8 8 8M8 30v7a3 3 0 0 0 3 3h26a3 3 0 0 0 3-3v-7';

function arrow() {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  for (const [name, value] of Object.entries({ viewBox: '0 0 48 48', width: 44, height: 44, 'aria-hidden': 'true' })) svg.setAttribute(name, value);
  for (const [name, value] of Object.entries({ d: ARROW, fill: 'none', stroke: 'currentColor', 'stroke-width': 2.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' })) path.setAttribute(name, value);
  svg.append(path);
  return svg;
}

/** One after another; who fails holds up nobody. */
function queue() {
  let last = Promise.resolve();
  return (act) => {
    const mine = last.then(act);
    last = mine.catch(() => {});
    return mine;
  };
}

class Studio {
  items = new Set();
  sender = new Sender();
  inTurn = queue();
  #replacing = null;

  constructor(root, context) {
    this.context = context;
    this.workerUrl = $('meta[name="satchel-pack-worker"]').content;
    this.money = { feeBps: context.config.feeBps, test: context.config.ledger === 'test' };
    this.heading = el('h1');
    this.lead = el('p', { class: 'lead muted' });
    this.input = el('input', { class: 'visually-hidden', type: 'file', id: 'file', multiple: true, 'aria-describedby': 'drop-about' });
    this.drop = el('label', { class: 'drop', htmlFor: 'file' }, arrow(),
      el('span', { class: 'drop-title' }, `${t.dropTitle} `, el('span', { class: 'browse', textContent: t.browse })),
      el('span', { class: 'muted small', id: 'drop-about', textContent: t.dropAbout }), this.input);
    this.problems = el('div', { class: 'stack' });
    this.list = el('ul', { class: 'items', 'aria-label': t.queue });
    root.append(el('div', { class: 'intro' }, this.heading, this.lead), this.drop, this.problems, this.list);
    this.root = root;
    this.#headline();
  }

  #headline() {
    const title = this.#replacing?.title;
    this.heading.textContent = title ? t.replaceHeading(title) : t.heading;
    this.lead.textContent = title ? t.replaceLead : t.lead;
    this.input.multiple = !title;
  }

  // ------------------------------------------------------------ items

  /** Only one tab works on a work. @returns {Promise<boolean>} */
  #hold(item) {
    if (!navigator.locks) return Promise.resolve(true);
    return new Promise((resolve) => {
      navigator.locks.request(`work ${item.work.work}`, { ifAvailable: true }, (lock) => {
        resolve(Boolean(lock));
        return lock ? new Promise((release) => (item.release = release)) : null;
      }).catch(() => resolve(false));
    });
  }

  async #add(work) {
    const item = new Item(this, work);
    if (!(await this.#hold(item))) return null;
    this.items.add(item);
    this.list.prepend(item.element);
    this.changed();
    return item;
  }

  async #draft(file) {
    const source = { name: file.name, size: file.size, type: file.type };
    const next = this.#replacing;
    this.#replacing = null;
    this.#headline();
    if (next) return { ...next, source };
    const { wallet, config } = this.context;
    const nonce = randomBytes(16);
    return { work: await workId(wallet.creator.jwk, nonce), nonce, issuer: config.issuer, version: 1, created: Date.now(), state: 'draft', title: '', source };
  }

  /** @param {File[]} files */
  async take(files) {
    this.problems.replaceChildren();
    for (const other of this.items) other.fold.open = false;
    let first = true;
    for (const file of this.#replacing ? files.slice(0, 1) : files) {
      if (file.size === 0) {
        this.#problem(said('empty', `${t.emptyTitle}: ${file.name}`, { next: t.empty }));
        continue;
      }
      const item = await this.#add(await this.#draft(file));
      if (!item) {
        this.#problem(said('other_tab', t.otherTabTitle, { next: t.otherTab }));
        continue;
      }
      announce(t.chosen(file.name));
      // Of several forms one is open: anybody would be lost in a page of them.
      item.fold.open = first;
      first = false;
      item.choose(file).catch((error) => this.#problem(error));
      // On phones a keyboard would cover what has just appeared.
      if (files.length === 1 && matchMedia('(pointer: fine)').matches) item.form.focusTitle();
    }
  }

  #problem(error) {
    this.problems.append(problemNotice(error));
  }

  removed(item) {
    this.items.delete(item);
    this.changed();
    this.input.focus();
  }

  /** Files of packings that were never finished go when no other studio tab could be using them; the rest goes on. */
  async restore() {
    const works = await listWorks();
    const needed = new Set(works.map(({ packed }) => packed?.id).filter(Boolean));
    if (navigator.locks) {
      await navigator.locks.request('studio tab', { ifAvailable: true }, (lock) => lock && sweep(needed));
      navigator.locks.request('studio tab', { mode: 'shared' }, () => new Promise(() => {}));
    }
    for (const work of works.filter(({ state, source }) => state !== 'published' && source).reverse()) {
      const item = await this.#add(work);
      item?.restore().catch((error) => this.#problem(error));
    }
  }

  /** @param {string|null} work whose next version is made, if any */
  async replace(work) {
    if (!work) return;
    this.problems.replaceChildren();
    try {
      const open = [...this.items].find((item) => item.work.work === work && item.work.state !== 'published');
      if (open) return void open.element.scrollIntoView();
      this.#replacing = await nextVersion(work, this.context);
      this.#headline();
      this.input.focus();
    } catch (error) {
      this.#problem(error);
    }
  }

  // ------------------------------------------------------------ what the page says of itself

  get busy() {
    return [...this.items].some((item) => item.busy);
  }

  changed() {
    this.drop.classList.toggle('slim', this.items.size > 0);
    const percents = [...this.items].map(({ percent }) => percent).filter((percent) => percent !== null);
    const mean = Math.floor(percents.reduce((sum, one) => sum + one, 0) / percents.length);
    document.title = this.busy && percents.length > 0 ? t.docTitleAt(mean) : t.docTitle;
  }

  /** Prices in Bits are a courtesy here: they come when the account has answered. */
  async learnRate() {
    const { client, wallet } = this.context;
    const { account } = await readAccount(client, wallet);
    this.money = { rate: account.rate?.usd_micros_per_btc, feeBps: account.fee_bps ?? this.money.feeBps, test: account.ledger === 'test' };
    for (const item of this.items) item.form.money(this.money);
  }

  listen() {
    this.input.addEventListener('change', () => {
      const files = [...this.input.files];
      this.input.value = '';
      this.take(files);
    });
    addEventListener('beforeunload', (event) => {
      if (this.busy) event.preventDefault();
    });
    // Anywhere on the page: a file dropped beside the target would make the browser leave the page.
    const isFiles = (event) => [...event.dataTransfer.types].includes('Files') && !this.root.hidden;
    for (const type of ['dragenter', 'dragover']) {
      addEventListener(type, (event) => {
        event.preventDefault();
        event.dataTransfer.dropEffect = isFiles(event) ? 'copy' : 'none';
        document.body.classList.toggle('dropping', isFiles(event));
      });
    }
    addEventListener('dragleave', (event) => {
      if (!event.relatedTarget) document.body.classList.remove('dropping');
    });
    addEventListener('drop', (event) => {
      event.preventDefault();
      document.body.classList.remove('dropping');
      if (isFiles(event)) this.take([...event.dataTransfer.files]);
    });
  }
}

/** @param {HTMLElement} root empty @param {import('../main.js').Context} context */
export async function mountMake(root, context) {
  const studio = new Studio(root, context);
  studio.listen();
  studio.learnRate().catch(() => {});
  await studio.restore();
  return { shown: (query) => studio.replace(query.get('replace')) };
}
