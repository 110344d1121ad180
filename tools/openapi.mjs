// schemas/openapi.json from schemas/routes.mjs, the documents of schemas/ and the error codes of shared/wire.
//   node tools/openapi.mjs            writes it
//   node tools/openapi.mjs --check    fails if it is not up to date, or breaks what was released
//   node tools/openapi.mjs --release  what is written now is what later changes may not break
import './boot.mjs';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { ROUTES } from '../schemas/routes.mjs';

const ROOT = new URL('../', import.meta.url);
const FILE = new URL('schemas/openapi.json', ROOT);
const RELEASED = new URL('schemas/released.json', ROOT);
const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');

/** `Variant = "code", status, "title"` of shared/wire/src/error.rs, the only list of codes. */
export function errorCodes() {
  const rows = read('shared/wire/src/error.rs').matchAll(/^ {4}\w+ = "(\w+)", (\d{3}), "([^"]*)"/gm);
  return new Map([...rows].map(([, code, status, title]) => [code, { status: Number(status), title }]));
}

/** A document's schema as a component: what stands around it in its own file goes. */
function component(name) {
  const { $schema, $id, ...schema } = JSON.parse(read(`schemas/${name}/schema.json`));
  return schema;
}

const SECURITY = {
  proof: [{ dpop: [] }],
  receipt: [{ dpop: [], token: [] }],
  capability: [{ dpop: [], token: [] }],
};

function operation({ path, tag, summary, security, parameters, body, answers, errors, paid, method }, codes) {
  const responses = {};
  for (const [status, schema] of Object.entries(answers)) {
    const other = ['text/csv', 'application/xml'].find((type) => schema[type]);
    const content = other ? { [other]: { schema: schema[other] } } : { 'application/json': { schema } };
    responses[status] = { description: status === '202' ? 'Not decided yet: send the same again' : 'Done', ...(status !== '204' && { content }) };
  }
  const byStatus = Map.groupBy(errors, (code) => {
    if (!codes.has(code)) throw new Error(`${method} ${path}: no such code: ${code}`);
    return codes.get(code).status;
  });
  for (const [status, these] of [...byStatus].sort(([a], [b]) => a - b)) {
    responses[status] = {
      description: these.map((code) => `\`${code}\`: ${codes.get(code).title}`).join(' '),
      ...(paid && status === 402 && { headers: Object.fromEntries(['PAYMENT-REQUIRED', 'WWW-Authenticate', 'crawler-price'].map((name) => [name, { schema: { type: 'string' } }])) }),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/problem' } } },
    };
  }
  return {
    tags: [tag], summary, operationId: `${method} ${path}`.replace(/[^a-z]+/gi, '_').replace(/_$/, ''),
    ...(security && { security: SECURITY[security] }),
    ...(parameters && { parameters }),
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    ...(paid && { 'x-payment-info': { offers: [{ intent: 'charge', method: 'satchel', amount: null, currency: 'msat', description: 'the price of the work' }] } }),
    responses,
  };
}

export function openapi() {
  const codes = errorCodes();
  const names = readdirSync(new URL('schemas', ROOT), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
  const paths = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method] = operation(route, codes);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Satchel', version: JSON.parse(read('package.json')).version, license: { name: 'MIT OR Apache-2.0', identifier: 'MIT OR Apache-2.0' },
      description: 'Files that carry their own price tag: sell, buy, open and stream satchels. Documents are compact JWS (docs/API.md §2); every error is RFC 9457 with a stable `code`.',
    },
    'x-service-info': { name: 'Satchel', categories: ['media'], docs: { apiReference: '/v1/openapi.json', llms: '/llms.txt' } },
    servers: [{ url: '/' }],
    tags: ['issuer', 'works', 'shop', 'buying', 'streaming', 'accounts', 'operator'].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        dpop: { type: 'apiKey', in: 'header', name: 'DPoP', description: 'Proof of possession (RFC 9449), EdDSA, for this method and path' },
        token: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`DPoP TOKEN`: a receipt, or a session’s capability' },
      },
      schemas: Object.fromEntries(names.map((name) => [name, component(name)])),
    },
  };
}

