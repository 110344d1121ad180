// First import of every tool: installs the npm packages when they are missing or older than the
// lock file, then runs the tool again with the Node those packages bring. Node 20 built-ins only.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, STARTED_BY_BOOT } from './proc.mjs';

const MODULES = join(ROOT, 'node_modules');
const INSTALLED = join(MODULES, '.package-lock.json');
// What wrangler asks for.
const NEEDED = [22, 12];

const packagesOf = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;

/** Whether what npm recorded of its last run is what the lock file asks for. */
function packagesAreCurrent() {
  if (!existsSync(INSTALLED)) return false;
  const have = packagesOf(INSTALLED);
  const wanted = Object.entries(packagesOf(join(ROOT, 'package-lock.json')));
  // The optional ones are other platforms' builds.
  const fits = ([path, { version, optional }]) => optional || have[path]?.version === version;
  return wanted.every((entry) => entry[0] === '' || fits(entry));
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
}

/** The Node binary inside node_modules, or undefined on a platform without such a package. */
function packagedNode() {
  const name = process.platform === 'darwin' ? 'node-bin-darwin' : `node-${process.platform}`;
  const path = join(MODULES, `${name}-${process.arch}`, 'bin', 'node');
  // process.execPath is a real path too; compared with a link it would never be equal.
  return existsSync(path) ? realpathSync(path) : undefined;
}

function child(command, args, env = process.env) {
  return new Promise((done) => {
    const running = spawn(command, args, { cwd: ROOT, stdio: 'inherit', env });
    // A terminal's Ctrl-C reaches the child by itself; a signal sent to us alone must be passed on.
    const pass = (signal) => running.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass);
    running.on('error', (error) => done({ code: 127, error }));
    running.on('exit', (code, signal) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(name, pass);
      done({ code: code ?? (signal === 'SIGINT' ? 130 : 143) });
    });
  });
}

async function installPackages() {
  const began = Date.now();
  console.log('npm packages: installing (once per lock file) …');
  // The warnings are all about the Node running npm being older than the one being installed.
  const { code } = await child('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (code !== 0) {
    console.error('npm ci failed. Is the npm registry reachable? Nothing else was changed.');
    process.exit(1);
  }
  console.log(`npm packages: installed in ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

async function boot() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    console.error(`Satchel's tools need Node 20 or newer; this is ${process.version}.`);
    process.exit(1);
  }
  if (!packagesAreCurrent()) await installPackages();
  const node = packagedNode();
  if (process.execPath === node || process.execArgv.includes(STARTED_BY_BOOT)) return;
  if (!node && isNewEnough(process.versions.node)) return;
  if (!node) {
    console.error(`wrangler needs Node ${NEEDED.join('.')} or newer, and there is no packaged one`);
    console.error(`for ${process.platform}-${process.arch}. Install it, then run this again.`);
    process.exit(1);
  }
  // Scripts with a "#!/usr/bin/env node" line must find the same Node.
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` };
  process.exit((await child(node, [STARTED_BY_BOOT, ...process.argv.slice(1)], env)).code);
}

await boot();
