// The little that our local servers share.

/** Starts a server on 127.0.0.1; gives its port and a function that ends it at once. */
export async function listen(server, port = 0) {
  await new Promise((done, failed) => {
    server.once('error', failed).listen(port, '127.0.0.1', done);
  });
  const stop = () =>
    new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    });
  return { port: server.address().port, stop };
}

export async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
