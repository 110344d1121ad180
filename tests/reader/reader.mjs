// A reader of `.satchel` files, version 1, written from docs/FORMAT.md and c2sp.org/chunked-encryption alone. It shares no line
// with the other implementations: where it disagrees with them, one of the three is wrong or FORMAT.md says too little.
// Needs nothing but WebCrypto. Every fault of a file is a ReaderError; an error of a `read` function passes through as it is.

const { subtle } = globalThis.crypto;

/** A file that is not to be opened: `fault` is a short name, `message` says more. */
export class ReaderError extends Error {
  constructor(fault, message = fault) {
    super(message);
    this.name = 'ReaderError';
    this.fault = fault;
  }
}

function must(condition, fault, message) {
  if (!condition) throw new ReaderError(fault, message);
}

// ---------------------------------------------------------------------------------------------------------------- bytes

const FIXED = 24;
const BLOCK = 16384;
const ENTRY = 48;
const CHUNK = 16384;
const TAG = 16;
const PREFIX = 56; // salt (24) and commitment (32) in front of a segment's chunks
const MAX_HEADER = 4194304;
const MAX_MANIFEST = 32768;
const MAX_SEGMENTS = 16384;
const MAX_PREVIEW = 4194304;
const MAX_SEGMENT = 1073741824;

const ascii = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const u32 = (n) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
const getU32 = (bytes, at) => ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
const sha256 = async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes));

function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function fromUtf8(bytes, fault) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes); // ignoreBOM keeps it, for whoever reads on to refuse
  } catch {
    throw new ReaderError(fault, 'not UTF-8');
  }
}

const B64U = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const B64U_VALUE = new Map([...B64U].map((c, i) => [c, i]));

/** Canonical base64url (FORMAT.md, introduction): no padding, no other characters, no stray bits. */
function fromB64u(text, fault) {
  must(text.length % 4 !== 1, fault, 'base64url of an impossible length');
  const out = new Uint8Array(Math.floor((text.length * 6) / 8));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const c of text) {
    const value = B64U_VALUE.get(c);
    must(value !== undefined, fault, 'a character that is not base64url');
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  must(held === 0, fault, 'stray bits at the end of base64url');
  return out;
}

export function toB64u(bytes) {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const left = Math.min(3, bytes.length - i);
    for (let j = 0; j <= left; j++) out += B64U[(group >> (18 - 6 * j)) & 63];
  }
  return out;
}

function toB32(bytes) {
  let out = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) out += 'abcdefghijklmnopqrstuvwxyz234567'[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits ? out + 'abcdefghijklmnopqrstuvwxyz234567'[(held << (5 - bits)) & 31] : out;
}

// ----------------------------------------------------------------------------------------------------------------- file

/** A file is bytes, or `{ size, read(from, to) }`, of which only the ranges that are needed are read. */
function sourceOf(file) {
  if (file instanceof Uint8Array) return { size: file.length, read: async (from, to) => file.subarray(from, to) };
  must(file !== null && typeof file === 'object' && typeof file.read === 'function', 'source', 'neither bytes nor { size, read }');
  // §5: a file has at most 2^53 - 1 bytes.
  must(Number.isSafeInteger(file.size) && file.size >= 0, 'source', 'size is not a number of bytes');
  return file;
}

/** A copy, after `front` zero bytes: what is compared with a digest is what is used, whatever becomes of the caller's buffer. */
async function readExactly(source, from, to, front = 0) {
  must(to <= source.size, 'truncated', `the file ends before byte ${to}`);
  const bytes = await source.read(from, to);
  must(bytes instanceof Uint8Array && bytes.length === to - from, 'truncated', `bytes ${from} to ${to} could not be read`);
  const copy = new Uint8Array(front + bytes.length);
  copy.set(bytes, front);
  return copy;
}

// ----------------------------------------------------------------------------------------------------------------- JSON

const CONTROL = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
const LONE_SURROGATE = /\p{Cs}/u; // with `u`, surrogates that form a pair are one character, which is not Cs
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const MAX_DEPTH = 2; // the manifest, and an object in it: no other nesting has a meaning, and none can exhaust the stack

