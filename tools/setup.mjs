// Finds or installs what the other tools need. npm packages came with boot.mjs; everything else
// goes into a cache outside the checkout. Says plainly what it could not get.
import './boot.mjs';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, Told, capture, inRoot, isMain, main, must, step, which } from './proc.mjs';

export const WASM_TARGET = 'wasm32-unknown-unknown';
const TOOLS = join(CACHE, 'tools');
const CARGO_DENY = '0.20.2';

/** The exact version a crate is pinned to in Cargo.toml; its tool must be the same one. */
function pinned(name) {
  const pin = new RegExp(`^${name} = "=([0-9.]+)"`, 'm');
  const found = pin.exec(readFileSync(inRoot('Cargo.toml'), 'utf8'));
  if (!found) throw new Told(`Cargo.toml does not pin ${name} exactly ("=x.y.z").`);
  return found[1];
}

const CARGO_TOOLS = {
  'worker-build': { binary: 'worker-build', version: () => pinned('worker'), openssl: true },
  'wasm-bindgen-cli': { binary: 'wasm-bindgen', version: () => pinned('wasm-bindgen') },
  'cargo-deny': { binary: 'cargo-deny', version: () => CARGO_DENY },
};

/** Where a tool from crates.io lives once installed. */
export const toolPath = (crate) => join(TOOLS, 'bin', CARGO_TOOLS[crate].binary);
export const toolVersion = (crate) => CARGO_TOOLS[crate].version();

/** cargo's own record of what it installed there. */
function installedVersion(crate) {
  const record = join(TOOLS, '.crates.toml');
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

// worker-build is linked with OpenSSL for downloads that build.mjs forbids; its headers are needed all the same.
async function opensslHeaders() {
  if (process.platform !== 'linux') return;
  if ((await capture('pkg-config', ['--exists', 'openssl'])).code === 0) return;
  const packages = ['libssl-dev', 'pkg-config'];
  if (!canApt()) {
    const how = `Install them (Debian: apt-get install ${packages.join(' ')}), then run this again.`;
    throw new Told(`worker-build needs OpenSSL's headers and pkg-config to compile. ${how}`);
  }
  await step('OpenSSL headers', (tell) => aptInstall(packages, tell));
}

// Optimizing them would take longer than all they ever do for us; wasm-bindgen and cargo-deny, which
// do compute a little, get a little.
const quickBuild = (crate) => ({
  CARGO_PROFILE_RELEASE_OPT_LEVEL: crate === 'worker-build' ? '0' : '1',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_DEBUG: '0',
});

/** `cargo install` into the cache. A target directory per crate lets an interrupted one go on. */
function cargoInstall(crate, version, { locked, tell }) {
  const args = ['install', `${crate}@${version}`, '--root', TOOLS, '--force'];
  args.push('--bin', CARGO_TOOLS[crate].binary, ...(locked ? ['--locked'] : []));
  const env = { ...process.env, ...quickBuild(crate), CARGO_TARGET_DIR: join(TOOLS, 'target', crate) };
  // Our own settings for wasm and the workspace have no business in a tool's build.
  delete env.RUSTFLAGS;
  return capture('cargo', args, { onLine: tell, env, cwd: TOOLS });
}

async function cargoTool(crate) {
  const version = toolVersion(crate);
  if (installedVersion(crate) === version) return;
  if (CARGO_TOOLS[crate].openssl) await opensslHeaders();
  await step(`${crate} ${version}, compiled once into the cache`, async (tell) => {
    mkdirSync(TOOLS, { recursive: true });
    const locked = await cargoInstall(crate, version, { locked: true, tell });
    if (locked.code === 0) return { note: 'from its lock file' };
    // A registry may no longer offer a version that the tool's own lock file names.
    const loose = await cargoInstall(crate, version, { locked: false, tell });
    if (loose.code === 0) return { note: 'without its lock file, which this registry could not serve' };
    const end = loose.signal ?? `exit ${loose.code}`;
    throw new Told(`${loose.out.trim()}\n\nCould not install ${crate} ${version} (${end}).`);
  });
  rmSync(join(TOOLS, 'target', crate), { recursive: true, force: true });
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
  await cargoTool('worker-build');
  await cargoTool('wasm-bindgen-cli');
}

/** What the tests need beyond that. */
export async function setUpTests() {
  await setUpBuild();
  return { chromium: await chromium(), ffmpeg: await ffmpeg() };
}

export const setUpDeny = () => cargoTool('cargo-deny');

if (isMain(import.meta)) {
  await main(async () => {
    await (process.argv.includes('--tests') ? setUpTests() : setUpBuild());
    if (process.argv.includes('--deny')) await setUpDeny();
    console.log('Everything needed is there.');
  });
}
