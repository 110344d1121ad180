// wrangler under the packaged Node: `npm run wrangler -- secret put QUOTE_KEY -c …`.
import './boot.mjs';
import { capture, inRoot, isMain, main, show } from './proc.mjs';

const CLI = inRoot('node_modules', 'wrangler', 'wrangler-dist', 'cli.js');
const ENV = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' };
const argv = (args) => ['--no-warnings', CLI, ...args];

export const showWrangler = (args) => show(process.execPath, argv(args), { env: ENV });
export const captureWrangler = (args, options) =>
  capture(process.execPath, argv(args), { env: { ...ENV, NO_COLOR: '1' }, ...options });

if (isMain(import.meta)) await main(() => showWrangler(process.argv.slice(2)));
