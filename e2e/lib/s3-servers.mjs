// Other people's S3 servers, installed into the cache when a soak first asks for them.
import { existsSync, mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { CACHE, freePort, must, spawnGuarded, stopGroup } from '../../tools/proc.mjs';
import { pythonWith } from './python.mjs';
import { until } from './until.mjs';

const S3S = '0.14.1';
const MOTO = 'moto[server,s3]==5.2.5';
export const BUCKET = 'satchel-files';
export const CREDENTIALS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

function running(command, args) {
  const child = spawnGuarded(command, args, { stdio: 'ignore' });
  return () => stopGroup(child);
}

/** s3s-fs (Rust): verifies every signature, and knows both ways to name a bucket. */
export async function startS3s(dir, style) {
  const home = join(CACHE, 'tools', `s3s-fs-${S3S}`);
  const program = join(home, 'bin', 's3s-fs');
  if (!existsSync(program)) await must('cargo', ['install', 's3s-fs', '--version', S3S, '--features', 'binary', '--locked', '--root', home]);
  mkdirSync(join(dir, BUCKET), { recursive: true });
  const port = await freePort();
  const args = ['--host', '127.0.0.1', '--port', String(port), '--access-key', CREDENTIALS.accessKeyId, '--secret-key', CREDENTIALS.secretAccessKey];
  const stop = await running(program, [...args, ...(style === 'virtual' ? ['--domain', `localhost:${port}`] : []), dir]);
  const endpoint = `http://localhost:${port}`;
  await until('s3s-fs listens', () => fetch(endpoint).then((answer) => answer.status));
  return { endpoint, stop };
}

/** moto (Python): believes every signature, but knows much more of S3's API, CORS among it. */
export async function startMoto() {
  const python = await pythonWith('moto', [MOTO]);
  if (python.missing) return python;
  const port = await freePort();
  const stop = await running(python.bin('moto_server'), ['-H', '127.0.0.1', '-p', String(port)]);
  const endpoint = `http://localhost:${port}`;
  await until('moto listens', () => fetch(endpoint).then((answer) => answer.status), { ms: 90_000 });
  await fetch(`${endpoint}/${BUCKET}`, { method: 'PUT' });
  return { endpoint, stop };
}

/** A request to an address whose host only we know: `satchel-files.localhost` is in no directory of names. */
export function ask(method, { url, headers = {} }, body = Buffer.alloc(0)) {
  const { hostname, port, pathname, search, host } = new URL(url);
  if (!/(^|\.)localhost$/.test(hostname)) throw new Error(`${hostname} is elsewhere`);
  const length = method === 'PUT' || method === 'POST' ? { 'content-length': body.length } : {};
  return new Promise((done, failed) => {
    const options = { host: '127.0.0.1', port, method, path: pathname + search, setHost: false, headers: { host, ...length, ...headers } };
    const asking = request(options, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const text = bytes.toString();
      done({ status: answer.statusCode, headers: answer.headers, bytes, text, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] });
    });
    asking.once('error', failed).end(body);
  });
}
