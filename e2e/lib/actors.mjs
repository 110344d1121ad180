// The people of the tests: creators, buyers and the operator, each acting through the real API.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { generateMnemonic, mnemonicToSeed, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import {
  b64uDecode, format, fundingId, keyFromSeed, keysFromWords, makeDelegation, newDeviceKey, newWords,
  randomBytes, signJws, workId,
} from '../../sdk/js/src/index.js';

const bip39 = { generateMnemonic, validateMnemonic, mnemonicToSeed };
const MIB = 1_048_576;

export const unix = () => Math.floor(Date.now() / 1000);
export const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * A wallet as a person makes one: words, root and creator key, this device's key and its
 * delegation, which the issuer knows when this returns.
 */
export async function newWallet(client, grant = {}) {
  const words = newWords(bip39, wordlist);
  const { root, creator } = await keysFromWords(bip39, wordlist, words);
  const wallet = { client, words, root, creator, device: await newDeviceKey(), account: root.jkt };
  await delegate(wallet, wallet.device, grant);
  return wallet;
}

/** Makes the wallet's root key delegate another key, and tells the issuer. */
export async function delegate({ client, root, account }, key, grant = {}) {
  const delegation = await makeDelegation(root, { issuer: client.issuer, key: key.jwk, ...grant });
  return client.delegate(account, delegation);
}

/** A further key of a wallet. */
export async function newKeyOf(wallet, grant) {
  const key = await newDeviceKey();
  await delegate(wallet, key, grant);
  return key;
}

/** Test money into a wallet; gives its balance. */
export async function fund({ client, account, device }, msat) {
  return (await client.testMoney(account, device, { id: fundingId(), msat })).balance_msat;
}

/** What the owner sees of an account. */
export const look = ({ client, account, device }) => client.account(account, device);

export const balanceOf = async (wallet) => (await look(wallet)).balance_msat;

/** All purchases of a wallet, page after page. */
export async function purchasesOf({ client, account, device }) {
  const all = [];
  for (let after; ; ) {
    const page = await client.purchases(account, device, after);
    all.push(...page.purchases);
    if (!page.next) return all;
    after = page.next;
  }
}

/** Segments of media that never was: `windows` windows of ten seconds, two segments each. */
export function streamPlan(size, windows) {
  const count = windows * 2;
  const each = Math.floor(size / count);
  return Array.from({ length: count }, (_, i) => ({
    plain_len: i === count - 1 ? size - each * (count - 1) : each,
    window: Math.floor(i / 2),
    start_ms: i * 5_000,
    flags: 0,
  }));
}

/** Packs a work without telling anybody. */
export async function packWork(wallet, options = {}) {
  const { bytes = randomBytes(1_000), title = 'A song', usd_micros = 250_000, use = 'download' } = options;
  const { pay_more = false, windows = 1, version = 1, nonce = randomBytes(16), name = 'song.bin' } = options;
  const { mediaType = 'application/octet-stream', giveaway, limit, issuer = wallet.client.issuer, preview } = options;
  const terms = { usd_micros, use, pay_more, ...(giveaway && { giveaway }), ...(limit && { limit }) };
  const invented = { segments: streamPlan(bytes.length, windows), mse: 'video/mp4; codecs="avc1.42C01E, mp4a.40.2"', duration_ms: windows * 10_000 };
  const { plan = invented } = options;
  const streamed = use === 'stream' && { segments: plan.segments, mse: plan.mse, durationMs: plan.duration_ms };
  const written = [];
  const sink = { write: (at, piece) => written.push([at, piece.slice()]) };
  const details = { creatorKey: wallet.creator, nonce, version, issuer, title, name, mediaType, terms, preview, ...streamed };
  const made = await format.packTo(sink, format.bytesSource(bytes), details);
  const packed = new Uint8Array(made.size);
  for (const [at, piece] of written) packed.set(piece, at);
  return { ...made, nonce, version, title, mediaType, terms, bytes, packed };
}

/** A work's id and nonce, without contents. */
export async function newWorkId(wallet) {
  const nonce = randomBytes(16);
  return { work: await workId(wallet.creator.jwk, nonce), nonce };
}

