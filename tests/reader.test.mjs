// The reader written from docs/FORMAT.md alone says of every vector what tests/vectors says, and refuses whatever is damaged.
// SATCHEL_SOAK=1: all of the padding is damaged, not a sample of it, and that of a file with a preview too.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { ReaderError, isStrongPoint, open, openWindow, parseStrict, readHeader, toB64u, workOf } from './reader/reader.mjs';

const folder = new URL('vectors/', import.meta.url);
const soak = process.env.SATCHEL_SOAK === '1';
const vectors = readdirSync(folder).filter((file) => file.endsWith('.json')).map((file) => {
  const name = file.slice(0, -5);
  const said = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  return { name, ...said, key: bytesOf(said.content_key), file: new Uint8Array(readFileSync(new URL(`${name}.satchel`, folder))) };
});
const opening = vectors.filter((vector) => vector.expect === 'opens');
const refused = vectors.filter((vector) => vector.expect !== 'opens');
const smallest = vectors.find((vector) => vector.name === 'one_byte');
const damaged = opening.filter((vector) => vector === smallest || (soak && vector.name === 'preview'));

function bytesOf(b64u) {
  return new Uint8Array(Buffer.from(b64u, 'base64url'));
}

/** Everything a file holds, as an opener with the content key reads it. */
async function readAll(file, key) {
  const opened = await open(file, key);
  const plain = [];
  for await (const segment of opened.segments()) plain.push(segment.plain);
  return { ...opened, plain: Buffer.concat(plain) };
}

const faultOf = async (promise) => {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ReaderError) return error.fault;
    throw error; // a TypeError or RangeError is a fault of the reader
  }
  return undefined;
};

/** Where the padding lies: [from, to). */
function paddingOf({ file }) {
  const view = new DataView(file.buffer);
  return [24 + view.getUint32(12) + view.getUint32(16), view.getUint32(8)];
}

/** Every position outside the padding, every position in it if `every` is 1, else one in `every`. */
function positions(vector, every) {
  const [from, to] = paddingOf(vector);
  return [...vector.file.keys()].filter((at) => at < from || at >= to || (at - from) % every === 0 || at === to - 1);
}

async function flipEveryBit(vector, every) {
  // Eight readers at once, each with a copy of its own: they mostly wait for WebCrypto.
  const files = Array.from({ length: 8 }, () => vector.file.slice());
  const where = positions(vector, every);
  for (const at of where) {
    await Promise.all(files.map(async (file, bit) => {
      file[at] ^= 1 << bit;
      assert.ok(await faultOf(readAll(file, vector.key)), `bit ${bit} of byte ${at} of ${vector.name}`);
      file[at] ^= 1 << bit;
    }));
  }
  return 8 * where.length;
}

test(`${opening.length} vectors open and ${refused.length} are refused`, (t) => {
  assert.equal(opening.length + refused.length, vectors.length);
  assert.ok(opening.length >= 8 && refused.length >= 59, 'vectors are missing');
  t.diagnostic(`read ${vectors.length} vectors: ${opening.length} open, ${refused.length} refused`);
});

for (const vector of opening) {
  test(`${vector.name} opens: ${vector.comment}`, async () => {
    const { header, plain, windowKey } = await readAll(vector.file, vector.key);
    assert.equal(toB64u(header.manifestDigest), vector.manifest_digest);
    assert.equal(createHash('sha256').update(plain).digest('base64url'), vector.plaintext_sha256);
    const windows = header.segments.at(-1).window + 1;
    assert.equal(vector.window_keys.length, Math.min(4, windows));
    for (const [window, key] of vector.window_keys.entries()) assert.equal(toB64u(await windowKey(window)), key);
  });

  test(`${vector.name} opens window by window with the window keys alone`, async () => {
    const { header, plain } = await readAll(vector.file, vector.key);
    let at = 0;
    for (const [window, key] of vector.window_keys.entries()) {
      for await (const segment of openWindow(vector.file, header, window, bytesOf(key))) {
        assert.deepEqual(Buffer.from(segment.plain), plain.subarray(at, at + segment.plain.length));
        at += segment.plain.length;
      }
    }
    if (vector.window_keys.length < 4) assert.equal(at, plain.length);
  });
}

