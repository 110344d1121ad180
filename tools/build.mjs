// Builds the site and the workers that changed: `node tools/build.mjs [name…]`.
// One cargo run compiles all of them; worker-build then packs each, and may download nothing.
import './boot.mjs';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Told, inRoot, isMain, main, must, step } from './proc.mjs';
import { WASM_TARGET, setUpBuild, toolPath, toolVersion } from './setup.mjs';
import { VECTORS, WORKERS, workerDir } from './workers.mjs';

const crateName = (name) => `satchel-${name}-worker`;
const buildDir = (name) => inRoot(workerDir(name), 'build');
const stamp = (name) => join(buildDir(name), '.fingerprint');
// Files the widget worker takes into itself while it is compiled.
const WIDGET_EXTRAS = ['site/dist/manifest.json', 'site/dist/widget.js', 'site/dist/batch.js', 'site/src/widget.js', 'site/src/batch.js'];
const OUTPUTS = ['index.js', 'index_bg.wasm'];

/** All files under a folder of the repository, sorted, without what a build puts there. */
function filesUnder(folder) {
  const skip = new Set(['build', 'target', 'node_modules', '.wrangler', '.dev.vars']);
  const found = [];
  const walk = (path) => {
    if (!existsSync(inRoot(path))) return;
    for (const entry of readdirSync(inRoot(path), { withFileTypes: true })) {
      if (skip.has(entry.name)) continue;
      const child = join(path, entry.name);
      if (entry.isDirectory()) walk(child);
      else found.push(child);
    }
  };
  walk(folder);
  return found.sort();
}

/** A hash of the names and contents of files; one that is missing counts as such. */
export function fingerprint(paths, more = []) {
  const hash = createHash('sha256');
  for (const text of more) hash.update(`${text}\0`);
  for (const path of paths) {
    hash.update(`${path}\0`);
    if (existsSync(inRoot(path))) hash.update(readFileSync(inRoot(path)));
    hash.update('\0');
  }
  return hash.digest('hex');
}

function packageVersion(name) {
  return JSON.parse(readFileSync(inRoot('node_modules', name, 'package.json'), 'utf8')).version;
}

const toolVersions = async () => [
  (await must('rustc', ['-vV'])).trim(),
  toolVersion('worker-build'),
  toolVersion('wasm-bindgen-cli'),
  packageVersion('binaryen'),
  packageVersion('esbuild'),
  WASM_OPT,
  fingerprint(['tools/wasm-opt.mjs', 'tools/wasm-ld.mjs']),
];

function fingerprintOf(name, shared, versions) {
  const extras = name === 'widget' ? WIDGET_EXTRAS : [];
  const paths = [...shared, ...filesUnder(workerDir(name)), ...extras];
  return fingerprint(paths.filter((path) => !path.endsWith('wrangler.toml')), versions);
}

function isStale(name, print) {
  const complete = OUTPUTS.every((file) => existsSync(join(buildDir(name), file)));
  return !complete || !existsSync(stamp(name)) || readFileSync(stamp(name), 'utf8') !== print;
}

// wasm-bindgen's macro reads this; worker-build sets it too, and a difference would compile twice.
const cargoEnv = () => ({
  ...process.env,
  WASM_BINDGEN_USE_JS_SYS: '1',
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: wasmLinker(),
});

// Always the whole set that was asked for: with another set cargo would unite other features of
// the dependencies, and compile those again.
const packageArgs = (names) => names.flatMap((name) => ['-p', crateName(name)]);

async function compile(names, stale) {
  const args = ['build', '--lib', '--release', '--target', WASM_TARGET, ...packageArgs(names)];
  await step(`compile to wasm: ${stale.join(', ')}`, (tell) =>
    must('cargo', args, { env: cargoEnv(), tell }),
  );
}

// What worker-build's fixed list leaves out, and what makes the result smaller once it is compressed:
// wasm-opt's own inlining costs 5 % (docs/adr/0008), "-Oz" more than "-Os", and a pass that does not know
// what the compiler was allowed to use does less. Low memory is unused: the stack lies there, and is full first.
const WASM_FEATURES = [
  'simd', 'bulk-memory', 'reference-types', 'sign-ext', 'mutable-globals', 'nontrapping-float-to-int', 'multivalue',
];
const WASM_OPT = [
  ...WASM_FEATURES.map((feature) => `--enable-${feature}`),
  '-Os', '--skip-pass=local-cse', '-ocimfs 0', '-aimfs 0', '-fimfs 0', '--strip-debug', '--low-memory-unused',
].join(' ');

