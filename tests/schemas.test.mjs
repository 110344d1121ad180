// Every example in schemas/ passes its JSON Schema, every counterexample fails it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const Ajv = createRequire(import.meta.url)('ajv/dist/2020.js').default;
const schemas = new URL('../schemas/', import.meta.url);
const read = (path) => JSON.parse(readFileSync(new URL(path, schemas), 'utf8'));

for (const { name } of readdirSync(schemas, { withFileTypes: true }).filter((e) => e.isDirectory())) {
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(read(`${name}/schema.json`));
  for (const file of readdirSync(new URL(`${name}/examples`, schemas))) {
    test(`${name}/${file} is valid`, () => {
      assert.ok(validate(read(`${name}/examples/${file}`)), JSON.stringify(validate.errors));
    });
  }
  for (const file of readdirSync(new URL(`${name}/counterexamples`, schemas))) {
    test(`${name}/${file} is refused`, () => {
      assert.equal(validate(read(`${name}/counterexamples/${file}`)), false);
    });
  }
}
