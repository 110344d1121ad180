// From the click to the first frame, in Chromium, through a proxy that is slow for every peer alike: our player, the same media
// unencrypted by plain ranges from nginx, and the same media as HLS in hls.js from nginx.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { SatchelClient, format, generateKey, keyFromSeed, b64uEncode, randomBytes, workId } from '../sdk/js/src/index.js';
import { planMp4 } from '../sdk/js/src/plan.js';
import { freePort, inRoot, spawnGuarded, stopGroup, which } from '../tools/proc.mjs';
import { until } from '../e2e/lib/until.mjs';
import { makeAccounts } from './fixtures.mjs';
import { median } from './measure.mjs';
import { scratch } from './serve.mjs';

const DELAY_MS = 25;
const BYTES_PER_MS = 5_000_000 / 8 / 1000;
const PIECE = 8 * 1024;
const SECONDS = 60;

/** Into the middle of a group of pictures, for every peer alike. */
const SEEK_S = SECONDS * 0.8 + 0.5;

/** A line of 5 Mbit/s down and 25 ms each way, shared by all connections through it. */
async function slowLine(port) {
  let free = 0;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    const end = () => (client.destroy(), upstream.destroy());
    for (const socket of [client, upstream]) socket.setNoDelay().on('error', end).on('close', end);
    client.on('data', (chunk) => setTimeout(() => upstream.writable && upstream.write(chunk), DELAY_MS));
    upstream.on('data', (chunk) => {
      upstream.pause();
      const pieces = [];
      for (let at = 0; at < chunk.length; at += PIECE) pieces.push(chunk.subarray(at, at + PIECE));
      let left = pieces.length;
      for (const piece of pieces) {
        free = Math.max(free, performance.now()) + piece.length / BYTES_PER_MS;
        setTimeout(() => {
          if (client.writable) client.write(piece);
          if ((left -= 1) === 0) upstream.resume();
        }, free - performance.now() + DELAY_MS);
      }
    });
  });
  const own = await freePort();
  await new Promise((done) => server.listen(own, '127.0.0.1', done));
  return { origin: `http://localhost:${own}`, stop: () => new Promise((done) => (server.close(done), server.closeAllConnections?.(), done())) };
}

function makeFilm(dir) {
  const path = join(dir, 'film.mp4');
  const picture = ['-f', 'lavfi', '-i', `testsrc2=duration=${SECONDS}:size=640x360:rate=24,noise=alls=12:allf=t`];
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=330:duration=${SECONDS}`];
  const video = ['-c:v', 'libx264', '-profile:v', 'main', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast', '-b:v', '1500k', '-maxrate', '1500k', '-bufsize', '1500k', '-g', '48', '-keyint_min', '48', '-sc_threshold', '0'];
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...picture, ...sound, ...video, '-c:a', 'aac', '-b:a', '96k', '-frag_duration', '500000', '-movflags', '+frag_keyframe+empty_moov+default_base_moof', path]);
  // What a plain server would have: the index first. A browser reads a fragmented file to its end before it plays it.
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', path, '-c', 'copy', '-movflags', '+faststart', join(dir, 'root', 'film.mp4')]);
  return readFileSync(path);
}

/** The same segments as plain files and a playlist, as a server of HLS would have them. */
function asHls(dir, bytes, plan) {
  let at = 0;
  let list = `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n#EXT-X-PLAYLIST-TYPE:VOD\n`;
  plan.segments.forEach((segment, i) => {
    const name = segment.flags ? `${i}.mp4` : `${i}.m4s`;
    writeFileSync(join(dir, name), bytes.subarray(at, (at += segment.plain_len)));
    const next = plan.segments[i + 1]?.start_ms ?? plan.duration_ms;
    list += segment.flags ? `#EXT-X-MAP:URI="${name}"\n` : `#EXTINF:${((next - segment.start_ms) / 1000).toFixed(3)},\n${name}\n`;
  });
  writeFileSync(join(dir, 'media.m3u8'), `${list}#EXT-X-ENDLIST\n`);
  const codecs = /codecs="([^"]*)"/.exec(plan.mse)[1].replaceAll(' ', '');
  writeFileSync(join(dir, 'index.m3u8'), `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=1800000,CODECS="${codecs}"\nmedia.m3u8\n`);
}

async function startNginx(dir, root) {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ');
  const types = 'types { video/mp4 mp4 m4s; application/vnd.apple.mpegurl m3u8; text/html html; text/javascript js; }';
  writeFileSync(join(dir, 'nginx.conf'), `${process.getuid() === 0 ? 'user root; ' : ""}pid ${dir}/pid; error_log ${dir}/error.log; worker_processes 1; daemon off; events {} http { ${types} access_log off; ${temporary} server { listen 127.0.0.1:${port}; root ${root}; } }`);
  const child = spawnGuarded(which('nginx'), ['-c', join(dir, 'nginx.conf'), '-p', dir], { stdio: 'ignore' });
  await until('nginx', () => fetch(`http://127.0.0.1:${port}/`).then(({ status }) => status === 200), { ms: 10_000 });
  return { port, stop: () => stopGroup(child) };
}

