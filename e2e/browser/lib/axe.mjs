// Pages before axe-core: serious and critical findings in what is shown now, in both colour schemes, and how it looks.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { inRoot } from '../../../tools/proc.mjs';
import { shot } from './browser.mjs';

const AXE = readFileSync(inRoot('node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const SCHEMES = ['light', 'dark'];

/** @param {string} name of the screenshots @param {import('playwright-core').Page} page @param {{widths?: number[]}} [options] looked at in each */
export async function inspect(name, page, { widths = [] } = {}) {
  const found = [];
  const before = page.viewportSize();
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // By the debugger, which no content policy holds up.
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate(() => self.axe.run(document, { iframes: false, resultTypes: ['violations'] }));
    assert.ok(passes.length > 5, `${name}: axe looked at nothing`);
    for (const { id, impact, nodes } of violations) {
      if (['serious', 'critical'].includes(impact)) found.push(`${name}, ${colorScheme}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
    }
    for (const width of widths) {
      await page.setViewportSize({ width, height: before.height });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px too wide at ${width}`);
      await shot(page, `${name}-${width}-${colorScheme}`, { fullPage: true });
    }
    if (widths.length === 0) await shot(page, `${name}-${colorScheme}`, { fullPage: true });
  }
  await page.setViewportSize(before);
  assert.deepEqual(found, []);
}
