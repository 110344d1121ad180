// The `.satchel` file, version 1: docs/FORMAT.md is the authority, section numbers below are its.
// Memory stays at about one segment, or some MiB of small ones: bytes come from `source.read(from, to)` and go to `sink.write(at, bytes)`.
import { b64uDecode, b64uEncode, concat, equal, fromUtf8, hkdf, randomBytes, readU32, sha256, u32be, utf8 } from './bytes.js';
import * as cobblestone from './cobblestone.js';
import { SatchelError, check, malformed } from './errors.js';
import { isWorkId, workId } from './ids.js';
import { checkMembers } from './json.js';
import { parseJws, signJws, verifyJws } from './jws.js';
import { checkJwk } from './keys.js';
import { checkTerms } from './terms.js';

export { termsDigest } from './terms.js';

/** @typedef {{size: number, read: (from: number, to: number) => Promise<Uint8Array>}} Source */
/**
 * @typedef {{plain_len: number, window: number, start_ms: number, flags: number, leaf?: Uint8Array}} Segment one entry of
 *   the table (§2); `leaf`, the hash of its ciphertext, once it is packed
 */
/** @typedef {import('./terms.js').Terms} Terms a manifest has no counted copies: those are the shop's to say */

export const MAGIC = utf8('SATCHEL1');
export const MEDIA_TYPE = 'application/vnd.satchel';
/** Segment flag: initialisation data, no samples. */
export const INIT = 1;
export const LIMITS = { header: 4_194_304, manifest: 32_768, preview: 4_194_304, segments: 16_384, segment: 1_073_741_824 };
const FIXED = 24;
const UNIT = 16_384;
const ENTRY = 48;
const LEAF = 32;
const MIB = 1_048_576;
/** Plaintext of segments that are sealed at the same time; a larger one is alone. */
const HELD = 4 * MIB;
const TYP = 'satchel-manifest+jws';
const HEADER = `${b64uEncode(utf8(JSON.stringify({ alg: 'EdDSA', typ: TYP })))}.`;

/** @param {Blob} blob @returns {Source} reads slices, so a file of any size costs no memory */
export const blobSource = (blob) => ({
  size: blob.size,
  read: async (from, to) => new Uint8Array(await blob.slice(from, to).arrayBuffer()),
});

/** @param {Uint8Array} bytes @returns {Source} */
export const bytesSource = (bytes) => ({ size: bytes.length, read: async (from, to) => bytes.slice(from, to) });

const truncated = () => new SatchelError('truncated', 'Part of this file is missing', { next: 'Download the file again.' });

/** Reads exactly [from, to) or throws: a source that answers less would shift everything after it. */
async function readExactly(read, from, to) {
  const bytes = await read(from, to);
  if (bytes.length !== to - from) throw truncated();
  return bytes;
}

// ---------------------------------------------------------------- keys (§3)

const info = (label, work, ...rest) => concat(utf8(`satchel/v1${label}\0${work}`), ...rest);

/** @param {Uint8Array} contentKey 32 bytes @param {string} work @returns {Promise<Uint8Array>} */
export const keyCommitment = (contentKey, work) => hkdf(contentKey, info(' commitment', work));
/** @param {Uint8Array} contentKey 32 bytes @param {string} work @returns {Promise<Uint8Array>} */
export const windowRoot = (contentKey, work) => hkdf(contentKey, info(' window root', work));
/** @param {Uint8Array} root @param {string} work @param {number} window @returns {Promise<Uint8Array>} */
export const windowKey = (root, work, window) => hkdf(root, info(' window', work, u32be(window)));
/** @param {Uint8Array} key of the segment's window @param {string} work @param {number} segment @returns {Promise<Uint8Array>} */
export const segmentKey = (key, work, segment) => hkdf(key, info(' segment', work, u32be(segment)));
/** Context of a segment's message. @param {string} work @param {number} segment @returns {Uint8Array} */
export const segmentContext = (work, segment) => info('', work, u32be(segment));

// ---------------------------------------------------------------- segment table (§2)

