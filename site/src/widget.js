// The script a website owner pastes. It turns three kinds of markup into one isolated frame:
//
//   <script async src="ORIGIN/widget.js" data-work="wrk_…"></script>
//   <satchel-buy work="wrk_…"><a href="ORIGIN/w/wrk_…">…</a></satchel-buy>
//   <a class="satchel" href="ORIGIN/w/wrk_…">…</a>
//
// All three become: a plain link to the work's page, and a frame beside it. The link stays visible and usable until
// the frame says it is ready, and for good where it never does. The frame learns nothing of the page around it but a
// nonce, its origin, and whether it is light or dark; the page learns heights, events, and the one receipt bought in it.
(() => {
  // The page is full of a stranger's markup: <img name="currentScript"> would shadow the property of that name on
  // `document`, so whatever is read there is read through the prototype.
  const read = (name) => Object.getOwnPropertyDescriptor(Document.prototype, name).get.call(document);
  const make = (name) => Document.prototype.createElement.call(document, name);
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
  if (isWork(own) && !script.closest('head')) script.after(link(own));

  // The script may be on a page once per work; the first copy serves all of them.
  const once = Symbol.for('satchel ' + origin);
  if (window[once]) return;
  window[once] = true;

  /** By nonce: the element events are dispatched on, the fallback link, the frame. */
  const frames = new Map();
  const taken = new WeakSet();

  const tell = (target, type, detail) =>
    target.dispatchEvent(new CustomEvent('satchel:' + type, { detail, bubbles: true, composed: true }));

  const drop = (nonce) => {
    const { a, frame } = frames.get(nonce);
    frames.delete(nonce);
    taken.delete(a);
    frame.remove();
    a.style.position = a.style.visibility = '';
  };

  /**
   * Puts the frame after `a`. The link is taken out of the flow, so it lies over the space kept for the frame and
   * nothing moves when one takes the other's place.
   */
  const mount = (target, a, work) => {
    // Without a secure context the frame couldn't even make a key, and no `frame-ancestors` lets a sandboxed page be
    // the parent. The link can do everything.
    if (!isSecureContext || self.origin === 'null' || taken.has(a)) return;
    taken.add(a);
    const nonce = crypto.randomUUID();
    const frame = make('iframe');
    const { style } = frame;
    const box = a.parentElement;
    const scheme = getComputedStyle(a).colorScheme;
    const dark = /dark/.test(scheme) && (!/light/.test(scheme) || matchMedia('(prefers-color-scheme:dark)').matches);
    const tone = dark ? 'dark' : 'light';
    frame.title = 'Satchel: ' + a.textContent.trim();
    frame.allow = 'autoplay; fullscreen; encrypted-media; picture-in-picture; clipboard-write';
    // The wallet tells the buyer which site asks, so the frame has to see this page's origin, and no more of it.
    frame.referrerPolicy = 'origin';
    frame.loading = 'lazy';
    // A frame whose colour scheme differs from its own document's would get an opaque background.
    style.cssText = 'display:block;border:0;width:100%;max-width:40rem;opacity:0;pointer-events:none;color-scheme:' + tone;
    style.height = (box && box.clientWidth && box.clientWidth < 416 ? 152 : 104) + 'px';
    a.style.position = 'absolute';
    if (target !== a) target.style.display = 'block';
    frames.set(nonce, { target, a, frame });
    // A frame forbidden by this page's own policy loads as an error page and stays silent: give the space back.
    frame.onload = () =>
      setTimeout(() => {
        if (style.opacity !== '0' || !frames.has(nonce)) return;
        drop(nonce);
        taken.add(a);
        tell(target, 'error', { code: 'frame_blocked' });
      }, 9000);
    frame.src = origin + '/embed/' + work + '#n=' + nonce + '&c=' + tone;
    a.after(frame);
  };

  const adopt = (el) => {
    if (el.localName === 'a') return linked(el) && mount(el, el, linked(el));
    const links = [...el.querySelectorAll('a')];
    let a = links.find(linked);
    const given = el.getAttribute('work') || '';
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
    if (from !== origin || !data || data.satchel !== 1 || data.type !== 'hello') return;
    const entry = frames.get(data.nonce);
    if (!entry || source !== entry.frame.contentWindow) return;
    const { target, a, frame } = entry;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data: { type, height, detail } }) => {
      if (type === 'height') frame.style.height = Math.min(Math.max(+height || 0, 48), 4000) + 'px';
      else if (/^(ready|open|purchased|play|close|error)$/.test(type)) {
        if (type === 'ready') {
          frame.style.opacity = frame.style.pointerEvents = '';
          a.style.visibility = 'hidden';
        }
        tell(target, type, detail);
      }
    };
    source.postMessage({ satchel: 1, type: 'port', nonce: data.nonce }, origin, [port2]);
  });

  const defined = !customElements.get('satchel-buy');
  if (defined)
    customElements.define(
      'satchel-buy',
      class extends HTMLElement {
        connectedCallback() {
          adopt(this);
        }
      },
    );
  const page = script.getRootNode();
  const scanPage = () => scan({ querySelectorAll: (s) => Document.prototype.querySelectorAll.call(document, s) });
  scanPage();
  addEventListener('DOMContentLoaded', scanPage);
  new MutationObserver((changes) => {
    for (const [nonce, { a }] of frames) if (!a.isConnected) drop(nonce);
    for (const { addedNodes } of changes)
      for (const node of addedNodes)
        if (node.nodeType === 1) {
          if (Element.prototype.matches.call(node, 'a.satchel')) adopt(node);
          else scan({ querySelectorAll: (s) => Element.prototype.querySelectorAll.call(node, s) });
        }
  }).observe(page, { childList: true, subtree: true });
})();
