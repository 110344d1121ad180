// What a creator does in the studio.
import assert from 'node:assert/strict';

const claims = (jws) => JSON.parse(Buffer.from(jws.split('.')[1], 'base64url').toString());

/** A file's row in the studio. @param {import('playwright-core').Page} page @param {string} [name] of its file; else the only one */
export function itemOf(page, name) {
  const items = page.locator('.item');
  return name === undefined ? items : items.filter({ has: page.getByRole('heading', { name, exact: true }) });
}

/** Chooses files as with the file dialog; gives the row of the first. */
export async function chooseFiles(page, ...paths) {
  await page.locator('#file').setInputFiles(paths);
  const [first] = paths;
  return itemOf(page, (first.name ?? first).split('/').pop());
}

/** Waits until it is encrypted; what the page says instead is what the test fails with. */
export async function encrypted(item) {
  const done = item.locator('.packing .progress-label', { hasText: /^Encrypted$/ });
  await done.or(item.locator('.item-problem .notice')).first().waitFor();
  assert.equal(await done.isVisible(), true, `not encrypted: ${await item.locator('.item-problem').allTextContents()}`);
}

/** Waits until it is published; what the page says instead is what the test fails with. */
export async function published(item) {
  const problem = item.locator('.item-problem .notice');
  await item.locator('.done-heading').or(problem).or(item.locator('[aria-invalid="true"]')).first().waitFor();
  assert.equal(await item.locator('.done-heading').isVisible(), true, `not published: ${await item.locator('.problem:visible, .item-problem').allTextContents()}`);
}

/**
 * Sells a file from the hosted page.
 * @param {import('playwright-core').BrowserContext} context
 * @param {{walletOrigin: string}} stack
 * @param {{path: string, title: string, price: string, use: 'download'|'stream', giveaway?: string, limit?: string}} offer further members
 *   `ready`, `uploading` and `done` see the page and the file's row in it before, while and after bytes are on their way
 * @returns what was shown at the end, and the content key that went to the issuer
 */
export async function sell(context, { walletOrigin }, { path, title, price, use, giveaway, limit, ready, uploading, done }) {
  const page = await context.newPage();
  let command;
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/v1/intake') command = claims(request.postDataJSON().command);
  });
  await page.goto(`${walletOrigin}/studio`);
  const item = await chooseFiles(page, path);
  await encrypted(item);
  await item.getByLabel('Title', { exact: true }).fill(title);
  await item.getByLabel('Price', { exact: true }).fill(price);
  if (giveaway || limit) {
    await item.locator('.copies summary').click();
    if (giveaway) await item.getByLabel('Give away the first N copies').fill(giveaway);
    if (limit) await item.getByLabel('Limited edition of N copies').fill(limit);
  }
  if (use === 'stream') {
    const stream = item.locator('.use-stream');
    assert.equal(await stream.isEnabled(), true, await item.locator('.stream-note').textContent());
    await stream.check();
    await encrypted(item);
  }
  await ready?.(page, item);
  await item.getByRole('button', { name: 'Publish' }).click();
  await uploading?.(page, item);
  await published(item);
  const [link, snippet] = await item.locator('.done-rows .value').allTextContents();
  await done?.(page, command, item);
  await page.close();
  return { link, snippet, work: command.work, contentKey: command.content_key };
}
