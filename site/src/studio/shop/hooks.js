// Webhooks: who is told of sales, and how that went.
import { when } from '../../shared/i18n.js';
import { copyRow, el } from '../../shared/ui.js';
import { action, notice, problemBox } from '../../wallet/view.js';
import { number } from './money.js';
import { t } from './words.js';

const MOST = 5;
const KINDS = ['sale.created', 'sale.refunded', 'work.published', 'work.updated', 'work.unpublished'];
/** How often the log is read again after something was sent by hand, and until when. */
const LOOK = { every: 1_000, times: 12 };
const TONES = { active: 'good', failing: 'warn', disabled: 'bad' };
const LINE_TONES = { delivered: 'good', failed: 'bad', waiting: 'warn' };

const stateOf = ({ state, failing_since: failing }) => (state === 'active' && failing ? 'failing' : state);

export class Hooks {
  #list = el('ul', { class: 'shop-hooks' });
  #said = el('div');
  #add = el('div');
  #hooks = [];

  /** @param {import('../main.js').Context} context */
  constructor({ client, wallet }) {
    this.client = client;
    this.key = wallet.creator;
    const inner = el('div', { class: 'stack inner' }, el('p', { class: 'muted', textContent: t.hooksHint }), this.#said, this.#list, this.#add);
    this.element = el('details', { class: 'card more shop-hooks-panel' }, el('summary', {}, el('h2', { textContent: t.hooks })), inner);
    this.element.addEventListener('toggle', () => this.element.open && this.load());
  }

  async load() {
    try {
      ({ webhooks: this.#hooks } = await this.client.webhooks(this.key));
      this.#draw();
    } catch (error) {
      this.#list.replaceChildren();
      this.#add.replaceChildren(problemBox(error, action(t.again, () => this.load(), 'compact')));
    }
  }

  #draw() {
    this.#list.replaceChildren(...(this.#hooks.length === 0 ? [el('li', { class: 'muted', textContent: t.hookNone })] : this.#hooks.map((hook) => this.#item(hook))));
    this.#add.replaceChildren(this.#hooks.length >= MOST ? el('p', { class: 'muted', textContent: t.hookMost }) : action(t.hookAdd, () => this.#form(), 'compact'));
  }

  #form() {
    const problem = el('span', { class: 'problem', id: 'hook-problem', hidden: true });
    const url = el('input', { class: 'input', type: 'text', inputMode: 'url', id: 'hook-url', autocomplete: 'off', spellcheck: false, placeholder: 'https://', 'aria-describedby': 'hook-about hook-problem' });
    const ticks = KINDS.map((kind) => {
      const control = el('input', { type: 'checkbox', value: kind, checked: kind.startsWith('sale.') });
      return { control, node: el('label', { class: 'tick' }, control, el('span', { textContent: t.hookKinds[kind] })) };
    });
    const say = (error) => {
      problem.textContent = [error.title, error.detail && `(${error.detail})`, error.next].filter(Boolean).join(' ');
      problem.hidden = false;
      url.setAttribute('aria-invalid', 'true');
      url.focus();
    };
    const save = action(t.hookSave, async () => {
      problem.hidden = true;
      url.removeAttribute('aria-invalid');
      const events = ticks.filter(({ control }) => control.checked).map(({ control }) => control.value);
      try {
        const made = await this.client.addWebhook(this.key, { url: url.value.trim(), events });
        await this.load();
        this.#secret(made);
      } catch (error) {
        say(error);
      }
    }, 'primary compact');
    const cancel = action(t.cancel, () => this.#draw(), 'compact');
    const form = el('form', { class: 'stack', noValidate: true },
      el('div', { class: 'field' }, el('label', { htmlFor: 'hook-url', textContent: t.hookUrl }), url, el('span', { class: 'hint', id: 'hook-about', textContent: t.hookUrlHint }), problem),
      el('fieldset', { class: 'field' }, el('legend', { textContent: t.hookEvents }), ...ticks.map(({ node }) => node)), el('div', { class: 'row' }, save, cancel));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      save.click();
    });
    this.#add.replaceChildren(form);
    url.focus();
  }

