// What is measured on: published works, funded accounts, signed orders. All of it is made by the
// public API and the client library, as real ones are; only the packed bytes are put into the bucket.
import { format, fundingId, generateKey, makeDelegation, randomBytes, SatchelClient, workId } from '../sdk/js/src/index.js';

const AT_ONCE = 16;
export const PRICE = { pay_more: false, usd_micros: 250_000, use: 'download' };
const FUNDS_MSAT = 100_000_000;
// Quotes are good for 300 s; the last order of a round may be sent a while after it was signed.
const QUOTE_MS = 60_000;

/** `make(i)` for i below `count`, some at a time. */
export async function inParallel(count, make) {
  const made = [];
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => make(from + i));
    made.push(...(await Promise.all(some)));
  }
  return made;
}

export const clientOf = (stack) => new SatchelClient({ issuer: stack.issuer });

export async function post(url, body) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(url, init);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}

async function pack(stack, { creator, nonce, title, bytes, terms, mediaType }) {
  const parts = [];
  const sink = { write: (at, chunk) => void parts.push({ at, chunk }) };
  const about = { creatorKey: creator, nonce, issuer: stack.issuer, title, name: 'file.bin' };
  const packed = await format.packTo(sink, format.bytesSource(bytes), {
    ...about,
    mediaType,
    terms,
  });
  const whole = Buffer.alloc(packed.size);
  for (const { at, chunk } of parts) whole.set(chunk, at);
  return { ...packed, whole };
}

/** Sells `bytes`: packs, registers, hands over the key, publishes. Gives the record and its payee. */
export async function sell(stack, { creator, payee, title, bytes, terms = PRICE, mediaType = 'application/octet-stream' }) {
  const client = clientOf(stack);
  const nonce = randomBytes(16);
  const work = { work: await workId(creator.jwk, nonce), nonce };
  const { whole, manifest, contentKey } = await pack(stack, { creator, nonce, title, bytes, terms, mediaType });
  await client.register(creator, work, { title, mediaType, terms, payee });
  stack.bucket.bucket.put(`${work.work}/1.satchel`, whole);
  await client.intake(creator, work, { contentKey, manifest });
  const record = await client.publish(creator, work, { manifest, terms });
  return { record, payee };
}

/** Works by a few sellers, known to our ledger and to its twin. */
export async function makeWorks(stack, count, { sellers = 4, terms } = {}) {
  const creators = await inParallel(sellers, async () => ({
    creator: await generateKey(),
    payee: (await generateKey()).jkt,
  }));
  const works = await inParallel(count, (i) => {
    const seller = creators[i % sellers];
    return sell(stack, { ...seller, title: `Song ${i}`, bytes: randomBytes(1000), terms });
  });
  const twins = works.map(({ record, payee }) => ({
    work: record.work,
    offer: { state: record.state, version: record.version, payee },
    manifest_digest: record.versions[0].manifest_digest,
    use: record.terms.use,
    title: record.title,
  }));
  await post(`http://127.0.0.1:${stack.ports['js-ledger']}/setup`, { works: twins });
  return works.map(({ record }) => record);
}

export async function makeAccounts(stack, count) {
  const client = clientOf(stack);
  const accounts = await inParallel(count, async () => {
    const [root, device] = [await generateKey(), await generateKey()];
    const grant = await makeDelegation(root, { issuer: stack.issuer, key: device.jwk });
    await client.delegate(root.jkt, grant);
    await client.testMoney(root.jkt, device, { id: fundingId(), msat: FUNDS_MSAT });
    const twin = { account: root.jkt, key: device.jkt, x: device.jwk.x, msat: FUNDS_MSAT };
    return { account: root.jkt, device, twin };
  });
  const twins = accounts.map(({ twin }) => twin);
  await post(`http://127.0.0.1:${stack.ports['js-ledger']}/setup`, { accounts: twins });
  return accounts;
}

/**
 * Orders no one has sent yet: each of another account than the one before, each work once. There
 * are always `buyers` accounts; when they own everything, new ones take their place.
 */
export async function makeOrders(stack, works, buyers) {
  const client = clientOf(stack);
  let accounts = [];
  let used = Infinity;
  let quotes = [];
  let quotedAt = -Infinity;
  const quote = async () => {
    if (Date.now() - quotedAt < QUOTE_MS) return;
    quotedAt = Date.now();
    quotes = await inParallel(works.length, (i) => client.quote(works[i].work));
  };
  const one = (i) => {
    const { account, device } = accounts[i % accounts.length];
    const quoted = quotes[Math.floor(i / accounts.length)];
    return client.makeOrder({ key: device, account, quote: quoted, cnf: device.jkt });
  };
  /** `count` new orders as compact JWS. */
  return async function next(count) {
    await quote();
    const made = [];
    while (made.length < count) {
      if (used >= accounts.length * works.length) {
        accounts = await makeAccounts(stack, buyers);
        used = 0;
      }
      const some = Math.min(count - made.length, accounts.length * works.length - used);
      const from = used;
      used += some;
      made.push(...(await inParallel(some, (i) => one(from + i))));
    }
    return made.map(({ jws }) => jws);
  };
}
