// Completes package-lock.json after `npm install`: a registry that lacks a package's build for
// another operating system leaves it out of the lock, and `npm ci` then refuses the lock everywhere.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../package-lock.json', import.meta.url);
const OS = ['linux', 'darwin', 'win32', 'freebsd', 'openbsd', 'netbsd', 'sunos', 'aix', 'android'];

/** What a platform package's name says of where it runs: `…-darwin-arm64` → os and cpu. */
function platform(name) {
  const words = name.split('/').pop().replace('windows', 'win32').split('-');
  const os = words.find((word) => OS.includes(word));
  const cpu = { 64: 'x64', x64: 'x64', arm64: 'arm64' }[words.at(-1)];
  if (!os || !cpu) throw new Error(`${name}: cannot tell its platform; add it to the lock by hand`);
  return { os: [os], cpu: [cpu] };
}

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
const added = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries((path && entry.optionalDependencies) || {})) {
    const own = `node_modules/${name}`;
    if (lock.packages[own] || lock.packages[`${path}/${own}`]) continue;
    const version = /^[~^=]?(\d.*)$/.exec(range)?.[1];
    lock.packages[own] = { version, ...platform(name), ...(entry.dev && { dev: true }), optional: true };
    added.push(`${name}@${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
for (const entry of Object.values(lock.packages)) delete entry.resolved;
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length ? `added ${added.join(', ')}` : 'the lock is complete');
