// Development secrets: made on the first start, kept from then on, readable by their owner only.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const key = () => randomBytes(32).toString('base64url');
const versioned = () => `1:${key()}`;
const hex = (bytes) => () => randomBytes(bytes).toString('hex');

/**
 * Each secret, how a value of it is made, and the workers that hold it. A secret of two workers is
 * one value. OPERATOR_KEY is apart: it is a public key.
 */
const SECRETS = [
  { name: 'RECEIPT_KEYS', make: versioned, workers: ['purchase'] },
  { name: 'WRAPPING_KEYS', make: versioned, workers: ['purchase'] },
  { name: 'QUOTE_KEY', make: key, workers: ['purchase', 'ledger'] },
  { name: 'STREAM_WRAPPING_KEYS', make: versioned, workers: ['purchase', 'stream'] },
  { name: 'CAPABILITY_KEY', make: key, workers: ['stream'] },
  { name: 'HLS_KEY', make: key, workers: ['stream', 'hls'] },
  { name: 'HANDLE_KEY', make: key, workers: ['ledger'] },
  { name: 'S3_ACCESS_KEY_ID', make: hex(16), workers: ['upload'] },
  { name: 'S3_SECRET_ACCESS_KEY', make: hex(32), workers: ['upload'] },
];

/** The names of the secrets that must be set for a worker before it can serve. */
export function secretNames(worker) {
  const names = SECRETS.filter(({ workers }) => workers.includes(worker)).map(({ name }) => name);
  return worker === 'ledger' ? [...names, 'OPERATOR_KEY'] : names;
}

/** Writes a file that only its owner may read, also when it exists with other rights. */
export function writePrivate(path, text) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

/** KEY=value lines as an object; what we write ourselves needs no more than this. */
export function readVars(path) {
  if (!existsSync(path)) return {};
  const lines = readFileSync(path, 'utf8').matchAll(/^([A-Z0-9_]+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}

export const formatVars = (vars) =>
  Object.entries(vars).map(([name, value]) => `${name}="${value}"\n`).join('');

/** The operator's private seed (base64url, 32 bytes) kept in a file; gives the public key. */
export function operatorKey(path) {
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writePrivate(path, `${privateKey.export({ format: 'jwk' }).d}\n`);
  }
  const seed = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64url');
  // The fixed front of a PKCS #8 Ed25519 key; the seed follows it.
  const front = Buffer.from('302e020100300506032b657004220420', 'hex');
  const format = { format: 'der', type: 'pkcs8' };
  const secret = createPrivateKey({ key: Buffer.concat([front, seed]), ...format });
  return createPublicKey(secret).export({ format: 'jwk' }).x;
}

/** All workers' secrets: those found in `existing` (by worker) stay, missing ones are made. */
export function completeSecrets(existing, operatorPublicKey) {
  const all = {};
  for (const { name, make, workers } of SECRETS) {
    const kept = workers.map((worker) => existing[worker]?.[name]).find(Boolean);
    const value = kept ?? make();
    for (const worker of workers) (all[worker] ??= {})[name] = value;
  }
  all.ledger.OPERATOR_KEY = operatorPublicKey;
  return all;
}

export const varsFile = (dir, worker) => join(dir, 'dev', worker, '.dev.vars');
