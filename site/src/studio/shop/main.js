// The shop: what a creator has made, what was sold, and everything to run it with.
import { el } from '../../shared/ui.js';
import { readAccount } from '../../wallet/account.js';
import { statement } from '../../wallet/statement.js';
import { action, problemBox, testBadge } from '../../wallet/view.js';
import { listWorks } from '../make/works.js';
import { chart } from './chart.js';
import { earned, sum } from './figures.js';
import { Hooks } from './hooks.js';
import { follow } from './live.js';
import { bits, money, number, usd } from './money.js';
import { Sales } from './sales.js';
import { WorkCard, draftCard } from './works.js';
import { t } from './words.js';

/** Sales are said together, so that a busy shop does not talk all the time. */
const SAY_MS = 4_000;
/** Figures are read anew this long after the last event. */
const SETTLE_MS = 1_500;
const PERIODS = [7, 30, 90, 365];

const skeleton = (kind = '') => el('div', { class: `skeleton ${kind}`, 'aria-busy': 'true' }, el('span', { class: 'visually-hidden', textContent: t.loading }));

function select(id, label, options, value, onchange) {
  const control = el('select', { id, onchange: () => onchange(control.value) }, ...options.map(([of, textContent]) => el('option', { value: of, textContent, selected: of === value })));
  return { control, node: el('div', { class: 'field' }, el('label', { htmlFor: id, class: 'small', textContent: label }), control) };
}

