// Holds what visitors and the runtime load against its budget (gzip -9); exits 1 when over.
import './boot.mjs';
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Told, inRoot, isMain, main } from './proc.mjs';
import { WORKERS } from './workers.mjs';

const KIB = 1024;
const WASM_BYTES = 160 * KIB;
// Upload signs by itself; the ledger is over, and has to come back (docs/adr/0008, 0023): lower these, never raise them.
const WASM_BYTES_OF = { upload: 200 * KIB, ledger: 168 * KIB };
const WIDGET_BYTES = 4096;

const gzipBytes = (path) => gzipSync(readFileSync(path), { level: 9 }).length;

function widgetFile() {
  const manifest = inRoot('site', 'dist', 'manifest.json');
  if (!existsSync(manifest)) throw new Told('site/dist/manifest.json is missing; run: npm run build');
  const file = JSON.parse(readFileSync(manifest, 'utf8'))['widget.js'];
  if (!file) throw new Told('site/dist/manifest.json does not name widget.js');
  return inRoot('site', 'dist', file);
}

/** Every budgeted file: {what, bytes, budget}. */
export function sizes() {
  const rows = WORKERS.map((name) => {
    const path = inRoot('workers', name, 'build', 'index_bg.wasm');
    if (!existsSync(path)) throw new Told(`${name} is not built; run: npm run build`);
    return { what: `${name} wasm`, bytes: gzipBytes(path), budget: WASM_BYTES_OF[name] ?? WASM_BYTES };
  });
  return [...rows, { what: '/widget.js', bytes: gzipBytes(widgetFile()), budget: WIDGET_BYTES }];
}

if (isMain(import.meta)) {
  await main(() => {
    const rows = sizes();
    for (const { what, bytes, budget } of rows) {
      const verdict = bytes > budget ? 'OVER' : 'ok';
      console.log(`  ${what.padEnd(14)} ${String(bytes).padStart(7)} of ${String(budget).padStart(7)} bytes gzip  ${verdict}`);
    }
    return rows.some(({ bytes, budget }) => bytes > budget) ? 1 : 0;
  });
}
