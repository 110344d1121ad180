// What an attacker would send: hostile values for every place of a request.
import { by, forge, takeApart } from './forge.mjs';

const LONG = 'a'.repeat(7_000);

/** As they stand in a path, percent-encoded or not; none has a byte that HTTP forbids there. */
export const SEGMENTS = [
  '', '.', '..', '...', '%2e', '%2e%2e', '%2E%2E', '.%2e', '..%2f..%2f', '%2f', '%5c', '%5c..%5c', '%00', 'x%00',
  '%0d%0aSet-Cookie:x=y', '%', '%z', '%zz', '%e0%a4%a',
  '%ff%fe', '%c0%af', '%c0%ae%c0%ae', ';', ';x=1', 'x;y', '*', '~', '-', '_', '0', '-1', '-0', '+1', '1.0', '1e9',
  '1e999', '0x10', '00', '01', 'NaN', 'Infinity', '2147483648',
  '4294967295', '4294967296', '9007199254740993', '18446744073709551616', '9'.repeat(400), 'null', 'undefined', 'true',
  '[object%20Object]', '__proto__', 'constructor',
  'wrk_', 'ord_', 'upl_', 'ses_', 'pur_', 'fnd_', `wrk_${'a'.repeat(51)}`, `wrk_${'a'.repeat(53)}`,
  `wrk_${'z'.repeat(52)}`, `wrk_${'A'.repeat(52)}`, `wrk_${'1'.repeat(52)}`,
  `ord_${'a'.repeat(32)}`, `ses_${'7'.repeat(32)}`, `upl_${'q'.repeat(32)}`, 'A'.repeat(43), 'A'.repeat(42),
  `${'A'.repeat(42)}B`, '-'.repeat(43), LONG, '%F0%9F%92%A9', '%E2%80%AE',
  '%EF%BB%BF', '%D9%A1', '"%22', "'", '%27%20OR%201=1--', '<script>', '%3Cscript%3E', '${7*7}', '{{7*7}}',
  '%24%7Bjndi:ldap://x%7D', 'internal', 'works', '1.satchel', '..satchel', '1.satchel%00.html',
  'jwks.json', '@', ':', '!', '$&', "()'", ',', '=', '&', '|', '^', '`',
];

/** JSON texts in the place of a value. */
export const VALUES = [
  'null', 'true', 'false', '0', '-0', '-1', '1', '0.1', '1.0', '1e3', '1E3', '1e-7', '1e308', '1e999', '-1e999', 'NaN',
  'Infinity', '-Infinity', '01', '+1', '0x1', '.5', '5.', '1_000',
  '2147483648', '4294967296', '9007199254740991', '9007199254740992', '9007199254740993', '18446744073709551615',
  '18446744073709551616', '9'.repeat(400), `0.${'1'.repeat(400)}`,
  '""', '" "', '"x"', '"0"', '"-1"', '"1e3"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\uffff"', '"\\u202e"',
  '"\u2028"', '"💩"', '"\\x"', "'x'", `"${LONG}"`, '"\\n\\r\\t"',
  '[]', '[[]]', '[null]', '[1,2]', '{}', '{"":{}}', '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{}}}',
  '[[[[[[[[[[1]]]]]]]]]]', `${'['.repeat(200)}${']'.repeat(200)}`,
  `${'{"a":'.repeat(150)}1${'}'.repeat(150)}`, '{"a":1,"a":2}', '"../../etc/passwd"', '"http://127.0.0.1:1/"',
  '"<script>alert(1)</script>"', "\"'; DROP TABLE account; --\"", '"%00"', '"wrk_"', '"ord_"',
];

/** Whole bodies that are no document of ours. */
export const BODIES = [
  '', ' ', '\n', '\0', '{', '}', '[', ']', '{}{}', '{},', '{]', '{"a"}', '{"a":}', '{a:1}', "{'a':1}", '{"a":1,}',
  '// x\n{}', '/**/{}', '\uFEFF{}', '\uFEFF', 'null', 'true', '0', '-0', '1e999', 'NaN',
  '"', '"\\', '"\\u', '"\\ud800"', '[]', '[{}]', '{"__proto__":1}', '{"":""}', '{"\\u0000":1}', '<xml/>', 'a=b&c=d',
  '--x\r\n\r\n', '{"command":"', '{"order":', '['.repeat(10_000), '{"a":'.repeat(10_000),
  `[${'1,'.repeat(20_000)}1]`, `{"a":"${'\\u0041'.repeat(9_000)}"}`, `"${'x'.repeat(70_000)}"`, ' '.repeat(65_536),
  ' '.repeat(65_537), '{"work":"wrk_","work":"wrk_"}', '\u00ff\u00fe',
];

export const TYPES = [
  'application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;',
  'application/json; charset=utf-16', 'application/problem+json', 'text/json', 'text/plain', 'text/html',
  'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/octet-stream',
  'application/json, text/plain', '*/*', ';', '', 'x', 'application/json\u00e9', 'application/vnd.satchel',
  'a'.repeat(3_000),
];

export const METHODS = [
  'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE',
  'PROPFIND', 'PURGE', 'MKCOL', 'SEARCH', 'LOCK', 'COPY', 'REPORT',
];

