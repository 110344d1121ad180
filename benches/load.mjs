// The load generator: a keep-alive HTTP/1.1 client on bare sockets, in a process of its own so that
// its work is never counted as the server's. Jobs come and results go over the process's channel.
import { connect } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const ms = () => Number(process.hrtime.bigint()) / 1e6;

/** A request as the bytes that go over the wire. */
function encode({ method = 'GET', path, headers = {}, body = '' }, host) {
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${host}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body) lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Reads answers off a socket: calls `done` with status and the first bytes of the body. */
class Reader {
  #held = Buffer.alloc(0);
  #left = 0;
  #chunked = false;
  #status = 0;
  #start = '';

  constructor(done) {
    this.done = done;
  }

  push(chunk) {
    let data = this.#held.length ? Buffer.concat([this.#held, chunk]) : chunk;
    for (;;) {
      if (this.#status && !this.#chunked) {
        const taken = Math.min(this.#left, data.length);
        this.#keep(data, taken);
        this.#left -= taken;
        data = data.subarray(taken);
        if (this.#left > 0) break;
        this.#end();
      } else if (this.#status) {
        const rest = this.#chunk(data);
        if (rest === undefined) break;
        data = rest;
      } else {
        const end = data.indexOf(HEAD_END);
        if (end < 0) break;
        this.#head(data.latin1Slice(0, end));
        data = data.subarray(end + 4);
      }
      if (!data.length && !(this.#status && !this.#chunked && this.#left === 0)) break;
    }
    this.#held = this.#status && !this.#chunked ? Buffer.alloc(0) : data;
  }

  #head(text) {
    this.#status = Number(text.slice(9, 12));
    this.#chunked = /\r\ntransfer-encoding: *chunked/i.test(text);
    this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    this.#start = '';
  }

  #keep(data, length) {
    if (this.#status >= 300 && this.#start.length < 400) this.#start += data.latin1Slice(0, length);
  }

  /** One chunk off the front; undefined while it is not all there. */
  #chunk(data) {
    const line = data.indexOf('\r\n');
    if (line < 0) return undefined;
    const size = Number.parseInt(data.latin1Slice(0, line), 16);
    const end = line + 2 + size + 2;
    if (data.length < end) {
      this.#held = data;
      return undefined;
    }
    this.#keep(data.subarray(line + 2), size);
    if (size === 0) this.#end();
    return data.subarray(end);
  }

  #end() {
    const [status, start] = [this.#status, this.#start];
    this.#status = 0;
    this.done(status, start);
  }
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/**
 * Runs one job {port, host, requests, connections, seconds?, expect?}. With `seconds` the requests go
 * round until the time is over; without, each is sent once. All answers are waited for; one that is
 * no success (or not the status to `expect`) is a failure.
 */
function run({ port, host, requests, connections, seconds, expect }) {
  const wire = requests.map((request) => encode(request, host));
  const times = [];
  const sockets = [];
  let failed = 0;
  let failure;
  let next = 0;
  let open = 0;
  const began = ms();
  const end = seconds ? began + seconds * 1000 : Infinity;
  const more = () => (seconds ? ms() < end : next < wire.length);
  const fail = (what) => {
    failed += 1;
    failure ??= what;
  };
  return new Promise((done) => {
    const finish = () => {
      for (const socket of sockets) socket.removeAllListeners().on('error', () => {}).destroy();
      const took = (ms() - began) / 1000;
      times.sort((a, b) => a - b);
      const p = { p50: at(times, 0.5), p99: at(times, 0.99) };
      done({ count: times.length, seconds: took, failed, failure, ...p });
    };
    const client = () => {
      let sent = 0;
      const send = () => {
        if (!more()) return (open -= 1) || finish();
        sent = ms();
        socket.write(wire[next % wire.length]);
        next += 1;
      };
      const answered = (status, start) => {
        times.push(ms() - sent);
        if (expect ? status !== expect : status < 200 || status > 299) fail(`${status} ${start}`);
        send();
      };
      const broken = (error) => {
        socket.removeAllListeners().on('error', () => {}).destroy();
        fail(String(error ?? 'connection closed'));
        open -= 1;
        if (!open) finish();
      };
      const reader = new Reader(answered);
      const socket = connect(port, '127.0.0.1', send).setNoDelay();
      socket.on('data', (chunk) => reader.push(chunk)).on('error', broken);
      socket.on('end', () => broken());
      sockets.push(socket);
    };
    open = Math.min(connections, seconds ? connections : wire.length);
    for (let i = open; i > 0; i -= 1) client();
  });
}

process.on('message', async (job) => process.send(await run(job)));
process.on('disconnect', () => process.exit(0));
