// Stock Uppy, unchanged, with our endpoint as its `signRequest`: in a browser, through the bucket's own CORS document.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { esbuild } from '../../tools/build.mjs';
import { inRoot, must } from '../../tools/proc.mjs';
import { MIB, digestOf, download, intake, newWallet, noise, packWork, putOnSale, register } from '../lib/actors.mjs';
import { openStack, scratch } from '../lib/stack.mjs';
import { until } from '../lib/until.mjs';
import { openBrowser } from './lib/browser.mjs';

const stack = await openStack({ name: 'uppy', runtime: 'workerd' });
const script = join(scratch('uppy-page').dir, 'page.js');
await must(esbuild(), [inRoot('e2e', 'browser', 'lib', 'uppy-page.js'), '--bundle', '--format=iife', '--platform=browser', '--log-level=error', `--outfile=${script}`]);
// The page's own policy would refuse a script of ours: it is the stock client that is tested, not the page.
const browser = await openBrowser({ bypassCSP: true });
const creator = await newWallet(stack.client);

/** A page of the wallet's origin, the only one that may speak to the bucket. */
async function openPage(sign) {
  const page = await browser.context.newPage();
  await page.exposeFunction('sign', sign);
  await page.goto(`${stack.walletOrigin}/studio/`);
  await page.addScriptTag({ content: readFileSync(script, 'utf8') });
  return page;
}

async function begin(bytes) {
  const work = await packWork(creator, { bytes: noise(bytes) });
  await register(creator, work);
  const upload = await stack.client.startUpload(creator.creator, work, { size: work.packed.length });
  const asked = [];
  const sign = (request) => {
    asked.push(request);
    return stack.client.signUpload(creator.creator, upload.upload, request);
  };
  const name = 'ein Lied ﷺ 100 % + é.mp3';
  const job = { bytes: Buffer.from(work.packed).toString('base64'), key: upload.key, partSize: upload.part_size, name };
  return { work, upload, asked, sign, job };
}

async function sold({ work }) {
  await intake(creator, work);
  const record = await putOnSale(creator, work);
  assert.equal(digestOf(await download(record)), digestOf(work.packed));
}

test('Uppy creates, sends and completes an upload with what it is answered', async () => {
  const one = await begin(9 * MIB);
  const page = await openPage(one.sign);
  const result = await page.evaluate((job) => globalThis.uploadWithUppy(job), one.job);
  assert.deepEqual(result.failed, []);
  assert.deepEqual(result.parts, [1, 2]);
  const { key } = one.upload;
  const uploadId = one.asked[1].uploadId;
  assert.deepEqual(one.asked, [
    { method: 'POST', key }, { method: 'PUT', key, uploadId, partNumber: 1 }, { method: 'PUT', key, uploadId, partNumber: 2 }, { method: 'POST', key, uploadId },
  ]);
  await sold(one);
  await page.close();
});

test('after a lost network and a reload Uppy lists the parts with us and sends only what is missing', { timeout: 180_000 }, async () => {
  const one = await begin(17 * MIB);
  const page = await openPage(one.sign);
  // Part 2 never arrives.
  await page.route(/partNumber=2&/, (route) => (route.request().method() === 'PUT' ? route.abort('connectionreset') : route.continue()));
  const failed = await page.evaluate((job) => globalThis.uploadWithUppy(job), one.job);
  assert.equal(failed.failed.length, 1, JSON.stringify(failed));
  assert.deepEqual(failed.parts, [1]);
  assert.ok(failed.s3Multipart.uploadId, 'what Uppy keeps over a reload');
  await page.close();

  one.asked.length = 0;
  const again = await openPage(one.sign);
  const result = await again.evaluate((job) => globalThis.uploadWithUppy(job), { ...one.job, resume: failed.s3Multipart });
  assert.deepEqual(result.failed, []);
  assert.deepEqual(result.parts, [2, 3]);
  assert.deepEqual(one.asked.map(({ method, partNumber }) => [method, partNumber]), [['GET', undefined], ['PUT', 2], ['PUT', 3], ['POST', undefined]]);
  await sold(one);
  await again.close();
});

test('what Uppy cancels is thrown away', async () => {
  const one = await begin(MIB);
  const page = await openPage(one.sign);
  await page.route(/partNumber=1&/, (route) => (route.request().method() === 'PUT' ? undefined : route.continue()));
  await page.evaluate((job) => {
    globalThis.waiting = globalThis.uploadWithUppy(job).catch(() => {});
  }, one.job);
  await page.waitForRequest((request) => request.method() === 'PUT');
  const { uploadId } = one.asked.at(-1);
  assert.deepEqual(stack.bucket.bucket.parts(one.upload.key, uploadId), []);
  await page.evaluate(() => globalThis.cancelUppy());
  const left = () => {
    try {
      return stack.bucket.bucket.parts(one.upload.key, uploadId);
    } catch (error) {
      return error.s3Code;
    }
  };
  await until('the storage has thrown it away', () => left() === 'NoSuchUpload');
  assert.deepEqual(one.asked.at(-1), { method: 'DELETE', key: one.upload.key, uploadId });
  await page.close();
});