for (const vector of refused) {
  test(`${vector.name} is refused: ${vector.comment}`, async (t) => {
    const fault = await faultOf(readAll(vector.file, vector.key));
    assert.ok(fault);
    t.diagnostic(`${vector.name}: ${fault} here, ${vector.expect} there`);
  });
}

test('a flipped bit anywhere is refused', async (t) => {
  let flips = 0;
  for (const vector of damaged) flips += await flipEveryBit(vector, soak ? 1 : 32);
  t.diagnostic(`${flips} flips`);
});

test('a file cut anywhere is refused', async (t) => {
  let cuts = 0;
  for (const vector of damaged) {
    for (const length of positions(vector, soak ? 1 : 32)) {
      assert.ok(await faultOf(readAll(vector.file.slice(0, length), vector.key)), `${vector.name} cut to ${length} bytes`);
      cuts++;
    }
  }
  t.diagnostic(`${cuts} lengths`);
});

test('a file that ends after its header still tells its segments, and does not open', async () => {
  for (const vector of opening) {
    const whole = await readHeader(vector.file);
    const cut = vector.file.slice(0, whole.headerLength);
    assert.deepEqual(await readHeader(cut), whole);
    if (whole.fileSize > whole.headerLength) assert.equal(await faultOf(open(cut, vector.key)), 'file_size');
  }
});

test('a header asks for 24 bytes, then for the header; a segment for its own bytes', async () => {
  const { file, key: contentKey } = opening.find((vector) => vector.name === 'media');
  const asked = [];
  const source = { size: file.length, read: async (from, to) => (asked.push([from, to]), file.subarray(from, to)) };
  const header = await readHeader(source);
  assert.deepEqual(asked.splice(0), [[0, 24], [0, header.headerLength]]);
  const { windowKey } = await open(source, contentKey);
  asked.splice(0);
  const last = header.segments.at(-1);
  const key = await windowKey(last.window);
  for await (const { segment } of openWindow(source, header, last.window, key)) assert.equal(segment.index, last.index);
  assert.deepEqual(asked, [[file.length - last.length, file.length]]);
});

test('the fixed part of a header never makes a reader ask for more than the limits', async () => {
  for (const fill of [0x00, 0x7f, 0x80, 0xff]) {
    const head = new Uint8Array(24).fill(fill);
    head.set(smallest.file.subarray(0, 8));
    const source = { size: Number.MAX_SAFE_INTEGER, read: async (from, to) => {
      assert.deepEqual([from, to], [0, 24]);
      return head;
    } };
    assert.equal(await faultOf(readHeader(source)), 'layout');
  }
});

test('bytes of any kind are no satchel, and no reason to fail otherwise', async () => {
  // A small generator with a fixed seed: a failure can be repeated.
  let state = 0x5a7c4e1;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 400; round++) {
    const { file, key } = opening[random(opening.length)];
    const other = file.slice();
    // Lengths and manifest are where parsers go wrong; the rest is compared with digests.
    for (let i = 0; i <= random(4); i++) other[8 + random(random(2) ? 16 : 1100)] ^= 1 + random(255);
    assert.equal(typeof await faultOf(readAll(other, key)), Buffer.compare(other, file) ? 'string' : 'undefined');
    assert.ok(await faultOf(readHeader(Uint8Array.from({ length: random(200) }, () => random(256)))));
  }
  const read = () => undefined;
  for (const other of [undefined, null, 1, 'SATCHEL1', [], {}, { size: -1, read }, { size: 1e300, read }, { size: 99, read }]) {
    assert.ok(await faultOf(readHeader(other)));
  }
});

