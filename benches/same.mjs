// Whether two peers do the same job: the same status, headers and body, but for the time of signing.
const PASSING = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive']);
const JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const read = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

/** A JSON value with members in order, signed documents opened, and without when they were signed. */
function comparable(value) {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === 'string' && JWS.test(value)) {
    const [head, payload] = value.split('.');
    const { iat: _, ...claims } = read(payload);
    return { head: comparable(read(head)), claims: comparable(claims) };
  }
  if (value === null || typeof value !== 'object') return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, comparable(value[name])]));
}

async function describe(url, init) {
  const answer = await fetch(url, init);
  const headers = [...answer.headers].filter(([name]) => !PASSING.has(name)).sort();
  const bytes = Buffer.from(await answer.arrayBuffer());
  const isJson = /json/.test(answer.headers.get('content-type') ?? '');
  const body = isJson ? comparable(JSON.parse(bytes)) : bytes.toString('base64');
  return { ok: answer.ok, text: JSON.stringify({ status: answer.status, headers, body }) };
}

/** Asks both peers {url, init}; throws unless both answer well and alike. */
export async function sameAnswer(name, ours, theirs) {
  const [our, their] = [await describe(...ours), await describe(...theirs)];
  const short = (text) => (text.length > 1500 ? `${text.slice(0, 1500)}…` : text);
  if (!our.ok) throw new Error(`${name}: ${short(our.text)}`);
  if (our.text === their.text) return;
  throw new Error(`${name}: the twin answers otherwise\n  ours   ${short(our.text)}\n  theirs ${short(their.text)}`);
}