export const RANGES = [
  'bytes=0-0', 'bytes=0-', 'bytes=-1', 'bytes=-0', 'bytes=1-0', 'bytes=-', 'bytes=', 'bytes', '=', 'bytes=0',
  'bytes=a-b', 'bytes=0-1,2-3', `bytes=${'0-1,'.repeat(500)}0-1`, 'bytes=0-99999999999999999999999',
  'bytes=99999999999999999999999-', 'bytes=-99999999999999999999999',
  'bytes=18446744073709551615-18446744073709551616', 'bytes=9007199254740993-', 'bytes=0x0-0x1', 'bytes=1.5-2',
  'bytes=+1-2', 'bytes=1e3-',
  'bytes= 0-1', 'bytes =0-1', 'BYTES=0-1', 'items=0-1', 'bytes=0-1;x', 'bytes=--1', 'bytes=٠-١', 'bytes=0-0, ', 'none',
  '*', 'bytes=*/5', 'x'.repeat(5_000),
];

export const TAGS = [
  '*', '""', '"', 'W/""', 'W/"x"', '"x", "y"', '"x" "y"', ',,,', `"${'x'.repeat(3_000)}"`,
  `${'"a",'.repeat(800)}"a"`, 'Sat, 22 Nov 2025 10:00:00 GMT', '0', 'w/"x"', '\u00e9',
];

/** Values of `Authorization`, `DPoP` and others that hold a token. */
export const TOKENS = [
  '', ' ', 'x', 'DPoP', 'DPoP ', 'DPoP  x', 'DPoP x y', 'dpop x', 'Bearer x', 'Basic eDp5', 'DPoP null', 'DPoP ..',
  'DPoP .', 'DPoP e30.e30.', 'DPoP e30.e30.e30', `DPoP ${'A'.repeat(7_000)}`, `DPoP ${'.'.repeat(5_000)}`,
  'eyJhbGciOiJub25lIn0.e30.', 'e30.e30.AA', '....', 'null', '{}', '[]', '"', '%00', 'A'.repeat(7_000), 'W10.W10.W10',
  'MQ.MQ.MQ', '\u00ff\u00fe', 'x, y', 'x; y', 'ey'.repeat(2_000),
];

/** Headers that a worker might trust by mistake. */
export const EXTRAS = [
  ['x-forwarded-for', '127.0.0.1'], ['x-forwarded-host', 'evil.example'], ['x-forwarded-proto', 'https'],
  ['x-original-url', '/internal/rate'], ['x-rewrite-url', '/internal/rate'],
  ['x-http-method-override', 'DELETE'], ['forwarded', 'host=evil.example'], ['cf-connecting-ip', '127.0.0.1'],
  ['cf-worker', 'x'], ['mf-original-url', 'http://localhost/internal/rate'], ['cookie', 'a=b; __Host-session=1'],
  ['origin', 'null'], ['origin', 'http://evil.example'], ['referer', 'http://wallet.localhost/'],
  ['accept', 'text/html'], ['accept-encoding', 'gzip, deflate, br, x'], ['content-encoding', 'gzip'],
  ['content-encoding', 'br'], ['content-encoding', 'x'], ['te', 'trailers'], ['expect', '100-continue'],
  ['upgrade', 'h2c'], ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='], ['access-control-request-method', 'DELETE'],
  ['access-control-request-headers', '*'], ['if-modified-since', 'Sat, 22 Nov 2025 10:00:00 GMT'],
  ['if-unmodified-since', 'x'], ['if-match', '*'], ['max-forwards', '0'], ['x'.repeat(200), 'y'],
];

/** Replaces, removes, adds, doubles or nests a member of an object; gives JSON text. */
export function spoil(random, object) {
  const json = (entries) => `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
  const entries = Object.entries(object).filter(([, value]) => value !== undefined).map(([name, value]) => [name, JSON.stringify(value)]);
  const at = random.below(entries.length || 1);
  const hostile = random.pick(VALUES);
  switch (random.below(8)) {
    case 0: return json(entries.filter((_, i) => i !== at));
    case 1: return json([...entries, [random.pick(['admin', '__proto__', '', 'constructor', 'x'.repeat(300)]), hostile]]);
    case 2: return json([...entries, [entries[at]?.[0] ?? 'x', hostile]]);
    case 3: return json([[entries[at]?.[0] ?? 'x', hostile], ...entries]);
    case 4: return `[${entries.map(([, value]) => value).join(',')}]`;
    case 5: return json(entries.map(([name, value], i) => [i === at ? name.toUpperCase() : name, value]));
    default: return json(entries.map(([name, value], i) => [name, i === at ? hostile : value]));
  }
}

/** A signed document with something wrong in it, most often signed again by a key that may sign. */
export async function spoilJws(random, jws, key) {
  const { header, payload, parts } = takeApart(jws);
  const signer = by(key);
  switch (random.below(8)) {
    case 0: {
      const text = Buffer.from(jws);
      text[random.below(text.length)] = random.pick([...Buffer.from('A._-z0=')]);
      return text.toString();
    }
    case 1: return parts.map((part, i) => (i === random.below(3) ? random.bytes(random.below(60)).toString('base64url') : part)).join('.');
    case 2: return forge(spoil(random, header), payload, signer);
    case 3: return jws.slice(0, random.below(jws.length));
    default: return forge(header, spoil(random, payload), signer);
  }
}
