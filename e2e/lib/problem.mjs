// The one place that knows what an error looks like: RFC 9457 with the codes of docs/API.md §4.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const API = readFileSync(new URL('../../docs/API.md', import.meta.url), 'utf8');

/** Every documented code and its status, read from the document itself. */
export const CODES = new Map(
  [...API.matchAll(/^\| (`[a-z_` /]+) \| ([\d /]+) \|/gm)].flatMap(([, names, statuses]) => {
    const codes = [...names.matchAll(/`([a-z_]+)`/g)].map(([, code]) => code);
    const numbers = statuses.split('/').map(Number);
    return codes.map((code, i) => [code, numbers[i] ?? numbers[0]]);
  }),
);
assert.ok(CODES.size >= 35, `docs/API.md lists ${CODES.size} codes; was its table changed?`);

/** Codes that some request of this process was answered with. */
export const seen = new Set();

/**
 * Checks that an answer is a problem document, with `code` where one is given.
 * @param {{status: number, headers: Headers, text: string}} answer
 */
export function checkProblem({ status, headers, text }, code, what = '') {
  const told = `${what} → ${status} ${text.slice(0, 400)}`;
  assert.equal(headers.get('content-type'), 'application/problem+json', told);
  const problem = JSON.parse(text);
  assert.ok(CODES.has(problem.code), `undocumented code: ${told}`);
  if (code) assert.equal(problem.code, code, told);
  seen.add(problem.code);
  assert.equal(problem.type, `urn:satchel:problem:${problem.code}`, told);
  assert.equal(problem.status, status, told);
  assert.equal(status, CODES.get(problem.code), `another status than documented: ${told}`);
  assert.ok(typeof problem.title === 'string' && problem.title, `no title: ${told}`);
  for (const member of ['detail', 'next']) {
    const good = !(member in problem) || (typeof problem[member] === 'string' && problem[member]);
    assert.ok(good, `${member}: ${told}`);
  }
  assert.equal(headers.get('cache-control'), 'no-store', told);
  assert.equal(headers.get('x-content-type-options'), 'nosniff', told);
  assert.equal(headers.get('access-control-allow-origin'), '*', told);
  assert.equal(headers.get('access-control-allow-credentials'), null, told);
  if (status === 405) assert.match(headers.get('allow') ?? '', /^[A-Z]+(, [A-Z]+)*$/, told);
  if (status === 429) assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/, told);
  return problem;
}

/** Runs `action`, which must be refused with `code`; gives the refusal. */
export async function refused(code, action, what = '') {
  let done;
  try {
    done = await action();
  } catch (error) {
    if (error.name !== 'SatchelError') throw error;
    assert.equal(error.code, code, `${what} ${error.message}`);
    return error;
  }
  return assert.fail(`${what}: should be refused with ${code}, but was answered ${JSON.stringify(done)}`);
}
