// Stands in for the assets binding on raw workerd: the built site from a disk service, with the
// rules of its _headers file.
const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  webp: 'image/webp',
  ico: 'image/x-icon',
  txt: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
  woff2: 'font/woff2',
  webmanifest: 'application/manifest+json',
};

function toPattern(path) {
  const escaped = path.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*/g, '.*').replace(/:[a-z]\w*/gi, '[^/]+')}$`);
}

/** `_headers`: a path, then indented lines "Name: value", or "! Name" to take one away. */
export function parseHeaders(text) {
  const rules = [];
  for (const line of text.split('\n')) {
    if (!line.trim() || line.trim().startsWith('#')) continue;
    if (!/^\s/.test(line)) rules.push({ pattern: toPattern(line.trim()), set: [], unset: [] });
    else if (line.trim().startsWith('!')) rules.at(-1).unset.push(line.trim().slice(1).trim());
    else rules.at(-1).set.push(line.trim().split(/:\s*(.*)/s).slice(0, 2));
  }
  return rules;
}

function applyRules(rules, path, headers) {
  const own = new Set();
  for (const { pattern, set, unset } of rules) {
    if (!pattern.test(path)) continue;
    for (const name of unset) headers.delete(name);
    for (const [name, value] of set) {
      // A rule replaces what the server set, and adds to what an earlier rule set.
      if (own.has(name.toLowerCase())) headers.append(name, value);
      else headers.set(name, value);
      own.add(name.toLowerCase());
    }
  }
}

let rules;

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    rules ??= parseHeaders(env.HEADERS);
    const hidden = pathname.endsWith('/') || pathname === '/_headers';
    const file = hidden ? undefined : await env.SITE.fetch(`http://site${pathname}`);
    const headers = new Headers();
    applyRules(rules, pathname, headers);
    // For a folder the disk service answers a listing.
    if (!file?.ok || file.headers.get('content-type') === 'application/json') {
      return new Response(null, { status: 404, headers });
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response(null, { status: 405, headers });
    }
    const answer = new Headers({ 'cache-control': 'public, max-age=0, must-revalidate' });
    answer.set('content-type', TYPES[pathname.split('.').pop()] ?? 'application/octet-stream');
    applyRules(rules, pathname, answer);
    return new Response(request.method === 'HEAD' ? null : file.body, { headers: answer });
  },
};
