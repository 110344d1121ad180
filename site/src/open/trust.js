// Shops the visitor has chosen to deal with. Kept in this browser; where that is refused, until the page is left.
const NAME = 'satchel-trusted-shops';
const session = new Set();

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME) ?? '[]');
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function keep(origins) {
  try {
    localStorage.setItem(NAME, JSON.stringify(origins));
  } catch { /* refused: the session has it */ }
}

/** @param {string} origin @returns {boolean} */
export const isTrusted = (origin) => session.has(origin) || kept().includes(origin);

/** @param {string} origin */
export function trust(origin) {
  session.add(origin);
  if (!kept().includes(origin)) keep([...kept(), origin]);
}

/** @param {string} origin */
export function distrust(origin) {
  session.delete(origin);
  keep(kept().filter((one) => one !== origin));
}