/**
 * The part of JSON (RFC 8259) that a manifest may use (§4): objects without duplicate members as Maps, texts of well-formed
 * Unicode without control characters, integers as plain digits up to 2^53 - 1, true and false. No null, no array, nothing else.
 */
export function parseStrict(bytes) {
  const text = fromUtf8(bytes, 'json');
  let at = 0;
  const fail = (message) => {
    throw new ReaderError('json', `${message} at ${at}`);
  };
  const space = () => {
    while (at < text.length && ' \t\n\r'.includes(text[at])) at++;
  };
  const literal = (word, value) => {
    if (!text.startsWith(word, at)) fail('no value that a manifest may have');
    at += word.length;
    return value;
  };
  const string = () => {
    let out = '';
    for (at++; ; ) {
      const c = text[at++];
      if (c === undefined) fail('a text without end');
      if (c === '"') break;
      if (c !== '\\') {
        if (c < ' ') fail('a control character');
        out += c;
        continue;
      }
      const escape = text[at++];
      if (escape === 'u') {
        const hex = text.slice(at, at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) fail('not an escape');
        out += String.fromCharCode(parseInt(hex, 16));
        at += 4;
      } else {
        if (escape === undefined || !Object.hasOwn(ESCAPES, escape)) fail('not an escape');
        out += ESCAPES[escape];
      }
    }
    // After the escapes were resolved: they can spell what must not be there.
    if (CONTROL.test(out)) fail('a control character');
    if (LONE_SURROGATE.test(out)) fail('a lone surrogate');
    return out;
  };
  const integer = () => {
    const digits = /^(?:0|[1-9][0-9]*)(?![0-9.eE])/.exec(text.slice(at, at + 17));
    if (!digits) fail('not an integer in plain digits');
    const value = Number(digits[0]); // whatever is larger than 2^53 - 1 does not round below 2^53
    if (!Number.isSafeInteger(value)) fail('an integer larger than 2^53 - 1');
    at += digits[0].length;
    return value;
  };
  const object = (depth) => {
    if (depth > MAX_DEPTH) fail('nested too deeply');
    const members = new Map();
    at++;
    space();
    if (text[at] === '}') {
      at++;
      return members;
    }
    for (;;) {
      space();
      if (text[at] !== '"') fail('no name of a member');
      const name = string();
      if (members.has(name)) fail(`a second member ${name}`);
      space();
      if (text[at++] !== ':') fail('no colon');
      members.set(name, value(depth));
      space();
      const c = text[at++];
      if (c === '}') return members;
      if (c !== ',') fail('neither comma nor end of an object');
    }
  };
  const value = (depth) => {
    space();
    const c = text[at];
    if (c === '{') return object(depth + 1);
    if (c === '"') return string();
    if (c >= '0' && c <= '9') return integer();
    if (c === 't') return literal('true', true);
    return literal('false', false);
  };
  const result = value(0);
  space();
  if (at !== text.length) fail('something after the value');
  return result;
}

// -------------------------------------------------------------------------------------------------------------- Ed25519

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (n) => ((n % P) + P) % P;
const littleEndian = (bytes) => bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);

function power(base, exponent) {
  let out = 1n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) out = mod(out * base);
    base = mod(base * base);
  }
  return out;
}

const D = mod(-121665n * power(121666n, P - 2n));

/**
 * A point written canonically (y < 2^255 - 19) and not of small order (§4). Eight times a point of small order is the identity,
 * the only one with y = 1; x is never needed for that: x^2 = (y^2 - 1) / (d y^2 + 1), and doubling gives
 * y' = (y^2 + x^2) / (2 + x^2 - y^2). Here y = n / m, so that nothing is divided.
 */
export function isStrongPoint(bytes) {
  if (bytes.length !== 32) return false;
  const y = littleEndian(bytes) & (2n ** 255n - 1n);
  if (y >= P) return false;
  let n = y;
  let m = 1n;
  for (let i = 0; i < 3; i++) {
    const a = mod(n * n);
    const b = mod(m * m);
    const e = mod(D * a + b);
    n = mod(a * e + b * (a - b));
    m = mod(2n * b * e + b * (a - b) - a * e);
  }
  return n !== m;
}

