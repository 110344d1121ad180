// `npm start`: sets up, builds, makes development secrets, runs everything, prints the addresses.
import './boot.mjs';
import { join, relative, resolve } from 'node:path';
import { build } from './build.mjs';
import { ROOT, Told, inRoot, main, onEnd, portIsFree, seconds, step } from './proc.mjs';
import { setUpBuild } from './setup.mjs';
import { startStack } from './stack.mjs';

const began = Date.now();
// Another directory makes a second, separate Satchel beside this one.
const DIR = resolve(process.env.SATCHEL_DIR ?? inRoot('.satchel'));
const shown = (...parts) => relative(ROOT, join(DIR, ...parts));

/** A port from the environment, refused in plain words when something else is using it. */
async function port(variable, usual) {
  const chosen = Number(process.env[variable] ?? usual);
  if (!Number.isInteger(chosen) || chosen < 1 || chosen > 65535) {
    throw new Told(`${variable}=${process.env[variable]} is not a port number.`);
  }
  if (await portIsFree(chosen)) return chosen;
  const advice = `Is Satchel running already? Otherwise choose another: ${variable}=${chosen + 10} npm start`;
  throw new Told(`Port ${chosen} is in use. ${advice}`);
}

function printAddresses(stack) {
  const rows = [
    ['Studio', `${stack.walletOrigin}/studio`, 'sell a file: start here'],
    ['Public host', `${stack.origin}/`, 'work pages, widget, API'],
    ['Wallet', `${stack.walletOrigin}/wallet`, 'a buyer’s purse, with test money'],
    ['A fan’s website', `${stack.fanOrigin}/`, 'another host, with the widget in its page'],
  ];
  const width = Math.max(...rows.map(([, address]) => address.length));
  console.log(`\nSatchel is running (${seconds(began)} from the start).\n`);
  for (const [what, address, note] of rows) {
    console.log(`  ${what.padEnd(16)} ${address.padEnd(width)}  ${note}`);
  }
  console.log(`
1. Open the studio, choose a song or a document, give it a title and a price, publish it.
2. Open the fan’s website and paste the link you were given: the price and a buy button appear.
3. Press it: a purse is made in your browser and filled with test money, which is worth nothing.

State and secrets are kept in ${shown()}/, the workers’ log in ${shown('dev.log')}. Ctrl-C ends all.`);
}

await main(async () => {
  const ports = { port: await port('PORT', 8787), fanPort: await port('FAN_PORT', 8788) };
  ports.s3Port = await port('S3_PORT', 8789);
  await setUpBuild();
  const built = await build();
  if (!built.length) console.log('  ✓ workers: nothing changed since the last build');
  const onError = (line) => console.error(`  ! ${line}`);
  let stack;
  let ending = false;
  onEnd(async () => {
    ending = true;
    console.log('\nStopping …');
    await stack?.stop();
  });
  stack = await step('start the workers (wrangler dev)', () =>
    startStack({ dir: DIR, ...ports, onError }),
  );
  printAddresses(stack);
  await new Promise((done) => stack.wrangler.child.once('exit', done));
  if (ending) await new Promise(() => {});
  throw new Told(`wrangler dev has ended:\n${stack.wrangler.recent()}\n\nSee ${shown('dev.log')}.`);
});
