// Fuzzes the parsers without cargo-fuzz and without a nightly compiler:
// `node tools/fuzz.mjs [target…] [--seconds N]`. What a run finds new stays for the next one.
import './boot.mjs';
import { availableParallelism } from 'node:os';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { Told, capture, inRoot, isMain, main, must, onEnd, spawnGuarded, step, stopGroup } from './proc.mjs';

// What `cargo fuzz run --sanitizer none` sets. No code of ours is unsafe: there is nothing for a
// sanitizer to see that a panic would not show, and without one a stable compiler will do.
const FLAGS = [
  '--cfg fuzzing',
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Ccodegen-units=1',
  '-Cdebug-assertions',
  '-Coverflow-checks',
];
const MANIFEST = join('fuzz', 'Cargo.toml');
/** No input of ours may take longer, on however busy a machine. */
const TIMEOUT_S = 20;
const MEMORY_MB = 1024;
/** Beyond its own time a run reads its corpus and writes its statistics. */
const GRACE_MS = 120_000;
// Longest input: a manifest is at most 32 KiB, and what matters of it fits in far less.
const MAX_INPUT = 8192;

export const TARGETS = [...readFileSync(inRoot(MANIFEST), 'utf8').matchAll(/^\[\[bin\]\]\nname = "(\w+)"/gm)].map(
  ([, name]) => name,
);

function targetFolder() {
  const given = process.env.CARGO_TARGET_DIR ?? 'target';
  return join(isAbsolute(given) ? given : inRoot(given), 'fuzz');
}

async function hostTriple() {
  const { out } = await capture('rustc', ['-vV']);
  const host = /^host: (\S+)/m.exec(out)?.[1];
  if (!host) throw new Told('rustc does not say which machine this is.');
  return host;
}

/** Compiles the targets; their folder. The flags are for them only: `--target` keeps them from build scripts. */
async function compile(targets) {
  const host = await hostTriple();
  const env = { ...process.env, RUSTFLAGS: FLAGS.join(' '), CARGO_TARGET_DIR: targetFolder() };
  const args = ['build', '--manifest-path', MANIFEST, '--locked', '--release', '--target', host];
  const advice = 'It needs a C++ compiler (libFuzzer is written in that).';
  await step('fuzz targets, compiled with coverage', (tell) =>
    must('cargo', [...args, ...targets.flatMap((name) => ['--bin', name])], { tell, env, advice }),
  );
  return join(targetFolder(), host, 'release');
}

// ---- Where to begin: the vectors and the examples of the schemas, in the spelling of each target.