/** Writes a program that runs one of our scripts, with this Node and with `words` first. */
function wrapped(name, words) {
  const wrapper = inRoot('target', 'satchel-tools', name);
  mkdirSync(dirname(wrapper), { recursive: true });
  const script = `#!/bin/sh
exec "${process.execPath}" ${words.map((word) => `"${word}"`).join(' ')} "$@"
`;
  // Another build may be running it just now.
  if (existsSync(wrapper) && readFileSync(wrapper, 'utf8') === script) return wrapper;
  writeFileSync(wrapper, script, { mode: 0o755 });
  return wrapper;
}

function wasmOpt() {
  const real = inRoot('node_modules', 'binaryen', 'bin', 'wasm-opt');
  return wrapped('wasm-opt', [inRoot('tools', 'wasm-opt.mjs'), real, WASM_OPT]);
}

const wasmLinker = () => wrapped('wasm-ld', [inRoot('tools', 'wasm-ld.mjs')]);

/** The esbuild program itself, not the script before it. */
export function esbuild() {
  const folder = `${process.platform}-${process.arch}`;
  return inRoot('node_modules', '@esbuild', folder, 'bin', 'esbuild');
}

/** Fails if worker-build fetched a program of its own: it would be one nobody pinned or checked. */
function forbidDownloads(name, output, cache) {
  const fetched = existsSync(cache) && readdirSync(cache, { recursive: true }).length > 1;
  if (!fetched && !/Downloading/.test(output)) return;
  throw new Told(`worker-build downloaded a program while building ${name}:\n${output}`);
}

async function pack(name, opt, together) {
  const cache = inRoot('target', 'satchel-tools', 'downloads', name);
  rmSync(cache, { recursive: true, force: true });
  const env = {
    ...cargoEnv(),
    WASM_BINDGEN_BIN: toolPath('wasm-bindgen-cli'),
    WASM_OPT_BIN: opt,
    ESBUILD_BIN: esbuild(),
    // A private cache shows a download; cargo has all it needs from the run before.
    XDG_CACHE_HOME: cache,
    CARGO_NET_OFFLINE: 'true',
    NO_COLOR: '1',
  };
  const args = [workerDir(name), '--release', ...packageArgs(together)];
  const output = await must(toolPath('worker-build'), args, { env });
  forbidDownloads(name, output, cache);
}

/** Most of a pack is wasm-opt, on one core: as many at once as there are cores. */
async function packEach(names, prints, together) {
  const opt = wasmOpt();
  const waiting = [...names];
  await step(`pack ${names.join(', ')}`, async (tell) => {
    const packer = async () => {
      for (let name = waiting.shift(); name; name = waiting.shift()) {
        tell(name);
        await pack(name, opt, together);
        writeFileSync(stamp(name), prints.get(name));
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, packer));
  });
}

async function buildTheSite() {
  if (!existsSync(inRoot('tools', 'site.mjs'))) return;
  const { buildSite } = await import('./site.mjs');
  await buildSite();
}

/** Builds what changed among `names`; gives the names that were built. */
export async function build(names = WORKERS) {
  const unknown = names.filter((name) => name !== VECTORS && !WORKERS.includes(name));
  if (unknown.length) throw new Told(`no worker ${unknown.join(', ')}; there are: ${WORKERS.join(' ')}`);
  await buildTheSite();
  const shared = ['Cargo.toml', 'Cargo.lock', '.cargo/config.toml', ...filesUnder('shared')];
  const versions = await toolVersions();
  const prints = new Map(names.map((name) => [name, fingerprintOf(name, shared, versions)]));
  const stale = names.filter((name) => isStale(name, prints.get(name)));
  if (!stale.length) return [];
  await compile(names, stale);
  // cargo may have written Cargo.lock just now.
  for (const name of stale) prints.set(name, fingerprintOf(name, shared, versions));
  await packEach(stale, prints, names);
  return stale;
}

if (isMain(import.meta)) {
  await main(async () => {
    await setUpBuild();
    const names = process.argv.slice(2);
    const built = await build(names.length ? names : WORKERS);
    console.log(built.length ? `built ${built.join(', ')}` : 'workers: nothing changed');
  });
}