/** @param {number} plainLength @returns {number} bytes of the segment in the body */
export const sealedLength = cobblestone.sealedLength;

/**
 * The plan of a work that isn't cut at media fragments.
 * @param {number} size plaintext bytes
 * @returns {Segment[]}
 */
export function planFixed(size) {
  check(Number.isSafeInteger(size) && size >= 0, 'not a size');
  const step = Math.max(1, Math.ceil(size / 16_000 / MIB)) * MIB;
  const count = Math.max(1, Math.ceil(size / step));
  return Array.from({ length: count }, (_, i) => ({ plain_len: Math.min(step, size - i * step), window: i, start_ms: 0, flags: 0 }));
}

/** @param {Segment[]} segments @throws {SatchelError} `malformed`, `too_many_segments` */
export function checkSegments(segments) {
  check(segments.length >= 1, 'table: empty');
  if (segments.length > LIMITS.segments) {
    throw new SatchelError('too_many_segments', 'This file is too long to be sold in one piece', { detail: `${segments.length} segments, at most ${LIMITS.segments}`, next: 'Split it, or offer it as a download.' });
  }
  let window = 0;
  let start = 0;
  segments.forEach((segment, i) => {
    check(segment.plain_len <= LIMITS.segment && (segment.plain_len > 0 || segments.length === 1), `table: length of segment ${i}`);
    check(segment.window === window || (i > 0 && segment.window === window + 1), `table: window of segment ${i}`);
    check(segment.start_ms >= start, `table: time of segment ${i}`);
    check((segment.flags & ~INIT) === 0, `table: flags of segment ${i}`);
    window = segment.window;
    start = segment.start_ms;
  });
}

/** @param {Segment[]} segments @returns {Uint8Array} 48 bytes each; zeros for the hash of what isn't packed yet */
export function encodeTable(segments) {
  checkSegments(segments);
  const out = new Uint8Array(segments.length * ENTRY);
  const view = new DataView(out.buffer);
  segments.forEach((segment, i) => {
    view.setUint32(i * ENTRY, segment.plain_len);
    view.setUint32(i * ENTRY + 4, segment.window);
    view.setUint32(i * ENTRY + 8, segment.start_ms);
    view.setUint32(i * ENTRY + 12, segment.flags);
    if (segment.leaf) out.set(segment.leaf, i * ENTRY + 16);
  });
  return out;
}

/** @param {Uint8Array} bytes @returns {Segment[]} @throws {SatchelError} `malformed` */
export function parseTable(bytes) {
  check(bytes.length % ENTRY === 0, 'table: length');
  check(bytes.length <= LIMITS.segments * ENTRY, 'table: too many segments');
  const segments = [];
  for (let at = 0; at < bytes.length; at += ENTRY) {
    segments.push({ plain_len: readU32(bytes, at), window: readU32(bytes, at + 4), start_ms: readU32(bytes, at + 8), flags: readU32(bytes, at + 12), leaf: bytes.slice(at + 16, at + ENTRY) });
  }
  checkSegments(segments);
  return segments;
}

/** @param {Segment[]} segments a plan @param {Uint8Array} leaves 32 bytes each @returns {Segment[]} the plan, packed */
export function withLeaves(segments, leaves) {
  check(leaves.length === segments.length * LEAF, 'table: number of hashes');
  return segments.map((segment, i) => ({ ...segment, leaf: leaves.slice(i * LEAF, (i + 1) * LEAF) }));
}

/** @param {Segment[]} segments packed @returns {Promise<Uint8Array>} the manifest's `merkle_root` */
export async function merkleRoot(segments) {
  const tree = new MerkleTree();
  for (const { leaf } of segments) await tree.push(leaf);
  return tree.root();
}

/** @param {Segment[]} segments @returns {number} bytes of the body */
export const bodySize = (segments) => segments.reduce((sum, segment) => sum + sealedLength(segment.plain_len), 0);

// ---------------------------------------------------------------- Merkle tree (RFC 9162 §2.1.1)

/** @param {Uint8Array} ciphertext @returns {Promise<Uint8Array>} the leaf's hash */
export const leafHash = (ciphertext) => sha256(concat(Uint8Array.of(0), ciphertext));

