// A bucket in memory for raw workerd. One server, two dialects: the protocol of workerd's R2 binding
// (metadata JSON, then the body), and S3 with presigned URLs for whoever uploads. It lives in the
// test's own process, so that its contents outlive a workerd that is killed.
import { createServer } from 'node:http';
import { BucketError, MemoryBucket } from './bucket.mjs';
import { listen, readBody } from './http.mjs';
import { S3_PREFIX, answerS3 } from './s3.mjs';

const METADATA_SIZE = 'cf-r2-metadata-size';

/** An object as the binding's JSON; md5 only where the etag is one. */
const describe = (object, range) => ({
  name: object.key,
  version: object.version,
  size: object.size,
  etag: object.etag,
  uploaded: object.uploaded,
  httpFields: object.httpFields ?? {},
  customFields: object.customFields ?? [],
  range: range ?? { offset: 0, length: object.size },
  checksums: object.etag.length === 32 ? { 0: object.etag } : {},
});

function parseRangeHeader(text) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(text ?? '');
  if (!found || (!found[1] && !found[2])) return undefined;
  if (!found[1]) return { suffix: Number(found[2]) };
  const offset = Number(found[1]);
  return found[2] ? { offset, length: Number(found[2]) - offset + 1 } : { offset };
}

const numbers = (range = {}) =>
  Object.fromEntries(Object.entries(range).map(([name, value]) => [name, Number(value)]));

/** Runs one binding command; gives the metadata to answer with, and perhaps a body. */
function runCommand(bucket, command, value) {
  const { method, object: key } = command;
  switch (method) {
    case 'head':
      return { metadata: describe(bucket.head(key)) };
    case 'get': {
      const asked = parseRangeHeader(command.rangeHeader) ?? numbers(command.range);
      const { object, range, bytes } = bucket.get(key, asked);
      return { metadata: describe(object, range), body: bytes };
    }
    case 'put':
      return { metadata: describe(bucket.put(key, value, command)) };
    case 'delete':
      for (const name of command.objects ?? [key]) bucket.delete(name);
      return {};
    case 'list': {
      const { objects, truncated } = bucket.list(command);
      const described = objects.map((object) => describe(object));
      return { metadata: { objects: described, truncated, delimitedPrefixes: [] } };
    }
    case 'createMultipartUpload':
      return { metadata: { uploadId: bucket.createUpload(key, command) } };
    case 'uploadPart': {
      const part = bucket.putPart(key, command.uploadId, command.partNumber, value);
      return { metadata: { etag: part.etag } };
    }
    case 'completeMultipartUpload': {
      const named = command.parts.map(({ part, etag }) => ({ number: part, etag }));
      return { metadata: describe(bucket.completeUpload(key, command.uploadId, named)) };
    }
    case 'abortMultipartUpload':
      bucket.abortUpload(key, command.uploadId);
      return {};
    default:
      throw new BucketError(400, 10029, 'InvalidArgument', `unknown method ${method}`);
  }
}

/** A read carries its command in a header, a write before its value in the body. */
async function readCommand(request) {
  const header = request.headers['cf-r2-request'];
  if (header) return { command: JSON.parse(header) };
  const body = await readBody(request);
  const size = Number(request.headers[METADATA_SIZE]);
  return { command: JSON.parse(body.subarray(0, size).toString()), value: body.subarray(size) };
}

async function answerBinding(bucket, request, response) {
  try {
    const { command, value } = await readCommand(request);
    const { metadata, body = Buffer.alloc(0) } = runCommand(bucket, command, value);
    if (!metadata) return void response.writeHead(200).end();
    const json = Buffer.from(JSON.stringify(metadata));
    response.writeHead(200, {
      [METADATA_SIZE]: json.length,
      'content-type': 'application/json',
      'content-length': json.length + body.length,
    });
    response.write(json);
    response.end(body);
  } catch (error) {
    const known = error instanceof BucketError ? error : new BucketError(500, 10001, '', String(error));
    const described = { version: 1, v4code: known.code, message: known.message };
    response.writeHead(known.status, { 'cf-r2-error': JSON.stringify(described) }).end();
  }
}

/**
 * Starts the bucket. `credentials` {accessKeyId, secretAccessKey} and `origins` (those the CORS
 * document names) concern the S3 side, which is at `endpoint`.
 */
export async function startBucket({ port = 0, bucketName = 'satchel-files', ...s3 } = {}) {
  const bucket = new MemoryBucket();
  const server = createServer((request, response) => {
    if (!request.url.startsWith(`${S3_PREFIX}/`)) return answerBinding(bucket, request, response);
    return answerS3({ bucket, bucketName, ...settings }, request, response);
  });
  const settings = { origins: [], ...s3 };
  const { port: bound, stop } = await listen(server, port);
  /** Sets what is known only once the stack's own ports are. */
  const configure = (more) => Object.assign(settings, more);
  return { bucket, port: bound, endpoint: `http://127.0.0.1:${bound}${S3_PREFIX}`, configure, stop };
}