/** Follows `$ref`s within a document. */
function resolved(document, schema) {
  const name = schema?.$ref?.split('/').at(-1);
  return name ? document.components.schemas[name] : schema;
}

const types = (schema) => [schema.type ?? []].flat();

/**
 * How `now` breaks whoever was written for `before`. `input`: what clients send may only grow laxer; else what they get
 * may only grow stricter, and no member they could rely on goes away.
 */
function broken(before, now, at, input, [old, young], found) {
  const [was, is] = [resolved(old, before), resolved(young, now)];
  if (!was || !is) return;
  const [from, to] = input ? [was, is] : [is, was];
  // What `from` gives has to be allowed by `to`.
  if (from.enum && to.enum) for (const value of from.enum) if (!to.enum.includes(value)) found.push(`${at}: ${JSON.stringify(value)} ${input ? 'is no longer taken' : 'is new'}`);
  for (const type of types(from)) if (types(to).length && !types(to).includes(type)) found.push(`${at}: ${type}`);
  for (const [name, member] of Object.entries(was.properties ?? {})) {
    if (!is.properties?.[name]) {
      found.push(`${at}.${name} is gone`);
      continue;
    }
    broken(member, is.properties[name], `${at}.${name}`, input, [old, young], found);
    if (!input && was.required?.includes(name) && !is.required?.includes(name)) found.push(`${at}.${name} may be missing now`);
  }
  if (input) for (const name of is.required ?? []) if (!was.required?.includes(name)) found.push(`${at}.${name} is required now`);
  if (was.items && is.items) broken(was.items, is.items, `${at}[]`, input, [old, young], found);
}

/** @returns {string[]} what a client of `before` would trip over */
export function breaks(before, now) {
  const found = [];
  for (const [path, operations] of Object.entries(before.paths)) {
    for (const [method, was] of Object.entries(operations)) {
      const is = now.paths[path]?.[method];
      const at = `${method.toUpperCase()} ${path}`;
      if (!is) {
        found.push(`${at} is gone`);
        continue;
      }
      const bodyOf = (operation) => operation.requestBody?.content['application/json'].schema;
      if (!bodyOf(was) && bodyOf(is)) found.push(`${at} needs a body now`);
      broken(bodyOf(was), bodyOf(is), `${at} body`, true, [before, now], found);
      for (const parameter of is.parameters ?? []) {
        const known = was.parameters?.some(({ name, in: place }) => name === parameter.name && place === parameter.in);
        if (!known && parameter.required) found.push(`${at} needs ${parameter.name} now`);
      }
      for (const parameter of was.parameters ?? []) {
        if (!is.parameters?.some(({ name, in: place }) => name === parameter.name && place === parameter.in)) found.push(`${at} no longer takes ${parameter.name}`);
      }
      if (JSON.stringify(was.security) !== JSON.stringify(is.security) && is.security) found.push(`${at} needs another proof`);
      for (const status of Object.keys(was.responses).filter((s) => s < 300)) {
        if (!is.responses[status]) {
          found.push(`${at} no longer answers ${status}`);
          continue;
        }
        for (const [type, { schema }] of Object.entries(was.responses[status].content ?? {})) {
          broken(schema, is.responses[status].content?.[type]?.schema, `${at} ${status}`, false, [before, now], found);
        }
      }
    }
  }
  return found;
}

export const written = () => `${JSON.stringify(openapi(), null, 1)}\n`;

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [flag] = process.argv.slice(2);
  const text = written();
  if (flag === '--check') {
    if (!existsSync(FILE) || readFileSync(FILE, 'utf8') !== text) {
      console.error('schemas/openapi.json is not what the routes and schemas say: run `node tools/openapi.mjs`');
      process.exit(1);
    }
    const found = breaks(JSON.parse(readFileSync(RELEASED, 'utf8')), JSON.parse(text));
    if (found.length) {
      console.error(`the API would break what was released:\n  ${found.join('\n  ')}`);
      process.exit(1);
    }
    console.log(`openapi.json: ${ROUTES.length} operations, nothing released is broken`);
  } else {
    writeFileSync(FILE, text);
    if (flag === '--release') writeFileSync(RELEASED, text);
  }
}
