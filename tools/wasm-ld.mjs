// The linker as rustc calls it, without exports that nobody calls: classes of the runtime's crates (minifier,
// containers, R2 ranges, streams made in Rust) come into every worker because they are exported. Here the linker
// itself still knows what only they need; later, functions in the module's table have to stay (docs/adr/0018).
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const UNUSED = /^(__wbindgen_describe_)?(__wbg_(get_|set_)?)?(containerstartupoptions|minifyconfig|r2range|intounderlying\w*)_/;

const given = process.argv.slice(2);
const args = given.filter((word, i) => {
  const name = word.startsWith('--export=') ? word.slice(9) : given[i - 1] === '--export' ? word : undefined;
  const next = word === '--export' ? given[i + 1] : undefined;
  return !UNUSED.test(name ?? '') && !UNUSED.test(next ?? '');
});
const rustc = (...words) => execFileSync('rustc', words, { encoding: 'utf8' });
const host = /^host: (.*)$/m.exec(rustc('-vV'))[1];
const linker = join(rustc('--print', 'sysroot').trim(), 'lib', 'rustlib', host, 'bin', 'rust-lld');
const flavor = args[0] === '-flavor' ? [] : ['-flavor', 'wasm'];
process.exit(spawnSync(linker, [...flavor, ...args], { stdio: 'inherit' }).status ?? 1);