export const register = (wallet, work, { payee = wallet.account, ...other } = {}) =>
  wallet.client.register(wallet.creator, work, { ...work, payee, ...other });

async function storage(method, { url, headers = {} }, body, origin) {
  const answer = await fetch(url, { method, headers: { ...headers, ...(origin && { origin }) }, body });
  const text = await answer.text();
  assert.ok(answer.ok && !text.includes('<Error>'), `${method} ${new URL(url).pathname}: ${answer.status} ${text}`);
  return { text, headers: answer.headers };
}

/** The packed bytes by presigned multipart requests, as the studio sends them: part 1 last. */
export async function upload(wallet, work, { origin } = {}) {
  const { client, creator } = wallet;
  const { packed, version } = work;
  const begun = await client.startUpload(creator, work, { version, size: packed.length });
  const { key, part_size: partSize, parts } = begun;
  const sign = (request) => client.signUpload(creator, begun.upload, { key, ...request });
  const created = await storage('POST', await sign({ method: 'POST', contentType: format.MEDIA_TYPE }), undefined, origin);
  const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(created.text)?.[1];
  assert.ok(uploadId, created.text);
  const tags = [];
  for (let partNumber = parts; partNumber >= 1; partNumber -= 1) {
    const piece = packed.subarray((partNumber - 1) * partSize, partNumber * partSize);
    const sent = await storage('PUT', await sign({ method: 'PUT', uploadId, partNumber }), piece, origin);
    tags[partNumber] = sent.headers.get('etag');
  }
  const list = tags.slice(1).map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
  const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
  await storage('POST', await sign({ method: 'POST', uploadId }), body, origin);
  return { ...begun, exposed: tags.every((tag, i) => i === 0 || tag) };
}

export const intake = (wallet, work) => wallet.client.intake(wallet.creator, work, work);
export const putOnSale = (wallet, work, more = {}) => wallet.client.publish(wallet.creator, work, { ...work, ...more });

/** All a creator does to sell a file: pack, register, upload, hand over the key, publish. */
export async function publish(wallet, options = {}) {
  const work = await packWork(wallet, options);
  await register(wallet, work, options.payee && { payee: options.payee });
  await upload(wallet, work, options);
  await intake(wallet, work);
  const record = await putOnSale(wallet, work);
  return { ...work, record };
}

/** A signed order for a work, not sent. `change` alters members of the quote before signing. */
export async function makeOrder(wallet, { work }, { key = wallet.device, cnf = wallet.device, order, usdMicros, change } = {}) {
  const { client, account } = wallet;
  const quote = { ...(await client.quote(work, { usdMicros })), ...change };
  return { quote, ...(await client.makeOrder({ key, account, quote, cnf: cnf.jkt, order })) };
}

/** Buys a work; gives the order with the issuer's answer. */
export async function buy(wallet, work, options = {}) {
  const order = await makeOrder(wallet, work, options);
  const answer = await wallet.client.order(order.jws, { pickup: options.pickup });
  return { ...order, ...answer };
}

/** Reads a document's claims without verifying it. */
export const claimsOf = (jws) => JSON.parse(Buffer.from(jws.split('.')[1], 'base64url').toString());

/** What the operator does, with the key that the stack keeps. */
export async function operate({ client, operatorKeyFile }, command) {
  const key = await keyFromSeed(b64uDecode(readFileSync(operatorKeyFile, 'utf8').trim(), 32));
  const iat = unix();
  const claims = { aud: client.issuer, iat, exp: iat + 300, ...command };
  const body = { command: await signJws(key, { typ: 'satchel-operator+jws' }, claims) };
  return client.request('POST', '/v1/operator', { body });
}

/** The packed file as its record says where it lies. */
export async function download(record) {
  const { url, size } = record.versions.at(-1);
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  assert.equal(bytes.length, size);
  return bytes;
}

/** Decrypts packed bytes with the content key, everything checked on the way. */
export async function openPacked(packed, contentKey) {
  const read = async (from, to) => packed.slice(from, to);
  const satchel = await format.openHeader(read, { size: packed.length });
  const pieces = [];
  for await (const piece of satchel.openAll(read, contentKey)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Bytes that are nobody's file, as many as asked for. */
export function noise(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, size)));
  return bytes;
}

export { MIB };
