import { check } from './errors.js';

/**
 * JSON.parse that refuses what readers would understand differently: a member named twice, of which JSON.parse keeps
 * the last and others the first, and numbers that are not plain digits (`1.0`, `1e3`, `-0`).
 * @param {string} text
 * @returns {unknown}
 * @throws {SatchelError} `malformed`
 */
export function parseJson(text) {
  let value;
  let good = true;
  try {
    value = JSON.parse(text);
  } catch {
    good = false;
  }
  check(good, 'not JSON');
  // The text is known to be JSON here, so a scan over strings and brackets is enough.
  const open = [];
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (c === '{') open.push({ names: new Set(), naming: true });
    else if (c === '[') open.push(null);
    else if (c === '}' || c === ']') open.pop();
    else if (c === '-' || (c >= '0' && c <= '9')) {
      const [number] = /^[-+.\deE]+/.exec(text.slice(i, i + 40));
      check(/^\d+$/.test(number), `${number} is not a plain number`);
      i += number.length - 1;
    } else if (c === ',') {
      if (open.at(-1)) open.at(-1).naming = true;
    } else if (c === '"') {
      let end = i + 1;
      while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      const inside = open.at(-1);
      if (inside?.naming) {
        const name = JSON.parse(text.slice(i, end + 1));
        check(!inside.names.has(name), `member ${JSON.stringify(name)} twice`);
        inside.names.add(name);
        inside.naming = false;
      }
      i = end;
    }
  }
  return value;
}

/**
 * @param {unknown} value must be an object with exactly these members
 * @param {string[]} required @param {string[]} [optional] @param {string} [what] named in the error
 */
export function checkMembers(value, required, optional = [], what = 'document') {
  check(value !== null && typeof value === 'object' && !Array.isArray(value), `${what}: not an object`);
  for (const name of required) check(Object.hasOwn(value, name), `${what}: ${name} is missing`);
  for (const name of Object.keys(value)) check(required.includes(name) || optional.includes(name), `${what}: unknown member ${name}`);
}
