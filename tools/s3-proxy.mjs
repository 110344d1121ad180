// Stands before wrangler's local S3 endpoint, as the address that browsers and workers are given.
// That endpoint lives on the site's own host, allows every CORS request and refuses pages of other
// hosts; the real one is another host with a CORS document. The Host header passes unchanged
// because the signature covers it. What that endpoint leaves out of the real one's rules for objects is
// added: `If-None-Match: *` when parts are put together, and the checksum of an object put at once.
import { createHash } from 'node:crypto';
import { createServer, request as send } from 'node:http';
import { answerPreflight, corsHeaders } from './cors.mjs';
import { listen, readBody } from './http.mjs';

/** The part of the address that the signature covers too. */
export const S3_PATH = '/cdn-cgi/local/r2/s3';
const HOP_BY_HOP = /^(connection|keep-alive|transfer-encoding)$/;
// What would tell the endpoint that a page of another host is asking.
const BROWSER_TRACES = /^(origin|referer|sec-.*)$/;

const without = (headers, pattern) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !pattern.test(name)));

/** Whether the endpoint's bucket has an object: asked where anybody may, since a look needs another signature. */
function isThere(path, upstreamPort) {
  const [key] = path.slice(S3_PATH.length).split('?');
  const target = { host: '127.0.0.1', port: upstreamPort, path: `/cdn-cgi/local/r2/public${key}`, method: 'HEAD' };
  return new Promise((done, failed) => {
    send(target, (answer) => done(answer.resume().statusCode === 200)).once('error', failed).end();
  });
}

function refuse(request, response, origins, status, code) {
  request.resume();
  response.writeHead(status, { 'content-type': 'application/xml', ...corsHeaders(request, origins) });
  response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`);
}

async function forwardChecked(request, response, { upstreamPort, origins }) {
  const { 'if-none-match': absent, 'x-amz-checksum-sha256': digest } = request.headers;
  if (request.method === 'POST' && absent === '*' && (await isThere(request.url, upstreamPort))) {
    return refuse(request, response, origins, 412, 'PreconditionFailed');
  }
  let body = request;
  if (digest) {
    const bytes = await readBody(request);
    if (createHash('sha256').update(bytes).digest('base64') !== digest) return refuse(request, response, origins, 400, 'BadDigest');
    body = bytes;
  }
  return forward(request, response, { upstreamPort, origins }, body);
}

function forward(request, response, { upstreamPort, origins }, body) {
  const headers = without(request.headers, BROWSER_TRACES);
  const target = { host: '127.0.0.1', port: upstreamPort, path: request.url, method: request.method };
  const upstream = send({ ...target, headers }, (answer) => {
    const kept = without(without(answer.headers, HOP_BY_HOP), /^access-control-/);
    response.writeHead(answer.statusCode, { ...kept, ...corsHeaders(request, origins) });
    answer.pipe(response);
  });
  upstream.on('error', () => {
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
  response.on('close', () => upstream.destroy());
  if (body === request) request.pipe(upstream);
  else upstream.end(body);
}

/**
 * Starts the proxy on 127.0.0.1; `origins` are those the CORS document names. `meddle`, if given, sees every request
 * after its preflight and may answer it itself, badly: then it gives true.
 */
export async function startS3Proxy({ port, upstreamPort, origins, meddle }) {
  const server = createServer((request, response) => {
    if (answerPreflight(request, response, origins)) return;
    if (!request.url.startsWith(`${S3_PATH}/`)) return void response.writeHead(404).end();
    if (meddle?.(request, response, corsHeaders(request, origins))) return;
    forwardChecked(request, response, { upstreamPort, origins }).catch(() => refuse(request, response, origins, 502, 'BadGateway'));
  });
  const { port: bound, stop } = await listen(server, port);
  return { endpoint: `http://127.0.0.1:${bound}${S3_PATH}`, stop };
}
