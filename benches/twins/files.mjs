// Twin of workers/files: a range of an object, the body passed on as a stream.
import { OPEN, problem } from './common.mjs';

const PATH = /^\/f\/(wrk_[a-z2-7]{52})\/([1-9]\d{0,9})\.satchel$/;

function describe(object, work) {
  const { offset = 0, length = object.size } = object.range ?? {};
  return {
    offset,
    length,
    headers: {
      ...OPEN,
      etag: object.httpEtag,
      'cache-control': 'public, max-age=31536000, immutable',
      'accept-ranges': 'bytes',
      'content-length': String(length),
      'content-type': 'application/vnd.satchel',
      'content-disposition': `attachment; filename="${work}.satchel"`,
      'x-content-type-options': 'nosniff',
    },
  };
}

export default {
  async fetch(request, env) {
    const [, work, version] = PATH.exec(new URL(request.url).pathname) ?? [];
    if (!work) return problem(404, 'unknown_work', OPEN);
    const key = `${work}/${version}.satchel`;
    const ranged = request.headers.has('range');
    const object = await env.BUCKET.get(key, ranged ? { range: request.headers } : undefined);
    if (!object) return problem(404, 'unknown_work', OPEN);
    const { offset, length, headers } = describe(object, work);
    if (!ranged) return new Response(object.body, { headers });
    headers['content-range'] = `bytes ${offset}-${offset + length - 1}/${object.size}`;
    return new Response(object.body, { status: 206, headers });
  },
};
