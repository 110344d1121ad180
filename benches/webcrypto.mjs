// What WebCrypto costs in calls of 16 KiB, and what our SDK makes of it: in workerd and in Chromium.
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { esbuild } from '../tools/build.mjs';
import { freePort, inRoot, must, which } from '../tools/proc.mjs';
import { isNoisy, median } from './measure.mjs';
import { scratch, serveOne } from './serve.mjs';

const MIB = 1_048_576;
const BYTES = 64 * MIB;
const BYTES_SMOKE = 2 * MIB;
const LEAST_ROUNDS = 5;
const CHROMIUM = process.env.CHROMIUM ?? ['chromium', 'chromium-browser'].map(which).find(Boolean);

/** The same module for both places, in one file. */
async function bundle(dir) {
  const path = join(dir, 'webcrypto.mjs');
  const entry = inRoot('benches', 'twins', 'webcrypto.mjs');
  await must(esbuild(), [entry, '--bundle', '--format=esm', '--log-level=warning', `--outfile=${path}`]);
  return path;
}

/** In workerd a clock stands still while a request computes, so the time is taken here. */
async function inWorkerd(dir) {
  const port = await freePort();
  const server = await serveOne({ modules: [await bundle(dir)] }, dir, port);
  const ask = async (what, who) => {
    const began = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}/${what}/${who}`);
    if (!answer.ok) throw new Error(`webcrypto ${what} ${who}: ${answer.status} ${await answer.text()}`);
    await answer.text();
    return performance.now() - began;
  };
  return { prepare: (bytes) => ask('prepare', bytes), time: ask, stop: () => server.stop() };
}

async function inChromium(dir) {
  const script = readFileSync(await bundle(dir));
  const server = createServer(({ url }, answer) => {
    const isScript = url === '/webcrypto.mjs';
    answer.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
    answer.end(isScript ? script : '<!doctype html><title>bench</title>');
  });
  const port = await freePort();
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  const page = await browser.newPage();
  await page.goto(`http://localhost:${port}/`);
  await page.evaluate(async () => {
    globalThis.bench = (await import('/webcrypto.mjs')).default;
  });
  const stop = async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  };
  return {
    prepare: (bytes) => page.evaluate((length) => globalThis.bench.prepare(length), bytes),
    time: (what, who) =>
      page.evaluate(
        async ([task, side]) => {
          const began = performance.now();
          await globalThis.bench.run(task, side);
          return performance.now() - began;
        },
        [what, who],
      ),
    stop,
  };
}

/** Rounds of ours, bare, bare, ours; the other sizes of call once each, for reference. */
async function compareTimes({ time, what, rounds }) {
  const times = { ours: [], chunk: [], mib: [], whole: [] };
  const ratios = [];
  for (const who of Object.keys(times)) await time(what, who);
  for (let round = 0; round < rounds; round += 1) {
    const [a1, b1, b2, a2] = [
      await time(what, 'ours'),
      await time(what, 'chunk'),
      await time(what, 'chunk'),
      await time(what, 'ours'),
    ];
    times.ours.push(a1, a2);
    times.chunk.push(b1, b2);
    ratios.push((a1 + a2) / (b1 + b2));
    for (const who of ['mib', 'whole']) times[who].push(await time(what, who));
  }
  return { times, ratio: median(ratios) };
}

async function rowsOf(place, { prepare, time }, { smoke, rounds: asked }) {
  const bytes = smoke ? BYTES_SMOKE : BYTES;
  const rounds = smoke ? 1 : Math.max(LEAST_ROUNDS, asked);
  await prepare(bytes);
  const rows = [];
  for (const what of ['seal', 'open', 'pack', 'unpack']) {
    const { times, ratio } = await compareTimes({ time, what, rounds });
    const rate = (who) => Math.round(bytes / 1000 / median(times[who]));
    const load1 = loadavg()[0];
    rows.push({
      name: `webcrypto ${place} ${what}`,
      peer: 'crypto.subtle in calls of 16 KiB',
      ratio_time: Number(ratio.toPrecision(3)),
      mb_s: rate('ours'),
      peer_mb_s: rate('chunk'),
      peer_mb_s_1_mib: rate('mib'),
      peer_mb_s_one_call: rate('whole'),
      bytes,
      rounds,
      load1: Number(load1.toPrecision(3)),
      ...(isNoisy(load1) && { noisy: true }),
    });
  }
  return rows;
}

/** One row for each place and task; those of the browser only where there is one. */
export async function webcrypto(bench) {
  const rows = [];
  for (const [place, start] of [['workerd', inWorkerd], ['Chromium', CHROMIUM && inChromium]]) {
    if (!start) continue;
    const dir = scratch('memory');
    const peer = await start(dir);
    try {
      rows.push(...(await rowsOf(place, peer, bench)));
    } finally {
      await peer.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return rows;
}
