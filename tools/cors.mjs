// Applies tools/cors.json, the document an operator sets on the bucket, the way object storage does:
// so that the local bucket refuses in a browser exactly what the real one would.
import { readFileSync } from 'node:fs';

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
