// The script a website owner pastes (docs/EMBEDDING.md). It turns three kinds of markup into one thing:
//
//   <script async src="ORIGIN/widget.js" data-work="wrk_…"></script>
//   <satchel-buy work="wrk_…"><a href="ORIGIN/w/wrk_…">…</a></satchel-buy>
//   <a class="satchel" href="ORIGIN/w/wrk_…">…</a>
//
// All three become a card in a shadow root: title, price and button as the issuer says them, asked for in one request
// for up to fifty works once the first of them is near. The issuer's frame, which alone can sell, comes when somebody
// reaches for the card. The plain link stays until there is something better, and for good where there never is.
// The frame learns nothing of the page around it but a nonce, its origin, and how it should look; the page learns
// heights, events, and the one receipt bought in it.
(() => {
  // The page is full of a stranger's markup: <img name="currentScript"> would shadow the property of that name on
  // `document`, so whatever is read there is read through the prototype.
  const { prototype } = Document;
  const read = (name) => Object.getOwnPropertyDescriptor(prototype, name).get.call(document);
  const make = (name) => prototype.createElement.call(document, name);
  const script = read('currentScript');
  if (!script || !script.src) return;
  const { origin, host: issuer } = new URL(script.src);
  const isWork = (text) => /^wrk_[a-z2-7]{52}$/.test(text);

  /** The work a link leads to, if it leads to one of this issuer's work pages. */
  const linked = (a) => {
    try {
      const url = new URL(a.href);
      const work = url.pathname.slice(3);
      return url.origin === origin && url.pathname.startsWith('/w/') && isWork(work) ? work : '';
    } catch {
      return '';
    }
  };

  const link = (work) => {
    const a = make('a');
    a.className = 'satchel';
    a.href = origin + '/w/' + work;
    a.textContent = 'See and buy on ' + issuer;
    return a;
  };

  const own = script.dataset.work;
  if (isWork(own) && !script.closest('head')) {
    const a = link(own);
    Object.assign(a.dataset, script.dataset);
    script.after(a);
  }

  // The script may be on a page once per work; the first copy serves all of them.
  const once = Symbol.for('satchel ' + origin);
  if (window[once]) return;
  window[once] = true;

  const BATCH = 50;
  const PATIENCE_MS = 9000;
  const SVG = 'http://www.w3.org/2000/svg';
  const ICONS = { audio: 'M9 3v11a3 3 0 1 0 2 3V8h6V3z', video: 'M6 4v16l13-8z' };
  const FILE = 'M5 2h9l5 5v15H5z';
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);

  /** By nonce: a frame, and who reads what its window says. */
  const frames = new Map();
  /** By box, the element with our shadow root: all that is known of a widget. */
  const widgets = new Map();
  const taken = new WeakSet();

  const tell = ({ target }, type, detail) =>
    target.dispatchEvent(new CustomEvent('satchel:' + type, { detail, bubbles: true, composed: true }));

  /** A frame of the issuer's; `heard` gets what its window says under the nonce it was opened with. */
  const open = (path, more, heard) => {
    const nonce = crypto.randomUUID();
    const frame = make('iframe');
    // The wallet tells the buyer which site asks, so the frame has to see this page's origin, and no more of it.
    frame.referrerPolicy = 'origin';
    frame.src = origin + '/embed/' + path + '#n=' + nonce + more;
    frames.set(nonce, { frame, heard });
    return { frame, nonce };
  };

  const close = ({ frame, nonce } = {}) => {
    if (!frame) return;
    frames.delete(nonce);
    frame.remove();
  };

  /** Gives the place back to the plain link. */
  const drop = (widget) => {
    const { a, box, root, target } = widget;
    widgets.delete(box);
    taken.delete(a);
    near.unobserve(box);
    close(widget.open);
    a.style.position = a.style.visibility = '';
    root.adoptedStyleSheets = [];
    root.replaceChildren(make('slot'));
    if (target === a) box.remove();
  };

  /** A frame forbidden by this page's own policy loads as an error page and stays silent. */
  const fail = (widget) => {
    drop(widget);
    taken.add(widget.a);
    tell(widget, 'error', { code: 'frame_blocked' });
  };

  const ready = (widget) => {
    widget.a.style.visibility = 'hidden';
    if (!widget.ready) tell(widget, 'ready');
    widget.ready = true;
  };

  /** Brings the frame. `press`: somebody pressed the button, rather than came near it. */
  const load = (widget, press) => {
    widget.press ||= press;
    if (widget.open) return;
    const { a, box, root, work, layout, theme, lang, tone } = widget;
    let port;
    const heard = ({ type }, nonce) => {
      if (type !== 'hello') return;
      const { port1, port2 } = new MessageChannel();
      port?.close();
      port = port1;
      port.onmessage = ({ data }) => {
        const { type, height, detail } = data || {};
        if (type === 'height') frame.style.height = Math.min(Math.max(+height || 0, 44), 4000) + 'px';
        else if (type === 'ready') {
          // Who was on the card goes on in the frame.
          const on = widget.press || root.activeElement;
          frame.className = 'on';
          widget.card.remove();
          ready(widget);
          if (!on) return;
          frame.focus();
          port.postMessage({ type: widget.press ? 'press' : 'focus' });
        } else if (/^(open|purchased|play|close|error)$/.test(type)) tell(widget, type, detail);
      };
      frame.contentWindow.postMessage({ satchel: 1, type: 'port', nonce }, origin, [port2]);
      const style = getComputedStyle(box);
      const look = {};
      for (const name of ['accent', 'radius', 'font']) look[name] = style.getPropertyValue('--satchel-' + name).trim();
      port.postMessage({ type: 'look', look });
    };
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ layout, theme, lang })) if (value) query.set(name, value);
    widget.open = open(work + ('' + query && '?' + query), '&c=' + tone, heard);
    const { frame } = widget.open;
    frame.title = 'Satchel: ' + (widget.title || a.textContent.trim());
    frame.allow = 'autoplay; fullscreen; encrypted-media; picture-in-picture; clipboard-write';
    // A frame whose colour scheme differs from its own document's would get an opaque background.
    frame.style.colorScheme = tone;
    frame.onload = () => setTimeout(() => frame.className || !frame.isConnected || fail(widget), PATIENCE_MS);
    root.append(frame);
  };

  const part = (name, tag, text, ...children) => {
    const el = make(tag);
    el.setAttribute('part', name);
    el.append(text, ...children);
    return el;
  };

  /** The card, from what the issuer says. All of it is text. */
  const draw = (widget, { title, price, note, action, kind, dir }) => {
    const { card } = widget;
    if (widget.open) return;
    const [svg, path] = ['svg', 'path'].map((name) => prototype.createElementNS.call(document, SVG, name));
    svg.append(path);
    svg.setAttribute('viewBox', '0 0 24 24');
    path.setAttribute('d', ICONS[kind] || FILE);
    widget.title = title;
    const name = part('title', 'b', title);
    name.dir = 'auto';
    card.dir = dir;
    card.replaceChildren(part('cover', 'i', svg), name, part('price', 'span', price, part('note', 'small', note)));
    if (action) {
      const button = part('button', 'button', action);
      button.type = 'button';
      button.setAttribute('aria-label', action + ': ' + title);
      button.onclick = () => load(widget, true);
      card.append(button);
      card.onpointerenter = card.ontouchstart = () => load(widget);
      button.onfocus = card.onpointerenter;
    }
    ready(widget);
  };

  /** Asks for up to fifty works in one language, those that are near first. */
  const ask = (first) => {
    const all = [...first, ...widgets.values()].filter((widget) => !widget.asked && widget.layout !== 'player' && widget.lang === first[0].lang);
    const some = [...new Set(all)].slice(0, BATCH);
    if (!some.length) return;
    const works = [...new Set(some.map(({ work }) => work))];
    for (const widget of some) widget.asked = true;
    const query = 'batch?' + new URLSearchParams({ lang: some[0].lang, works });
    const batch = open(query, '', ({ type, works }) => {
      if (type !== 'batch' || !Array.isArray(works)) return;
      close(batch);
      for (const said of works) for (const widget of some) if (said && said.work === widget.work) draw(widget, said);
    });
    const { frame } = batch;
    frame.style.display = 'none';
    frame.onload = () =>
      setTimeout(() => {
        if (!frame.isConnected) return;
        close(batch);
        some.forEach(fail);
      }, PATIENCE_MS);
    read('body').append(frame);
  };

  const flush = () => {
    // While the page is being parsed there may be more of them.
    if (read('readyState') === 'loading') return setTimeout(flush, 50);
    const [...first] = waiting;
    waiting.clear();
    const left = first.filter((widget) => !widget.asked && widgets.has(widget.box));
    if (!left.length) return;
    ask(left);
    left.forEach((widget) => waiting.add(widget));
    flush();
  };
  const waiting = new Set();

  /** Nothing is fetched for what nobody is near. */
  const near = new IntersectionObserver(
    (seen) => {
      for (const { isIntersecting, target } of seen) {
        const widget = widgets.get(target);
        if (!isIntersecting || !widget) continue;
        near.unobserve(target);
        if (widget.layout === 'player') load(widget);
        else waiting.add(widget);
      }
      flush();
    },
    { rootMargin: '400px 0px' },
  );

  /**
   * Puts the card where `a` is. The link is taken out of the flow, so it lies over the space kept for the card and
   * nothing moves when one takes the other's place.
   */
  const mount = (target, a, work) => {
    // Without a secure context the frame couldn't even make a key, and no `frame-ancestors` lets a sandboxed page be
    // the parent. The link can do everything.
    if (!isSecureContext || self.origin === 'null' || taken.has(a)) return;
    const box = target === a ? make('satchel-buy') : target;
    if (target === a) box.setAttribute('work', work);
    let root;
    try {
      root = box.shadowRoot || box.attachShadow({ mode: 'open' });
    } catch {
      return;
    }
    const asked = (name) => target.getAttribute(name) || target.dataset[name] || '';
    const oneOf = (name, names) => (names.includes(asked(name)) ? asked(name) : '');
    const layout = oneOf('layout', ['button', 'player']);
    const theme = oneOf('theme', ['light', 'dark']);
    const scheme = theme || getComputedStyle(a).colorScheme;
    const dark = /dark/.test(scheme) && (!/light/.test(scheme) || matchMedia('(prefers-color-scheme:dark)').matches);
    const tone = dark ? 'dark' : 'light';
    const card = part('card', 'div', '');
    card.className = layout;
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren(card, make('slot'));
    taken.add(a).add(box);
    box.style.colorScheme = tone;
    a.style.position = 'absolute';
    const lang = /^[a-z]{2}/i.test(asked('lang')) ? asked('lang') : '';
    widgets.set(box, { target, a, box, root, card, work, layout, theme, lang, tone });
    if (target === a) a.after(box);
    near.observe(box);
  };

  const adopt = (el) => {
    if (el.localName === 'a') return linked(el) && mount(el, el, linked(el));
    if (taken.has(el) && widgets.has(el)) return;
    const links = [...el.querySelectorAll('a')];
    let a = links.find(linked);
    const given = el.getAttribute('work') || el.dataset.work || '';
    const work = isWork(given) ? given : a && linked(a);
    // An element that links elsewhere belongs to another issuer's copy of this script.
    if (!work || (!a && (links.length || !defined))) return;
    if (!a) {
      // While the page is being parsed the element's own link may still be on its way.
      if (read('readyState') === 'loading') return;
      a = link(work);
      el.append(a);
    }
    mount(el, a, work);
  };

  const scan = (root) => {
    for (const el of root.querySelectorAll('a.satchel,satchel-buy')) adopt(el);
  };

  addEventListener('message', ({ source, origin: from, data }) => {
    if (from !== origin || !data || data.satchel !== 1) return;
    const { frame, heard } = frames.get(data.nonce) || {};
    if (frame && source === frame.contentWindow) heard(data, data.nonce);
  });

  const defined = !customElements.get('satchel-buy');
  if (defined)
    customElements.define(
      'satchel-buy',
      class extends HTMLElement {
        static observedAttributes = ['work', 'layout', 'theme', 'lang'];

        connectedCallback() {
          if (!taken.has(this)) adopt(this);
        }

        attributeChangedCallback() {
          const widget = widgets.get(this);
          if (!widget) return;
          drop(widget);
          adopt(this);
        }
      },
    );
  const page = script.getRootNode();
  const scanPage = () => scan({ querySelectorAll: (s) => prototype.querySelectorAll.call(document, s) });
  scanPage();
  addEventListener('DOMContentLoaded', scanPage);
  new MutationObserver((changes) => {
    for (const widget of widgets.values()) if (!widget.a.isConnected || !widget.box.isConnected) drop(widget);
    for (const { addedNodes } of changes)
      for (const node of addedNodes)
        if (node.nodeType === 1) {
          if (Element.prototype.matches.call(node, 'a.satchel')) adopt(node);
          else scan({ querySelectorAll: (s) => Element.prototype.querySelectorAll.call(node, s) });
        }
  }).observe(page, { childList: true, subtree: true });
})();