/** RFC 8032 §5.1.7, and two things on which verifiers differ, in the strictest way: S < L, and R is as strong a point as the key. */
async function verifyEd25519(publicKey, signature, message) {
  must(signature.length === 64, 'token', 'a signature has 64 bytes');
  must(littleEndian(signature.subarray(32)) < ORDER, 'signature', 'S is not canonical');
  must(isStrongPoint(signature.subarray(0, 32)), 'signature', 'R is not canonical or of small order');
  let good = false;
  try {
    const key = await subtle.importKey('raw', publicKey, { name: 'Ed25519' }, false, ['verify']);
    good = await subtle.verify({ name: 'Ed25519' }, key, signature, message);
  } catch (error) {
    if (error?.name === 'NotSupportedError') throw error; // says nothing about the file
  }
  must(good, 'signature', 'the creator did not sign this');
}

// ------------------------------------------------------------------------------------------------------------- manifest

const utf8Length = (text) => new TextEncoder().encode(text).length;

const type = {
  integer: (from) => (value) => {
    must(typeof value === 'number' && value >= from, 'member', `not an integer of at least ${from}`);
    return value;
  },
  text: (limit, measure) => (value) => {
    must(typeof value === 'string', 'member', 'not a text');
    const length = measure(value);
    must(length >= 1 && length <= limit, 'member', `a text of length ${length}, not 1 to ${limit}`);
    return value;
  },
  bytes: (length) => (value) => {
    must(typeof value === 'string', 'member', 'not base64url');
    const bytes = fromB64u(value, 'member');
    must(bytes.length === length, 'member', `not ${length} bytes`);
    return bytes;
  },
  oneOf: (...values) => (value) => {
    must(values.includes(value), 'member', `not one of ${values.join(', ')}`);
    return value;
  },
  /** Members as they are listed, no others; an optional one is absent or valid (§4). */
  object: (members, optional = []) => (value) => {
    must(value instanceof Map, 'member', 'not an object');
    const out = {};
    for (const name of value.keys()) must(Object.hasOwn(members, name), 'member', `unknown member ${name}`);
    for (const [name, read] of Object.entries(members)) {
      if (value.has(name)) out[name] = read(value.get(name));
      else must(optional.includes(name), 'member', `no member ${name}`);
    }
    return out;
  },
};

const LABELS = /^(?!\.)(?!.*\.\.)[a-z0-9._-]+$/;
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/** A host in its one spelling (§4): what browsers would read as an address is one, written as they write it. */
function isHost(host) {
  if (host.startsWith('[')) {
    if (!/^\[[0-9a-f:]+\]$/.test(host) || /^\[::ffff:[0-9a-f]+:[0-9a-f]+\]$/.test(host)) return false;
    try {
      return new URL(`http://${host}`).hostname === host;
    } catch {
      return false;
    }
  }
  if (!LABELS.test(host)) return false;
  if (!NUMBER.test(host.replace(/\.$/, '').split('.').at(-1))) return true;
  const numbers = host.split('.');
  return numbers.length === 4 && numbers.every((number) => String(Number(number)) === number && Number(number) < 256);
}

