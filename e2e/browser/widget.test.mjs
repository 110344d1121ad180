// The widget in pages of all kinds: what is pasted, where it stands, what is fetched, what strangers say to it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { inRoot } from '../../tools/proc.mjs';
import { fund, newWallet, publish } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { approve, cardOf, frameOf, openBrowser, openWallet, press, shot } from './lib/browser.mjs';
import { makeSong } from './lib/media.mjs';
import { startSite } from './lib/site.mjs';

const AXE = readFileSync(inRoot('node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const FORGED = 10_000;
const media = scratch('media');
after(media.remove);
const stack = await openStack({ name: 'widget' });
const site = await startSite();
after(site.stop);
const creator = await newWallet(stack.client);
await fund(creator, 1_000_000);
const bytes = readFileSync(makeSong(media.dir));
const offer = { bytes, name: 'song.mp3', mediaType: 'audio/mpeg', origin: stack.walletOrigin };
const works = [];
for (const title of ['Night Train', 'The Crossing', 'A title that is rather long, as titles of films and lectures sometimes are']) {
  works.push(await publish(creator, { ...offer, title }));
}
const [first, second, long] = works;
const { origin } = stack;
const script = `<script async src="${origin}/widget.js"></script>`;
const workPage = ({ work }) => `${origin}/w/${work}`;
const element = ({ work }, attributes = '') => `<satchel-buy work="${work}" ${attributes}><a href="${workPage({ work })}">Listen</a></satchel-buy>`;
const playing = (place) =>
  until('the song playing', () => place.locator('audio').evaluate(({ currentTime, paused }) => currentTime > 0.3 && !paused));

/** What a page asks of the shop. */
function countRequests(page) {
  const asked = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin === origin) asked.push(url.pathname);
  });
  return asked;
}

/** Every form of the snippet that was ever documented. None of them may ever stop working (docs/EMBEDDING.md). */
const FORMS = {
  'a script with a work': ({ work }) => `<script async src="${origin}/widget.js" data-work="${work}"></script>`,
  'an element around a link': ({ work }) => script + element({ work }),
  'an element without a link': ({ work }) => `${script}<satchel-buy work="${work}"></satchel-buy>`,
  'an element that only its link names': ({ work }) => `${script}<satchel-buy><a href="${workPage({ work })}">x</a></satchel-buy>`,
  'a link': ({ work }) => `${script}<p><a class="satchel" href="${workPage({ work })}">x</a></p>`,
  'the script after the link': ({ work }) => `<a class="satchel" href="${workPage({ work })}">x</a>${script}`,
  'data attributes': ({ work }) => `<script async src="${origin}/widget.js" data-work="${work}" data-layout="button" data-theme="dark" data-lang="de"></script>`,
};

let person = await openBrowser();

for (const [name, form] of Object.entries(FORMS)) {
  test(`snippet: ${name}`, async () => {
    const page = await site.visit(person, '/form', { body: form(first) });
    const card = cardOf(page, first.work).or(page.locator('satchel-buy [part="card"]')).first();
    await card.locator('button').waitFor();
    await card.locator('button').hover();
    const frame = await frameOf(page, first.work);
    assert.match(await frame.locator('#buy').textContent(), /0[.,]25/);
    assert.equal(await page.locator('iframe').count(), 1);
    await page.close();
    assert.deepEqual(person.complaints, []);
  });
}

test('every version of the script that was ever released still shows a work that can be bought', async () => {
  const kept = readdirSync(inRoot('site', 'public', 'widget'));
  const { pinned } = await (await fetch(`${origin}/widget.json`)).json();
  assert.ok(kept.length > 0);
  for (const src of [...kept.map((file) => `${origin}/widget/${file}`), pinned]) {
    const page = await site.visit(person, '/kept', { body: `<script async src="${src}"></script>${element(first)}` });
    const frame = await frameOf(page, first.work);
    assert.match(await frame.locator('#buy').textContent(), /\$0\.25/);
    await page.close();
  }
  assert.deepEqual(person.complaints, []);
});

test('a pinned script with its hash runs, and with another hash it does not', async () => {
  const { pinned, integrity } = await (await fetch(`${origin}/widget.json`)).json();
  const body = (hash) => `<script async src="${pinned}" integrity="${hash}" crossorigin="anonymous"></script>${element(first)}`;
  const page = await site.visit(person, '/pinned', { body: body(integrity) });
  await cardOf(page, first.work).locator('button').waitFor();
  await page.close();
  assert.deepEqual(person.complaints, []);
  const other = await site.visit(person, '/pinned-wrong', { body: body(integrity.replace(/-..../, '-AAAA')) });
  await until('the refusal', () => person.complaints.some((text) => /integrity/i.test(text)));
  assert.equal(await other.locator('satchel-buy > a').isVisible(), true);
  person.excuse(/integrity/i);
  await other.close();
});

