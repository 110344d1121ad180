// Twin of workers/gateway: which host, which path, to whom. Requests and answers pass as streams.
import { OPEN, json, problem } from './common.mjs';

const API = {
  quotes: 'PURCHASE',
  orders: 'PURCHASE',
  keys: 'PURCHASE',
  intake: 'PURCHASE',
};
const PAGES = { f: 'FILES', embed: 'WIDGET', w: 'WIDGET', 'widget.js': 'WIDGET' };
const PLAIN = /^[A-Za-z0-9\-_.~]+$/;
const isPlain = (segment) => segment !== '.' && segment !== '..' && PLAIN.test(segment);

let hosts;

function hostsOf(env) {
  const host = (origin) => new URL(origin).hostname;
  return { public: host(env.ISSUER), wallet: host(env.WALLET_ORIGIN) };
}

export default {
  async fetch(request, env) {
    hosts ??= hostsOf(env);
    const { hostname, pathname } = new URL(request.url);
    const onPublic = hostname === hosts.public;
    if (!onPublic && hostname !== hosts.wallet) return problem(421, 'misdirected_request', OPEN);
    const segments = pathname.slice(1).split('/');
    if (!segments.every(isPlain)) return problem(404, 'not_found', OPEN);
    const [first, second] = segments;
    if (first === 'v1' && API[second]) return env[API[second]].fetch(request);
    if (pathname === '/v1/health') {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return problem(405, 'method_not_allowed', { ...OPEN, allow: 'GET, HEAD' });
      }
      return json({ ok: true }, OPEN);
    }
    if (onPublic && PAGES[first]) return env[PAGES[first]].fetch(request);
    return problem(404, 'not_found', OPEN);
  },
};