/** The tree's hash, fed leaf by leaf; keeps one hash per level. */
export class MerkleTree {
  #levels = []; // [level] = hash of a complete subtree of 2^level leaves not yet joined, or undefined

  /** @param {Uint8Array} leaf hash from `leafHash` */
  async push(leaf) {
    let hash = leaf;
    let level = 0;
    while (this.#levels[level]) {
      hash = await join(this.#levels[level], hash);
      this.#levels[level] = undefined;
      level += 1;
    }
    this.#levels[level] = hash;
  }

  /** @returns {Promise<Uint8Array>} root over the leaves so far */
  async root() {
    let hash = null;
    for (const left of this.#levels) {
      if (left) hash = hash ? await join(left, hash) : left;
    }
    return hash ?? sha256(new Uint8Array(0));
  }
}

const join = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

// ---------------------------------------------------------------- manifest (§4)

const REQUIRED = ['v', 'work', 'work_nonce', 'version', 'creator', 'issuer', 'title', 'name', 'media_type', 'size', 'terms', 'segments', 'body_size', 'table_digest', 'merkle_root', 'key_commitment', 'created'];
const OPTIONAL = ['mse', 'duration_ms', 'preview_digest'];
const int = (value, min, max = Number.MAX_SAFE_INTEGER) => Number.isSafeInteger(value) && value >= min && value <= max;
/** Controls, and what turns the order of the text that follows: `song\u202e3pm.exe` would look like `songexe.mp3`. */
const UNFIT = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
const text = (value, max) => typeof value === 'string' && value.length > 0 && value.isWellFormed() && utf8(value).length <= max && !UNFIT.test(value);

const ORIGIN = /^(https?):\/\/(\[[0-9a-f:]+\]|[a-z0-9_-][a-z0-9._-]*)(?::([1-9]\d{0,4}))?$/;
const OWN_PORT = { http: '80', https: '443' };
/** What browsers take for an IPv4 address (WHATWG URL, "ends in a number"): then it is one, in four decimal numbers. */
const ENDS_IN_NUMBER = /(^|\.)(\d+|0x[0-9a-f]*)\.?$/;
const IPV4 = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/;
/** IPv4 addresses in IPv6 are spelled in two ways by those who spell them. */
const MAPPED = /^\[::ffff:[0-9a-f]+:[0-9a-f]+\]$/;

function isIpv6(host) {
  try {
    return !MAPPED.test(host) && new URL(`http://${host}`).hostname === host;
  } catch {
    return false;
  }
}

/** @param {unknown} origin @returns {boolean} an http(s) origin in its one spelling (docs/FORMAT.md §4, `issuer`) */
export function isOrigin(origin) {
  if (typeof origin !== 'string' || origin.length > 267) return false;
  const [, scheme, host, port] = ORIGIN.exec(origin) ?? [];
  if (!scheme || Number(port) > 65_535 || port === OWN_PORT[scheme]) return false;
  if (host.startsWith('[')) return isIpv6(host);
  return !host.includes('..') && (!ENDS_IN_NUMBER.test(host) || IPV4.test(host));
}

/**
 * Checks the members' shapes; `openHeader` checks them against the file.
 * @param {object} manifest payload @throws {SatchelError} `malformed`
 */
export function checkManifest(manifest) {
  checkMembers(manifest, REQUIRED, OPTIONAL, 'manifest');
  const m = manifest;
  check(m.v === 1, 'manifest: another version of the format');
  check(isWorkId(m.work), 'manifest: work');
  b64uDecode(m.work_nonce, 16);
  check(int(m.version, 1), 'manifest: version');
  checkJwk(m.creator);
  check(isOrigin(m.issuer), 'manifest: issuer');
  check(text(m.title, 800) && [...m.title].length <= 200, 'manifest: title');
  check(text(m.name, 255) && !/[/\\]/.test(m.name) && m.name !== '.' && m.name !== '..', 'manifest: name');
  check(text(m.media_type, 255), 'manifest: media_type');
  check(m.mse === undefined || text(m.mse, 255), 'manifest: mse');
  check(m.duration_ms === undefined || int(m.duration_ms, 0), 'manifest: duration_ms');
  check(int(m.size, 0) && int(m.created, 0), 'manifest: size or created');
  checkTerms(m.terms);
  check(int(m.segments, 1, LIMITS.segments) && int(m.body_size, 0), 'manifest: segments or body_size');
  for (const name of ['table_digest', 'merkle_root', 'key_commitment']) b64uDecode(m[name], 32);
  if (m.preview_digest !== undefined) b64uDecode(m.preview_digest, 32);
}

/** @param {string} jws @returns {Promise<string>} what the issuer's record calls `manifest_digest` */
export const manifestDigest = async (jws) => b64uEncode(await sha256(utf8(jws)));

/**
 * Verifies signature, shape and that the work id follows from the signer.
 * @param {string} jws @returns {Promise<object>} the manifest
 * @throws {SatchelError} `malformed`, `bad_signature`
 */
export async function verifyManifest(jws) {
  const { payload } = parseJws(jws, TYP);
  // One spelling only, so that a manifest has one digest per content and signature.
  check(jws.startsWith(HEADER), 'manifest: another protected header');
  checkManifest(payload);
  await verifyJws(jws, payload.creator, TYP);
  check((await workId(payload.creator, b64uDecode(payload.work_nonce, 16))) === payload.work, 'manifest: the work is another creator’s');
  return payload;
}

// ---------------------------------------------------------------- writing

/** @param {number} manifest bytes @param {number} table bytes @returns {number} §1: the smallest multiple that holds them */
export function headerLength(manifest, table) {
  check(manifest <= LIMITS.manifest, 'manifest: too long');
  const length = Math.ceil((FIXED + manifest + table) / UNIT) * UNIT;
  check(length <= LIMITS.header, 'header: too long');
  return length;
}

/**
 * Encrypts the body. It doesn't depend on title, price or header, so a page can begin before it knows them.
 * @param {{work: string, contentKey: Uint8Array, segments: Segment[], source: Source,
 *          write: (at: number, bytes: Uint8Array) => unknown, salt?: (segment: number) => Uint8Array,
 *          onProgress?: (plainBytes: number) => void, signal?: AbortSignal}} options `at` counts from the body's start;
 *   `salt` is for tests only
 * @returns {Promise<{leaves: Uint8Array, bodySize: number, size: number}>} `leaves`: 32 bytes for each segment, for `buildHeader`
 * @throws {SatchelError} `source_changed` if the plan doesn't fit the source
 */
export async function packBody({ work, contentKey, segments, source, write, salt = () => randomBytes(24), onProgress, signal }) {
  checkSegments(segments);
  const size = segments.reduce((sum, segment) => sum + segment.plain_len, 0);
  if (size !== source.size) throw new SatchelError('source_changed', 'The file changed while it was being read', { next: 'Choose it again.' });
  const root = await windowRoot(contentKey, work);
  const leaves = new Uint8Array(segments.length * LEAF);
  let window = -1;
  let key = null;
  const seal = async (i, { plain_len: length }, from, windowsKey) => {
    const plain = await readExactly(source.read, from, from + length);
    // One byte in front is the Merkle leaf's prefix (0), so the hash needs no copy of the segment.
    const leaf = new Uint8Array(1 + sealedLength(length));
    await cobblestone.sealInto(leaf, 1, await segmentKey(await windowsKey, work, i), segmentContext(work, i), plain, salt(i));
    leaves.set(await sha256(leaf), i * LEAF);
    return leaf.subarray(1);
  };
  // Some segments are sealed while the one before is written: reading, sealing, hashing and writing wait for each other else.
  const ahead = [];
  let held = 0;
  let done = 0;
  let at = 0;
  const writeFirst = async () => {
    const { sealed, length } = ahead.shift();
    const bytes = await sealed;
    signal?.throwIfAborted();
    await write(at, bytes);
    at += bytes.length;
    held -= length;
    done += length;
    onProgress?.(done);
  };
  let from = 0;
  for (const [i, segment] of segments.entries()) {
    signal?.throwIfAborted();
    if (segment.window !== window) {
      window = segment.window;
      key = windowKey(root, work, window);
    }
    while (ahead.length > 0 && held + segment.plain_len > HELD) await writeFirst();
    const sealed = seal(i, segment, from, key);
    // One that fails is heard of when its turn comes, or not at all.
    sealed.catch(() => {});
    ahead.push({ sealed, length: segment.plain_len });
    held += segment.plain_len;
    from += segment.plain_len;
  }
  while (ahead.length > 0) await writeFirst();
  return { leaves, bodySize: at, size };
}

/**
 * Builds everything before the body: fixed fields, signed manifest, table, zeros, preview.
 * @param {{creatorKey: import('./keys.js').Key, nonce: Uint8Array, version?: number, issuer: string, title: string, name: string,
 *   mediaType: string, mse?: string, durationMs?: number, terms: Terms, contentKey: Uint8Array, segments: Segment[],
 *   leaves: Uint8Array, preview?: Uint8Array, created?: number}} options `leaves` are `packBody`'s, `created` is Unix seconds
 * @returns {Promise<{header: Uint8Array, manifest: string, digest: string, work: string}>} `header` includes the preview;
 *   `manifest` is the compact JWS, `digest` its digest
 */
export async function buildHeader(options) {
  const { creatorKey, nonce, version = 1, issuer, title, name, mediaType, mse, durationMs, terms, contentKey, leaves, preview = new Uint8Array(0), created = Math.floor(Date.now() / 1000) } = options;
  check(preview.length <= LIMITS.preview, 'preview: too long');
  const work = await workId(creatorKey.jwk, nonce);
  const segments = withLeaves(options.segments, leaves);
  const table = encodeTable(segments);
  const payload = {
    v: 1, work, work_nonce: b64uEncode(nonce), version, creator: creatorKey.jwk, issuer, title, name, media_type: mediaType,
    ...(mse !== undefined && { mse }),
    ...(durationMs !== undefined && { duration_ms: durationMs }),
    size: segments.reduce((sum, segment) => sum + segment.plain_len, 0),
    terms: { usd_micros: terms.usd_micros, use: terms.use, pay_more: terms.pay_more },
    segments: segments.length,
    body_size: bodySize(segments),
    table_digest: b64uEncode(await sha256(table)),
    ...(preview.length > 0 && { preview_digest: b64uEncode(await sha256(preview)) }),
    merkle_root: b64uEncode(await merkleRoot(segments)),
    key_commitment: b64uEncode(await keyCommitment(contentKey, work)),
    created,
  };
  checkManifest(payload);
  const manifest = await signJws(creatorKey, { typ: TYP }, payload);
  const length = headerLength(manifest.length, table.length);
  const header = new Uint8Array(length + preview.length);
  header.set(concat(MAGIC, u32be(length), u32be(manifest.length), u32be(table.length), u32be(preview.length), utf8(manifest), table));
  header.set(preview, length);
  return { header, manifest, digest: await manifestDigest(manifest), work };
}

/**
 * Packs a whole satchel: body first, header last.
 * @param {{write: (at: number, bytes: Uint8Array) => unknown}} sink
 * @param {Source} source plaintext
 * @param {object} options as `buildHeader` without `leaves`, and `salt`, `onProgress`, `signal` as `packBody`;
 *   `segments` default to `planFixed`, `contentKey` to a fresh one
 * @returns {Promise<{work: string, manifest: string, digest: string, contentKey: Uint8Array, size: number}>} `size` of the satchel
 */
export async function packTo(sink, source, options) {
  const { contentKey = randomBytes(32), segments = planFixed(source.size) } = options;
  const all = { created: Math.floor(Date.now() / 1000), ...options, contentKey, segments };
  // Digests have a fixed length, so a header with blank ones is as long as the real one.
  const reserved = await buildHeader({ ...all, leaves: new Uint8Array(segments.length * LEAF) });
  const bodyAt = reserved.header.length;
  const body = await packBody({ ...all, work: reserved.work, source, write: (at, bytes) => sink.write(bodyAt + at, bytes) });
  const { header, manifest, digest, work } = await buildHeader({ ...all, leaves: body.leaves });
  check(header.length === bodyAt, 'header: its length changed');
  await sink.write(0, header);
  return { work, manifest, digest, contentKey, size: bodyAt + body.bodySize };
}

// ---------------------------------------------------------------- reading

/**
 * Reads and checks a satchel's header: signature, work id, table, sizes, digests, padding.
 * @param {(from: number, to: number) => Promise<Uint8Array>} read bytes of the file (e.g. HTTP ranges)
 * @param {{size?: number}} [options] the file's size where it is known: it must fit the layout exactly
 * @returns {Promise<Satchel>}
 * @throws {SatchelError} `malformed`, `bad_signature`, `truncated`
 */
export async function openHeader(read, { size } = {}) {
  const first = await read(0, FIXED);
  // A short letter is no satchel cut short: a wrong magic is told however little there is.
  const isVersion = equal(first.subarray(0, 7), MAGIC.subarray(0, 7)) && first[7] >= 0x30 && first[7] <= 0x39;
  if (isVersion && first[7] !== MAGIC[7]) throw new SatchelError('other_version', 'This satchel is of another version of the format', { next: 'Open it with a newer version of this program.' });
  if (!equal(first.subarray(0, 8), MAGIC.subarray(0, first.length))) throw new SatchelError('not_a_satchel', 'This is not a .satchel file', { next: 'Choose a file whose name ends in .satchel.' });
  if (first.length < FIXED) throw truncated();
  const [headerLen, manifestLen, tableLen, previewLen] = [8, 12, 16, 20].map((at) => readU32(first, at));
  check(tableLen >= ENTRY && tableLen <= LIMITS.segments * ENTRY && previewLen <= LIMITS.preview, 'header: lengths');
  check(manifestLen > 0 && headerLength(manifestLen, tableLen) === headerLen, 'header: length');
  const rest = await readExactly(read, FIXED, headerLen);
  const jws = fromUtf8(rest.subarray(0, manifestLen));
  const table = rest.subarray(manifestLen, manifestLen + tableLen);
  check(rest.subarray(manifestLen + tableLen).every((byte) => byte === 0), 'header: padding is not zero');
  const manifest = await verifyManifest(jws);
  const segments = parseTable(table);
  check(b64uEncode(await sha256(table)) === manifest.table_digest, 'table: not the one that was signed');
  check(segments.length === manifest.segments, 'manifest: segments');
  check(segments.reduce((sum, segment) => sum + segment.plain_len, 0) === manifest.size, 'manifest: size');
  check(bodySize(segments) === manifest.body_size, 'manifest: body_size');
  check((previewLen > 0) === (manifest.preview_digest !== undefined), 'manifest: preview_digest');
  check(b64uEncode(await merkleRoot(segments)) === manifest.merkle_root, 'table: its hashes are not those that were signed');
  const satchel = new Satchel(manifest, jws, await manifestDigest(jws), segments, headerLen, previewLen);
  if (size !== undefined) {
    if (size < satchel.size) throw truncated();
    check(size === satchel.size, 'file: bytes after its end');
  }
  return satchel;
}

/** A satchel whose header was verified. Made by `openHeader`. */
export class Satchel {
  #offsets; // where each segment begins in the file; one more for the end

