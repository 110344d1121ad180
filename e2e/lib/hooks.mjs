// A receiver of webhooks on this machine: keeps what it is sent, and answers as it is told to.
import { createServer } from 'node:http';

/** @returns {Promise<{url: string, got: {headers: object, body: string}[], answer: (status: number) => void, stop: () => Promise<void>}>} */
export async function receiver() {
  const got = [];
  let status = 204;
  const server = createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      got.push({ headers: request.headers, body: Buffer.concat(pieces).toString(), status });
      response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    got,
    answer: (next) => (status = next),
    stop: () => new Promise((done) => {
      server.closeAllConnections();
      server.close(done);
    }),
  };
}
