// tools/cors.json says which pages may speak to the bucket, and how. This sets it on a bucket of any S3 server
// (PutBucketCors), and applies it to the local bucket the way object storage does: so that the local one refuses in a
// browser exactly what the real one would.
//   node tools/cors.mjs --endpoint URL --bucket NAME --origin https://WALLET_ORIGIN [--style virtual] [--region auto]
//   node tools/cors.mjs … --print    shows the document and sends nothing
// The key: S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_SESSION_TOKEN of the environment. What is not given is taken from
// workers/upload/wrangler.toml and wrangler.toml.
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Told, isMain, main } from './proc.mjs';

const [RULE] = JSON.parse(readFileSync(new URL('./cors.json', import.meta.url), 'utf8')).rules;

/** The CORS headers for a request whose Origin is one of `origins`; undefined if none apply. */
export function corsHeaders(request, origins) {
  const origin = request.headers.origin;
  const method = request.headers['access-control-request-method'] ?? request.method;
  if (!origin || !origins.includes(origin) || !RULE.allowed.methods.includes(method)) return undefined;
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': RULE.exposeHeaders.join(', '),
    vary: 'Origin',
  };
}

/** Answers a preflight; true if the request was one. */
export function answerPreflight(request, response, origins) {
  if (request.method !== 'OPTIONS') return false;
  const headers = corsHeaders(request, origins);
  const wanted = (request.headers['access-control-request-headers'] ?? '').toLowerCase();
  const names = wanted.split(',').map((name) => name.trim()).filter(Boolean);
  if (!headers || names.some((name) => !RULE.allowed.headers.includes(name))) {
    response.writeHead(403).end();
    return true;
  }
  response.writeHead(204, {
    ...headers,
    'access-control-allow-methods': RULE.allowed.methods.join(', '),
    'access-control-allow-headers': RULE.allowed.headers.join(', '),
    'access-control-max-age': String(RULE.maxAgeSeconds),
  });
  response.end();
  return true;
}

const each = (name, values) => values.map((value) => `<${name}>${escape(value)}</${name}>`).join('');
const escape = (text) => String(text).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

/** The same rule as S3 takes it. */
export function corsXml(origins) {
  const { methods, headers } = RULE.allowed;
  const rule = [
    each('AllowedOrigin', origins), each('AllowedMethod', methods), each('AllowedHeader', headers),
    each('ExposeHeader', RULE.exposeHeaders), each('MaxAgeSeconds', [RULE.maxAgeSeconds]),
  ];
  return `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule>${rule.join('')}</CORSRule></CORSConfiguration>`;
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

/** A bucket's address: `ENDPOINT/BUCKET`, or `BUCKET.ENDPOINT` in virtual-host style. */
export function bucketUrl({ endpoint, bucket, style = 'path' }) {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, '');
  if (style === 'virtual') url.hostname = `${bucket}.${url.hostname}`;
  else if (style !== 'path') throw new Told('--style is path or virtual');
  url.pathname = style === 'virtual' ? `${path}/` : `${path}/${bucket}`;
  return url;
}

/** A request to the bucket itself, signed in its headers (AWS Signature Version 4). */
export function signedRequest(where, method, subresource, body, { accessKeyId, secretAccessKey, sessionToken }, now = new Date()) {
  const url = bucketUrl(where);
  url.search = `?${subresource}=`;
  const second = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const day = second.slice(0, 8);
  const region = where.region ?? 'auto';
  const headers = {
    ...(body && { 'content-md5': createHash('md5').update(body).digest('base64'), 'content-type': 'application/xml' }),
    'x-amz-content-sha256': sha256(body ?? ''),
    'x-amz-date': second,
    ...(sessionToken && { 'x-amz-security-token': sessionToken }),
  };
  const all = Object.entries({ ...headers, host: url.host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = all.map(([name]) => name).join(';');
  const canonical = [method, url.pathname, url.search.slice(1), ...all.map(([name, value]) => `${name}:${value}`), '', names, headers['x-amz-content-sha256']];
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', second, scope, sha256(canonical.join('\n'))].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce(hmac, `AWS4${secretAccessKey}`);
  const signature = hmac(key, text).toString('hex');
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { url: url.href, method, headers, body };
}

/** Sets the document on a bucket {endpoint, bucket, style, region}. */
export async function putCors(where, origins, credentials) {
  const { url, ...init } = signedRequest(where, 'PUT', 'cors', corsXml(origins), credentials);
  const answer = await fetch(url, init);
  if (!answer.ok) throw new Told(`${where.endpoint} answers ${answer.status}:\n${(await answer.text()).slice(0, 2000)}`);
}

if (isMain(import.meta)) {
  await main(async () => {
    const text = { type: 'string' };
    const { values } = parseArgs({
      options: { endpoint: text, bucket: text, region: text, style: text, origin: { type: 'string', multiple: true }, print: { type: 'boolean' } },
    });
    const { readConfig } = await import('./workers.mjs');
    const { vars } = readConfig('upload');
    const where = {
      endpoint: values.endpoint ?? vars.S3_ENDPOINT, bucket: values.bucket ?? vars.S3_BUCKET,
      region: values.region ?? vars.S3_REGION, style: values.style ?? vars.S3_STYLE,
    };
    const origins = values.origin ?? [readConfig('gateway').vars.WALLET_ORIGIN];
    if (values.print) {
      console.log(corsXml(origins));
      return;
    }
    const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey, S3_SESSION_TOKEN: sessionToken } = process.env;
    if (!accessKeyId || !secretAccessKey) throw new Told('S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are not set');
    await putCors(where, origins, { accessKeyId, secretAccessKey, sessionToken });
    console.log(`${where.bucket}: pages of ${origins.join(', ')} may upload`);
  });
}
