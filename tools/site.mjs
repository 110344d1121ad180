// Builds the static pages: site/src → site/dist. `node tools/site.mjs` or `buildSite()`.
// An entry is `site/src/NAME/index.html` (a page) or `main.js` and `NAME.css` in a folder whose
// page a worker renders. Attributes of pages that begin with `./` name further entries: scripts, styles, workers, pictures.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { inRoot, isMain, main } from './proc.mjs';
import { strictStyles } from './strict-styles.mjs';

const SRC = inRoot('site', 'src');
const DIST = inRoot('site', 'dist');
const OPENAPI = inRoot('schemas', 'openapi.json');
const STAMP = inRoot('target', 'satchel-tools', 'site.fingerprint');
// Entries of pages that workers render; the manifest names their files.
const RENDERED = ['frame', 'work'];
const REFERENCE = /\b(src|href|content)="\.\/([^"]+)"/g;

/** @returns {string[]} every file below a folder, sorted; none if there is no such folder */
function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** A hash of everything that goes into the site, by name and content. */
function fingerprint() {
  const hash = createHash('sha256');
  const inputs = [
    ...filesUnder(SRC),
    ...filesUnder(inRoot('site', 'public')),
    ...filesUnder(inRoot('sdk', 'js', 'src')),
    inRoot('site', '_headers'),
    OPENAPI,
    inRoot('tools', 'site.mjs'),
    inRoot('tools', 'strict-styles.mjs'),
    // Versions of the libraries that are bundled, and of the bundler.
    inRoot('package-lock.json'),
  ];
  for (const path of inputs) {
    hash.update(`${relative(inRoot(), path)}\0`);
    if (existsSync(path)) hash.update(readFileSync(path));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/** Pages by name: their text and the files they refer to. */
function readPages() {
  const pages = new Map();
  if (!existsSync(SRC)) return pages;
  for (const entry of readdirSync(SRC, { withFileTypes: true })) {
    const file = join(SRC, entry.name, 'index.html');
    if (!entry.isDirectory() || !existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    const uses = [...text.matchAll(REFERENCE)].map((match) => join(SRC, entry.name, match[2]));
    const missing = uses.find((path) => !existsSync(path));
    if (missing) console.warn(`site/src/${entry.name}/index.html is left out: ${relative(inRoot(), missing)} does not exist`);
    else pages.set(entry.name, { text, uses });
  }
  return pages;
}

function renderedEntries() {
  return RENDERED.flatMap((name) => ['main.js', `${name}.css`].map((file) => join(SRC, name, file))).filter(existsSync);
}

async function bundle(esbuild, entryPoints) {
  return esbuild.build({
    entryPoints,
    outdir: DIST,
    outbase: SRC,
    entryNames: 'assets/[dir]-[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    assetNames: 'assets/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: ['es2022', 'safari17'],
    minify: true,
    // Licences of bundled libraries stay beside the code they belong to.
    legalComments: 'linked',
    charset: 'utf8',
    loader: { '.svg': 'copy', '.png': 'copy', '.webp': 'copy' },
    metafile: true,
    write: false,
    logLevel: 'warning',
    plugins: [strictStyles],
    absWorkingDir: inRoot(),
  });
}

/** Source path of an entry → its address in the built site. */
function addresses(metafile) {
  const found = new Map();
  const address = (output) => `/${relative(DIST, inRoot(output))}`;
  for (const [output, about] of Object.entries(metafile.outputs)) {
    if (about.entryPoint) {
      const entry = inRoot(about.entryPoint);
      found.set(entry, address(output));
      // A style that a script imports.
      if (about.cssBundle) found.set(`${entry}.css`, address(about.cssBundle));
    } else if (/\.(svg|png|webp)$/.test(output)) {
      // Copied files have no entry point of their own in the metafile.
      const [input] = Object.keys(about.inputs);
      if (input) found.set(inRoot(input), address(output));
    }
  }
  return found;
}

function renderPage(name, page, found) {
  return page.text.replace(REFERENCE, (_, attribute, path) => {
    const address = found.get(join(SRC, name, path));
    if (!address) throw new Error(`site/src/${name}/index.html: ./${path} was not built`);
    return `${attribute}="${address}"`;
  });
}

function manifestOf(found) {
  const names = {};
  for (const name of RENDERED) {
    const script = join(SRC, name, 'main.js');
    const js = found.get(script);
    const css = found.get(join(SRC, name, `${name}.css`)) ?? found.get(`${script}.css`);
    if (js) names[`${name}.js`] = js;
    if (css) names[`${name}.css`] = css;
  }
  return names;
}

const digest = (algorithm, bytes, encoding) => createHash(algorithm).update(bytes).digest(encoding);

/** The widget's script with its style inside, and the script of the page it asks for cards. */
async function buildWidget(esbuild) {
  const options = { minify: true, target: ['es2022'], charset: 'utf8', logLevel: 'warning' };
  const style = await esbuild.transform(readFileSync(join(SRC, 'widget.css'), 'utf8'), { ...options, loader: 'css' });
  const define = { STYLE: JSON.stringify(style.code.trim()) };
  const build = async (name) => {
    const { outputFiles } = await esbuild.build({ ...options, entryPoints: [join(SRC, name)], bundle: true, format: 'iife', define, write: false });
    return outputFiles[0].contents;
  };
  const script = await build('widget.js');
  // Under a name that says what is in it, it may be kept for ever and be pinned by its hash.
  const pinned = `widget/${digest('sha256', script, 'hex').slice(0, 16)}.js`;
  return {
    files: [['widget.js', script], [pinned, script], ['batch.js', await build('batch.js')]],
    names: { 'widget.js': '/widget.js', 'widget.pinned': `/${pinned}`, 'widget.integrity': `sha384-${digest('sha384', script, 'base64')}` },
  };
}

/** Writes the files and removes every other one, pages last: they name the rest. */
function writeAll(files) {
  const late = (name) => name.endsWith('.html') || name === 'manifest.json';
  const ordered = [...files].sort(([a], [b]) => Number(late(a)) - Number(late(b)));
  for (const [name, contents] of ordered) {
    const path = join(DIST, name);
    if (existsSync(path) && readFileSync(path).equals(Buffer.from(contents))) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  const kept = new Set(files.map(([name]) => join(DIST, name)));
  for (const path of filesUnder(DIST)) if (!kept.has(path)) rmSync(path);
}

/**
 * Builds the site unless its inputs are unchanged.
 * @param {{force?: boolean}} [options]
 * @returns {Promise<boolean>} whether anything was built
 * @throws {Error} esbuild's, or a page that refers to a missing file
 */
export async function buildSite({ force = false } = {}) {
  const print = fingerprint();
  const fresh = existsSync(join(DIST, 'manifest.json')) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === print;
  if (fresh && !force) return false;
  const esbuild = await import('esbuild');
  const pages = readPages();
  const entries = [...new Set([...[...pages.values()].flatMap((page) => page.uses), ...renderedEntries()])];
  const files = [];
  let found = new Map();
  if (entries.length) {
    const built = await bundle(esbuild, entries);
    for (const file of built.outputFiles) files.push([relative(DIST, file.path), file.contents]);
    found = addresses(built.metafile);
  }
  for (const [name, page] of pages) files.push([`${name}.html`, renderPage(name, page, found)]);
  for (const path of filesUnder(inRoot('site', 'public'))) files.push([relative(inRoot('site', 'public'), path), readFileSync(path)]);
  files.push(['openapi.json', readFileSync(OPENAPI)]);
  if (existsSync(inRoot('site', '_headers'))) files.push(['_headers', readFileSync(inRoot('site', '_headers'))]);
  const widget = await buildWidget(esbuild);
  files.push(...widget.files);
  files.push(['manifest.json', `${JSON.stringify({ ...manifestOf(found), ...widget.names }, null, 2)}\n`]);
  writeAll(files);
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, print);
  return true;
}

if (isMain(import.meta)) {
  await main(async () => {
    const built = await buildSite({ force: process.argv.includes('--force') });
    console.log(built ? 'built the site' : 'site: nothing changed');
  });
}