class Shop {
  #cards = new Map(); // by work
  #hidden = new Map();
  #tiles = el('dl', { class: 'shop-tiles' });
  #notes = el('div', { class: 'stack shop-notes' });
  #list = el('ul', { class: 'shop-works' });
  #listSlot = el('div');
  #deleted = el('details', { class: 'more shop-deleted', hidden: true });
  #chart = el('div', { class: 'stack tight' });
  #history = el('details', { class: 'card more' }, el('summary', {}, el('h2', { textContent: t.account })));
  #view = { measure: 'income', days: '30', work: '' };
  #page = null; // sums and cursor, as the shop answered last
  #ready = null; // wallet and account
  #said = [];
  #following = null;

  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.sales = new Sales(this);
    this.hooks = new Hooks(context);
  }

  /** What amounts are shown with. */
  money() {
    const account = this.#ready?.account;
    return { rate: account?.rate?.usd_micros_per_btc, feeBps: this.context.config.feeBps, test: account?.test_money };
  }

  titleOf(work) {
    const shown = this.#cards.get(work) ?? this.#hidden.get(work);
    return shown?.title ?? t.untitled;
  }

  /** Wallet and account, read once more where that failed before. */
  async account() {
    this.#ready ??= await readAccount(this.context.client, this.context.wallet);
    return this.#ready;
  }

  // ------------------------------------------------------------ beginning

  async begin() {
    const heading = el('div', { class: 'row spread' }, el('h1', { textContent: t.heading }), action(t.newWork, () => this.context.go('#make'), 'primary compact'));
    this.#tiles.append(...Array.from({ length: 4 }, () => skeleton('tile')));
    this.#listSlot.append(skeleton('card'), skeleton('card'));
    this.#history.addEventListener('toggle', () => this.#history.open && this.#showHistory());
    this.main = el('div', { class: 'shop-columns' },
      el('div', { class: 'stack roomy' }, this.#chartCard(), el('section', { class: 'stack', 'aria-labelledby': 'shop-works-heading' }, el('h2', { id: 'shop-works-heading', textContent: t.works }), this.#list, this.#listSlot, this.#deleted)),
      el('div', { class: 'stack roomy shop-side' }, this.sales.element));
    this.root.append(heading, this.#notes, this.#tiles, this.main, this.#history, this.hooks.element);
    await this.load();
  }

  async load() {
    await Promise.all([this.#loadAccount(), this.#loadWorks(), this.#loadChart(), this.sales.load()]);
    this.sales.redraw();
    this.#follow();
  }

  async #loadAccount() {
    try {
      this.#ready = await readAccount(this.context.client, this.context.wallet);
      const { account } = this.#ready;
      const notes = [account.test_money && el('p', { class: 'small muted' }, testBadge(t.testMoney), ` ${t.testHint}`), !account.rate && el('p', { class: 'notice', textContent: t.noRate })];
      this.#notes.replaceChildren(...notes.filter(Boolean));
    } catch (error) {
      this.#notes.replaceChildren(problemBox(error, action(t.again, () => this.load(), 'compact')));
    }
    this.#showTiles();
    for (const card of this.#cards.values()) card.figures();
  }

  async #drafts() {
    try {
      return (await listWorks()).filter(({ state }) => state !== 'published');
    } catch {
      // Without storage there are none.
      return [];
    }
  }

  async #loadWorks() {
    try {
      const [page, drafts] = await Promise.all([this.context.client.shop(this.context.wallet.creator), this.#drafts()]);
      this.#cards.clear();
      this.#hidden.clear();
      this.#list.replaceChildren(...drafts.map((work) => draftCard(work, this.context)));
      this.#take(page);
      const none = drafts.length === 0 && page.works.length === 0;
      this.root.classList.toggle('shop-empty', none);
      if (none) this.#listSlot.replaceChildren(this.#teach());
      this.main.firstElementChild.firstElementChild.hidden = none;
    } catch (error) {
      this.#listSlot.replaceChildren(problemBox(error, action(t.again, () => this.load(), 'compact')));
    }
    this.#showTiles();
  }

  #take(page) {
    this.#page = page;
    for (const shown of page.works) {
      const card = new WorkCard(shown, this);
      if (shown.hidden) this.#hidden.set(shown.work, card);
      else {
        this.#cards.set(shown.work, card);
        this.#list.append(card.element);
      }
    }
    const more = page.next !== undefined && el('div', { class: 'row' }, action(t.more, async () => {
      try {
        const next = await this.context.client.shop(this.context.wallet.creator, { after: page.next });
        this.#take(next);
      } catch (error) {
        this.#listSlot.replaceChildren(problemBox(error, action(t.again, () => this.load(), 'compact')));
      }
    }, 'compact'));
    this.#listSlot.replaceChildren(...[more].filter(Boolean));
    this.#showDeleted();
    this.#chartWorks();
  }

  #showDeleted() {
    const rows = [...this.#hidden.values()].map((card) => {
      const back = action(t.restore, async () => {
        this.#list.append(card.element);
        await card.back(false);
      }, 'compact');
      back.setAttribute('aria-label', t.about(t.restore, card.title));
      return el('li', { class: 'row spread' }, el('span', { textContent: card.title }), back);
    });
    this.#deleted.hidden = rows.length === 0;
    this.#deleted.replaceChildren(el('summary', { textContent: t.deleted(rows.length) }), el('ul', { class: 'shop-deleted-list' }, ...rows));
  }

  #teach() {
    return el('div', { class: 'card stack shop-teach' }, el('h3', { textContent: t.emptyHeading }), el('ol', {}, ...t.empty.map((textContent) => el('li', { textContent }))),
      el('div', { class: 'row' }, action(t.emptyGo, () => this.context.go('#make'), 'primary')));
  }

  /** A card was changed, deleted or brought back. */
  changed(card) {
    const { work, hidden } = card.shown;
    // A work that was just deleted stays in its place with its undo until the list is drawn anew.
    (hidden ? this.#cards : this.#hidden).delete(work);
    (hidden ? this.#hidden : this.#cards).set(work, card);
    if (!hidden) this.#showDeleted();
    this.sales.redraw();
    this.#chartWorks();
  }

  get shareNewest() {
    const [card] = [...this.#cards.values()].filter(({ share }) => share);
    return card && (() => {
      card.share.open = true;
      card.share.firstElementChild.focus();
      card.element.scrollIntoView({ block: 'nearest' });
    });
  }

  // ------------------------------------------------------------ figures

  #showTiles() {
    const tile = (label, value, hint) => el('div', { class: 'shop-tile' }, el('dt', { textContent: label }), el('dd', {}, el('span', { class: 'shop-value numbers', textContent: value }), el('span', { class: 'muted small', textContent: hint })));
    const { rate } = this.money();
    const account = this.#ready?.account;
    const totals = this.#page?.totals;
    if (!account && !totals) return;
    const balance = account && tile(t.balance, money(account.balance_msat, rate), account.incoming_msat > 0 ? t.incoming(money(account.incoming_msat, rate)) : rate ? bits(account.balance_msat) : t.balanceHint);
    const rest = totals && [tile(t.earned, money(earned(totals), rate), t.earnedHint), tile(t.sold, number(totals.sold), t.given(totals.given)), tile(t.views, number(totals.views), t.viewsHint)];
    this.#tiles.replaceChildren(...[balance, ...(rest || [])].filter(Boolean));
  }

  #chartCard() {
    const change = (name) => (value) => {
      this.#view[name] = value;
      return this.#loadChart();
    };
    const measure = select('shop-measure', t.measure, Object.entries(t.measures), this.#view.measure, change('measure'));
    const period = select('shop-period', t.period, PERIODS.map((days) => [String(days), t.periods[days]]), this.#view.days, change('days'));
    this.ofWork = select('shop-of-work', t.ofWork, [['', t.allWorks]], '', change('work'));
    this.#chart.append(skeleton('tall'));
    return el('section', { class: 'card stack', 'aria-labelledby': 'shop-chart-heading' }, el('h2', { id: 'shop-chart-heading', textContent: t.chartHeading }), el('div', { class: 'shop-controls' }, measure.node, period.node, this.ofWork.node), this.#chart);
  }

  #chartWorks() {
    const { control } = this.ofWork;
    const known = [['', t.allWorks], ...[...this.#cards.values(), ...this.#hidden.values()].map((card) => [card.shown.work, card.title])];
    control.replaceChildren(...known.map(([value, textContent]) => el('option', { value, textContent, selected: value === this.#view.work })));
  }

  async #loadChart() {
    const { measure, days, work } = this.#view;
    const open = this.#chart.querySelector('details')?.open ?? false;
    try {
      const stats = await this.context.client.shopStats(this.context.wallet.creator, { days: Number(days), ...(work && { work }) });
      // Chosen anew meanwhile: the later answer counts.
      if (days !== this.#view.days || work !== this.#view.work) return;
      // The rate may come a moment after the figures.
      await this.account().catch(() => null);
      this.#chart.replaceChildren(...chart(stats, { measure, rate: this.money().rate, open }));
    } catch (error) {
      this.#chart.replaceChildren(problemBox(error, action(t.again, () => this.#loadChart(), 'compact')));
    }
  }

  async #showHistory() {
    const place = el('div', { class: 'stack inner' });
    this.#history.replaceChildren(this.#history.firstElementChild, place);
    try {
      const { wallet, account } = await this.account();
      place.append(...statement(this.context.client, wallet, account), el('div', { class: 'row' }, el('a', { class: 'button compact', href: '/wallet', textContent: t.accountGo })));
    } catch (error) {
      place.append(problemBox(error, action(t.again, () => this.#showHistory(), 'compact')));
    }
  }

  // ------------------------------------------------------------ live

  #follow() {
    if (this.#following || !this.#page) return;
    this.#following = new AbortController();
    const { client, wallet } = this.context;
    follow({ client, key: wallet.creator, after: this.#page.n, signal: this.#following.signal, isSeen: () => !document.hidden && !this.root.hidden, onEvents: (events) => this.#happened(events), onState: (on) => this.sales.live(on) });
  }

  #happened(events) {
    for (const event of events) {
      this.sales.add(event);
      const { sale, refund } = event;
      if (sale) this.#count(sale.work, { ...sum([]), sold: sale.free ? 0 : 1, given: sale.free ? 1 : 0, usd_micros: sale.usd_micros, gross_msat: sale.msat, fee_msat: sale.fee_msat });
      if (refund) this.#count(refund.work, { ...sum([]), refunded_msat: refund.msat });
      this.#say(event);
    }
    this.#showTiles();
    clearTimeout(this.settling);
    this.settling = setTimeout(async () => {
      await Promise.all([this.#loadAccount(), this.#loadChart()]);
    }, SETTLE_MS);
  }

  #count(work, more) {
    this.#page.totals = sum([this.#page.totals, more]);
    const card = this.#cards.get(work) ?? this.#hidden.get(work);
    card?.count(sum([card.shown.totals, more]));
  }

  #say({ sale, refund }) {
    if (!sale && !refund) return;
    if (this.#said.length === 0) {
      setTimeout(() => {
        const said = this.#said.splice(0);
        this.context.announce(said.length === 1 ? said[0] : t.salesNew(said.length));
      }, SAY_MS);
    }
    this.#said.push(sale ? t.saleOf(this.titleOf(sale.work), sale.free ? t.saleFree : usd(sale.usd_micros)) : t.refundSaid(this.titleOf(refund.work)));
  }

  /** The shop hears of it by itself; balance and history are read anew. */
  refunded() {
    this.#loadAccount();
    if (this.#history.open) this.#showHistory();
  }

  /** The view is shown again: something may have been published meanwhile. */
  async shown() {
    // What somebody is typing must not go.
    const busy = this.root.querySelector('.shop-work details[open], dialog[open]');
    if (this.first) await Promise.all([!busy && this.#loadWorks(), this.#loadAccount()]);
    this.first = true;
  }
}

/** @param {HTMLElement} root empty @param {import('../main.js').Context} context @returns {Promise<{shown: () => void}>} */
export async function mountShop(root, context) {
  const shop = new Shop(root, context);
  await shop.begin();
  return { shown: () => shop.shown().catch(context.showProblem) };
}
