// Styles of components whose library writes `<style>` into shadow roots, which our policy (no inline style) would block. The
// build puts these two functions in place of that (tools/strict-styles.mjs); sheets made by script are allowed.

/** @param {ShadowRoot} root @param {string} html of the library's own templates */
export function fillShadow(root, html) {
  const template = document.createElement('template');
  // Inert: nothing in it is applied or loaded before the styles are out.
  template.innerHTML = html;
  const sheets = [];
  for (const style of template.content.querySelectorAll('style')) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
    sheets.push(sheet);
    style.remove();
  }
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, ...sheets];
  root.replaceChildren(template.content);
}

/** @param {ShadowRoot|Document} root @returns {{sheet: CSSStyleSheet}[]} as the library looks for its style elements */
export const stylesOf = (root) => [...(root.adoptedStyleSheets ?? [])].map((sheet) => ({ sheet }));