  /** The one time it is told. */
  #secret({ secret, url }, more = '') {
    this.#said.replaceChildren(el('div', { class: 'notice good stack', role: 'status' }, el('strong', { textContent: t.hookSecret }), copyRow(`${t.hookSecret}: ${url}`, secret),
      el('span', { textContent: [t.hookSecretHint, more].filter(Boolean).join(' ') })));
  }

  #item(hook) {
    const state = stateOf(hook);
    const said = el('div');
    const log = el('div');
    const button = (what, act, kind = '') => {
      const node = action(what, async () => {
        said.replaceChildren();
        try {
          await act();
        } catch (error) {
          said.replaceChildren(problemBox(error));
        }
      }, `compact ${kind}`);
      node.setAttribute('aria-label', t.about(what, hook.url));
      return node;
    };
    const place = el('details', { class: 'more log' }, el('summary', { textContent: t.log }), log);
    const show = () => this.#log(hook, log, said);
    place.addEventListener('toggle', () => place.open && show());
    const test = async () => {
      await this.client.changeWebhook(this.key, hook.id, 'test');
      said.replaceChildren(notice(t.hookTested));
      place.open = true;
      await this.#watch(hook, log, said);
    };
    const rotate = async () => this.#secret(await this.client.changeWebhook(this.key, hook.id, 'secret'), t.hookSecretNew);
    const enable = async () => {
      await this.client.changeWebhook(this.key, hook.id, 'enable');
      await this.load();
    };
    // Asked once more in its place: what waits would be lost.
    const remove = async () => {
      const sure = action(t.hookDelete, async () => {
        await this.client.deleteWebhook(this.key, hook.id);
        await this.load();
        this.#said.replaceChildren(notice(t.hookDeleted));
      }, 'compact danger');
      said.replaceChildren(el('div', { class: 'notice warn', role: 'alert' }, el('span', { textContent: t.hookDeleteSure(hook.url) }), el('div', { class: 'row' }, sure, action(t.cancel, () => said.replaceChildren(), 'compact'))));
      sure.focus();
    };
    return el('li', { class: 'stack shop-hook' },
      el('div', { class: 'row spread' }, el('code', { class: 'shop-url', textContent: hook.url }), el('span', { class: `badge ${TONES[state]}`, textContent: t.hookStates[state] })),
      el('p', { class: 'muted small', textContent: [hook.events.map((kind) => t.hookKinds[kind]).join(' · '), hook.waiting > 0 && t.hookWaiting(hook.waiting)].filter(Boolean).join(' · ') }),
      state === 'failing' && el('p', { class: 'notice warn', textContent: t.hookFailing(when(hook.failing_since)) }),
      state === 'disabled' && el('p', { class: 'notice bad', textContent: t.hookDisabled }),
      el('div', { class: 'row' }, state === 'disabled' ? button(t.hookEnable, enable, 'primary') : button(t.hookTest, test), button(t.hookRotate, rotate), button(t.hookDelete, remove, 'danger')),
      said, place);
  }

  /** Until nothing is on its way. */
  async #watch(hook, log, said) {
    for (let look = 0; look < LOOK.times; look += 1) {
      const lines = await this.#log(hook, log, said);
      if (!lines || (lines.length > 0 && lines[0].tries > 0) || !log.isConnected) return;
      await new Promise((done) => setTimeout(done, LOOK.every));
    }
  }

  async #log(hook, place, said) {
    try {
      const { deliveries } = await this.client.deliveries(this.key, hook.id);
      place.replaceChildren(...(deliveries.length === 0 ? [el('p', { class: 'muted', textContent: t.logNone })] : [this.#table(hook, deliveries, place, said)]));
      return deliveries;
    } catch (error) {
      place.replaceChildren(problemBox(error, action(t.again, () => this.#log(hook, place, said), 'compact')));
      return null;
    }
  }

  #table(hook, deliveries, place, said) {
    const time = (seconds) => when(seconds, { dateStyle: 'short', timeStyle: 'medium' });
    const heads = [t.logTime, t.logKind, t.logState, t.logAnswer, ''];
    const row = (line) => {
      const kind = t.hookKinds[line.type];
      const again = action(t.resend, async () => {
        try {
          await this.client.resend(this.key, hook.id, line.seq);
          said.replaceChildren(notice(t.resent));
          await this.#watch(hook, place, said);
        } catch (error) {
          said.replaceChildren(problemBox(error));
        }
      }, 'compact');
      again.setAttribute('aria-label', t.about(t.resend, `${kind}, ${time(line.created)}`));
      const answer = [line.status ?? t.logErrors[line.error], line.ms !== undefined && t.logMs(number(line.ms))].filter(Boolean).join(' · ');
      const state = el('div', { class: 'stack tight' }, el('span', { class: `badge ${LINE_TONES[line.state]}`, textContent: t.logStates[line.state] }),
        el('span', { class: 'muted small', textContent: [t.logTries(line.tries), line.next_try && t.logNext(time(line.next_try))].filter(Boolean).join(' · ') }));
      return el('tr', {}, el('th', { scope: 'row', textContent: time(line.created) }), el('td', { textContent: kind }), el('td', {}, state), el('td', { textContent: answer || '–' }), el('td', {}, again));
    };
    return el('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': t.logCaption }, el('table', { class: 'figures numbers' }, el('caption', { class: 'visually-hidden', textContent: t.logCaption }),
      el('thead', {}, el('tr', {}, ...heads.map((textContent) => (textContent ? el('th', { scope: 'col', textContent }) : el('td'))))), el('tbody', {}, ...deliveries.map(row))));
  }
}
