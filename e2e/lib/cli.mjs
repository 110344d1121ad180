// The `satchel` commands, built from this checkout and run as a person runs them.
import { execFile } from 'node:child_process';
import { inRoot } from '../../tools/proc.mjs';

const BUILD_MS = 1_200_000;
const RUN_MS = 180_000;

/** Runs a program to its end: `{code, out, err}`; never rejects for its exit code. */
function run(file, args, { timeout = RUN_MS, ...options } = {}) {
  return new Promise((done, failed) => {
    const all = { timeout, maxBuffer: 64 << 20, ...options };
    execFile(file, args, all, (error, out, err) => {
      if (error && typeof error.code !== 'number') return failed(new Error(`${file} ${args[0]}: ${error.message}`));
      return done({ code: error?.code ?? 0, out, err });
    }).stdin.end();
  });
}

/** Builds the commands; gives `{satchel, ops}`, functions that run them in `home`. */
export async function buildCli(home) {
  // As the native suite builds them, which has run before: alone, with other features of what they
  // depend on, they would be compiled once more.
  const args = ['test', '--workspace', '--no-run', '--message-format=json-render-diagnostics'];
  const built = await run('cargo', args, { cwd: inRoot(), timeout: BUILD_MS });
  if (built.code !== 0) throw new Error(`cargo test --no-run: ${built.err}`);
  const artifacts = built.out.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const isProgram = ({ executable, profile }) => executable && !profile.test;
  const path = (name) => artifacts.find((one) => isProgram(one) && one.target.name === name).executable;
  const env = { PATH: process.env.PATH, HOME: home, NO_COLOR: '1' };
  const command = (name) => (...words) => run(path(name), words.map(String), { cwd: home, env });
  return { satchel: command('satchel'), ops: command('satchel-ops') };
}

/** What `--json` says. */
export const said = ({ out }) => JSON.parse(out);
