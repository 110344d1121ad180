import assert from 'node:assert/strict';
import { test } from 'node:test';
import { b32Decode, b32Encode, b64uDecode, b64uEncode, concat, fromUtf8, readU32, u32be } from '../src/bytes.js';
import { parseJson } from '../src/json.js';

const random = (n) => crypto.getRandomValues(new Uint8Array(n));
const malformed = { code: 'malformed' };

test('base64url agrees with Node for every length', () => {
  for (let n = 0; n < 70; n += 1) {
    const bytes = random(n);
    const text = Buffer.from(bytes).toString('base64url');
    assert.equal(b64uEncode(bytes), text);
    assert.deepEqual(b64uDecode(text), bytes);
  }
});

test('base32 gives RFC 4648 vectors in lower case, and back', () => {
  const vectors = { '': '', f: 'my', fo: 'mzxq', foo: 'mzxw6', foob: 'mzxw6yq', fooba: 'mzxw6ytb', foobar: 'mzxw6ytboi' };
  for (const [plain, text] of Object.entries(vectors)) {
    assert.equal(b32Encode(new TextEncoder().encode(plain)), text);
    assert.equal(new TextDecoder().decode(b32Decode(text)), plain);
  }
  assert.equal(b32Encode(random(32)).length, 52);
  assert.equal(b32Encode(random(20)).length, 32);
});

test('only one spelling of a value is accepted', () => {
  for (const text of ['AA==', 'AB', 'A', 'AAAAA', 'A+', 'A/', 'AA ', ' AA', 'AA\n', 'ÄA', 'AAB']) assert.throws(() => b64uDecode(text), malformed, text);
  for (const text of ['MY', 'mz', 'm', 'mzx', 'mzxw6y', 'my======', 'm1', 'm0', 'm8']) assert.throws(() => b32Decode(text), malformed, text);
  assert.throws(() => b64uDecode('AAAA', 4), malformed);
  assert.throws(() => b64uDecode(7), malformed);
});

test('numbers and text', () => {
  assert.deepEqual(u32be(0xdeadbeef), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
  assert.equal(readU32(u32be(0xffffffff), 0), 0xffffffff);
  for (const bad of [-1, 2 ** 32, 0.5, NaN]) assert.throws(() => u32be(bad), malformed);
  assert.throws(() => readU32(new Uint8Array(3), 0), malformed);
  assert.throws(() => fromUtf8(Uint8Array.of(0xff)), malformed);
  assert.deepEqual(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3));
});

test('JSON with a member named twice is refused at any depth and spelling', () => {
  for (const text of ['{"a":1,"a":2}', '{"x":{"b":1,"c":2,"b":3}}', '[{"a":1,"\\u0061":2}]', '{"a":[{"q":1}],"a":0}', '{"\\"":1,"\\"":2}', '{', '', '{"a":1}x', "{'a':1}"]) {
    assert.throws(() => parseJson(text), malformed, text);
  }
  for (const text of ['{"a":"a","b":["a","a",{"a":"a"}],"c":{"a":1}}', '[]', '"\\\\"', '{"a":"{\\"a\\":1,\\"a\\":2}","b":"\\\\\\""}', ' { "a" : 1 , "b" : [ 1 , 2 ] } ']) {
    assert.deepEqual(parseJson(text), JSON.parse(text));
  }
});