test('a card needs one request, its frame comes when somebody reaches for it, and events tell the page', async () => {
  const page = await person.context.newPage();
  const asked = countRequests(page);
  await page.close();
  const tab = await person.context.newPage();
  const requests = countRequests(tab);
  await tab.addInitScript(() => {
    self.told = [];
    for (const type of ['ready', 'open', 'purchased', 'play', 'close', 'error']) {
      addEventListener(`satchel:${type}`, ({ target, bubbles, composed, detail }) => self.told.push([type, target.localName, bubbles && composed, detail?.work]));
    }
  });
  await site.visit(person, '/events', { body: script + element(first) }).then((other) => other.close());
  await tab.goto(`http://127.0.0.1:${site.port}/events`);
  await cardOf(tab, first.work).locator('button').waitFor();
  await tab.waitForTimeout(500);
  assert.deepEqual(requests, ['/widget.js', '/embed/batch']);
  assert.deepEqual(asked, []);
  assert.deepEqual(await tab.evaluate(() => self.told), [['ready', 'satchel-buy', true, undefined]]);
  const frame = await frameOf(tab, first.work);
  assert.ok(requests.includes(`/embed/${first.work}`));
  const wallet = await openWallet(tab, frame);
  await approve(wallet, { fresh: true });
  await playing(frame);
  const told = await tab.evaluate(() => self.told);
  assert.deepEqual(told.map(([type]) => type), ['ready', 'open', 'purchased', 'play']);
  assert.ok(told.slice(1).every(([, target, composed, work]) => target === 'satchel-buy' && composed && work === first.work), JSON.stringify(told));
  await tab.close();
  assert.deepEqual(person.complaints, []);
});

