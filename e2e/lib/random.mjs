// Random choices that a seed repeats.

/** mulberry32: small, and good enough to choose test cases. */
export function chooser(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  const pick = (list) => list[below(list.length)];
  const chance = (part) => next() < part;
  const bytes = (length) => Buffer.from(Array.from({ length }, () => below(256)));
  return { next, below, pick, chance, bytes };
}
