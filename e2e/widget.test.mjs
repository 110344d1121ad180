// What the widget worker says to programs: pages with validators, oEmbed, badge, QR, and honest refusals.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { intake, newWallet, noise, operate, packWork, publish, putOnSale, register, upload } from './lib/actors.mjs';
import { openStack } from './lib/stack.mjs';
import { until } from './lib/until.mjs';

const stack = await openStack({ name: 'widget-http' });
const { client, origin } = stack;
const creator = await newWallet(client);
const song = await publish(creator, { bytes: noise(2_000), title: 'A “song” & more', name: 'song.mp3', mediaType: 'audio/mpeg' });
const NOBODY = `wrk_${'a'.repeat(52)}`;

const page = (work) => `${origin}/w/${work}`;
const oembed = (query) => fetch(`${origin}/oembed?${new URLSearchParams(query)}`);

test('a page has a validator, and whoever has it is told so', async () => {
  for (const path of [`/embed/${song.work}`, `/w/${song.work}`, '/widget.js']) {
    const first = await fetch(origin + path);
    const tag = first.headers.get('etag');
    assert.match(tag, /^"[\w-]{43}"$/, path);
    assert.match(first.headers.get('cache-control'), /^public, max-age=\d+$/);
    const again = await fetch(origin + path, { headers: { 'if-none-match': `"x", W/${tag}` } });
    assert.deepEqual([again.status, await again.text(), again.headers.get('etag')], [304, '', tag], path);
    const head = await fetch(origin + path, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('etag')], [200, tag], path);
    assert.equal((await fetch(origin + path, { method: 'POST' })).status, 405);
  }
});

test('a page’s language is in its address, or it varies with the browser', async () => {
  const german = await fetch(`${origin}/embed/${song.work}`, { headers: { 'accept-language': 'de-DE,de;q=0.9' } });
  assert.deepEqual([german.headers.get('vary'), german.headers.get('content-language')], ['accept-language', 'de']);
  assert.match(await german.text(), /<html lang="de".*Für 0,25.\$ kaufen/s);
  const named = await fetch(`${origin}/embed/${song.work}?lang=en`, { headers: { 'accept-language': 'de' } });
  assert.deepEqual([named.headers.get('vary'), named.headers.get('content-language')], [null, 'en']);
});

test('other terms make another page, and the old validator is worth nothing', async () => {
  const work = await publish(creator, { bytes: noise(500), usd_micros: 250_000 });
  const before = await fetch(`${origin}/embed/${work.work}`);
  const tag = before.headers.get('etag');
  assert.match(await before.text(), /\$0\.25/);
  const next = await packWork(creator, { bytes: noise(600), usd_micros: 750_000, nonce: work.nonce, version: 2 });
  await upload(creator, next);
  await intake(creator, next);
  await putOnSale(creator, next);
  await until('the new price', async () => {
    const answer = await fetch(`${origin}/embed/${work.work}`, { headers: { 'if-none-match': tag } });
    return answer.status === 200 && /\$0\.75/.test(await answer.text());
  });
});

test('oEmbed answers in JSON and XML, within the size asked for', async () => {
  const json = await oembed({ url: page(song.work), maxwidth: 300 });
  assert.equal(json.status, 200);
  assert.match(json.headers.get('content-type'), /^application\/json/);
  const said = await json.json();
  assert.deepEqual([said.version, said.type, said.title, said.width, said.height, said.provider_name], ['1.0', 'rich', 'A “song” & more', 300, 152, 'Satchel']);
  assert.ok(said.html.includes(`src="${origin}/embed/${song.work}"`));
  const xml = await oembed({ url: page(song.work), format: 'xml' });
  assert.match(xml.headers.get('content-type'), /^text\/xml/);
  assert.match(await xml.text(), /<title>A “song” &amp; more<\/title>/);
  const html = await (await fetch(page(song.work))).text();
  const [, found] = /type="application\/json\+oembed"[^>]* href="([^"]+)"/.exec(html);
  assert.deepEqual(await (await fetch(found.replaceAll('&amp;', '&'))).json(), await (await oembed({ url: page(song.work) })).json());
});