/** An origin in its one spelling (§4). */
function issuer(value) {
  const found = typeof value === 'string' && value.length <= 267 && /^(https?):\/\/(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(value);
  must(found, 'member', 'issuer is not an origin');
  const [, scheme, host, port] = found;
  const isPort = port === undefined || (String(Number(port)) === port && port !== '0' && Number(port) < 65_536 && Number(port) !== (scheme === 'https' ? 443 : 80));
  must(isPort && isHost(host), 'member', 'issuer is not an origin');
  return value;
}

function name(value) {
  type.text(255, utf8Length)(value);
  must(!/[/\\]/.test(value) && value !== '.' && value !== '..', 'member', 'not a name of a file');
  return value;
}

/** The table of §4. */
const manifestOf = type.object({
  v: type.oneOf(1),
  work: type.text(56, (text) => text.length),
  work_nonce: type.bytes(16),
  version: type.integer(1),
  creator: type.object({ kty: type.oneOf('OKP'), crv: type.oneOf('Ed25519'), x: type.bytes(32) }),
  issuer,
  title: type.text(200, (text) => [...text].length),
  name,
  media_type: type.text(255, utf8Length),
  mse: type.text(255, utf8Length),
  duration_ms: type.integer(0),
  size: type.integer(0),
  terms: type.object({ usd_micros: type.integer(0), use: type.oneOf('download', 'stream'), pay_more: type.oneOf(true, false) }),
  segments: type.integer(1),
  body_size: type.integer(0),
  table_digest: type.bytes(32),
  preview_digest: type.bytes(32),
  merkle_root: type.bytes(32),
  key_commitment: type.bytes(32),
  created: type.integer(0),
}, ['mse', 'duration_ms', 'preview_digest']);

// b64u of {"alg":"EdDSA","typ":"satchel-manifest+jws"}, made from the text so that it can be compared with FORMAT.md.
const PROTECTED = toB64u(ascii('{"alg":"EdDSA","typ":"satchel-manifest+jws"}'));

/** The work id of a creator's key and a nonce (§4). */
export async function workOf(x, nonce) {
  // RFC 7638: required members in lexicographic order.
  const thumbprint = await sha256(ascii(`{"crv":"Ed25519","kty":"OKP","x":"${toB64u(x)}"}`));
  return { thumbprint, work: `wrk_${toB32(await sha256(concat(thumbprint, nonce)))}` };
}

/** The compact JWS of §4: exact protected header, shape, key, signature, work id. */
async function readManifest(jws) {
  const parts = fromUtf8(jws, 'token').split('.');
  must(parts.length === 3, 'token', 'a compact JWS has three parts');
  must(parts[0] === PROTECTED, 'token', 'not the protected header of a manifest');
  const payload = fromB64u(parts[1], 'token');
  const signature = fromB64u(parts[2], 'token');
  const manifest = manifestOf(parseStrict(payload));
  const { x } = manifest.creator;
  must(isStrongPoint(x), 'creator', 'a key that is not canonical or of small order');
  await verifyEd25519(x, signature, jws.subarray(0, parts[0].length + 1 + parts[1].length));
  const { thumbprint, work } = await workOf(x, manifest.work_nonce);
  must(manifest.work === work, 'work', 'the work id does not follow from creator and nonce');
  return { manifest, thumbprint };
}

// ---------------------------------------------------------------------------------------------------------------- table

const sealedLength = (n) => PREFIX + n + TAG * (Math.floor(n / CHUNK) + 1);

/** The rules of §2 that need the table alone. */
function readTable(bytes) {
  const segments = [];
  let offset = 0;
  let size = 0;
  let before;
  for (let at = 0; at < bytes.length; at += ENTRY) {
    const segment = {
      index: segments.length,
      plainLength: getU32(bytes, at),
      window: getU32(bytes, at + 4),
      startMs: getU32(bytes, at + 8),
      init: bytes[at + 15] === 1,
      leaf: bytes.slice(at + 16, at + ENTRY),
      offset, // in the body
    };
    must(segment.plainLength <= MAX_SEGMENT, 'table', 'a segment longer than 1 GiB');
    must(segment.plainLength > 0 || bytes.length === ENTRY, 'table', 'an empty segment in a work that has contents');
    must(getU32(bytes, at + 12) <= 1, 'table', 'an unknown flag');
    const step = before ? segment.window - before.window : segment.window;
    must(step === 0 || (before && step === 1), 'table', 'windows count from 0, one by one');
    must(!before || segment.startMs >= before.startMs, 'table', 'time runs backwards');
    segment.length = sealedLength(segment.plainLength);
    offset += segment.length;
    size += segment.plainLength;
    segments.push(segment);
    before = segment;
  }
  return { segments, bodySize: offset, size };
}

/** RFC 9162 §2.1.1. An odd node at the end of a level goes up as it is, which splits where the recursive definition does. */
async function merkleRoot(leaves) {
  let level = leaves;
  while (level.length > 1) {
    const pairs = [];
    for (let i = 0; i + 1 < level.length; i += 2) pairs.push(sha256(concat(Uint8Array.of(1), level[i], level[i + 1])));
    const next = await Promise.all(pairs);
    if (level.length % 2) next.push(level.at(-1));
    level = next;
  }
  return level[0];
}

// --------------------------------------------------------------------------------------------------------------- header

/** §1: magic and lengths, each compared with its limit before it is believed. */
function readFixed(bytes) {
  const magic = String.fromCharCode(...bytes.subarray(0, 8));
  if (/^SATCHEL[02-9]$/.test(magic)) throw new ReaderError('version', `${magic} is another version; this reads SATCHEL1`); // §7
  must(magic === 'SATCHEL1', 'magic', 'not a satchel');
  const [headerLength, manifestLength, tableLength, previewLength] = [8, 12, 16, 20].map((at) => getU32(bytes, at));
  must(headerLength <= MAX_HEADER, 'layout', 'header_len above its limit');
  must(manifestLength >= 1 && manifestLength <= MAX_MANIFEST, 'layout', 'manifest_len is 0 or above its limit');
  must(tableLength >= ENTRY && tableLength <= ENTRY * MAX_SEGMENTS && tableLength % ENTRY === 0, 'layout', 'table_len is not of entries');
  must(previewLength <= MAX_PREVIEW, 'layout', 'preview_len above its limit');
  const smallest = Math.ceil((FIXED + manifestLength + tableLength) / BLOCK) * BLOCK;
  must(headerLength === smallest, 'layout', 'header_len is not the smallest that holds manifest and table');
  return { headerLength, manifestLength, tableLength, previewLength };
}

/**
 * Reads and checks all that needs the header only (§1, §2, §4; step 1 of §6). The file may end right after its header.
 * Gives `manifest` (byte members as Uint8Array), `manifestDigest`, `signer` (the creator's thumbprint), `segments`, `fileSize` and
 * the lengths of §1.
 */
export async function readHeader(file) {
  const source = sourceOf(file);
  const layout = readFixed(await readExactly(source, 0, FIXED));
  const { headerLength, manifestLength, tableLength, previewLength } = layout;
  const bytes = await readExactly(source, 0, headerLength);
  // The lengths count that were checked: a source that gives other bytes the second time is refused.
  must(Object.entries(readFixed(bytes)).every(([key, value]) => layout[key] === value), 'layout', 'the file changed while it was read');
  const jws = bytes.subarray(FIXED, FIXED + manifestLength);
  const tableBytes = bytes.subarray(FIXED + manifestLength, FIXED + manifestLength + tableLength);
  let at = FIXED + manifestLength + tableLength;
  while (at < headerLength && bytes[at] === 0) at++;
  must(at === headerLength, 'padding', `byte ${at} is padding and not zero`);
  const { segments, bodySize, size } = readTable(tableBytes);
  const { manifest, thumbprint } = await readManifest(jws);
  // §4: table, sizes, digests and root agree with what was signed.
  must(equal(manifest.table_digest, await sha256(tableBytes)), 'table_digest', 'not the table that was signed');
  must(manifest.segments === segments.length, 'sizes', 'segments does not agree with the table');
  must(manifest.size === size, 'sizes', 'size does not agree with the table');
  must(manifest.body_size === bodySize, 'sizes', 'body_size does not agree with the table');
  must((manifest.preview_digest !== undefined) === previewLength > 0, 'preview', 'preview and its digest go together');
  must(equal(manifest.merkle_root, await merkleRoot(segments.map((segment) => segment.leaf))), 'merkle_root', 'not the root of the leaves');
  const fileSize = headerLength + previewLength + bodySize;
  must(Number.isSafeInteger(fileSize), 'sizes', 'a file larger than 2^53 - 1 bytes'); // §5
  return { ...layout, manifest, manifestDigest: await sha256(jws), signer: thumbprint, segments, fileSize };
}

/** The preview, compared with its digest (§1, §4); undefined where there is none. */
export async function readPreview(file, header) {
  if (header.previewLength === 0) return undefined;
  const bytes = await readExactly(sourceOf(file), header.headerLength, header.headerLength + header.previewLength);
  must(equal(header.manifest.preview_digest, await sha256(bytes)), 'preview', 'not the preview that was signed');
  return bytes;
}

// ----------------------------------------------------------------------------------------------------------------- keys

/** HKDF-SHA-256, empty salt, 32 bytes, info `"satchel/v1 …" ‖ 00 ‖ W ‖ …` (§3). */
async function derive(key, label, work, ...rest) {
  must(key instanceof Uint8Array && key.length === 32, 'key', 'a key has 32 bytes');
  const info = concat(ascii(`satchel/v1 ${label}\0${work}`), ...rest);
  const base = await subtle.importKey('raw', key, 'HKDF', false, ['deriveBits']);
  return new Uint8Array(await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }, base, 256));
}

