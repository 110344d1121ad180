// Finds or installs what the other tools need. npm packages came with boot.mjs; everything else
// goes into a cache outside the checkout. Says plainly what it could not get.
import './boot.mjs';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CACHE, Told, capture, inRoot, isMain, main, must, step, which } from './proc.mjs';

export const WASM_TARGET = 'wasm32-unknown-unknown';
const TOOLS = join(CACHE, 'tools');
const CARGO_DENY = '0.20.2';
const RAGE = '0.12.1';

/** The exact version a crate is pinned to in Cargo.toml; its tool must be the same one. */
function pinned(name) {
  const pin = new RegExp(`^${name} = "=([0-9.]+)"`, 'm');
  const found = pin.exec(readFileSync(inRoot('Cargo.toml'), 'utf8'));
  if (!found) throw new Told(`Cargo.toml does not pin ${name} exactly ("=x.y.z").`);
  return found[1];
}

const CARGO_TOOLS = {
  'worker-build': { binary: 'worker-build', version: () => pinned('worker'), source: withoutTls },
  'wasm-bindgen-cli': { binary: 'wasm-bindgen', version: () => pinned('wasm-bindgen') },
  rage: { binary: 'rage', version: () => RAGE },
  'cargo-deny': { binary: 'cargo-deny', version: () => CARGO_DENY },
};

// Each has a root of its own: cargo locks a root while it installs, and two are installed at once.
const rootOf = (crate) => join(TOOLS, 'installed', crate);

/** Where a tool from crates.io lives once installed. */
export const toolPath = (crate) => join(rootOf(crate), 'bin', CARGO_TOOLS[crate].binary);
export const toolVersion = (crate) => CARGO_TOOLS[crate].version();

/** cargo's own record of what it installed there. */
function installedVersion(crate) {
  const record = join(rootOf(crate), '.crates.toml');
  if (!existsSync(record) || !existsSync(toolPath(crate))) return undefined;
  const line = new RegExp(`^"${crate} ([^ ]+) `, 'm');
  return line.exec(readFileSync(record, 'utf8'))?.[1];
}

function needRust() {
  if (which('cargo') && which('rustc')) return;
  throw new Told('Rust is missing (no cargo on PATH). Install it from rustup.rs, then run this again.');
}

async function wasmTarget() {
  const libraries = await capture('rustc', ['--print', 'target-libdir', '--target', WASM_TARGET]);
  if (libraries.code === 0 && existsSync(libraries.out.trim())) return;
  const advice = `Without rustup, install your distribution's package for ${WASM_TARGET}.`;
  await step(`Rust target ${WASM_TARGET}`, (tell) =>
    must('rustup', ['target', 'add', WASM_TARGET], { tell, advice }),
  );
}

const APT = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
const canApt = () => process.getuid?.() === 0 && Boolean(which('apt-get'));
let aptIsFresh = false;

async function aptInstall(packages, tell) {
  if (!aptIsFresh) await must('apt-get', ['update'], { tell, ...APT });
  aptIsFresh = true;
  const args = ['install', '-y', '--no-install-recommends', ...packages];
  await must('apt-get', args, { tell, ...APT });
}

// Optimizing them would take longer than all they ever do for us; wasm-bindgen and cargo-deny, which
// do compute a little, get a little.
const quickBuild = (crate) => crate !== 'rage' && ({
  CARGO_PROFILE_RELEASE_OPT_LEVEL: crate === 'worker-build' ? '0' : '1',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_DEBUG: '0',
});

/** The published source of a crate, as cargo unpacks it. */
async function sourceOf(crate, version) {
  await must('cargo', ['info', `${crate}@${version}`], { cwd: TOOLS });
  const home = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  const registries = join(home, 'registry', 'src');
  const found = readdirSync(registries).map((name) => join(registries, name, `${crate}-${version}`));
  const source = found.find(existsSync);
  if (!source) throw new Told(`cargo did not unpack ${crate} ${version} below ${registries}.`);
  return source;
}

/**
 * worker-build downloads programs through OpenSSL, whose headers only root can install. Ours may
 * download nothing (build.mjs): with a TLS that has no cryptography it can't, and compiles anywhere.
 */
