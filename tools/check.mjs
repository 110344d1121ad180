// Formatting, lints and packaging: `node tools/check.mjs [name…]`. Each check prints one line.
import './boot.mjs';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { esbuild } from './build.mjs';
import { Told, inRoot, isMain, main, must, step } from './proc.mjs';
import { WASM_TARGET, setUpDeny, toolPath } from './setup.mjs';
import { ORDER } from './deploy.mjs';
import { WORKERS } from './workers.mjs';

const node = (script, ...args) => (tell) =>
  must(process.execPath, [inRoot('tools', script), ...args], { tell });
const cargo = (...args) => (tell) => must('cargo', args, { tell });

/** A lock file made against somebody's own registry would send everyone there. */
async function locks() {
  const named = /"resolved"/.test(readFileSync(inRoot('package-lock.json'), 'utf8'));
  if (named) throw new Told('package-lock.json names a registry; run: npm install, then node tools/lock.mjs');
  const metadata = ['metadata', '--locked', '--format-version', '1', '--no-deps'];
  await must('cargo', metadata);
  await must('cargo', [...metadata, '--manifest-path', 'fuzz/Cargo.toml']);
}

/** Every script parses; nothing else would notice a slip in one that is seldom run. */
async function scripts() {
  const files = ['tools', 'e2e', 'benches'].flatMap((folder) => {
    const entries = existsSync(inRoot(folder)) ? readdirSync(inRoot(folder), { recursive: true }) : [];
    return entries.filter((name) => /\.m?js$/.test(name)).map((name) => join(folder, name));
  });
  const out = mkdtempSync(join(tmpdir(), 'satchel-scripts-'));
  try {
    await must(esbuild(), [...files, '--format=esm', '--log-level=warning', `--outdir=${out}`]);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function deny(tell) {
  await must(toolPath('cargo-deny'), ['--all-features', 'check', 'bans', 'licenses', 'sources'], { tell });
}

/** The fuzz targets are a workspace of their own. */
async function fmt() {
  await must('cargo', ['fmt', '--all', '--check']);
  await must('cargo', ['fmt', '--check', '--manifest-path', 'fuzz/Cargo.toml']);
}

const wasmCrates = WORKERS.flatMap((name) => ['-p', `satchel-${name}-worker`]);
const STRICT = ['--', '-D', 'warnings'];

const CHECKS = {
  locks,
  scripts,
  fmt,
  deny,
  clippy: cargo('clippy', '--workspace', '--all-targets', ...STRICT),
  'clippy-wasm': cargo('clippy', '--lib', '--target', WASM_TARGET, ...wasmCrates, ...STRICT),
  openapi: node('openapi.mjs', '--check'),
  sizes: node('sizes.mjs'),
  ...Object.fromEntries(ORDER.map((name) => [`deploy-${name}`, node('deploy.mjs', name, '--dry-run')])),
};
const PREPARATION = { deny: setUpDeny };
const EVERYDAY = ['locks', 'scripts', 'fmt', 'clippy', 'clippy-wasm'];

if (isMain(import.meta)) {
  await main(async () => {
    const given = process.argv.slice(2);
    const names = given.length ? given : EVERYDAY;
    for (const name of names) {
      if (!CHECKS[name]) throw new Told(`no check ${name}; there are: ${Object.keys(CHECKS).join(' ')}`);
      await PREPARATION[name]?.();
      await step(`check ${name}`, CHECKS[name]);
    }
  });
}
