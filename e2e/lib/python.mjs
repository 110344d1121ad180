// Programs from PyPI, each set of versions installed once into the cache. Where there is no Python they are left out, and said so.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, capture, which } from '../../tools/proc.mjs';

/**
 * @param {string} name of the folder @param {string[]} packages with their versions
 * @returns {Promise<{bin: (program: string) => string}|{missing: string}>} `missing` says what and how to get it
 */
export async function pythonWith(name, packages) {
  const home = join(CACHE, 'tools', `${name}-${packages.map((wanted) => wanted.replace(/[^\w.]+/g, '-')).join('_')}`);
  const bin = (program) => join(home, 'bin', program);
  const installed = join(home, 'installed');
  if (existsSync(installed)) return { bin };
  if (!which('python3')) return { missing: 'there is no python3: install it (Debian: python3-venv)' };
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  for (const [program, ...args] of [['python3', '-m', 'venv', home], [bin('python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]]) {
    const { code, out } = await capture(program, args);
    if (code !== 0) {
      rmSync(home, { recursive: true, force: true });
      return { missing: `${packages.join(', ')} could not be installed (Debian: python3-venv; or no package index): ${out.trim().split('\n').at(-1)}` };
    }
  }
  writeFileSync(installed, '');
  return { bin };
}
