// Plans media with the JavaScript SDK: node plan.mjs SDK_FOLDER FILE [AT XOR]... Prints a line of JSON for the file,
// and one for the file with byte AT changed by XOR, for each pair.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [, , folder, path, ...changes] = process.argv;
const src = (name) => import(new URL(`src/${name}`, pathToFileURL(`${folder}/`)));
const { planMp3, planMp4, sniff } = await src('plan.js');
const { bytesSource } = await src('format.js');
const bytes = new Uint8Array(readFileSync(path));

async function tell() {
  const plan = sniff(bytes.subarray(0, 12)) === 'mp3' ? planMp3 : planMp4;
  try {
    const { segments, mse, duration_ms } = await plan(bytesSource(bytes));
    return { mse, duration_ms, segments: segments.map((s) => [s.plain_len, s.window, s.start_ms, s.flags]) };
  } catch (error) {
    if (error.name !== 'SatchelError') throw error;
    return { error: error.code };
  }
}

console.log(JSON.stringify(await tell()));
for (let i = 0; i < changes.length; i += 2) {
  const [at, xor] = [Number(changes[i]), Number(changes[i + 1])];
  bytes[at] ^= xor;
  console.log(JSON.stringify(await tell()));
  bytes[at] ^= xor;
}
