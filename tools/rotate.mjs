// Rotates a ring of keys (docs/OPERATIONS.md "Keys"): `announce` adds a key that is known but not used, `promote` uses it.
//   node tools/rotate.mjs announce|promote FILE              a file that holds the ring
//   node tools/rotate.mjs announce|promote NAME --dev DIR    the secret NAME of a development stack, in every worker that holds it
import './boot.mjs';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Told, isMain, main } from './proc.mjs';
import { formatVars, readVars, varsFile, writePrivate } from './secrets.mjs';

const KEY = /^(\+?)(\d{1,9}):([A-Za-z0-9_-]{43})$/;

/** @param {string} ring @param {'announce'|'promote'} step @returns {string} the ring after it @throws {Told} */
export function rotated(ring, step, fresh = () => randomBytes(32).toString('base64url')) {
  const keys = ring.trim().split(',').map((item) => {
    const found = KEY.exec(item.trim());
    // The item may hold a key: it is not shown.
    if (!found) throw new Told('this is not a ring of keys: VERSION:KEY[,VERSION:KEY…]');
    return { announced: found[1] === '+', version: Number(found[2]), key: found[3] };
  }).sort((a, b) => b.version - a.version);
  if (new Set(keys.map(({ version }) => version)).size < keys.length) throw new Told('a version stands there twice');
  const waiting = keys.filter(({ announced }) => announced);
  if (step === 'announce') {
    if (waiting.length) throw new Told(`version ${waiting[0].version} is announced already: promote it first`);
    keys.unshift({ announced: true, version: keys[0].version + 1, key: fresh() });
  } else if (step === 'promote') {
    if (!waiting.length) throw new Told('no key is announced');
    for (const key of waiting) key.announced = false;
  } else throw new Told('say announce or promote');
  return keys.map(({ announced, version, key }) => `${announced ? '+' : ''}${version}:${key}`).join(',');
}

/** Never over a copy that is there. */
function keepCopy(file) {
  let n = 1;
  while (existsSync(`${file}.${n}`)) n += 1;
  copyFileSync(file, `${file}.${n}`);
  return `${file}.${n}`;
}

/** @returns {string[]} the workers whose secret it was */
export function rotateDev(name, step, dir) {
  const holders = readdirSync(join(dir, 'dev')).filter((worker) => readVars(varsFile(dir, worker))[name]);
  if (!holders.length) throw new Told(`no worker of ${dir} holds ${name}`);
  const [first] = holders;
  const next = rotated(readVars(varsFile(dir, first))[name], step);
  for (const worker of holders) {
    const file = varsFile(dir, worker);
    writePrivate(file, formatVars({ ...readVars(file), [name]: next }));
  }
  return holders;
}

if (isMain(import.meta)) {
  await main(async () => {
    const [step, what, flag, dir] = process.argv.slice(2);
    if (!what) throw new Told('node tools/rotate.mjs announce|promote FILE, or NAME --dev DIR');
    if (flag === '--dev') {
      console.log(`${what}: ${step}d in ${rotateDev(what, step, dir).join(' and ')}; start the stack again`);
      return;
    }
    if (!existsSync(what)) throw new Told(`${what} does not exist`);
    if (statSync(what).mode & 0o077) throw new Told(`others can read ${what}: chmod 600 it first`);
    const next = rotated(readFileSync(what, 'utf8'), step);
    const copy = keepCopy(what);
    writePrivate(what, `${next}\n`);
    console.log(`${what}: ${step}d; before it: ${copy}\nnow: wrangler secret put NAME < ${what}`);
  });
}