async function sellFilm(stack, bytes, plan) {
  const client = new SatchelClient({ issuer: stack.issuer });
  const [creator, seller] = [await generateKey(), await generateKey()];
  const nonce = randomBytes(16);
  const work = { work: await workId(creator.jwk, nonce), nonce };
  const terms = { pay_more: false, usd_micros: 1_000, use: 'stream' };
  const parts = [];
  const about = { creatorKey: creator, nonce, issuer: stack.issuer, title: 'A film', name: 'film.mp4', mediaType: 'video/mp4', terms, segments: plan.segments, mse: plan.mse, durationMs: plan.duration_ms };
  const packed = await format.packTo({ write: (at, chunk) => void parts.push([at, chunk.slice()]) }, format.bytesSource(bytes), about);
  const whole = Buffer.alloc(packed.size);
  for (const [at, chunk] of parts) whole.set(chunk, at);
  await client.register(creator, work, { title: 'A film', mediaType: 'video/mp4', terms, payee: seller.jkt });
  stack.bucket.bucket.put(`${work.work}/1.satchel`, whole);
  await client.intake(creator, work, packed);
  const record = await client.publish(creator, work, { manifest: packed.manifest, terms });
  return { ...work, record };
}

/** A receipt for a key that a page can be given. */
async function owned(stack, { work }) {
  const client = new SatchelClient({ issuer: stack.issuer });
  const [{ account, device }] = await makeAccounts(stack, 1);
  const seed = randomBytes(32);
  const key = await keyFromSeed(seed);
  const quote = await client.quote(work);
  const { jws } = await client.makeOrder({ key: device, account, quote, cnf: key.jkt });
  return { seed: b64uEncode(seed), receipt: (await client.order(jws)).receipt };
}

const HARNESS = `
import { openWork } from '${inRoot('site/src/player/main.js')}';
import { SatchelClient } from '${inRoot('sdk/js/src/client.js')}';
import { keyFromSeed } from '${inRoot('sdk/js/src/keys.js')}';
import { b64uDecode } from '${inRoot('sdk/js/src/bytes.js')}';
self.prepare = async ({ issuer, seed }) => { self.key = await keyFromSeed(b64uDecode(seed, 32)); self.client = new SatchelClient({ issuer, base: location.origin }); };
self.begin = { ours: ({ receipt, shown }) => openWork({ stage: document.querySelector('#stage'), client: self.client, key: self.key, receipt, shown, listing: {}, autoplay: true, say() {}, emit() {}, fail(error) { self.trouble = String(error.stack); } }) };
`;

const MEASURE = `
self.begin = self.begin ?? {};
self.begin.plain = ({ url }) => { const video = document.createElement('video'); video.muted = true; document.querySelector('#stage').append(video); video.src = url; video.play(); };
self.begin.hls = ({ url }) => { const video = document.createElement('video'); video.muted = true; document.querySelector('#stage').append(video); const hls = new Hls(); hls.loadSource(url); hls.attachMedia(video); video.play(); };
self.click = (peer, options) => new Promise((done) => {
  const from = performance.now();
  performance.clearResourceTimings();
  self.begin[peer](options);
  const look = () => {
    const video = document.querySelector('video');
    if (!video) return setTimeout(look, 1);
    video.muted = true;
    video.requestVideoFrameCallback(() => done({ ms: performance.now() - from, asked: performance.getEntriesByType('resource').filter(({ startTime }) => startTime >= from).map(({ name, startTime, responseEnd }) => ({ name, startTime, responseEnd })) }));
  };
  look();
});
self.seek = (to) => new Promise((done) => {
  const video = document.querySelector('video');
  const from = performance.now();
  video.currentTime = to;
  const look = () => video.currentTime > to + 0.1 && video.readyState >= 3 ? done({ ms: performance.now() - from }) : setTimeout(look, 5);
  look();
});
`;

/** How many requests wait for one another. */
function depth(asked) {
  const sorted = asked.toSorted((a, b) => a.startTime - b.startTime);
  const found = [];
  for (const { startTime, responseEnd } of sorted) {
    const before = found.filter((one) => one.responseEnd > 0 && one.responseEnd <= startTime);
    found.push({ responseEnd, depth: 1 + Math.max(0, ...before.map((one) => one.depth)) });
  }
  return Math.max(0, ...found.map((one) => one.depth));
}

