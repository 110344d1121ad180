// wasm-opt as worker-build calls it, with flags of ours, on a module without the exports that nobody calls:
// classes of the runtime's crates (minifier, containers, R2 ranges, streams made in Rust) stay in every
// worker because they are exported, 3 KB of gzip each time (docs/adr/0013).
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isMain } from './proc.mjs';

// Whether the flag is one that we replace. Function names are a tenth of a worker, and nobody reads them there.
const REPLACED = /^(--debuginfo|-O)/;
const UNUSED = /^(__wbg_(get_|set_)?(containerstartupoptions|minifyconfig|r2range|intounderlying\w*)_|intounderlying)/;
// Would be imported if Rust made one of them for JavaScript.
const MAKES = /^__wbg_(containerstartupoptions|minifyconfig|r2range|intounderlying\w*)_new/;
const EXPORTS = 7;

/** An unsigned LEB128 number, and where it ends. */
function readNumber(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}

function number(value) {
  const bytes = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value % 128) + (rest ? 128 : 0));
    value = rest;
  } while (value);
  return Buffer.from(bytes);
}

/** The export section without the exports that `drops` names. */
function withoutExports(section, drops) {
  const kept = [];
  let [left, at] = readNumber(section, 0);
  for (; left; left -= 1) {
    const from = at;
    let length;
    [length, at] = readNumber(section, at);
    const name = section.subarray(at, at + length).toString();
    // The kind is a byte, the index a number.
    [, at] = readNumber(section, at + length + 1);
    if (!drops(name)) kept.push(section.subarray(from, at));
  }
  return Buffer.concat([number(kept.length), ...kept]);
}

/** A module without exports of classes that it never makes. */
export function trimmed(bytes) {
  const module = new WebAssembly.Module(bytes);
  const made = WebAssembly.Module.imports(module).flatMap(({ name }) => MAKES.exec(name)?.[1] ?? []);
  const drops = (name) => UNUSED.test(name) && !made.some((type) => name.includes(type));
  const parts = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    const from = at;
    const id = bytes[at];
    let length;
    [length, at] = readNumber(bytes, at + 1);
    const end = at + length;
    if (id === EXPORTS) {
      const section = withoutExports(bytes.subarray(at, end), drops);
      parts.push(Buffer.from([id]), number(section.length), section);
    } else {
      parts.push(bytes.subarray(from, end));
    }
    at = end;
  }
  return Buffer.concat(parts);
}

if (isMain(import.meta)) {
  const [program, flags, ...given] = process.argv.slice(2);
  const input = given.find((word, i) => word.endsWith('.wasm') && given[i - 1] !== '-o');
  if (input) writeFileSync(input, trimmed(readFileSync(input)));
  const args = given.filter((word) => !REPLACED.test(word));
  execFileSync(process.execPath, [program, ...flags.split(' '), ...args], { stdio: 'inherit' });
}
