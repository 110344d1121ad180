// What a creator does in the studio.
import assert from 'node:assert/strict';

const claims = (jws) => JSON.parse(Buffer.from(jws.split('.')[1], 'base64url').toString());

/**
 * Sells a file from the hosted page.
 * @param {import('playwright-core').BrowserContext} context
 * @param {{walletOrigin: string}} stack
 * @param {{path: string, title: string, price: string, use: 'download'|'stream', giveaway?: string, limit?: string}} offer further members
 *   `ready`, `uploading` and `done` see the page before, while and after bytes are on their way
 * @returns what was shown at the end, and the content key that went to the issuer
 */
export async function sell(context, { walletOrigin }, { path, title, price, use, giveaway, limit, ready, uploading, done }) {
  const page = await context.newPage();
  let command;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/v1/intake') command = claims(request.postDataJSON().command);
  });
  await page.goto(`${walletOrigin}/studio`);
  await page.locator('#file').setInputFiles(path);
  const stream = page.locator('#use-stream');
  const encrypted = page.locator('#progress-label', { hasText: 'Encrypted' });
  await encrypted.waitFor();
  await page.getByLabel('Title', { exact: true }).fill(title);
  await page.getByLabel('Price', { exact: true }).fill(price);
  if (giveaway || limit) {
    await page.locator('#copies summary').click();
    if (giveaway) await page.getByLabel('Give away the first N copies').fill(giveaway);
    if (limit) await page.getByLabel('Limited edition of N copies').fill(limit);
  }
  if (use === 'stream') {
    assert.equal(await stream.isEnabled(), true, await page.locator('#stream-note').textContent());
    await stream.check();
    await encrypted.waitFor();
  }
  await ready?.(page);
  const published = page.locator('#done-heading').waitFor();
  await page.getByRole('button', { name: 'Publish' }).click();
  await uploading?.(page);
  await published;
  const [link, snippet] = await page.locator('#done-rows .value').allTextContents();
  await done?.(page, command);
  await page.close();
  return { link, snippet, work: command.work, contentKey: command.content_key };
}
