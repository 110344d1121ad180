// A storage on a bad day, in front of the real one: it refuses, forgets its answers, cuts connections and stalls. What
// arrives whole is remembered by its hash, so that a test can say what was sent twice.
import { createHash } from 'node:crypto';

const SLOW_DOWN = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';

/** @returns {{upload: string, part: number}|null} of a part's PUT */
function partOf(request) {
  const query = new URL(request.url, 'http://storage.invalid').searchParams;
  const [upload, part] = [query.get('uploadId'), Number(query.get('partNumber'))];
  return request.method === 'PUT' && upload && part ? { upload, part } : null;
}

/**
 * @param {{every: number, stalls?: number}} day of so many part requests one fails, in turn by each of the ways; `stalls` of them stall
 * @returns {{meddle: Function, seen: {asked: number, failed: number, bytes: number, kinds: object, uploads: Map<string, Map<number, Set<string>>>}}}
 *   `meddle` is for the proxy
 */
export function badDay({ every, stalls = 0 }) {
  const seen = { asked: 0, failed: 0, bytes: 0, kinds: {}, uploads: new Map() };

  function remember({ upload, part }, request) {
    const hash = createHash('sha256');
    request.on('data', (chunk) => {
      seen.bytes += chunk.length;
      hash.update(chunk);
    });
    request.on('end', () => {
      if (!seen.uploads.has(upload)) seen.uploads.set(upload, new Map());
      const parts = seen.uploads.get(upload);
      if (!parts.has(part)) parts.set(part, new Set());
      parts.get(part).add(hash.digest('hex'));
    });
  }

  const ways = {
    refuse(request, response, cors) {
      request.resume().on('end', () => response.writeHead(503, { ...cors, 'content-type': 'application/xml' }).end(SLOW_DOWN));
    },
    cut(request) {
      // In the middle of the body.
      request.once('data', () => setTimeout(() => request.socket.destroy(), 5));
    },
    stall(request) {
      request.pause();
    },
  };

  function meddle(request, response, cors) {
    const part = partOf(request);
    if (!part) return false;
    seen.asked += 1;
    remember(part, request);
    if (seen.asked % every !== 1) return false;
    seen.failed += 1;
    const kind = seen.failed <= stalls ? 'stall' : seen.failed % 2 ? 'refuse' : 'cut';
    seen.kinds[kind] = (seen.kinds[kind] ?? 0) + 1;
    ways[kind](request, response, cors);
    return true;
  }
  return { meddle, seen };
}
