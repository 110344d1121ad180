// Requests to a stack: the client of our own pages with every error checked, and plain HTTP for
// what no client would send.
import { AssertionError } from 'node:assert';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { SatchelClient } from '../../sdk/js/src/index.js';
import { checkProblem } from './problem.mjs';

const REQUEST_MS = 90_000;
const NO_BODY = new Set([204, 304]);

/** A `fetch` that checks every error's shape and shows `note` every answer. */
export function watchedFetch(note) {
  return async (url, init) => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS), ...init });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const { status, headers } = answer;
    note?.({ url: String(url), status, headers, bytes });
    if (status >= 400) checkProblem({ status, headers, text: bytes.toString() }, undefined, String(url));
    return new Response(NO_BODY.has(status) ? null : bytes, { status, headers });
  };
}

/** An assertion that failed within a request must fail the test, not look like a lost connection. */
class WatchedClient extends SatchelClient {
  async request(...args) {
    try {
      return await super.request(...args);
    } catch (error) {
      throw error.cause instanceof AssertionError ? error.cause : error;
    }
  }
}

/** The client that our own pages use; `note` sees every answer. */
export const clientOf = ({ origin }, note) => new WatchedClient({ issuer: origin, fetch: watchedFetch(note) });

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/**
 * One request as given, answered with `{status, headers, bytes, text, json}`. `host` is the Host
 * header; the connection goes to the stack whatever it says.
 */
export async function send({ port }, { method = 'GET', path = '/', headers = {}, body, host }) {
  const options = { host: '127.0.0.1', port, method, path, agent, setHost: false };
  options.headers = { host: host ?? `localhost:${port}`, ...headers };
  if (body !== undefined && !('transfer-encoding' in headers) && !('content-length' in headers)) {
    options.headers['content-length'] = Buffer.byteLength(body);
  }
  try {
    return await exchange(options, body);
  } catch (error) {
    // A kept connection may be closed by the other side while the request is on its way.
    if (!error.reused) throw error;
    return exchange({ ...options, agent: false }, body);
  }
}

function exchange(options, body) {
  const { method, path } = options;
  return new Promise((done, failed) => {
    const sent = request(options, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', failed);
      answer.on('end', () => done(answered(answer, Buffer.concat(chunks))));
    });
    sent.setTimeout(REQUEST_MS, () => sent.destroy(new Error(`${method} ${path}: no answer`)));
    sent.on('error', (error) => failed(Object.assign(error, { reused: sent.reusedSocket && error.code === 'ECONNRESET' })));
    sent.end(body);
  });
}

function answered({ statusCode: status, rawHeaders }, bytes) {
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i], rawHeaders[i + 1]);
  const text = bytes.toString();
  return { status, headers, bytes, text, json: () => JSON.parse(text) };
}

/** A JSON request, answered as by `send`. */
export function post(stack, path, body, headers = {}) {
  const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return send(stack, { method: 'POST', path, body: sent, headers: { 'content-type': 'application/json', ...headers } });
}

/**
 * Writes bytes to a new connection and reads until it closes or falls silent: for requests that no
 * HTTP library would send. Gives the status line's number (0 where there was no answer) and the text.
 */
export function sendRaw({ port }, bytes, { quietMs = 5_000, half = false } = {}) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      done({ status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text });
    };
    const timer = setTimeout(end, quietMs);
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += chunk;
      if (isWhole(text)) end();
    });
    socket.on('error', end);
    socket.on('close', end);
    socket.write(bytes, () => {
      if (half) setTimeout(() => socket.destroy(), 20);
    });
  });
}

/** Whether a whole answer has come, so that nobody waits for the connection to close. */
function isWhole(text) {
  const [head, ...rest] = text.split('\r\n\r\n');
  if (!rest.length) return false;
  const body = rest.join('\r\n\r\n');
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length !== undefined) return body.length >= Number(length);
  return /^transfer-encoding: *chunked/im.test(head) && body.endsWith('0\r\n\r\n');
}