/** Key, base nonce and commitment of a Cobblestone-256 message: HKDF-Expand-SHA-512 (RFC 5869 §2.3) to 32 + 12 + 32 bytes. */
async function deriveMessage(inputKey, salt, context) {
  const info = concat(ascii('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0'), salt, context);
  const prk = await subtle.importKey('raw', inputKey, { name: 'HMAC', hash: 'SHA-512' }, false, ['sign']);
  const first = new Uint8Array(await subtle.sign('HMAC', prk, concat(info, Uint8Array.of(1))));
  const second = new Uint8Array(await subtle.sign('HMAC', prk, concat(first, info, Uint8Array.of(2))));
  const all = concat(first, second);
  return { key: all.slice(0, 32), baseNonce: all.slice(32, 44), commitment: all.slice(44, 76) };
}

/** One segment: leaf, then commitment, then chunk by chunk; nothing comes out before all of it was verified (§3, §4). */
async function openSegment(source, header, segment, windowKey) {
  const from = header.headerLength + header.previewLength + segment.offset;
  const hashed = await readExactly(source, from, from + segment.length, 1); // 00 ‖ ciphertext (§2)
  must(equal(segment.leaf, await sha256(hashed)), 'leaf', `segment ${segment.index} is not the one that was signed`);
  const sealed = hashed.subarray(1);
  const { work } = header.manifest;
  const inputKey = await derive(windowKey, 'segment', work, u32(segment.index));
  const context = concat(ascii(`satchel/v1\0${work}`), u32(segment.index));
  const { key, baseNonce, commitment } = await deriveMessage(inputKey, sealed.subarray(0, 24), context);
  must(equal(commitment, sealed.subarray(24, PREFIX)), 'segment_key', `segment ${segment.index} is sealed under another key`);
  const aead = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
  const plain = new Uint8Array(segment.plainLength);
  // §2's length makes every chunk but the last a full one, and the last one shorter: there is no other cut.
  for (let index = 0, at = PREFIX; at < sealed.length; index++, at += CHUNK + TAG) {
    const nonce = baseNonce.slice();
    u32(index).forEach((byte, i) => { nonce[8 + i] ^= byte; }); // a segment has at most 65,537 chunks
    const chunk = sealed.subarray(at, Math.min(at + CHUNK + TAG, sealed.length));
    try {
      plain.set(new Uint8Array(await subtle.decrypt({ name: 'AES-GCM', iv: nonce, tagLength: 128 }, aead, chunk)), index * CHUNK);
    } catch {
      throw new ReaderError('tag', `segment ${segment.index} was altered`);
    }
  }
  return plain;
}

