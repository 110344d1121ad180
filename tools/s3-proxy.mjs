// Stands before wrangler's local S3 endpoint, as the address that browsers and workers are given.
// That endpoint lives on the site's own host, allows every CORS request and refuses pages of other
// hosts; the real one is another host with a CORS document. The Host header passes unchanged
// because the signature covers it.
import { createServer, request as send } from 'node:http';
import { answerPreflight, corsHeaders } from './cors.mjs';
import { listen } from './http.mjs';

/** The part of the address that the signature covers too. */
export const S3_PATH = '/cdn-cgi/local/r2/s3';
const HOP_BY_HOP = /^(connection|keep-alive|transfer-encoding)$/;
// What would tell the endpoint that a page of another host is asking.
const BROWSER_TRACES = /^(origin|referer|sec-.*)$/;

const without = (headers, pattern) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !pattern.test(name)));

function forward(request, response, { upstreamPort, origins }) {
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
  request.pipe(upstream);
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
    forward(request, response, { upstreamPort, origins });
  });
  const { port: bound, stop } = await listen(server, port);
  return { endpoint: `http://127.0.0.1:${bound}${S3_PATH}`, stop };
}
