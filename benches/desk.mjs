// What a measurement of the ledger alone needs: accounts with as many orders as one likes, each for
// a work of its own, given to the account's object as the ledger's entry gives them.
import { createHmac } from 'node:crypto';
import { sleep } from '../tools/proc.mjs';
import { PRICE, clientOf, inParallel, makeAccounts, sell } from './fixtures.mjs';
import { b32Encode, b64uDecode, b64uEncode, fromUtf8, generateKey, orderId, randomBytes, utf8 } from '../sdk/js/src/index.js';

// The least a work may cost, so that one gift of test money is good for a million orders.
const TERMS = { ...PRICE, usd_micros: 100 };
const QUOTE_LIFE_S = 3_000;
const QUOTE_PURPOSE = 'satchel/v1 quote\0';
const BARE = ['bare', 'verified', 'grouped'];
const JSON_TYPE = { 'content-type': 'application/json' };
// Delivery and fold follow a sale within less than this.
const DELIVERY_MS = 10_000;
const NEEDED = ['Account order', 'Inbox credits', 'Account fold'];

export const local = (port, path) => `http://127.0.0.1:${port}${path}`;

/** The path by which an object is asked directly. */
export const objectPath = (binding, name, path) => `/bench/object/${binding}/${encodeURIComponent(name)}${path}`;

/** A request for the load generator. */
export const posting = (path, body) => ({ method: 'POST', path, headers: JSON_TYPE, body });

export async function ask(port, { path, ...init }) {
  const answer = await fetch(local(port, path), init);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Makes quotes out for other works, as purchase makes them for the one that is on sale. */
function requote({ secrets }, quoted) {
  const claims = JSON.parse(fromUtf8(b64uDecode(quoted.quote.split('.')[0])));
  const key = b64uDecode(secrets.QUOTE_KEY);
  return (work) => {
    const exp = Math.floor(Date.now() / 1000) + QUOTE_LIFE_S;
    const body = utf8(JSON.stringify({ ...claims, work, exp }));
    const tag = createHmac('sha256', key).update(QUOTE_PURPOSE).update(body).digest();
    return { ...quoted, work, quote: `${b64uEncode(body)}.${b64uEncode(tag)}` };
  };
}

/** Sells one thing, and tells what each object was given for it: {'Account order': {path, body}, …}. */
async function watchSale(stack, jws) {
  const turn = (how) => ask(stack.ports.ledger, { path: `/bench/watch/${how}` });
  await turn('on');
  await ask(stack.ports.ledger, posting('/internal/orders', JSON.stringify({ order: jws, pickup: false })));
  for (let waited = 0; ; waited += 100) {
    const given = await turn('look');
    const missing = NEEDED.filter((what) => !given[what]);
    if (!missing.length) break;
    if (waited > DELIVERY_MS) throw new Error(`nobody was given: ${missing.join(', ')}`);
    await sleep(100);
  }
  return turn('off');
}

/**
 * `count` accounts at a stack with `direct`. `next(n)` gives new orders, of each account in turn, `nextOf(account)(n)`
 * of one; * `request(order)` the request that gives one to our object; `bare`, `verified`, `grouped` and `twin`
 * the same for peers; `fold(order)` one that gives a seller as much as the order is worth;
 * `delivery(inbox, n)` new sales as an inbox takes them.
 */
export async function makeDesk(stack, count) {
  const client = clientOf(stack);
  const [creator, payee] = [await generateKey(), (await generateKey()).jkt];
  const { record } = await sell(stack, { creator, payee, title: 'A long song', bytes: randomBytes(1000), terms: TERMS });
  const accounts = await makeAccounts(stack, count);
  for (const { twin } of accounts) {
    // One object for each way: they are given the very same orders.
    for (const how of BARE) {
      const path = objectPath('BARE', `${twin.account}/${how}`, '/setup');
      await ask(stack.ports['js-bare'], posting(path, JSON.stringify(twin)));
    }
  }
  const quoted = await client.quote(record.work);
  const signed = async ({ account, device }, quote) => {
    const made = await client.makeOrder({ key: device, account, quote, cnf: device.jkt });
    return { ...made, account, work: quote.work };
  };
  const first = await signed(accounts[0], quoted);
  const given = await watchSale(stack, first.jws);
  const quote = requote(stack, quoted);
  const one = (account) => signed(account, quote(`wrk_${b32Encode(randomBytes(32))}`));
  let made = 0;
  const { path, body } = given['Account order'];
  const like = ({ jws, work }) => body.replaceAll(first.jws, jws).replaceAll(first.work, work);
  const to = (binding, at, more = '') => (order) => posting(objectPath(binding, order.account + more, at), like(order));
  const fold = given['Account fold'];
  const batch = JSON.parse(fold.body);
  const [credit] = JSON.parse(given['Inbox credits'].body).credits;
  // From an inbox of its own each time, whose first batch it is.
  const home = ({ jws }) => JSON.stringify({ ...batch, inbox: `${batch.inbox}/${jws.slice(-43)}`, number: 1 });
  return {
    stack,
    accounts,
    client,
    msat: quoted.msat,
    next: (n) => inParallel(n, () => one(accounts[made++ % count])),
    nextOf: (account) => (n) => inParallel(n, () => one(account)),
    request: to('ACCOUNT', path),
    ...Object.fromEntries(BARE.map((how) => [how, to('BARE', `/${how}`, `/${how}`)])),
    twin: to('ACCOUNT', '/order'),
    fold: (order) => posting(objectPath('ACCOUNT', batch.account, fold.path), home(order)),
    creditsPath: given['Inbox credits'].path,
    delivery: async (inbox, n) => {
      const credits = await inParallel(n, async () => ({ ...credit, order: await orderId(record.work) }));
      return JSON.stringify({ inbox, credits });
    },
  };
}