test('a key of another length is refused', async () => {
  for (const key of [undefined, null, 'key', new Uint8Array(31), new Uint8Array(33)]) {
    assert.equal(await faultOf(open(smallest.file, key)), 'key');
  }
});

test('a manifest may be any JSON that two readers understand alike', () => {
  const parse = (text) => parseStrict(new TextEncoder().encode(text));
  assert.deepEqual(parse(' {"a" : {"b":0} ,\t"c":9007199254740991,"d":"\\ud83c\\udf0a🌊\\/\\"","e":true,"f":false}\r\n'),
    new Map([['a', new Map([['b', 0]])], ['c', 2 ** 53 - 1], ['d', '🌊🌊/"'], ['e', true], ['f', false]]));
  assert.deepEqual(parse('{"__proto__":1}'), new Map([['__proto__', 1]]));
});

test('other JSON is refused', async () => {
  const parse = async (bytes) => parseStrict(Uint8Array.from(bytes));
  const numbers = [
    '1.0', '1e3', '1E3', '-0', '-1', '+1', '01', '00', '1.', '.5', '0x1', '1_0', '1 2', '१', 'NaN', 'Infinity',
    '9007199254740992', '9007199254740993', '10000000000000000', `1${'0'.repeat(400)}`,
  ];
  const insides = [
    '\\ud83c', '\\udf0a\\ud83c', 'x\\ud83cx', '\\u0000', '\\u001f', '\\n', '\n', '\x7f', '\\u0085', '\u0085', '\u009f',
    '\\x', '\\u12', '\\u12g4', '\\u+123', '\\', '\\U0041', '\\constructor',
  ];
  const texts = [
    '', ' ', '{', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{"a" 1}', '{a:1}', "{'a':1}", '{} {}', '{}x', 'tru', 'nul',
    '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"a":{"b":1,"b":1}}', // the same member twice, however it is written
    '{"a":null}', '[]', '{"a":[1]}', '{"a":{"b":{"c":1}}}', '{"a":undefined}', '{"a\\u0000":1}',
    '\ufeff{}', '\u00a0{}', '\f{}', '/**/{}', '{"a":1}\0', '['.repeat(30000), '{"a":'.repeat(6000),
    ...numbers.map((number) => `{"a":${number}}`),
    ...insides.map((inside) => `{"a":"${inside}"}`),
  ];
  for (const text of texts) assert.equal(await faultOf(parse(new TextEncoder().encode(text))), 'json', text.slice(0, 40));
  // A byte that never occurs, a longer spelling, a surrogate, a code point above U+10FFFF, half a character.
  for (const inside of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]]) {
    assert.equal(await faultOf(parse([0x22, ...inside, 0x22])), 'json', `bytes ${inside}`);
  }
});

test('points of small order and second spellings of points are no keys', () => {
  // The eight points of small order; with the sign bit set each spells itself, its negative or nothing.
  const weak = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ];
  for (const hex of weak) {
    const point = Uint8Array.from(Buffer.from(hex, 'hex'));
    assert.equal(isStrongPoint(point), false, hex);
    point[31] |= 0x80;
    assert.equal(isStrongPoint(point), false, `${hex} with the sign bit`);
  }
  // y = p … p + 18, the spellings that do not fit below p.
  for (let low = 0xed; low <= 0xff; low++) assert.equal(isStrongPoint(Uint8Array.of(low, ...Array(30).fill(0xff), 0x7f)), false);
  // The base point, and the key of the vectors.
  assert.ok(isStrongPoint(Uint8Array.of(0x58, ...Array(31).fill(0x66))));
  assert.ok(isStrongPoint(bytesOf('iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w')));
});

