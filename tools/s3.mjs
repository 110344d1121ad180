// The S3 dialect of the bucket in memory: presigned requests for objects and multipart uploads,
// with the signature checked and the CORS document applied.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { BucketError } from './bucket.mjs';
import { answerPreflight, corsHeaders } from './cors.mjs';
import { readBody } from './http.mjs';

export const S3_PREFIX = '/s3';

const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const denied = (why) => new BucketError(403, 0, 'AccessDenied', why);
const xml = (text) => `<?xml version="1.0" encoding="UTF-8"?>${text}`;
const escape = (text) => String(text).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

/** The query as it was signed: every pair but the signature, sorted. */
function canonicalQuery(search) {
  const pairs = search.slice(1).split('&').filter((pair) => !pair.startsWith('X-Amz-Signature='));
  return pairs.map((pair) => (pair.includes('=') ? pair : `${pair}=`)).sort().join('&');
}

function canonicalHeaders(request, names) {
  return names.map((name) => `${name}:${(request.headers[name] ?? '').trim()}\n`).join('');
}

/** Verifies a presigned URL (AWS Signature Version 4, unsigned payload). */
function verify(request, url, { accessKeyId, secretAccessKey }) {
  const query = url.searchParams;
  const [id, day, region, service] = (query.get('X-Amz-Credential') ?? '').split('/');
  const date = query.get('X-Amz-Date') ?? '';
  const made = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (!id || id !== accessKeyId || service !== 's3') throw denied('No such access key.');
  if (!(Date.now() < made + Number(query.get('X-Amz-Expires')) * 1000)) throw denied('Request has expired');
  const signed = query.get('X-Amz-SignedHeaders') ?? '';
  const names = signed.split(';');
  const what = [request.method, url.pathname, canonicalQuery(url.search)];
  what.push(canonicalHeaders(request, names), signed, 'UNSIGNED-PAYLOAD');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(what.join('\n'))].join('\n');
  const key = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${secretAccessKey}`, day), region));
  const expected = hmac(key, text);
  const given = Buffer.from(query.get('X-Amz-Signature') ?? '', 'hex');
  const same = given.length === expected.length && timingSafeEqual(given, expected);
  if (!same) throw new BucketError(403, 0, 'SignatureDoesNotMatch', 'The signature does not match.');
}

const unquote = (etag) => etag.replace(/^(&quot;|&#34;|")|(&quot;|&#34;|")$/g, '');

function namedParts(body) {
  const parts = [...body.matchAll(/<Part>([\s\S]*?)<\/Part>/g)].map(([, part]) => part);
  const field = (part, name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(part)?.[1] ?? '';
  return parts.map((part) => ({
    number: Number(field(part, 'PartNumber')),
    etag: unquote(field(part, 'ETag')),
  }));
}

function listParts(bucket, key, id) {
  const parts = bucket.parts(key, id).map(({ number, etag, bytes }) => {
    const fields = `<PartNumber>${number}</PartNumber><ETag>&quot;${etag}&quot;</ETag>`;
    return `<Part>${fields}<Size>${bytes.length}</Size></Part>`;
  });
  return { body: xml(`<ListPartsResult>${parts.join('')}</ListPartsResult>`) };
}

async function multipart({ bucket, bucketName }, request, key, query) {
  const id = query.get('uploadId');
  if (request.method === 'POST' && query.has('uploads')) {
    const made = bucket.createUpload(key, { httpFields: httpFields(request) });
    const fields = `<Bucket>${bucketName}</Bucket><Key>${escape(key)}</Key><UploadId>${made}</UploadId>`;
    return { body: xml(`<InitiateMultipartUploadResult>${fields}</InitiateMultipartUploadResult>`) };
  }
  if (request.method === 'PUT') {
    const part = bucket.putPart(key, id, Number(query.get('partNumber')), await readBody(request));
    return { headers: { etag: `"${part.etag}"` } };
  }
  if (request.method === 'POST') {
    const named = namedParts((await readBody(request)).toString());
    if (request.headers['if-none-match'] === '*') bucket.checkAbsent(key);
    const { etag } = bucket.completeUpload(key, id, named);
    const fields = `<Location>${escape(request.url.split('?')[0])}</Location><Bucket>${bucketName}</Bucket><Key>${escape(key)}</Key><ETag>&quot;${etag}&quot;</ETag>`;
    return { body: xml(`<CompleteMultipartUploadResult>${fields}</CompleteMultipartUploadResult>`) };
  }
  if (request.method === 'GET') return listParts(bucket, key, id);
  bucket.abortUpload(key, id);
  return { status: 204 };
}

const httpFields = (request) =>
  request.headers['content-type'] ? { contentType: request.headers['content-type'] } : {};

function read(bucket, request, key) {
  const found = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const last = found?.[2] ? Number(found[2]) : Infinity;
  const asked = found ? { offset: Number(found[1]), length: last - Number(found[1]) + 1 } : {};
  const { object, range, bytes } = bucket.get(key, asked);
  const headers = { etag: `"${object.etag}"`, 'accept-ranges': 'bytes', 'content-length': bytes.length };
  headers['content-type'] = object.httpFields?.contentType ?? 'application/octet-stream';
  if (!found) return { headers, body: bytes };
  const end = range.offset + range.length - 1;
  headers['content-range'] = `bytes ${range.offset}-${end}/${object.size}`;
  return { status: 206, headers, body: bytes };
}

async function run(store, request, url) {
  const [name, ...rest] = url.pathname.slice(S3_PREFIX.length + 1).split('/');
  const key = decodeURIComponent(rest.join('/'));
  if (name !== store.bucketName) throw new BucketError(404, 0, 'NoSuchBucket', 'No such bucket.');
  const query = url.searchParams;
  if (query.has('uploads') || query.has('uploadId')) return multipart(store, request, key, query);
  switch (request.method) {
    case 'PUT': {
      const bytes = await readBody(request);
      const { 'if-none-match': absent, 'x-amz-checksum-sha256': digest } = request.headers;
      if (absent === '*') store.bucket.checkAbsent(key);
      if (digest) store.bucket.checkSha256(bytes, digest);
      const object = store.bucket.put(key, bytes, { httpFields: httpFields(request) });
      return { headers: { etag: `"${object.etag}"` } };
    }
    case 'GET':
    case 'HEAD':
      return read(store.bucket, request, key);
    case 'DELETE':
      store.bucket.delete(key);
      return { status: 204 };
    default:
      throw new BucketError(405, 0, 'MethodNotAllowed', 'Method not allowed.');
  }
}

/** Answers one S3 request for `store` {bucket, bucketName, credentials, origins}. */
export async function answerS3(store, request, response) {
  if (answerPreflight(request, response, store.origins)) return;
  const cors = corsHeaders(request, store.origins);
  try {
    const url = new URL(request.url, `http://${request.headers.host}`);
    verify(request, url, store.credentials ?? {});
    const { status = 200, headers, body = '' } = await run(store, request, url);
    response.writeHead(status, { ...headers, ...cors });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch (error) {
    const known = error instanceof BucketError ? error : new BucketError(500, 0, 'InternalError', String(error));
    const text = `<Code>${known.s3Code}</Code><Message>${escape(known.message)}</Message>`;
    response.writeHead(known.status, { 'content-type': 'application/xml', ...cors });
    response.end(xml(`<Error>${text}</Error>`));
  }
}
