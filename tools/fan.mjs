// The demonstration's third party: serves the plain page site/fan/ on another host than Satchel's.
import { createServer } from 'node:http';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { listen } from './http.mjs';
import { inRoot } from './proc.mjs';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
};

const ASK = `<!doctype html><html lang="en"><meta charset="utf-8"><title>A fan page</title>
<meta name="viewport" content="width=device-width">
<style>body{font:1.1rem/1.5 system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}button{font:inherit;margin-top:1rem}</style>
<h1>Which work does this page sell?</h1>
<p>This is somebody else's website. Publish something in <a href="{{STUDIO}}">the studio</a>,
then paste its link or id here.</p>
<form><label>Link or work id<input name="work" required autofocus></label>
<button>Show the page with the widget</button></form></html>`;

/** The work id in an id or a link; characters that no id has can reach no page. */
const workIn = (text) => /wrk_[a-z0-9]+/.exec(text ?? '')?.[0];

function pageFile(folder, path) {
  const name = normalize(path === '/' ? '/index.html' : path);
  const file = join(folder, name);
  return file.startsWith(folder) && existsSync(file) && statSync(file).isFile() ? file : undefined;
}

function answer(request, { folder, origin, walletOrigin }) {
  const url = new URL(request.url, 'http://fan');
  const file = pageFile(folder, decodeURIComponent(url.pathname));
  if (!file) return { status: 404, type: 'text/plain', body: 'Nothing here.' };
  const type = TYPES[extname(file)] ?? 'application/octet-stream';
  if (!type.startsWith('text/html')) return { status: 200, type, body: readFileSync(file) };
  const work = workIn(url.searchParams.get('work'));
  const text = readFileSync(file, 'utf8');
  const page = text.includes('{{WORK}}') && !work ? ASK : text;
  const values = { ORIGIN: origin, WORK: work ?? '', STUDIO: `${walletOrigin}/studio` };
  const body = page.replace(/\{\{(ORIGIN|WORK|STUDIO)\}\}/g, (_, name) => values[name]);
  return { status: 200, type, body };
}

/** Serves a folder on 127.0.0.1; pages get {{ORIGIN}} and, from ?work=, {{WORK}}. */
export async function startFan({ port, origin, walletOrigin, folder = inRoot('site', 'fan') }) {
  const server = createServer((request, response) => {
    let reply = { status: 400, type: 'text/plain', body: 'Bad request.' };
    try {
      reply = answer(request, { folder, origin, walletOrigin });
    } catch {
      // A path that does not decode.
    }
    response.writeHead(reply.status, { 'content-type': reply.type, 'cache-control': 'no-store' });
    response.end(reply.body);
  });
  const { port: bound, stop } = await listen(server, port);
  return { origin: `http://127.0.0.1:${bound}`, stop };
}
