// The described API against the running one, by programs of others: schemathesis makes requests from openapi.json, PyJWT verifies a receipt.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { breaks, openapi } from '../tools/openapi.mjs';
import { buy, fund, newWallet, noise, publish } from './lib/actors.mjs';
import { pythonWith } from './lib/python.mjs';
import { openStack } from './lib/stack.mjs';

const run = promisify(execFile);
const SOAK = Boolean(process.env.SATCHEL_SOAK);
const EXAMPLES = SOAK ? 200 : 8;

const stack = await openStack({ name: 'openapi' });
const { origin: issuer, client } = stack;
const creator = await newWallet(client);
const song = await publish(creator, { bytes: noise(20_000), usd_micros: 100_000 });
const buyer = await newWallet(client);
await fund(buyer, 1_000_000);
const { receipt } = await buy(buyer, song).then((bought) => bought.answer ?? bought);

test('the description is served as it is in the repository, to any page', async () => {
  for (const path of ['/v1/openapi.json', '/openapi.json']) {
    const answer = await fetch(issuer + path);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.deepEqual(await answer.json(), openapi());
  }
  const llms = await fetch(`${issuer}/llms.txt`);
  assert.match(llms.headers.get('content-type'), /^text\/plain/);
  const links = [...(await llms.text()).matchAll(/\]\((\/[^)]+)\)/g)].map(([, path]) => path);
  assert.ok(links.length >= 3);
  for (const path of links) assert.equal((await fetch(issuer + path)).status, 200, path);
});

test('what would break a client is found, and what would not is let through', () => {
  const before = openapi();
  const changed = (change) => {
    const now = structuredClone(before);
    change(now);
    return breaks(before, now);
  };
  assert.deepEqual(changed(() => {}), []);
  const quote = (document) => document.paths['/v1/quotes'].post;
  const body = (document) => quote(document).requestBody.content['application/json'].schema;
  assert.match(changed((now) => delete now.paths['/v1/quotes'])[0], /is gone/);
  assert.match(changed((now) => { body(now).properties.coupon = {}; body(now).required.push('coupon'); })[0], /coupon is required now/);
  assert.match(changed((now) => delete now.components.schemas.quote.properties.msat)[0], /msat is gone/);
  assert.match(changed((now) => { now.components.schemas.record.properties.state.enum.push('lent'); })[0], /"lent" is new/);
  assert.match(changed((now) => { quote(now).security = [{ dpop: [] }]; })[0], /another proof/);
  assert.deepEqual(changed((now) => { body(now).properties.coupon = {}; now.components.schemas.quote.properties.note = {}; now.paths['/v1/new'] = {}; }), []);
});

test('schemathesis finds no server error and no undocumented answer', async (t) => {
  const python = await pythonWith('schemathesis', ['schemathesis==4.32.5']);
  if (python.missing) return t.skip(python.missing);
  // Real names, so that requests come further than "unknown".
  const document = openapi();
  const known = { work: song.work, account: buyer.account };
  for (const operations of Object.values(document.paths)) {
    for (const { parameters } of Object.values(operations)) for (const p of parameters ?? []) if (known[p.name]) p.example = known[p.name];
  }
  const file = join(stack.dir, 'openapi.json');
  writeFileSync(file, JSON.stringify(document));
  const checks = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method';
  const args = ['run', file, '--url', issuer, '--checks', checks, '--phases', 'examples,coverage,fuzzing', '-n', EXAMPLES, '--seed', 1, '--request-timeout', 60, '--workers', 1];
  const { stdout, code } = await run(python.bin('schemathesis'), args.map(String), { cwd: stack.dir, maxBuffer: 1 << 26 }).catch((error) => error);
  const summary = stdout.slice(stdout.lastIndexOf('SUMMARY') - 10).trim();
  assert.equal(code ?? 0, 0, stdout.slice(-12_000));
  t.diagnostic(summary.split('\n').filter((line) => /tested|generated|passed|Seed/i.test(line)).map((line) => line.trim()).join(' · '));
});

test('PyJWT verifies a receipt with the published keys, and refuses it altered', async (t) => {
  const python = await pythonWith('pyjwt', ['pyjwt[crypto]==2.15.1']);
  if (python.missing) return t.skip(python.missing);
  const program = `
import json, sys, jwt
jwks, receipt, issuer = sys.argv[1:]
key = jwt.PyJWKSet.from_dict(json.loads(jwks))[jwt.get_unverified_header(receipt)["kid"]]
claims = jwt.decode(receipt, key.key, algorithms=["EdDSA"], audience=issuer, issuer=issuer)
head, body, mark = receipt.split(".")
try:
    jwt.decode(".".join([head, body[:-2] + ("AA" if body[-2:] != "AA" else "BB"), mark]), key.key, algorithms=["EdDSA"], audience=issuer)
    sys.exit("an altered receipt was believed")
except jwt.InvalidTokenError:
    print(json.dumps(claims))
`;
  const { stdout } = await run(python.bin('python'), ['-c', program, JSON.stringify(await client.jwks()), receipt, issuer]);
  assert.equal(JSON.parse(stdout).work, song.work);
});

test('every error code is documented once, with its status', () => {
  const table = readFileSync(new URL('../docs/API.md', import.meta.url), 'utf8');
  for (const operations of Object.values(openapi().paths)) {
    for (const { responses } of Object.values(operations)) {
      for (const { description, content } of Object.values(responses)) {
        if (!content?.['application/problem+json']) continue;
        for (const [, code] of description.matchAll(/`(\w+)`/g)) assert.ok(table.includes(`\`${code}\``), code);
      }
    }
  }
});