test('nothing is fetched for what is far from view, and the place of each is kept', async () => {
  const body = `${script}<div style="height:4000px"></div>${element(first)}<p id="after">after</p>`;
  const page = await person.context.newPage();
  const requests = countRequests(page);
  await (await site.visit(person, '/far', { body })).close();
  await page.goto(`http://127.0.0.1:${site.port}/far`);
  await page.locator('satchel-buy').waitFor({ state: 'attached' });
  await page.waitForTimeout(700);
  assert.deepEqual(requests, ['/widget.js']);
  const before = await page.locator('#after').evaluate((node) => node.offsetTop);
  await page.locator('satchel-buy').scrollIntoViewIfNeeded();
  await cardOf(page, first.work).locator('button').waitFor();
  assert.deepEqual(requests, ['/widget.js', '/embed/batch']);
  await frameOf(page, first.work);
  await page.waitForTimeout(300);
  assert.equal(await page.locator('#after').evaluate((node) => node.offsetTop), before, 'something moved');
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('fifty on a page are one request more than none, fifty-one are two', async () => {
  for (const [count, batches] of [[50, 1], [51, 2]]) {
    // The same three works over and over would be three: each place is its own, so it is the number of works that counts.
    const many = Array.from({ length: count }, (_, i) => {
      const { work } = works[i % works.length];
      return i < works.length ? work : `wrk_${'a'.repeat(50)}${'abcdefghij'[Math.floor(i / 10)]}${'abcdefghij'[i % 10]}`;
    });
    const page = await person.context.newPage();
    const requests = countRequests(page);
    await (await site.visit(person, '/many', { body: script + many.map((work) => element({ work })).join('') })).close();
    await page.goto(`http://127.0.0.1:${site.port}/many`);
    // What nobody is near is asked for with the others as long as there is room.
    await page.locator('satchel-buy').last().scrollIntoViewIfNeeded();
    await until('all cards', async () => (await page.locator('satchel-buy [part="title"]').count()) === count);
    assert.deepEqual(requests, ['/widget.js', ...Array(batches).fill('/embed/batch')]);
    if (count === 50) await shot(page, 'widget-fifty', { fullPage: true });
    assert.equal(await page.getByText('There is no such work').count(), count - works.length);
    await page.close();
  }
  assert.deepEqual(person.complaints, []);
});

test('an app that adds, changes and removes elements has its cards', async () => {
  const page = await site.visit(person, '/spa', { body: `${script}<main></main>` });
  await page.evaluate((html) => (document.querySelector('main').innerHTML = html), element(first));
  await cardOf(page, first.work).getByText('Night Train').waitFor();
  await page.evaluate((work) => document.querySelector('satchel-buy').setAttribute('work', work), second.work);
  await cardOf(page, second.work).getByText('The Crossing').waitFor();
  await page.evaluate((html) => {
    const host = document.querySelector('main');
    host.replaceChildren();
    const inner = host.appendChild(document.createElement('div')).attachShadow({ mode: 'open' });
    inner.innerHTML = html;
  }, element(first));
  await cardOf(page, first.work).getByText('Night Train').waitFor();
  await page.evaluate((href) => {
    const a = Object.assign(document.createElement('a'), { className: 'satchel', href, textContent: 'x' });
    document.querySelector('main').replaceChildren(a);
  }, workPage(second));
  await cardOf(page, second.work).getByText('The Crossing').waitFor();
  // Whoever takes the link away takes the card with it.
  await page.evaluate(() => document.querySelector('a.satchel').remove());
  await until('no card', async () => (await page.locator('satchel-buy').count()) === 0);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('a page with a strict policy names two directives and sells', async () => {
  const policy = `default-src 'none'; script-src ${origin}; frame-src ${origin}; base-uri 'none'; require-trusted-types-for 'script'`;
  const body = script + element(first) + element(second, 'layout="player"');
  const page = await site.visit(person, '/strict', { raw: `<!doctype html><html lang="en"><title>A page</title><h1>A page</h1>${body}</html>`, headers: { 'content-security-policy': policy } });
  const frame = await frameOf(page, first.work);
  await frameOf(page, second.work);
  await shot(page, 'widget-strict-policy');
  const wallet = await openWallet(page, frame);
  await wallet.waitForEvent('close');
  await playing(frame);
  await page.close();
  // The page's own icon is refused as well: it is not ours.
  person.excuse(/favicon/);
  assert.deepEqual(person.complaints, []);
});

test('a page that forbids frames keeps its links and is told', async () => {
  const body = `<script>addEventListener('satchel:error', ({ detail }) => (self.failed = detail.code))</script>${script}${element(first)}`;
  const page = await site.visit(person, '/no-frames', { body, headers: { 'content-security-policy': `frame-src 'none'` } });
  await until('the error', () => page.evaluate(() => self.failed === 'frame_blocked'));
  assert.equal(await page.locator('satchel-buy > a').isVisible(), true);
  person.excuse(/frame-src/);
  await page.close();
});

test('markup that shadows what scripts read changes nothing', async () => {
  const names = ['currentScript', 'body', 'createElement', 'createElementNS', 'querySelectorAll', 'readyState', 'documentElement', 'addEventListener'];
  const clobbers = names.map((name) => `<img name="${name}" id="${name}" alt=""><form name="${name}" id="form-${name}"></form>`).join('');
  const forms = '<form id="crypto"><input name="parentElement"><input name="querySelectorAll"></form><a id="customElements"></a>';
  const page = await site.visit(person, '/clobbered', { body: clobbers + forms + script + element(first) + FORMS['a script with a work'](second) });
  await cardOf(page, first.work).getByText('Night Train').waitFor();
  await cardOf(page, second.work).getByText('The Crossing').waitFor();
  await page.evaluate((html) => {
    const form = document.querySelector('form:last-of-type');
    form.insertAdjacentHTML('beforeend', html);
  }, `<a class="satchel" href="${workPage(long)}">x</a>`);
  await cardOf(page, long.work).getByText('A title that is').waitFor();
  // The test's own tools are shadowed here as well: the pointer goes where the card is.
  const at = await page.evaluate((work) => {
    const [box] = Document.prototype.querySelectorAll.call(document, `satchel-buy[work="${work}"]`);
    box.scrollIntoView();
    const { x, y, width, height } = box.getBoundingClientRect();
    return { x: x + width / 2, y: y + height / 2 };
  }, first.work);
  await page.mouse.move(at.x, at.y);
  const frame = await until('the frame', () => page.frames().find((one) => one.url().includes(`/embed/${first.work}`)));
  await frame.locator('#satchel[data-view=offer]').waitFor();
  await page.close();
  assert.deepEqual(person.complaints, []);
});

/** WordPress, as far as a discovered provider sees it: wp_filter_oembed_result and wp-embed.js. */
async function wordpress(work) {
  const about = await (await fetch(`${origin}/oembed?format=json&url=${encodeURIComponent(workPage(work))}`)).json();
  const found = /(<blockquote>.*?<\/blockquote>)?.*(<iframe.*?><\/iframe>)/s.exec(about.html);
  const attributes = [...found[2].matchAll(/(src|width|height|title|frameborder)="([^"]*)"/g)].map(([all]) => all);
  const secret = 'Ab12Cd34Ef';
  const frame = `<iframe class="wp-embedded-content" sandbox="allow-scripts" security="restricted" data-secret="${secret}" ${attributes.join(' ').replace(/src="([^"]*)"/, `src="$1#?secret=${secret}"`)}></iframe>`;
  return `${found[1].replace('<blockquote>', '<blockquote class="wp-embedded-content">')}${frame}<script>
    addEventListener('message', ({ data, source }) => {
      if (!data || !(data.secret || data.message || data.value) || /[^a-zA-Z0-9]/.test(data.secret)) return;
      for (const frame of document.querySelectorAll('iframe[data-secret="' + data.secret + '"]')) {
        if (source !== frame.contentWindow) continue;
        if (data.message === 'height') frame.height = Math.min(Math.max(parseInt(data.value, 10), 200), 1000);
        if (data.message === 'link' && document.activeElement === frame) {
          const [from, to] = [new URL(frame.getAttribute('src')), new URL(data.value)];
          if (/^https?:$/.test(to.protocol) && to.host === from.host) top.location.href = data.value;
        }
      }
    });
  </script>`;
}

test('where WordPress has found the work by itself, the price is shown and its button leads to the work’s page', async () => {
  const page = await site.visit(person, '/wordpress', { body: await wordpress(first) });
  const frame = await frameOf(page, first.work);
  assert.equal(await frame.evaluate(() => self.origin), 'null');
  assert.equal(await frame.locator('.title').textContent(), 'Night Train');
  await until('its height', async () => (await page.locator('iframe').getAttribute('height')) === '200');
  await shot(page, 'widget-wordpress');
  await frame.getByRole('link', { name: /^Buy on / }).click();
  await page.waitForURL(workPage(first));
  await page.getByRole('button', { name: 'Buy $0.25' }).waitFor();
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('a sandbox without a way out says where the work is', async () => {
  const page = await site.visit(person, '/sandbox', { body: `<iframe sandbox="allow-scripts" width="500" height="200" src="${origin}/embed/${first.work}"></iframe>` });
  const frame = await frameOf(page, first.work);
  await frame.getByRole('link', { name: /^Buy on / }).click();
  await frame.getByText(workPage(first)).waitFor();
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test(`${FORGED.toLocaleString('en')} forged messages change nothing`, async () => {
  const evil = `<iframe id="evil" srcdoc="<p>a stranger’s frame</p>"></iframe>`;
  const body = `<script>self.told = []; for (const t of ['open', 'purchased', 'play', 'close', 'error']) addEventListener('satchel:' + t, ({ type }) => self.told.push(type))</script>${script}${element(second)}${evil}`;
  const page = await site.visit(person, '/forged', { body });
  const frame = await frameOf(page, second.work);
  await page.mouse.move(0, 0);
  const state = async () => ({
    told: await page.evaluate(() => self.told),
    box: await page.locator('satchel-buy').boundingBox(),
    frames: page.frames().length,
    url: page.url(),
    pages: person.context.pages().length,
    view: await frame.locator('#satchel').evaluate((node) => node.outerHTML),
    style: await frame.evaluate(() => document.documentElement.getAttribute('style')),
  });
  const before = await state();
  const sent = await page.evaluate(async (count) => {
    const box = document.querySelector('satchel-buy');
    const holder = box.shadowRoot.querySelector('iframe');
    const nonce = new URLSearchParams(new URL(holder.src).hash.slice(1)).get('n');
    const evil = document.querySelector('#evil').contentWindow;
    const events = ['hello', 'port', 'batch', 'height', 'ready', 'open', 'purchased', 'play', 'close', 'error', 'look', 'focus', 'press', 'message', 'constructor', '__proto__'];
    const values = [null, 0, '', 'x', [], {}, -1, 1e9, nonce, { nonce }, { work: 'wrk_x' }];
    const pick = (list, i) => list[i % list.length];
    let sent = 0;
    for (let i = 0; i < count; i += 1) {
      const message = pick([
        { satchel: 1, type: pick(events, i), nonce: i % 3 ? nonce : `${i}`, height: pick(values, i), detail: pick(values, i + 1), works: pick(values, i + 2), look: { accent: 'red' } },
        { satchel: 1, type: pick(events, i) },
        { message: pick(['height', 'link'], i), value: pick([9999, 'https://evil.example/'], i), secret: 'Ab12Cd34Ef' },
        pick(values, i),
        JSON.stringify({ satchel: 1, type: pick(events, i), nonce }),
      ], i);
      const ports = i % 7 === 0 ? [new MessageChannel().port2] : [];
      // From a stranger's frame and from the page itself to the page; from both to our frame.
      if (i % 4 === 0) evil.eval('0'), evil.setTimeout.call(evil, () => {}, 0);
      if (i % 4 === 1) postMessage(message, '*', ports);
      else if (i % 4 === 2) holder.contentWindow.postMessage(message, '*', ports);
      else if (i % 4 === 3) evil.Function('to', 'message', 'to.postMessage(message, "*")')(i % 8 === 3 ? self : holder.contentWindow, message);
      else dispatchEvent(new MessageEvent('message', { data: message, origin: new URL(holder.src).origin, source: evil }));
      sent += 1;
      if (i % 500 === 0) await new Promise((done) => setTimeout(done, 0));
    }
    await new Promise((done) => setTimeout(done, 300));
    return sent;
  }, FORGED);
  assert.equal(sent, FORGED);
  assert.deepEqual(await state(), before);
  // And the true line still works.
  await openWallet(page, frame).then((wallet) => wallet.close());
  await until('the event', () => page.evaluate(() => self.told.includes('satchel:open')));
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('a click on a button that was only just uncovered pays nothing, and one through something is asked about', async () => {
  const page = await site.visit(person, '/covered', { body: `<div style="height:1600px"></div>${script}${element(first)}` });
  const holder = page.locator('satchel-buy');
  await holder.scrollIntoViewIfNeeded();
  const frame = await frameOf(page, first.work);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(300);
  let opened = 0;
  page.on('popup', () => (opened += 1));
  // Brought under the pointer and pressed at once.
  await frame.locator('#buy').evaluate((button) => {
    new IntersectionObserver((seen, observer) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      setTimeout(() => button.click(), 100);
    }).observe(button);
  });
  await page.evaluate(() => document.querySelector('satchel-buy').scrollIntoView());
  await page.waitForTimeout(600);
  assert.equal(opened, 0);
  // Something the page lays over it, which lets clicks through.
  await page.evaluate(() => {
    const cover = document.createElement('div');
    cover.style.cssText = 'position:fixed;inset:0;background:#fffe;pointer-events:none;z-index:9';
    document.body.append(cover);
  });
  await page.waitForTimeout(900);
  const popup = page.waitForEvent('popup');
  await frame.locator('#buy').click();
  const wallet = await popup;
  assert.equal(new URLSearchParams(new URL(wallet.url()).hash.slice(1)).get('ask'), '1');
  await wallet.close();
  await page.close();
  assert.deepEqual(person.complaints, []);
});

/** Serious and critical findings of axe, and targets that are too small. */
async function inspect(name, place) {
  await place.evaluate(AXE);
  const { violations, passes } = await place.evaluate(() =>
    self.axe.run(document, { iframes: false, resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }));
  assert.ok(passes.length > 3, `${name}: axe looked at nothing`);
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${name}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

const SHOWN = [
  ['light', 'light', 'ltr', 'en'], ['dark', 'dark', 'ltr', 'en'], ['german', 'light', 'ltr', 'de'], ['rtl', 'light', 'rtl', 'en'],
];

test('in three layouts, light and dark, in two languages and from right to left, everybody can use it', async () => {
  const found = [];
  for (const [name, theme, dir, lang] of SHOWN) {
    const attributes = `theme="${theme}" lang="${lang}"`;
    const style = `<style>body{font:17px/1.5 Georgia,serif;max-width:660px;margin:2rem auto;padding:0 1rem;background:${theme === 'dark' ? '#14161d' : '#fff'};color:${theme === 'dark' ? '#e8e8ee' : '#222'}}satchel-buy{margin:1rem 0}</style>`;
    const body = [first, long].map((work) => element(work, attributes)).join('') + element(second, `${attributes} layout="button"`) +
      `<div style="max-width:320px">${element(long, attributes)}</div>` + element(second, `${attributes} layout="player"`);
    const page = await site.visit(person, `/shown-${name}`, { head: style, body: script + body, lang });
    await page.evaluate((to) => (document.documentElement.dir = to), dir);
    await until('four cards', async () => (await page.locator('satchel-buy [part="title"]').count()) === 4);
    await page.locator('satchel-buy[layout=player] iframe.on').waitFor();
    if (dir === 'rtl') {
      for (const frame of page.frames().slice(1)) await frame.evaluate(() => (document.documentElement.dir = 'rtl'));
      await page.evaluate(() => document.querySelectorAll('satchel-buy').forEach((box) => box.shadowRoot.querySelector('div')?.setAttribute('dir', 'rtl')));
    }
    await shot(page, `widget-cards-${name}`, { fullPage: true });
    found.push(...(await inspect(`cards, ${name}`, page)));
    // The same with the frames in place.
    for (let left = 4; left > 0; left -= 1) {
      await page.locator('satchel-buy [part="button"]').first().hover();
      await until('its frame', async () => (await page.locator('satchel-buy iframe.on').count()) === 6 - left);
    }
    if (dir === 'rtl') for (const frame of page.frames().slice(1)) await frame.evaluate(() => (document.documentElement.dir = 'rtl'));
    await page.waitForTimeout(200);
    await shot(page, `widget-frames-${name}`, { fullPage: true });
    for (const frame of page.frames().slice(1)) if (frame.url().includes('/embed/wrk_')) found.push(...(await inspect(`frame, ${name}`, frame)));
    await page.close();
  }
  assert.deepEqual(found, []);
  assert.deepEqual(person.complaints, []);
});

test('a site’s own colours, corners and font are worn, and no price can be hidden with them', async () => {
  const style = '<style>satchel-buy{--satchel-accent:#0a5fd8;--satchel-radius:4px;--satchel-font:Georgia,serif}#hide{--satchel-accent:#ffee00}satchel-buy::part(button){text-transform:uppercase}</style>';
  const page = await site.visit(person, '/own-look', { head: style, body: `${script}${element(first)}<div>${element(second, 'id="hide"')}</div>` });
  await cardOf(page, first.work).locator('button').waitFor();
  await shot(page, 'widget-own-look');
  assert.equal(await cardOf(page, first.work).locator('button').evaluate((button) => getComputedStyle(button).textTransform), 'uppercase');
  const colours = async (work) => {
    const frame = await frameOf(page, work.work);
    const read = () => frame.locator('#buy').evaluate((button) => [getComputedStyle(button).backgroundColor, getComputedStyle(button).color]);
    await until('the colours', async () => !(await read())[0].includes('154, 66, 16'));
    await page.waitForTimeout(400);
    return read();
  };
  assert.deepEqual(await colours(first), ['rgb(10, 95, 216)', 'rgb(255, 255, 255)']);
  assert.deepEqual(await colours(second), ['rgb(255, 238, 0)', 'rgb(0, 0, 0)']);
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('by keyboard alone: to the card, into the frame, to the wallet', async () => {
  const page = await site.visit(person, '/keyboard', { body: script + element(long) });
  await cardOf(page, long.work).locator('button').waitFor();
  await page.keyboard.press('Tab');
  const frame = await frameOf(page, long.work);
  await until('focus in the frame', () => frame.evaluate(() => document.activeElement?.id === 'buy' && document.hasFocus()));
  await page.waitForTimeout(800);
  const popup = page.waitForEvent('popup');
  await page.keyboard.press('Enter');
  const wallet = await popup;
  await wallet.getByRole('button', { name: /^Pay / }).waitFor();
  await wallet.close();
  await page.close();
  assert.deepEqual(person.complaints, []);
});

test('on a touch screen a tap brings the frame, and what is owned opens with it', async () => {
  await person.end();
  person = await openBrowser({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 }, thirdPartyCookies: true, args: ['--disable-features=HttpsUpgrades'] });
  const page = await site.visit(person, '/touch', { body: script + element(first) });
  await cardOf(page, first.work).locator('button').tap();
  const frame = await frameOf(page, first.work);
  await shot(page, 'widget-phone');
  await page.waitForTimeout(900);
  const popup = page.waitForEvent('popup');
  await frame.locator('#buy').tap();
  await approve(await popup, { fresh: true });
  await playing(frame);
  await page.reload();
  await cardOf(page, first.work).locator('button').tap();
  await playing(await frameOf(page, first.work));
  await page.close();
  assert.deepEqual(person.complaints, []);
});
