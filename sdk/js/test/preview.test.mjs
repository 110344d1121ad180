import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { b64uDecode } from '../src/bytes.js';
import { previewType } from '../src/preview.js';

test('previews are what their first bytes say, in both implementations', () => {
  // shared/format/src/preview.rs reads the same cases.
  const cases = JSON.parse(readFileSync(new URL('../../../tests/previews/types.json', import.meta.url)));
  for (const { name, bytes, type } of cases) assert.equal(previewType(b64uDecode(bytes)), type, name);
  assert.ok(cases.length > 25);
});