async function withoutTls(crate, version) {
  const copy = join(TOOLS, 'source', crate);
  rmSync(copy, { recursive: true, force: true });
  cpSync(await sourceOf(crate, version), copy, { recursive: true });
  const manifest = join(copy, 'Cargo.toml');
  const text = readFileSync(manifest, 'utf8');
  const ureq = /\[dependencies\.ureq\]\n[^[]*features = \[[^\]]*\]\n/;
  const asked = ureq.exec(text)?.[0];
  if (!asked) throw new Told(`${crate} ${version} asks for ureq in another way; see tools/setup.mjs.`);
  const plain = asked
    .replace('"native-tls"', '"rustls-no-provider"')
    .replace('features', 'default-features = false\nfeatures');
  writeFileSync(manifest, text.replace(asked, plain));
  return copy;
}

/** `cargo install` into the cache. A target directory per crate lets an interrupted one go on. */
function cargoInstall(crate, version, { source, locked, tell }) {
  const what = source ? ['--path', source] : [`${crate}@${version}`];
  const args = ['install', ...what, '--root', rootOf(crate), '--force'];
  args.push('--bin', CARGO_TOOLS[crate].binary, ...(locked ? ['--locked'] : []));
  const env = { ...process.env, ...quickBuild(crate), CARGO_TARGET_DIR: join(TOOLS, 'target', crate) };
  // Our own settings for wasm and the workspace have no business in a tool's build.
  delete env.RUSTFLAGS;
  return capture('cargo', args, { onLine: tell, env, cwd: TOOLS });
}

function notInstalled(crate, version, { out, signal, code }) {
  const end = signal ?? `exit ${code}`;
  return new Told(`${out.trim()}\n\nCould not install ${crate} ${version} (${end}).`);
}

async function install(crate, version, tell) {
  const source = await CARGO_TOOLS[crate].source?.(crate, version);
  if (source) {
    const changed = await cargoInstall(crate, version, { source, tell });
    if (changed.code !== 0) throw notInstalled(crate, version, changed);
    return;
  }
  const locked = await cargoInstall(crate, version, { locked: true, tell });
  if (locked.code === 0) return;
  // A registry may no longer offer a version that the tool's own lock file names.
  const loose = await cargoInstall(crate, version, { locked: false, tell });
  if (loose.code !== 0) throw notInstalled(crate, version, loose);
  console.log(`  (${crate} without its lock file, which this registry could not serve)`);
}

/** Compiles what is missing of these, side by side: each has stretches that keep one core busy. */
async function cargoTools(crates) {
  const missing = crates.filter((crate) => installedVersion(crate) !== toolVersion(crate));
  if (!missing.length) return;
  mkdirSync(TOOLS, { recursive: true });
  const names = missing.map((crate) => `${crate} ${toolVersion(crate)}`).join(', ');
  await step(`${names}, compiled once into the cache`, (tell) =>
    Promise.all(missing.map((crate) => install(crate, toolVersion(crate), tell))),
  );
  for (const crate of missing) rmSync(join(TOOLS, 'target', crate), { recursive: true, force: true });
}

/** A program for the tests only, from the distribution; its path. */
async function systemProgram(names, packages, purpose) {
  const find = () => names.map(which).find(Boolean);
  if (find()) return find();
  const what = packages.join(' ');
  if (!canApt()) {
    throw new Told(`${purpose} needs ${names[0]}. Install it (Debian: apt-get install ${what}).`);
  }
  await step(`${what} from the distribution`, (tell) => aptInstall(packages, tell));
  if (find()) return find();
  throw new Told(`${what} is installed, but no ${names.join(' or ')} is on PATH.`);
}

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
export const chromium = () => systemProgram(CHROMIUM, ['chromium'], 'The browser tests');
export const ffmpeg = () => systemProgram(['ffmpeg'], ['ffmpeg'], 'Making the test media');

/** What building and running the workers needs. */
export async function setUpBuild() {
  needRust();
  await wasmTarget();
  await cargoTools(['worker-build', 'wasm-bindgen-cli']);
}

/** What the tests need beyond that. */
export async function setUpTests() {
  await setUpBuild();
  return { chromium: await chromium(), ffmpeg: await ffmpeg() };
}

/** Peers of the native benches, compiled as their users have them. */
export async function setUpBenches() {
  await cargoTools(['rage']);
  return { age: await systemProgram(['age'], ['age'], 'The bench of the container'), rage: toolPath('rage') };
}

export const setUpDeny = () => cargoTools(['cargo-deny']);

if (isMain(import.meta)) {
  await main(async () => {
    await (process.argv.includes('--tests') ? setUpTests() : setUpBuild());
    if (process.argv.includes('--deny')) await setUpDeny();
    console.log('Everything needed is there.');
  });
}
