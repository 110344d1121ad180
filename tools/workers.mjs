// The workers, and what their wrangler.toml files say: the one list that every tool reads.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { inRoot } from './proc.mjs';

/** The gateway first: under `wrangler dev` only the first one is given HTTP. */
export const WORKERS = ['gateway', 'upload', 'files', 'widget', 'purchase', 'stream', 'hls', 'ledger'];

/** Built for tests only, never deployed: the format's readers in WebAssembly. */
export const VECTORS = 'vectors';

/** The folder of a worker's crate, relative to the repository; what is built lands in its `build`. */
export const workerDir = (name) => (name === VECTORS ? 'tests/wasm' : `workers/${name}`);

/** A worker's configuration file, relative to the repository. */
export const configPath = (name) =>
  name === 'gateway' ? 'wrangler.toml' : `workers/${name}/wrangler.toml`;

// Loaded when first asked for: a fresh clone has no packages until boot.mjs has run.
const toml = () => createRequire(import.meta.url)('smol-toml');
export const parseToml = (text) => toml().parse(text);
export const writeToml = (value) => toml().stringify(value);

/** A worker's configuration as an object. */
export const readConfig = (name) => parseToml(readFileSync(inRoot(configPath(name)), 'utf8'));