/** The header of the smallest vector under a key of our own, its manifest changed by `change`, signed by `signer`. */
async function signedAnew(change, signer = sign.bind(null, null)) {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { x } = privateKey.export({ format: 'jwk' });
  const view = new DataView(smallest.file.buffer);
  const end = 24 + view.getUint32(12);
  const [head, payload] = Buffer.from(smallest.file.subarray(24, end)).toString().split('.');
  const manifest = JSON.parse(Buffer.from(payload, 'base64url'));
  manifest.creator.x = x;
  manifest.work = (await workOf(bytesOf(x), bytesOf(manifest.work_nonce))).work;
  const input = `${head}.${Buffer.from(change(manifest)).toString('base64url')}`;
  const jws = Buffer.from(`${input}.${signer(Buffer.from(input), privateKey).toString('base64url')}`);
  const header = new Uint8Array(16384);
  header.set(smallest.file.subarray(0, 24));
  new DataView(header.buffer).setUint32(12, jws.length);
  header.set(jws, 24);
  header.set(smallest.file.subarray(end, end + view.getUint32(16)), 24 + jws.length);
  return header;
}

test('members may stand in any order, with space between them', async () => {
  const backwards = (manifest) => JSON.stringify(Object.fromEntries(Object.entries(manifest).reverse()), null, 2);
  assert.equal(await faultOf(readHeader(await signedAnew(JSON.stringify))), undefined);
  assert.equal(await faultOf(readHeader(await signedAnew(backwards))), undefined);
});

test('an issuer is an origin as browsers spell it', async () => {
  const faultOfIssuer = async (issuer) => faultOf(readHeader(await signedAnew((manifest) => JSON.stringify({ ...manifest, issuer }))));
  const origins = [
    'https://satchel.example', 'https://satchel.example:8443', 'http://localhost:8787', 'https://[::1]', 'https://xn--tglich-bua.example',
  ];
  for (const issuer of origins) assert.equal(await faultOfIssuer(issuer), undefined, issuer);
  const others = [
    '', 'null', 'satchel.example', 'https:', 'https://', 'https:satchel.example', 'HTTPS://satchel.example', 'https://Satchel.example',
    'https://satchel.example/', 'https://satchel.example/a', 'https://satchel.example?', 'https://satchel.example#',
    'https://satchel.example:', 'https://satchel.example:443', 'http://satchel.example:80', 'https://satchel.example:08443',
    'https://satchel.example:65536', 'https://a@satchel.example', 'https://a:b@satchel.example', 'https://täglich.example',
    'https://127.1', 'https://0x7f000001', 'https://[0:0::1]',
    'https://satchel.example\\', 'https://%73atchel.example', ' https://satchel.example', 'ftp://satchel.example', 'file://', 'data:,',
  ];
  for (const issuer of others) assert.equal(await faultOfIssuer(issuer), 'member', issuer);
});

test('a signature whose R is of small order, or whose S is not the smallest, is refused', async () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const bytes = (n) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse();
  const sha512 = (...parts) => createHash('sha512').update(Buffer.concat(parts)).digest();
  // R is the identity, and S = k a: it satisfies the equation of RFC 8032, and no honest signer ever makes it.
  const withoutNonce = (input, key) => {
    const { d, x } = key.export({ format: 'jwk' });
    const scalar = sha512(bytesOf(d)).subarray(0, 32);
    scalar[0] &= 248;
    scalar[31] = (scalar[31] & 127) | 64;
    const r = bytes(1n);
    return Buffer.concat([r, bytes((number(sha512(r, bytesOf(x), input)) * number(scalar)) % order)]);
  };
  const secondSpelling = (input, key) => {
    const signature = sign(null, input, key);
    return Buffer.concat([signature.subarray(0, 32), bytes(number(signature.subarray(32)) + order)]);
  };
  assert.equal(await faultOf(readHeader(await signedAnew(JSON.stringify, withoutNonce))), 'signature');
  assert.equal(await faultOf(readHeader(await signedAnew(JSON.stringify, secondSpelling))), 'signature');
});