const files = (folder, ending) =>
  readdirSync(inRoot(folder), { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(inRoot(folder, name)));

/** A vector's manifest and table, and its beginning without the padding, which the target adds. */
function taken(vector) {
  const [manifestLength, tableLength] = vector.length < 24 ? [0, 0] : [12, 16].map((at) => vector.readUInt32BE(at));
  const table = 24 + manifestLength;
  const end = Math.min(table + tableLength, vector.length);
  const token = vector.toString('latin1', 24, Math.min(table, vector.length));
  return { beginning: vector.subarray(0, end), token, table: vector.subarray(table, end) };
}

/** The manifest inside a token with marks (fuzz/src/lib.rs) for what depends on its creator. */
function marked(token) {
  const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const member = (name, mark) => (body) => body.replace(new RegExp(`("${name}":)"[^"]*"`), `$1"${mark}"`);
  return [member('x', '@x'), member('work', '@w'), member('work_nonce', '@n')].reduce((body, set) => set(body), text);
}

const vectorsOf = () => files(join('tests', 'vectors'), '.satchel').map(taken);

function frontSeeds() {
  return vectorsOf().flatMap(({ beginning, token, table }) => {
    const text = marked(token)
      .replace(/("table_digest":)"[^"]*"/, '$1"@d"')
      .replace(/("merkle_root":)"[^"]*"/, '$1"@r"');
    return [beginning, Buffer.concat([Buffer.from(text), Buffer.from([0xff]), table])];
  });
}

const example = (name) => readFileSync(inRoot('schemas', name, 'examples', 'plain.json'), 'utf8');
const changed = (name, change) => JSON.stringify({ ...JSON.parse(example(name)), ...change });
const KEY = { kty: 'OKP', crv: 'Ed25519', x: '@x' };
const SESSION = `ses_${'a'.repeat(32)}`;

/** One of each kind of document, good enough to be accepted; the letter says which it is. */
function documentSeeds() {
  const issuer = 'https://satchel.example';
  const life = { iat: 1_700_000_000, exp: 1_700_000_300 };
  const terms = { pay_more: false, usd_micros: 250_000, use: 'download' };
  const command = (cmd, rest) => JSON.stringify({ aud: issuer, cmd, creator: KEY, work: '@w', work_nonce: '@n', ...life, ...rest });
  const { work, version, terms_digest, usd_micros, msat, ledger } = JSON.parse(example('order'));
  const rate = { usd_micros_per_btc: 100_000_000_000, time: life.iat };
  const quote = { aud: issuer, work, version, terms_digest, usd_micros, msat, ledger, rate, exp: life.exp };
  const capability = { aud: issuer, session: SESSION, handle: 'pur_AAAA', work, version, jkt: '@t', read_ms: 1, exp: life.exp };
  return [
    `o${example('order')}`,
    `r${example('receipt')}`,
    `d${changed('delegation', { account: '@t', root: KEY, key: KEY })}`,
    `p${changed('proof', { ath: undefined })}`,
    `c${command('register', { title: 'Night Train', media_type: 'audio/mpeg', terms, payee: '@t' })}`,
    `c${command('upload', { version: 1, size: 5 })}`,
    `c${command('intake', { version: 1, content_key: '@n', manifest: 'e30' })}`,
    `c${command('publish', { version: 1, manifest: 'e30', terms })}`,
    `a${JSON.stringify({ cmd: 'set_rate', aud: issuer, usd_micros_per_btc: 1, time: 1, source: 'x', max_age_s: 0, ...life })}`,
    `a${JSON.stringify({ cmd: 'take_down', aud: issuer, work, ...life })}`,
    `q${JSON.stringify(quote)}`,
    `s${JSON.stringify(capability)}`,
    ...['record', 'quote', 'problem'].map((name) => `b${example(name)}`),
    `b${JSON.stringify({ method: 'PUT', key: 'a/1', uploadId: 'x', partNumber: 1 })}`,
    `b${JSON.stringify({ keys: [{ ...KEY, kid: '1', alg: 'EdDSA', use: 'sig' }] })}`,
  ];
}

/** For inputs taken apart by rule: long enough that there is something in every part. */
const ramp = (length) => Buffer.from(Array.from({ length }, (_, at) => at));

const u32s = (...values) => Buffer.concat(values.map((value) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255))));
const box = (kind, ...parts) => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([u32s(content.length + 8), Buffer.from(kind), content]);
};

/** A film of two fragments without pictures, and three frames of MP3. */
function mediaSeeds() {
  const entry = box('avc1', Buffer.alloc(78), box('avcC', [1, 0x42, 0xc0, 0x1e, 0xff]));
  const track = [box('tkhd', u32s(0, 0, 0, 1)), box('mdia', box('mdhd', u32s(0, 0, 0, 1000, 0)), box('hdlr', Buffer.alloc(8), 'vide'), box('minf', box('stbl', box('stsd', u32s(0, 1), entry))))];
  const fragment = (start) => Buffer.concat([box('moof', box('traf', box('tfhd', u32s(0x28, 1, 2000, 0)), box('tfdt', u32s(0, start)), box('trun', u32s(0, 1)))), box('mdat', 'pictures')]);
  const film = [box('ftyp', 'isom\0\0\0\0'), box('moov', box('trak', ...track), box('mvex', box('trex', u32s(0, 1, 1, 0, 0, 0)))), fragment(0), fragment(2000)];
  const frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0]), Buffer.alloc(413)]);
  return [Buffer.concat(film), Buffer.concat([frame, frame, frame]), ...files('tests/previews', '.json')];
}

const SEEDS = {
  plan: mediaSeeds,
  front: frontSeeds,
  open: () => [ramp(300), ramp(1000), Buffer.alloc(600, 0x41)],
  cobblestone: () => [ramp(200), Buffer.alloc(200, 0x41)],
  table: () => vectorsOf().map(({ table }) => table),
  manifest: () => vectorsOf().flatMap(({ token }) => [token, marked(token)]),
  json: () => [
    ...files('schemas', '.json'),
    '{"inner":{"a":1,"b":"\\u00e9"},"list":[0,255],"use":"dark_red","map":{"k":true}}',
    '[-0,1.5,1e3,18446744073709551616,-1,"\\ud83d\\ude00",null,{"a":1,"a":2}]',
  ],
  documents: documentSeeds,
  text: () => [
    ...['wrk_', 'ord_', 'ses_'].map((prefix) => prefix + 'a'.repeat(prefix === 'wrk_' ? 52 : 32)),
    ...['A'.repeat(43), 'https://satchel.example:8443', 'http://[::1]:80', 'https://127.0.0.1', 'http://localhost'],
    ...['$12.50', '0.000001', `2:${'A'.repeat(43)},1:${'B'.repeat(42)}A`, 'audio/mpeg', 'pur_AZ09-_'],
  ],
  // Before the text: size, post, onWallet (fuzz_targets/http.rs), of which a fuzzer needs no example.
  http: () =>
    ['0-499', '-5', '5-', `wrk_${'a'.repeat(52)}/12.satchel`, `v1/sessions/${SESSION}/windows/3`, 'assets/a.js'].map(
      (text) => `\x10\x27\0\0\0\0\0\0\x01\0${text}`,
    ),
};

