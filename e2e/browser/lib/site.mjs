// Somebody's website on 127.0.0.1: bodies and headers by path, and what was asked of it.
import { createServer } from 'node:http';
import { listen } from '../../../tools/http.mjs';

/** @returns {Promise<{port: number, stop: () => Promise<void>, visit: Function}>} */
export async function startSite() {
  const pages = new Map();
  const { port, stop } = await listen(createServer((request, response) => {
    const { body = '', head = '', headers = {}, lang = 'en', raw } = pages.get(request.url) ?? {};
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers });
    response.end(raw ?? `<!doctype html><html lang="${lang}"><meta name="viewport" content="width=device-width"><title>A page</title><link rel="icon" href="data:,">${head}<h1>A page</h1>${body}</html>`);
  }));
  /** Puts a page there and opens it. */
  const visit = async ({ context }, path, page, host = '127.0.0.1') => {
    pages.set(path, page);
    const tab = await context.newPage();
    await tab.goto(`http://${host}:${port}${path}`);
    return tab;
  };
  return { port, stop, visit };
}