  constructor(manifest, jws, digest, segments, headerLen, previewLen) {
    /** The verified manifest (§4). */ this.manifest = manifest;
    /** Its compact JWS. */ this.jws = jws;
    /** Manifest digest, base64url: compare with the issuer's record before showing a price. */ this.digest = digest;
    /** @type {Segment[]} */ this.segments = segments;
    this.headerLen = headerLen;
    this.previewLen = previewLen;
    let at = headerLen + previewLen;
    this.#offsets = [at, ...segments.map((segment) => (at += sealedLength(segment.plain_len)))];
    /** Bytes of the whole file. */ this.size = at;
  }

  /** @returns {number} how many windows there are */
  get windows() {
    return this.segments.at(-1).window + 1;
  }

  /** @param {number} i @returns {{from: number, to: number}} its ciphertext in the file, `to` exclusive */
  segmentRange(i) {
    check(Number.isInteger(i) && i >= 0 && i < this.segments.length, 'no such segment');
    return { from: this.#offsets[i], to: this.#offsets[i + 1] };
  }

  /** Segments from..to (inclusive) lie together. @param {number} window @returns {{first: number, last: number}} */
  windowSegments(window) {
    const first = this.segments.findIndex((segment) => segment.window === window);
    check(first >= 0, 'no such window');
    let last = first;
    while (this.segments[last + 1]?.window === window) last += 1;
    return { first, last };
  }

  /** @param {number} ms presentation time @returns {number} the media segment to begin with after a seek there */
  segmentAt(ms) {
    let found = this.segments.findIndex((segment) => !(segment.flags & INIT));
    if (found < 0) found = 0;
    for (let i = found; i < this.segments.length && this.segments[i].start_ms <= ms; i += 1) {
      // Segments of one fragment group may share a start; the first of them holds the seek point.
      if (this.segments[i].start_ms > this.segments[found].start_ms) found = i;
    }
    return found;
  }

  /**
   * @param {number} i @param {Uint8Array} bytes its ciphertext (`segmentRange`)
   * @param {Uint8Array} key of its window, 32 bytes
   * @returns {Promise<Uint8Array>} plaintext
   * @throws {SatchelError} `wrong_key`, `tampered` (also where somebody who has the key sealed something else), `truncated`
   */
  async openSegment(i, bytes, key) {
    const { from, to } = this.segmentRange(i);
    if (bytes.length !== to - from) throw truncated();
    if (!equal(await leafHash(bytes), this.segments[i].leaf)) {
      throw new SatchelError('tampered', 'This file is not the one its creator signed', { next: 'Download the file again.' });
    }
    const { work } = this.manifest;
    return cobblestone.open(await segmentKey(key, work, i), segmentContext(work, i), bytes);
  }

  /**
   * Checks the commitment, then derives window keys on demand.
   * @param {Uint8Array} contentKey 32 bytes
   * @returns {Promise<(window: number) => Promise<Uint8Array>>}
   * @throws {SatchelError} `wrong_key`
   */
  async unlock(contentKey) {
    const { work, key_commitment: expected } = this.manifest;
    if (b64uEncode(await keyCommitment(contentKey, work)) !== expected) {
      throw new SatchelError('wrong_key', 'This key does not open this file', { next: 'Ask the issuer for the key again.' });
    }
    const root = await windowRoot(contentKey, work);
    return (window) => windowKey(root, work, window);
  }

  /**
   * Decrypts the whole file segment by segment; each comes out only if every byte of it was the creator's.
   * @param {(from: number, to: number) => Promise<Uint8Array>} read
   * @param {Uint8Array} contentKey
   * @param {{onProgress?: (plainBytes: number) => void, signal?: AbortSignal}} [options]
   * @yields {Uint8Array} plaintext of one segment after another
   */
  async *openAll(read, contentKey, { onProgress, signal } = {}) {
    const keyOf = await this.unlock(contentKey);
    let done = 0;
    for (const [i, segment] of this.segments.entries()) {
      signal?.throwIfAborted();
      const { from, to } = this.segmentRange(i);
      const bytes = await readExactly(read, from, to);
      const plain = await this.openSegment(i, bytes, await keyOf(segment.window));
      done += plain.length;
      onProgress?.(done);
      yield plain;
    }
  }

  /** @param {(from: number, to: number) => Promise<Uint8Array>} read @returns {Promise<Uint8Array>} the plain preview, verified; empty if none */
  async readPreview(read) {
    if (this.previewLen === 0) return new Uint8Array(0);
    const bytes = await readExactly(read, this.headerLen, this.headerLen + this.previewLen);
    if (b64uEncode(await sha256(bytes)) !== this.manifest.preview_digest) throw malformed('preview: not the one that was signed');
    return bytes;
  }
}
