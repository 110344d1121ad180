// The catalogue of words: every language has the same keys, the static pages name keys that exist, and a visitor's
// language is chosen as site/src/shared/i18n.js says.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LANGUAGES, choose, fill, plural } from '../site/src/shared/i18n.js';

const SITE = fileURLToPath(new URL('../site/src', import.meta.url));
/** Pages whose words are in English only so far. */
const LATER = new Set(['open/text.js']);

const files = readdirSync(SITE, { recursive: true });
const load = async (name) => (await import(pathToFileURL(join(SITE, name)).href)).text;
const catalogues = [];
for (const name of files.filter((file) => /(^|[/.])text\.js$/.test(file))) {
  if (!LATER.has(name) || (await load(name)).en) catalogues.push(name);
}

/** `[['a.b', 'string'], …]` of a catalogue in one language. */
function shape(words, path = '') {
  return Object.entries(words).flatMap(([key, value]) => {
    const here = path ? `${path}.${key}` : key;
    if (typeof value === 'function') return [[here, `function of ${value.length}`]];
    if (typeof value === 'string') return [[here, value.trim() === '' ? 'empty' : 'string']];
    return shape(value, here);
  });
}

for (const name of catalogues) {
  test(`${name}: the same words in every language`, async () => {
    const text = await load(name);
    assert.deepEqual(Object.keys(text).sort(), Object.keys(LANGUAGES).sort());
    const en = shape(text.en);
    assert.ok(en.length > 0);
    for (const code of Object.keys(LANGUAGES)) {
      // Forms of a plural may differ: a language has those it needs, and always `other`.
      assert.deepEqual(shape(text[code]).sort(), en.sort(), `${name}, ${code}`);
    }
  });
}

test('every word that static HTML asks for is in the catalogue of its folder', async () => {
  let asked = 0;
  for (const page of files.filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(join(SITE, page), 'utf8');
    const keys = [...html.matchAll(/data-t(?:-[a-z-]+)?="([^"]+)"/g)].map(([, key]) => key);
    if (keys.length === 0) continue;
    asked += keys.length;
    const nearest = [join(dirname(page), 'text.js'), join(dirname(page), 'make/text.js')].filter((name) => existsSync(join(SITE, name)));
    assert.ok(nearest.length > 0, `${page} asks for words and its folder has none`);
    const known = new Set((await Promise.all(nearest.map(load))).flatMap((text) => shape(text.en).map(([key]) => key)));
    assert.deepEqual(keys.filter((key) => !known.has(key)), [], relative(SITE, page));
  }
  assert.ok(asked > 0);
});

test('a language is what was asked, else what was chosen before, else the browser’s, else English', () => {
  const de = { lang: 'de', locale: 'de' };
  const en = { lang: 'en', locale: 'en' };
  for (const [wishes, is] of [
    [{}, en],
    [{ preferred: [] }, en],
    [{ preferred: ['fr-CH', 'de-AT', 'en-US'] }, { lang: 'de', locale: 'de-AT' }],
    [{ preferred: ['en-GB', 'de'] }, { lang: 'en', locale: 'en-GB' }],
    [{ saved: 'de', preferred: ['en-US'] }, de],
    [{ saved: 'de', preferred: ['en-US', 'de-CH'] }, { lang: 'de', locale: 'de-CH' }],
    [{ asked: 'en', saved: 'de', preferred: ['de'] }, en],
    [{ asked: 'de-LI', saved: 'en' }, { lang: 'de', locale: 'de-LI' }],
    [{ asked: 'xx', saved: 'constructor', preferred: ['__proto__', 'tlh'] }, en],
    [{ asked: '', saved: null, preferred: ['de'] }, de],
    [{ asked: 'de-<script>' }, de],
  ]) {
    assert.deepEqual(choose(wishes), is, JSON.stringify(wishes));
  }
});

test('words are put into elements and attributes, and what is unknown stays', () => {
  const node = (dataset, attributes) => ({
    dataset, textContent: 'English', attributes,
    getAttribute: (name) => attributes[name], setAttribute: (name, value) => (attributes[name] = value),
  });
  const heading = node({ t: 'a.b' }, {});
  const unknown = node({ t: 'toString' }, {});
  const label = node({}, { 'data-t-aria-label': 'c', 'aria-label': 'English' });
  const root = { querySelectorAll: (query) => ({ '[data-t]': [heading, unknown], '[data-t-aria-label]': [label] })[query] ?? [] };
  fill(root, { a: { b: 'Deutsch' }, c: 'Knopf' });
  assert.equal(heading.textContent, 'Deutsch');
  assert.equal(unknown.textContent, 'English');
  assert.equal(label.attributes['aria-label'], 'Knopf');
  assert.equal(plural(1, { one: 'a sale', other: '# sales' }), 'a sale');
  assert.equal(plural(1200, { one: 'a sale', other: '# sales' }), '1,200 sales');
});
