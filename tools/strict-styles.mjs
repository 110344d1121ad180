// media-chrome writes its styles as `<style>` into shadow roots; under `style-src 'self'` they would be blocked. This plugin of
// esbuild has them made by script instead (site/src/player/shadow.js), and fails where the library is no longer as it knows it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inRoot } from './proc.mjs';

const HELPER = join(inRoot('site', 'src', 'player'), 'shadow.js');
const CHANGES = [
  [/this\.shadowRoot\.setHTMLUnsafe \? this\.shadowRoot\.setHTMLUnsafe\(html\) : this\.shadowRoot\.innerHTML = html;/g, 'fillShadow(this.shadowRoot, html);'],
  [/this\.shadowRoot\.innerHTML = (this\.constructor\.getTemplateHTML\(attrs\));/g, 'fillShadow(this.shadowRoot, $1);'],
  [/styleParent\.querySelectorAll\("style:not\(\[media\]\)"\)/g, 'stylesOf(styleParent)'],
];

export const strictStyles = {
  name: 'strict-styles',
  setup(build) {
    build.onLoad({ filter: /[\\/]media-chrome[\\/]dist[\\/].*\.js$/ }, async ({ path }) => {
      const before = await readFile(path, 'utf8');
      let text = before;
      for (const [from, to] of CHANGES) text = text.replace(from, to);
      // The theme element, which is not used here, takes styles of strangers.
      const left = /shadowRoot\.innerHTML =|setHTMLUnsafe|querySelectorAll\("style/.test(text);
      if (left) return { errors: [{ text: `media-chrome writes styles in a way that strict-styles does not know: ${path}` }] };
      if (text !== before) text = `import { fillShadow, stylesOf } from ${JSON.stringify(HELPER)};\n${text}`;
      return { contents: text, loader: 'js' };
    });
  },
};