test('oEmbed refuses as its specification says', async () => {
  for (const [query, status, code] of [
    [{ url: page(song.work), format: 'yaml' }, 501, 'format_unknown'],
    [{ url: page(NOBODY) }, 404, 'unknown_work'],
    [{ url: 'https://elsewhere.example/w/x' }, 404, 'unknown_work'],
    [{}, 404, 'unknown_work'],
  ]) {
    const answer = await oembed(query);
    assert.deepEqual([answer.status, (await answer.json()).code], [status, code], JSON.stringify(query));
  }
});

test('a badge says the price, and a QR code is a picture', async () => {
  const badge = await fetch(`${origin}/badge/${song.work}.svg`);
  assert.equal(badge.status, 200);
  assert.match(badge.headers.get('content-type'), /^image\/svg\+xml/);
  assert.match(badge.headers.get('content-security-policy'), /default-src 'none'/);
  assert.match(await badge.text(), />buy \$0\.25<\/text>/);
  assert.match(await (await fetch(`${origin}/badge/${song.work}.svg?lang=de`)).text(), />kaufen 0,25.\$<\/text>/);
  const qr = await fetch(`${origin}/w/${song.work}/qr.svg`);
  assert.deepEqual([qr.status, qr.headers.get('content-type')], [200, 'image/svg+xml']);
  assert.equal((await fetch(`${origin}/badge/${NOBODY}.svg`)).status, 404);
  assert.equal((await fetch(`${origin}/badge/${song.work}`)).status, 404);
  assert.equal((await fetch(`${origin}/w/x/qr.svg`)).status, 404);
});

test('the pinned script is the script, by its hash', async () => {
  const { contract, script, pinned, integrity } = await (await fetch(`${origin}/widget.json`)).json();
  assert.equal(contract, 1);
  const [evergreen, fixed] = await Promise.all([fetch(script), fetch(pinned)]);
  const bytes = Buffer.from(await fixed.arrayBuffer());
  assert.equal(await evergreen.text(), bytes.toString());
  assert.equal(integrity, `sha384-${createHash('sha384').update(bytes).digest('base64')}`);
  assert.match(fixed.headers.get('cache-control'), /immutable/);
  assert.deepEqual([fixed.headers.get('access-control-allow-origin'), evergreen.headers.get('access-control-allow-origin')], ['*', '*']);
});

test('a batch says of each work what its card shows, once and no more than fifty', async () => {
  const answer = await fetch(`${origin}/embed/batch?lang=en&works=${song.work},${NOBODY},junk,${song.work}`);
  assert.match(answer.headers.get('content-security-policy'), /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; .*frame-ancestors \*$/);
  const [, data] = /id="cards">(.*?)<\/script>/.exec(await answer.text());
  const cards = JSON.parse(data);
  assert.deepEqual(cards.map(({ work, state, price }) => [work, state, price]), [[song.work, 'published', '$0.25'], [NOBODY, 'none', ''], ['junk', 'none', '']]);
});

test('a draft, a withdrawn and a taken-down work have pages of their own and are offered to nobody', async () => {
  const draft = await packWork(creator, {});
  await register(creator, draft);
  const gone = await publish(creator, { bytes: noise(300), title: 'Withdrawn' });
  await client.setState(creator.creator, gone, 'unpublished');
  const down = await publish(creator, { bytes: noise(300), title: 'An insult' });
  await operate(stack, { cmd: 'take_down', work: down.work });
  for (const [{ work }, status, says] of [[draft, 404, 'Not on sale yet.'], [gone, 410, 'No longer for sale.'], [down, 451, 'taken down after a notice'], [{ work: NOBODY }, 404, 'There is no such work']]) {
    for (const kind of ['w', 'embed']) {
      const answer = await fetch(`${origin}/${kind}/${work}`);
      const html = await answer.text();
      assert.equal(answer.status, status, `${kind} ${says}`);
      assert.ok(html.includes(says) && html.includes('noindex') && !html.includes('oembed'), html);
      assert.ok(!html.includes('An insult'));
      assert.equal(answer.headers.get('etag'), null);
    }
    assert.equal((await oembed({ url: page(work) })).status, 404);
  }
});
