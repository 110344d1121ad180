// The same files through both implementations: tests/vectors holds satchels the Rust writer made, whole
// and damaged. The reverse, packed here and opened there, is cli/tests/sdk.rs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { b64uDecode, b64uEncode, concat } from '../src/bytes.js';
import { SatchelError } from '../src/errors.js';
import * as format from '../src/format.js';

const folder = new URL('../../../tests/vectors/', import.meta.url);
const names = readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
const sha = (bytes) => createHash('sha256').update(bytes).digest('base64url');

function load(name) {
  const bytes = new Uint8Array(readFileSync(new URL(`${name}.satchel`, folder)));
  return { bytes, read: async (from, to) => bytes.slice(from, to), ...JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) };
}

/** Everything a reader of whole files does. */
async function openWhole({ bytes, read, content_key }) {
  const satchel = await format.openHeader(read, { size: bytes.length });
  await satchel.readPreview(read);
  const parts = [];
  for await (const part of satchel.openAll(read, b64uDecode(content_key, 32))) parts.push(part);
  return { satchel, plain: concat(...parts) };
}

test('there are vectors, whole and damaged', () => {
  const expected = names.map((name) => load(name).expect);
  assert.ok(expected.filter((expect) => expect === 'opens').length >= 8);
  assert.ok(expected.filter((expect) => expect !== 'opens').length >= 40);
});

for (const name of names) {
  const vector = load(name);
  test(`${name}: ${vector.comment}`, async () => {
    if (vector.expect !== 'opens') {
      await assert.rejects(openWhole(vector), (error) => {
        assert.ok(error instanceof SatchelError, `a plain ${error?.name}: ${error?.message}`);
        return true;
      });
      return;
    }
    const { satchel, plain } = await openWhole(vector);
    assert.equal(sha(plain), vector.plaintext_sha256);
    assert.equal(satchel.digest, vector.manifest_digest);
    const keyOf = await satchel.unlock(b64uDecode(vector.content_key, 32));
    for (const [window, key] of vector.window_keys.entries()) assert.equal(b64uEncode(await keyOf(window)), key);
  });
}

test('the satchel this writer makes of the same input is the Rust writer’s, but for the signed text', async () => {
  // JSON members may stand in another order, so the tokens differ; layout and table may not.
  const vector = load('preview');
  const { satchel, plain } = await openWhole(vector);
  const { manifest, segments } = satchel;
  const body = new Uint8Array(manifest.body_size);
  const first = satchel.segmentRange(0).from;
  const salt = (i) => vector.bytes.slice(satchel.segmentRange(i).from, satchel.segmentRange(i).from + 24);
  const made = await format.packBody({ work: manifest.work, contentKey: b64uDecode(vector.content_key, 32), segments, source: format.bytesSource(plain), salt, write: (at, bytes) => body.set(bytes, at) });
  assert.deepEqual(body, vector.bytes.slice(first));
  const packed = format.withLeaves(segments.map(({ leaf, ...plan }) => plan), made.leaves);
  assert.equal(b64uEncode(await format.merkleRoot(packed)), manifest.merkle_root);
  const table = format.encodeTable(packed);
  assert.equal(sha(table), manifest.table_digest);
  assert.equal(await format.manifestDigest(satchel.jws), vector.manifest_digest);
});