function writeSeeds(target, folder) {
  mkdirSync(folder, { recursive: true });
  for (const seed of SEEDS[target]?.() ?? []) {
    const bytes = Buffer.from(seed);
    writeFileSync(join(folder, createHash('sha1').update(bytes).digest('hex')), bytes);
  }
}

// ---- Running.

const running = new Set();

/** Ends whatever is still fuzzing. */
export const stopFuzzing = () => Promise.all([...running].map((child) => stopGroup(child)));

function runTarget(binary, args, limitMs) {
  return new Promise((done) => {
    let out = '';
    // libFuzzer reports on stderr.
    const child = spawnGuarded(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const timer = setTimeout(() => {
      out += '\nERROR: it did not end by itself\n';
      stopGroup(child);
    }, limitMs);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (out += chunk));
    child.on('error', (error) => (out += String(error)));
    child.on('close', (code) => {
      clearTimeout(timer);
      running.delete(child);
      done({ code: code ?? 1, out });
    });
  });
}

async function fuzzOne(target, folder, seconds) {
  const [corpus, seeds, kept] = ['corpus', 'seeds', 'artifacts'].map((name) => join(targetFolder(), name, target));
  for (const path of [corpus, kept]) mkdirSync(path, { recursive: true });
  writeSeeds(target, seeds);
  const options = { max_total_time: seconds, print_final_stats: 1, max_len: MAX_INPUT, timeout: TIMEOUT_S };
  Object.assign(options, { rss_limit_mb: MEMORY_MB, artifact_prefix: `${kept}/` });
  const args = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
  const began = Date.now();
  const { code, out } = await runTarget(join(folder, target), [...args, corpus, seeds], seconds * 1000 + GRACE_MS);
  const took = (Date.now() - began) / 1000;
  const executions = Number(/stat::number_of_executed_units: (\d+)/.exec(out)?.[1] ?? 0);
  const coverage = Number([...out.matchAll(/ cov: (\d+)/g)].at(-1)?.[1] ?? 0);
  // Without coverage it is blind, and has tried next to nothing.
  const failed = code !== 0 || executions === 0 || coverage === 0;
  if (failed) console.log(`\n${target}:\n${out.split('\n').slice(-60).join('\n')}\n`);
  const input = /Test unit written to (\S+)/.exec(out)?.[1];
  return { target, failed, took, executions, coverage, input };
}

function printTable(rows) {
  const cell = (value, width = 12) => String(value).padStart(width);
  console.log(`    ${'target'.padEnd(12)}${['seconds', 'executions', 'exec/s', 'coverage'].map((name) => cell(name)).join('')}`);
  for (const { target, took, executions, coverage, failed, input } of rows) {
    const rate = Math.round(executions / took);
    const cells = [took.toFixed(1), executions, rate, coverage].map((value) => cell(value)).join('');
    const kept = input ? `, input kept: ${input}` : '';
    console.log(`    ${target.padEnd(12)}${cells}${failed ? `  FAILED${kept}` : ''}`);
  }
}

/** Fuzzes each of the targets for some seconds, as many at a time as there are cores but two at least. */
export async function fuzz(targets, seconds) {
  const folder = await compile(targets);
  const rows = [];
  const waiting = [...targets];
  await step(`fuzzing, ${seconds} s each`, async (tell) => {
    const lane = async () => {
      for (let target; (target = waiting.shift()); ) {
        tell(target);
        rows.push(await fuzzOne(target, folder, seconds));
      }
    };
    await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane));
  });
  rows.sort((a, b) => targets.indexOf(a.target) - targets.indexOf(b.target));
  printTable(rows);
  return rows;
}

if (isMain(import.meta)) {
  await main(async () => {
    onEnd(stopFuzzing);
    const args = process.argv.slice(2);
    const at = args.indexOf('--seconds');
    const seconds = at < 0 ? 60 : Number(args.splice(at, 2)[1]);
    if (!(seconds >= 1)) throw new Told('--seconds wants a number from 1.');
    const unknown = args.filter((name) => !TARGETS.includes(name));
    if (unknown.length) throw new Told(`no target ${unknown.join(' ')}; there are: ${TARGETS.join(' ')}`);
    const rows = await fuzz(args.length ? args : TARGETS, seconds);
    return rows.some(({ failed }) => failed) ? 1 : 0;
  });
}
