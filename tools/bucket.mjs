// An object store in memory, with the rules of R2 that our code could run into.
import { createHash, randomBytes } from 'node:crypto';

const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_KEY_BYTES = 1024;
const md5 = (bytes) => createHash('md5').update(bytes).digest('hex');

/** What R2 calls the mistake (name and code), and the HTTP status of both dialects. */
export class BucketError extends Error {
  constructor(status, code, s3Code, message) {
    super(message);
    Object.assign(this, { status, code, s3Code });
  }
}

const noSuchKey = () => new BucketError(404, 10007, 'NoSuchKey', 'The specified key does not exist.');
const noSuchUpload = () =>
  new BucketError(404, 10024, 'NoSuchUpload', 'The specified multipart upload does not exist.');
const invalidPart = () =>
  new BucketError(400, 10025, 'InvalidPart', 'One or more of the specified parts could not be found.');
const tooSmall = () =>
  new BucketError(400, 10011, 'EntityTooSmall', 'A part is smaller than the minimum allowed size.');
const unequalParts = () =>
  new BucketError(400, 10048, 'InvalidPart', 'All non-trailing parts must have the same length.');
const preconditionFailed = () =>
  new BucketError(412, 10031, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.');
const badDigest = () =>
  new BucketError(400, 10037, 'BadDigest', 'The checksum you specified did not match what we received.');
const invalidRange = () =>
  new BucketError(416, 10039, 'InvalidRange', 'The requested range is not satisfiable.');

function checkKey(key) {
  if (key && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  throw new BucketError(400, 10020, 'InvalidArgument', 'The specified object name is not valid.');
}

export class MemoryBucket {
  #objects = new Map();
  #uploads = new Map();

  put(key, bytes, { httpFields = {}, customFields = [], etag = md5(bytes) } = {}) {
    const about = { key: checkKey(key), size: bytes.length, etag, httpFields, customFields };
    const object = { ...about, bytes, version: randomBytes(16).toString('hex'), uploaded: Date.now() };
    this.#objects.set(key, object);
    return object;
  }

  /** Refuses where a condition of `If-None-Match: *` does not hold. */
  checkAbsent(key) {
    if (this.#objects.has(key)) throw preconditionFailed();
  }

  /** Refuses bytes whose SHA-256 is another one than the client said. */
  checkSha256(bytes, expected) {
    if (createHash('sha256').update(bytes).digest('base64') !== expected) throw badDigest();
  }

  head(key) {
    const object = this.#objects.get(checkKey(key));
    if (!object) throw noSuchKey();
    return object;
  }

  /** An object and the bytes of a range {offset, length, suffix}, cut to the object's size. */
  get(key, { offset = 0, length, suffix } = {}) {
    const object = this.head(key);
    const start = suffix === undefined ? offset : Math.max(0, object.size - suffix);
    const end = suffix === undefined ? Math.min(start + (length ?? object.size), object.size) : object.size;
    if (start > object.size || (end <= start && object.size > 0)) throw invalidRange();
    const range = { offset: start, length: end - start };
    return { object, range, bytes: object.bytes.subarray(start, end) };
  }

  delete(key) {
    this.#objects.delete(key);
  }

  list({ prefix = '', startAfter = '', limit = 1000 } = {}) {
    const keys = [...this.#objects.keys()].sort();
    const wanted = keys.filter((key) => key.startsWith(prefix) && key > startAfter);
    const objects = wanted.slice(0, limit).map((key) => this.#objects.get(key));
    return { objects, truncated: wanted.length > limit };
  }

  createUpload(key, { httpFields, customFields } = {}) {
    const id = randomBytes(24).toString('base64url');
    this.#uploads.set(id, { key: checkKey(key), parts: new Map(), httpFields, customFields });
    return id;
  }

  #upload(key, id) {
    const upload = this.#uploads.get(id);
    if (upload?.key !== key) throw noSuchUpload();
    return upload;
  }

  putPart(key, id, number, bytes) {
    const upload = this.#upload(key, id);
    if (!Number.isInteger(number) || number < 1 || number > 10_000) throw invalidPart();
    const part = { number, bytes, etag: randomBytes(16).toString('hex') };
    upload.parts.set(number, part);
    return part;
  }

  parts(key, id) {
    return [...this.#upload(key, id).parts.values()].sort((a, b) => a.number - b.number);
  }

  /** Joins the named parts [{number, etag}]; equal sizes of 5 MiB or more, the last may be less. */
  completeUpload(key, id, named) {
    const upload = this.#upload(key, id);
    const parts = named.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      if (part?.etag !== etag) throw invalidPart();
      return part;
    });
    if (!parts.length) throw invalidPart();
    parts.sort((a, b) => a.number - b.number);
    const sizes = parts.map(({ bytes }) => bytes.length);
    if (sizes.slice(0, -1).some((size) => size < MIN_PART_BYTES)) throw tooSmall();
    if (sizes.slice(0, -1).some((size) => size !== sizes[0]) || sizes.at(-1) > sizes[0]) throw unequalParts();
    this.#uploads.delete(id);
    const whole = md5(Buffer.concat(parts.map(({ bytes }) => createHash('md5').update(bytes).digest())));
    const bytes = Buffer.concat(parts.map((part) => part.bytes));
    return this.put(key, bytes, { ...upload, etag: `${whole}-${parts.length}` });
  }

  abortUpload(key, id) {
    this.#upload(key, id);
    this.#uploads.delete(id);
  }
}
