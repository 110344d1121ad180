// Packs a file with the JavaScript SDK: node pack.mjs SDK_FOLDER IN OUT. Prints the content key.
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const [, , folder, source, target] = process.argv;
const sdk = await import(new URL('src/index.js', pathToFileURL(`${folder}/`)));
const plain = new Uint8Array(await readFile(source));
let bytes = new Uint8Array(0);
const write = (at, part) => {
  if (at + part.length > bytes.length) bytes = sdk.concat(bytes, new Uint8Array(at + part.length - bytes.length));
  bytes.set(part, at);
};
const made = await sdk.format.packTo({ write }, sdk.format.bytesSource(plain), {
  creatorKey: await sdk.generateKey(),
  nonce: sdk.randomBytes(16),
  issuer: 'http://localhost:8787',
  title: 'Täglich 🌊',
  name: 'from js.bin',
  mediaType: 'application/octet-stream',
  terms: { usd_micros: 500_000, use: 'download', pay_more: false },
  preview: sdk.utf8('a plain preview'),
});
await writeFile(target, bytes);
console.log(JSON.stringify({ work: made.work, content_key: sdk.b64uEncode(made.contentKey), digest: made.digest }));