/** The segments of one window, in order, for whoever has that window's key (§3). Memory: one segment, for its leaf. */
export async function* openWindow(file, header, window, windowKey) {
  const source = sourceOf(file);
  for (const segment of header.segments) {
    if (segment.window === window) yield { segment, plain: await openSegment(source, header, segment, windowKey) };
  }
}

/**
 * A whole file and its content key: checks the header, that the file is as long as its layout says (§1), the preview and the key's
 * commitment (§3). Gives `header`, `preview`, `windowKey(w)` and `segments()`, which yields `{ segment, plain }` one after another.
 */
export async function open(file, contentKey) {
  const source = sourceOf(file);
  const header = await readHeader(source);
  must(source.size === header.fileSize, 'file_size', `the file has ${source.size} bytes, its layout says ${header.fileSize}`);
  const preview = await readPreview(source, header);
  const { work, key_commitment: commitment } = header.manifest;
  must(equal(commitment, await derive(contentKey, 'commitment', work)), 'key_commitment', 'not the content key of this file');
  const root = await derive(contentKey, 'window root', work);
  const windowKey = (window) => derive(root, 'window', work, u32(window));
  async function* segments() {
    let key;
    let keyWindow = -1;
    for (const segment of header.segments) {
      if (segment.window !== keyWindow) {
        key = await windowKey(segment.window);
        keyWindow = segment.window;
      }
      yield { segment, plain: await openSegment(source, header, segment, key) };
    }
  }
  return { header, preview, windowKey, segments };
}
