// Range requests that clients make and that nobody should, each with what RFC 9110 says of it, worked out here apart from the
// worker's own reading.

/** @param {number} seed the same one gives the same requests */
export function randomOf(seed) {
  let state = BigInt(seed);
  const below = (limit) => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & ((1n << 64n) - 1n);
    return Number((state >> 33n) % BigInt(Math.max(1, Math.floor(limit))));
  };
  const pick = (list) => list[below(list.length)];

  /** A Range header and the bytes it means: `null` all of them, `undefined` none. */
  function header(size) {
    const from = below(size * 1.2);
    const to = below(size * 1.2);
    const kinds = [
      () => (from <= to ? [`bytes=${from}-${to}`, part(from, to)] : [`bytes=${from}-${to}`, null]),
      () => [`bytes=${from}-`, part(from, size - 1)],
      () => [`bytes=-${to}`, to === 0 ? undefined : [Math.max(0, size - to), size]],
      () => [`bytes=${from}-${from}`, part(from, from)],
      () => [`bytes=${from}-99999999999999999999999999`, part(from, size - 1)],
      () => [`bytes=${'9'.repeat(30 + below(200))}-`, undefined],
      () => [`bytes=-${'9'.repeat(30)}`, [0, size]],
      () => [`bytes=000${from}-`, part(from, size - 1)],
      () => [` bytes=${from}- `, part(from, size - 1)],
      () => [`BYTES=${from}-`, part(from, size - 1)],
      () => [`bytes=${from}-,`, part(from, size - 1)],
      // Several parts, other units and what is no range at all: the whole file.
      () => [`bytes=0-1,${from}-`, null],
      () => [pick(['bytes', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=1', 'bytes=1-2-3', 'bytes=--1', 'bytes=+1-2', 'bytes=0x1-2', 'bytes=1.5-2', 'bytes 0-1', 'items=0-1', '=0-1', 'bytes=1 -2', 'bytes=٣-٤', 'bytes=%30-', 'bytes:0-1', 'none', 'bytes=\u0001-']), null],
      () => [undefined, null],
    ];
    const part = (first, last) => (first >= size ? undefined : [first, Math.min(last, size - 1) + 1]);
    return pick(kinds)();
  }

  return {
    /** @returns {{method: string, headers: object, status: number, bytes?: [number, number]}} */
    range(size, etag) {
      const [range, found] = header(size);
      const method = below(12) === 0 ? 'HEAD' : 'GET';
      const headers = {};
      // Header values travel as bytes.
      if (range !== undefined) headers.range = Buffer.from(range).toString('latin1').replaceAll('\u0001', '!');
      const ifRange = pick([undefined, undefined, undefined, etag, `W/${etag}`, '"other"', 'Sat, 22 Nov 2025 10:00:00 GMT']);
      if (ifRange) headers['if-range'] = ifRange;
      const ifNone = pick([...Array(8).fill(undefined), etag, `W/${etag}`, '"other"', '*', `"a", ${etag}`]);
      if (ifNone) headers['if-none-match'] = ifNone;
      if (ifNone && ifNone !== '"other"') return { method, headers, status: 304 };
      const counts = method === 'GET' && (ifRange === undefined || ifRange === etag);
      if (!counts || found === null || range === undefined) return { method, headers, status: 200, bytes: [0, size] };
      if (found === undefined) return { method, headers, status: 416 };
      return { method, headers, status: 206, bytes: found };
    },
  };
}
