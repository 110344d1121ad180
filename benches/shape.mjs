// Whether two peers do the same job: the same status, headers and kind of body.
const PASSING = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive']);
const JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** What has to be equal of a JSON value: its members and the kinds of their values. */
function shapeOf(value) {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value === 'string' && JWS.test(value)) {
    const [head, payload] = value.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    return { head: JSON.parse(head), payload: shapeOf(JSON.parse(payload)) };
  }
  if (value === null || typeof value !== 'object') return typeof value;
  const members = Object.keys(value).sort();
  return Object.fromEntries(members.map((name) => [name, shapeOf(value[name])]));
}

async function describe(url, init) {
  const answer = await fetch(url, init);
  const headers = [...answer.headers.keys()].filter((name) => !PASSING.has(name)).sort();
  const body = Buffer.from(await answer.arrayBuffer());
  const isJson = /json/.test(answer.headers.get('content-type') ?? '');
  const content = isJson ? shapeOf(JSON.parse(body)) : body.toString('base64');
  return { answer, body, shape: JSON.stringify({ status: answer.status, headers, content }) };
}

/** Asks both peers; throws unless both answer well and alike. Gives our answer. */
export async function sameShape(name, [ourUrl, ourInit], [theirUrl, theirInit]) {
  const ours = await describe(ourUrl, ourInit);
  const theirs = await describe(theirUrl, theirInit);
  const short = (text) => (text.length > 1500 ? `${text.slice(0, 1500)}…` : text);
  if (!ours.answer.ok) throw new Error(`${name}: ${ours.answer.status} ${short(ours.body.toString())}`);
  if (ours.shape !== theirs.shape) {
    throw new Error(`${name}: the twin answers otherwise\n  ours   ${short(ours.shape)}\n  theirs ${short(theirs.shape)}`);
  }
  return ours;
}
