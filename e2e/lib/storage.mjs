// Uploading as any S3 client does: presigned requests, answers in XML.
import assert from 'node:assert/strict';

const REQUEST_MS = 120_000;

/** One presigned request; gives status, headers and text, and the storage's name for what went wrong. */
export async function ask(method, { url, headers = {} }, body, more = {}) {
  const answer = await fetch(url, { method, headers: { ...headers, ...more }, body, signal: AbortSignal.timeout(REQUEST_MS) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] };
}

/** The same, which must succeed. */
export async function done(method, signed, body, more) {
  const answer = await ask(method, signed, body, more);
  assert.ok(answer.status < 300 && !answer.code, `${method} ${new URL(signed.url).pathname}: ${answer.status} ${answer.text}`);
  return answer;
}

export const uploadIdOf = (xml) => /<UploadId>([^<]+)<\/UploadId>/.exec(xml)?.[1];

/** What completes a multipart upload; `tags` from part 1. */
export const partList = (tags) => {
  const parts = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
  return `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
};

/** An upload of `work` on its way: what a client holds, and the steps it takes. */
export async function begin(wallet, work, { version = work.version ?? 1, size = work.packed.length } = {}) {
  const { client, creator } = wallet;
  const begun = await client.startUpload(creator, work, { version, size });
  const sign = (request) => client.signUpload(creator, begun.upload, { key: begun.key, ...request });
  const piece = (number) => work.packed.subarray((number - 1) * begun.part_size, number * begun.part_size);
  const create = async () => uploadIdOf((await done('POST', await sign({ method: 'POST' }))).text);
  const part = async (uploadId, partNumber) => {
    const answer = await done('PUT', await sign({ method: 'PUT', uploadId, partNumber }), piece(partNumber));
    return answer.headers.get('etag');
  };
  const complete = async (uploadId, tags) => ask('POST', await sign({ method: 'POST', uploadId }), partList(tags));
  return { ...begun, sign, piece, create, part, complete };
}
