// The format's vectors through the WebAssembly build, on the runtime that serves workers: `tests/wasm` is
// shared/format and shared/crypto compiled as for a worker. And what must not be in a worker's.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, inRoot } from '../tools/proc.mjs';
import { VECTORS, WORKERS, workerDir } from '../tools/workers.mjs';
import { openStack } from './lib/stack.mjs';

const PATIENCE = { timeout: 120_000 };
const FOLDER = inRoot('tests', 'vectors');
// Of the published set; that many were read when this was written.
const COBBLESTONE_VECTORS = 35;
/** What every Cobblestone key is derived with: whoever seals or opens a message has it among its constants. */
const LABEL = 'c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM';

const built = (name, file) => inRoot(workerDir(name), 'build', file);
const port = await freePort();
const modules = ['index.js', 'index_bg.wasm'].map((file) => built(VECTORS, file));
await openStack({ name: 'vectors', runtime: 'workerd', extra: [{ name: VECTORS, modules, port }] });

async function ask(path, headers, body) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text);
}

const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
const told = (name) => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));

test('every vector of the format is read in WebAssembly as natively', PATIENCE, async (t) => {
  const count = { opens: 0, refused: 0 };
  for (const name of names) {
    const { comment, content_key, ...expected } = told(name);
    const file = readFileSync(join(FOLDER, `${name}.satchel`));
    assert.deepEqual(await ask('/open', { 'content-key': content_key }, file), expected, `${name}: ${comment}`);
    count[expected.expect === 'opens' ? 'opens' : 'refused'] += 1;
  }
  t.diagnostic(`shared/format in workerd: ${count.opens} open, ${count.refused} are refused by their fault`);
  assert.ok(count.opens >= 8 && count.refused >= 60, 'vectors are missing');
});

test('every Cobblestone-256 vector of Wycheproof agrees in WebAssembly', PATIENCE, async (t) => {
  const { count, disagreements } = await ask('/cobblestone');
  t.diagnostic(`shared/crypto in workerd: ${count - disagreements.length} of ${count} agree`);
  assert.deepEqual(disagreements, []);
  assert.equal(count, COBBLESTONE_VECTORS);
});

// docs/adr/0003: AES of more than 4 KiB is WebCrypto's. A worker's wasm reaches AES in two ways only, by
// shared/crypto (tests/tidy holds it to that): `wrap`, which takes one key by its type, and Cobblestone. A
// constant that it can't do without tells whether the latter was linked: whichever crate calls it, and by
// whatever name. A feature that forbids it would be united with what this file's own worker needs.
test('no worker has bulk AES in its wasm', () => {
  const holds = (name) => readFileSync(built(name, 'index_bg.wasm')).includes(LABEL);
  assert.ok(holds(VECTORS), 'the constant is not found where it is sure to be');
  assert.deepEqual(WORKERS.filter(holds), []);
});