export async function firstFrame(bench) {
  const missing = ['nginx', 'ffmpeg', 'chromium'].filter((name) => !which(name));
  if (missing.length) {
    console.error(`first frame: no row without ${missing.join(', ')}`);
    return [];
  }
  const { chromium } = await import('playwright-core');
  const { build } = await import('esbuild');
  const { strictStyles } = await import('../tools/strict-styles.mjs');
  const dir = scratch('disk');
  const root = join(dir, 'root');
  mkdirSync(root);
  const bytes = makeFilm(dir);
  const plan = await planMp4(format.bytesSource(bytes));
  asHls(root, bytes, plan);
  writeFileSync(join(root, 'index.html'), '');
  const bundle = await build({ stdin: { contents: HARNESS, resolveDir: inRoot() }, bundle: true, format: 'esm', minify: true, write: false, plugins: [strictStyles], external: ['./reader.js', './controls.js', 'pdfjs-dist/*', 'media-chrome/*'] });
  const files = { '/harness.js': bundle.outputFiles[0].text, '/measure.js': MEASURE, '/hls.js': readFileSync(inRoot('node_modules/hls.js/dist/hls.min.js'), 'utf8') };
  const html = (scripts) => `<!doctype html><title>x</title><div id="stage"></div>${scripts}`;
  const stack = await bench.stack('memory');
  const nginx = await startNginx(dir, root);
  const lines = { ours: await slowLine(stack.ports.gateway), plain: await slowLine(nginx.port), hls: await slowLine(nginx.port) };
  const browser = await chromium.launch({ executablePath: which('chromium'), args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'] });
  try {
    const film = await sellFilm(stack, bytes, plan);
    const version = film.record.versions[0];
    const one = async (peer) => {
      const { origin } = lines[peer];
      const context = await browser.newContext();
      const page = await context.newPage();
      const serve = (route) => {
        const { pathname } = new URL(route.request().url());
        if (pathname === '/harness') return route.fulfill({ contentType: 'text/html', body: html(`<script src="/hls.js"></script>${peer === 'ours' ? '<script type="module" src="/harness.js"></script>' : ''}<script type="module" src="/measure.js"></script>`) });
        if (files[pathname]) return route.fulfill({ contentType: 'text/javascript', body: files[pathname] });
        return route.continue();
      };
      await page.route('**/*', serve);
      await page.goto(`${origin}/harness`);
      await page.waitForFunction(() => self.click);
      let options = { url: `${origin}/${peer === 'plain' ? 'film.mp4' : 'index.m3u8'}` };
      if (peer === 'ours') {
        const { seed, receipt } = await owned(stack, film);
        await page.evaluate((given) => self.prepare(given), { issuer: stack.issuer, seed });
        options = { receipt, shown: { version: 1, url: new URL(new URL(version.url, origin).pathname, origin).href, digest: version.manifest_digest } };
      }
      await page.unroute('**/*', serve);
      // A connection that is kept open, as the page that was just loaded has.
      await page.evaluate(() => fetch('/v1/health').catch(() => {}));
      const clicked = await page.evaluate(([who, given]) => Promise.race([self.click(who, given), new Promise((done) => setTimeout(() => done({ failed: self.trouble ?? 'no frame' }), 30_000))]), [peer, options]);
      assert.ok(!clicked.failed, `${peer}: ${clicked.failed}`);
      const ranges = [];
      page.on('request', (request) => /\/f\/|film\.mp4|\.m4s/.test(request.url()) && ranges.push(request.url()));
      const sought = await page.evaluate((to) => Promise.race([self.seek(to), new Promise((done) => setTimeout(() => done(null), 30_000))]), SEEK_S);
      if (sought) sought.ranges = ranges.length;
      await context.close();
      return { ...clicked, sought };
    };
    const found = { ours: [], plain: [], hls: [] };
    const rounds = bench.smoke ? 1 : Math.max(3, bench.rounds);
    for (let round = 0; round < rounds; round += 1) for (const peer of ['ours', 'plain', 'hls', 'hls', 'plain', 'ours'].slice(0, bench.smoke ? 3 : 6)) found[peer].push(await one(peer));
    const ms = (peer) => Math.round(median(found[peer].map((run) => run.ms)));
    const seekMs = (peer) => Math.round(median(found[peer].map((run) => run.sought?.ms ?? Infinity)));
    return {
      name: 'first frame', peer: 'nginx plain ranges; hls.js',
      ms: ms('ours'), plain_ms: ms('plain'), hls_js_ms: ms('hls'),
      times_plain: Number((ms('ours') / ms('plain')).toPrecision(3)), times_hls_js: Number((ms('ours') / ms('hls')).toPrecision(3)),
      round_trips: Math.max(...found.ours.map((run) => depth(run.asked))),
      seek_ms: seekMs('ours'), plain_seek_ms: seekMs('plain'), hls_js_seek_ms: seekMs('hls'),
      seek_ranges: Math.max(...found.ours.map((run) => run.sought?.ranges ?? Infinity)),
      rounds: found.ours.length,
    };
  } finally {
    await browser.close();
    await nginx.stop();
    for (const line of Object.values(lines)) await line.stop();
  }
}
